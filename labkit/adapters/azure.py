"""Azure OpenAI: OpenAI's protocol under deployments of your own, with another address and header."""

from __future__ import annotations

from typing import Any

from labkit.adapters.base import keyed
from labkit.adapters.openai import OpenAIAdapter
from labkit.secret import Secret


class AzureAdapter(OpenAIAdapter):
    """The model of a request is the name of a deployment."""

    name = "azure"

    def connect(self, *, asynchronous: bool, timeout: float, key: Secret | None = None) -> Any:
        import openai

        make = openai.AsyncAzureOpenAI if asynchronous else openai.AzureOpenAI
        return make(max_retries=0, timeout=timeout, **keyed(key))
