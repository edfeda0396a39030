"""Which tool a request wants, and how surely.

A word of the request counts for a tool when it stands in the tool's name or description (by its stem), or when
`tool_topics.md` lists it for a word that stands there. What fills a parameter explains itself: "Oslo" speaks neither
for nor against a weather tool, and "12 * 7" speaks for one that takes an expression.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from labkit.engine.base import Tool
from labkit.engine.conversions import conversion
from labkit.engine.mentions import mentions
from labkit.engine.properties import words_of
from labkit.engine.words import FUNCTION_WORDS, stem

TOPICS = Path(__file__).with_name("tool_topics.md")
NAME, DESCRIPTION, PARAMETER, TOPIC, STRONG_TOPIC = 1.0, 0.75, 0.4, 0.55, 0.95
"""What a word of the request counts when it stands in the name, the description, a parameter, or only in a topic."""
FITS = 0.42
"""Fit from which a call is likelier than text."""
STEEPNESS = 14.0
CONVERTS = 0.9
"""Fit of a tool that converts what the request wants converted."""
_CONVERTING = frozenset(map(stem, ["convert", "converter", "conversion", "exchange"]))
_MONEY = frozenset(map(stem, ["currency", "currencies", "money", "exchange"]))
_UNITS = frozenset(map(stem, ["unit", "units", "length", "weight", "distance", "temperature", "volume", "measure"]))
NEVER_BELOW = 0.2
"""Under this fit a tool is not considered at all."""
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_ARITHMETIC = re.compile(
    r"\d\s*(?:[-+*/^×÷%]|\*\*|plus|minus|times|multiplied by|divided by|over|(?:%|percent) of)\s*\(?\d", re.IGNORECASE
)
_IDLE_WORDS = """what which who how when where why is are was were be will would can could should shall may might
must do does did have has had tell show give let know get want need like please help thanks thank
hello hi hey now right current currently today me us my our your you there here this that these
those it its and or but if so then also too very just only still much many some any all both each
more most think say going go make sure really actually maybe perhaps again using use tool tools
function call use with without than two one"""
_IDLE = frozenset(map(stem, _IDLE_WORDS.split())) | FUNCTION_WORDS
"""Stems that speak for no tool."""
_VERBS = """get set do make fetch retrieve lookup look find search run execute list check create tool function api"""
_VERBS_OF_NAMES = frozenset(_VERBS.split())
"""Words of a name that say nothing of what the tool is about: get_weather."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of a tool."""

    name: frozenset[str]
    description: frozenset[str]
    parameters: frozenset[str]
    topics: Mapping[str, float]
    """Stems that requests for such a tool use, and what they count."""
    takes_arithmetic: bool
    converts: frozenset[str]
    """What it converts: "money", "units"."""


def fit(tool: Tool, request: str) -> float:
    """How well a tool serves a request, 0 to 1.

    >>> weather = Tool("get_weather", "Current weather of a city", '{"properties": {"city": {"type": "string"}}}')
    >>> fit(weather, "Will I need an umbrella in Oslo?") > FITS > fit(weather, "Write a haiku about Oslo.")
    True
    """
    known = vocabulary(tool)
    words = _telling(request)
    if known.takes_arithmetic and _ARITHMETIC.search(request):
        return 0.9
    if known.converts and (wanted := conversion(request)):
        return CONVERTS if wanted.kind in known.converts else 0.0
    if not words:
        return 0.0
    counts = [_count(word, known) for word in words]
    best = max(counts)
    if best < DESCRIPTION:
        return 0.0
    return 0.45 * best + 0.55 * math.fsum(counts) / len(counts)


def probability(score: float) -> float:
    """How probable a call is, by the fit of its tool."""
    return 0.0 if score < NEVER_BELOW else 1 / (1 + math.exp(-STEEPNESS * (score - FITS)))


def _count(word: str, known: Vocabulary) -> float:
    return max(
        NAME * (word in known.name),
        DESCRIPTION * (word in known.description),
        PARAMETER * (word in known.parameters),
        known.topics.get(word, 0.0),
    )


@lru_cache(maxsize=2_048)
def _telling(request: str) -> tuple[str, ...]:
    """Stems of the words that say what is wanted: no small words, no names, numbers, dates and amounts."""
    hidden = [(m.start, m.end) for m in mentions(request, "large") if m.kind != "name" or " " in m.text]
    words = [m for m in _WORD.finditer(request) if not any(a <= m.start() < b for a, b in hidden)]
    plain = [m[0].lower() for m in words if not (m[0][0].isupper() and _inside_sentence(request, m.start()))]
    return tuple(dict.fromkeys(root for word in plain if (root := stem(word)) not in _IDLE))


def _inside_sentence(text: str, at: int) -> bool:
    """Whether a word stands behind a blank that no sentence ends before: its capital letter makes it a name."""
    return at > 0 and text[at - 1] == " " and text[at - 2 : at - 1] not in ".!?"


@lru_cache(maxsize=1_024)
def vocabulary(tool: Tool) -> Vocabulary:
    """The words of a tool, read once."""
    schema = json.loads(tool.parameters or "{}")
    properties = schema.get("properties", {}) if isinstance(schema, dict) else {}
    name, description = _stems(words_of(tool.name)), _stems(words_of(tool.description))
    named = frozenset(stem(w) for w in words_of(tool.name) if w in _VERBS_OF_NAMES)
    parameters = _stems(_words_of_parameters(properties))
    telling = {**dict.fromkeys(description, 0.8), **dict.fromkeys(name, 1.0)}
    topics: dict[str, float] = {}
    for key, factor in telling.items():
        for word, strength in _topics().get(key, {}).items():
            topics[word] = max(topics.get(word, 0.0), factor * strength)
    reckons = {"calcul", "math", "evalu", "arithmet"} & (name | description)
    converts = _converts(name | description | parameters)
    arithmetic = bool({"express", "formula", "equat"} & parameters) and bool(reckons)
    return Vocabulary(name - named, description - _IDLE, parameters - _IDLE, topics, arithmetic, converts)


def _converts(words: frozenset[str]) -> frozenset[str]:
    """What a tool with these stems converts."""
    kinds = {"money": _MONEY, "units": _UNITS} if words & _CONVERTING else {}
    return frozenset(kind for kind, stems in kinds.items() if words & stems)


def _stems(words: Iterable[str]) -> frozenset[str]:
    return frozenset(stem(w) for w in words if len(w) > 1) - FUNCTION_WORDS


def _words_of_parameters(properties: Any) -> Iterable[str]:
    if not isinstance(properties, dict):
        return
    for name, schema in properties.items():
        yield from words_of(name)
        if isinstance(schema, dict):
            yield from words_of(str(schema.get("description", "")))
            yield from (w for v in schema.get("enum", ()) if isinstance(v, str) for w in words_of(v))


@cache
def _topics() -> dict[str, dict[str, float]]:
    """stem of a tool's word -> stem of a request's word -> what it counts."""
    found: dict[str, dict[str, float]] = {}
    for line in TOPICS.read_text(encoding="utf-8").splitlines():
        if line.startswith("- "):
            key, _, words = line[2:].partition(": ")
            found[stem(key)] = {stem(w.rstrip("*")): STRONG_TOPIC if w.endswith("*") else TOPIC for w in words.split()}
    return found
