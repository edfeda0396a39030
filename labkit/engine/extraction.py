"""Values from a prompt for the properties of a schema: which mention of the text belongs to which property.

A mention scores for a property by its kind (an e-mail address for `customer_email`), by a label before it ("Customer e-mail:
..."), and by words of the property's name or description that stand near it. Properties of one object share the
mentions out, best fit first. What is close in score becomes a choice with probabilities, what is clear does not. A property
without any mention gets what its kind allows: reasons, a summary, the plain answer, an invented value when the prompt asks
for one, otherwise a word that says that nothing is known.

Does not know JSON schema beyond a property's name, type and words: that is `schema`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from labkit.engine import choices, prose, readers, sentiment
from labkit.engine.mentions import CURRENCIES, Mention, made_up, mentions
from labkit.engine.properties import Wanted, hints_of, wanted, words_of
from labkit.engine.reading import Reading
from labkit.engine.schema import Candidate, Field
from labkit.engine.template import Template, Text
from labkit.engine.validity import Json
from labkit.engine.words import FUNCTION_WORDS, stem

SHARPNESS = 6.0
"""How fast the probability of a candidate falls with its score: a tenth less score, nearly half the probability."""
TAKEN = 0.7
"""What a mention loses that another property has a better claim to."""
LABELLED = 1.6
"""Score of a value behind a label in the words of the property."""
TOLD = 1.3
"""Score of a value that the plain answer knows by the property's name."""
FROM_HISTORY = 0.4
NEAR = 28
"""Characters before and behind a mention that are looked at for words of the property."""
WEAK = frozenset({"number", "name", "quoted", "code"})
"""Kinds that say little by themselves: a number is the count of guests only near a word about guests."""
_ALSO = {
    "person": ("name",), "organisation": ("name",), "place": ("street", "name"), "street": ("street", "place"), "date": ("datetime",),
    "datetime": ("date", "time"), "quoted": ("quoted", "name"), "name": ("quoted", "name", "organisation"), "rating": ("number",),
    "code": ("code", "number"), "money": ("money", "number"), "percent": ("percent", "number"), "number": ("number", "money", "percent"),
}  # fmt: skip
_LABEL_LINE = re.compile(
    r"(?:^|[\n;•|]|(?<=[.,]) )[ \t*_>-]*(?P<label>[A-Za-z][\w /'-]{0,38}?)[*_]*\s*(?::|=|\bis\b(?= \S))[*_]*[ \t]*"
    r"(?P<value>[^\n;|]+?)[ \t]*(?=$|[\n;|]|[.,] [A-Z][\w /'-]{0,28}: )",
)
_ROLES: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset("start from begin origin departure depart source checkin since".split()), r"\b(?:from|between|starting|starts?|begins?|leaving|departing|since|check-?in)\b"),
    (frozenset("end to until finish destination arrival arrive return target checkout".split()), r"(?:\b(?:to|until|till|through|ends?|arriving|return(?:ing|s)?|check-?out|into)\b|[–-])"),
    (frozenset("due deadline pay".split()), r"\b(?:due|by|before|deadline|payable|no later than)\b"),
    (frozenset("sender author from by".split()), r"\b(?:from|by|wrote|writes|regards,?|signed)\b"),
    (frozenset("recipient to receiver".split()), r"\b(?:to|dear|for)\b"),
    (frozenset("total sum balance amount".split()), r"\b(?:total|sum|altogether|overall|balance|amount|pay)\b"),
    (frozenset("issued issue invoice created ordered order sent date".split()), r"\b(?:on|dated|issued|created|ordered|placed|sent)\b"),
    (frozenset("customer buyer client guest passenger patient user name".split()), r"\b(?:for|my name is|name is|i'm|i am|this is|customer|client|guest|patient|passenger|called)\b"),
    (frozenset("location venue place city where".split()), r"\b(?:in|at)\b"),
    (frozenset("age".split()), r"\b(?:aged?|is)\b"),
)
_AFTER = {
    "age": r"\s*,?\s*(?:-?\s*years?(?:[ -]olds?)?|y/?o)\b", "guest": r"\s*(?:guests?|people|persons?|pax|of us|adults?)", "peopl": r"\s*(?:guests?|people|persons?|of us)",
    "person": r"\s*(?:guests?|people|persons?)", "size": r"\s*(?:guests?|people|persons?|of us)", "parti": r"\s*(?:guests?|people|persons?|of us)",
    "quantiti": r"\s*(?:x\b|×|units?|pieces?|copies|packs?|boxes|[a-z])", "qti": r"\s*(?:x\b|×|units?|pieces?|[a-z])", "count": r"\s*[a-z]",
    "weight": r"\s*(?:kg|g|lbs?|pounds?|kilo)", "height": r"\s*(?:cm|m\b|ft|feet)", "durat": r"\s*(?:min|hours?|h\b|days?|weeks?)",
    "distanc": r"\s*(?:km|miles?|m\b|metres?)", "temperatur": r"\s*(?:°|degrees?|c\b|f\b|celsius)", "rate": r"\s*(?:/|out of|stars?)", "star": r"\s*(?:/|stars?)",
    "score": r"\s*(?:/|points?|out of)",
}  # fmt: skip
_LANGUAGES = (
    ("ko", "Korean", re.compile("[가-힣]")), ("ja", "Japanese", re.compile("[ぁ-ヿ]")), ("zh", "Chinese", re.compile("[一-鿿]")),
    ("ru", "Russian", re.compile("[а-яА-Я]")), ("de", "German", re.compile(r"\b(?:und|der|die|das|nicht|ist|ich|mit)\b|[äöüß]")),
    ("fr", "French", re.compile(r"\b(?:le|la|les|est|et|une|des|je|pas|vous)\b|[éèçêà]")), ("es", "Spanish", re.compile(r"\b(?:el|los|una|es|que|por|muy|con)\b|[ñ¿¡]")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Claim:
    """A value that could belong to a property."""

    value: Json
    score: float
    place: tuple[int, int]
    """Where it stands in the text; (-1, -1) when it does not."""


class PromptSource:
    """What one stretch of a prompt holds. See `schema.Source`."""

    def __init__(self, reading: Reading, text: str | None = None, about: tuple[str, ...] = ()) -> None:
        self.reading = reading
        self.text = reading.document if text is None else text
        self.whole = text is None
        self.about = about
        """Words of the properties that this object is in."""
        self.found = mentions(self.text, reading.tier)
        self._owner: dict[tuple[int, int], tuple[str, float]] = {}
        self._labels = [(frozenset(map(stem, words_of(m["label"]))), m["value"].strip(), m.span("value")) for m in _LABEL_LINE.finditer(self.text)]

    # The seam that `schema` asks by.

    def assign(self, fields: Sequence[Field]) -> None:
        claims = [(c.score, f.name, c.place) for f in fields if f.kind != "choice" for c in self._claims(f) if c.place[0] >= 0]
        settled: set[str] = set()
        for score, name, place in sorted(claims, key=lambda claim: -claim[0]):
            if name not in settled and place not in self._owner:
                self._owner[place] = (name, score)
                settled.add(name)

    def candidates(self, field: Field) -> tuple[list[Candidate], float]:
        want = self._wanted(field)
        if field.kind == "boolean":
            p, evidence = choices.flag(want, self.text, self.reading.tier)
            return [Candidate(True, p), Candidate(False, 1 - p)], evidence
        claims = [self._rivalled(field, claim) for claim in self._claims(field)]
        if claims:
            best = max(claim.score for claim in claims)
            if best >= 0.3:
                found = [Candidate(c.value, math.exp(SHARPNESS * (c.score - best))) for c in claims]
                return found, min(best, 1.0)
        return self._without_mention(field, want)

    def options(self, field: Field, values: Sequence[Json]) -> tuple[list[float], float]:
        want = self._wanted(field)
        if "currency" in want.kinds and (used := [m.detail for m in self.found if m.kind == "money"]):
            return [1.0 if value in used else 0.01 for value in values], 0.9
        if told := self._told(want):
            weights = [1.0 if str(value).lower() == str(told[0].value).lower() else 0.0 for value in values]
            if any(weights):
                return weights, 0.9
        for stems, value, _ in self._labels:
            if want.cues & stems and len(stems) <= 4:
                weights, evidence = choices.enumeration(want, values, value, value, self.reading.tier)
                if evidence > 0.4:
                    return weights, 0.95
        return choices.enumeration(want, values, self.text, self.reading.request, self.reading.tier)

    def items(self, field: Field) -> tuple[list[list[Candidate]], float]:
        from labkit.engine.records import items

        return items(self, field)

    def records(self, field: Field, properties: Mapping[str, object]) -> list[PromptSource]:
        from labkit.engine.records import records

        return records(self, field, properties)  # type: ignore[return-value]

    def entries(self, field: Field) -> list[tuple[str, PromptSource]]:
        pairs = [(m["label"].strip(), m["value"].strip()) for m in _LABEL_LINE.finditer(self.text)]
        return [(label, PromptSource(self.reading, f"{label}: {value}", self.about)) for label, value in dict(pairs).items()][:24]

    def inner(self, field: Field) -> PromptSource:
        if not field.name:
            return self
        source = PromptSource(self.reading, None if self.whole else self.text, (*self.about, *words_of(field.name)))
        source._owner = self._owner
        return source

    # Claims.

    def wanted(self, field: Field) -> Wanted:
        return self._wanted(field)

    def _wanted(self, field: Field) -> Wanted:
        form = field.schema.get("format", "")
        return wanted(field.name, field.kind, form if isinstance(form, str) else "", hints_of(field.schema))

    def _rivalled(self, field: Field, claim: _Claim) -> _Claim:
        owner = self._owner.get(claim.place)
        if owner is None or owner[0] == field.name:
            return claim
        return _Claim(claim.value, claim.score - TAKEN, claim.place)

    def _claims(self, field: Field) -> list[_Claim]:
        want = self._wanted(field)
        claims = [*self._labelled(field, want), *self._mentioned(field, want), *self._by_pattern(field)]
        if field.kind == "string" and self.reading.tier != "small":
            claims += [_Claim(*found) for found in readers.read(self.text, want.words, want.hints)]
        claims += self._told(want)
        if self.whole and self.reading.history and not any(c.score > 0.4 for c in claims):
            earlier = PromptSource(self.reading, self.reading.history, self.about)
            claims += [_Claim(c.value, c.score - FROM_HISTORY, (-1, -1)) for c in earlier._claims(field)]
        return [c for c in claims if c.value is not None]

    def _labelled(self, field: Field, want: Wanted) -> Iterable[_Claim]:
        """`Label: value` where the label is made of the property's words."""
        named = frozenset(stem(w) for w in want.words)
        for stems, value, (start, end) in self._labels:
            common = (stems & named) - {stem(w) for w in FUNCTION_WORDS}
            if not common or len(stems) > 4:
                continue
            fit = len(common) / len(stems | named)
            inside = [m for m in self.found if start <= m.start and m.end <= end]
            converted = self._convert(field, want, value, inside)
            if converted is not None:
                place = next(((m.start, m.end) for m in inside if self._value(field, m) == converted), (start, end))
                yield _Claim(converted, LABELLED * (0.55 + 0.45 * fit) if fit > 0.3 else 0.5, place)

    def _convert(self, field: Field, want: Wanted, value: str, inside: Sequence[Mention]) -> Json:
        """A labelled value as the property's type wants it."""
        kinds = [k for kind in want.kinds for k in (kind, *_ALSO.get(kind, ()))]
        fitting = [m for kind in kinds for m in inside if m.kind == kind]
        if field.kind in ("integer", "number"):
            numeric = [m for m in fitting or inside if isinstance(m.value, float)]
            return self._value(field, numeric[0]) if numeric else None
        if fitting and (fitting[0].kind not in WEAK or len(fitting[0].text) >= 0.8 * len(value)) and len(value.split()) <= 12:
            return self._value(field, fitting[0])
        return value.rstrip(".").strip("\"'“”") if field.kind == "string" else None

    def _mentioned(self, field: Field, want: Wanted) -> Iterable[_Claim]:
        order: dict[str, int] = {}
        for m in self.found:
            rank = self._rank(m.kind, want.kinds)
            if rank is None:
                continue
            nth = order[m.kind] = order.get(m.kind, -1) + 1
            score = (0.4 if m.kind in WEAK else 0.75) * m.confidence - 0.1 * rank - 0.02 * min(nth, 8)
            score += self._cued(m, want)
            value = self._value(field, m)
            if value is not None and score > 0.15:
                yield _Claim(value, score, (m.start, m.end))

    def _rank(self, kind: str, kinds: Sequence[str]) -> int | None:
        """How far down the list of wanted kinds a kind stands."""
        if kind in kinds:
            return min(kinds.index(kind), 3)
        return next((min(n, 3) + 1 for n, k in enumerate(kinds) if kind in _ALSO.get(k, ())), None)

    def _cued(self, m: Mention, want: Wanted) -> float:
        """What the words around a mention add."""
        before = re.split(r"[.;\n](?=\s)", self.text[max(0, m.start - NEAR) : m.start])[-1]
        after = re.split(r"[.;\n](?=\s|$)", self.text[m.end : m.end + NEAR])[0]
        score = 0.0
        near = [stem(w) for w in words_of(before)][-4:] + [stem(w) for w in words_of(after)][:2]
        cues = want.cues | {stem(w) for w in self.about}
        score += 0.4 * bool(cues & set(near)) + 0.15 * bool(cues & set(near[-1:] if not after else near[max(0, len(near) - 3) :]))
        for names, pattern in _ROLES:
            if names & {*want.words, *self.about} and re.search(pattern + r"\W{0,3}(?:\w+\W{1,2}){0,1}$", before, re.IGNORECASE):
                score += 0.35
        for cue, pattern in _AFTER.items():
            if cue in want.cues and re.match(pattern, self.text[m.end : m.end + NEAR], re.IGNORECASE):
                score += 0.45
        return min(score, 0.9)

    def _value(self, field: Field, m: Mention) -> Json:
        """A mention as the property's type wants it; None if it cannot be."""
        if field.kind in ("integer", "number"):
            if not isinstance(m.value, float):
                return None
            high = field.schema.get("maximum", 2)
            return m.value / 100 if m.kind == "percent" and isinstance(high, int | float) and high <= 1 else m.value
        form = field.schema.get("format")
        if form == "date-time" and m.kind in ("date", "time"):
            return self._moment(m)
        if form == "time" and m.kind == "time":
            return f"{m.value}:00Z"
        if m.kind == "url" and form in ("uri", "url", "iri") and m.text.startswith("www."):
            return "https://" + m.text
        return m.text if isinstance(m.value, float) else m.value

    def _moment(self, m: Mention) -> str | None:
        """A date with the next time after it."""
        if m.kind != "date" or m.detail:
            return None
        times = [t for t in self.found if t.kind == "time"]
        near = min(times, key=lambda t: abs(t.start - m.end), default=None)
        return f"{m.value}T{near.value if near else '00:00'}:00Z"

    def _by_pattern(self, field: Field) -> Iterable[_Claim]:
        """What the schema's own pattern finds in the text."""
        pattern = field.schema.get("pattern")
        if field.kind != "string" or not isinstance(pattern, str):
            return
        import regex

        bare = pattern.removeprefix("^").removesuffix("$")
        try:
            for found in regex.finditer(rf"(?<![\w-])(?:{bare})(?![\w-])", self.text, timeout=0.02):
                if found[0]:
                    yield _Claim(found[0], 1.2, found.span())
        except (TimeoutError, regex.error):
            return

    def _told(self, want: Wanted) -> list[_Claim]:
        """What the plain answer knows by this name."""
        named = frozenset(stem(w) for w in want.words)
        for key, value in self.reading.told:
            if value not in ("", None) and named & {stem(w) for w in words_of(key)}:
                return [_Claim(value, TOLD, (-1, -1))]
        return []

    # Without a mention.

    def _without_mention(self, field: Field, want: Wanted) -> tuple[list[Candidate], float]:
        if field.kind in ("integer", "number"):
            return self._number(field, want)
        for kind in want.kinds:
            if kind in _WRITERS and (text := _WRITERS[kind](self)):
                return [Candidate(text, 1.0)], 0.6
        if invented := self._invented(want):
            return invented, 0.6
        return [], 0.0

    def _number(self, field: Field, want: Wanted) -> tuple[list[Candidate], float]:
        if "confidence" in want.kinds:
            high = field.schema.get("maximum", 100 if field.kind == "integer" else 1)
            factor = 100 if isinstance(high, int | float) and high > 1 else 1
            return [Candidate(round(p * factor, 2), w) for p, w in ((0.9, 1.0), (0.95, 0.6), (0.85, 0.4), (0.8, 0.2))], 0.6
        if "rating" in want.kinds:
            return self._rating(field), 0.6
        if self.reading.invent:
            return [Candidate(float(n), 1.0) for n in (3, 12, 28, 36, 41, 75, 120)], 0.5
        return [], 0.0

    def _rating(self, field: Field) -> list[Candidate]:
        """Stars from the mood of the text."""
        low, high = field.schema.get("minimum", 1), field.schema.get("maximum", 5)
        middle = low + (high - low) * sentiment.probability(self.text, self.reading.tier)
        nearest = round(middle)
        return [Candidate(n, 1.0 if n == nearest else 0.15) for n in (nearest, nearest - 1, nearest + 1) if low <= n <= high]

    def _invented(self, want: Wanted) -> list[Candidate]:
        if not self.reading.invent:
            return []
        kinds = {"place": "city", "person": "name", "quoted": "title"}
        pools = made_up()
        for word in reversed(want.words):
            if word in pools and word not in ("name", "title"):
                return [Candidate(v, 1.0) for v in pools[word]]
        for kind in (*want.kinds, "word"):
            if pool := pools.get(kinds.get(kind, kind)):
                return [Candidate(v, 1 / (1 + 0.3 * n)) for n, v in enumerate(pool)]
        return []

    def language(self) -> Template:
        short = next((code for code, _, pattern in _LANGUAGES if len(pattern.findall(self.text)) >= 2), "en")
        return (Text(short),)

    def currency(self) -> Template:
        found = next((m.detail for m in self.found if m.kind == "money"), "")
        found = found or next((c for c in CURRENCIES if c in self.text), "")
        return (Text(found),) if found else ()


def _answer(source: PromptSource) -> Template:
    return source.reading.answer or ()


_WRITERS = {
    "reasons": lambda s: prose.reasons(s.text),
    "summary": lambda s: prose.summary(s.text) if s.reading.document != s.reading.request else _answer(s),
    "title": lambda s: prose.title(s.text) if s.reading.document != s.reading.request else (),
    "answer": _answer,
    "language": PromptSource.language,
    "currency": PromptSource.currency,
    "sentiment": lambda s: (Text("positive" if sentiment.probability(s.text, s.reading.tier) > 0.5 else "negative"),),
}
"""What is written for a kind of text, by the source."""
