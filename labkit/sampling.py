"""From a distribution over the next token to the token: temperature, top-p, top-k, min-p, penalties, bias.

The order is the one that Hugging Face `generate` and vLLM use: bias and penalties on the logits, then temperature,
then top-k, top-p and min-p on what temperature left. Each step is a pure function of a `Distribution`.

Sources:
    temperature    p_i ** (1/T), renormalised (Ackley, Hinton & Sejnowski 1985); T = 0 is argmax by definition here
    top-k          Fan, Lewis & Dauphin 2018, section 5.3
    top-p          Holtzman et al. 2020, equation 2: the smallest set whose mass reaches p
    min-p          Nguyen et al. 2024: keep p_i >= min_p * max(p)
    penalties      OpenAI's API reference: logit_i - count_i * frequency - (count_i > 0) * presence
    logit bias     added to the logit before anything else

Nothing here knows a socket, a clock or a global random generator: the generator is passed in.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter, methodcaller
from random import Random

NEVER = -math.inf
PARAMS_KEPT = 16
"""Parameter sets whose shaped distributions are kept."""
SHAPED_KEPT = 300
"""Shaped distributions kept for one parameter set: some 2 MB when the text is word soup, far less otherwise."""


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """P(next token) over a whole vocabulary, stored as its peaks and a level floor.

    A language model puts nearly all of its mass on a few tokens. Those are listed; every other token id below
    `vocab` has probability `floor`. `sum(probs) + floor * tail == 1`.

    >>> d = Distribution.of({5: 0.6, 9: 0.3}, floor=0.1 / 98, vocab=100)
    >>> round(d.prob(5), 6), round(d.prob(0), 6), d.tail
    (0.6, 0.00102, 98)
    """

    ids: tuple[int, ...]
    """Listed token ids, most probable first; ties by lower id. An id from `vocab` up (end of text) may be listed."""
    probs: tuple[float, ...]
    """Probability of each listed id, in the same order."""
    floor: float
    """Probability of each token of the tail."""
    tail: int
    """How many unlisted ids carry the floor: the lowest `tail` of them. All, unless top-k or top-p cut the floor."""
    vocab: int
    """Token ids 0 to vocab - 1 exist."""
    _sorted: tuple[int, ...] = field(repr=False)

    @classmethod
    def of(cls, peaks: Mapping[int, float], *, floor: float = 0.0, vocab: int, tail: int | None = None) -> Distribution:
        """Build from `{token id: probability}`, normalising whatever the sum is.

        Raises:
            ValueError: no mass at all, a negative or a non-finite probability.
        """
        inside = tuple(sorted(i for i in peaks if i < vocab))
        tail = vocab - len(inside) if tail is None else tail
        total = math.fsum(peaks.values()) + floor * tail
        if not (0 < total < math.inf) or floor < 0 or min(peaks.values(), default=0.0) < 0:
            raise ValueError(f"a distribution needs finite, non-negative mass; got a total of {total!r}")
        order = sorted(peaks.items(), key=lambda item: (-item[1], item[0]))
        return cls(
            ids=tuple(i for i, _ in order),
            probs=tuple(p / total for _, p in order),
            floor=floor / total if tail else 0.0,
            tail=tail,
            vocab=vocab,
            _sorted=inside,
        )

    def prob(self, token: int) -> float:
        """Probability of one token id."""
        try:
            return self.probs[self.ids.index(token)]
        except ValueError:
            pass
        if not 0 <= token < self.vocab:
            return 0.0
        return self.floor if token - bisect_left(self._sorted, token) < self.tail else 0.0

    def logprob(self, token: int) -> float:
        """Natural logarithm of `prob`, -inf for a token that cannot come."""
        p = self.prob(token)
        return math.log(p) if p > 0 else NEVER

    def top(self, k: int) -> list[tuple[int, float]]:
        """The k most probable (token id, probability), best first; floor tokens fill up in id order.

        Fewer than k when fewer are possible at all.
        """
        above, possible = self.above_floor, self.possible
        found = list(zip(self.ids[:above], self.probs[:above], strict=True))[:k]
        if self.floor > 0:
            found += [(self._nth_unlisted(n), self.floor) for n in range(min(k - len(found), self.tail))]
        return (found + list(zip(self.ids[above:possible], self.probs[above:possible], strict=True)))[:k]

    @property
    def above_floor(self) -> int:
        """How many listed tokens are at least as probable as the floor, and possible."""
        return sum(p >= self.floor and p > 0 for p in self.probs)

    @property
    def possible(self) -> int:
        """How many listed tokens have a probability above 0."""
        return sum(p > 0 for p in self.probs)

    @property
    def best(self) -> int:
        """The most probable token id: what temperature 0 picks."""
        if self.probs and self.probs[0] >= self.floor:
            return self.ids[0]
        return self._nth_unlisted(0)

    def entropy(self) -> float:
        """Shannon entropy in bits."""
        listed = -math.fsum(p * math.log2(p) for p in self.probs if p > 0)
        return listed - (self.tail * self.floor * math.log2(self.floor) if self.floor > 0 and self.tail else 0.0)

    def draw(self, rng: Random) -> int:
        """One token id, at random."""
        u = rng.random()
        for token, p in zip(self.ids, self.probs):  # noqa: B905  # checked when it was built, and this is the hot loop
            u -= p
            if u < 0:
                return token
        if self.floor > 0 and self.tail:
            return self._nth_unlisted(min(int(u / self.floor), self.tail - 1))
        return self.ids[0]  # only rounding error gets here

    def _nth_unlisted(self, n: int) -> int:
        token = n
        for listed in self._sorted:
            if listed > token:
                break
            token += 1
        return token


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """What a request says about sampling. The defaults change nothing: the model's own distribution."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    """0 keeps all."""
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()

    @property
    def depends_on_history(self) -> bool:
        return bool(self.presence_penalty or self.frequency_penalty)


def shape(d: Distribution, params: SamplingParams, counts: Mapping[int, int] | None = None) -> Distribution:
    """The distribution that is really sampled from: `d` after every parameter, renormalised.

    Args:
        counts: how often each token id was already generated; only the penalties look at it.
    """
    if params.logit_bias or (params.depends_on_history and counts):
        d = adjust_logits(d, params, counts or {})
    if params.temperature == 0:
        return Distribution.of({d.best: 1.0}, vocab=d.vocab)
    if params.temperature != 1:
        d = heat(d, params.temperature)
    if params.top_k:
        d = keep_top_k(d, params.top_k)
    if params.top_p < 1:
        d = keep_top_p(d, params.top_p)
    if params.min_p:
        d = keep_min_p(d, params.min_p)
    return d


def adjust_logits(d: Distribution, params: SamplingParams, counts: Mapping[int, int]) -> Distribution:
    """Logit bias, presence and frequency penalty. A touched floor token becomes a listed one."""
    shift = dict(params.logit_bias)
    for token, count in counts.items():
        shift[token] = shift.get(token, 0.0) - count * params.frequency_penalty - params.presence_penalty
    peaks = dict(zip(d.ids, d.probs, strict=True))
    for token in shift:
        if token not in peaks and (p := d.prob(token)) > 0:
            peaks[token] = p
    top = max((shift.get(t, 0.0) for t, p in peaks.items() if p > 0), default=0.0)
    top = max(top, 0.0)  # keep the exponentials finite whatever the bias
    moved = {t: p * math.exp(shift.get(t, 0.0) - top) for t, p in peaks.items()}
    tail = d.tail - (len(peaks) - len(d.ids))
    return Distribution.of(moved, floor=d.floor * math.exp(-top), vocab=d.vocab, tail=tail)


def heat(d: Distribution, temperature: float) -> Distribution:
    """Divide the logits by the temperature: p ** (1/T), renormalised.

    >>> d = Distribution.of({0: 0.8, 1: 0.2}, vocab=2)
    >>> [round(p, 3) for p in heat(d, 0.5).probs], [round(p, 3) for p in heat(d, 2.0).probs]
    ([0.941, 0.059], [0.667, 0.333])
    """
    top = max(d.probs[0] if d.probs else 0.0, d.floor)

    def powered(p: float) -> float:
        return math.exp(math.log(p / top) / temperature) if p > 0 else 0.0

    peaks = {i: powered(p) for i, p in zip(d.ids, d.probs, strict=True)}
    return Distribution.of(peaks, floor=powered(d.floor), vocab=d.vocab, tail=d.tail)


def keep_top_k(d: Distribution, k: int) -> Distribution:
    """Keep the k most probable tokens; ties go to the lower id, a listed token before the floor."""
    above, tail = d.above_floor, d.tail if d.floor > 0 else 0
    if k >= d.possible + tail:
        return d
    return _cut(d, above=min(k, above), tail=max(0, min(k - above, tail)), below=max(0, k - above - tail))


def keep_top_p(d: Distribution, p: float) -> Distribution:
    """Keep the smallest set of most probable tokens whose mass reaches p; at least one token stays.

    >>> keep_top_p(Distribution.of({0: 0.5, 1: 0.3, 2: 0.2}, vocab=3), 0.7).ids
    (0, 1)
    """
    target = p - 1e-12  # 0.1 + 0.2 must reach 0.3
    above, tail = d.above_floor, d.tail if d.floor > 0 else 0
    kept, mass = _until(d.probs[:above], 0.0, target)
    if mass >= target and kept:
        return keep_top_k(d, kept)
    needed = max(math.ceil((target - mass) / d.floor), 1 - kept) if tail else 0
    if tail and needed <= tail:
        return keep_top_k(d, kept + needed)
    below, _ = _until(d.probs[above:], mass + tail * d.floor, target)
    return keep_top_k(d, kept + tail + below)


def _until(probs: tuple[float, ...], mass: float, target: float) -> tuple[int, float]:
    """How many probabilities it takes, in order, to bring `mass` to `target`, and the mass then."""
    for n, q in enumerate(probs):
        if mass >= target and n:
            return n, mass
        mass += q
    return len(probs), mass


def keep_min_p(d: Distribution, min_p: float) -> Distribution:
    """Keep tokens at least `min_p` times as probable as the best one."""
    bar = min_p * max(d.probs[0] if d.probs else 0.0, d.floor)
    peaks = {i: q for i, q in zip(d.ids, d.probs, strict=True) if q >= bar}
    if d.floor >= bar:
        return Distribution.of({**dict.fromkeys(d.ids, 0.0), **peaks}, floor=d.floor, vocab=d.vocab, tail=d.tail)
    return Distribution.of(peaks, vocab=d.vocab, tail=0)


def _cut(d: Distribution, *, above: int, tail: int, below: int) -> Distribution:
    """Keep so many listed tokens from the top, so many floor tokens, and so many listed ones under the floor."""
    under = d.above_floor
    kept = {*range(above), *range(under, under + below)}
    # Cut tokens stay listed with probability 0 while a tail remains, so that the tail does not let them back in.
    pairs = enumerate(zip(d.ids, d.probs, strict=True))
    peaks = {token: p if n in kept else 0.0 for n, (token, p) in pairs if n in kept or tail}
    return Distribution.of(peaks, floor=d.floor if tail else 0.0, vocab=d.vocab, tail=tail)


class Sampler:
    """Draws the tokens of one generated text: holds its generator and, for the penalties, its counts."""

    def __init__(self, params: SamplingParams, rng: Random) -> None:
        self.params = params
        self._rng = rng
        self._counts: Counter[int] | None = Counter() if params.depends_on_history else None
        self.pick: Callable[[Distribution], int] = self._way()
        """The next token id."""

    def _way(self) -> Callable[[Distribution], int]:
        """How to pick, decided once a text and not once a token."""
        params = self.params
        if self._counts is not None:
            return self._pick_counting
        if params.temperature == 0 and not params.logit_bias:
            return attrgetter("best")
        if params == NEUTRAL:
            return methodcaller("draw", self._rng)
        self._shaped = _SHAPED.setdefault(params, {})
        if len(_SHAPED) > PARAMS_KEPT:
            del _SHAPED[next(iter(_SHAPED))]
        return self._pick_shaped

    def _pick_shaped(self, d: Distribution) -> int:
        known = self._shaped.get(id(d))
        if known is None or known[0] is not d:
            if len(self._shaped) > SHAPED_KEPT:
                self._shaped.clear()
            known = self._shaped[id(d)] = (d, shape(d, self.params))
        return known[1].draw(self._rng)

    def _pick_counting(self, d: Distribution) -> int:
        token = shape(d, self.params, self._counts).draw(self._rng)
        self._counts[token] += 1  # type: ignore[index]
        return token


NEUTRAL = SamplingParams()


# Distributions are immutable and an engine hands the same object out again, so what a parameter set made of one is
# worth keeping: {params: {id(distribution): (distribution, shaped)}}. The distribution itself is held, so that its
# id cannot be reused.
_SHAPED: dict[SamplingParams, dict[int, tuple[Distribution, Distribution]]] = {}
