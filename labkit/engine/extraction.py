"""Values from a prompt for the properties of a schema: which mention of the text belongs to which property.

A mention scores for a property by its kind (an e-mail address for `customer_email`), by a label before it ("Customer
e-mail: ..."), and by words of the property's name or description that stand near it. Properties of one object share the
mentions out, best fit first. What is close in score becomes a choice with probabilities, what is clear does not. A
property without any mention is left to `unmentioned`.

Does not know JSON schema beyond a property's name, type and words: that is `schema`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import regex

from labkit.engine import choices, readers, unmentioned
from labkit.engine.conversions import canonical, conversion, side
from labkit.engine.cues import ALSO, WEAK, beside, rank
from labkit.engine.evidence import Candidate, Field
from labkit.engine.mention import Mention
from labkit.engine.mentions import mentions
from labkit.engine.properties import Wanted, asked_by, words_of
from labkit.engine.reading import Reading
from labkit.engine.validity import PATTERN_SECONDS, Json, Schema
from labkit.engine.words import FUNCTION_WORDS, stem

SHARPNESS = 6.0
"""How fast the probability of a candidate falls with its score: a tenth less score, nearly half the probability."""
TAKEN = 0.7
"""What a mention loses that another property has a better claim to."""
LABELLED = 1.6
"""Score of a value behind a label in the words of the property."""
BY_PATTERN = 1.2
"""Score of what the property's own pattern finds."""
TOLD = 1.3
"""Score of a value that the plain answer knows by the property's name."""
FROM_HISTORY = 0.4
"""What a value loses that an earlier turn holds."""
CLAIMED = 0.3
"""Score from which a mention is taken for the property's value."""
MOST_ENTRIES = 24
_WORKED_OUT = (
    (frozenset({"answer", "result", "solution", "total", "value", "final"}), "result"),
    (frozenset({"reasoning", "explanation", "working", "workings", "thinking", "calculation"}), "row"),
)
"""Words of properties -> what a sum calls it."""
NOWHERE = (-1, -1)
"""The place of a value that does not stand in the text."""
_LABEL_LINE = re.compile(
    r"(?:^|[\n;•|]|(?<=[.,]) )[ \t*_>-]*(?P<label>[A-Za-z][\w /'-]{0,38}?)[*_]*\s*(?::|=|\bis\b(?= \S))[*_]*[ \t]*"
    r"(?P<value>[^\n;|]+?)[ \t]*(?=$|[\n;|]|[.,] [A-Z][\w /'-]{0,28}: )",
)


@dataclass(frozen=True, slots=True)
class _Claim:
    """A value that could belong to a property."""

    value: Json
    score: float
    place: tuple[int, int]
    """Where it stands in the text; `NOWHERE` when it does not."""


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
        self.labels = [
            (frozenset(map(stem, words_of(m["label"]))), m["value"].strip(), m.span("value"))
            for m in _LABEL_LINE.finditer(self.text)
        ]
        """(stems of the label, value, its place) for each "Label: value" of the text."""

    # The seam that `schema` asks by. `records` builds on this class, so it is imported where it is needed.

    def assign(self, fields: Sequence[Field]) -> None:
        """Share the mentions out, best claim first."""
        claims = [(claim, f.name) for f in fields if f.kind != "choice" for claim in self._claims(f)]
        placed = [(c.score, name, c.place) for c, name in claims if c.place != NOWHERE]
        settled: set[str] = set()
        for score, name, place in sorted(placed, key=lambda claim: -claim[0]):
            if name not in settled and place not in self._owner:
                self._owner[place] = (name, score)
                settled.add(name)

    def candidates(self, field: Field) -> tuple[list[Candidate], float]:
        want = asked_by(field)
        if field.kind == "boolean":
            p, evidence = choices.flag(want, self.text, self.reading.tier)
            return [Candidate(True, p), Candidate(False, 1 - p)], evidence
        claims = [self._rivalled(field, claim) for claim in self._claims(field)]
        if claims:
            best = max(claim.score for claim in claims)
            if best >= CLAIMED:
                found = [Candidate(c.value, math.exp(SHARPNESS * (c.score - best))) for c in claims]
                return found, min(best, 1.0)
        return unmentioned.values(self.reading, self.text, field, want)

    def options(self, field: Field, values: Sequence[Json]) -> tuple[list[float], float]:
        want = asked_by(field)
        if "currency" in want.kinds and (used := [m.detail for m in self.found if m.kind == "money"]):
            return [1.0 if value in used else 0.01 for value in values], 0.9
        if (found := conversion(self.text)) and (named := side(found, want.words)):
            weights = [1.0 if named.name in (canonical(str(value)), str(value).upper()) else 0.0 for value in values]
            if any(weights):
                return weights, 0.95
        if told := self._told(want):
            weights = [1.0 if str(value).lower() == str(told[0].value).lower() else 0.0 for value in values]
            if any(weights):
                return weights, 0.9
        for stems, value, _ in self.labels:
            if want.cues & stems and len(stems) <= 4:
                weights, evidence = choices.enumeration(want, values, value, value, self.reading.tier)
                if evidence > 0.4:
                    return weights, 0.95
        return choices.enumeration(want, values, self.text, self.reading.request, self.reading.tier)

    def items(self, field: Field) -> tuple[list[list[Candidate]], float]:
        from labkit.engine.records import items

        return items(self, field)

    def records(self, field: Field, properties: Mapping[str, Schema]) -> Sequence[PromptSource]:
        from labkit.engine.records import records

        return records(self, field, properties)

    def entries(self, field: Field) -> list[tuple[str, PromptSource]]:
        pairs = {m["label"].strip(): m["value"].strip() for m in _LABEL_LINE.finditer(self.text)}
        shown = list(pairs.items())[:MOST_ENTRIES]
        return [(label, PromptSource(self.reading, f"{label}: {value}", self.about)) for label, value in shown]

    def inner(self, field: Field) -> PromptSource:
        if not field.name:
            return self
        source = PromptSource(self.reading, None if self.whole else self.text, (*self.about, *words_of(field.name)))
        source._owner = self._owner
        return source

    # Claims.

    def _rivalled(self, field: Field, claim: _Claim) -> _Claim:
        owner = self._owner.get(claim.place)
        if owner is None or owner[0] == field.name:
            return claim
        return _Claim(claim.value, claim.score - TAKEN, claim.place)

    def _claims(self, field: Field) -> list[_Claim]:
        want = asked_by(field)
        claims = [*self._labelled(field, want), *self._mentioned(field, want), *self._by_pattern(field)]
        if field.kind == "string" and self.reading.tier != "small":
            claims += [_Claim(*found) for found in readers.read(self.text, want.words, want.hints)]
        claims += self._told(want)
        if self.whole and self.reading.history and not any(c.score > 0.4 for c in claims):
            earlier = PromptSource(self.reading, self.reading.history, self.about)
            claims += [_Claim(c.value, c.score - FROM_HISTORY, NOWHERE) for c in earlier._claims(field)]
        return [c for c in claims if c.value is not None]

    def _labelled(self, field: Field, want: Wanted) -> Iterable[_Claim]:
        """`Label: value` where the label is made of the property's words."""
        named = frozenset(stem(w) for w in want.words)
        for stems, value, (start, end) in self.labels:
            common = (stems & named) - {stem(w) for w in FUNCTION_WORDS}
            if not common or len(stems) > 4:
                continue
            fit = len(common) / len(stems | named)
            inside = [m for m in self.found if start <= m.start and m.end <= end]
            converted = self._convert(field, want, value, inside)
            if converted is not None:
                place = next(((m.start, m.end) for m in inside if self.value_of(field, m) == converted), (start, end))
                yield _Claim(converted, LABELLED * (0.55 + 0.45 * fit) if fit > 0.3 else 0.5, place)

    def _convert(self, field: Field, want: Wanted, value: str, inside: Sequence[Mention]) -> Json:
        """A labelled value as the property's type wants it."""
        kinds = [k for kind in want.kinds for k in (kind, *ALSO.get(kind, ()))]
        fitting = [m for kind in kinds for m in inside if m.kind == kind]
        if field.kind in ("integer", "number"):
            numeric = [m for m in fitting or inside if isinstance(m.value, float)]
            return self.value_of(field, numeric[0]) if numeric else None
        whole = fitting and (fitting[0].kind not in WEAK or len(fitting[0].text) >= 0.8 * len(value))
        if whole and len(value.split()) <= 12:
            return self.value_of(field, fitting[0])
        return value.rstrip(".").strip("\"'“”") if field.kind == "string" else None

    def _mentioned(self, field: Field, want: Wanted) -> Iterable[_Claim]:
        order: dict[str, int] = {}
        for m in self.found:
            place = rank(m.kind, want.kinds)
            if place is None:
                continue
            nth = order[m.kind] = order.get(m.kind, -1) + 1
            score = (0.4 if m.kind in WEAK else 0.75) * m.confidence - 0.1 * place - 0.02 * min(nth, 8)
            score += beside(self.text, m, want, self.about)
            value = self.value_of(field, m)
            if value is not None and score > 0.15:
                yield _Claim(value, score, (m.start, m.end))

    def value_of(self, field: Field, m: Mention) -> Json:
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
        bare = pattern.removeprefix("^").removesuffix("$")
        try:
            for found in regex.finditer(rf"(?<![\w-])(?:{bare})(?![\w-])", self.text, timeout=PATTERN_SECONDS):
                if found[0]:
                    yield _Claim(found[0], BY_PATTERN, found.span())
        except (TimeoutError, regex.error):
            return

    def _told(self, want: Wanted) -> list[_Claim]:
        """What the plain answer knows by this name."""
        named = frozenset(stem(w) for w in want.words)
        for key, value in self.reading.told:
            if value not in ("", None) and named & {stem(w) for w in words_of(key)}:
                return [_Claim(value, TOLD, NOWHERE)]
        known = dict(self.reading.told)
        worked_out = next((known[to] for words, to in _WORKED_OUT if words & set(want.words) and known.get(to)), None)
        return [] if worked_out is None else [_Claim(worked_out, TOLD, NOWHERE)]
