"""Which environment variables point each SDK at the lab server, and which would lead it elsewhere.

Read in the installed sources of openai 2.54, anthropic 2.11, google-genai 3.4, litellm 1.106 and botocore 1.44. A row
says, for one provider, what every variable is to be while the provider is local: a template, the empty string, or None
for "not set". Live, the same variables have the values that the user gave them.

Why some rows are not the obvious ones:
    GOOGLE_API_KEY is empty    google-genai prefers it to GEMINI_API_KEY and warns at each client when both are set;
                               empty counts as absent there, and a later `load_dotenv()` does not overwrite it
    OPENAI_API_TYPE            without it `openai.chat...` of the module refuses when Azure's variables are there too
    ANTHROPIC_AUTH_TOKEN       anthropic below 2.0 would send it beside the key, and some servers prefer it
    GEMINI_API_BASE            LiteLLM appends `/models/...` with no version, so it carries one
    AWS_BEARER_TOKEN_BEDROCK   botocore refuses to send it over plain HTTP
    LITELLM_MODE               anything but DEV: in DEV, importing litellm loads `.env` and brings real values back
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LAB_PREFIX = "lab-"
AWS_PREFIX = "LAB"
AZURE_API_VERSION = "2024-10-21"
AWS_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider as its SDK sees it."""

    name: str
    title: str
    keys: tuple[str, ...]
    """Variables that may hold a live key, in the order in which the SDK looks. The first is the one to recommend."""
    base_url: str
    """The variable that replaces the SDK's base URL."""
    live_url: str
    """Where the SDK goes when nothing replaces it."""
    local: Mapping[str, str | None]
    """Variable -> template over {url}, {key} and {aws_id}, "" for empty, None for unset."""

    def variables(self, url: str, key: str) -> dict[str, str | None]:
        """What to put in the environment so that this provider's SDK talks to the lab server at `url` with `key`."""
        names = {"url": url, "key": key, "aws_id": aws_id(key)}
        return {name: None if value is None else value.format_map(names) for name, value in self.local.items()}


def aws_id(key: str) -> str:
    """The AWS access key id that stands for a lab key.

    >>> aws_id("lab-0123456789ab3f2a")
    'LAB0123456789AB3F2A'
    """
    return AWS_PREFIX + key.removeprefix(LAB_PREFIX).upper()


PROVIDERS: dict[str, Provider] = {
    provider.name: provider
    for provider in (
        Provider(
            "openai",
            "OpenAI",
            keys=("OPENAI_API_KEY",),
            base_url="OPENAI_BASE_URL",
            live_url="https://api.openai.com/v1",
            local={
                "OPENAI_API_KEY": "{key}",
                "OPENAI_BASE_URL": "{url}/v1",
                "OPENAI_API_BASE": "{url}/v1",
                "OPENAI_API_TYPE": "openai",
                "OPENAI_ADMIN_KEY": None,
                "OPENAI_ORG_ID": None,
                "OPENAI_ORGANIZATION": None,
                "OPENAI_PROJECT_ID": None,
                "OPENAI_CUSTOM_HEADERS": None,
            },
        ),
        Provider(
            "anthropic",
            "Anthropic",
            keys=("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
            base_url="ANTHROPIC_BASE_URL",
            live_url="https://api.anthropic.com",
            local={
                "ANTHROPIC_API_KEY": "{key}",
                "ANTHROPIC_BASE_URL": "{url}",
                "ANTHROPIC_API_BASE": "{url}",
                "ANTHROPIC_AUTH_TOKEN": None,
                "ANTHROPIC_CUSTOM_HEADERS": None,
                "ANTHROPIC_PROFILE": None,
                "ANTHROPIC_IDENTITY_TOKEN": None,
                "ANTHROPIC_IDENTITY_TOKEN_FILE": None,
                "ANTHROPIC_FEDERATION_RULE_ID": None,
                "ANTHROPIC_WORKSPACE_ID": None,
                "ANTHROPIC_AWS_API_KEY": None,
                "ANTHROPIC_FOUNDRY_API_KEY": None,
            },
        ),
        Provider(
            "gemini",
            "Gemini",
            keys=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
            base_url="GOOGLE_GEMINI_BASE_URL",
            live_url="https://generativelanguage.googleapis.com",
            local={
                "GEMINI_API_KEY": "{key}",
                "GOOGLE_API_KEY": "",
                "GOOGLE_GEMINI_BASE_URL": "{url}",
                "GEMINI_API_BASE": "{url}/v1beta",
                "GOOGLE_GENAI_USE_VERTEXAI": None,
                "GOOGLE_GENAI_USE_ENTERPRISE": None,
                "GOOGLE_GENAI_API_VERSION": None,
                "GOOGLE_GENAI_CLIENT_MODE": None,
                "GOOGLE_GENAI_API_KEY": None,
                "GOOGLE_GENAI_ACCESS_TOKEN": None,
                "GOOGLE_GENAI_DEFAULT_HEADERS": None,
            },
        ),
        Provider(
            "azure",
            "Azure OpenAI",
            keys=("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN"),
            base_url="AZURE_OPENAI_ENDPOINT",
            live_url="",
            local={
                "AZURE_OPENAI_API_KEY": "{key}",
                "AZURE_OPENAI_ENDPOINT": "{url}",
                "OPENAI_API_VERSION": AZURE_API_VERSION,
                "AZURE_API_KEY": "{key}",
                "AZURE_API_BASE": "{url}",
                "AZURE_API_VERSION": AZURE_API_VERSION,
                "AZURE_OPENAI_AD_TOKEN": None,
                "AZURE_AD_TOKEN": None,
            },
        ),
        Provider(
            "bedrock",
            "AWS Bedrock",
            keys=("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_BEARER_TOKEN_BEDROCK"),
            base_url="AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
            live_url="https://bedrock-runtime.{region}.amazonaws.com",
            local={
                "AWS_ACCESS_KEY_ID": "{aws_id}",
                "AWS_SECRET_ACCESS_KEY": "{key}",
                "AWS_REGION": AWS_REGION,
                "AWS_DEFAULT_REGION": AWS_REGION,
                "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "{url}",
                "AWS_ENDPOINT_URL_BEDROCK": "{url}",
                "AWS_BEDROCK_RUNTIME_ENDPOINT": "{url}",
                "ANTHROPIC_BEDROCK_BASE_URL": "{url}",
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": None,
                "AWS_SESSION_TOKEN": None,
                "AWS_BEARER_TOKEN_BEDROCK": None,
                "AWS_PROFILE": None,
                "AWS_DEFAULT_PROFILE": None,
            },
        ),
    )
}

ALWAYS: Mapping[str, str] = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_MODE": "PRODUCTION",
}
"""Set whatever is live: nothing of the course touches the network at import."""
