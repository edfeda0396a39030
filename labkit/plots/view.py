"""What a picture of a next-token distribution shows, computed: no matplotlib, no server, no widget.

>>> from labkit.sampling import Distribution, SamplingParams
>>> d = Distribution.of({0: 0.5, 1: 0.3, 2: 0.2}, vocab=3)
>>> view = lens_view(d, SamplingParams(top_p=0.7), texts={0: " a", 1: " b", 2: " c"})
>>> view.kept, round(view.kept_mass, 3), [(b.label, b.kept) for b in view.bars]
(2, 0.8, [('␣a', True), ('␣b', True), ('␣c', False)])
>>> view.title
'T = 1.00, top_p = 0.70 keeps 2 of 3 tokens; 80.0 % of the mass'
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from labkit.plots.labels import END, visible
from labkit.sampling import Distribution, SamplingParams, shape

NOISE = 1e-12
"""A sum of 200,000 floats is not quite 1: less than this is nothing."""


@dataclass(frozen=True, slots=True)
class TokenBar:
    """One row of the picture. The last four are probabilities, 0 to 1."""

    id: int
    """Token id, or -1 for the row of all the others together."""
    label: str
    """The token's text with white space made visible."""
    model: float
    """What the model says, before any parameter: temperature 1."""
    heated: float
    """After bias and temperature, before anything is cut."""
    final: float
    """What is drawn from: after the cut, renormalised. 0 for a token that was cut."""
    cut: float
    """The part of `heated` that the cut took away: all or nothing for a token, any part for the row of all others."""

    @property
    def kept(self) -> bool:
        return self.final > 0


@dataclass(frozen=True, slots=True)
class LensView:
    """One distribution under one set of parameters."""

    bars: tuple[TokenBar, ...]
    """The most probable tokens, in the model's own order, so that a bar keeps its place when a slider moves."""
    rest: TokenBar
    """Everything else as one row: its probabilities are sums."""
    params: SamplingParams
    final: Distribution
    """What is drawn from."""
    kept: int
    """How many tokens can still be drawn."""
    tokens: int
    """How many tokens the model gives any probability."""
    kept_mass: float
    """Share of the heated distribution that survives the cut, 0 to 1."""
    entropy: float
    """Of `final`, in bits."""

    @property
    def cut_mass(self) -> float:
        return max(0.0, 1.0 - self.kept_mass)

    @property
    def title(self) -> str:
        """The finding in one sentence."""
        p = self.params
        if p.temperature == 0:
            return f"T = 0 always takes {self._best_label}; the model gives it {percent(self._best_mass)}"
        cuts = [f"T = {p.temperature:.2f}"]
        cuts += [f"top_p = {p.top_p:.2f}"] if p.top_p < 1 else []
        cuts += [f"top_k = {p.top_k}"] if p.top_k else []
        cuts += [f"min_p = {p.min_p:.2f}"] if p.min_p else []
        if self.kept == self.tokens:
            return f"{', '.join(cuts)} keeps all {self.tokens:,} tokens; nothing is cut"
        return f"{', '.join(cuts)} keeps {self.kept:,} of {self.tokens:,} tokens; {percent(self.kept_mass)} of the mass"

    def bar(self, token: int) -> TokenBar:
        """The row that shows this token id: its own, or that of everything else."""
        return next((b for b in self.bars if b.id == token), self.rest)

    @property
    def _best_label(self) -> str:
        return self.bar(self.final.best).label

    @property
    def _best_mass(self) -> float:
        return self.bar(self.final.best).model


def lens_view(
    distribution: Distribution,
    params: SamplingParams,
    top: int = 15,
    *,
    texts: Mapping[int, str | bytes],
    end: int | None = None,
) -> LensView:
    """Apply `params` with the sampler's own code and keep what a picture needs.

    Args:
        top: most rows; the tokens beyond it, and those that all have the same floor, are summed into one.
        texts: the text, or the bytes, of each token id; an id without one is shown as `#id`.
        end: the id of the end-of-text token.
    """
    heated = shape(distribution, replace(params, top_k=0, top_p=1.0, min_p=0.0))
    final = shape(distribution, params)
    kept_mass = _surviving(heated, final)
    peaks = [(i, p) for i, p in zip(distribution.ids, distribution.probs, strict=True) if p > distribution.floor]
    rows = [_bar(i, _label(i, texts, end), p, heated.prob(i), final.prob(i), kept_mass) for i, p in peaks[:top]]
    return LensView(
        bars=tuple(rows),
        rest=_rest(rows, support(distribution) - len(rows), kept_mass),
        params=params,
        final=final,
        kept=support(final),
        tokens=support(distribution),
        kept_mass=kept_mass,
        entropy=final.entropy() + 0.0,
    )


def support(d: Distribution) -> int:
    """How many tokens have any probability."""
    return sum(p > 0 for p in d.probs) + (d.tail if d.floor > 0 else 0)


def percent(share: float) -> str:
    """A share of 1 as a reader wants it: never "0.0 %" for something that is there.

    >>> [percent(x) for x in (1.0, 0.912, 0.0004, 3e-9, 0.0, 0.99999)]
    ['100 %', '91.2 %', '0.04 %', '<0.01 %', '0 %', '>99.9 %']
    """
    if share <= 0 or share >= 1 - 1e-9:
        return "0 %" if share <= 0 else "100 %"
    if share < 0.0001:
        return "<0.01 %"
    if share > 0.9995:
        return ">99.9 %"
    return f"{share:.1%}".replace("%", " %") if share >= 0.01 else f"{share:.2%}".replace("%", " %")


def _label(token: int, texts: Mapping[int, str | bytes], end: int | None) -> str:
    if token == end:
        return END
    return visible(texts[token]) if token in texts else f"#{token}"


def _bar(token: int, label: str, model: float, heated: float, final: float, kept_mass: float) -> TokenBar:
    cut = heated - final * kept_mass
    return TokenBar(token, label, model, heated, final, cut if cut > NOISE else 0.0)


def _rest(rows: list[TokenBar], others: int, kept_mass: float) -> TokenBar:
    def left(values: list[float]) -> float:
        missing = 1.0 - math.fsum(values)
        return missing if missing > NOISE else 0.0

    heated, final = left([r.heated for r in rows]), left([r.final for r in rows])
    return _bar(-1, f"{others:,} others", left([r.model for r in rows]), heated, final, kept_mass)


def _surviving(heated: Distribution, final: Distribution) -> float:
    """Mass of `heated` on the tokens that `final` keeps. Renormalising divides all of them by exactly this."""
    best = final.best
    return min(1.0, heated.prob(best) / final.prob(best))
