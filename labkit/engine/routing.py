"""What a request is about: scores of topics by words, in three strengths.

    "Where is my parcel?"  ->  parcel speaks for shipping
    a label "Deliveries"   ->  is another name of shipping, so it gains what shipping has
    a label "Zoo: animals" ->  no topic of its own: its words, those of its description, and their kin in `topics.md`

The small tier knows the commonest words of a topic, the standard tier many more, the large tier phrases too. That is
all that makes one better than another; no text is treated by name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from labkit.engine.embedding import lexicon as company
from labkit.engine.words import FUNCTION_WORDS, stem

KNOWLEDGE = Path(__file__).with_name("routing.md")
WORD, NAMED, DESCRIBED, PHRASE, KIN = 1.0, 1.5, 0.9, 2.0, 0.7
"""What a known word says for its topic, a word of the label's name, one of its description, a known phrase, and a word
that keeps company with them."""
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Topic:
    """What a label is called, and what is said about it."""

    name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The sections of `routing.md`; words as stems."""

    names: dict[str, frozenset[str]]
    words: dict[str, frozenset[str]]
    further: dict[str, frozenset[str]]
    phrases: dict[str, tuple[str, ...]]


@cache
def knowledge() -> Knowledge:
    """Read once."""
    sections: dict[str, dict[str, str]] = defaultdict(dict)
    heading = ""
    for line in KNOWLEDGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            heading = line[3:]
        elif line.startswith("- "):
            topic, _, listed = line[2:].partition(": ")
            sections[heading][topic] = listed
    split = {topic: tuple(p.strip() for p in listed.split(",")) for topic, listed in sections["phrases"].items()}
    return Knowledge(
        names={t: frozenset(stem(n.strip()) for n in s.split(",")) for t, s in sections["names"].items()},
        words={t: frozenset(map(stem, s.split())) for t, s in sections["words"].items()},
        further={t: frozenset(map(stem, s.split())) for t, s in sections["further words"].items()},
        phrases=split,
    )


def is_open(name: str) -> bool:
    """Whether a label stands for whatever no other label fits: "other", "general"."""
    return "other" in _named(name)


def scores(text: str, topics: Sequence[Topic], tier: str = "standard", notice: int | None = None) -> list[float]:
    """How much a text says for each topic; only its first `notice` cues count."""
    total = [0.0] * len(topics)
    for cue in list(_cues(text, tuple(topics), tier))[:notice]:
        total = [a + b for a, b in zip(total, cue, strict=True)]
    return total


@lru_cache(maxsize=256)
def _cues(text: str, topics: tuple[Topic, ...], tier: str) -> tuple[tuple[float, ...], ...]:
    """Words and phrases of a text that speak for some topics and not for all alike, in the order of the text."""
    senses = [_sense(topic, tier) for topic in topics]
    found = (
        (start, tuple(s.weight(cue) for s in senses)) for start, cue in _units(text.lower().replace("’", "'"), tier)
    )
    return tuple(weights for _, weights in sorted(found) if max(weights) > min(weights))


def _units(text: str, tier: str) -> Iterator[tuple[int, str]]:
    """Where the stems and known phrases of a text stand."""
    if tier == "large":
        yield from ((m.start(), m[0]) for m in _phrases().finditer(text))
    for m in _WORD.finditer(text):
        if m[0] not in FUNCTION_WORDS:
            yield m.start(), stem(m[0])


@cache
def _phrases() -> re.Pattern[str]:
    known = sorted({p for listed in knowledge().phrases.values() for p in listed}, key=len, reverse=True)
    return re.compile(r"\b(?:" + "|".join(map(re.escape, known)) + r")\b")


@dataclass(frozen=True, slots=True)
class _Sense:
    """Everything that speaks for one topic."""

    name: frozenset[str]
    described: frozenset[str]
    words: frozenset[str]
    phrases: frozenset[str]
    company: frozenset[str]
    tier: str

    def weight(self, cue: str) -> float:
        if " " in cue or cue in self.phrases:
            return PHRASE if cue in self.phrases else 0.0
        if cue in self.name:
            return NAMED
        if cue in self.words:
            return WORD
        if cue in self.described:
            return DESCRIBED
        return KIN if self.company and _company_of(cue) & self.company else 0.0


@lru_cache(maxsize=512)
def _sense(topic: Topic, tier: str) -> _Sense:
    known = knowledge()
    name, described = frozenset(_stems(topic.name)), frozenset(_stems(topic.description))
    kin = _named(topic.name) or _named(topic.description) if tier != "small" else _named(topic.name)
    words = {w for t in kin for w in known.words.get(t, ())}
    if tier != "small":
        words |= {w for t in kin for w in known.further.get(t, ())}
    phrases = {p for t in kin for p in known.phrases.get(t, ())} if tier == "large" else set[str]()
    keeps = (
        frozenset(c for w in name | described for c in _company_of(w))
        if tier != "small" and not kin
        else frozenset[str]()
    )
    return _Sense(name, described, frozenset(words), frozenset(phrases), keeps, tier)


def _named(text: str) -> set[str]:
    """The topics that a label's name, or its description, calls by one of their names."""
    if text.lower().startswith(("not ", "non-", "no ")):
        return {"other"}
    stems = set(_stems(text)) | {stem(text.lower().strip())}
    return {topic for topic, names in knowledge().names.items() if names & stems}


def _stems(text: str) -> list[str]:
    words = _WORD.findall(text.lower().replace("_", " "))
    return [stem(w) for word in words for w in word.split("-") if w not in FUNCTION_WORDS and len(w) > 1]


@lru_cache(maxsize=8_192)
def _company_of(word: str) -> frozenset[str]:
    """Topics of `topics.md` that a word belongs to."""
    return frozenset(f for f, _ in company().features(word) if f.startswith("topic:"))
