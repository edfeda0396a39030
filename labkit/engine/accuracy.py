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
LONGEST = 600


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


WORDINGS = (
    Wording("in the prompt", lambda t, n, s: (_user(f"Classify this message as {n}. Answer with one word.\n\n{t}"),)),
    Wording("in the system prompt", lambda t, n, s: (Turn("system", f"Labels: {n}. Reply with the label only. Classify the message."), _user(t))),
    Wording("few-shot", _shots),
    Wording("JSON", lambda t, n, s: (_user(f'Which label fits, {n}? Return JSON like {{"label": "..."}}.\n\nText: {t}'),)),
)


def accuracy(engine: EmbeddedEngine, name: str, wording: Wording, tier: str) -> tuple[float, float]:
    """Shares of answers that are right, and that are a label in the wanted form at all."""
    names = tuple(datasets.LABELS[name])
    shown = [(str(r["text"]), str(r["label"])) for label in names for r in _first(name, label)]
    rows = datasets.records(name)
    said = [_label(_say(engine, wording.turns(str(r["text"]), _listed(names), shown), tier)) for r in rows]
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


def table(engine: EmbeddedEngine, names: Sequence[str]) -> Iterator[str]:
    """Lines of Markdown tables."""
    for name in names or ("sentiment", "tickets"):
        yield f"\n{name}, {len(datasets.records(name))} held-out texts, right at T = 0\n"
        yield "| wording | small | standard | large |"
        yield "|---|---|---|---|"
        for wording in WORDINGS:
            found = [accuracy(engine, name, wording, tier) for tier in TIERS]
            yield f"| {wording.name} | " + " | ".join(f"{right:.1%}" for right, _ in found) + " |"
        for size in PACKS[1:]:
            yield f"| {size} in one prompt | " + " | ".join(f"{packed(engine, name, size, t):.1%}" for t in TIERS) + " |"


def _say(engine: EmbeddedEngine, turns: tuple[Turn, ...], tier: str) -> str:
    return generate(engine, Prompt(turns, tier), SamplingParams(temperature=0), 0, longest=LONGEST).text


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
