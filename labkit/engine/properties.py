"""What a property asks for, told from its name, title, description and format.

    customer_email -> email      dueDate -> date      num_guests -> number      "reasoning" -> a sentence that gives reasons

The last word of a name usually says what it is, the words before it whose.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from labkit.engine.words import FUNCTION_WORDS, stem

_SPLIT = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

_ASKED = {
    "email": "email mail emails",
    "phone": "phone telephone tel mobile cell fax phones",
    "url": "url uri link website homepage site links urls",
    "date": "date day deadline due birthday birthdate dob dates days departure arrival checkin checkout expiry when deliverydate",
    "time": "time hour start_time clock times",
    "money": "price cost amount total budget fee salary payment fare balance subtotal rent revenue income charge cost prices costs discount tax vat deposit",
    "currency": "currency",
    "percent": "percent percentage rate share discount growth",
    "person": "name person customer client author contact speaker attendee recipient sender user patient employee student teacher manager buyer "
    "seller guest passenger owner applicant candidate participant who people persons names attendees speakers participants authors guests "
    "driver winner artist director host organiser organizer agent assignee signatory ceo founder character organizers leader",
    "organisation": "company organisation organization employer vendor brand supplier institution firm business merchant publisher university "
    "school companies organisations organizations org venue_owner bank airline manufacturer agency affiliation seller_company sponsor",
    "place": "city town location place destination origin country address venue where region state area cities places locations countries "
    "airport station source from to birthplace hometown departure_city arrival_city headquarters site capital",
    "street": "street address road",
    "code": "id code reference ref sku isbn ticket order invoice number tracking serial booking account flight identifier case "
    "confirmation postcode zip zipcode",
    "quoted": "quote title book song film movie phrase headline quotation message text",
    "number": "count quantity age size number guests nights people year years weight height distance duration rooms seats tickets persons items "
    "units stars rating score pages minutes hours days population temperature adults children bedrooms floor capacity limit",
    "name": "product item model brand device dish event project course team service feature object thing title product_name entity food",
    "reasons": "reasoning reason explanation rationale thinking thought thoughts analysis justification chain_of_thought evidence why scratchpad reasons explanations",
    "summary": "summary abstract tldr gist overview description details content body synopsis notes note comment issue problem topic",
    "title": "title subject headline heading caption",
    "answer": "answer response reply output result text message final solution joke haiku poem story completion definition translation "
    "explanation advice content sentence tagline slogan",
    "confidence": "confidence probability certainty likelihood score",
    "rating": "rating stars star score",
    "sentiment": "sentiment mood tone polarity emotion feeling attitude",
    "language": "language lang locale",
    "keywords": "keywords tags keyword tag topics labels themes hashtags",
    "job": "job role occupation profession position title",
    "colour": "colour color",
    "steps": "steps step instructions procedure",
}  # fmt: skip
_BY_WORD: dict[str, list[str]] = {}
for _kind, _words in _ASKED.items():
    for _word in _words.split():
        _BY_WORD.setdefault(_word, []).append(_kind)
_VAGUE = frozenset("name value text string field data info details number id title type".split())
"""Last words that leave it to the word before them what is meant: company_name is a company."""
_FORMATS = {
    "date": "date", "date-time": "datetime", "time": "time", "email": "email", "idn-email": "email", "uri": "url", "url": "url", "iri": "url",
}  # fmt: skip
_NUMERIC = ("money", "percent", "confidence", "rating", "number", "code")
_TEXTUAL_OF_NUMERIC = ("number", "confidence", "rating")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a property asks for."""

    words: tuple[str, ...]
    """Of its name, small letters."""
    cues: frozenset[str]
    """Stems that stand near its value in a text: of its name, and of its title and description."""
    kinds: tuple[str, ...]
    """What it could be, the likeliest first."""
    hints: str
    """Title and description."""


@lru_cache(maxsize=8_192)
def wanted(name: str, kind: str, form: str, hints: str) -> Wanted:
    """Read a property.

    Args:
        kind: "string", "number", "integer", "boolean" or "choice".
        form: its `format`, or nothing.
        hints: title and description.
    """
    words = words_of(name)
    kinds = [_FORMATS[form]] if form in _FORMATS else []
    for word in _by_importance(words):
        kinds += _BY_WORD.get(word, ())
    kinds += [k for word in words_of(hints) for k in _BY_WORD.get(word, ())] if not kinds else []
    if "".join(words) in ("name", "fullname", "firstname", "lastname"):
        kinds = ["person", "name", "organisation"]
    if kind in ("integer", "number"):
        kinds = [k for k in kinds if k in _NUMERIC] + ["number"]
    elif kind == "string":
        kinds = [k for k in kinds if k not in _TEXTUAL_OF_NUMERIC]
    said = {stem(w) for w in words if w not in FUNCTION_WORDS and w not in _VAGUE} or {stem(w) for w in words}
    described = {stem(w) for w in words_of(hints) if w not in FUNCTION_WORDS and len(w) > 2}
    return Wanted(tuple(words), frozenset(said | described), tuple(dict.fromkeys(kinds)), hints)


def hints_of(schema: Mapping[str, Any]) -> str:
    """Title and description of a schema. A title that pydantic made from the name says nothing new, and does no harm."""
    found = (schema.get("title"), schema.get("description"))
    return " ".join(text for text in found if isinstance(text, str))


def words_of(name: str) -> list[str]:
    """The words of an identifier or a phrase.

    >>> words_of("dueDate"), words_of("num_guests"), words_of("URLOfShop")
    (['due', 'date'], ['num', 'guests'], ['url', 'of', 'shop'])
    """
    return [word.lower() for word in _SPLIT.split(name) if word]


def _by_importance(words: Sequence[str]) -> list[str]:
    """The last word first, unless it is vague and others stand before it."""
    if len(words) > 1 and words[-1] in _VAGUE:
        return [*words[-2::-1], words[-1]]
    return list(words[::-1])
