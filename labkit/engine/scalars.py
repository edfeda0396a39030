"""Plain values for a schema where the prompt holds none: a number within bounds, a string that a pattern admits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import islice
from random import Random
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from labkit.engine.formats import EXAMPLES
from labkit.engine.validity import Json, number_bounds, number_fits, string_fits

UNKNOWN = ("unknown", "not given", "n/a")
"""What is written for a string that the prompt says nothing about."""
FILLER = "The text does not say more about this. "
LONGEST = 20_000
TRIES = 40


def plain_values(schema: Mapping[str, Any], kind: str, most: int = 3) -> list[Json]:
    """A few values that the schema admits, the plainest first; none if none was found."""
    found: list[Json] = []
    for value in _values(schema, kind):
        if value not in found:
            found.append(value)
        if len(found) >= max(most, 1):
            break
    return found


def _values(schema: Mapping[str, Any], kind: str) -> Iterator[Json]:
    given = [schema[key] for key in ("default", "example") if key in schema]
    given += schema["examples"] if isinstance(schema.get("examples"), list) else []
    if kind == "boolean":
        yield from [value for value in given if isinstance(value, bool)] or [False, True]
    elif kind == "string":
        yield from (v for v in (*(g for g in given if isinstance(g, str)), *strings(schema)) if string_fits(schema, v))
    else:
        numbers = [v for v in given if isinstance(v, int | float) and not isinstance(v, bool)]
        for number in (*numbers, *_numbers(schema, kind)):
            whole = int(number) if number == int(number) else number
            if (kind == "number" or isinstance(whole, int)) and number_fits(schema, whole):
                yield whole


def _numbers(schema: Mapping[str, Any], kind: str) -> Iterator[float]:
    """Numbers near the bounds that are there, else near 0; multiples first when they must be."""
    low, high, above, below = number_bounds(schema)
    low, high = max(low, above), min(high, below)
    step = Fraction(schema.get("multipleOf", 1))
    if kind == "integer" and step.denominator != 1:
        step = Fraction(step.numerator)
    base = low if math.isfinite(low) and low > 0 else high if math.isfinite(high) and high < 0 else 0
    first = math.floor(Fraction(base) / step)
    for n in (1, 0, 2, -1, 3, -2, 4, 5) if base else (0, 1, -1, 2, -2, 3):
        yield _as_number((first + n) * step)
    if kind == "number" and "multipleOf" not in schema:
        yield from (base, low, high) if math.isfinite(low) and math.isfinite(high) else (low,) * math.isfinite(low)
        if math.isfinite(low) and math.isfinite(high):
            yield from (low + (high - low) * share for share in (0.5, 0.25, 0.75, 1 / 3))
        yield from (math.nextafter(low, math.inf), math.nextafter(high, -math.inf))


def _as_number(value: Fraction) -> float:
    return value.numerator if value.denominator == 1 else float(value)


def strings(schema: Mapping[str, Any]) -> Iterator[str]:
    """Strings to try, in the order of how much they say. Not all of them fit."""
    fewest = int(schema.get("minLength", 0))
    if "pattern" in schema:
        yield from from_pattern(schema["pattern"], fewest)
    name = schema.get("format")
    yield from EXAMPLES.get(name, ()) if isinstance(name, str) else ()
    most = schema.get("maxLength", LONGEST)
    yield from (word for word in UNKNOWN if fewest <= len(word) <= most)
    if fewest <= LONGEST:
        yield from (shortened(text, most) for text in UNKNOWN)
        yield from (_stretched(text, fewest, most) for text in (FILLER, "x"))
        yield from (f"{text} {n}"[: int(most)] for n in range(1, 100) for text in ("item",))


def _stretched(text: str, fewest: int, most: float) -> str:
    long = (text * (fewest // len(text) + 1))[: max(fewest, 1)]
    stripped = long.rstrip()
    return stripped + "." * (len(long) - len(stripped)) if len(long) <= most else long[: int(most)]


def shortened(text: str, most: float) -> str:
    """At most so many characters, cut between words where that leaves any.

    >>> shortened("a long way to go", 8)
    'a long'
    """
    if len(text) <= most:
        return text
    cut = text[: int(most)]
    return cut.rsplit(None, 1)[0].rstrip(",;: ") or cut if " " in cut.strip() else cut


def from_pattern(pattern: str, fewest: int = 0) -> Iterator[str]:
    """Strings that are likely to match a pattern; the caller checks.

    >>> next(from_pattern("^[A-Z]{2}-[0-9]{3}$"))
    'AA-000'
    """
    try:
        parsed = parser.parse(pattern)
    except Exception:  # the dialects of JSON schema and Python differ in corners: other guesses remain
        return
    lengths = [0, 1, 2, 4, 8, fewest, fewest + 1]
    for n in range(TRIES):
        extra = lengths[n % len(lengths)] if fewest <= LONGEST else 0
        try:
            yield "".join(islice(_written(parsed, Random(n), n, extra, {}), LONGEST))
        except (_Hopeless, RecursionError):
            continue


class _Hopeless(Exception):
    """This part of a pattern cannot be written."""


def _written(
    parsed: Iterable[tuple[Any, Any]], rng: Random, turn: int, extra: int, groups: dict[int, str]
) -> Iterator[str]:
    """Characters for each part of a parsed pattern. On turn 0 always the first alternative, later any."""
    for operation, value in parsed:
        name = str(operation)
        if name == "LITERAL":
            yield chr(value)
        elif name == "NOT_LITERAL":
            yield "a" if value != ord("a") else "b"
        elif name == "ANY":
            yield "a"
        elif name == "IN":
            yield _one_of(value, rng, turn)
        elif name == "BRANCH":
            branches = value[1]
            yield from _written(branches[0] if turn == 0 else rng.choice(branches), rng, turn, extra, groups)
        elif name == "SUBPATTERN":
            groups[value[0]] = "".join(_written(value[-1], rng, turn, extra, groups))
            yield groups[value[0]]
        elif name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            fewest, most, inner = value
            wanted = max(fewest, min(fewest + extra, LONGEST))
            times = min(int(most), wanted)
            if times > LONGEST:
                raise _Hopeless
            for _ in range(times):
                yield from _written(inner, rng, turn, extra if extra < 3 else 1, groups)
        elif name == "GROUPREF":
            yield groups.get(value, "")
        elif name == "ATOMIC_GROUP":
            yield from _written(value, rng, turn, extra, groups)
        elif name == "ASSERT" and turn % 2:
            yield ""
        elif name not in ("AT", "ASSERT", "ASSERT_NOT"):
            raise _Hopeless


_CLASSES = {"CATEGORY_DIGIT": "0123456789", "CATEGORY_WORD": "abcdefgh0123456789", "CATEGORY_SPACE": " "}
_OUTSIDE = {"CATEGORY_NOT_DIGIT": "abc", "CATEGORY_NOT_WORD": "- ", "CATEGORY_NOT_SPACE": "abc"}


def _one_of(parts: list[tuple[Any, Any]], rng: Random, turn: int) -> str:
    """A character of a class."""
    negated = bool(parts) and str(parts[0][0]) == "NEGATE"
    choices: list[str] = []
    for operation, value in parts[negated:]:
        if str(operation) == "LITERAL":
            choices.append(chr(value))
        elif str(operation) == "RANGE":
            choices += map(chr, range(value[0], min(value[1], value[0] + 127) + 1))
        elif str(operation) == "CATEGORY":
            choices += (_CLASSES | _OUTSIDE).get(str(value), "")
    if negated:
        choices = [c for c in "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789 -_.,/" if c not in choices]
    if not choices:
        raise _Hopeless
    return choices[0] if turn == 0 else rng.choice(choices)
