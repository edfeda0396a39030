"""What only some properties read from a text: an expression, a currency, a ticker symbol, a search query, a message.

Each reader gets the text and the words of the property, and gives values with a score and a place, as mentions have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from labkit.engine.conversions import conversion, side
from labkit.engine.gazetteer import gazetteer
from labkit.engine.mentions import mentions
from labkit.engine.quantities import CURRENCIES, SYMBOLS, UNITS
from labkit.engine.sums import NUMBER_WORDS
from labkit.engine.words import FUNCTION_WORDS

Read = tuple[str, float, tuple[int, int]]
"""Value, score, place."""

HEADLINE = 6
"""Words of a message that make its subject."""
_SPOKEN = (
    (re.compile(r"\b(?:multiplied by|times)\b|[×x](?= ?\d)", re.IGNORECASE), "*"),
    (re.compile(r"\b(?:divided by|over)\b|÷", re.IGNORECASE), "/"),
    (re.compile(r"\b(?:to the power of|raised to)\b|\^", re.IGNORECASE), "**"),
    (re.compile(r"\bplus\b", re.IGNORECASE), "+"),
    (re.compile(r"\bminus\b|−", re.IGNORECASE), "-"),
    (re.compile(r"(\d+(?:\.\d+)?) ?(?:%|percent) of (\d+(?:\.\d+)?)", re.IGNORECASE), r"\1 / 100 * \2"),
    (re.compile(r"\b(?:the )?square root of (\d+(?:\.\d+)?)", re.IGNORECASE), r"sqrt(\1)"),
    (re.compile(r"\bsquared\b", re.IGNORECASE), "** 2"),
)
"""Arithmetic in words, and its signs."""
_EXPRESSION = re.compile(r"(?:sqrt)?\(?-?\d[\d.,]*\)?(?:\s*(?:\*\*|[-+*/%])\s*(?:sqrt)?\(*-?\d[\d.]*\)*)*")
_CURRENCY = re.compile(rf"\b(?:{'|'.join(CURRENCIES)})\b|[$€£¥₩₹]|\b(?:{'|'.join(UNITS)})s?\b", re.IGNORECASE)
_TARGET = re.compile(r"\b(?:to|into|in)\s+(?:\w+\s+)?$|[=→]\s*$", re.IGNORECASE)
_QUERY_LEAD = re.compile(
    r"^(?:please\s+|can you\s+|could you\s+|i want to\s+|i need to\s+)*(?:do a |run a )?"
    r"(?:search|look up|look for|find(?: out| me)?|google|research|check)"
    r"(?: the (?:web|internet|docs|documentation|knowledge base)| online| the database)?(?: for| about| on)?\s+",
    re.IGNORECASE,
)
_MESSAGE = re.compile(
    r"(?:\b(?:that|saying|to say|telling (?:him|her|them)(?: that)?|with the (?:message|text|body))\b|:)\s+(?:that\s+)?"
    r"[\"“']?(.{3,}?)[\"”']?\s*$",
    re.IGNORECASE | re.DOTALL,
)
_REMINDER = re.compile(
    r"\bremind me (?:(?:on|at|in|tomorrow|by)\b[^,]*? )?(?:to|about)\s+(.{3,}?)"
    r"(?=\s+(?:at|on|by|tomorrow|tonight|next)\b|[.!?]?\s*$)",
    re.IGNORECASE,
)
_TRANSLATED = re.compile(
    r"\btranslate\s+[\"“']?(.+?)[\"”']?\s+(?:from \w+ )?(?:in)?to\s+(\w+)|"
    r"\bsay\s+[\"“']?(.+?)[\"”']?\s+in\s+(\w+)",
    re.IGNORECASE,
)
_NO_TICKERS = frozenset({"USD", "EUR", "CEO", "API", "US", "UK", "USA", "NYSE", "ETF"})
_CURRENCY_HINT = re.compile(r"\b(?:ISO 4217|currency code)\b", re.IGNORECASE)


def expression(text: str, words: Sequence[str]) -> Iterable[Read]:
    """An arithmetic expression, in the signs of programming languages."""
    signs = text
    for word, number in NUMBER_WORDS.items():
        signs = re.sub(rf"\b{word}\b", str(number), signs, flags=re.IGNORECASE) if word in signs.lower() else signs
    for pattern, sign in _SPOKEN:
        signs = pattern.sub(sign if "\\" in sign else lambda _, s=sign: s, signs)
    found = max(_EXPRESSION.finditer(signs), key=lambda m: len(m[0]), default=None)
    if found and re.search(r"\d\s*[-+*/%]\s*\(*-?\d|sqrt", found[0]):
        yield re.sub(r"\s*(\*\*|[-+*/%])\s*", r" \1 ", found[0]).strip().rstrip(".,"), 1.4, (-1, -1)


def currency(text: str, words: Sequence[str]) -> Iterable[Read]:
    """Currencies in order: the one after "to" is the target, the one at the amount the source."""
    wants_target = bool(set(words) & {"to", "target", "into", "destination"})
    for n, m in enumerate(_CURRENCY.finditer(text)):
        code = SYMBOLS.get(m[0]) or UNITS.get(m[0].lower().rstrip("s")) or m[0].upper()
        target = bool(_TARGET.search(text[max(0, m.start() - 12) : m.start()])) and n > 0
        yield code, 1.0 + 0.4 * (target == wants_target) - 0.05 * n, m.span()


def converted(text: str, words: Sequence[str]) -> Iterable[Read]:
    """A side of a conversion: currencies by their code, units as they are written."""
    found = conversion(text)
    named = side(found, words) if found else None
    if found and named:
        yield named.name if found.of_money else named.written, 1.5, (named.start, named.end)


_TASK = re.compile(
    r"\b(?:will|must|should|shall|has to|have to|needs? to|is to|are to|promised to|agreed to)\s+(.{3,}?)"
    r"(?=\s+(?:by|before|until|on|at|tomorrow|tonight|next)\b|[.;!?]|\s*$)",
    re.IGNORECASE,
)


def task(text: str, words: Sequence[str]) -> Iterable[Read]:
    """What somebody will do: "Priya will send the budget by Friday" -> send the budget."""
    for n, m in enumerate(_TASK.finditer(text)):
        yield m[1].strip(), 1.0 - 0.05 * n, m.span(1)


def ticker(text: str, words: Sequence[str]) -> Iterable[Read]:
    """A symbol as it stands, or that of a company that the lists know."""
    for m in re.finditer(r"\b[A-Z]{2,5}\b(?:\.[A-Z]{1,2}\b)?", text):
        if m[0] not in _NO_TICKERS:
            yield m[0], 1.2, m.span()
    known = dict(pair.rsplit(" ", 1) for pair in gazetteer()["ticker"])
    for m in re.finditer(r"\b[A-Z][A-Za-z]+\b", text):
        if m[0] in known:
            yield known[m[0]], 1.3, m.span()


def query(text: str, words: Sequence[str]) -> Iterable[Read]:
    """What to search for: the request without the words that ask for a search."""
    said = text.strip().rstrip("?.! ")
    yield _QUERY_LEAD.sub("", said) or said, 0.9, (-1, -1)


def message(text: str, words: Sequence[str]) -> Iterable[Read]:
    """The message that is to be sent, made a sentence; its first words for a subject."""
    found = _MESSAGE.search(text)
    if not found:
        return
    said = found[1].strip().rstrip(".")
    said = said[0].upper() + said[1:]
    if set(words) & {"subject", "title", "headline"}:
        yield _headline(said), 0.8, (-1, -1)
    else:
        yield said + ("" if said[-1] in "!?" else "."), 0.9, (-1, -1)


def _headline(said: str) -> str:
    """The first words, none at the end that leaves the sentence hanging."""
    words = said.split()[:HEADLINE]
    while len(words) > 1 and words[-1].lower() in FUNCTION_WORDS:
        words = words[:-1]
    return " ".join(words)


def reminder(text: str, words: Sequence[str]) -> Iterable[Read]:
    """What to be reminded of."""
    if found := _REMINDER.search(text):
        yield found[1].strip(), 1.0, (-1, -1)


def translated(text: str, words: Sequence[str]) -> Iterable[Read]:
    """The text that is to be translated, or the language that it is to become."""
    found = _TRANSLATED.search(text)
    if not found:
        return
    if "language" in words or "lang" in words or "target" in words:
        if not set(words) & {"source", "from"}:
            yield (found[2] or found[4]).capitalize(), 1.3, (-1, -1)
    else:
        yield found[1] or found[3], 1.2, (-1, -1)


def first_or_last(text: str, words: Sequence[str]) -> Iterable[Read]:
    """One part of a person's name."""
    for n, m in enumerate(m for m in mentions(text) if m.kind == "person"):
        parts = m.text.split(" ")
        part = parts[0] if set(words) & {"first", "given", "fore"} else parts[-1] if len(parts) > 1 else ""
        if part:
            yield part, 1.2 - 0.05 * n, (-1, -1)


READERS: tuple[tuple[frozenset[str], Callable[[str, Sequence[str]], Iterable[Read]]], ...] = (
    (frozenset({"expression", "formula", "equation"}), expression),
    (frozenset({"currency"}), currency),
    (frozenset({"from", "to", "source", "target", "base", "unit", "units", "scale"}), converted),
    (frozenset({"task", "action", "todo", "assignment"}), task),
    (frozenset({"symbol", "ticker"}), ticker),
    (frozenset({"query", "q", "question", "keywords", "search", "term", "prompt"}), query),
    (frozenset({"body", "message", "content", "subject", "text"}), message),
    (frozenset({"task", "reminder", "title", "message", "text"}), reminder),
    (frozenset({"text", "phrase", "sentence", "language", "lang"}), translated),
    (frozenset({"first", "last", "given", "surname", "family"}), first_or_last),
)
"""By words of the property's name."""


def read(text: str, words: Sequence[str], hints: str) -> Iterable[Read]:
    """All that the readers for a property find."""
    named = set(words)
    for names, reader in READERS:
        if names & named:
            if reader is first_or_last and "name" not in named and not named & {"surname"}:
                continue
            yield from reader(text, words)
    if _CURRENCY_HINT.search(hints) and not named & {"currency", "amount", "value", "price"}:
        yield from currency(text, words)
