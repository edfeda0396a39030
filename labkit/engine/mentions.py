"""What a text mentions: dates, amounts, numbers, addresses, names. By form and by the short lists of `gazetteer.md`.

    "Invoice INV-2041 from Acme Ltd: $1,250.00, due 3 March 2026"
    ->  code INV-2041 | organisation Acme Ltd | money 1250.0 | date 2026-03-03

The small tier reads plain forms only: numbers in words, written-out dates without a year, names that no list has and kinds
of organisations are beyond it. No text is treated by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from pathlib import Path

from labkit.engine.skills import NUMBER_WORDS

GAZETTEER = Path(__file__).with_name("gazetteer.md")
SURE, LIKELY, GUESSED = 0.95, 0.8, 0.6

_MONTHS = "january february march april may june july august september october november december".split()
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
    r"\b(?:today|tonight|tomorrow|yesterday|(?:(?:next|this|last) )?(?:mon|tues|wednes|thurs|fri|satur|sun)day|next week|next month)\b",
    re.IGNORECASE,
)
DEFAULT_YEAR = 2026
"""Of a date that is written without one: the year that the lab's models believe it is."""

_SYMBOLS = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₩": "KRW", "₹": "INR"}
_UNITS = {"dollar": "USD", "euro": "EUR", "pound": "GBP", "yen": "JPY", "won": "KRW", "rupee": "INR", "franc": "CHF"}
CURRENCIES = ("USD", "EUR", "GBP", "JPY", "KRW", "INR", "CHF", "CAD", "AUD", "SEK", "NOK", "DKK", "CNY")
_AMOUNT = r"(?P<amount>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?P<scale> ?(?:k|m|million|billion|thousand)\b)?"
_MONEY = (
    re.compile(rf"(?P<symbol>[$€£¥₩₹]) ?{_AMOUNT}"),
    re.compile(rf"\b(?P<code>{'|'.join(CURRENCIES)}) ?{_AMOUNT}"),
    re.compile(rf"(?<![\w.,]){_AMOUNT} ?(?P<code>(?:{'|'.join(CURRENCIES)})\b|[$€£¥₩₹]|(?:{'|'.join(_UNITS)})s?\b)", re.IGNORECASE),
)
_SCALES = {"k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6, "billion": 1e9}
_PLAIN = {
    "email": re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    "url": re.compile(r"\b(?:https?://|www\.)[^\s<>\"'()]+[^\s<>\"'().,;:!?]"),
    "phone": re.compile(r"(?<![\w.-])(?:\+\d{1,3}[ .-]?)?(?:\(\d{2,4}\)[ .-]?)?\d{2,4}(?:[ .-]\d{2,4}){1,4}(?![\w-])"),
    "time": re.compile(
        r"\b(?P<hour>[01]?\d|2[0-3])[:.](?P<minute>[0-5]\d)(?: ?(?P<half>[ap])(?:m\b|\.m\.))?|\b(?P<full>1[0-2]|[1-9]) ?(?P<half2>[ap])(?:m\b|\.m\.)",
        re.IGNORECASE,
    ),
    "percent": re.compile(r"(?<![\w.])(\d+(?:\.\d+)?) ?(?:%|per ?cent\b)"),
    "code": re.compile(r"(?<![\w-])#?(?=[A-Z0-9/-]*\d)(?=[A-Z0-9/-]*[A-Z-])[A-Z]{1,6}[A-Z0-9]*(?:[-/]?[A-Z0-9]+)*(?![\w-])|#\d+\b"),
    "quoted": re.compile(r"[\"“]([^\"“”\n]{1,200})[\"”]|(?<!\w)['‘]([^'‘’\n]{2,120})['’](?!\w)"),
}
_NUMBER = re.compile(r"(?<![\w.,/-])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w/]|[.,]\d)|(?<![\w.,/])-?\d+(?:\.\d+)?(?![\d/]|[.,:-]\d)")
_NUMBER_WORD = re.compile(r"\b(" + "|".join(w for w in NUMBER_WORDS if w != "zero") + r"|thirty|forty|fifty|hundred)\b", re.IGNORECASE)
_LARGER_WORDS = {"thirty": 30, "forty": 40, "fifty": 50, "hundred": 100}
_NAME_WORD = r"[A-Z][a-zà-öø-ÿA-Z'’-]*[a-zà-öø-ÿ]|[À-ÖØ-Þ][\w'’-]+"
_CAPITALISED = re.compile(
    rf"(?:(?:Mr|Mrs|Ms|Dr|Prof|St)\. )?(?:{_NAME_WORD}|[A-Z]{{2,5}}(?![\w-]))"
    rf"(?:(?: | (?:de|da|van|von|der|del|di|la|of) | & )(?:{_NAME_WORD}|[A-Z]\.(?= [A-Z])|[A-Z]{{2,5}}(?![\w-])))*"
)
_OF_NAMES = frozenset("University Bank Ministry Institute Museum School College Bay Isle Department Council Society Academy Church City Port Republic Cape".split())
_SENTENCE_START = re.compile(r"(?:^|[.!?:\n>\"“]\s*|[-*•]\s+)$")
_LOWER_PLACE = re.compile(r"\b(?:in|at|from|to|for|near|and|or|visit|visiting)\s+([a-zà-ÿ]+(?: [a-zà-ÿ]+)?)")
_NOT_LOWER = frozenset({"Nice", "Cork", "Sofia", "Florence", "Turkey", "Chile", "Perth"})
_LOCATED = re.compile(r"\b(?:in|at|from|to|near|via|towards|into|around|above|outside|off|located|based)\s+(?:the\s+|downtown\s+|central\s+)?$", re.IGNORECASE)
_STREET = re.compile(rf"\b\d{{1,5}}[a-z]? (?:{_NAME_WORD})(?: (?:{_NAME_WORD}))* (?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Square|Way|Drive|Close|Court|Place)\b\.?")
_NOT_NAMES = frozenset(
    "I A An The This That These Those He She It We You They His Her Its Our Your Their My What When Where Who Why How Which If And But Or "
    "So As At By For From In Of On To With Is Are Was Were Be Has Have Had Do Does Did Please Extract Give Find Return Read Tell List Show "
    "Write Get Classify Summarise Summarize Text Notice Dear Hello Hi Hey Thanks Thank Yes No Not JSON API SDK LLM Also After Before Then There "
    "Here All Any Some Each Every Both Meeting Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June "
    "July August September October November December Today Tomorrow Order Invoice Total Subject Date Time Name Email Phone Address Price Amount "
    "From Regards Best Sincerely Book Buy Send Call Ask Add Set Check Compute Calculate Translate Convert Search Look Schedule Create Remind Let "
    "Can Could Would Will Shall Should May Might Must Identify Parse Fill Make Turn Put Take Use Using Given Based I'm I'll I've I'd It's OK FAQ "
    "USD EUR GBP JPY KRW INR CHF CAD AUD AM PM VAT CEO CFO CTO ID URL PDF CSV".split()
)


@dataclass(frozen=True, slots=True)
class Mention:
    """Something that a text mentions."""

    kind: str
    """email, url, phone, date, datetime, time, money, percent, number, code, quoted, person, organisation, place, street
    or name (of something)."""
    text: str
    """As it is written."""
    value: str | float
    """Dates as 2026-03-03, times as 14:30, numbers as numbers; else the text."""
    start: int
    end: int
    confidence: float
    detail: str = ""
    """The currency of money; "city", "country" or "venue" of a place; "relative" of a day without a date."""


@cache
def gazetteer() -> dict[str, frozenset[str]]:
    """The lists, by heading."""
    found: dict[str, frozenset[str]] = {}
    for section in GAZETTEER.read_text(encoding="utf-8").split("\n## ")[1:]:
        name, _, body = section.partition("\n")
        if name != "made up":
            words = body.strip().removeprefix("- ")
            found[name] = frozenset(w.strip() for w in (words.split(",") if "," in words else words.split()))
    return found


@cache
def made_up() -> dict[str, tuple[str, ...]]:
    """Values for when the prompt asks to invent something, by kind."""
    body = GAZETTEER.read_text(encoding="utf-8").split("\n## made up\n")[1]
    lines = (line[2:].partition(": ") for line in body.strip().splitlines())
    return {kind: tuple(v.strip() for v in values.split(",")) for kind, _, values in lines}


@lru_cache(maxsize=512)
def mentions(text: str, tier: str = "large") -> tuple[Mention, ...]:
    """Everything found, in the order of the text. A stretch of text belongs to one mention, quoted text aside."""
    found: list[Mention] = []
    taken = bytearray(len(text))
    for mention in _in_order_of_trust(text, tier):
        if mention.kind != "quoted":
            if any(taken[mention.start : mention.end]):
                continue
            taken[mention.start : mention.end] = b"\1" * (mention.end - mention.start)
        found.append(mention)
    return tuple(sorted(found, key=lambda m: m.start))


def _in_order_of_trust(text: str, tier: str) -> Iterator[Mention]:
    for kind in ("email", "url"):
        yield from (Mention(kind, m[0], m[0], *m.span(), SURE) for m in _PLAIN[kind].finditer(text))
    yield from _dates(text, tier)
    yield from _times(text)
    yield from _money(text, tier)
    for m in _PLAIN["percent"].finditer(text):
        yield Mention("percent", m[0], float(m[1]), *m.span(), SURE)
    yield from (Mention("code", m[0], m[0].lstrip("#"), *m.span(), LIKELY) for m in _PLAIN["code"].finditer(text))
    yield from (Mention("street", m[0], m[0], *m.span(), SURE) for m in _STREET.finditer(text))
    for m in _PLAIN["phone"].finditer(text):
        if 7 <= sum(c.isdigit() for c in m[0]) <= 15:
            yield Mention("phone", m[0], m[0], *m.span(), SURE)
    yield from _numbers(text, tier)
    for m in _PLAIN["quoted"].finditer(text):
        yield Mention("quoted", m[1] or m[2], m[1] or m[2], *m.span(1 if m[1] else 2), SURE)
    yield from _named(text, tier)


def _dates(text: str, tier: str) -> Iterator[Mention]:
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
    number = int(groups.get("number") or 0) or next(n for n, name in enumerate(_MONTHS, 1) if name.startswith(m["month"][:3].lower()))
    try:
        return date(year, number, int(m["day"])).isoformat()
    except ValueError:
        return None


def _times(text: str) -> Iterator[Mention]:
    for m in _PLAIN["time"].finditer(text):
        if m["hour"] and "." in m[0] and not m["half"]:
            continue  # 14.30 is a number more often than not
        hour, minute = int(m["hour"] or m["full"]), int(m["minute"] or 0)
        half = (m["half"] or m["half2"] or "").lower()
        if half and not 1 <= hour <= 12:
            continue
        hour = hour % 12 + 12 * (half == "p") if half else hour
        yield Mention("time", m[0], f"{hour:02}:{minute:02}", *m.span(), SURE)


def _money(text: str, tier: str) -> Iterator[Mention]:
    for pattern in _MONEY[: 1 if tier == "small" else 3]:
        for m in pattern.finditer(text):
            groups = m.groupdict()
            unit = (groups.get("symbol") or groups.get("code") or "").strip()
            currency = _SYMBOLS.get(unit) or _UNITS.get(unit.lower().rstrip("s")) or unit.upper()
            yield Mention("money", m[0], _amount(m), *m.span(), SURE, currency)


def _amount(m: re.Match[str]) -> float:
    return float(m["amount"].replace(",", "")) * _SCALES.get((m["scale"] or "").strip().lower(), 1)


def _numbers(text: str, tier: str) -> Iterator[Mention]:
    for m in _NUMBER.finditer(text):
        yield Mention("number", m[0], float(m[0].replace(",", "")), *m.span(), SURE)
    if tier != "small":
        for m in _NUMBER_WORD.finditer(text):
            word = m[0].lower()
            weak = word == "one" or _stands_before_of(text, m.end())
            yield Mention("number", m[0], float((NUMBER_WORDS | _LARGER_WORDS)[word]), *m.span(), GUESSED if weak else LIKELY)


def _stands_before_of(text: str, end: int) -> bool:
    return text[end : end + 4] == " of "


def _named(text: str, tier: str) -> Iterator[Mention]:
    """People, organisations, places and other names, by lists and by form."""
    for m in _CAPITALISED.finditer(text):
        for start, end in _parts_of_name(m[0], m.start()):
            yield from _classified(text, start, end, tier)
    if tier != "small":
        for m in _LOWER_PLACE.finditer(text):
            yield from _lower_place(m)


def _lower_place(m: re.Match[str]) -> Iterator[Mention]:
    """A city or country without its capital letter: "weather in tokyo"."""
    known = gazetteer()
    for written in (m[1], m[1].split(" ")[0]):
        name = written.title()
        detail = "city" if name in known["city"] else "country" if name in known["country"] else ""
        if detail and name not in _NOT_LOWER:
            yield Mention("place", written, name, m.start(1), m.start(1) + len(written), LIKELY, detail)
            return


def _parts_of_name(name: str, start: int) -> Iterator[tuple[int, int]]:
    """`Elena Vasquez of Harbour Labs` is two names, `University of Oslo` is one."""
    at = 0
    for m in re.finditer(" of ", name):
        if name[at : m.start()].split(" ")[-1] not in _OF_NAMES:
            yield start + at, start + m.start()
            at = m.end()
    yield start + at, start + len(name)


def _classified(text: str, start: int, end: int, tier: str) -> Iterator[Mention]:
    """One stretch of capitalised words: what begins a sentence or a request is cut off, then its kind is told."""
    words = text[start:end].split(" ")
    first = bool(_SENTENCE_START.search(text[max(0, start - 4) : start]))
    while words and _no_part_of_name(words, first, tier):
        start += len(words[0]) + 1
        words, first = words[1:], False
    while words and (words[-1] in _NOT_NAMES or words[-1].islower() or words[-1] == "&"):
        end -= len(words[-1]) + 1
        words = words[:-1]
    if not words or (len(words) == 1 and len(words[0]) < 2):
        return
    written = text[start:end]
    if written.endswith(("'s", "’s")):
        written, end = written[:-2], end - 2
    kind, confidence, detail = _kind_of(text, written, start, tier)
    if kind == "person" and (bare := _without_title(written)) != written:
        start, written = end - len(bare), bare
    if kind and not (kind == "name" and first and len(words) == 1):
        yield Mention(kind, written, written, start, end, confidence, detail)


def _no_part_of_name(words: list[str], first: bool, tier: str) -> bool:
    """Whether the first word only has its capital letter from the beginning of a sentence."""
    known = gazetteer()
    if words[0] in _NOT_NAMES:
        return not (words[0] == "May" and len(words) == 2 and tier == "large")
    if not first or len(words) < 2 or words[0] in known["given"] or words[0].rstrip(".") in known["title"]:
        return False
    return words[1] in known["given"] or words[1].rstrip(".") in known["title"] or " ".join(words[1:]) in known["city"] | known["country"]


def _without_title(name: str) -> str:
    first, _, rest = name.partition(" ")
    return rest if rest and first.rstrip(".") in gazetteer()["title"] else name


def _kind_of(text: str, name: str, start: int, tier: str) -> tuple[str, float, str]:
    known = gazetteer()
    words = name.split(" ")
    before = text[max(0, start - 24) : start]
    if name in known["country"]:
        return "place", SURE, "country"
    if name in known["city"] and not (name in known["given"] and not _LOCATED.search(before)):
        return "place", SURE, "city"
    if tier != "small" and len(words) > 1 and words[-1].rstrip(".,") in known["organisation"]:
        return "organisation", SURE, ""
    if tier != "small" and len(words) > 1 and words[0] in ("University", "Bank", "Ministry", "Institute", "Museum"):
        return "organisation", SURE, ""
    if tier != "small" and len(words) > 1 and words[-1] in known["venue"]:
        return "place", LIKELY, "venue"
    titled = words[0].rstrip(".") in known["title"] or re.search(r"\b(?:Mr|Mrs|Ms|Dr|Prof)\. $", before)
    if words[0] in known["given"] or titled:
        return "person", SURE if len(words) > 1 or titled else LIKELY, ""
    if tier == "small":
        return ("name", GUESSED, "") if len(words) > 1 else ("", 0.0, "")
    if _LOCATED.search(before) and len(words) <= 3:
        return "place", GUESSED, "city"
    if tier == "large" and 2 <= len(words) <= 3 and all(w[:1].isupper() and w[1:].islower() for w in words) and _by_role(text, start, name):
        return "person", LIKELY, ""
    if tier == "large" and _like_a_person(words):
        return "person", GUESSED, ""
    return "name", GUESSED, ""


def _like_a_person(words: list[str]) -> bool:
    """Whether an unknown name has the form of a person's: two or three words, none of which is of other names."""
    other = gazetteer()["organisation"] | gazetteer()["venue"] | _OF_NAMES
    return 2 <= len(words) <= 3 and not set(words) & other and all(w[:1].isupper() and w[1:].islower() for w in words)


def _by_role(text: str, start: int, name: str) -> bool:
    """Whether a role or a way of speaking of people stands beside a name that no list has."""
    around = text[max(0, start - 30) : start].lower() + " | " + text[start + len(name) : start + len(name) + 30].lower()
    roles = "|".join(role.lower() for role in gazetteer()["role"])
    return re.search(rf"\b(?:{roles}|said|says|by|with|contact|met|hired|joined|wrote|told|asked)\b", around) is not None
