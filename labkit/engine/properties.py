"""What a property asks for, told from its name, title, description and format.

    customer_email -> email      dueDate -> date      num_guests -> number      reasoning -> a sentence of reasons

The last word of a name usually says what it is, the words before it whose. `properties.md` lists the words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from labkit.engine.evidence import Field
from labkit.engine.wordlists import sections
from labkit.engine.words import FUNCTION_WORDS, stem

_SPLIT = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

_FORMATS = {
    "date": "date",
    "date-time": "datetime",
    "time": "time",
    "email": "email",
    "idn-email": "email",
    "uri": "url",
    "url": "url",
    "iri": "url",
}
_NUMERIC = ("money", "percent", "confidence", "rating", "number", "code")
_TEXTUAL_OF_NUMERIC = ("number", "confidence", "rating")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a property asks for."""

    words: tuple[str, ...]
    """Of its name, small letters."""
    cues: frozenset[str]
    """Stems that stand near its value in a text: of its name, and of its title and description."""
    kinds: tuple[str, ...]
    """What it could be, the likeliest first."""
    hints: str
    """Title and description."""


@lru_cache(maxsize=8_192)
def wanted(name: str, kind: str, form: str, hints: str) -> Wanted:
    """Read a property.

    Args:
        kind: "string", "number", "integer", "boolean" or "choice".
        form: its `format`, or nothing.
        hints: title and description.
    """
    words = words_of(name)
    kinds = [_FORMATS[form]] if form in _FORMATS else []
    for word in _by_importance(words):
        kinds += _kinds().get(word, ())
    kinds += [k for word in words_of(hints) for k in _kinds().get(word, ())] if not kinds else []
    if "".join(words) in ("name", "fullname", "firstname", "lastname"):
        kinds = ["person", "name", "organisation"]
    if kind in ("integer", "number"):
        kinds = [k for k in kinds if k in _NUMERIC] + ["number"]
    elif kind == "string":
        kinds = [k for k in kinds if k not in _TEXTUAL_OF_NUMERIC]
    said = {stem(w) for w in words if w not in FUNCTION_WORDS and w not in _vague()} or {stem(w) for w in words}
    described = {stem(w) for w in words_of(hints) if w not in FUNCTION_WORDS and len(w) > 2}
    return Wanted(tuple(words), frozenset(said | described), tuple(dict.fromkeys(kinds)), hints)


def asked_by(field: Field) -> Wanted:
    """What a field of a schema asks for."""
    form = field.schema.get("format", "")
    return wanted(field.name, field.kind, form if isinstance(form, str) else "", hints_of(field.schema))


@cache
def _kinds() -> dict[str, list[str]]:
    """word -> what a property of that name asks for, the likeliest first."""
    found: dict[str, list[str]] = {}
    for kind, words in sections("properties.md")["kinds"].items():
        for word in words.split():
            found.setdefault(word, []).append(kind)
    return found


@cache
def _vague() -> frozenset[str]:
    return frozenset(sections("properties.md")["vague"][""].split())


def hints_of(schema: Mapping[str, Any]) -> str:
    """Title and description of a schema. A title that pydantic made from the name says nothing new and does no harm."""
    found = (schema.get("title"), schema.get("description"))
    return " ".join(text for text in found if isinstance(text, str))


def words_of(name: str) -> list[str]:
    """The words of an identifier or a phrase.

    >>> words_of("dueDate"), words_of("num_guests"), words_of("URLOfShop")
    (['due', 'date'], ['num', 'guests'], ['url', 'of', 'shop'])
    """
    return [word.lower() for word in _SPLIT.split(name) if word]


def _by_importance(words: Sequence[str]) -> list[str]:
    """The last word first, unless it is vague and others stand before it."""
    if len(words) > 1 and words[-1] in _vague():
        return [*words[-2::-1], words[-1]]
    return list(words[::-1])
