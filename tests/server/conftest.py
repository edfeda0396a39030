"""The three SDKs on one fresh tenant, and plain HTTP beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import anthropic
import httpx
import openai
import pytest
from google import genai

from labkit import registry


@dataclass
class Tenant:
    """A key that nobody else uses, with clients for every protocol, each made at first use."""

    url: str
    key: str
    http: httpx.Client

    @cached_property
    def openai(self) -> openai.OpenAI:
        return openai.OpenAI(api_key=self.key, base_url=f"{self.url}/v1", max_retries=0)

    @cached_property
    def anthropic(self) -> anthropic.Anthropic:
        return anthropic.Anthropic(api_key=self.key, base_url=self.url, max_retries=0)

    @cached_property
    def genai(self) -> genai.Client:
        return genai.Client(api_key=self.key, http_options={"base_url": self.url})

    def close(self) -> None:
        for name in ("openai", "anthropic", "genai"):
            if name in self.__dict__:
                getattr(self, name).close()

    def lab(self, path: str, body: dict[str, Any] | None = None, *, key: str | None = None) -> Any:
        """A call of the control API; its JSON."""
        headers = {"Authorization": f"Bearer {key or self.key}"}
        method = "GET" if body is None else "POST"
        answer = self.http.request(method, f"/lab/v1/{path}", json=body, headers=headers)
        answer.raise_for_status()
        return answer.json()

    def chat(self, text: str = "What is an API?", **params: Any) -> Any:
        """One OpenAI chat completion on the model that takes sampling parameters."""
        params.setdefault("model", registry.model("openai", "sampling"))
        return self.openai.chat.completions.create(messages=[{"role": "user", "content": text}], **params)

    def last(self) -> dict[str, Any]:
        return self.lab("journal")["entries"][-1]


@pytest.fixture
def tenant(lab_server: Any) -> Iterator[Tenant]:
    with httpx.Client(base_url=lab_server.url) as http:
        opened = Tenant(lab_server.url, lab_server.key(), http)
        yield opened
        opened.close()
