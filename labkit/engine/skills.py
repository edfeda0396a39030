"""What templates cannot do by themselves: arithmetic, counting, looking into the conversation.

A skill gets the prompt, the slots that were matched and the conversation, and gives further slots: or None when the
prompt is not one for it after all. `SKILL_SLOTS` says which slots a source file may use with each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from labkit.engine import sums
from labkit.engine.base import Turn
from labkit.engine.facts import told
from labkit.engine.sums import LARGEST, shown


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
_OTHER_OPERATIONS = re.compile(
    r"\b(?:squared?|cubed?|power|root|percent|factorial|modulo|mod)\b|[%^!√]|\*\*", re.IGNORECASE
)
"""What makes a sum one that is not worked out here."""
_SPOKEN = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}


def arithmetic(asked: Asked) -> Found | None:
    """One operation on two numbers: slots a, b, sign, spoken, result, and workings, a line a step."""
    found = _SUM.search(sums.digits(asked.prompt))
    whole = sums.expression(asked.prompt)
    if not found or _OTHER_OPERATIONS.search(asked.prompt) or (whole and len(whole.steps) > 1):
        return None
    sign = next(s for s, pattern in _OPERATIONS.items() if re.fullmatch(pattern, found[2], re.IGNORECASE))
    a, b = float(found[1]), float(found[3])
    if max(abs(a), abs(b)) > LARGEST or (sign == "/" and b == 0):
        return None
    value = {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else 0.0}[sign]
    return Found(
        {
            "a": shown(a),
            "b": shown(b),
            "sign": sums.SIGNS[sign],
            "spoken": _SPOKEN[sign],
            "result": shown(value),
            "workings": "\n".join(sums.workings(a, sign, b)),
        }
    )


def chain(asked: Asked) -> Found | None:
    """Several operations: slots expression, lines and row (its steps), result."""
    if _OTHER_OPERATIONS.search(asked.prompt):
        return None
    found = sums.expression(asked.prompt)
    return _in_steps(found) if found and len(found.steps) > 1 else None


def story(asked: Asked) -> Found | None:
    """A sum told as a story: slots expression, lines and row (its steps), result."""
    found = sums.story(asked.prompt)
    return _in_steps(found) if found else None


def _in_steps(found: sums.Sum) -> Found:
    return Found(
        {
            "expression": found.expression,
            "lines": "\n".join(found.steps),
            "row": ", then ".join(found.steps),
            "result": found.result,
        }
    )


def count(asked: Asked) -> Found | None:
    """Numbers in a row, up or down: slots numbers, lines."""
    bounds = [int(n) for n in re.findall(r"\d+", sums.digits(asked.prompt))][:2]
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
            "given": ", ".join(map(shown, values)),
            "total": shown(sum(values)),
            "sum": " + ".join(map(shown, values)),
            "amount": str(len(values)),
            "mean": shown(sum(values) / len(values)),
            "largest": shown(up[-1]),
            "smallest": shown(up[0]),
            "ascending": ", ".join(map(shown, up)),
            "descending": ", ".join(map(shown, up[::-1])),
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


_MARKED = re.compile(r"[\"“‘:]|(?<!\w)'")


def given_words(asked: Asked) -> Found | None:
    """Like `text`, where quotes or a colon mark the text: without them, a prompt asks about texts in general."""
    return text(asked) if _MARKED.search(asked.prompt) else None


SEVERAL = 5
"""How many are listed when the prompt gives no number."""


def several(asked: Asked) -> Found | None:
    """So many of the items of a table's row: slots numbered, bullets, row and quoted, and other_... of others."""
    items = [item.strip() for item in asked.slots.get("items", "").split(",")]
    wanted = [int(n) for n in re.findall(r"(?<![\w.])\d+(?![\w.]*\d)", sums.digits(asked.prompt))]
    amount = wanted[0] if wanted else min(SEVERAL, len(items))
    if not 0 < amount <= len(items):
        return None
    others = [*items[amount % len(items) :], *items[: amount % len(items)]]
    first, second = items[:amount], others[:amount]
    return Found({**_written(first, ""), **_written(second, "other_")})


def _written(items: list[str], prefix: str) -> dict[str, str]:
    return {
        f"{prefix}numbered": "\n".join(f"{n}. {item}" for n, item in enumerate(items, 1)),
        f"{prefix}bullets": "\n".join(f"- {item}" for item in items),
        f"{prefix}row": " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items),
        f"{prefix}quoted": json.dumps(items, ensure_ascii=False)[1:-1],
    }


def recall(fact: str, asked: Asked) -> Found:
    """Something the user said of themselves earlier: slot named like the fact; condition known or unknown."""
    value = told(t.text for t in asked.history if t.role == "user").get(fact)
    return Found({fact: value or ""}, frozenset({"known" if value else "unknown"}))


def introduce(asked: Asked) -> Found | None:
    """What the user says of themselves in this prompt: slots name and likes, empty when not said."""
    facts = told([asked.prompt])
    return Found({"name": facts["name"]}) if "name" in facts else None


def statement(asked: Asked) -> Found | None:
    """Nothing for a question: "What do I like?" tells nothing."""
    return None if "?" in asked.prompt else Found({})


def named(asked: Asked) -> Found | None:
    """The slot `fname` where it is a name that code can have: "a function that adds two numbers" names none."""
    name = asked.slots["fname"].strip("`").removesuffix("()")
    return Found({"fname": name}) if name.isidentifier() else None


SKILLS: dict[str, Skill] = {
    "arithmetic": arithmetic,
    "chain": chain,
    "story": story,
    "several": several,
    "given-words": given_words,
    "count": count,
    "named": named,
    "numbers": numbers,
    "text": text,
    "introduce": introduce,
    "statement": statement,
    **{f"recall-{fact}": partial(recall, fact) for fact in ("name", "likes", "city", "job", "favourite")},
}

SKILL_SLOTS: dict[str, set[str]] = {
    "arithmetic": {"a", "b", "sign", "spoken", "result", "workings"},
    "chain": {"expression", "lines", "row", "result"},
    "story": {"expression", "lines", "row", "result"},
    "several": {f"{which}{form}" for which in ("", "other_") for form in ("numbered", "bullets", "row", "quoted")},
    "given-words": {"upper", "lower", "title", "backwards", "words", "letters"},
    "count": {"numbers", "lines", "first", "last"},
    "named": {"fname"},
    "numbers": {
        "given", "total", "sum", "amount", "mean", "largest", "smallest", "ascending", "descending",
    },
    "text": {"upper", "lower", "title", "backwards", "words", "letters"},
    "introduce": {"name"},
    "statement": set(),
    **{f"recall-{fact}": {fact} for fact in ("name", "likes", "city", "job", "favourite")},
    "wrap": {"answer"},
    "label": {"label"},
}  # fmt: skip
