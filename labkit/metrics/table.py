"""Metrics over a table of answers, such as `lk.sweep` returns.

    measure(frame, ["words", "valid_json", "distinct_2"])      the table with a column each
    summary(frame, "distinct_2", by=["model", "temperature"])  means, with bootstrap intervals

A row metric is a value of each answer; a function of your own gets the row, and reads row["text"]. A set metric is a
value of several answers to one question, its repeats; `of_set` makes one of a function of a list of texts. A row
without an answer has no value, and is not counted as a bad one.

Source: percentile bootstrap, Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13. Answers to one
prompt resemble each other, so prompts are drawn and not answers (the cluster bootstrap, Davison and Hinkley 1997,
section 3.8).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from labkit.metrics import texts
from labkit.metrics.judge import Judge

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from labkit.structured import Schema

RESAMPLES = 2_000
LEVEL = 0.95
CONDITIONS = (
    *("prompt_id", "provider", "model"),
    *("system", "temperature", "top_p", "top_k", "max_tokens", "effort"),
)
"""Columns that say which answers are repeats of each other: those that are equal in all of these."""

RowMetric = Callable[[Any], Any]
"""Of a row, which is read as a mapping."""


@dataclass(frozen=True, slots=True)
class SetMetric:
    """A value of several answers to one question."""

    name: str
    of: Callable[[Sequence[str]], float]
    at_least: int = 1
    """Answers that it needs; fewer have no value."""


ROW_METRICS: Mapping[str, RowMetric] = {
    "words": lambda row: len(texts.words(row["text"])),
    "characters": lambda row: len(row["text"]),
    "valid_json": lambda row: texts.json_validity([row["text"]]) == 1.0,
}
SET_METRICS: Mapping[str, SetMetric] = {
    metric.name: metric
    for metric in (
        SetMetric("distinct_share", texts.distinct_share),
        SetMetric("distinct_1", partial(texts.distinct_n, n=1)),
        SetMetric("distinct_2", texts.distinct_n),
        SetMetric("distinct_3", partial(texts.distinct_n, n=3)),
        SetMetric("similarity", texts.mean_similarity, at_least=2),
    )
}

Metric = str | RowMetric | SetMetric | Judge
Metrics = Metric | Sequence[Metric] | Mapping[str, Metric]


def of_set(function: Callable[[Sequence[str]], float], *, at_least: int = 1) -> SetMetric:
    """A set metric of your own.

    >>> of_set(lambda texts: max(map(len, texts))).of(["a", "abc"])
    3
    """
    return SetMetric(getattr(function, "__name__", "metric"), function, at_least)


def fits(schema: Schema) -> RowMetric:
    """A row metric: whether the answer is JSON that fits a Pydantic model or a JSON schema.

    >>> fits({"type": "object", "required": ["a"]})({"text": '{"b": 1}'})
    False
    """
    if isinstance(schema, Mapping):
        import json

        from jsonschema.validators import validator_for  # type: ignore[import-untyped]

        validator = validator_for(schema)(schema)

        def check(text: str) -> bool:
            return bool(validator.is_valid(json.loads(text)))
    else:

        def check(text: str) -> bool:
            schema.model_validate_json(text)
            return True

    def fits(row: Any) -> bool:
        try:
            return check(row["text"])
        except ValueError:
            return False

    return fits


def measure(frame: pd.DataFrame, metrics: Metrics) -> pd.DataFrame:
    """The table with a column for each metric.

    A set metric's value stands in each of the rows that it was made of.

    Args:
        metrics: names out of `ROW_METRICS` and `SET_METRICS`, functions, `Judge`s; a mapping names the columns.

    Raises:
        ValueError: an unknown name.
    """
    found = frame.copy()
    for name, metric in _named(metrics):
        if isinstance(metric, Judge):
            found = metric.judged(found, name)
        else:
            found[name] = _of_sets(found, metric) if isinstance(metric, SetMetric) else _of_rows(found, metric)
    return found


def summary(
    frame: pd.DataFrame,
    metric: str | SetMetric | RowMetric,
    by: str | Sequence[str] = ("model",),
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """The mean of a metric in each group, with its bootstrap interval.

    Args:
        metric: a column of the table, or what `measure` takes.
        by: columns.

    Returns:
        One row a group: `by`, mean, low, high, answers, prompts. With several prompts the interval says what other
        prompts of the kind would give; with one, what more repeats would. A set metric of one prompt has no interval:
        repeats drawn twice would look less diverse than they are. Below five prompts it is narrower than the truth.

    Raises:
        ValueError: no such metric or column.
    """
    import pandas as pd

    groups = [by] if isinstance(by, str) else list(by)
    if absent := [column for column in groups if column not in frame]:
        raise ValueError(f"the table has no column {absent[0]!r}; it has {', '.join(map(str, frame.columns))}")
    column, values = _values(frame, metric)
    rows = []
    for key, part in values.groupby(groups, sort=False, dropna=False, observed=True):
        low, high = _interval(part, column, level=level, resamples=resamples, seed=seed)
        measured = part.dropna(subset=[column])
        mean = float(measured[column].astype(float).mean())
        prompts = measured["prompt_id"].nunique() if "prompt_id" in measured else 1
        rows.append((*key, mean, low, high, int(part["_answers"].sum()), prompts))
    return pd.DataFrame(rows, columns=[*groups, "mean", "low", "high", "answers", "prompts"])


def bootstrap(
    sums: Sequence[float] | np.ndarray,
    counts: Sequence[float] | np.ndarray | None = None,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of a mean, by drawing clusters.

    Args:
        sums: the sum of each cluster's values; without `counts`, each is one value.
        counts: how many values each cluster has.

    Returns:
        Low and high; twice NaN with fewer than two clusters.
    """
    import numpy as np

    total = np.asarray(sums, dtype=float)
    many = np.ones_like(total) if counts is None else np.asarray(counts, dtype=float)
    if len(total) < 2:
        return float("nan"), float("nan")
    drawn = np.random.default_rng(seed).integers(0, len(total), (resamples, len(total)))
    means = total[drawn].sum(axis=1) / many[drawn].sum(axis=1)
    low, high = np.quantile(means, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)


def _values(frame: pd.DataFrame, metric: Metric) -> tuple[str, pd.DataFrame]:
    """The column to average, and a table that has it: a row an answer, or for a set metric a row a set."""
    if isinstance(metric, str) and metric in frame:
        return metric, frame.assign(_answers=_answered(frame).astype(int))
    [(name, found)] = _named(metric)
    measured = measure(frame, {name: found}).assign(_answers=_answered(frame).astype(int))
    if not isinstance(found, SetMetric):
        return name, measured
    keys = _conditions(frame)
    answers = measured.groupby(keys, dropna=False)["_answers"].transform("sum")
    return name, measured.assign(_answers=answers, _set=True).drop_duplicates(keys)


def _interval(part: pd.DataFrame, column: str, **how: Any) -> tuple[float, float]:
    measured = part.dropna(subset=[column])
    values = measured[column].astype(float)
    if "prompt_id" in measured and measured["prompt_id"].nunique() > 1:
        clusters = values.groupby(measured["prompt_id"])
        return bootstrap(clusters.sum().to_numpy(), clusters.count().to_numpy(), **how)
    return bootstrap([] if "_set" in part else values.to_numpy(), **how)


def _named(metrics: Metrics) -> list[tuple[str, RowMetric | SetMetric | Judge]]:
    """Column and metric."""
    if isinstance(metrics, Mapping):
        return [(name, _known(metric)) for name, metric in metrics.items()]
    several = metrics if isinstance(metrics, Sequence) and not isinstance(metrics, str) else [metrics]
    return [(_name(metric), _known(metric)) for metric in several]


def _known(metric: Metric) -> RowMetric | SetMetric | Judge:
    if not isinstance(metric, str):
        return metric
    known: dict[str, RowMetric | SetMetric] = {**ROW_METRICS, **SET_METRICS}
    if metric not in known:
        raise ValueError(f"{metric!r} is no metric: use {', '.join(known)}, or a function")
    return known[metric]


def _name(metric: Metric) -> str:
    if isinstance(metric, str):
        return metric
    name = getattr(metric, "name", None) or getattr(metric, "__name__", "metric")
    return "metric" if name == "<lambda>" else str(name)


def _of_rows(frame: pd.DataFrame, metric: RowMetric) -> pd.Series:
    import pandas as pd

    records = frame.to_dict("records")
    values = [metric(row) if there else None for row, there in zip(records, _answered(frame), strict=True)]
    return pd.Series(values, index=frame.index).infer_objects()


def _of_sets(frame: pd.DataFrame, metric: SetMetric) -> pd.Series:
    import pandas as pd

    found = pd.Series(float("nan"), index=frame.index)
    answered = frame[_answered(frame)]
    for _, part in answered.groupby(_conditions(frame), sort=False, dropna=False):
        if len(part) >= metric.at_least:
            found.loc[part.index] = float(metric.of(list(part["text"])))
    return found


def _conditions(frame: pd.DataFrame) -> list[str]:
    return [column for column in CONDITIONS if column in frame]


def _answered(frame: pd.DataFrame) -> pd.Series:
    """Rows with an answer: no error, and a text."""
    there = frame["text"].notna()
    return there & frame["error"].isna() if "error" in frame else there
