"""Budgets: nothing is sent that could pass them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

import labkit as lk
from labkit import LLMClient
from labkit.budget import Budget, BudgetAlert
from labkit.errors import BudgetExceeded, CallError, InvalidOutput, UserError
from labkit.ledger import Entry, Ledger, now
from labkit.prices import Price, Rates


def test_a_hold_keeps_others_out_until_it_is_settled() -> None:
    budget = Budget(1.0)
    hold = budget.hold(0.7)
    with pytest.raises(BudgetExceeded) as refused:
        budget.hold(0.4)
    assert (refused.value.budget_usd, refused.value.needed_usd) == (1.0, 0.4)
    assert "nothing was sent" in str(refused.value) and "$0.70" in str(refused.value)
    hold.settle(0.1)
    hold.settle(0.5)
    assert budget.spent == 0.1 and budget.left == 0.9


def test_an_alert_comes_once() -> None:
    told: list[float] = []
    budget = Budget(1.0, alert_at=0.5, on_alert=lambda b: told.append(b.spent))
    for _ in range(4):
        budget.hold(0.2).settle(0.2)
    assert told == [pytest.approx(0.6)]


def test_without_a_listener_the_alert_is_a_warning() -> None:
    with pytest.warns(BudgetAlert, match=r"\$0\.90 of \$1\.00 is spent"):
        Budget(1.0).hold(0.9).settle(0.9)


def test_a_daily_budget_knows_what_the_ledger_has_of_today(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    for time in (now(), "2026-01-01T00:00:00.000+00:00"):
        ledger.append(Entry(time, "openai", "m", "chat", "live", cost_usd=0.75))
    budget = Budget(1.0, per="day", ledger=ledger)
    assert budget.spent == 0.75 and "a day" in repr(budget)
    with pytest.raises(BudgetExceeded):
        budget.hold(0.3)


# --- With calls ---

SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "description": "its English name"}}}


def streamed(client: LLMClient) -> float | None:
    """What a stream has cost, also one whose object was cut."""
    stream = client.stream("What is the weather in Paris?")
    with suppress(InvalidOutput):
        stream.read()
    return stream.response.cost_usd


@pytest.mark.usefixtures("session")
def test_a_call_that_could_pass_the_budget_is_not_sent() -> None:
    client = LLMClient("openai", budget=0.0001, max_tokens=16)
    sent = 0
    with pytest.raises(BudgetExceeded), pytest.warns(BudgetAlert):
        while True:
            client.chat("What is an API?")
            sent += 1
    assert sent > 5 and len(lk.lab.entries()) == sent
    assert client.budget and client.budget.spent == pytest.approx(lk.ledger.total()) and client.budget.spent <= 0.0001


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini"])
def test_what_is_held_is_never_less_than_the_cost(provider: str) -> None:
    tool = {"name": "weather", "description": "Today's weather.", "parameters": SCHEMA}
    for more in ({}, {"tools": [tool]}, {"schema": SCHEMA}):
        client = LLMClient(provider, max_tokens=40, system="Be brief.", **more)
        cost = client.chat("What is the weather in Paris?").cost_usd if "schema" not in more else streamed(client)
        assert cost is not None and 0 < cost <= client.estimate("What is the weather in Paris?")


@pytest.mark.usefixtures("session")
async def test_calls_at_once_cannot_pass_it_together() -> None:
    client = LLMClient("openai", max_tokens=40)
    budget = Budget(3.5 * client.estimate("Hi"), on_alert=lambda _: None)
    client = LLMClient("openai", max_tokens=40, budget=budget)
    outcomes = await asyncio.gather(*(client.achat("Hi") for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(outcome, BudgetExceeded) for outcome in outcomes) == 7
    assert budget.spent <= budget.usd


@pytest.mark.usefixtures("session")
def test_streams_and_embeddings_stand_under_it_too() -> None:
    client = LLMClient("openai", budget=0.0)
    with pytest.raises(BudgetExceeded):
        list(client.stream("Hi"))
    with pytest.raises(BudgetExceeded):
        client.embed("Hi")
    assert lk.lab.entries() == []


@pytest.mark.usefixtures("session")
def test_a_call_that_failed_for_sure_costs_nothing_and_one_that_may_have_run_keeps_its_hold() -> None:
    budget = Budget(1.0)
    client = LLMClient("openai", retry=1, budget=budget)
    for fault in ("overloaded", "reset_inside"):
        before = budget.spent
        lk.lab.faults(fault, next=1)
        with pytest.raises(CallError):
            client.chat("Hi")
        assert (budget.spent > before) == (fault == "reset_inside")


@pytest.mark.usefixtures("session")
def test_without_a_price_no_budget_can_be_kept(session: lk.session.Session) -> None:  # type: ignore[name-defined]
    url, model = f"{session.url}/vllm/v1", lk.model("openai")
    with pytest.raises(UserError, match="No price is known"):
        LLMClient(base_url=url, model="nobodys-model", budget=1.0).chat("Hi")
    priced = LLMClient("openai", model=model, budget=1.0, price=Price("mine", Rates(1.0, 1.0)))
    answer = priced.chat("Hi")
    assert answer.cost_usd == pytest.approx(answer.usage.total / 1e6)
