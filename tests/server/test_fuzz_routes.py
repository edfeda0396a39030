"""Every route of every protocol, whatever is put into its path, its query, its headers and its body.

The routes are read from the tables that serve them, so that a new one is among them at once.
"""

import re
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit import registry
from labkit.server.app import PROTOCOLS
from labkit.server.control import Control

KEYS = ("authorization", "x-api-key", "x-goog-api-key", "api-key")
MODELS = [registry.model(p, "small") for p in ("openai", "anthropic", "gemini", "bedrock", "self-hosted")]
NAMES = ("model", "messages", "input", "contents", "parts", "prompt", "text", "role", "content", "max_tokens", "tools")

words = st.sampled_from([*MODELS, "user", "hi", "batch", "file-1", "5m", "../../etc", "%2e%2e", "ü", ""]) | st.text(
    alphabet=st.characters(blacklist_categories=["Cs"]), max_size=12
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 10) | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=10,
)
queries = st.dictionaries(
    st.sampled_from(["alt", "after", "limit", "purpose", "pageSize", "beta"]), words, max_size=2
)


def routes() -> list[tuple[str, str, str]]:
    """(protocol, method, pattern); without the one that ends the server."""
    protocols: list[Any] = [Control(None), *(protocol() for protocol in PROTOCOLS)]
    found = [(protocol.name, *route) for protocol in protocols for route in protocol.routes]
    return [route for route in found if "shutdown" not in route[2]]


def path_of(pattern: str, draw: st.DataObject) -> str:
    """A path of this pattern, with anything in the place of its names."""
    return re.sub(r"\{\w+\}", lambda _: quote(draw.draw(words) or "x", safe=""), pattern)


@pytest.mark.parametrize("protocol", sorted({route[0] for route in routes()}))
def test_no_request_to_any_route_breaks_the_server(lab_server, protocol):
    mine = [(method, pattern) for name, method, pattern in routes() if name == protocol]
    key = lab_server.key()
    headers = dict.fromkeys(KEYS, key) | {"authorization": f"Bearer {key}", "anthropic-version": "2023-06-01"}
    always = {"api-version": "2024-10-21"} if protocol == "azure" else {}

    with httpx.Client(base_url=lab_server.url, headers=headers, timeout=20) as http:

        @settings(max_examples=40 + 6 * len(mine), deadline=None, database=None, suppress_health_check=[*HealthCheck])
        @given(data=st.data(), route=st.sampled_from(mine), body=values | st.binary(max_size=40), query=queries)
        def answer_or_refuse(data: Any, route: tuple[str, str], body: Any, query: dict[str, str]) -> None:
            sent = {"content": body} if isinstance(body, bytes) else {"json": body}
            answer = http.request(route[0], path_of(route[1], data), params=query | always, **sent)
            assert answer.status_code < 500, (route, body, answer.text)

        answer_or_refuse()
        assert http.get("/lab/v1/health").json()["ok"]
