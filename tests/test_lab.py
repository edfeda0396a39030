"""The control client against a real server: what a notebook reads of the journal, and the knobs that it turns."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit import control, lab
from labkit.errors import ControlError, NothingRecorded
from labkit.lab import evidence
from labkit.sampling import SamplingParams, shape
from labkit.secret import Secret


@pytest.fixture(autouse=True)
def _session(lab_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LABKIT_SERVER_URL", lab_server.url)
    monkeypatch.chdir(tmp_path)
    with lk.start(quiet=True):
        yield


def ask(times: int = 1, **extra: Any) -> None:
    from openai import OpenAI

    with OpenAI(max_retries=0) as client:
        for _ in range(times):
            messages = [{"role": "user", "content": "Say hello."}]
            client.chat.completions.create(model=lk.model("openai", "small"), messages=messages, **extra)


def test_journal_is_a_table_with_a_row_a_request() -> None:
    ask(2)
    table = lab.journal()
    assert list(table.index) == [1, 2]
    assert set(table["provider"]) == {"openai"}
    assert (table["total"] == table["input"] + table["cached"] + table["output"]).all()
    assert (table["cost_usd"] > 0).all()


def test_empty_journal_is_an_empty_table_with_the_same_columns() -> None:
    empty = lab.journal()
    ask()
    assert len(empty) == 0
    assert list(empty.columns) == list(lab.journal().columns)


def test_entries_can_be_filtered_and_continued_from_a_mark() -> None:
    ask(2)
    mark = lab.mark()
    ask()
    assert [entry["id"] for entry in lab.entries(after=mark)] == [mark + 1]
    assert len(lab.entries(provider="openai", status=200, limit=2)) == 2
    assert lab.entries(provider="gemini") == []


def test_entries_are_fetched_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    ask(5)
    monkeypatch.setattr(evidence, "PAGE", 2)
    assert [entry["id"] for entry in lab.entries()] == [1, 2, 3, 4, 5]


def test_last_shows_the_wire_with_the_key_masked() -> None:
    ask()
    wire = lab.last()["wire"]
    assert wire["request"]["body"]["messages"][0]["content"] == "Say hello."
    assert wire["response"]["status"] == 200
    assert lk.current().key not in str(wire)


def test_last_of_a_kind_that_never_came_says_what_is_missing() -> None:
    ask()
    with pytest.raises(NothingRecorded, match="provider='gemini'"):
        lab.last(provider="gemini")
    with pytest.raises(NothingRecorded, match="no entry 99"):
        lab.entry(99)


def test_limits_hold_and_are_lifted_again() -> None:
    from openai import RateLimitError

    assert lab.limits(requests_per_minute=1)["requests_per_minute"] == 1
    ask()
    with pytest.raises(RateLimitError):
        ask()
    assert lab.limits(requests_per_minute=None)["requests_per_minute"] is None
    ask(3)


def test_limits_of_one_model_leave_the_others_alone() -> None:
    before = lab.limits()
    model = lk.model("anthropic", "small")
    assert lab.limits(tokens_per_minute=100, model=model)["tokens_per_minute"] == 100
    assert lab.limits() == before
    assert lab.limits(model=model)["tokens_per_minute"] == 100


def test_refused_limit_is_one_sentence() -> None:
    with pytest.raises(ControlError, match="requests_per_minute") as caught:
        lab.limits(requests_per_minute=0)
    assert caught.value.status == 400
    assert caught.value._render_traceback_() == [f"ControlError: {caught.value}"]


def test_clock_runs_faster_and_jumps() -> None:
    assert lab.clock(minute=1.0)["rate"] == pytest.approx(60)
    before = lab.clock()["now"]
    assert lab.clock(advance=3600)["now"] >= before + 3600
    with pytest.raises(ValueError, match="more than 0 seconds"):
        lab.clock(minute=0)


def test_pace_makes_answers_take_their_time() -> None:
    assert lab.pace() == 0.0
    ask()
    lab.pace(0.1)
    ask()
    fast, slow = (entry["timing"]["total_ms"] for entry in lab.entries())
    assert slow > fast


def test_reset_forgets_the_journal_and_keeps_the_knobs() -> None:
    lab.pace(0.01)
    ask()
    lab.reset()
    assert lab.entries() == []
    assert lab.pace() == 0.01


def test_seed_is_the_sessions_from_then_on() -> None:
    lab.seed(11)
    assert lk.current().seed == 11
    lab.seed(None)
    assert lk.current().seed is None


def test_distribution_is_whole_and_agrees_with_its_tokens() -> None:
    found = lab.distribution("What is the capital of France?")
    whole = found.distribution
    assert sum(whole.probs) + whole.floor * whole.tail == pytest.approx(1)
    assert [t.p for t in found.tokens] == sorted((t.p for t in found.tokens), reverse=True)
    assert whole.prob(found.tokens[0].id) == pytest.approx(found.tokens[0].p)
    assert shape(whole, SamplingParams(temperature=0.0)).probs[0] == pytest.approx(1)


def test_distribution_follows_what_has_been_generated() -> None:
    first = lab.distribution("What is the capital of France?").tokens[0]
    then = lab.distribution("What is the capital of France?", generated=first.text)
    assert then.tokens[0] != first
    with pytest.raises(ControlError, match="no model"):
        lab.distribution("hello", model="no-such-model")


def test_faults_strike_as_often_as_scripted_and_are_listed() -> None:
    from openai import InternalServerError

    assert lab.faults("overloaded", next=1, provider="openai")[0]["kind"] == "overloaded"
    with pytest.raises(InternalServerError):
        ask()
    ask()
    assert [entry["fault"] for entry in lab.entries()] == ["overloaded", None]
    assert lab.faults()[0]["struck"] == 1


def test_faults_for_another_model_leave_this_one_alone() -> None:
    lab.faults("rate_limit", start_s=0, model=lk.model("anthropic", "small"))
    ask()
    assert lab.entries()[-1]["status"] == 200


def test_cleared_faults_are_gone() -> None:
    lab.faults("unavailable", start_s=0)
    lab.clear_faults()
    ask()
    assert lab.faults() == []


def test_a_fault_without_a_trigger_strikes_every_request() -> None:
    from openai import InternalServerError

    with lab.faults("overloaded"):
        for _ in range(2):
            with pytest.raises(InternalServerError):
                ask()
    ask()
    assert [entry["status"] for entry in lab.entries()] == [529, 529, 200]


@pytest.mark.parametrize(("kind", "triggers"), [("nobody", {"next": 1}), ("cut", {"next": 1, "every": 2})])
def test_refused_fault_is_an_error_and_not_scripted(kind: str, triggers: dict[str, int]) -> None:
    with pytest.raises(ControlError):
        lab.faults(kind, **triggers)  # type: ignore[arg-type]
    assert lab.faults() == []


def test_self_hosted_servers_answer_where_it_says() -> None:
    from openai import OpenAI

    messages: Any = [{"role": "user", "content": "Say hello."}]
    for server in lab.self_hosted().values():
        with OpenAI(base_url=server.base_url, api_key=lk.current().key, max_retries=0) as client:
            assert client.chat.completions.create(model=lk.model("self-hosted", "small"), messages=messages).choices
        assert server.reason or server.url.endswith(f":{server.usual_port}")
    assert list(lab.journal()["provider"]) == ["vllm", "ollama", "tgi"]


def test_self_hosted_server_without_its_port_is_under_a_path(lab_server: Any) -> None:
    admin = Secret(lab_server.admin_key)
    rows = control.call(lab_server.url, "POST", "listeners", key=admin, body={"tgi": False})
    port = rows["tgi"]["usual_port"]
    with socket.socket() as taken:
        with suppress(OSError):  # somebody may have it already, which is the same to the lab server
            taken.bind(("127.0.0.1", port))
            taken.listen()
        found = lab.self_hosted()["tgi"]
    assert found.url == f"{lab_server.url}/tgi" and str(port) in found.reason


def test_fault_in_a_with_block_ends_with_it_and_leaves_the_others() -> None:
    lab.faults("overloaded", start_s=0, provider="gemini")
    with lab.faults("server_error", start_s=0) as scripted:
        assert [row["kind"] for row in scripted] == ["overloaded", "server_error"]
        assert lab.faults()[1]["struck"] == 0
    assert [row["kind"] for row in lab.faults()] == ["overloaded"]
    ask()


def test_fault_in_a_with_block_ends_when_the_block_raises() -> None:
    from openai import RateLimitError

    with pytest.raises(RateLimitError, match="quota") as caught, lab.faults("quota", start_s=0):
        ask()
    assert caught.value.code == "insufficient_quota"
    assert lab.faults() == []


def test_every_kind_that_is_listed_can_be_scripted() -> None:
    kinds = lab.fault_kinds()
    for kind in kinds:
        lab.faults(kind, next=1, path="/nowhere")
    assert [row["kind"] for row in lab.faults()] == kinds


def test_spent_budget_refuses_until_the_reset() -> None:
    from openai import RateLimitError

    assert lab.limits(budget_usd=1e-9)["budget_usd"] == 1e-9
    ask()
    with pytest.raises(RateLimitError, match="quota"):
        ask()
    lab.reset()
    ask()


def test_tier_sets_limits_that_differ_by_provider() -> None:
    openai, claude = lk.model("openai", "small"), lk.model("anthropic", "small")
    assert (lab.tier("1"), lab.tier()) == ("1", "1")
    assert lab.limits(model=openai) == lab.limits()
    assert lab.limits(model=claude)["requests_per_minute"] < lab.limits(model=openai)["requests_per_minute"]
    assert lab.limits(concurrent=2)["concurrent"] == 2
    assert lab.limits(model=claude)["concurrent"] == 2
    with pytest.raises(ControlError, match="free"):
        lab.tier("gold")


def test_tier_is_remembered_for_a_restart_and_forgets_the_limits_before_it() -> None:
    lab.limits(requests_per_minute=7)
    lab.tier("free")
    allowed = lab.limits()
    lk.current().control("POST", "reset", body={"settings": True})
    lk.current()._restore_tenant()
    assert lab.limits() == allowed
    assert lab.tier(None) is None


def test_ledger_adds_up_to_the_journal_and_counts_what_failed() -> None:
    from openai import InternalServerError

    ask(2)
    with lab.faults("server_error", next=1), pytest.raises(InternalServerError):
        ask()
    journal, billed = lab.journal(), lab.ledger()
    assert list(billed.columns) == list(evidence.SUMS)
    assert (billed["requests"].sum(), billed["errors"].sum()) == (3, 1)
    assert billed["output"].sum() == journal["output"].sum()
    assert billed["cost_usd"].sum() == pytest.approx(journal["cost_usd"].sum())


def test_ledger_by_day_follows_the_labs_calendar() -> None:
    ask()
    lab.clock(advance=86_400)
    ask()
    days = lab.ledger(by=("day", "model"))
    assert list(days["requests"]) == [1, 1]
    with pytest.raises(ValueError, match="no group"):
        lab.ledger(by="tag")


def test_empty_ledger_has_the_same_columns() -> None:
    assert list(lab.ledger().columns) == list(evidence.SUMS)
    assert lab.ledger().empty


def test_sleep_is_in_lab_seconds() -> None:
    lab.clock(minute=0.06)
    before = lab.clock()["now"]
    lab.sleep(60)
    assert lab.clock()["now"] >= before + 60


def test_sleeper_wakes_when_the_clock_jumps() -> None:
    import asyncio

    async def both() -> None:
        sleeper = asyncio.create_task(lab.asleep(86_400))
        while not sleeper.done():  # the first jump may come before the sleeper has looked at the clock
            await asyncio.to_thread(lab.clock, advance=86_400)

    asyncio.run(asyncio.wait_for(both(), 20))


def test_journal_tells_times_faults_and_who_left() -> None:
    from openai import InternalServerError

    with lab.faults("server_error", next=1), pytest.raises(InternalServerError):
        ask()
    ask()
    table = lab.journal()
    assert table["time"].is_monotonic_increasing
    assert list(table["fault"].fillna("")) == ["server_error", ""]
    assert not table["disconnected"].any()


def test_levels_fall_with_calls_and_are_full_before_the_first() -> None:
    lab.limits(requests_per_minute=5, tokens_per_minute=10_000)
    lab.clock(minute=6_000)  # so slow that nothing refills meanwhile
    assert lab.levels() == {}
    ask(2)
    model = lk.model("openai", "small")
    requests, tokens = lab.levels(model)[model]
    assert (requests["of"], requests["capacity"], requests["left"]) == ("requests", 5, 3)
    assert tokens["left"] < 10_000
    assert lab.levels(lk.model("gemini", "small")) == {}


def test_journal_tells_the_wait_that_a_refusal_asked_for() -> None:
    from openai import RateLimitError

    with lab.faults("rate_limit", next=1, seconds=4), pytest.raises(RateLimitError) as caught:
        ask()
    ask()
    asked, none = lab.journal()["retry_after_s"]
    assert asked == 4 == float(caught.value.response.headers["retry-after"])
    assert none != none  # nothing was refused
