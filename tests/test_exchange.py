"""The wire: what a call looked like, read back from the server's journal after a real SDK made it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import labkit as lk
from labkit.errors import NothingRecorded
from labkit.exchange import Exchange, Message, pretty, wire

MESSAGES = [{"role": "user", "content": "What is an API? <b>"}]


def chat(**extra: Any) -> Any:
    from openai import OpenAI

    with OpenAI(max_retries=0) as client:
        answer = client.chat.completions.create(model=lk.model("openai"), messages=MESSAGES, **extra)
        return list(answer) if extra.get("stream") else answer


def claude() -> Any:
    from anthropic import Anthropic

    with Anthropic(max_retries=0) as client:
        return client.messages.create(model=lk.model("anthropic"), max_tokens=20, messages=MESSAGES)


def test_last_call_shows_request_and_response(session: Any) -> None:
    answer = chat()
    (call,) = wire().exchanges
    assert call.request.line == "POST /v1/chat/completions HTTP/1.1"
    assert call.request.body["messages"] == MESSAGES
    assert call.response.line == "HTTP/1.1 200 OK"
    assert call.response.body["id"] == answer.id


def test_key_is_never_shown(session: Any) -> None:
    chat()
    shown = str(wire()) + wire()._repr_html_()
    assert session.key not in shown
    assert f"Bearer lab-…{session.key[-4:]}" in shown


def test_two_calls_stand_side_by_side(session: Any) -> None:
    chat()
    claude()
    first, second = wire(-2, -1).exchanges
    assert first.request.line.startswith("POST /v1/chat/completions")
    assert second.request.line.startswith("POST /v1/messages")
    assert [e.id for e in wire(1, 2).exchanges] == [1, 2]
    assert wire(lk.lab.last()).exchanges[0].id == 2


def test_stream_is_shown_frame_by_frame(session: Any) -> None:
    chunks = chat(stream=True)
    frames = wire().exchanges[0].response.frames
    assert len(frames) == len(chunks) + 1
    assert frames[-1] == "data: [DONE]"
    assert f"{len(frames) - 7} more frames" in str(wire())


def test_long_bodies_fold_and_short_ones_do_not() -> None:
    long = Message("x", {}, {f"field {n}": "v" * 60 for n in range(50)})
    assert long.parts.fold == "22 more lines"
    assert long.parts.head.count("\n") == 29
    assert Message("x", {}, {"a": 1}).parts.fold == ""


def test_markup_in_a_body_is_text(session: Any) -> None:
    chat()
    assert "&lt;b&gt;" in wire()._repr_html_()
    assert "API? <b>" not in wire()._repr_html_()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
    )
)
def test_laid_out_json_is_the_same_json(value: Any) -> None:
    import json

    assert json.loads(pretty(value)) == value


def test_very_long_strings_are_cut_and_say_so() -> None:
    assert "(800 more characters)" in pretty({"image": "A" * 2000})


def test_unmasked_key_from_elsewhere_is_masked() -> None:
    headers = {"authorization": "Bearer sk-proj-0123456789abcdef", "x-api-key": "0123456789abcdefg"}
    shown = "\n".join(Message("x", headers, None).shown_headers()[0])
    assert "0123456789" not in shown


def test_no_such_call_is_said_in_a_sentence(session: Any) -> None:
    with pytest.raises(NothingRecorded, match="make a call first"):
        wire()
    chat()
    with pytest.raises(NothingRecorded, match="no entry 99"):
        wire(99)
    with pytest.raises(NothingRecorded, match="does not go back 5"):
        wire(-5)


def test_dropped_bytes_are_said(session: Any) -> None:
    with pytest.raises(NothingRecorded, match="no longer has the bytes of call 3"):
        Exchange.of({"id": 3, "wire": None})


def test_live_calls_leave_no_wire_and_the_message_says_so(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    session.close()  # first: what the patch takes back must not be the lab's own key
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789abcdef")
    with lk.start(live=["openai"], quiet=True), pytest.raises(NothingRecorded, match="openai: live calls do not pass"):
        wire()


def test_public_name_is_the_function(session: Any) -> None:
    assert lk.wire is wire
