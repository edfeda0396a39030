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
NEGATION_REACH = 4
"""Words after a negation that it turns round."""
TURNED = -0.8
"""What is left of a word's value behind a negation: "not great" is a little less than bad."""
AFTER_CONTRAST = 2.0
INTENSIFIED = 1.5
STEEPNESS = {"small": 1.4, "standard": 1.8, "large": 2.2}
"""Turns the summed value into a probability by a logistic function; larger tiers are surer of themselves."""
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
    comparatives: frozenset[str]
    """Words that a negation does not turn round: "never had a better night"."""


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
        comparatives=plain("comparatives"),
        phrases={p.strip(): float(key) for key, words in sections["phrases"] for p in words.split(",")},
    )


def value(text: str, tier: str = "standard", notice: int | None = None) -> float:
    """How positive a text is: above 0 positive, below negative, 0 when nothing tells.

    Only the first `notice` cues count.

    >>> value("Not great.", "small") > 0, value("Not great.", "large") < 0
    (True, True)
    """
    return sum(cues(text, tier)[:notice])


def cues(text: str, tier: str = "standard") -> list[float]:
    """What each word or phrase with a mood says, in the order of the text."""
    known = lexicon()
    lowered = text.lower().replace("’", "'").replace(",", "")
    values = known.common if tier == "small" else known.common | known.rare
    found: list[float] = []
    factor, negated, stronger = 1.0, 0, 1.0
    for match in _pattern(tier).finditer(lowered):
        word = match[0]
        if word in ".!?;":
            negated = 0
        elif " " in word or word in known.phrases:
            found.append(known.phrases[word] * factor * (TURNED if negated else 1.0))
        elif word in known.contrasts and tier == "large":
            factor, negated = AFTER_CONTRAST, 0
        elif (word in known.negators or word.endswith("n't")) and tier != "small":
            negated = NEGATION_REACH + 1
        elif word in values:
            turned = negated and word not in known.comparatives
            found.append(values[word] * factor * stronger * (TURNED if turned else 1.0))
        stronger = INTENSIFIED if word in known.intensifiers and tier == "large" else 1.0
        negated = max(0, negated - 1)
    return found


@cache
def _pattern(tier: str) -> re.Pattern[str]:
    """Phrases that the tier knows, the longest first, then words and ends of clauses."""
    phrases = lexicon().phrases if tier == "large" else {}
    longest = sorted(map(re.escape, phrases), key=len, reverse=True)
    return re.compile("|".join([*(rf"\b{p}\b" for p in longest), _WORD.pattern]))


def probability(text: str, tier: str = "standard", notice: int | None = None) -> float:
    """Probability that a text is positive. One without any mood word leans a little to positive, as most reviews do."""
    steep = STEEPNESS.get(tier, STEEPNESS["standard"])
    return 1 / (1 + math.exp(-steep * value(text, tier, notice) - 0.1))
