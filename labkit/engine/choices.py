"""Which value of an enumeration a text speaks for, and whether a flag is true."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache

from labkit.engine import labels, sentiment
from labkit.engine.categories import Category
from labkit.engine.embedding import lexicon
from labkit.engine.properties import Wanted, words_of
from labkit.engine.routing import Topic
from labkit.engine.words import FUNCTION_WORDS, stem

NAMED = 3.0
"""What a value gains that the text names."""
TOPICAL = 5.0
"""Factor on the similarity of a value and the text."""
DESCRIBED = 5.0
"""Factor on the probability of a value by its description."""
SUPPORTED = 1.4
"""How far above an equal share the likeliest value must be for the text to speak for it."""
UNDECIDED = (
    *("unknown", "other", "none", "unspecified", "neutral", "medium", "normal", "general", "not specified", "misc"),
    "n/a",
)
"""Values that stand for "the text does not say"."""
_DEGREES: tuple[tuple[str, ...], ...] = (
    ("urgent", "critical", "highest", "emergency", "severe", "blocker", "p0", "immediate"),
    ("high", "important", "major", "p1"),
    ("medium", "normal", "moderate", "standard", "average", "p2"),
    ("low", "minor", "lowest", "trivial", "p3"),
)
_URGENT = (
    (
        re.compile(
            r"\b(?:urgent\w*|asap|immediately|emergency|right now|right away|critical|outage|cannot work|can't work|"
            r"at once|today)\b|!!",
            re.IGNORECASE,
        ),
        0,
    ),
    (
        re.compile(
            r"\b(?:important|soon|as soon as|quickly|deadline|tomorrow|blocked|losing|serious\w*)\b", re.IGNORECASE
        ),
        1,
    ),
    (
        re.compile(
            r"\b(?:no (?:rush|hurry)|whenever|when you (?:can|get|have)|not urgent|minor|low priority|some ?day|"
            r"cosmetic|nice to have)\b",
            re.IGNORECASE,
        ),
        3,
    ),
)
"""Wording of haste, and the group of `_DEGREES` that it speaks for."""
_DEGREE_NAMES = frozenset({"priority", "urgency", "severity", "importance", "level"})
_NEGATED = (
    r"\b(?:not|no|never|without|isn't|aren't|wasn't|don't|doesn't|didn't|won't|cannot|can't|none|neither|nor|excluding|un)"
    r"\b[^.,;!?\n]{0,18}$"
)
_OPPOSITES = {
    "stock": r"out of stock|sold out|unavailable|back-?order",
    "avail": r"unavailable|not available|sold out|fully booked",
    "remot": r"on-?site|in[- ]person|office",
    "open": r"closed",
    "new": r"used|second-?hand|refurbished",
    "paid": r"unpaid|free|outstanding",
    "activ": r"inactive|disabled|expired",
    "vegetarian": r"\bmeat|chicken|beef|pork|fish\b",
    "onlin": r"in person|on-?site|offline",
    "urgent": r"not urgent|no rush|no hurry|whenever",
    "complet": r"incomplete|unfinished|pending",
    "refund": r"non-?refundable",
}
"""By the beginning of a flag's stem: words that say that it is not so."""
_GLAD = "positive satisfied happy recommend recommended recommends liked good pleased favourable"
_SORRY = "negative complaint unhappy dissatisfied angry bad upset"
_MOODS, _COMPLAINT = (frozenset(map(stem, words.split())) for words in (_GLAD, _SORRY))
_SPAM = re.compile(
    r"\b(?:winner|prize|click here|free money|viagra|lottery|act now|limited offer|claim your|bitcoin|"
    r"congratulations)\b",
    re.IGNORECASE,
)
_AUXILIARY = frozenset(
    {"is", "has", "have", "was", "are", "can", "should", "does", "needs", "need", "requires", "in", "flag"}
)
"""Words of a flag's name that say nothing of what it is about: is_urgent, has_refund."""


def enumeration(
    wanted: Wanted, values: Sequence[object], text: str, request: str, tier: str
) -> tuple[list[float], float]:
    """A weight for each value, and how much the text says about it (0 to 1)."""
    names = [value if isinstance(value, str) else str(value) for value in values]
    real = [n for n in names if n != "None"]
    if len(real) > 1 and all(labels.is_mood(name) for name in real):
        shares = dict(labels.shares(text, tuple(real), tier))
        return [shares.get(name, 0.0) for name in names], 0.8
    scores, told = _scores(wanted, names, text, tier)
    if not told and request != text:
        scores, told = _scores(wanted, names, request, tier)
    if not told:
        return [_prior(n, name) for n, name in enumerate(names)], 0.15
    top = max(scores)
    return [math.exp(1.6 * (score - top)) for score in scores], min(0.95, 0.45 + 0.2 * top)


def _described(names: Sequence[str], hints: str) -> tuple[Category, ...]:
    """The values with what the property's description says of each: "A: billing. B: parcels"; none unless of all."""
    places = [re.search(rf"(?<!\w){re.escape(name)}[\"'`]?\s*(?::|=|\(|–|—| - )", hints) for name in names]
    found = [m for m in places if m]
    if len(names) < 2 or len(found) < len(names):
        return ()
    ends = {m.end(): min([o.start() for o in found if o.start() >= m.end()], default=len(hints)) for m in found}
    abouts = [hints[m.end() : ends[m.end()]].strip(" .,;)\n") for m in found]
    return tuple(Category(Topic(name, about), name) for name, about in zip(names, abouts, strict=True))


def _scores(wanted: Wanted, names: Sequence[str], text: str, tier: str) -> tuple[list[float], bool]:
    """A score for each name, and whether any of them has support in the text."""
    if described := _described(names, wanted.hints):
        shares = dict(labels.of_categories(text, described, tier))
        if max(shares.values()) > SUPPORTED / len(names):
            return [DESCRIBED * shares.get(name, 0.0) for name in names], True
    spoken = [NAMED * named(name, text) for name in names]
    if any(spoken):
        return spoken, True
    degrees = _by_degree(names, text) if set(wanted.words) & _DEGREE_NAMES or _are_degrees(names) else None
    if degrees:
        return degrees, True
    topical = [TOPICAL * _alike(name, text, tier) for name in names]
    shares = dict(labels.shares(text, tuple(names), tier)) if len(names) > 1 else {}
    if shares and max(shares.values()) > SUPPORTED / len(names):
        topical = [t + 2.5 * shares.get(name, 0.0) for t, name in zip(topical, names, strict=True)]
    return topical, max(topical) > 0.6


def _prior(n: int, name: str) -> float:
    """Without a word about it: a value that says so, else the first ones."""
    return 3.0 if name.lower().replace("_", " ") in UNDECIDED or name == "None" else 1 / (n + 1) ** 2


def named(name: str, text: str) -> float:
    """How plainly a text names a value: 1 for its words, less for their stems, nothing behind a negation."""
    spoken = " ".join(words_of(name)) or name.lower()
    pattern = r"(?<![^\W_])" + r"[\s_-]+".join(map(re.escape, spoken.split())) + r"(?![^\W_])"
    best = 0.0
    for found in re.finditer(pattern, text, re.IGNORECASE):
        negated = re.search(_NEGATED, text[max(0, found.start() - 28) : found.start()], re.IGNORECASE)
        best = max(best, 0.0 if negated else 1.0)
    if best or len(spoken) < 4:
        return best
    stems = {stem(w) for w in spoken.split() if w not in FUNCTION_WORDS}
    return 0.7 if stems and stems <= _stems(text) else 0.0


@lru_cache(maxsize=512)
def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in re.findall(r"[^\W\d_]+", text.lower()))


def _alike(name: str, text: str, tier: str) -> float:
    """Similarity of a value's words and the text, by words and topics; the small tier knows words only."""
    mine, theirs = _features(name.replace("_", " ")), _features(text)
    if tier == "small":
        mine = {f: w for f, w in mine.items() if f.startswith("word:")}
    shared = sum(w * theirs.get(f, 0.0) for f, w in mine.items())
    size = math.sqrt(sum(w * w for w in mine.values()) * sum(w * w for w in theirs.values()))
    return shared / size if size else 0.0


@lru_cache(maxsize=2_048)
def _features(text: str) -> dict[str, float]:
    return {f: w for f, w in lexicon().features(text[:4_000]) if f.startswith(("word:", "topic:"))}


def _are_degrees(names: Sequence[str]) -> bool:
    known = {word for group in _DEGREES for word in group}
    return len(names) > 1 and all(name.lower() in known for name in names)


def _by_degree(names: Sequence[str], text: str) -> list[float] | None:
    """Scores for low, medium, high, urgent from what the text says of haste; None if nothing."""
    place = {word: n for n, group in enumerate(_DEGREES) for word in group}
    places = [place.get(name.lower()) for name in names]
    calm = any(n == 3 and pattern.search(text) for pattern, n in _URGENT)
    asked = 3 if calm else next((n for pattern, n in _URGENT if pattern.search(text)), None)
    if asked is None or all(p is None for p in places):
        return None
    return [0.0 if p is None else NAMED - 1.4 * abs(p - asked) for p in places]


def flag(wanted: Wanted, text: str, tier: str) -> tuple[float, float]:
    """How probably a flag is true, and how much the text says about it."""
    words = [w for w in wanted.words if w not in _AUXILIARY]
    stems = [stem(w) for w in words if w not in FUNCTION_WORDS] or [stem(w) for w in words]
    if set(stems) & (_MOODS | _COMPLAINT):
        p = sentiment.probability(text, tier)
        return (p if set(stems) & _MOODS else 1 - p), 0.8
    if "urgent" in stems and tier != "small" and (degrees := _by_degree(("urgent", "low"), text)):
        return (0.96 if degrees[0] > degrees[1] else 0.04), 0.9
    if "spam" in stems:
        return (0.95 if _SPAM.search(text) else 0.04), 0.8
    if "question" in stems:
        return (0.97 if "?" in text else 0.03), 0.9
    return _mentioned(stems, text, tier)


def _mentioned(stems: Sequence[str], text: str, tier: str) -> tuple[float, float]:
    for key in stems:
        opposite = next((p for root, p in _OPPOSITES.items() if key.startswith(root)), None)
        if opposite and re.search(opposite, text, re.IGNORECASE) and tier != "small":
            return 0.04, 0.85
    places = [m for m in re.finditer(r"[^\W\d_]+", text) if stem(m[0].lower()) in stems]
    if len({stem(m[0].lower()) for m in places}) < max(1, len(set(stems)) - 1):
        return 0.12, 0.25
    said = places[-1]
    answer = re.match(r"\s*(?:\?|:|=|is)\s*(yes|no|true|false|y|n)\b", text[said.end() :], re.IGNORECASE)
    if answer:
        return (0.98 if answer[1].lower()[0] in "yt" else 0.02), 0.95
    negated = re.search(_NEGATED, text[max(0, places[0].start() - 28) : places[0].start()], re.IGNORECASE)
    return (0.05, 0.85) if negated and tier != "small" else (0.94, 0.85)
