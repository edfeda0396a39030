"""Values for a property that the text does not mention: reasons, a summary, the plain answer, a rating, a name."""

from __future__ import annotations

import re
from collections.abc import Callable

from labkit.engine import prose, sentiment
from labkit.engine.evidence import Candidate, Field
from labkit.engine.gazetteer import made_up
from labkit.engine.mentions import mentions
from labkit.engine.properties import Wanted
from labkit.engine.quantities import CURRENCIES
from labkit.engine.reading import Reading
from labkit.engine.template import Template, Text, likeliest

WRITTEN, INVENTED, NUMBER_INVENTED = 0.6, 0.6, 0.5
"""Evidence that such values count for."""
_CONFIDENCES = ((0.9, 1.0), (0.95, 0.6), (0.85, 0.4), (0.8, 0.2))
"""(value of 1, weight): how sure models say they are."""
_NUMBERS = (3.0, 12.0, 28.0, 36.0, 41.0, 75.0, 120.0)
_USUAL_NUMBERS = {
    "age": (28.0, 36.0, 41.0, 19.0, 52.0),
    "year": (2014.0, 1998.0, 2021.0),
    "money": (24.0, 12.0, 35.0, 18.0),
    "rating": (4.0, 5.0, 3.0),
}
"""Numbers to make up, by a word of the property or its kind."""
_POOLS = {"place": "city", "person": "name", "quoted": "title"}
"""Kinds whose made-up values stand under another name."""
_LISTED = re.compile(r"(?:1\.|-) .*\n(?:2\.|-) ")
_LANGUAGES = {
    "ko": re.compile("[가-힣]"),
    "ja": re.compile("[ぁ-ヿ]"),
    "zh": re.compile("[一-鿿]"),
    "ru": re.compile("[а-яА-Я]"),
    "de": re.compile(r"\b(?:und|der|die|das|nicht|ist|ich|mit)\b|[äöüß]"),
    "fr": re.compile(r"\b(?:le|la|les|est|et|une|des|je|pas|vous)\b|[éèçêà]"),
    "es": re.compile(r"\b(?:el|los|una|es|que|por|muy|con)\b|[ñ¿¡]"),
}
"""Language tags, and what two finds of make a text of that language."""


def values(reading: Reading, text: str, field: Field, want: Wanted) -> tuple[list[Candidate], float]:
    """Candidates for a field and their evidence; none where the kind allows none."""
    if field.kind in ("integer", "number"):
        return _number(reading, text, field, want)
    for kind in want.kinds:
        if kind in _WRITERS and (written := _WRITERS[kind](reading, text)):
            return [Candidate(written, 1.0)], WRITTEN
    if invented := _invented(reading, text, want):
        return invented, INVENTED
    return [], 0.0


def out_of(field: Field) -> int:
    """Whether a share is written as 0 to 1 or as 0 to 100, by the bounds of the field: the factor."""
    high = field.schema.get("maximum", 100 if field.kind == "integer" else 1)
    return 100 if isinstance(high, int | float) and high > 1 else 1


def _number(reading: Reading, text: str, field: Field, want: Wanted) -> tuple[list[Candidate], float]:
    if "confidence" in want.kinds:
        factor = out_of(field)
        return [Candidate(round(p * factor, 2), w) for p, w in _CONFIDENCES], WRITTEN
    if "rating" in want.kinds:
        return _rating(reading, text, field), WRITTEN
    if reading.invent:
        usual = next((_USUAL_NUMBERS[kind] for kind in (*want.words, *want.kinds) if kind in _USUAL_NUMBERS), _NUMBERS)
        return [Candidate(n, 1.0) for n in usual], NUMBER_INVENTED
    return [], 0.0


def _rating(reading: Reading, text: str, field: Field) -> list[Candidate]:
    """Stars from the mood of the text."""
    low, high = field.schema.get("minimum", 1), field.schema.get("maximum", 5)
    middle = low + (high - low) * sentiment.probability(text, reading.tier)
    nearest = round(middle)
    around = (nearest, nearest - 1, nearest + 1)
    return [Candidate(n, 1.0 if n == nearest else 0.15) for n in around if low <= n <= high]


def _invented(reading: Reading, text: str, want: Wanted) -> list[Candidate]:
    if not reading.invent:
        return []
    pools = made_up()
    if want.words == ("name",) and _VENTURE.search(reading.request):
        return [Candidate(v, 1 / (1 + 0.3 * n)) for n, v in enumerate(pools["venture"])]
    if named := next((group for words, group in _PASSAGES.items() if set(words.split()) & set(want.words)), None):
        return [Candidate(v, 1 / (1 + 0.3 * n)) for n, v in enumerate(named)]
    for word in reversed(want.words):
        if word in pools and word not in ("name", "title"):
            return [Candidate(v, 1.0) for v in pools[word]]
    for kind in (*want.kinds, "word"):
        if pool := pools.get(_POOLS.get(kind, kind)):
            return [Candidate(v, 1 / (1 + 0.3 * n)) for n, v in enumerate(pool)]
    return []


_VENTURE = re.compile(
    r"\b(?:shop|store|company|startup|start-up|brand|business|podcast|blog|app|caf[eé]|restaurant|bakery|studio|agency|"
    r"newsletter|channel|club|team|product|service|bar|hotel|school|magazine|band)\b",
    re.IGNORECASE,
)
_PASSAGES = {
    "backstory bio biography background history": (
        "Grew up above a clock shop by the harbour and learnt to listen before speaking.",
        "Left a quiet village with one suitcase and came back with a map that nobody could read.",
        "Kept the lamps of a mountain railway until the last train stopped coming.",
    ),
    "motto slogan tagline catchphrase": (
        "Small steps, every day.",
        "Made with care, for people in no hurry.",
        "Come as you are, stay a while.",
    ),
    "plot premise synopsis": (
        "A lighthouse keeper finds letters that are dated tomorrow, and begins to answer them.",
        "Two sisters inherit a train that only runs at night.",
    ),
}
"""Words of properties -> sentences to make up for them."""


def _language(reading: Reading, text: str) -> Template:
    return (Text(next((tag for tag, pattern in _LANGUAGES.items() if len(pattern.findall(text)) >= 2), "en")),)


def _currency(reading: Reading, text: str) -> Template:
    found = next((m.detail for m in mentions(text, reading.tier) if m.kind == "money"), "")
    found = found or next((c for c in CURRENCIES if c in text), "")
    return (Text(found),) if found else ()


def _mood(reading: Reading, text: str) -> Template:
    return (Text("positive" if sentiment.probability(text, reading.tier) > 0.5 else "negative"),)


def _answer(reading: Reading, text: str) -> Template:
    """The plain answer, unless that is a list: one field is not for all of it."""
    return () if not reading.answer or _LISTED.match(likeliest(reading.answer)) else reading.answer


def _summary(reading: Reading, text: str) -> Template:
    return prose.summary(text) if reading.document != reading.request else _answer(reading, text)


def _reasons(reading: Reading, text: str) -> Template:
    """What the plain answer says where there is nothing but a question, else what the text says."""
    if reading.answer and reading.document == reading.request and " " in likeliest(reading.answer):  # no mere label
        return reading.answer
    return prose.reasons(text)


def _title(reading: Reading, text: str) -> Template:
    return prose.title(text) if reading.document != reading.request else ()


_WRITERS: dict[str, Callable[[Reading, str], Template]] = {
    "reasons": _reasons,
    "summary": _summary,
    "title": _title,
    "answer": _answer,
    "language": _language,
    "currency": _currency,
    "sentiment": _mood,
}
"""What is written for a kind of text."""
