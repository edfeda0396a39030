"""How often each tier is right on the labelled sets, through prompts in several wordings.

python -m labkit.engine.report --accuracy            # every set, wording and tier, at T = 0
python -m labkit.engine.report --accuracy tickets    # one set

The sets are `labkit.datasets`, split `held_out`: nothing else of the engine reads them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from labkit import datasets
from labkit.engine.base import Prompt, Turn
from labkit.engine.embedded import EmbeddedEngine
from labkit.engine.report import generate
from labkit.sampling import SamplingParams

TIERS = ("small", "standard", "large")
PACKS = (1, 5, 10, 20)
"""Items in one prompt."""
HOT = 1.0
LONGEST = 600
EXTRACT = f"Extract {', '.join(datasets.ENTITIES)} from the notice as JSON, dates as YYYY-MM-DD."
_TYPES = {name: {"type": ["number" if name == "amount" else "string", "null"]} for name in datasets.ENTITIES}
NOTICE = json.dumps({"type": "object", "properties": _TYPES, "required": list(_TYPES), "additionalProperties": False})


@dataclass(frozen=True, slots=True)
class Wording:
    """One way to ask for labels."""

    name: str
    turns: Callable[[str, str, list[tuple[str, str]]], tuple[Turn, ...]]
    """From the text, the labels as a list in words, and examples (text, label)."""


def _user(text: str) -> Turn:
    return Turn("user", text)


def _shots(text: str, names: str, seen: list[tuple[str, str]]) -> tuple[Turn, ...]:
    shown = [turn for shot, label in seen for turn in (_user(shot), Turn("assistant", label))]
    return (Turn("system", f"Classify each message as {names}."), *shown, _user(text))


def _in_prompt(text: str, names: str, seen: list[tuple[str, str]]) -> tuple[Turn, ...]:
    return (_user(f"Classify this message as {names}. Answer with one word.\n\n{text}"),)


def _in_system(text: str, names: str, seen: list[tuple[str, str]]) -> tuple[Turn, ...]:
    return Turn("system", f"Classify the message. Labels: {names}. Reply with the label only."), _user(text)


def _as_json(text: str, names: str, seen: list[tuple[str, str]]) -> tuple[Turn, ...]:
    return (_user(f'Which label fits, {names}? Return JSON like {{"label": "..."}}.\n\nText: {text}'),)


WORDINGS = (
    Wording("in the prompt", _in_prompt),
    Wording("in the system prompt", _in_system),
    Wording("few-shot", _shots),
    Wording("JSON", _as_json),
)


def accuracy(
    engine: EmbeddedEngine, name: str, wording: Wording, tier: str, temperature: float = 0.0
) -> tuple[float, float]:
    """Shares of answers that are right, and that are a label in the wanted form at all."""
    names = tuple(datasets.LABELS[name])
    shown = [(str(r["text"]), str(r["label"])) for label in names for r in _first(name, label)]
    rows = datasets.records(name)
    asked = [wording.turns(str(r["text"]), _listed(names), shown) for r in rows]
    said = [_label(_say(engine, turns, tier, temperature, seed)) for seed, turns in enumerate(asked)]
    right = sum(answer == row["label"] for answer, row in zip(said, rows, strict=True))
    return right / len(rows), sum(answer in names for answer in said) / len(rows)


def packed(engine: EmbeddedEngine, name: str, size: int, tier: str) -> float:
    """Share of right labels when one prompt has `size` texts."""
    names, rows = tuple(datasets.LABELS[name]), datasets.records(name)
    asked = f"Classify each message as {_listed(names)}. Answer with a numbered list of labels.\n\n"
    right = 0
    for start in range(0, len(rows), size):
        pack = rows[start : start + size]
        listed = "\n".join(f"{n}. {row['text']}" for n, row in enumerate(pack, 1))
        lines = _say(engine, (_user(asked + listed),), tier).splitlines()
        given = [re.sub(r"^\d+\. ", "", line).strip().lower() for line in lines]
        right += sum(a == row["label"] for a, row in zip(given, pack, strict=False))
    return right / len(rows)


def extracted(engine: EmbeddedEngine, wording: str, tier: str) -> tuple[float, float]:
    """Shares of fields, and of whole notices, that are read rightly: a schema, or a prompt that asks for JSON."""
    rows = datasets.records("notices")
    fields = whole = 0
    for row in rows:
        turns = (_user(f"{EXTRACT}\n\n{row['text']}"),)
        prompt = Prompt(turns, tier, schema=NOTICE if wording == "schema" else None)
        answer = generate(engine, prompt, SamplingParams(temperature=0), 0, longest=LONGEST).text
        try:
            given = json.loads(answer)
        except ValueError:
            continue
        right = sum(given.get(name) == row[name] for name in datasets.ENTITIES)
        fields, whole = fields + right, whole + (right == len(datasets.ENTITIES))
    return fields / len(rows) / len(datasets.ENTITIES), whole / len(rows)


def table(engine: EmbeddedEngine, names: Sequence[str]) -> Iterator[str]:
    """Lines of Markdown tables."""
    chosen = names or ("sentiment", "tickets", "notices")
    if "notices" in chosen:
        yield from notices(engine)
    for name in (n for n in chosen if n != "notices"):
        yield f"\n{name}, {len(datasets.records(name))} held-out texts, right at T = 0 unless said\n"
        yield "| wording | small | standard | large |"
        yield "|---|---|---|---|"
        for wording in WORDINGS:
            found = [accuracy(engine, name, wording, tier) for tier in TIERS]
            yield f"| {wording.name} | " + " | ".join(f"{right:.1%}" for right, _ in found) + " |"
        hot = [accuracy(engine, name, WORDINGS[0], tier, HOT)[0] for tier in TIERS]
        yield f"| {WORDINGS[0].name}, T = {HOT:g} | " + " | ".join(f"{right:.1%}" for right in hot) + " |"
        for size in PACKS[1:]:
            shares = [packed(engine, name, size, tier) for tier in TIERS]
            yield f"| {size} in one prompt | " + " | ".join(f"{right:.1%}" for right in shares) + " |"


def summary(engine: EmbeddedEngine) -> Iterator[str]:
    """The table of README.md: each set by the first wording, at T = 0 and T = 1, packed, and the notices."""
    yield "| set | small | standard | large |"
    yield "|---|---|---|---|"
    for name in ("sentiment", "tickets"):
        for temperature in (0.0, HOT):
            right = [accuracy(engine, name, WORDINGS[0], tier, temperature)[0] for tier in TIERS]
            yield summary_row(f"`{name}`, {len(datasets.records(name))} texts, T = {temperature:g}", right)
    for size in PACKS[-2:]:
        right = [packed(engine, "tickets", size, tier) for tier in TIERS]
        yield summary_row(f"`tickets`, {size} in one prompt, T = 0", right)
    read = [extracted(engine, "prompt", tier) for tier in TIERS]
    count = len(datasets.records("notices"))
    yield summary_row(f"`notices`, {count}, fields right, T = 0", [fields for fields, _ in read])
    yield summary_row(f"`notices`, all {len(datasets.ENTITIES)} fields right, T = 0", [whole for _, whole in read])


def summary_row(name: str, shares: Sequence[float]) -> str:
    """A row of that table."""
    return f"| {name} | {' | '.join(f'{share:.1%}' for share in shares)} |"


def notices(engine: EmbeddedEngine) -> Iterator[str]:
    """The table of what is read from notices."""
    yield f"\nnotices, {len(datasets.records('notices'))} held-out texts, fields (whole notices) right at T = 0\n"
    yield "| asked by | small | standard | large |"
    yield "|---|---|---|---|"
    for wording in ("schema", "prompt"):
        found = [extracted(engine, wording, tier) for tier in TIERS]
        yield f"| {wording} | " + " | ".join(f"{part:.1%} ({whole:.1%})" for part, whole in found) + " |"


def _say(engine: EmbeddedEngine, turns: tuple[Turn, ...], tier: str, temperature: float = 0.0, seed: int = 0) -> str:
    return generate(engine, Prompt(turns, tier), SamplingParams(temperature=temperature), seed, longest=LONGEST).text


def _label(answer: str) -> str:
    try:
        value = json.loads(answer)
    except ValueError:
        return answer.strip().strip(".").lower()
    return str(value.get("label", "")).lower() if isinstance(value, dict) else answer


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _first(name: str, label: str) -> list[dict[str, object]]:
    return [row for row in datasets.records(name, split="seen") if row["label"] == label][:1]
