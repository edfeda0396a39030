"""How well a mention suits a property: by its kind, and by the words that stand beside it.

    "12 guests from Oslo"  ->  12 suits `guest_count` (a word behind it), Oslo suits `origin` ("from" before it)
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from labkit.engine.mention import Mention
from labkit.engine.properties import Wanted, words_of
from labkit.engine.words import stem

NEAR = 28
"""Characters before and behind a mention that are looked at for words of the property."""
BESIDE, NEXT, ROLE, MEASURE, MOST = 0.4, 0.15, 0.35, 0.45, 0.9
"""What a word of the property adds near a mention and next to it, a word for its role, a unit behind it; all together
at most the last."""
WEAK = frozenset({"number", "name", "quoted", "code"})
"""Kinds that say little by themselves: a number is the count of guests only near a word about guests."""
ALSO = {
    "person": ("name",),
    "organisation": ("name",),
    "place": ("street", "name"),
    "street": ("street", "place"),
    "date": ("datetime",),
    "datetime": ("date", "time"),
    "quoted": ("quoted", "name"),
    "name": ("quoted", "name", "organisation"),
    "rating": ("number",),
    "code": ("code", "number"),
    "money": ("money", "number"),
    "percent": ("percent", "number"),
    "number": ("number", "money", "percent"),
}
"""Kinds that will do where another is wanted."""
_ROLES = {
    "start from begin origin departure depart source checkin since": (
        r"\b(?:from|between|starting|starts?|begins?|leaving|departing|since|check-?in)\b"
    ),
    "end to until finish destination arrival arrive return target checkout": (
        r"(?:\b(?:to|until|till|through|ends?|arriving|return(?:ing|s)?|check-?out|into)\b|[–-])"
    ),
    "due deadline pay": r"\b(?:due|by|before|deadline|payable|no later than)\b",
    "sender author from by": r"\b(?:from|by|wrote|writes|regards,?|signed)\b",
    "recipient to receiver": r"\b(?:to|dear|for)\b",
    "total sum balance amount": r"\b(?:total|sum|altogether|overall|balance|amount|pay)\b",
    "issued issue invoice created ordered order sent date": r"\b(?:on|dated|issued|created|ordered|placed|sent)\b",
    "customer buyer client guest passenger patient user name": (
        r"\b(?:for|my name is|name is|i'm|i am|this is|customer|client|guest|patient|passenger|called)\b"
    ),
    "location venue place city where": r"\b(?:in|at)\b",
    "age": r"\b(?:aged?|is)\b",
}
"""Words of properties -> what stands before their values."""
_BEFORE = [
    (frozenset(names.split()), re.compile(pattern + r"\W{0,3}(?:\w+\W{1,2}){0,1}$", re.IGNORECASE))
    for names, pattern in _ROLES.items()
]
_PEOPLE = r"\s*(?:guests?|people|persons?|of us)"
_BEHIND = {
    "age": r"\s*,?\s*(?:-?\s*years?(?:[ -]olds?)?|y/?o)\b",
    "guest": r"\s*(?:guests?|people|persons?|pax|of us|adults?)",
    "peopl": _PEOPLE,
    "person": r"\s*(?:guests?|people|persons?)",
    "size": _PEOPLE,
    "parti": _PEOPLE,
    "quantiti": r"\s*(?:x\b|×|units?|pieces?|copies|packs?|boxes|[a-z])",
    "qti": r"\s*(?:x\b|×|units?|pieces?|[a-z])",
    "count": r"\s*[a-z]",
    "weight": r"\s*(?:kg|g|lbs?|pounds?|kilo)",
    "height": r"\s*(?:cm|m\b|ft|feet)",
    "durat": r"\s*(?:min|hours?|h\b|days?|weeks?)",
    "distanc": r"\s*(?:km|miles?|m\b|metres?)",
    "temperatur": r"\s*(?:°|degrees?|c\b|f\b|celsius)",
    "rate": r"\s*(?:/|out of|stars?)",
    "star": r"\s*(?:/|stars?)",
    "score": r"\s*(?:/|points?|out of)",
}
"""Stems of properties -> what stands behind their numbers."""


def rank(kind: str, kinds: Sequence[str]) -> int | None:
    """How far down the list of wanted kinds a kind stands, 0 to 4; None if it will not do."""
    if kind in kinds:
        return min(kinds.index(kind), 3)
    return next((min(n, 3) + 1 for n, k in enumerate(kinds) if kind in ALSO.get(k, ())), None)


def beside(text: str, m: Mention, want: Wanted, about: Sequence[str]) -> float:
    """What the words around a mention add to its score. `about`: words of the properties that the object is in."""
    before = re.split(r"[.;\n](?=\s)", text[max(0, m.start - NEAR) : m.start])[-1]
    after = re.split(r"[.;\n](?=\s|$)", text[m.end : m.end + NEAR])[0]
    near = [stem(w) for w in words_of(before)][-4:] + [stem(w) for w in words_of(after)][:2]
    next_to = near[-3:] if after else near[-1:]
    cues = want.cues | {stem(w) for w in about}
    score = BESIDE * bool(cues & set(near)) + NEXT * bool(cues & set(next_to))
    named = {*want.words, *about}
    score += ROLE * sum(bool(names & named and pattern.search(before)) for names, pattern in _BEFORE)
    behind = text[m.end : m.end + NEAR]
    for cue in want.cues & _BEHIND.keys():
        score += MEASURE * bool(re.match(_BEHIND[cue], behind, re.IGNORECASE))
    return min(score, MOST)
