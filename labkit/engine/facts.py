"""What users say about themselves: "my name is Dana and I like hiking"."""

from __future__ import annotations

import re
from collections.abc import Iterable

_END = r"(?=[.,;:!?\n]| and (?:i|my|we)\b| but\b|$)"
_PATTERNS = {
    "name": re.compile(
        r"\b(?:(?i:my name is|my name's|i am called|i'm called|call me)\s+([^\W\d_][\w'-]*(?: [A-Z][\w'-]+)?)"
        r"|(?:I am|I'm|This is) ([A-Z][\w'-]+(?: [A-Z][\w'-]+)?)" + _END + ")"
    ),
    "likes": re.compile(r"\bi (?:also )?(?:really )?(?:like|love|enjoy) (?!to know\b)(.+?)" + _END, re.IGNORECASE),
    "city": re.compile(r"\bi(?: live|'m living| am living|'m based| am based) in (.+?)" + _END, re.IGNORECASE),
    "job": re.compile(r"\bi work as (?:a |an )?(.+?)" + _END, re.IGNORECASE),
    "favourite": re.compile(r"\bmy favou?rite (?:\w+ )?(?:is|are) (.+?)" + _END, re.IGNORECASE),
}


def told(texts: Iterable[str]) -> dict[str, str]:
    """The facts in some texts; a later one replaces an earlier one.

    >>> told(["My name is Dana and I like hiking."])
    {'name': 'Dana', 'likes': 'hiking'}
    """
    facts: dict[str, str] = {}
    for text in texts:
        for fact, pattern in _PATTERNS.items():
            for found in pattern.finditer(text):
                facts[fact] = next(g for g in found.groups() if g).strip()
    return facts
