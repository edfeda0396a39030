"""Conversions that a request wants: what is converted from, and into what.

    "How many pounds are 70 kg?"   ->  from kilograms ("kg") to pounds ("pounds")
    "GBP 75 to euros please"       ->  from GBP to EUR

What a sum or a measure stands beside is the source, what else is named the target.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from labkit.engine.quantities import CURRENCIES, SYMBOLS
from labkit.engine.quantities import UNITS as CURRENCY_NAMES

MEASURES = {
    "length": {
        "kilometres": "km kms kilometre kilometres kilometer kilometers",
        "metres": "m metre metres meter meters",
        "centimetres": "cm centimetre centimetres centimeter centimeters",
        "millimetres": "mm millimetre millimetres millimeter millimeters",
        "miles": "mi mile miles",
        "yards": "yd yard yards",
        "feet": "ft foot feet",
        "inches": "inch inches",
    },
    "weight": {
        "kilograms": "kg kgs kilo kilos kilogram kilograms kilogramme kilogrammes",
        "grams": "g gram grams gramme grammes",
        "pounds": "lb lbs pound pounds",
        "ounces": "oz ounce ounces",
        "stone": "stone",
    },
    "volume": {
        "litres": "l litre litres liter liters",
        "millilitres": "ml millilitre millilitres milliliter milliliters",
        "gallons": "gal gallon gallons",
        "pints": "pint pints",
        "cups": "cup cups",
    },
    "temperature": {
        "celsius": "c °c celsius centigrade",
        "fahrenheit": "f °f fahrenheit",
        "kelvin": "k kelvin",
    },
    "time": {
        "seconds": "s sec secs second seconds",
        "minutes": "min mins minute minutes",
        "hours": "h hr hrs hour hours",
        "days": "day days",
        "weeks": "week weeks",
    },
}
"""What is measured -> unit -> how it is written."""
_UNIT = {word: unit for units in MEASURES.values() for unit, words in units.items() for word in words.split()}
_MEASURE = {unit: measure for measure, units in MEASURES.items() for unit in units}
_WRITTEN = re.compile(
    r"(?<![^\W\d_])(?:degrees? |°\s?)?(?P<unit>"
    + "|".join(sorted(map(re.escape, _UNIT), key=len, reverse=True))
    + r")(?![^\W\d_])",
    re.IGNORECASE,
)
_CURRENCY = re.compile(rf"\b(?:{'|'.join(CURRENCIES)})\b|[$€£¥₩₹]|\b(?:{'|'.join(CURRENCY_NAMES)})s?\b", re.IGNORECASE)
_NUMBER_BEFORE = re.compile(r"\d[\d.,]*\s*-?\s*$")
_NUMBER_BEHIND = re.compile(r"\s?\d")
_LONGEST_LETTERS = 1
"""A unit of so few letters counts only behind a number, or behind "to" or "in"."""
_TARGET = re.compile(r"\b(?:to|in|into|as)\s+(?:degrees?\s+)?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Named:
    """A unit or currency that a text names."""

    name: str
    """"kilometres", "EUR"."""
    written: str
    start: int
    end: int
    at_amount: bool
    """Whether a number stands beside it."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """From what to what."""

    source: Named
    target: Named
    of_money: bool

    @property
    def kind(self) -> str:
        """What is converted: money or units."""
        return "money" if self.of_money else "units"


@lru_cache(maxsize=512)
def conversion(text: str) -> Conversion | None:
    """The conversion that a text wants; None unless it names two units of one measure, or two currencies.

    >>> found = conversion("Convert 5 miles to kilometres")
    >>> found.source.name, found.target.name
    ('miles', 'kilometres')
    """
    for of_money, named in ((True, list(_currencies(text))), (False, list(_units(text)))):
        source = next((n for n in named if n.at_amount), None)
        if source is None:
            continue
        others = [n for n in named if n.name != source.name and (of_money or _alike(n, source))]
        if others:
            return Conversion(source, others[0], of_money)
    return None


def _alike(one: Named, other: Named) -> bool:
    return _MEASURE[one.name] == _MEASURE[other.name]


def _units(text: str) -> Iterable[Named]:
    for m in _WRITTEN.finditer(text):
        at_amount = bool(_NUMBER_BEFORE.search(text[: m.start()]))
        short = len(m["unit"]) <= _LONGEST_LETTERS and not (at_amount or _TARGET.search(text[: m.start()]))
        if not short:
            yield Named(_UNIT[m["unit"].lower()], m["unit"], *m.span("unit"), at_amount)


def _currencies(text: str) -> Iterable[Named]:
    for m in _CURRENCY.finditer(text):
        code = SYMBOLS.get(m[0]) or CURRENCY_NAMES.get(m[0].lower().rstrip("s")) or m[0].upper()
        beside = _NUMBER_BEFORE.search(text[: m.start()]) or _NUMBER_BEHIND.match(text[m.end() :])
        yield Named(code, m[0], *m.span(), bool(beside))


def canonical(written: str) -> str:
    """The usual name of a unit, the text itself in small letters where it is none.

    >>> canonical("km"), canonical("Fahrenheit"), canonical("blue")
    ('kilometres', 'fahrenheit', 'blue')
    """
    plain = written.lower()
    return _UNIT.get(plain, plain)


SOURCE_WORDS = frozenset({"from", "source", "base", "input", "current"})
TARGET_WORDS = frozenset({"to", "target", "into", "destination", "output", "quote", "desired"})


def side(found: Conversion, words: Sequence[str]) -> Named | None:
    """What a parameter with these words in its name gets; None for one that is neither side."""
    if TARGET_WORDS & set(words):
        return found.target
    if SOURCE_WORDS & set(words):
        return found.source
    return found.source if {"unit", "units", "scale"} & set(words) else None
