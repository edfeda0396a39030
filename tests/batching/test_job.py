"""A batch from its requests to its table, at each provider, through the SDKs."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from pydantic import BaseModel

import labkit as lk
from labkit import Batch, LLMClient
from labkit.budget import Budget
from labkit.errors import BudgetExceeded, ConnectionFailed, Overloaded, ProviderRefused, UserError
from labkit.usage import Usage

pytestmark = pytest.mark.usefixtures("session")

PROVIDERS = ("openai", "anthropic", "gemini")
QUESTIONS = ["What is an API?", "What is a token?", "What is recursion?", "Hi"]
BAD = {"openai": {"extra": {"temperature": 9}}, "anthropic": {"extra": {"extra_body": {"top_k": -1}}}}
BAD["gemini"] = {"extra": {"temperature": 9}}
"""What labkit lets through and the provider refuses."""
DAY = 86_400.0


def client(provider: str, **options: Any) -> LLMClient:
    return LLMClient(provider, tier="sampling", **({"max_tokens": 80} | options))


def made(provider: str, requests: Any = QUESTIONS, **params: Any) -> Batch:
    return client(provider).batch(requests, progress=False, **params)


def billed() -> tuple[Usage, float]:
    """What the server booked for lines of batches."""
    rows = [entry for entry in lk.lab.entries() if "/lines/" in entry["path"]]
    used = [Usage(**{name: row["usage"][name] for name in Usage.__dataclass_fields__}) for row in rows if row["usage"]]
    return sum(used, Usage()), sum(row["cost_usd"] or 0 for row in rows)


def booked() -> list[dict[str, Any]]:
    return [row for row in lk.ledger.entries() if row["kind"] == "batch"]


# --- the straight way ---


@pytest.mark.parametrize("provider", PROVIDERS)
def test_answers_come_in_the_order_of_the_requests(provider: str) -> None:
    rows = [{"id": f"q-{9 - n}", "prompt": text} for n, text in enumerate(QUESTIONS)]
    batch = made(provider, rows, temperature=0).submit()
    table = batch.wait()
    assert list(table["id"]) == ["q-9", "q-8", "q-7", "q-6"] and set(table["status"]) == {"succeeded"}
    assert list(table["text"]) == [client(provider).chat(text, temperature=0).text for text in QUESTIONS]
    assert (batch.phase, batch.ended, len(batch)) == ("completed", True, 4)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_ledger_agrees_with_the_server_to_the_token(provider: str) -> None:
    batch = made(provider, tag="lesson").submit()
    table = batch.wait()
    usage, cost = billed()
    assert batch.usage == usage and batch.cost_usd == pytest.approx(cost) and cost > 0
    assert table["cost_usd"].sum() == pytest.approx(cost)
    (row,) = booked()
    assert [row[name] for name in ("tag", "status", "request_id")] == ["lesson", "ok", batch.remote_id]
    assert row["output"] == usage.output and row["cost_usd"] == pytest.approx(cost)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_the_same_with_await(provider: str) -> None:
    batch = await made(provider).asubmit()
    table = await batch
    assert set(table["status"]) == {"succeeded"} and batch.usage == billed()[0]


async def test_waiting_with_await_leaves_the_loop_to_others() -> None:
    batches = await asyncio.gather(*(made(provider).asubmit() for provider in PROVIDERS))
    tables = await asyncio.gather(*(asyncio.ensure_future(wait(batch)) for batch in batches))
    assert [len(table) for table in tables] == [4, 4, 4]


async def wait(batch: Batch) -> Any:
    return await batch


def test_large_gemini_batches_go_through_a_file() -> None:
    batch = made("gemini", [*QUESTIONS, {"prompt": "Hi", **BAD["gemini"]}], system="Be brief.", temperature=0)
    batch._api._inline_bytes = 100
    table = batch.submit().wait()
    assert list(table["status"]) == ["succeeded"] * 4 + ["failed"] and batch.usage == billed()[0]
    assert table["text"][0] == client("gemini").chat(QUESTIONS[0], system="Be brief.", temperature=0).text


def test_half_the_price_is_known_before() -> None:
    batch = made("openai")
    assert batch.most_usd == pytest.approx(batch.most_usd_live / 2)
    assert lk.lab.entries() == [] and "not submitted: 4 lines, at most $" in repr(batch)
    batch.submit().wait()
    assert batch.cost_usd is not None and 0 < batch.cost_usd < batch.most_usd


def test_submitting_twice_is_submitting_once() -> None:
    batch = made("openai").submit().submit()
    assert len([e for e in lk.lab.entries() if e["path"] == "/v1/batches" and e["method"] == "POST"]) == 1
    batch.wait()
    batch.refresh().wait()
    assert len(booked()) == 1


def test_before_the_end_every_line_is_pending() -> None:
    batch = made("openai")
    with pytest.raises(UserError, match="not submitted yet"):
        batch.wait()
    assert set(batch.results()["status"]) == {"pending"} and batch.cost_usd is None


class City(BaseModel):
    name: str
    country: str


@pytest.mark.parametrize("provider", PROVIDERS)
def test_answers_become_objects(provider: str) -> None:
    batch = LLMClient(provider).batch(["Paris is in France.", "Rome is in Italy."], schema=City, progress=False)
    table = batch.submit().wait()
    assert all(isinstance(city, City) for city in table["parsed"])
    (again,) = (Batch.load(batch.id).results()["parsed"][:1],)
    assert again[0] == table["parsed"][0].model_dump()


def test_the_clients_own_parameters_hold_for_its_batches() -> None:
    asker = client("openai", schema=City, tag="cities", system="Be brief.")
    batch = asker.batch(["Paris is in France."], progress=False).submit()
    assert isinstance(batch.wait()["parsed"][0], City)
    assert (batch.tag, booked()[0]["tag"]) == ("cities", "cities")


def test_what_was_left_out_is_noted() -> None:
    batch = LLMClient("anthropic", drop_unsupported=True).batch(["Hi", "Hello"], temperature=0, progress=False)
    assert len(batch.notes) == 1 and "temperature was left out" in batch.notes[0]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_calls_of_tools_are_shown(provider: str) -> None:
    def get_weather(city: str) -> str:
        """The weather in a city"""
        return city

    batch = client(provider).batch(["What is the weather in Paris?", "Hi"], tools=[get_weather], progress=False)
    table = batch.submit().wait()
    assert table["tool_calls"][0] == ("get_weather(city='Paris')",) and table["finish_reason"][0] == "tool_calls"
    assert Batch.load(batch.id).results().equals(table)


def test_a_cut_answer_does_not_fit_its_schema_and_can_be_sent_again() -> None:
    batch = client("openai", max_tokens=3).batch(["Paris is in France."], schema=City, progress=False)
    table = batch.submit().wait()
    assert table["status"][0] == "invalid" and "allow more" in table["error"][0] and batch.cost_usd
    again = batch.resubmit_failed(max_tokens=80)
    assert again.submit().wait()["status"][0] == "succeeded"
    whole = again.whole().iloc[0]
    assert whole["cost_usd"] == pytest.approx(billed()[1]) and whole["attempts"] == 2


# --- partial failure ---


@pytest.mark.parametrize("provider", PROVIDERS)
def test_only_the_failed_lines_are_sent_again(provider: str) -> None:
    good, bad, too = ({"id": name, "prompt": "Hi"} for name in ("good", "bad", "too"))
    batch = made(provider, [good, bad | BAD[provider], too]).submit()
    table = batch.wait().set_index("id")
    assert list(table["status"]) == ["succeeded", "failed", "succeeded"]
    assert table["error"]["bad"] and table["cost_usd"]["bad"] == 0 and table["text"]["bad"] == ""
    again = batch.resubmit_failed(extra={})
    assert len(again) == 1 and again.parent == batch.id
    again.submit().wait()
    whole = again.whole()
    assert list(whole["id"]) == ["good", "bad", "too"] and set(whole["status"]) == {"succeeded"}
    assert list(whole["attempts"]) == [1, 2, 1] and whole["cost_usd"].sum() == pytest.approx(billed()[1])
    with pytest.raises(UserError, match="nothing to send again"):
        again.resubmit_failed()


def test_a_batch_that_is_refused_as_a_whole_says_why_in_each_line() -> None:
    batch = made("openai", [{"prompt": "Hi", "extra": {"model": "another"}}, "Hi"]).submit()
    table = batch.wait()
    assert batch.phase == "failed"
    assert batch.problems == ("line 2: All requests of a batch must be for the same model.",)
    assert set(table["status"]) == {"failed"} and "same model" in table["error"][0]
    assert booked()[0]["status"] == "failed" and batch.cost_usd == 0


# --- cancel and expiry ---


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_cancelled_batch_keeps_what_was_done(provider: str) -> None:
    lk.current().configure(batches={"queue_s": 0, "lines_per_s": 1e-3})
    lk.lab.clock(minute=60)
    batch = made(provider).submit()
    lk.lab.clock(advance=2_100)
    batch.cancel()
    lk.lab.clock(advance=60)
    table = batch.wait()
    done = 0 if provider == "gemini" else 2  # a cancelled job of Gemini's gives nothing out
    assert batch.phase == "cancelled" and list(table["status"]) == ["succeeded"] * done + ["cancelled"] * (4 - done)
    assert all(table["error"][done:]) and len(batch.resubmit_failed()) == 4 - done
    assert provider == "gemini" or batch.usage == billed()[0]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_expired_line_is_visible(provider: str) -> None:
    lk.current().configure(batches={"queue_s": 0, "lines_per_s": 2e-5})
    lk.lab.clock(minute=60)
    batch = made(provider).submit()
    lk.lab.clock(advance=3 * DAY)
    table = batch.wait()
    done = 0 if provider == "gemini" else 1
    assert batch.phase == "expired" and list(table["status"]) == ["succeeded"] * done + ["expired"] * (4 - done)
    assert "expired" in repr(batch) and booked()[0]["status"] == "expired"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_cancelling_what_has_ended_changes_nothing(provider: str) -> None:
    batch = made(provider).submit()
    lk.lab.clock(advance=DAY)
    assert batch.cancel().cancel().phase == "completed"  # the provider knows of the end before we do
    with pytest.raises(UserError, match="not submitted yet"):
        made("openai").cancel()


# --- money ---


def test_a_budget_is_asked_before_the_upload() -> None:
    poor = client("openai", budget=1e-6)
    with pytest.raises(BudgetExceeded):
        poor.batch(QUESTIONS, progress=False).submit()
    assert lk.lab.entries() == [] and Batch.jobs().empty


def test_a_budget_is_held_until_the_end_and_charged_once() -> None:
    budget = Budget(1.0)
    batch = client("openai", budget=budget).batch(QUESTIONS, progress=False).submit()
    assert budget.left == pytest.approx(1 - batch.most_usd)
    Batch.load(batch.id, client=batch.client, progress=False).wait()
    batch.wait()
    assert budget.spent == pytest.approx(batch.cost_usd) and budget.left == pytest.approx(1 - budget.spent)


# --- trouble on the way ---


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("kind", ["unavailable", "reset", "rate_limit", "reset_inside", "truncated_json"])
def test_passing_trouble_while_waiting_loses_nothing(provider: str, kind: str) -> None:
    batch = client(provider, retry=1).batch(QUESTIONS, progress=False).submit()
    lk.lab.faults(kind, next=5, path="batches", seconds=1)
    assert set(batch.wait()["status"]) == {"succeeded"} and len(booked()) == 1


@pytest.mark.parametrize("kind", ["unavailable", "reset"])
def test_lasting_trouble_ends_the_wait_and_not_the_batch(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labkit.batching.life.BLIPS", 2)
    batch = client("openai", retry=1).batch(QUESTIONS, progress=False).submit()
    lk.lab.faults(kind, start_s=0, path="batches")
    with pytest.raises((Overloaded, ConnectionFailed)):
        batch.wait()
    lk.lab.clear_faults()
    assert set(batch.wait()["status"]) == {"succeeded"}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_refused_batch_leaves_no_job_behind(provider: str) -> None:
    lk.lab.faults("forbidden", next=1, path="atch")
    with pytest.raises(ProviderRefused):
        made(provider).submit()
    assert Batch.jobs().empty and lk.ledger.entries() == []


def test_a_wait_obeys_the_labs_clock() -> None:
    lk.lab.clock(minute=60)
    batch = made("openai").submit()
    lk.lab.clock(minute=0.06)
    assert len(batch.wait()) == 4  # 140 lab seconds; real ones would pass the test's timeout


def test_the_bar_shows_lines_and_money(capsys: pytest.CaptureFixture[str]) -> None:
    batch = client("openai").batch(QUESTIONS).submit()
    batch.wait()
    shown = capsys.readouterr().err
    assert "completed: 100%" in shown and "4/4" in shown and f"cost ${batch.cost_usd:.6f}" in shown


def test_the_wire_has_the_callers_ids() -> None:
    made("openai", [{"id": "mine", "prompt": "Hi"}]).submit()
    file = next(e for e in lk.lab.entries() if e["path"] == "/v1/files")
    sent = json.dumps(lk.lab.entry(file["id"])["wire"]["request"]["body"])
    assert "mine" in sent
