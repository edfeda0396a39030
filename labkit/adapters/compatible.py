"""Any server that speaks OpenAI's Chat Completions: vLLM, Ollama, llama.cpp, TGI, a gateway."""

from __future__ import annotations

from typing import Any

from labkit.adapters.openai import OpenAIAdapter
from labkit.errors import UserError
from labkit.secret import Secret

LAB_PATHS = {"vllm": "/vllm/v1", "ollama": "/ollama/v1"}
"""Where the lab server poses as these."""
NO_KEY = "none"
"""The SDK insists on a key; such servers mostly ignore it."""


class CompatibleAdapter(OpenAIAdapter):
    """Differs from OpenAI's by address, and by the older name of max_tokens, which all of these servers know."""

    max_tokens_field = "max_tokens"
    parameters = OpenAIAdapter.parameters | {"top_k"}

    def __init__(self, *, base_url: str | None, api_key: str | None, flavour: str) -> None:
        self.name = flavour
        if base_url is None:
            from labkit.session import current

            session = current()
            base_url, api_key = session.url + LAB_PATHS.get(flavour, "/v1"), session.key
        if "://" not in base_url:
            raise UserError(f"{base_url!r} is no address: write it as http://127.0.0.1:8000/v1.")
        self.base_url = base_url
        self._key = Secret(api_key or NO_KEY)

    def address(self) -> dict[str, Any]:
        return {"base_url": self.base_url, "api_key": self._key.reveal()}

    def to_wire(self, request: Any) -> dict[str, Any]:
        """top_k is no argument of the SDK: it goes into the body beside the others."""
        wire = super().to_wire(request)
        if request.top_k is not None:
            wire["extra_body"] = {**wire.get("extra_body", {}), "top_k": request.top_k}
        return wire
