"""What makes two calls the same. The digests are written down: a change to them throws away what users have kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.caching import keys, rules
from labkit.chat import ChatRequest, Message, ToolCall, ToolSpec

PLACE = keys.Place("openai", "local")
REQUEST = ChatRequest("model", (Message("user", "What is an API? 🙂"),), 100)
CHANGES: dict[str, Any] = {
    "model": "other",
    "messages": (Message("user", "What is an API?"),),
    "max_tokens": 101,
    "system": "Be brief.",
    "temperature": 0.0,
    "top_p": 0.5,
    "top_k": 3,
    "stop": ("END",),
    "seed": 0,
    "effort": "low",
    "tools": (ToolSpec("f", "", {"type": "object"}),),
    "tool_choice": "auto",
    "schema": {"type": "object"},
    "extra": {"metadata": {"a": 1}},
}


def key(request: ChatRequest = REQUEST, place: keys.Place = PLACE) -> str:
    return keys.digest(keys.described(request, place))


def test_a_key_is_the_same_for_ever() -> None:
    assert key() == "ad96e91c3b65f93dea29f62ba1a05f36f72eabd212af9fc88897335ba357640c"
    more = replace(REQUEST, system="Be brief.", temperature=0.0, seed=7)
    assert key(more) == "74ec02a4d48d1841596c89ed87edd96b5464f81521ccdeec72099f18e470c5bf"


def test_every_field_of_a_request_changes_the_key() -> None:
    found = {name: key(replace(REQUEST, **{name: value})) for name, value in CHANGES.items()}
    found |= {"provider": key(place=keys.Place("azure", "local")), "service": key(place=keys.Place("openai", "live"))}
    assert len({*found.values(), key()}) == len(found) + 1
    assert {*CHANGES, "schema_name"} == set(ChatRequest.__dataclass_fields__)  # a new field has to be decided on


@pytest.mark.parametrize(
    "turn",
    [
        Message("assistant", "Hi"),
        Message("user", "Hi", name="x"),
        Message("user", "Hi", tool_call_id="x"),
        Message("user", "Hi", failed=True),
        Message("user", "Hi", tool_calls=(ToolCall("c", "f", {"a": 1}),)),
        Message("user", "Hi", tool_calls=(ToolCall("c", "f", {"a": 2}),)),
    ],
)
def test_every_part_of_a_turn_changes_the_key(turn: Message) -> None:
    others = [Message("user", "Hi"), Message("user", "Hi", tool_calls=(ToolCall("c", "f", {"a": 3}),))]
    assert key(replace(REQUEST, messages=(turn,))) not in [key(replace(REQUEST, messages=(m,))) for m in others]


def test_what_changes_no_answer_changes_no_key() -> None:
    native = Message("user", REQUEST.messages[0].text, native=("anthropic", [{"type": "text"}]))
    assert key(replace(REQUEST, messages=(native,))) == key()
    one, other = {"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}
    assert key(replace(REQUEST, extra=one)) == key(replace(REQUEST, extra=other))


def test_turns_cannot_be_shifted_into_one_another() -> None:
    one = replace(REQUEST, messages=(Message("user", "a"), Message("user", "b")))
    other = replace(REQUEST, messages=(Message("user", 'a"],["user","b'),))
    assert key(one) != key(other)


@pytest.mark.parametrize("value", [object(), float("nan"), {1, 2}, b"bytes"])
def test_what_has_no_json_form_has_no_key(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        key(replace(REQUEST, extra={"x": value}))


@given(st.text(max_size=50), st.text(max_size=50))
def test_different_questions_have_different_keys(one: str, other: str) -> None:
    requests = [replace(REQUEST, messages=(Message("user", text),)) for text in (one, other)]
    assert (key(requests[0]) == key(requests[1])) == (one == other)


@given(st.text(max_size=50), st.text(max_size=50))
def test_a_namespace_depends_on_all_but_the_question(one: str, system: str) -> None:
    def space(question: str, **changes: Any) -> str:
        request = replace(REQUEST, messages=(Message("user", "Hi"), Message("user", question)), **changes)
        return keys.namespace(keys.described(request, PLACE), question, embedder="e")

    assert space(one) == space("else")
    assert (space(one, system=system or None) == space(one)) == (system == "")


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({}, False),
        ({"temperature": 0.0}, False),
        ({"temperature": 0.1}, True),
        ({"temperature": 1.0, "seed": 0}, False),
        ({"extra": {"temperature": 1}}, True),
        ({"extra": {"config": {"temperature": 1, "seed": 3}}}, False),
        ({"tools": CHANGES["tools"]}, True),
        ({"extra": {"tools": [{"type": "web_search"}]}}, True),
    ],
)
def test_rules_before_a_call(changes: dict[str, Any], refused: bool) -> None:
    assert bool(rules.against_request(replace(REQUEST, **changes))) == refused
