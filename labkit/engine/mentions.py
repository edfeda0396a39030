"""What a text mentions: dates, amounts, numbers, addresses, names. By form and by the short lists of `gazetteer.md`.

    "Invoice INV-2041 from Acme Ltd: $1,250.00, due 3 March 2026"
    ->  code INV-2041 | organisation Acme Ltd | money 1250.0 | date 2026-03-03

`quantities` reads what can be counted, `names` what has a capital letter. The small tier reads plain forms only; each
of the two says what is beyond it. No text is treated by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from labkit.engine import names, quantities
from labkit.engine.mention import LIKELY, SURE, Mention

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_URL = re.compile(r"\b(?:https?://|www\.)[^\s<>\"'()]+[^\s<>\"'().,;:!?]")
_PHONE = re.compile(r"(?<![\w.-])(?:\+\d{1,3}[ .-]?)?(?:\(\d{2,4}\)[ .-]?)?\d{2,4}(?:[ .-]\d{2,4}){1,4}(?![\w-])")
_CODE = re.compile(
    r"(?<![\w-])#?(?=[A-Z0-9/-]*\d)(?=[A-Z0-9/-]*[A-Z-])[A-Z]{1,6}[A-Z0-9]*(?:[-/]?[A-Z0-9]+)*(?![\w-])|#\d+\b"
)
_QUOTED = re.compile(r"[\"“]([^\"“”\n]{1,200})[\"”]|(?<!\w)['‘]([^'‘’\n]{2,120})['’](?!\w)")


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
    """Mentions kind by kind: what is found first is right more often, and keeps its place."""
    yield from (Mention("email", m[0], m[0], *m.span(), SURE) for m in _EMAIL.finditer(text))
    yield from (Mention("url", m[0], m[0], *m.span(), SURE) for m in _URL.finditer(text))
    yield from quantities.dates(text, tier)
    yield from quantities.times(text)
    yield from quantities.money(text, tier)
    yield from quantities.percentages(text)
    yield from (Mention("code", m[0], m[0].lstrip("#"), *m.span(), LIKELY) for m in _CODE.finditer(text))
    yield from names.streets(text)
    for m in _PHONE.finditer(text):
        if 7 <= sum(c.isdigit() for c in m[0]) <= 15:
            yield Mention("phone", m[0], m[0], *m.span(), SURE)
    yield from quantities.numbers(text, tier)
    for m in _QUOTED.finditer(text):
        yield Mention("quoted", m[1] or m[2], m[1] or m[2], *m.span(1 if m[1] else 2), SURE)
    yield from names.named(text, tier)
