"""What a threshold does, before anybody relies on it: how many questions it answers, and how many of them wrongly.

    sweep_thresholds([("What is an API?", "What's an API?", True), ...], embedder=client)
    replay(log["query"], log["same_as"], embedder=client)

Both return one row a threshold. A hit is right when both questions are labelled as the same.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.caching.embedders import Embedder, embedder
from labkit.errors import UserError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from labkit.caching.embedders import Given

THRESHOLDS = tuple(round(0.5 + 0.025 * n, 3) for n in range(20)) + (0.99, 1.0)


def sweep_thresholds(
    pairs: Iterable[tuple[str, str, bool]], *, embedder: Given = "lexical", thresholds: Sequence[float] = THRESHOLDS
) -> pd.DataFrame:
    """Pairs of questions, each labelled as the same or not, at each threshold.

    Returns:
        threshold; hits, pairs at or above it; hit_rate, of all pairs; wrong, hits that are not the same; precision,
        right hits of the hits (NaN without any); recall, right hits of the pairs that are the same; f1.

    Raises:
        UserError: no pair.
    """
    rows = [(str(a), str(b), bool(same)) for a, b, same in pairs]
    if not rows:
        raise UserError("There is no pair of questions to measure.")
    texts = list(dict.fromkeys(text for a, b, _ in rows for text in (a, b)))
    place = {text: n for n, text in enumerate(texts)}
    matrix = _embedder(embedder).embed(texts).matrix
    cosine = np.einsum("ij,ij->i", matrix[[place[a] for a, _, _ in rows]], matrix[[place[b] for _, b, _ in rows]])
    same = np.array([same for _, _, same in rows])
    return _table(
        [_scores(t, len(rows), _reached(cosine, t), _reached(cosine, t) & same, int(same.sum())) for t in thresholds]
    )


def replay(
    questions: Iterable[str],
    same_as: Iterable[Hashable],
    *,
    embedder: Given = "lexical",
    thresholds: Sequence[float] = THRESHOLDS,
) -> pd.DataFrame:
    """A log of questions in order, through a cache that starts empty, at each threshold: a question that finds none
    near enough is asked and kept. Equal questions hit at every threshold.

    Args:
        same_as: of each question, which group it belongs to: those of one group have one answer.

    Returns:
        The columns of `sweep_thresholds`, over the questions of the log; recall is of those whose group was there
        before. Besides: wrong_rate, wrong hits of all questions.

    Raises:
        UserError: no question, or not one group a question.
    """
    texts, groups = [str(text) for text in questions], list(same_as)
    if not texts or len(texts) != len(groups):
        raise UserError(f"{len(texts)} questions and {len(groups)} groups: one group a question, and at least one.")
    distinct = list(dict.fromkeys(texts))
    place = {text: n for n, text in enumerate(distinct)}
    matrix = _embedder(embedder).embed(distinct).matrix
    cosine = matrix @ matrix.T
    np.fill_diagonal(cosine, 1.0)
    number = {group: n for n, group in enumerate(dict.fromkeys(groups))}
    ids, labels = [place[text] for text in texts], [number[group] for group in groups]
    seen_before = sum(label in labels[:n] for n, label in enumerate(labels))
    rows = [_scores(t, len(texts), *_walk(cosine, ids, labels, t), seen_before) for t in thresholds]
    return _table(rows).assign(wrong_rate=lambda frame: frame["wrong"] / len(texts))


def _walk(
    cosine: NDArray[np.float32], ids: list[int], labels: list[int], threshold: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Of each question: whether the cache answers it, and whether rightly."""
    kept: list[int] = []
    label_of: list[int] = []
    hit, right = np.zeros(len(ids), dtype=bool), np.zeros(len(ids), dtype=bool)
    for n, (question, label) in enumerate(zip(ids, labels, strict=True)):
        if kept:
            scores = cosine[question, kept]
            best = int(scores.argmax())
            hit[n] = _reached(scores[best], threshold)
            right[n] = hit[n] and label_of[best] == label
        if not hit[n]:
            kept.append(question)
            label_of.append(label)
    return hit, right


def _reached(cosine: Any, threshold: float) -> Any:
    """At or above; 32-bit numbers of equal texts may come out a hair below 1."""
    return cosine >= threshold - 1e-6


def _scores(
    threshold: float, total: int, hit: NDArray[np.bool_], right: NDArray[np.bool_], findable: int
) -> dict[str, float]:
    hits, rights = int(hit.sum()), int(right.sum())
    return {
        "threshold": threshold,
        "hits": hits,
        "hit_rate": hits / total,
        "wrong": hits - rights,
        "precision": rights / hits if hits else np.nan,
        "recall": rights / findable if findable else np.nan,
        "f1": 2 * rights / (hits + findable) if hits + findable else np.nan,
    }


def _table(rows: list[dict[str, float]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows)


def _embedder(given: Given) -> Embedder:
    """Outside the functions, where an argument has this function's name."""
    return embedder(given)
