"""Sweeps as an experimenter runs them: the table, what is paid once, what stops one."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pandas as pd
import pytest

import labkit as lk
from labkit.budget import Budget
from labkit.errors import UserError
from labkit.experiments import NotConfirmed, StoreWarning, Sweep, SweepStopped
from labkit.session import Session

pytestmark = pytest.mark.usefixtures("session")

MODEL = "openai:sampling"
ASK = {"max_tokens": 12, "temperature": [0, 1.0]}


def requests() -> int:
    return len(lk.lab.entries())


def test_one_row_a_cell_with_what_was_asked_and_what_came_back() -> None:
    frame = lk.sweep({"api": "What is an API?", "token": "What is a token?"}, MODEL, repeats=3, **ASK)
    assert len(frame) == 2 * 2 * 3 == requests()
    assert list(frame.groupby(["prompt_id", "temperature", "repeat"]).size().unique()) == [1]
    assert set(frame["model"]) == {lk.model("openai", "sampling")} and frame["error"].isna().all()
    assert (frame["output"] <= 12).all() and (frame["cost_usd"] > 0).all() and (frame["latency_s"] > 0).all()
    assert frame.attrs["paid"] == 12 and frame.attrs["spent_usd"] == pytest.approx(frame["cost_usd"].sum())


def test_the_server_billed_what_the_table_says() -> None:
    frame = lk.sweep("What is a token?", [MODEL, "anthropic:sampling", "gemini:sampling"], repeats=2, max_tokens=30)
    assert frame["cost_usd"].sum() == pytest.approx(lk.lab.ledger()["cost_usd"].sum())
    assert lk.ledger.total(tag=f"sweep:{frame.attrs['sweep']}") == pytest.approx(frame["cost_usd"].sum())


def test_a_second_run_asks_nothing_and_says_the_same() -> None:
    first = lk.sweep("What is an API?", MODEL, repeats=2, **ASK)
    mark = lk.lab.mark()
    again = lk.sweep("What is an API?", MODEL, repeats=2, **ASK)
    assert lk.lab.entries(after=mark) == []
    assert again["reused"].all() and again.attrs["spent_usd"] == 0
    pd.testing.assert_frame_equal(first.drop(columns="reused"), again.drop(columns="reused"), check_like=True)


def test_more_repeats_and_values_pay_for_what_is_new() -> None:
    lk.sweep("What is an API?", MODEL, repeats=2, name="growing", **ASK)
    mark = lk.lab.mark()
    lk.sweep("What is an API?", MODEL, repeats=3, name="growing", max_tokens=12, temperature=[0, 0.5, 1.0])
    assert len(lk.lab.entries(after=mark)) == 9 - 4


def test_another_epoch_asks_everything_anew() -> None:
    first = lk.sweep("What is an API?", MODEL, **ASK)
    assert lk.sweep("What is an API?", MODEL, epoch=1, **ASK).attrs["paid"] == len(first)


def test_repeats_have_seeds_of_their_own_that_any_run_gives_again() -> None:
    frame = lk.sweep("Tell me a story about a robot.", MODEL, temperature=1.2, max_tokens=40, repeats=4)
    again = lk.sweep("Tell me a story about a robot.", MODEL, temperature=1.2, max_tokens=40, repeats=4, name="again")
    assert frame["seed"].nunique() == 4 and again.attrs["paid"] == 4
    assert frame["text"].nunique() > 1 and list(frame["text"]) == list(again["text"])


def test_a_parameter_that_a_model_refuses_marks_its_cells_and_no_others() -> None:
    frame = lk.sweep("What is an API?", [MODEL, "anthropic:small"], **ASK)
    refused = frame["provider"] == "anthropic"
    assert frame.loc[refused, "error"].str.startswith("UnsupportedParameter").all() and requests() == 2
    assert frame.loc[~refused, "error"].isna().all() and frame.attrs["failed"] == 2


def test_a_dropped_parameter_is_noted_and_its_cells_share_one_answer() -> None:
    frame = lk.sweep("What is an API?", "anthropic:small", drop_unsupported=True, **ASK)
    assert frame["notes"].str.contains("temperature was left out").all()
    assert requests() == 1 and frame["text"].nunique() == 1 and len(frame) == 2


def test_errors_are_rows_and_the_next_run_tries_them_again() -> None:
    with lk.lab.faults("server_error", every=1):
        broken = lk.sweep("What is an API?", lk.LLMClient("openai", tier="sampling", retry=1), **ASK)
    assert broken["error"].str.startswith("Overloaded").all() and broken["text"].eq("").all()
    mended = lk.sweep("What is an API?", lk.LLMClient("openai", tier="sampling", retry=1), **ASK)
    assert mended["error"].isna().all() and mended.attrs["paid"] == 2


def test_an_account_without_money_is_asked_a_few_times_and_not_a_hundred() -> None:
    with lk.lab.faults("quota", every=1):
        frame = lk.sweep("What is an API?", MODEL, repeats=100, concurrency=4, max_tokens=12)
    assert len(frame) == 100 and frame["error"].str.startswith("QuotaExceeded").all()
    assert requests() <= 8


def test_a_budget_stops_the_sweep_and_keeps_what_it_has() -> None:
    budget = Budget(0.0005, on_alert=lambda budget: None)
    with pytest.warns(SweepStopped, match="Run it again"):
        frame = lk.sweep("What is an API?", MODEL, repeats=100, max_tokens=20, budget=budget)
    assert 0 < len(frame) < 100 and "budget" in frame.attrs["stopped"]
    assert frame["cost_usd"].sum() <= 0.0005 and frame["error"].isna().all()
    assert frame.attrs["missing"] == 100 - len(frame)


def test_calls_that_come_out_cheaper_than_they_might_leave_room_for_more() -> None:
    most = lk.LLMClient("openai", tier="sampling").estimate("What is a token?", max_tokens=4000)
    frame = lk.sweep("What is a token?", MODEL, repeats=6, max_tokens=4000, budget=most * 1.5)
    assert len(frame) == 6 and not frame.attrs["stopped"]


def test_it_works_where_an_event_loop_runs() -> None:
    async def cell() -> pd.DataFrame:
        return lk.sweep("What is an API?", MODEL, **ASK)

    assert len(asyncio.run(cell())) == 2


def test_streams_measure_the_time_to_the_first_token() -> None:
    frame = lk.sweep("What is an API?", MODEL, stream=True, **ASK)
    assert (frame["ttft_s"] > 0).all() and (frame["ttft_s"] <= frame["latency_s"]).all()
    assert lk.sweep("What is an API?", MODEL, **ASK)["ttft_s"].isna().all()


def test_an_estimate_is_a_ceiling_and_counts_what_is_missing() -> None:
    planned = Sweep("What is an API?", MODEL, repeats=2, **ASK)
    before = planned.estimate()
    frame = planned.run()
    assert (before.calls, planned.estimate().calls) == (4, 0)
    assert frame["cost_usd"].sum() <= before.most_usd <= 20 * frame["cost_usd"].sum()


def test_above_the_threshold_nobody_to_ask_is_an_error_and_nothing_is_sent() -> None:
    with pytest.raises(NotConfirmed, match=r"at most \$0\.\d+.*yes=True") as caught:
        lk.sweep("What is an API?", MODEL, confirm_above=0.0, **ASK)
    assert requests() == 0 and caught.value.estimate.calls == 2
    assert len(lk.sweep("What is an API?", MODEL, confirm_above=0.0, yes=True, **ASK)) == 2


def test_a_torn_last_line_is_said_and_its_cell_asked_again(tmp_path: Path) -> None:
    frame = lk.sweep("What is an API?", MODEL, name="torn", folder=tmp_path, **ASK)
    file = Path(frame.attrs["file"])
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.warns(StoreWarning, match="a cell was cut"):
        again = lk.sweep("What is an API?", MODEL, name="torn", folder=tmp_path, **ASK)
    assert again.attrs["paid"] == 1 and list(again["text"]) == list(frame["text"])


def test_a_folder_that_cannot_be_made_is_said_once_and_results_come_back(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(StoreWarning, match="kept in memory only") as said:
        frame = lk.sweep("What is an API?", MODEL, folder=tmp_path / "file" / "sweeps", **ASK)
    assert len(frame) == 2 and frame["text"].ne("").all() and len(said) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_said_once_and_results_come_back(tmp_path: Path) -> None:
    (tmp_path / "full.jsonl").symlink_to("/dev/full")
    with pytest.warns(StoreWarning, match="No space left") as said:
        frame = lk.sweep("What is an API?", MODEL, folder=tmp_path, name="full", **ASK)
    assert len(frame) == 2 and frame["text"].ne("").all() and len(said) == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"prompts": []}, "at least one prompt"),
        ({"prompts": ["a", "a"]}, "there twice"),
        ({"models": []}, "at least one model"),
        ({"models": [MODEL, MODEL]}, "there twice"),
        ({"temperature": []}, "leaves nothing"),
        ({"temperature": [1, 1]}, "a value twice"),
        ({"temprature": 1}, "no parameter of a sweep"),
        ({"repeats": 0}, "at least once"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Sweep(**{"prompts": "Hi", "models": MODEL, **wrong})  # type: ignore[arg-type]


def test_only_the_asked_parameters_are_columns() -> None:
    frame = lk.sweep("What is an API?", MODEL, max_tokens=5, system=["Be brief.", None])
    assert {"system", "max_tokens"} <= set(frame.columns) and "top_p" not in frame.columns
    assert frame["system"].isna().sum() == 1 and math.isfinite(frame["latency_s"].sum())


def test_repeats_on_a_client_with_a_cache_are_answers_of_their_own(session: Session) -> None:
    client = lk.LLMClient("openai", tier="sampling", cache="memory", temperature=0)
    client.chat("Hello")
    frame = lk.sweep(["Hello"], models=[client], repeats=3, progress=False)
    assert len(frame) == 3 and client.cache is not None and client.cache.statistics.hits == 0
    assert (frame["cost_usd"] > 0).all()
