"""Every provider that LiteLLM knows, through `litellm.completion`: models are named "provider/model"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

from labkit.adapters.base import given, keyed
from labkit.adapters.openai import OpenAIAdapter
from labkit.secret import Secret


class LiteLLMAdapter(OpenAIAdapter):
    """LiteLLM speaks OpenAI's words for all of them. Importing it takes seconds, at the first call."""

    name = "litellm"
    max_tokens_field = "max_tokens"

    def origin(self, model: str) -> tuple[str, str]:
        provider, _, rest = model.partition("/")
        return provider, rest or model

    def connect(self, *, asynchronous: bool, timeout: float, key: Secret | None = None) -> Any:
        """LiteLLM keeps its own clients: what is kept here are its functions."""
        import litellm

        litellm.suppress_debug_info = True  # an error is raised, and need not be printed besides
        chat, embed = litellm.completion, litellm.embedding
        if asynchronous:
            chat, embed = litellm.acompletion, litellm.aembedding
        own = keyed(key)
        return SimpleNamespace(chat=partial(chat, **own), embed=partial(embed, **own), timeout=timeout)

    def send(self, sdk: Any, wire: Mapping[str, Any], *, stream: bool, retry: int) -> Any:
        more = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
        return sdk.chat(**{**wire, **more}, timeout=sdk.timeout, num_retries=0, max_retries=0)

    def unpack(self, reply: Any) -> Any:
        return reply

    def headers(self, reply: Any) -> Mapping[str, str]:
        hidden = getattr(reply, "_hidden_params", None) or {}
        return {k.removeprefix("llm_provider-"): v for k, v in (hidden.get("additional_headers") or {}).items()}

    def embed(self, sdk: Any, model: str, texts: Sequence[str], *, dimensions: int | None, retry: int) -> Any:
        return sdk.embed(model=model, input=list(texts), max_retries=0, **given(dimensions=dimensions))
