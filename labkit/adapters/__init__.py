"""The providers that `LLMClient` speaks to, one file each.

A new provider is a new file and a line in the table. An adapter's module, and its SDK, load when it is first used.
"""

from __future__ import annotations

from importlib import import_module

from labkit.adapters.base import Adapter
from labkit.errors import UserError

ADAPTERS = {
    "openai": "openai:OpenAIAdapter",
    "anthropic": "anthropic:AnthropicAdapter",
    "gemini": "gemini:GeminiAdapter",
    "azure": "azure:AzureAdapter",
    "bedrock": "bedrock:BedrockAdapter",
    "compatible": "compatible:CompatibleAdapter",
    "litellm": "litellm:LiteLLMAdapter",
}
"""Provider: module and class."""
ALIASES = {"google": "gemini", "self-hosted": "compatible", "vllm": "compatible", "ollama": "compatible"}


def known(provider: str) -> bool:
    """Whether the first part of "provider/model" is a provider here, and not a part of a model's name."""
    return provider in ADAPTERS or provider in ALIASES


def adapter(provider: str, *, base_url: str | None = None, api_key: str | None = None) -> Adapter:
    """The adapter of a provider.

    Raises:
        UserError: no such provider, or an address for one that has its own.
    """
    name = ALIASES.get(provider, provider)
    if name not in ADAPTERS:
        raise UserError(f"{provider!r} is no provider of labkit: use one of {', '.join(sorted(ADAPTERS))}.")
    module, _, cls = ADAPTERS[name].partition(":")
    make = getattr(import_module(f"{__name__}.{module}"), cls)
    if name == "compatible":
        found: Adapter = make(base_url=base_url, api_key=api_key, flavour=provider)
        return found
    if base_url is not None or api_key is not None:
        raise UserError(f"base_url and api_key are for provider='compatible'; {provider} has its own from the session.")
    plain: Adapter = make()
    return plain
