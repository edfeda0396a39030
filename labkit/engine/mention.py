"""One thing that a text mentions, as the readers of numbers and of names find it."""

from __future__ import annotations

from dataclasses import dataclass

SURE, LIKELY, GUESSED = 0.95, 0.8, 0.6
"""Confidences."""


@dataclass(frozen=True, slots=True)
class Mention:
    """Something that a text mentions."""

    kind: str
    """email, url, phone, date, datetime, time, money, percent, number, code, quoted, person, organisation, place,
    street or name (of something)."""
    text: str
    """As it is written."""
    value: str | float
    """Dates as 2026-03-03, times as 14:30, numbers as numbers; else the text."""
    start: int
    end: int
    confidence: float
    detail: str = ""
    """The currency of money; "city", "country" or "venue" of a place; "relative" of a day without a date."""
