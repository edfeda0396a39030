"""Dates, times, sums of money, percentages and numbers in a text.

    "$1,250.00, due 3 March 2026 at 5 pm"  ->  money 1250.0 (USD) | date 2026-03-03 | time 17:00

The small tier reads plain forms only: a date without a year, a day of the week, a number in words and a sum whose
currency stands behind it or is spelt out are beyond it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from labkit.engine.mention import GUESSED, LIKELY, SURE, Mention
from labkit.engine.sums import NUMBER_WORDS

DEFAULT_YEAR = 2026
"""Of a date that is written without one: the year that the lab's models believe it is."""
SYMBOLS = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₩": "KRW", "₹": "INR"}
UNITS = {"dollar": "USD", "euro": "EUR", "pound": "GBP", "yen": "JPY", "won": "KRW", "rupee": "INR", "franc": "CHF"}
CURRENCIES = ("USD", "EUR", "GBP", "JPY", "KRW", "INR", "CHF", "CAD", "AUD", "SEK", "NOK", "DKK", "CNY")

_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_MONTH = r"(?P<month>" + "|".join(f"{m[:3]}(?:{m[3:]})?" for m in _MONTHS) + r"|Sept)\.?"
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>\d{4})"
_DATES = (
    re.compile(r"\b(?P<year>\d{4})-(?P<number>\d\d)-(?P<day>\d\d)(?!\d)"),
    re.compile(rf"\b{_DAY}(?: of)? {_MONTH},? {_YEAR}\b", re.IGNORECASE),
    re.compile(rf"\b{_MONTH} {_DAY},? {_YEAR}\b", re.IGNORECASE),
    re.compile(r"\b(?P<day>[0-3]?\d)\.(?P<number>[01]?\d)\.(?P<year>\d{4})\b"),
    re.compile(r"\b(?P<number>[01]?\d)/(?P<day>[0-3]?\d)/(?P<year>\d{4})\b"),
)
_YEARLESS = (
    re.compile(rf"\b{_DAY}(?: of)? {_MONTH}(?![\w-])", re.IGNORECASE),
    re.compile(rf"\b{_MONTH} {_DAY}\b(?!\s*(?:%|:))", re.IGNORECASE),
)
_WEEKDAY = re.compile(
    r"\b(?:today|tonight|tomorrow|yesterday|(?:(?:next|this|last) )?(?:mon|tues|wednes|thurs|fri|satur|sun)day|"
    r"next week|next month)\b",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"\b(?P<hour>[01]?\d|2[0-3])[:.](?P<minute>[0-5]\d)(?: ?(?P<half>[ap])(?:m\b|\.m\.))?|"
    r"\b(?P<full>1[0-2]|[1-9]) ?(?P<half2>[ap])(?:m\b|\.m\.)",
    re.IGNORECASE,
)
_AMOUNT = r"(?P<amount>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?P<scale> ?(?:k|m|million|billion|thousand)\b)?"
_CODE = "|".join(CURRENCIES)
_MONEY = (
    re.compile(rf"(?P<symbol>[$€£¥₩₹]) ?{_AMOUNT}"),
    re.compile(rf"\b(?P<code>{_CODE}) ?{_AMOUNT}"),
    re.compile(
        rf"(?<![\w.,]){_AMOUNT} ?(?P<code>(?:{_CODE})\b|[$€£¥₩₹]|(?:{'|'.join(UNITS)})s?\b)",
        re.IGNORECASE,
    ),
)
_SCALES = {"k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6, "billion": 1e9}
_PERCENT = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?) ?(?:%|per ?cent\b)")
_NUMBER = re.compile(
    r"(?<![\w.,/-])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w/]|[.,]\d)|(?<![\w.,/])-?\d+(?:\.\d+)?(?![\d/]|[.,:-]\d)"
)
_LARGER_WORDS = {"thirty": 30, "forty": 40, "fifty": 50, "hundred": 100}
_NUMBER_WORD = re.compile(
    r"\b(" + "|".join([*(w for w in NUMBER_WORDS if w != "zero"), *_LARGER_WORDS]) + r")\b", re.IGNORECASE
)


def dates(text: str, tier: str) -> Iterator[Mention]:
    for pattern in _DATES:
        for m in pattern.finditer(text):
            if value := _iso(m, int(m["year"])):
                yield Mention("date", m[0], value, *m.span(), SURE)
    if tier == "small":
        return
    for pattern in _YEARLESS:
        for m in pattern.finditer(text):
            if value := _iso(m, DEFAULT_YEAR):
                yield Mention("date", m[0], value, *m.span(), LIKELY)
    yield from (Mention("date", m[0], m[0], *m.span(), LIKELY, "relative") for m in _WEEKDAY.finditer(text))


def _iso(m: re.Match[str], year: int) -> str | None:
    groups = m.groupdict()
    number = int(groups.get("number") or 0) or _month_of(m["month"])
    try:
        return date(year, number, int(m["day"])).isoformat()
    except ValueError:
        return None


def _month_of(name: str) -> int:
    return next(n for n, month in enumerate(_MONTHS, 1) if month.startswith(name[:3].lower()))


def times(text: str) -> Iterator[Mention]:
    for m in _TIME.finditer(text):
        if m["hour"] and "." in m[0] and not m["half"]:
            continue  # 14.30 is a number more often than not
        hour, minute = int(m["hour"] or m["full"]), int(m["minute"] or 0)
        half = (m["half"] or m["half2"] or "").lower()
        if half and not 1 <= hour <= 12:
            continue
        hour = hour % 12 + 12 * (half == "p") if half else hour
        yield Mention("time", m[0], f"{hour:02}:{minute:02}", *m.span(), SURE)


def money(text: str, tier: str) -> Iterator[Mention]:
    for pattern in _MONEY[: 1 if tier == "small" else 3]:
        for m in pattern.finditer(text):
            groups = m.groupdict()
            unit = (groups.get("symbol") or groups.get("code") or "").strip()
            currency = SYMBOLS.get(unit) or UNITS.get(unit.lower().rstrip("s")) or unit.upper()
            yield Mention("money", m[0], _amount(m), *m.span(), SURE, currency)


def _amount(m: re.Match[str]) -> float:
    return float(m["amount"].replace(",", "")) * _SCALES.get((m["scale"] or "").strip().lower(), 1)


def percentages(text: str) -> Iterator[Mention]:
    """How many of a hundred."""
    for m in _PERCENT.finditer(text):
        yield Mention("percent", m[0], float(m[1]), *m.span(), SURE)


def numbers(text: str, tier: str) -> Iterator[Mention]:
    for m in _NUMBER.finditer(text):
        yield Mention("number", m[0], float(m[0].replace(",", "")), *m.span(), SURE)
    if tier != "small":
        for m in _NUMBER_WORD.finditer(text):
            word = m[0].lower()
            weak = word == "one" or _stands_before_of(text, m.end())
            number = float((NUMBER_WORDS | _LARGER_WORDS)[word])
            yield Mention("number", m[0], number, *m.span(), GUESSED if weak else LIKELY)


def _stands_before_of(text: str, end: int) -> bool:
    return text[end : end + 4] == " of "
