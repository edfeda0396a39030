"""People, organisations, places and other names in a text, by lists and by form.

    "Elena Vasquez of Harbour Labs is in Bergen"  ->  person | organisation | place (city)

The small tier knows the names of the lists only. The standard tier knows kinds of organisations and venues, and places
by what stands before them; the large tier also tells a person by the form of the name and by a role beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from labkit.engine.gazetteer import gazetteer
from labkit.engine.mention import GUESSED, LIKELY, SURE, Mention

_NAME_WORD = r"[A-Z][a-zà-öø-ÿA-Z'’-]*[a-zà-öø-ÿ]|[À-ÖØ-Þ][\w'’-]+"
_CAPITALISED = re.compile(
    rf"(?:(?:Mr|Mrs|Ms|Dr|Prof|St)\. )?(?:{_NAME_WORD}|[A-Z]{{2,5}}(?![\w-]))"
    rf"(?:(?: | (?:de|da|van|von|der|del|di|la|of) | & )(?:{_NAME_WORD}|[A-Z]\.(?= [A-Z])|[A-Z]{{2,5}}(?![\w-])))*"
)
_SENTENCE_START = re.compile(r"(?:^|[.!?:\n>\"“]\s*|[-*•]\s+)$")
_LOWER_PLACE = re.compile(r"\b(?:in|at|from|to|for|near|and|or|visit|visiting)\s+([a-zà-ÿ]+(?: [a-zà-ÿ]+)?)")
_NOT_LOWER = frozenset({"Nice", "Cork", "Sofia", "Florence", "Turkey", "Chile", "Perth"})
"""Places that are other words too when they are written small."""
_LOCATED = re.compile(
    r"\b(?:in|at|from|to|near|via|towards|into|around|above|outside|off|located|based)\s+"
    r"(?:the\s+|downtown\s+|central\s+)?$",
    re.IGNORECASE,
)
_STREET = re.compile(
    rf"\b\d{{1,5}}[a-z]? (?:{_NAME_WORD})(?: (?:{_NAME_WORD}))* "
    r"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Square|Way|Drive|Close|Court|Place)\b\.?"
)
_INSTITUTIONS = frozenset({"University", "Bank", "Ministry", "Institute", "Museum"})
"""First words of organisations."""
_DOINGS = "said|says|by|with|contact|met|hired|joined|wrote|told|asked"
"""What is said of people, as a pattern."""


def streets(text: str) -> Iterator[Mention]:
    """A house number and the name of a street."""
    yield from (Mention("street", m[0], m[0], *m.span(), SURE) for m in _STREET.finditer(text))


def named(text: str, tier: str) -> Iterator[Mention]:
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
        if name[at : m.start()].split(" ")[-1] not in gazetteer()["before of"]:
            yield from _in_a_row(name[at : m.start()], start + at)
            at = m.end()
    yield from _in_a_row(name[at:], start + at)


def _in_a_row(name: str, start: int) -> Iterator[tuple[int, int]]:
    """Names that follow each other with nothing between: `Maria Costa Jonas Weber` is two people."""
    known, at = gazetteer(), 0
    words = list(re.finditer(r"\S+", name))
    for n, m in enumerate(words[2:], 2):
        before, behind = words[n - 1][0], len(words) - n
        person = words[n - 2][0] in known["given"] and before not in known["given"]
        another = m[0] in known["given"] or (behind == 2 and words[n + 1][0] in known["organisation"])
        if person and another and behind > 1 and m.start() - at > 1 and before[:1].isupper():
            yield start + at, start + m.start() - 1
            at = m.start()
    yield start + at, start + len(name)


def _classified(text: str, start: int, end: int, tier: str) -> Iterator[Mention]:
    """One stretch of capitalised words: what begins a sentence or a request is cut off, then its kind is told."""
    words = text[start:end].split(" ")
    first = bool(_SENTENCE_START.search(text[max(0, start - 4) : start]))
    while words and _no_part_of_name(words, first, tier):
        start += len(words[0]) + 1
        words, first = words[1:], False
    while words and (words[-1] in gazetteer()["no names"] or words[-1].islower() or words[-1] == "&"):
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
    if words[0] in known["no names"]:
        return not (words[0] == "May" and len(words) == 2 and tier == "large")
    if not first or len(words) < 2 or words[0] in known["given"] or words[0].rstrip(".") in known["title"]:
        return False
    beginnings, places = known["given"] | known["title"], known["city"] | known["country"]
    return not beginnings.isdisjoint((words[1], words[1].rstrip("."))) or " ".join(words[1:]) in places


def _without_title(name: str) -> str:
    first, _, rest = name.partition(" ")
    return rest if rest and first.rstrip(".") in gazetteer()["title"] else name


def _kind_of(text: str, name: str, start: int, tier: str) -> tuple[str, float, str]:
    """Kind, confidence and detail of a name; no kind when the tier makes nothing of it."""
    known = gazetteer()
    words = name.split(" ")
    before = text[max(0, start - 24) : start]
    if name in known["country"]:
        return "place", SURE, "country"
    if name in known["city"] and not (name in known["given"] and not _LOCATED.search(before)):
        return "place", SURE, "city"
    if tier != "small" and (other := _of_an_institution(words)):
        return other
    titled = words[0].rstrip(".") in known["title"] or re.search(r"\b(?:Mr|Mrs|Ms|Dr|Prof)\. $", before)
    if words[0] in known["given"] or titled:
        return "person", SURE if len(words) > 1 or titled else LIKELY, ""
    if tier == "small":
        return ("name", GUESSED, "") if len(words) > 1 else ("", 0.0, "")
    if _LOCATED.search(before) and len(words) <= 3:
        return "place", GUESSED, "city"
    if tier == "large" and _written_like_a_person(words) and _by_role(text, start, name):
        return "person", LIKELY, ""
    if tier == "large" and _like_a_person(words):
        return "person", GUESSED, ""
    return "name", GUESSED, ""


def _of_an_institution(words: list[str]) -> tuple[str, float, str] | None:
    """An organisation or a venue by the word that says so: Harbour Labs, Bank of Oslo, City Hall."""
    known = gazetteer()
    if len(words) < 2:
        return None
    if words[-1].rstrip(".,") in known["organisation"] or words[0] in _INSTITUTIONS:
        return "organisation", SURE, ""
    return ("place", LIKELY, "venue") if words[-1] in known["venue"] else None


def _written_like_a_person(words: list[str]) -> bool:
    return 2 <= len(words) <= 3 and all(w[:1].isupper() and w[1:].islower() for w in words)


def _like_a_person(words: list[str]) -> bool:
    """Whether an unknown name has the form of a person's: two or three words, none of which is of other names."""
    other = gazetteer()["organisation"] | gazetteer()["venue"] | gazetteer()["before of"]
    return _written_like_a_person(words) and not set(words) & other


def _by_role(text: str, start: int, name: str) -> bool:
    """Whether a role or a way of speaking of people stands beside a name that no list has."""
    behind = start + len(name)
    around = f"{text[max(0, start - 30) : start]} | {text[behind : behind + 30]}".lower()
    roles = "|".join(role.lower() for role in gazetteer()["role"])
    return re.search(rf"\b(?:{roles}|{_DOINGS})\b", around) is not None
