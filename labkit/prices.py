"""What a call costs: the providers' list prices, as litellm's price file has them.

The file lies in the installed litellm package and is read without importing it; only the rows asked for are kept.
`source()` says which release the figures are from: show it beside every figure. Where the file has no row, or a row
lacks a rate, `models.toml` fills the gap, with a source of its own.

Nothing is derived by a rule of thumb ("batch is half", "a cache read is a tenth"): every rate is a number of the row.
The one exception is stated in `_batch_rates`.

>>> round(cost("gpt-4o-mini", Usage(input=1_000_000, output=1_000_000)), 6)
0.75
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from labkit import registry
from labkit.usage import Usage

PRICE_FILE = "model_prices_and_context_window_backup.json"
MILLION = 1_000_000


class UnknownPrice(LookupError):
    """The registry has the model, but no price per token is known: mostly models that are gone."""


@dataclass(frozen=True, slots=True)
class Rates:
    """USD per million tokens. None: the provider does not charge this separately, so the input rate holds."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    """Kept for the short time: 5 minutes (Anthropic), 30 minutes (OpenAI)."""
    cache_write_long: float | None = None
    """Kept for the long time: 1 hour (Anthropic), 12 hours (OpenAI)."""

    def cost(self, usage: Usage) -> float:
        """USD. A written token falls back to the other writing rate, then to the input rate; a read one to input."""
        write = _first(self.cache_write, self.input)
        return (
            usage.input * self.input
            + usage.cached * _first(self.cache_read, self.input)
            + usage.cache_write * write
            + usage.cache_write_long * _first(self.cache_write_long, write)
            + usage.output * self.output
        ) / MILLION


@dataclass(frozen=True, slots=True)
class Price:
    """All rates of one model."""

    model: str
    standard: Rates
    batch: Rates | None = None
    """Through the batch API; None: no batch price, so the standard one holds."""
    long_context_above: int | None = None
    """Prompts of more tokens than this pay the long-context rates, for all of their tokens."""
    long_context: Rates | None = None
    long_context_batch: Rates | None = None
    """None: no discount is listed for long prompts, so a batch pays their full rate."""
    source: str = ""

    @property
    def input(self) -> float:
        return self.standard.input

    @property
    def output(self) -> float:
        return self.standard.output

    @property
    def cache_read(self) -> float | None:
        return self.standard.cache_read

    @property
    def cache_write(self) -> float | None:
        return self.standard.cache_write

    @property
    def cache_write_long(self) -> float | None:
        return self.standard.cache_write_long

    def rates(self, prompt_tokens: int = 0, *, batch: bool = False) -> Rates:
        """The rates that a prompt of that length pays."""
        if self.long_context and self.long_context_above is not None and prompt_tokens > self.long_context_above:
            return self.long_context_batch if batch and self.long_context_batch else self.long_context
        return self.batch if batch and self.batch else self.standard

    def cost(self, usage: Usage, *, batch: bool = False) -> float:
        """USD for one call. (Add costs, not usages: the sum of two short prompts is not a long one.)"""
        return self.rates(usage.prompt, batch=batch).cost(usage)


def price(model_id: str) -> Price:
    """List price of a model: any id the registry finds, or one of Bedrock's regional profiles at its own rate.

    Raises:
        registry.UnknownModel: no such model.
        UnknownPrice: known, but nobody lists a price.
    """
    row = registry.find(model_id)
    if row.price_key is None:  # self-hosted: the machine costs, the token does not
        return Price(row.id, Rates(0.0, 0.0), source="self-hosted: no price per token")
    key = model_id if row.provider == "bedrock" and model_id in _rows() else row.price_key
    return _price(key, row.id)


def cost(model_id: str, usage: Usage, *, batch: bool = False) -> float:
    """USD for one call of that usage, at the model's own rates for its prompt length."""
    return price(model_id).cost(usage, batch=batch)


def source() -> str:
    """Where the figures come from, to print beside them."""
    checked = registry.checked()
    return f"litellm {version('litellm')}, {PRICE_FILE}; gaps: labkit/models.toml of {checked.isoformat()}"


@cache
def _price(key: str, model_id: str) -> Price:
    row, gaps = _rows().get(key), registry.price_gaps().get(key, {})
    if row is None and "input" not in gaps:
        raise UnknownPrice(f"no price for {model_id!r} in {source()}")
    listed = _from_row(row) if row is not None else {}
    merged = _fill(listed, {k: v for k, v in gaps.items() if k != "source"})
    long = merged.pop("long_context", {})
    long_batch = merged.pop("long_context_batch", {})
    batch = merged.pop("batch", {})
    standard = Rates(**merged)
    return Price(
        model=model_id,
        standard=standard,
        batch=_batch_rates(standard, batch),
        long_context_above=long.pop("above", None),
        long_context=_long_rates(standard, long),
        long_context_batch=_batch_rates(_long_rates(standard, long), long_batch),
        source=_source_of(row, gaps),
    )


def _batch_rates(standard: Rates | None, listed: dict[str, float]) -> Rates | None:
    """Batch rates of a row. Where the row discounts input but says nothing of cached or written tokens (Anthropic's
    1-hour writes, some Gemini rows), they keep their standard rate: the row promises no discount on them."""
    return replace(standard, **listed) if standard and "input" in listed else None


def _long_rates(standard: Rates, listed: dict[str, float]) -> Rates | None:
    rates = {key: value for key, value in listed.items() if key != "above"}
    return replace(standard, **rates) if "input" in rates else None


_FIELDS = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "cache_write_long": "cache_creation_input_token_cost_above_1hr",
}
_LONG = re.compile(r"input_cost_per_token_above_(\d+)k_tokens")


def _from_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the price file, in USD per million tokens, with nested tables as `[prices]` in models.toml has them."""
    found = _pick(row, "") | {"batch": _pick(row, "_batches")}
    found.setdefault("output", 0.0)  # embeddings
    for match in filter(None, map(_LONG.fullmatch, row)):
        above = f"_above_{match[1]}k_tokens"
        found["long_context"] = _pick(row, above) | {"above": int(match[1]) * 1000}
        found["long_context_batch"] = _pick(row, above + "_batches")
    return found


def _pick(row: dict[str, Any], suffix: str) -> dict[str, float]:
    picked = {name: row.get(column + suffix) for name, column in _FIELDS.items()}
    # Rounding takes away the noise of 1e-07 * 1e6 = 0.09999999999999999.
    return {name: round(value * MILLION, 9) for name, value in picked.items() if value is not None}


def _fill(listed: dict[str, Any], gaps: dict[str, Any]) -> dict[str, Any]:
    """What is listed, and from `gaps` only what is not."""
    filled = dict(listed)
    for key, value in gaps.items():
        if isinstance(value, dict):
            filled[key] = value | filled.get(key, {})
        else:
            filled.setdefault(key, value)
    return filled


def _source_of(row: dict[str, Any] | None, gaps: dict[str, Any]) -> str:
    parts = [f"litellm {version('litellm')}"] if row is not None else []
    return "; ".join(parts + ([gaps["source"]] if gaps else []))


def _first(rate: float | None, otherwise: float) -> float:
    return otherwise if rate is None else rate


@cache
def _rows() -> dict[str, dict[str, Any]]:
    """The rows of the price file that the registry can ask for, the regional ones included."""
    spec = find_spec("litellm")
    if spec is None or spec.origin is None:
        raise UnknownPrice("the package litellm, whose wheel carries the price file, is not installed")
    everything = json.loads((Path(spec.origin).parent / PRICE_FILE).read_text(encoding="utf-8"))
    known = registry.models(include_retired=True)
    wanted = {m.price_key for m in known if m.price_key}
    wanted |= {f"{region}.{m.id}" for region in registry.REGIONS for m in known if m.provider == "bedrock"}
    return {key: everything[key] for key in wanted if key in everything}
