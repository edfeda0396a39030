"""The lab's vLLM, Ollama and TGI: programs that people run themselves, here without a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from labkit.environment import LOOPBACK
from labkit.session import current


@dataclass(frozen=True, slots=True)
class SelfHosted:
    """Where one of the lab's self-hosted servers answers."""

    name: str
    """"vllm", "ollama" or "tgi"."""
    url: str
    """Without the `/v1` that OpenAI's client wants behind it."""
    usual_port: int
    """Where the real program listens unless told otherwise."""
    reason: str = ""
    """Why it is not on its usual port but under a path of the lab server; empty when it is."""

    @property
    def base_url(self) -> str:
        """For OpenAI's client."""
        return f"{self.url}/v1"


def self_hosted() -> dict[str, SelfHosted]:
    """The lab's vLLM, Ollama and TGI by name: each on its usual port if that is free, else under a path of the server.

    They answer without a key, as the real ones do; sent a lab key, they write in this tenant's journal.
    """
    url = current().url
    ports_reach_us = urlsplit(url).hostname in LOOPBACK  # they are opened on the server's loopback only
    rows = current().control("GET", "listeners")
    if ports_reach_us:
        rows = current().control("POST", "listeners", body=dict.fromkeys(rows, True))
    return {name: _self_hosted(name, row, url, ports_reach_us) for name, row in rows.items()}


def _self_hosted(name: str, row: Mapping[str, Any], url: str, ports_reach_us: bool) -> SelfHosted:
    if row["open"] and ports_reach_us:
        return SelfHosted(name, row["url"], row["usual_port"])
    reason = row.get("reason") or "the lab server runs on another machine"
    return SelfHosted(name, url + row["prefix"], row["usual_port"], reason)
