"""What must not be cached. Each rule gives its reason as half a sentence, which goes into `response.notes`.

    before the call    a temperature above 0 without a seed, tools, what has no JSON form
    on a miss          personal data in the prompt
    after the answer   an answer that is no whole one: also when forced; personal data in it

A call that says no temperature is cached: nobody asked for variety, and many models take no temperature at all. That
the provider's default is 1 means that a cache hides the variety there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labkit.caching.personal import personal_data

if TYPE_CHECKING:
    from labkit.chat import ChatRequest, ChatResponse

WHOLE = ("stop", "tool_calls")
"""Finish reasons of answers worth keeping: "length" is cut, "content_filter" may be another tomorrow."""


def against_request(request: ChatRequest) -> str:
    """Why no answer to this request may be cached; "" when it may."""
    if request.tools or _inside(request.extra, "tools"):
        return "an answer with tools depends on more than the question"
    temperature = request.temperature if request.temperature is not None else _inside(request.extra, "temperature")
    if temperature and request.seed is None and _inside(request.extra, "seed") is None:
        return f"temperature {temperature:g} without a seed asks for a new answer each time"
    return ""


def against_prompt(request: ChatRequest) -> str:
    """Why this prompt may not lie in a cache; "" when it may. Never quotes what it found."""
    texts = [request.system or "", *(message.text for message in request.messages)]
    kinds = dict.fromkeys(kind for text in texts for kind in personal_data(text))
    return f"the prompt seems to hold {' and '.join(kinds)}" if kinds else ""


def against_answer(response: ChatResponse) -> str:
    """Why this answer is never kept, forced or not; "" when it may be."""
    if response.truncated:
        return "the answer is truncated"
    return "" if response.finish_reason in WHOLE else f"the answer ended with {response.finish_reason}"


def against_text(response: ChatResponse) -> str:
    """Why this answer may not lie in a cache unless forced; "" when it may."""
    kinds = personal_data(response.text)
    return f"the answer seems to hold {' and '.join(kinds)}" if kinds else ""


def _inside(extra: Mapping[str, Any], name: str) -> Any:
    """A parameter given in the SDK's own words: at the top, or one level down as in extra_body={...}."""
    if name in extra:
        return extra[name]
    return next((inner[name] for inner in extra.values() if isinstance(inner, Mapping) and name in inner), None)
