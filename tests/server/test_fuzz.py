"""Whatever JSON arrives, the answer is a 200 or a refusal in the provider's shape; never a 5xx, never a hang."""

from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit import registry
from labkit.server.control import SETTINGS
from labkit.server.protocols import anthropic_request, gemini_request, openai_request

OPENAI = registry.model("openai", "sampling")
CLAUDE = registry.model("anthropic", "small")
GEMINI = registry.model("gemini", "small")

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
small = st.sampled_from([0, 1, 2, -1, 0.5, "1", [], {}, None, True, "user", "text", 1e308, 2**70])
values = st.recursive(
    small | scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "content", "type", "text", "parts", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def bodies(names: list[str], valid: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Mostly valid requests with a few fields replaced by anything."""
    return st.dictionaries(st.sampled_from(names), values, max_size=3).map(lambda broken: valid | broken)


CASES = {
    "openai": (
        "/v1/chat/completions",
        bodies(list(openai_request.FIELDS), {"model": OPENAI, "messages": [{"role": "user", "content": "hi"}]}),
        {"authorization": "Bearer {key}"},
    ),
    "anthropic": (
        "/v1/messages",
        bodies(
            list(anthropic_request.FIELDS | anthropic_request.SAMPLING_FIELDS),
            {"model": CLAUDE, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
        ),
        {"x-api-key": "{key}", "anthropic-version": "2023-06-01"},
    ),
    "gemini": (
        f"/v1/models/{GEMINI}:generateContent",
        bodies(list(gemini_request.FIELDS), {"contents": [{"parts": [{"text": "hi"}]}]}),
        {"x-goog-api-key": "{key}"},
    ),
    "gemini config": (
        f"/v1/models/{GEMINI}:streamGenerateContent",
        bodies(list(gemini_request.CONFIG), {}).map(
            lambda config: {"contents": [{"parts": [{"text": "hi"}]}], "generationConfig": config}
        ),
        {"x-goog-api-key": "{key}"},
    ),
    "control": ("/lab/v1/tenant", bodies([*SETTINGS, "rate"], {}), {"authorization": "Bearer {key}"}),
}


@pytest.mark.parametrize("case", CASES)
def test_no_body_breaks_the_server(lab_server, case):
    path, strategy, headers = CASES[case]
    sent = {name: value.format(key=lab_server.key()) for name, value in headers.items()}

    with httpx.Client(base_url=lab_server.url, headers=sent, timeout=20) as http:

        @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(body=strategy)
        def refuse_or_answer(body: dict[str, Any]) -> None:
            answer = http.post(path, json=body)
            assert answer.status_code in (200, 400, 403, 404, 413, 429), (body, answer.text)
            if answer.status_code != 200:
                assert answer.json()["error"]["message"]

        refuse_or_answer()
