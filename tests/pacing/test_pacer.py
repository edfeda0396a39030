"""Paced calls through the real SDKs against the lab server's limits: what it saw is the measure."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import labkit as lk
from labkit import LLMClient, Pacer
from labkit.errors import ProviderRefused, UserError
from labkit.session import Session

QUESTION = "Name a colour, please."


@pytest.fixture
def limited(session: Session) -> Session:
    """60 requests a minute that lasts 2 seconds."""
    lk.lab.clock(minute=2.0)
    lk.lab.limits(requests_per_minute=60)
    return session


def client(pacer: Pacer, provider: str = "openai", **options: Any) -> LLMClient:
    return LLMClient(provider, tier="sampling", pacer=pacer, temperature=0, max_tokens=20, **options)


def statuses() -> Counter[int]:
    return Counter(entry["status"] for entry in lk.lab.entries())


async def asked(by: LLMClient, times: int) -> list[Any]:
    return await asyncio.gather(*(by.achat(QUESTION) for _ in range(times)))


@pytest.mark.parametrize("provider", ["openai", "anthropic", "azure"])
@pytest.mark.usefixtures("limited")
async def test_limits_are_learnt_before_a_refusal_comes(provider: str) -> None:
    await asked(client(Pacer(), provider), 90)
    assert statuses() == {200: 90}


@pytest.mark.parametrize("provider", ["openai", "gemini"])
@pytest.mark.usefixtures("limited")
async def test_limits_that_are_given_are_kept(provider: str) -> None:
    answers = await asked(client(Pacer(60), provider), 90)
    assert statuses() == {200: 90}
    assert max(answer.waited_s for answer in answers) > 0.5 > max(answer.latency_s for answer in answers) / 10


@pytest.mark.usefixtures("limited")
async def test_tokens_are_kept_like_requests() -> None:
    lk.lab.limits(requests_per_minute=None, tokens_per_minute=600)
    answers = await asked(client(Pacer(tokens_per_minute=600)), 80)
    assert statuses() == {200: 80} and sum(answer.usage.total for answer in answers) > 600


@pytest.mark.usefixtures("limited")
async def test_gemini_says_nothing_before_a_refusal_and_is_learnt_from_it() -> None:
    pacer = Pacer(concurrency=2)
    await asked(client(pacer, "gemini", retry=4), 100)
    seen = statuses()
    assert seen[200] == 100 and 1 <= seen[429] <= 4
    assert pacer.gauge().requests_left.notna().any()


@pytest.mark.usefixtures("limited")
def test_threads_and_event_loops_share_one_pacer() -> None:
    pacer = Pacer(60)
    by = client(pacer)

    def loop(_: int) -> list[Any]:
        return asyncio.run(asked(by, 20))

    with ThreadPoolExecutor(6) as threads:
        loops = [threads.submit(loop, n) for n in range(2)]
        plain = [threads.submit(by.chat, QUESTION) for _ in range(40)]
        assert all(one.result().text for one in plain) and all(len(one.result()) == 20 for one in loops)
    assert statuses() == {200: 80}


@pytest.mark.usefixtures("limited")
async def test_a_call_of_higher_priority_goes_first() -> None:
    pacer = Pacer(60, concurrency=1)
    by, order = client(pacer), []

    async def one(name: int, priority: int) -> None:
        await by.achat(QUESTION, priority=priority)
        order.append(name)

    calls = [one(n, priority=0) for n in range(6)]
    await asyncio.gather(*calls, one(99, priority=1))
    assert order.index(99) == 1  # the first one was on its way already


@pytest.mark.usefixtures("limited")
async def test_who_is_cancelled_while_waiting_gives_the_place_back() -> None:
    pacer = Pacer(60, concurrency=1)
    by = client(pacer)
    waiting = [asyncio.create_task(by.achat(QUESTION)) for _ in range(10)]
    await asyncio.sleep(0)
    for task in waiting[1:9]:
        task.cancel()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert [isinstance(end, asyncio.CancelledError) for end in ended] == [False] + [True] * 8 + [False]
    assert statuses() == {200: 2} and "0 under way, 0 waiting" in repr(pacer)


@pytest.mark.usefixtures("limited")
async def test_who_is_cancelled_on_the_way_makes_room() -> None:
    lk.lab.faults("slow_first_token", next=1, seconds=60)
    pacer = Pacer(60, concurrency=1)
    slow = asyncio.create_task(client(pacer).achat(QUESTION))
    quick = asyncio.create_task(client(pacer).achat(QUESTION))
    while "1 under way, 1 waiting" not in repr(pacer):
        await asyncio.sleep(0)
    slow.cancel()
    assert (await quick).text and "0 under way, 0 waiting" in repr(pacer)


@pytest.mark.usefixtures("limited")
async def test_a_refusal_holds_all_calls_back_and_not_only_its_own() -> None:
    lk.lab.limits(requests_per_minute=None)
    lk.lab.faults("rate_limit", next=1, seconds=15)  # half a second
    pacer = Pacer(600)
    began = time.perf_counter()
    await asked(client(pacer), 1)
    assert time.perf_counter() - began > 0.4
    assert statuses() == {429: 1, 200: 1}


@pytest.mark.usefixtures("limited")
async def test_streams_and_embeddings_are_paced_too() -> None:
    pacer = Pacer(60)
    by = client(pacer)
    texts = await asyncio.gather(*(by.astream(QUESTION).read() for _ in range(70)))
    assert all(text.finish_reason for text in texts) and statuses() == {200: 70}
    assert max(text.waited_s for text in texts) > 0
    assert len(by.embed(["a", "b"])) == 2 and "embedding" in repr(pacer)


@pytest.mark.usefixtures("limited")
def test_a_stream_that_is_left_early_makes_room() -> None:
    pacer = Pacer(60, concurrency=1)
    pieces = iter(client(pacer).stream("Explain recursion in three sentences."))
    next(pieces)
    assert "1 under way" in repr(pacer)
    pieces.close()
    assert "0 under way" in repr(pacer) and client(pacer).chat(QUESTION).text


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini", "azure"])
async def test_calls_are_spread_over_several_keys(provider: str, limited: Session, lab_server: Any) -> None:
    keys = [lab_server.key(), lab_server.key()]
    await asked(client(Pacer(30, keys=keys), provider), 40)
    assert lk.lab.entries() == []  # neither is the session's
    shares = [len(entries_of(limited, key)) for key in keys]
    assert sum(shares) == 40 and min(shares) >= 12


def entries_of(session: Session, key: str) -> list[Any]:
    from labkit import control
    from labkit.secret import Secret

    return list(control.call(session.url, "GET", "journal", key=Secret(key))["entries"])


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini"])
@pytest.mark.usefixtures("limited")
async def test_a_key_that_is_refused_is_taken_out(provider: str, lab_server: Any) -> None:
    pacer = Pacer(600, keys=["wrong-0123456789abcdef", lab_server.key()])
    assert all(answer.text for answer in await asked(client(pacer, provider), 10))


def test_when_no_key_is_left_the_error_says_why(session: Session) -> None:
    by = client(Pacer(keys=["wrong-0123456789abcdef"]))
    with pytest.raises(ProviderRefused, match="Incorrect API key"):
        by.chat(QUESTION)
    with pytest.raises(ProviderRefused, match=r"No key is left .*…cdef was refused"):
        by.chat(QUESTION)


@pytest.mark.usefixtures("limited")
async def test_the_gauge_is_a_table_over_time() -> None:
    pacer = Pacer(60, 10_000)
    await asked(client(pacer), 70)
    table = pacer.gauge()
    assert str(table.time.dt.tz) == "UTC" and table.time.is_monotonic_increasing
    assert 0 <= table.requests_left.min() < 15 < table.requests_left.max() <= 60
    assert table.waiting.max() > 0 and set(table.model) == {lk.model("openai", "sampling")}


@pytest.mark.parametrize("wrong", [{"requests_per_minute": 0}, {"concurrency": 0}, {"keys": []}])
def test_a_pacer_without_room_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        Pacer(**wrong)


def test_a_pacer_shows_what_is_left_and_no_key(session: Session) -> None:
    pacer = Pacer(60, keys=[session.key])
    assert repr(pacer) == "<Pacer not used yet>"
    client(pacer).chat(QUESTION)
    assert " requests left" in repr(pacer) and "0 under way" in repr(pacer) and session.key not in str(vars(pacer))
