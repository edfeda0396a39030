"""A model as judge, through the lab server."""

from __future__ import annotations

import pytest

import labkit as lk

pytestmark = pytest.mark.usefixtures("session")

ASK = {"models": "openai:sampling", "max_tokens": 30, "temperature": 0}


def test_every_answer_gets_a_score_a_reason_and_a_cost() -> None:
    judge = lk.metrics.Judge("Is the answer polite?", low=0, high=3)
    frame = lk.sweep(["What is an API?", "What is a token?"], metrics=["words", judge], **ASK)
    assert frame["score"].isin(range(4)).all() and frame["score_reason"].ne("").all() and "words" in frame
    assert frame.attrs["judge_usd"] == pytest.approx(frame["score_usd"].sum())
    both = frame["score_usd"].sum() + frame["cost_usd"].sum()
    assert both == pytest.approx(lk.lab.ledger()["cost_usd"].sum())


def test_equal_answers_are_judged_once_and_verdicts_are_kept() -> None:
    judge = lk.metrics.Judge("Is the answer polite?")
    frame = lk.sweep("What is an API?", repeats=3, metrics=judge, **ASK)
    assert frame["text"].nunique() == 1 and len(lk.lab.entries()) == 3 + 1
    again = lk.sweep("What is an API?", repeats=3, metrics=judge, **ASK)
    assert len(lk.lab.entries()) == 4 and list(again["score"]) == list(frame["score"])
    assert again.attrs["judge_usd"] == 0


def test_an_answer_that_did_not_come_is_not_judged() -> None:
    with lk.lab.faults("quota", every=1):
        frame = lk.sweep("What is an API?", metrics=lk.metrics.Judge("Is it polite?"), **ASK)
    assert frame["score"].isna().all() and len(lk.lab.entries()) == 1
