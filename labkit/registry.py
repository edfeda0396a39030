"""The models the lab knows: one row each, saying what it accepts, how fast it is modelled and when it goes away.

The rows live in `models.toml`, with their sources; this module reads them once, on first use. Nothing here knows a
price (`labkit.prices`) or a network. A name that the registry lacks is an `UnknownModel`, which offers near ones.

>>> model("openai", "small") in {m.id for m in models("openai")}
True
>>> find("models/gemini-1.5-flash").successor
'gemini-3.8-flash'
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, fields
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

PROVIDERS = ("openai", "anthropic", "gemini", "bedrock", "self-hosted")
TIERS = ("small", "standard", "large", "sampling", "reasoning", "embedding", "retired")
"""What `model` can be asked for: three sizes, and four models chosen for what they show."""

REGIONS = ("us", "eu", "apac", "jp", "au", "global", "us-gov")
"""Prefixes of Bedrock's cross-region inference profiles: `us.anthropic.claude-...` is the model without `us.`."""


class UnknownModel(KeyError):
    """No model of that name; the message offers close ones."""

    def __init__(
        self, name: str, known: tuple[str, ...] = (), *, wanted: str = "model", choices: tuple[str, ...] = ()
    ) -> None:
        from difflib import get_close_matches  # only a mistake pays for it

        super().__init__(name)
        self.name = name
        self.close = tuple(get_close_matches(name, known, n=3, cutoff=0.5))
        near = f"; did you mean {' or '.join(self.close)}?" if self.close else ""
        listed = f"{' It' if near else '; it'} has {', '.join(choices)}"
        self.message = f"no {wanted} {name!r} in labkit's registry{near}{listed if choices else ''}"

    def __str__(self) -> str:  # KeyError would show the repr of its argument
        return self.message


@dataclass(frozen=True, slots=True)
class Model:
    """One row of the registry."""

    id: str
    provider: str
    """One of `PROVIDERS`."""
    name: str
    """For people."""
    context: int
    """Largest prompt, in the provider's own tokens."""
    kind: str = "chat"
    """"chat" or "embedding"."""
    tier: str = ""
    """"small", "standard" or "large": which quality of engine answers, and how fast. Empty for embeddings."""
    max_output: int = 0
    """Largest answer in tokens, reasoning included; 0 for embeddings."""

    sampling: str = "no"
    """Whether temperature, top_p and top_k are taken: "yes"; "effort-none" = only while reasoning effort is "none";
    "2023-06-01" = only under that anthropic-version; "ignored" = accepted without effect; "no" = refused."""
    max_temperature: float = 2.0
    temperature_with_top_p: bool = True
    """False: one of the two, not both."""
    logprobs: bool = False
    """With "effort-none" sampling, logprobs need effort "none" as well."""
    efforts: tuple[str, ...] = ()
    """Values of reasoning effort (OpenAI, Anthropic) or thinking level (Gemini); empty: no such parameter."""
    default_effort: str | None = None
    """What holds when the request says nothing."""
    thinking: str = "no"
    """"no", "optional" or "always"."""
    legacy_max_tokens: bool = False
    """OpenAI: `max_tokens` is accepted beside `max_completion_tokens`."""
    vision: bool = False
    tools: bool = False
    chat_tools: str = "yes"
    """OpenAI Chat Completions: "yes", "effort-none" or "no" (Responses only). Means nothing unless `tools`."""
    schema: bool = False
    """Output constrained by a JSON schema."""
    prefill: bool = False
    """A request may end with the beginning of the assistant's answer."""
    min_cache_tokens: int | None = None
    """Shortest prefix a prompt cache keeps; None: no prompt cache."""

    released: date | None = None
    """None: unknown."""
    retires: date | None = None
    """First day on which it no longer answers; None: no such day announced."""
    successor: str | None = None
    """Id to use instead; always set on a model that retires."""
    aliases: tuple[str, ...] = ()
    """Other ids for the same thing: dated snapshots, "-latest"."""

    price_key: str | None = None
    """Its name in the price file; None: no price per token."""
    encoding: str = "o200k_base"
    """The tiktoken encoding that counts for it."""
    exact_tokens: bool = True
    """False: the provider's tokenizer is not public and a local count is an estimate."""
    dimensions: int | None = None
    """Length of an embedding."""

    ttft_ms: float = 0.0
    """Modelled latency: time to first token of an empty prompt. A choice of ours, see models.toml."""
    prefill_tps: float = 0.0
    """Modelled speed of reading the prompt, tokens per second."""
    output_tps: float = 0.0
    """Modelled speed of writing, tokens per second."""

    def retired(self, today: date) -> bool:
        """Whether it no longer answers on that day."""
        return self.retires is not None and self.retires <= today

    @property
    def samples_by_default(self) -> bool:
        """Whether a plain request with a temperature is accepted and obeyed, with no other parameter or header."""
        return self.sampling == "yes" or (self.sampling == "effort-none" and self.default_effort == "none")


@dataclass(frozen=True)
class _Registry:
    rows: dict[str, Model]
    names: dict[str, str] = field(repr=False)
    """Any id or alias to the id of its row."""
    course: dict[str, dict[str, str]]
    prices: dict[str, dict[str, Any]] = field(repr=False)
    checked: date


def find(model_id: str) -> Model:
    """The row of a model id, an alias, "models/ID" (Gemini) or "us.ID" (Bedrock's regions).

    Raises:
        UnknownModel: a KeyError that names close matches.
    """
    registry = _load()
    name = registry.names.get(model_id) or registry.names.get(_bare(model_id))
    if name is None:
        known = tuple(registry.names)
        unknown = UnknownModel(model_id, known)
        raise unknown if unknown.close else UnknownModel(model_id, known, choices=_relatives(model_id))
    return registry.rows[name]


def models(
    provider: str | None = None, *, kind: str | None = None, today: date | None = None, include_retired: bool = False
) -> list[Model]:
    """Rows in the order of models.toml: those that answer on `today` (the real day unless given), or all."""
    day = today or date.today()
    return [
        m
        for m in _load().rows.values()
        if (provider is None or m.provider == provider)
        and (kind is None or m.kind == kind)
        and (include_retired or not m.retired(day))
    ]


def model(provider: str, tier: str = "small", *, today: date | None = None) -> str:
    """The course's model id for a provider and a tier (see `TIERS`).

    A default that has retired in the meantime gives way to its successor, so that an old clone of the course keeps
    working; asked for "retired", it stays what it is.

    Raises:
        UnknownModel: no such provider, or nothing of that tier.
    """
    course = _load().course
    if provider not in course:
        raise UnknownModel(provider, tuple(course), wanted="provider", choices=tuple(course))
    if tier not in course[provider]:
        tiers = tuple(course[provider])
        raise UnknownModel(tier, tiers, wanted=f"{provider} model for", choices=tiers)
    row = find(course[provider][tier])
    return row.id if tier == "retired" else _living(row, today or date.today()).id


def retiring(today: date | None = None, *, within_days: int = 90) -> list[Model]:
    """The course's default models that are gone on `today` or will be within so many days: what `doctor` warns of."""
    last = (today or date.today()) + timedelta(days=within_days)
    ids = {i for tiers in _load().course.values() for tier, i in tiers.items() if tier != "retired"}
    return [m for m in _load().rows.values() if m.id in ids and m.retired(last)]


def checked() -> date:
    """The day on which models.toml was last compared with its sources."""
    return _load().checked


def price_gaps() -> dict[str, dict[str, Any]]:
    """Prices for rows that the price file lacks, by price key: `labkit.prices` reads these."""
    return _load().prices


def _relatives(model_id: str) -> tuple[str, ...]:
    """Models that answer and belong to the provider whose naming an unknown id follows; else one a provider."""
    start = re.split(r"[-.\d]", _bare(model_id))[0]
    providers = [m.provider for m in models() if start and m.id.startswith(start)]
    if providers:
        return tuple(m.id for m in models(providers[0], kind="chat"))
    return tuple(model(provider) for provider in PROVIDERS)


def _living(row: Model, today: date) -> Model:
    while row.retired(today) and row.successor:
        row = find(row.successor)
    return row


def _bare(model_id: str) -> str:
    name = model_id.removeprefix("models/")
    region, dot, rest = name.partition(".")
    return rest if dot and region in REGIONS else name


@cache
def _load() -> _Registry:
    raw = tomllib.loads(Path(__file__).with_name("models.toml").read_text(encoding="utf-8"))
    rows = {i: _row(i, raw["families"][own["family"]] | own, raw["latency"]) for i, own in raw["models"].items()}
    names = {alias: row.id for row in rows.values() for alias in row.aliases} | {i: i for i in rows}
    return _Registry(rows, names, raw["course"], raw["prices"], raw["checked"])


_KEYS = frozenset(f.name for f in fields(Model))
_PRICE_PREFIX = {"gemini": "gemini/", "self-hosted": None}


def _row(model_id: str, values: dict[str, Any], latency: dict[str, dict[str, float]]) -> Model:
    values = {key: value for key, value in values.items() if key != "family"}
    prefix = _PRICE_PREFIX.get(values["provider"], "")
    row: dict[str, Any] = {"price_key": None if prefix is None else prefix + model_id}
    row |= latency[values.get("tier") or "none"] | values
    row |= {key: tuple(row[key]) for key in ("efforts", "aliases") if key in row}
    row["default_effort"] = row.get("default_effort") or None  # "" takes back the family's: TOML has no null
    if unknown := row.keys() - _KEYS:
        raise ValueError(f"models.toml: {model_id} has unknown keys {sorted(unknown)}")
    return Model(id=model_id, **row)
