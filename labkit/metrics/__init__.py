"""What a set of answers is like: `lk.metrics.distinct_n(texts)`, and the same over a table of answers.

    texts.py   of a list of texts: length, diversity, similarity, JSON
    table.py   of a table such as `lk.sweep` returns: `measure` adds columns, `summary` gives means with intervals
    judge.py   `Judge`: a model scores each answer against a rubric
"""

from labkit.metrics.judge import Judge
from labkit.metrics.table import ROW_METRICS, SET_METRICS, SetMetric, bootstrap, fits, measure, of_set, summary
from labkit.metrics.texts import (
    MAX_PAIRS,
    distinct_n,
    distinct_share,
    json_validity,
    length,
    mean_similarity,
    similarity,
    words,
)

__all__ = [
    "MAX_PAIRS",
    "ROW_METRICS",
    "SET_METRICS",
    "Judge",
    "SetMetric",
    "bootstrap",
    "distinct_n",
    "distinct_share",
    "fits",
    "json_validity",
    "length",
    "mean_similarity",
    "measure",
    "of_set",
    "similarity",
    "summary",
    "words",
]
