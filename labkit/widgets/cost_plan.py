"""A month's bill from a few assumptions, without a widget: what each saving takes off, and the arithmetic in words.

    per request = (tokens x share x rate, summed over read-from-cache, fresh and output) / 1,000,000
    month       = requests a day x 30 x per request, summed over the models and over batch and live

Rates come from `labkit.prices`. Writing a cache is not in here: Anthropic charges more for it than for fresh input, so
a prefix that is read only once or twice saves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from labkit import prices, registry
from labkit.usage import Usage

DAYS = 30


class Line(NamedTuple):
    """One bar: the bill with the savings so far."""

    name: str
    usd: float
    """A month."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A workload and how it is served. Shares are between 0 and 1."""

    model: str
    cheaper: str
    requests: int = 10_000
    """A day."""
    input: int = 500
    """Prompt tokens a request."""
    output: int = 200
    """Answer tokens a request, hidden reasoning included."""
    cached: float = 0.0
    """Part of the prompt that a prompt cache holds."""
    batch: float = 0.0
    """Part of the requests that can wait for the batch API."""
    moved: float = 0.0
    """Part of the requests that go to the cheaper model."""

    def __post_init__(self) -> None:
        for model in (self.model, self.cheaper):
            prices.price(model)
        for name in ("cached", "batch", "moved"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share between 0 and 1, got {getattr(self, name)!r}")
        for name in ("requests", "input", "output"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is a count, got {getattr(self, name)!r}")

    @property
    def month(self) -> float:
        """USD."""
        return (1 - self.moved) * self.month_of(self.model) + self.moved * self.month_of(self.cheaper)

    def month_of(self, model: str) -> float:
        """USD, if this model served everything."""
        each = (1 - self.batch) * self.per_request(model) + self.batch * self.per_request(model, batch=True)
        return self.requests * DAYS * each

    def usage(self, model: str) -> Usage:
        """Tokens of one request."""
        cached = round(self.input * self.cached) if self.caches(model) else 0
        return Usage(input=self.input - cached, cached=cached, output=self.output)

    def per_request(self, model: str, *, batch: bool = False) -> float:
        """USD."""
        return prices.cost(model, self.usage(model), batch=batch)

    def caches(self, model: str) -> bool:
        """Whether the shared prefix is long enough for this model's cache, which has a price of its own."""
        least = registry.find(model).min_cache_tokens
        return least is not None and self.input * self.cached >= least

    def steps(self) -> list[Line]:
        """The bill without any saving, then with one more each time."""
        bare = replace(self, cached=0.0, batch=0.0, moved=0.0)
        cached = replace(bare, cached=self.cached)
        batched = replace(cached, batch=self.batch)
        return [
            Line("as it is", bare.month),
            Line("with a cached prefix", cached.month),
            Line("and batches", batched.month),
            Line("and the cheaper model", self.month),
        ]

    def notes(self) -> list[str]:
        """Where an assumption has no effect, in a sentence each."""
        said = []
        for model in dict.fromkeys((self.model, self.cheaper)):
            least = registry.find(model).min_cache_tokens
            if self.cached and least is None:
                said.append(f"{model} has no prompt cache.")
            elif self.cached and not self.caches(model):
                prefix = round(self.input * self.cached)
                said.append(f"{model} caches prefixes of {least:,} tokens and more: these {prefix:,} stay uncached.")
            if self.batch and prices.price(model).batch is None:
                said.append(f"No batch price is listed for {model}: batches pay the full one.")
        return said

    def formula(self) -> str:
        """The arithmetic of the month, in lines of plain text."""
        parts = [(self.model, 1 - self.moved)] + ([(self.cheaper, self.moved)] if self.moved else [])
        rows = []
        for model, share in parts:
            for batch, part in ((False, 1 - self.batch), (True, self.batch)):
                if part and share:
                    rows.append(self._row(model, share * part, batch=batch))
        asked = f"{self.requests:,} a day x {DAYS} = {self.requests * DAYS:,} requests a month"
        return "\n".join([asked, *rows, f"month = {money(self.month)}"])

    def _row(self, model: str, share: float, *, batch: bool) -> str:
        usage, rates = self.usage(model), prices.price(model).rates(self.usage(model).prompt, batch=batch)
        read = rates.input if rates.cache_read is None else rates.cache_read
        terms = [f"{usage.input:,} x ${rates.input:g}"]
        terms += [f"{usage.cached:,} x ${read:g}"] if usage.cached else []
        terms += [f"{usage.output:,} x ${rates.output:g}"]
        requests = self.requests * DAYS * share
        usd = requests * self.per_request(model, batch=batch)
        return (
            f"{model}{', batch' if batch else ''}, {percent(share)} of the requests:\n"
            f"    {requests:,.0f} x ({' + '.join(terms)}) / 1,000,000 = {money(usd)}"
        )


def percent(share: float) -> str:
    """A share, not rounded to nothing.

    >>> percent(0.125), percent(1)
    ('12.5%', '100%')
    """
    return f"{100 * share:.4g}%"


def money(usd: float) -> str:
    """Cents as long as they matter.

    >>> money(810), money(0.0042)
    ('$810.00', '$0.0042')
    """
    return f"${usd:,.2f}" if usd >= 0.1 or usd == 0 else f"${usd:.2g}"
