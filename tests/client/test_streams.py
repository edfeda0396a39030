"""Streams: pieces, the response at the end, and leaving early."""

from __future__ import annotations

import pytest

import labkit as lk
from labkit import LLMClient
from labkit.errors import UserError

pytestmark = pytest.mark.usefixtures("session")

PROVIDERS = ("openai", "anthropic", "gemini", "azure", "bedrock", "vllm")
QUESTION = "Explain recursion in three sentences."


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_pieces_are_the_text(provider: str) -> None:
    stream = LLMClient(provider).stream(QUESTION)
    pieces = list(stream)
    assert len(pieces) > 10 and "".join(pieces) == stream.response.text
    assert stream.response.usage.output == lk.lab.last()["usage"]["output"]
    assert 0 < (stream.response.time_to_first_token_s or 0) <= stream.response.latency_s


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_the_same_with_async_for(provider: str) -> None:
    stream = LLMClient(provider).astream(QUESTION)
    pieces = [piece async for piece in stream]
    assert len(pieces) > 10 and "".join(pieces) == stream.response.text
    assert stream.response.usage.output == lk.lab.last()["usage"]["output"]


def test_time_to_first_token_is_the_models() -> None:
    lk.lab.clock(minute=60)
    lk.lab.faults("slow_first_token", next=1, seconds=0.5)
    assert 0.5 <= (LLMClient("openai").stream(QUESTION).read().time_to_first_token_s or 0) < 5


def test_nothing_is_sent_before_the_first_step() -> None:
    stream = LLMClient("openai").stream(QUESTION)
    assert lk.lab.entries() == [] and "nothing sent yet" in repr(stream)
    with pytest.raises(UserError, match="has not been read"):
        _ = stream.response


def test_a_stream_is_read_once() -> None:
    stream = LLMClient("openai").stream("Hi")
    stream.read()
    with pytest.raises(UserError, match="read already"):
        list(stream)
    assert "stop" in repr(stream)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_leaving_early_keeps_the_part_and_books_it(provider: str) -> None:
    stream = LLMClient(provider).stream(QUESTION)
    taken = ""
    for piece in stream:
        taken += piece
        if len(taken) > 30:
            break
    assert stream.response.text == taken and stream.response.finish_reason is None
    row = lk.ledger.entries()[-1]
    assert (row["status"], row["estimated"]) == ("closed", True)
    assert row["output"] == stream.response.usage.output > 3


async def test_leaving_early_with_async_for() -> None:
    stream = LLMClient("anthropic").astream(QUESTION)
    pieces = aiter(stream)
    first = await anext(pieces)
    await pieces.aclose()  # type: ignore[attr-defined]
    assert stream.response.text == first and stream.response.usage_estimated


def test_a_stream_can_be_parsed_at_its_end() -> None:
    schema = {"type": "object", "properties": {"word": {"type": "string"}}}
    stream = LLMClient("openai").stream("Name a word.", schema=schema)
    list(stream)
    assert set(stream.response.parsed) == {"word"}
