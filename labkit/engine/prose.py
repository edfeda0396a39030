"""Texts for properties that want a sentence: reasons, a summary, a title, the answer itself."""

from __future__ import annotations

import re

from labkit.engine import sentiment
from labkit.engine.template import Choice, Template, Text

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"“])|\n+")
_CLAUSES = re.compile(
    r"(?<=[.!?])\s+|;\s*|,?\s+\b(?:but|although|though|however|yet|while|whereas|and)\b,?\s+|,\s+", re.IGNORECASE
)
QUOTED = 90
"""Characters of a text that a reason quotes at most."""


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text."""
    return [s.strip() for s in _SENTENCE.split(text) if s.strip()]


def reasons(document: str) -> Template:
    """Why: what the text says, said in one sentence."""
    said = clipped(max(sentences(document)[:4] or [document], key=len), QUOTED)
    return (
        _one_of("The text says", "The text states", "It says"),
        Text(f' "{said}".' if said[-1:] not in (".", "!", "?") else f' "{said}"'),
    )


def sides(document: str, tier: str) -> tuple[list[str], list[str]]:
    """Clauses that praise, and clauses that complain.

    >>> sides("The tent is lovely, but the zip broke.", "large")
    (['The tent is lovely'], ['the zip broke'])
    """
    clauses = [part.strip(" .!?,;") for part in _CLAUSES.split(document) if part.strip(" .!?,;")]
    moods = [(clause, sentiment.value(clause, tier)) for clause in clauses]
    return [c for c, mood in moods if mood > 0], [c for c, mood in moods if mood < 0]


def summary(document: str) -> Template:
    """The first sentence; of a longer text sometimes with the second."""
    found = sentences(document) or [document.strip()]
    first = found[0]
    if len(found) == 1 or len(first) > 160:
        return (Text(first),)
    return (Choice(((1.0, (Text(first),)), (0.35, (Text(f"{first} {found[1]}"),)))),)


def title(document: str) -> Template:
    """The first words of the text, up to a comma or so."""
    first = (sentences(document) or [document.strip()])[0].rstrip(".!?")
    clause = re.split(r"[,;:–]| - |\bbecause\b|\bwhich\b", first)[0].strip() or first
    short = " ".join(clause.split()[:8])
    longer = " ".join(first.split()[:8])
    return (Text(short),) if short == longer else (Choice(((1.0, (Text(short),)), (0.4, (Text(longer),)))),)


def clipped(text: str, most: int) -> str:
    """At most so many characters, cut between words."""
    if len(text) <= most:
        return text
    return text[:most].rsplit(" ", 1)[0].rstrip(",;: ") + " ..."


def _one_of(*texts: str) -> Choice:
    return Choice(tuple((1 / (n + 1), (Text(text),)) for n, text in enumerate(texts)))
