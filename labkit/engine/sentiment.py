"""Positive or negative? A lexicon with negation and contrast, in three strengths.

The small tier counts common mood words. The standard tier knows rarer ones and turns them round after a negation. The
large tier also knows phrases ("fell apart") and intensifiers, and weighs what comes after a "but" twice. That
difference is all that makes one tier better than another; no text is treated by name. After Taboada et al. 2011.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LEXICON = Path(__file__).with_name("lexicon.md")
NEGATION_REACH = 3
"""Words after a negation that it turns round."""
TURNED = -0.8
"""What is left of a word's value behind a negation: "not great" is a little less than bad."""
AFTER_CONTRAST = 2.0
INTENSIFIED = 1.5
STEEPNESS = 1.4
"""Turns the summed value into a probability by a logistic function."""
_WORD = re.compile(r"[a-z]+(?:['’]t)?|[.!?;]")


@dataclass(frozen=True)
class Lexicon:
    """The sections of `lexicon.md`."""

    common: dict[str, float]
    rare: dict[str, float]
    phrases: dict[str, float]
    negators: frozenset[str]
    intensifiers: frozenset[str]
    contrasts: frozenset[str]
    topics: dict[str, frozenset[str]]


@cache
def lexicon() -> Lexicon:
    """Read once."""
    sections: dict[str, list[tuple[str, str]]] = defaultdict(list)
    name = ""
    for line in LEXICON.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            name = line[3:]
        elif line.startswith("- "):
            key, _, words = line[2:].partition(": ")
            sections[name].append((key, words))

    def valued(part: str) -> dict[str, float]:
        return {word: float(key) for key, words in sections[part] for word in words.split()}

    def plain(part: str) -> frozenset[str]:
        return frozenset(word for _, words in sections[part] for word in words.split())

    return Lexicon(
        common=valued("common"),
        rare=valued("rare"),
        negators=plain("negators"),
        intensifiers=plain("intensifiers"),
        contrasts=plain("contrasts"),
        phrases={p.strip(): float(key) for key, words in sections["phrases"] for p in words.split(",")},
        topics={key: frozenset(words.split()) for key, words in sections["topics"]},
    )


def value(text: str, tier: str = "standard") -> float:
    """How positive a text is: above 0 positive, below negative, 0 when nothing tells.

    >>> value("Not great.", "small") > 0, value("Not great.", "large") < 0
    (True, True)
    """
    known = lexicon()
    lowered = text.lower().replace("’", "'")
    total = 0.0
    if tier == "large":
        for phrase, weight in known.phrases.items():
            if re.search(rf"\b{phrase}\b", lowered):
                total += weight
                lowered = lowered.replace(phrase, " ")
    words = _WORD.findall(lowered)
    values = known.common if tier == "small" else known.common | known.rare
    return total + _sum(words, values, known, tier)


def _sum(words: list[str], values: dict[str, float], known: Lexicon, tier: str) -> float:
    total, factor, negated, stronger = 0.0, 1.0, 0, 1.0
    for word in words:
        if word in ".!?;":
            negated = 0
        elif word in known.contrasts and tier == "large":
            factor, negated = AFTER_CONTRAST, 0
        elif (word in known.negators or word.endswith("n't")) and tier != "small":
            negated = NEGATION_REACH + 1
        elif word in values:
            total += values[word] * factor * stronger * (TURNED if negated else 1.0)
        stronger = INTENSIFIED if word in known.intensifiers and tier == "large" else 1.0
        negated = max(0, negated - 1)
    return total


def probability(text: str, tier: str = "standard") -> float:
    """Probability that a text is positive. One without any mood word leans a little to positive, as most reviews do."""
    return 1 / (1 + math.exp(-STEEPNESS * value(text, tier) - 0.1))
