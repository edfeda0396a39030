"""Metrics over tables: columns, groups, intervals with scipy as the oracle."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel
from scipy import stats

from labkit import metrics


def table(**columns: list[object]) -> pd.DataFrame:
    many = len(columns["text"])
    given = {"prompt_id": ["p"] * many, "model": ["m"] * many, "error": [None] * many}
    return pd.DataFrame({**given, **columns})


def test_row_metrics_are_columns() -> None:
    found = metrics.measure(table(text=["one two", '{"a": 1}', ""]), ["words", "characters", "valid_json"])
    assert list(found["words"]) == [2, 2, 0] and list(found["characters"]) == [7, 8, 0]
    assert list(found["valid_json"]) == [False, True, False]


def test_a_row_without_an_answer_has_no_value() -> None:
    found = metrics.measure(table(text=["a b", ""], error=[None, "RateLimited: later"]), ["words", "distinct_share"])
    assert found["words"].isna().tolist() == [False, True] and found["distinct_share"].isna().tolist() == [False, True]
    assert metrics.summary(found, "words")["answers"].tolist() == [1]


def test_set_metrics_look_at_the_repeats_of_one_question() -> None:
    asked = table(text=["a", "a", "b", "c"], prompt_id=["p", "p", "q", "q"], temperature=[0, 0, 1, 1])
    assert metrics.measure(asked, "distinct_share")["distinct_share"].tolist() == [0.5, 0.5, 1, 1]
    assert metrics.measure(asked, "similarity")["similarity"].tolist() == [1, 1, 0, 0]


def test_own_functions_of_a_row_and_of_a_set() -> None:
    def longest(texts: list[str]) -> int:
        return max(map(len, texts))

    own = {"b": lambda row: "b" in row["text"], "top": metrics.of_set(longest)}
    found = metrics.measure(table(text=["a", "bcd"]), own)
    assert found["b"].tolist() == [False, True] and found["top"].tolist() == [3, 3]
    assert "longest" in metrics.measure(table(text=["a"]), [metrics.of_set(longest)])


class City(BaseModel):
    name: str


@pytest.mark.parametrize("schema", [City, City.model_json_schema()])
def test_fit_of_a_schema(schema: object) -> None:
    check = metrics.fits(schema)  # type: ignore[arg-type]
    assert [check({"text": text}) for text in ('{"name": "Oslo"}', '{"name": 3}', "Oslo", "{")] == [True, *[False] * 3]


def test_an_unknown_metric_names_those_that_are_there() -> None:
    with pytest.raises(ValueError, match=r"'wrds' is no metric: use words"):
        metrics.measure(table(text=["a"]), "wrds")
    with pytest.raises(ValueError, match="no column 'colour'"):
        metrics.summary(table(text=["a"]), "words", by="colour")


def test_the_interval_of_a_mean_is_scipys() -> None:
    values = np.random.default_rng(1).exponential(size=60)
    low, high = metrics.bootstrap(values, resamples=20_000)
    oracle = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=2).confidence_interval
    assert (low, high) == pytest.approx((oracle.low, oracle.high), rel=0.02)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    draw = np.random.default_rng(3)
    hits = 0
    for n in range(300):
        low, high = metrics.bootstrap(draw.normal(size=40), seed=n, resamples=400)
        hits += low <= 0 <= high
    assert 0.90 <= hits / 300 <= 0.98


def test_many_repeats_of_few_prompts_do_not_feign_certainty() -> None:
    lengths = [1] * 50 + [9] * 50 + [5] * 50 + [3] * 50 + [7] * 50
    asked = table(text=["w " * n for n in lengths], prompt_id=[p for p in "abcde" for _ in range(50)])
    row = metrics.summary(asked, "words").iloc[0]
    assert row["mean"] == 5 and row["prompts"] == 5 and row["answers"] == 250
    naive = metrics.bootstrap(np.array(lengths))
    assert row["high"] - row["low"] > 3 * (naive[1] - naive[0])


def test_a_set_metric_is_averaged_over_prompts_and_has_no_interval_for_one() -> None:
    asked = table(text=["a", "a", "b", "c"], prompt_id=["p", "p", "q", "q"])
    row = metrics.summary(asked, "distinct_share").iloc[0]
    assert (row["mean"], row["low"], row["high"], row["answers"], row["prompts"]) == (0.75, 0.5, 1.0, 4, 2)
    alone = metrics.summary(asked[:2], "distinct_share").iloc[0]
    assert alone["mean"] == 0.5 and math.isnan(alone["low"])


def test_groups_come_in_the_order_of_the_table() -> None:
    asked = table(text=["a b", "a", "a b c"], model=["z", "a", "z"], prompt_id=["p", "p", "q"])
    found = metrics.summary(asked, "words", by=["model"])
    assert found["model"].tolist() == ["z", "a"] and found["mean"].tolist() == [2.5, 1]
