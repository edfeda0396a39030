"""An outage of one provider, and who stands in: on the real wire, with the lab server's faults."""

from __future__ import annotations

import pytest

import labkit as lk
from labkit import Breaker, Fallback, LLMClient
from labkit.errors import Overloaded, ProviderRefused, UserError
from labkit.fallback import AllFailed

pytestmark = pytest.mark.usefixtures("session")


def pair(**options: object) -> Fallback:
    return Fallback([LLMClient("openai", retry=1), LLMClient("anthropic", retry=1)], **options)  # type: ignore[arg-type]


def test_the_first_client_answers_when_it_can() -> None:
    answer = pair().chat("What is an API?")
    assert (answer.provider, answer.tried) == ("openai", ())


async def test_after_an_outage_the_next_one_answers_and_the_answer_says_so() -> None:
    lk.lab.faults("overloaded", next=2, provider="openai")
    client = pair()
    for answer in (client.chat("What is an API?"), await client.achat("What is an API?")):
        assert answer.provider == "anthropic" and answer.text
        assert len(answer.tried) == 1 and "Overloaded" in answer.tried[0] and "openai" in answer.tried[0]


@pytest.mark.parametrize("kind", ["context_exceeded", "unauthorized", "quota"])
def test_what_is_no_outage_is_raised(kind: str) -> None:
    lk.lab.faults(kind, next=1, provider="openai")
    with pytest.raises(ProviderRefused):
        pair().chat("What is an API?")
    assert len(lk.lab.entries()) == 1


def test_what_is_named_counts_as_an_outage() -> None:
    lk.lab.faults("quota", next=1, provider="openai")
    assert pair(on=(ProviderRefused,)).chat("What is an API?").provider == "anthropic"


def test_a_refused_answer_stands_unless_it_is_named() -> None:
    lk.lab.faults("content_filter", next=2, provider="openai", after=4)
    assert pair().chat("What is an API?").finish_reason == "content_filter"
    answer = pair(on_finish=("content_filter",)).chat("What is an API?")
    assert (answer.provider, answer.finish_reason) == ("anthropic", "stop")
    assert "content_filter" in answer.tried[0]


def test_when_all_fail_the_error_has_every_reason() -> None:
    lk.lab.faults("unavailable", next=2)
    with pytest.raises(AllFailed) as failed:
        pair().chat("What is an API?")
    assert [type(error) for error in failed.value.errors] == [Overloaded, Overloaded]
    assert len(failed.value.tried) == 2


def test_a_provider_that_keeps_failing_is_left_alone() -> None:
    lk.lab.faults("overloaded", next=9, provider="openai")
    client = pair(breaker=Breaker(failures=2, cool_down_s=60))
    tried = [client.chat("What is an API?").tried[0] for _ in range(4)]
    assert ["left alone" in sentence for sentence in tried] == [False, False, True, True]
    assert [e["status"] for e in lk.lab.entries(provider="openai")] == [529, 529]


async def test_a_stream_falls_back_before_its_first_piece() -> None:
    lk.lab.faults("overloaded", next=2, provider="openai")
    client = pair()
    stream, astream = client.stream("What is an API?"), client.astream("What is an API?")
    text, atext = "".join(stream), "".join([piece async for piece in astream])
    assert text == stream.response.text and atext == astream.response.text
    assert (stream.response.provider, astream.response.provider) == ("anthropic", "anthropic")
    assert len(stream.response.tried) == 1 and stream.restarts == 0


def test_a_stream_that_breaks_later_is_raised_with_what_had_arrived() -> None:
    lk.lab.faults("error_event", next=1, after=6, provider="openai")
    with pytest.raises(Overloaded) as broken:
        pair().stream("Explain recursion in three sentences.").read()
    assert broken.value.response is not None and broken.value.response.text


async def test_a_stream_begins_anew_only_when_told_to() -> None:
    lk.lab.faults("error_event", next=2, after=6, provider="openai")
    client = pair()
    stream = client.stream("Explain recursion in three sentences.", restart=True)
    shown = "".join(stream)
    assert (stream.response.provider, stream.restarts) == ("anthropic", 1)
    assert shown.endswith(stream.response.text) and len(shown) > len(stream.response.text)
    astream = client.astream("Explain recursion in three sentences.", restart=True)
    assert (await astream.read()).provider == "anthropic" and astream.restarts == 1


def test_leaving_a_stream_early_closes_it_and_says_nothing_of_the_provider() -> None:
    client = pair(breaker=(breaker := Breaker(failures=1)))
    pieces = iter(client.stream("Explain recursion in three sentences."))
    next(pieces)
    pieces.close()
    assert breaker.state(f"openai/{client.clients[0].model}") == "closed"


def test_a_fallback_needs_a_client() -> None:
    with pytest.raises(UserError):
        Fallback([])
