"""The thin language model behind the templates: trigram, bigram, unigram, uniform.

    P(w | u v) = a P3(w | u v) + b P2(w | v) + c P1(w) + the rest spread level over the vocabulary

interpolated with fixed weights (Jelinek & Mercer 1980), counted on expansions of every template. It speaks when a text
has left its template, and lends each lattice state a little probability for words that are only likely in general.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from labkit.engine.base import O200K
from labkit.sampling import Distribution

TRIGRAM, BIGRAM, UNIGRAM = 0.75, 0.2, 0.0495
"""Shares of the three orders; an order that knows nothing of its context passes its share down. The rest is level."""
WIDEST = 48
"""Followers kept for one context."""
COMMON = 128
"""Tokens that the unigram order lists; rarer ones are part of the floor."""

CONTEXTS_KEPT = 300
"""Distributions kept; word soup never comes to an end of new ones. 10 KB each."""

_START = O200K.end
Context = tuple[int, ...]


class NGrams:
    """Counts of one, two and three tokens in a row."""

    def __init__(self, texts: Iterable[Sequence[int]]) -> None:
        counts: dict[Context, Counter[int]] = defaultdict(Counter)
        unigrams: Counter[int] = Counter()
        for text in texts:
            before, last = _START, _START
            unigrams.update(text)
            for token in (*text, O200K.end):
                counts[last,][token] += 1
                counts[before, last][token] += 1
                before, last = last, token
        self._followers = {context: _shares(c.most_common(WIDEST)) for context, c in counts.items()}
        self._unigrams = _shares(unigrams.most_common(COMMON))
        self._known: dict[Context, Distribution] = {}

    def near(self, token: int, most: int) -> list[tuple[int, float]]:
        """The likeliest followers of one token, renormalised; common tokens if that one was never seen."""
        followers = list(self._followers.get((token,), self._unigrams).items())[:most]
        total = sum(p for _, p in followers)
        return [(follower, p / total) for follower, p in followers]

    def distribution(self, before: int, last: int) -> Distribution:
        """P(next | two tokens before), over the whole vocabulary."""
        known = self._known.get((before, last))
        if known is None:
            if len(self._known) > CONTEXTS_KEPT:
                self._known.clear()
            known = self._known[before, last] = self._mix(before, last)
        return known

    def _mix(self, before: int, last: int) -> Distribution:
        peaks: dict[int, float] = defaultdict(float)
        share = 0.0
        for weight, context in ((TRIGRAM, (before, last)), (BIGRAM, (last,)), (UNIGRAM, ())):
            share += weight
            followers = self._followers.get(context) if context else self._unigrams
            if followers:
                for token, p in followers.items():
                    peaks[token] += share * p
                share = 0.0
        level = 1 - sum(peaks.values())
        return Distribution.of(peaks, floor=level / (O200K.size - len(peaks)), vocab=O200K.size)


def _shares(counts: list[tuple[int, int]]) -> dict[int, float]:
    total = sum(n for _, n in counts)
    return {token: n / total for token, n in counts}
