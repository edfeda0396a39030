"""What templates cannot do by themselves: arithmetic, counting, looking into the conversation.

A skill gets the prompt, the slots that were matched and the conversation, and gives further slots: or None when the
prompt is not one for it after all. `SKILL_SLOTS` says which slots a source file may use with each.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from labkit.engine.base import Turn
from labkit.engine.facts import told


@dataclass(frozen=True, slots=True)
class Asked:
    """What a skill may look at."""

    prompt: str
    slots: dict[str, str]
    history: tuple[Turn, ...]
    """The turns before the prompt."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a skill gives back."""

    slots: dict[str, str]
    conditions: frozenset[str] = frozenset()


Skill = Callable[[Asked], Found | None]

LARGEST = 1_000_000
_OPERATIONS = {
    "+": r"\+|plus|added to|and",
    "-": r"-|−|minus|less",
    "*": r"\*|x|×|times|multiplied by",
    "/": r"/|÷|divided by|over",
}
_NUMBER = r"(-?\d+(?:\.\d+)?)"
_SUM = re.compile(
    _NUMBER + r"\s*(" + "|".join(f"(?:{p})" for p in _OPERATIONS.values()) + r")\s*" + _NUMBER, re.IGNORECASE
)
_SHOWN = {"*": "×", "/": "÷"}
_SPOKEN = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}
_COUNTED = """zero one two three four five six seven eight nine ten
eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty"""
NUMBER_WORDS = {name: n for n, name in enumerate(_COUNTED.split())}


def arithmetic(asked: Asked) -> Found | None:
    """One operation on two numbers: slots a, b, sign, spoken, result."""
    found = _SUM.search(_digits(asked.prompt))
    if not found:
        return None
    sign = next(s for s, pattern in _OPERATIONS.items() if re.fullmatch(pattern, found[2], re.IGNORECASE))
    a, b = float(found[1]), float(found[3])
    if max(abs(a), abs(b)) > LARGEST or (sign == "/" and b == 0):
        return None
    value = {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else 0.0}[sign]
    return Found(
        {"a": _show(a), "b": _show(b), "sign": _SHOWN.get(sign, sign), "spoken": _SPOKEN[sign], "result": _show(value)}
    )


def _digits(text: str) -> str:
    return re.sub(r"[a-z]+", lambda m: str(NUMBER_WORDS.get(m[0], m[0])), text.lower())


def _show(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{round(value, 4):g}"


def count(asked: Asked) -> Found | None:
    """Numbers in a row, up or down: slots numbers, lines."""
    bounds = [int(n) for n in re.findall(r"\d+", _digits(asked.prompt))][:2]
    if not bounds:
        return None
    first, last = bounds if len(bounds) == 2 else (1, bounds[0])
    if re.search(r"\b(down|backwards?)\b", asked.prompt, re.IGNORECASE) and first < last:
        first, last = last, first
    if abs(last - first) > 200:
        return None
    step = 1 if last >= first else -1
    numbers = [str(n) for n in range(first, last + step, step)]
    return Found({"numbers": ", ".join(numbers), "lines": "\n".join(numbers), "first": numbers[0], "last": numbers[-1]})


_LIST_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def numbers(asked: Asked) -> Found | None:
    """A list of numbers in the prompt: slots items, total, mean, largest, smallest, ascending, descending."""
    values = [float(n) for n in _LIST_NUMBER.findall(asked.prompt)]
    if len(values) < 2 or max(map(abs, values)) > LARGEST:
        return None
    up = sorted(values)
    return Found(
        {
            "given": ", ".join(map(_show, values)),
            "total": _show(sum(values)),
            "sum": " + ".join(map(_show, values)),
            "amount": str(len(values)),
            "mean": _show(sum(values) / len(values)),
            "largest": _show(up[-1]),
            "smallest": _show(up[0]),
            "ascending": ", ".join(map(_show, up)),
            "descending": ", ".join(map(_show, up[::-1])),
        }
    )


def text(asked: Asked) -> Found | None:
    """The slot `text` turned about: slots upper, lower, title, backwards, words, letters."""
    given = asked.slots.get("text", "")
    if not given:
        return None
    return Found(
        {
            "upper": given.upper(),
            "lower": given.lower(),
            "title": given.title(),
            "backwards": given[::-1],
            "words": str(len(given.split())),
            "letters": str(sum(c.isalpha() for c in given)),
        }
    )


def recall(fact: str, asked: Asked) -> Found:
    """Something the user said of themselves earlier: slot named like the fact; condition known or unknown."""
    value = told(t.text for t in asked.history if t.role == "user").get(fact)
    return Found({fact: value or ""}, frozenset({"known" if value else "unknown"}))


def introduce(asked: Asked) -> Found | None:
    """What the user says of themselves in this prompt: slots name and likes, empty when not said."""
    facts = told([asked.prompt])
    return Found({"name": facts["name"]}) if "name" in facts else None


SKILLS: dict[str, Skill] = {
    "arithmetic": arithmetic,
    "count": count,
    "numbers": numbers,
    "text": text,
    "introduce": introduce,
    **{f"recall-{fact}": partial(recall, fact) for fact in ("name", "likes", "city", "job", "favourite")},
}

SKILL_SLOTS: dict[str, set[str]] = {
    "arithmetic": {"a", "b", "sign", "spoken", "result"},
    "count": {"numbers", "lines", "first", "last"},
    "numbers": {
        "given", "total", "sum", "amount", "mean", "largest", "smallest", "ascending", "descending",
    },
    "text": {"upper", "lower", "title", "backwards", "words", "letters"},
    "introduce": {"name"},
    **{f"recall-{fact}": {fact} for fact in ("name", "likes", "city", "job", "favourite")},
    "wrap": {"answer"},
    "label": {"label"},
}  # fmt: skip
