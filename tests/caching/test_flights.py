"""Equal calls at the same time: one is sent, and nobody hangs, whatever becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import pytest

import labkit as lk
from labkit import LLMClient, ResponseCache
from labkit.errors import BudgetExceeded, Overloaded

QUESTION = "What is an API?"
AT_ONCE = 10
T = TypeVar("T")
SLOW_SECONDS = 0.5
"""How long an answer takes: long enough for all others to come meanwhile."""

pytestmark = pytest.mark.usefixtures("session")


@pytest.fixture(autouse=True)
def slow_answers(session: object) -> None:
    lk.lab.faults("slow_first_token", start_s=0, seconds=SLOW_SECONDS)


def sent() -> int:
    return len(lk.lab.entries())


def in_threads(ask: Callable[[], T], count: int = AT_ONCE) -> list[T]:
    barrier = Barrier(count)

    def together(_: int) -> T:
        barrier.wait()
        return ask()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(together, range(count)))


def test_ten_threads_cost_one_call(client: LLMClient) -> None:
    answers = in_threads(lambda: client.chat(QUESTION))
    assert sent() == 1 and len({answer.text for answer in answers}) == 1
    assert sorted(answer.cached for answer in answers) == [False] + [True] * 9
    paid = [answer for answer in answers if not answer.cached]
    assert all(answer.saved_usd == paid[0].cost_usd and answer.cost_usd == 0 for answer in answers if answer.cached)
    assert lk.ledger.total() == pytest.approx(paid[0].cost_usd)


async def test_ten_tasks_cost_one_call(client: LLMClient) -> None:
    answers = await asyncio.gather(*(client.achat(QUESTION) for _ in range(AT_ONCE)))
    assert sent() == 1 and sum(answer.cached for answer in answers) == 9
    assert client.cache is not None and client.cache.statistics.count("shared") == 9


async def test_threads_and_tasks_and_clients_share_one_call(client: LLMClient, cache: ResponseCache) -> None:
    other = LLMClient("openai", tier="sampling", cache=cache)
    threads = asyncio.to_thread(in_threads, lambda: other.chat(QUESTION), 5)
    answers = await asyncio.gather(threads, *(client.achat(QUESTION) for _ in range(5)))
    assert sent() == 1 and len(answers[0]) == 5


def test_other_calls_do_not_wait_for_each_other(client: LLMClient) -> None:
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda n: client.chat(f"{QUESTION} {n}"), range(3)))
    assert sent() == 3 and not any(answer.cached for answer in answers)


def test_a_failing_leader_fails_all_with_errors_of_their_own(cache: ResponseCache) -> None:
    lk.lab.clear_faults()
    lk.lab.faults("overloaded", start_s=0)
    client = LLMClient("openai", cache=cache, retry=2)  # waits before the second attempt, so that all others come

    def ask() -> Exception:
        with pytest.raises(Overloaded) as caught:
            client.chat(QUESTION)
        return caught.value

    errors = in_threads(ask)
    assert len({id(error) for error in errors}) == AT_ONCE and len({str(error) for error in errors}) == 1
    assert sent() == 2 and cache.statistics.count("failed") == AT_ONCE and len(cache) == 0
    lk.lab.clear_faults()
    assert client.chat(QUESTION).finish_reason == "stop"


async def test_when_the_leader_is_cancelled_the_next_one_leads(client: LLMClient, cache: ResponseCache) -> None:
    leader = asyncio.create_task(client.achat(QUESTION))
    await under_way(cache)
    others = [asyncio.create_task(client.achat(QUESTION)) for _ in range(3)]
    await asyncio.sleep(0)
    leader.cancel()
    answers = await asyncio.gather(leader, *others, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert sorted(answer.cached for answer in answers[1:]) == [False, True, True] and sent() <= 2


async def test_a_cancelled_follower_disturbs_nobody(client: LLMClient, cache: ResponseCache) -> None:
    leader = asyncio.create_task(client.achat(QUESTION))
    await under_way(cache)
    follower, patient = (asyncio.create_task(client.achat(QUESTION)) for _ in range(2))
    await asyncio.sleep(0)
    follower.cancel()
    assert not (await leader).cached and (await patient).cached and sent() == 1
    with pytest.raises(asyncio.CancelledError):
        await follower


async def under_way(cache: ResponseCache) -> None:
    """Wait until a call is on its way."""
    while not len(cache.flights):
        await asyncio.sleep(0)


def test_a_budget_that_stops_the_leader_stops_no_other(cache: ResponseCache) -> None:
    poor, rich = LLMClient("openai", cache=cache, budget=0.0), LLMClient("openai", cache=cache)

    def ask(client: LLMClient) -> str:
        try:
            return client.chat(QUESTION).text
        except BudgetExceeded:
            return ""

    with ThreadPoolExecutor(6) as pool:
        texts = list(pool.map(ask, [poor, rich, poor, rich, poor, rich]))
    assert all(texts[1::2]) and sent() == 1


async def test_a_call_inside_the_leaders_own_does_not_wait_for_itself(
    client: LLMClient, cache: ResponseCache
) -> None:
    task = asyncio.create_task(client.achat(QUESTION))
    await under_way(cache)
    inner = client.chat(QUESTION)  # a plain call on the event loop's thread, which the leader needs
    assert not inner.cached and (await task).text and sent() == 2


def test_an_answer_that_is_not_kept_is_shared_all_the_same(client: LLMClient) -> None:
    answers = in_threads(lambda: client.chat(QUESTION, max_tokens=16))
    assert sent() == 1 and all(answer.truncated for answer in answers)
    assert not client.chat(QUESTION, max_tokens=16).cached
