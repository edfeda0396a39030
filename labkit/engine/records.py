"""Lists: which stretches of a text are the items of an array."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from labkit.engine import choices, prose
from labkit.engine.cues import ALSO, WEAK
from labkit.engine.evidence import Candidate, Field
from labkit.engine.extraction import PromptSource
from labkit.engine.mention import Mention
from labkit.engine.properties import Wanted, asked_by, wanted, words_of
from labkit.engine.template import likeliest
from labkit.engine.unmentioned import out_of
from labkit.engine.wordlists import sections
from labkit.engine.words import FUNCTION_WORDS, stem

_BULLET = re.compile(r"(?m)^\s*(?:[-*•]|\d+[.)])\s+(.+)$")
_ENUMERATED = re.compile(r"(?:[^,.;:!?\n]+,\s+)+(?:(?:and|or)\s+)?[^,.;:!?\n]+|[^,.;:!?\n]+\s+and\s+[^,.;:!?\n]+")
_ITEM_SPLIT = re.compile(r",\s*(?:and|or)?\s+|\s+and\s+|\s+or\s+|\s*[,;/]\s*")
_ENTITY_KINDS = sections("properties.md")["entities"]
"""Kind of a mention -> names that types of entities have for it; the first is written where the schema sets none."""
_CUTS = (
    r";\s*",
    r"(?<=[.!?])\s+",
    r";\s*|(?<=[.!?])\s+|,\s*(?:and\s+)?(?![^(]*\))|\s+and\s+(?=[\dA-Za-z])",
)
"""Where a text may be cut into records, the roughest cut first."""
_KEYWORD_MOST = 5
_NO_KEYWORD_WORDS = """have were been they when what which from extract explain describe write give make create list
tell show generate suggest summarise summarize classify analyse analyze translate find return plan"""
_NO_KEYWORDS = frozenset(map(stem, _NO_KEYWORD_WORDS.split()))
"""Small words, and what requests begin with."""
_PRAISE = frozenset(["pros", "strengths", "positives", "advantages", "likes", "praise", "highlights", "benefits"])
_COMPLAINTS = frozenset(["cons", "weaknesses", "negatives", "disadvantages", "dislikes", "complaints", "drawbacks"])


class EntitySource(PromptSource):
    """One entity: its text, its type, how sure it is."""

    def __init__(self, parent: PromptSource, mention: Mention) -> None:
        super().__init__(parent.reading, mention.text, parent.about)
        self.mention = mention
        self.context = next((s for s in prose.sentences(parent.text) if mention.text in s), mention.text)

    def assign(self, fields: Sequence[Field]) -> None:
        """Nothing to share out: all fields are about the one entity."""

    def candidates(self, field: Field) -> tuple[list[Candidate], float]:
        want, m = asked_by(field), self.mention
        if field.kind in ("integer", "number"):
            return self._figures(field, want), 0.9
        if field.kind == "boolean":
            return super().candidates(field)
        if set(want.words) & {"type", "category", "label", "kind", "class"}:
            return [Candidate(_ENTITY_KINDS[m.kind].split()[0], 1.0)], 0.9
        if set(want.words) & {"context", "sentence", "evidence", "reason", "reasoning", "explanation", "description"}:
            return [Candidate(self.context, 1.0)], 0.8
        if set(want.words) & {"normalized", "normalised", "canonical", "iso"}:
            return [Candidate(str(m.value), 1.0)], 0.8
        return [Candidate(m.text, 1.0)], 0.9

    def _figures(self, field: Field, want: Wanted) -> list[Candidate]:
        if set(want.words) & {"start", "begin", "offset", "from"}:
            return [Candidate(self.mention.start, 1.0)]
        if set(want.words) & {"end", "to"}:
            return [Candidate(self.mention.end, 1.0)]
        factor, sure = out_of(field), self.mention.confidence
        values = [(sure, 1.0), (sure - 0.05, 0.25), (min(sure + 0.03, 0.99), 0.15)]
        return [Candidate(round(p * factor, 2), w) for p, w in values]

    def options(self, field: Field, values: Sequence[object]) -> tuple[list[float], float]:
        weights = [_fits_entity(self.mention, str(value)) for value in values]
        return (weights, 0.9) if any(weights) else super().options(field, values)


def records(source: PromptSource, field: Field, properties: Mapping[str, object]) -> list[PromptSource]:
    """A source for each item of an array of objects; none when the text has nothing for them."""
    fields = [f for key, part in properties.items() if isinstance(part, dict) and (f := _as_field(key, part))]
    kinds = _entity_types(fields)
    if kinds is not None:
        return [EntitySource(source, m) for m in _entities(source, kinds)]
    anchors = [f for f in fields if f.kind != "boolean"]
    if not anchors:
        return []
    best: list[PromptSource] = []
    most = 0.0
    for segments in _segmentations(source.text):
        sources = [PromptSource(source.reading, segment, source.about) for segment in segments]
        scored = [(s, _score(s, anchors)) for s in sources]
        kept = [(s, score) for s, score in scored if score >= 0.5 * len([f for f in anchors if f.kind != "choice"])]
        total = sum(score for _, score in kept) * (1 + 0.05 * len(kept))
        if total > most + 0.2:
            best, most = [s for s, _ in kept], total
    return best


def _as_field(key: str, schema: Mapping[str, object]) -> Field | None:
    parts = schema.get("anyOf")
    if isinstance(parts, list):
        schema = next((p for p in parts if isinstance(p, dict) and p.get("type") != "null"), {}) | {
            k: v for k, v in schema.items() if k in ("title", "description")
        }
    kind = schema.get("type", "string")
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), "string")
    if "$ref" in schema or "enum" in schema:  # a definition beside plain values is an enumeration more often than not
        kind = "choice"
    return Field(key, key, schema, str(kind)) if kind in ("string", "integer", "number", "boolean", "choice") else None


def _entity_types(fields: Sequence[Field]) -> tuple[str, ...] | None:
    """For a list of entities, the names of their types (none: all kinds); None if the list is of something else."""
    named = {word for f in fields for word in words_of(f.name)}
    types = [f for f in fields if set(words_of(f.name)) & {"type", "label", "category", "kind", "class"}]
    texts = named & {"text", "name", "value", "entity", "mention", "span", "surface"}
    if not types or not texts:
        return None
    values = types[0].schema.get("enum")
    if isinstance(values, list):
        names = tuple(str(v) for v in values)
        known = {word for words in _ENTITY_KINDS.values() for word in words.split()}
        return names if sum(bool(set(words_of(n)) & known) for n in names) >= 0.5 * len(names) else None
    return () if "entity" in named or "confidence" in named or types[0].kind == "choice" or len(fields) <= 3 else None


def _entities(source: PromptSource, types: Sequence[str]) -> list[Mention]:
    found: dict[str, Mention] = {}
    for m in source.found:
        if m.text in found or (m.kind == "number" and "number" not in types and "quantity" not in types):
            continue
        if not types and m.kind in ("name", "quoted", "number", "code"):
            continue
        if not types or any(_fits_entity(m, name) for name in types):
            found[m.text] = m
    return list(found.values())


def _fits_entity(m: Mention, name: str) -> float:
    """How well the name of a type names the kind of a mention: its first name best."""
    names = _ENTITY_KINDS.get(m.kind, "").split()
    words = set(words_of(name))
    if m.detail and m.detail in words:
        return 1.2
    return next((1.0 / (n + 1) ** 2 for n, word in enumerate(names) if word in words), 0.0)


def _segmentations(text: str) -> Iterable[list[str]]:
    """Ways to cut a text into items, the plainest first."""
    bullets = _BULLET.findall(text)
    if len(bullets) > 1:
        yield bullets
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) > 1:
        yield lines
        yield [block for block in re.split(r"\n\s*\n", text) if block.strip()]
    body = text.partition(":")[2] if ":" in text[:80] else text
    for pattern in _CUTS:
        for cut in (body, text):
            parts = [part for part in re.split(pattern, cut) if part.strip()]
            if len(parts) > 1:
                yield parts
    yield [text]


def _score(source: PromptSource, fields: Sequence[Field]) -> float:
    """How many of the fields a stretch of text has something for."""
    plain = [f for f in fields if f.kind != "choice"]
    source.assign(plain)
    return sum(min(1.0, source.candidates(f)[1]) for f in plain) - 0.03 * max(0, len(source.text) // 80)


def items(source: PromptSource, field: Field) -> tuple[list[list[Candidate]], float]:
    """The items of an array of plain values."""
    if field.kind == "choice":
        named = [v for v in field.schema["enum"] if isinstance(v, str) and choices.named(v, source.text) >= 0.7]
        return [[Candidate(v, 1.0)] for v in named], 0.9 if named else 0.0
    want = asked_by(field)
    if not field.name:
        return _of_request(source, field)
    if field.kind == "string" and (clauses := _by_mood(source, want)) is not None:
        return [[Candidate(c, 1.0)] for c in clauses], 0.8
    if listed := _listed(source, field, want):
        return [[Candidate(v, 1.0)] for v in listed], 0.9
    kinds = [k for k in want.kinds if k not in WEAK] or list(want.kinds)
    for kind in kinds:
        found = [m for m in source.found if m.kind == kind or (kind in WEAK and m.kind in ALSO.get(kind, ()))]
        values = list(dict.fromkeys(v for m in found if (v := source.value_of(field, m)) is not None))
        if values:
            return [[Candidate(v, 1.0)] for v in values], 0.85
    if field.kind == "string" and "steps" in want.kinds:
        return [[Candidate(s, 1.0)] for s in _steps(source)], 0.6
    if field.kind == "string" and "keywords" in want.kinds:
        reading = source.reading
        answer = reading.answer if reading.document == reading.request else None
        text = likeliest(answer) if answer else source.text
        return [[Candidate(word, 1.0)] for word in keywords(text)], 0.7
    asked = {stem(w) for w in words_of(source.reading.request)}
    told = _told(source) if field.kind == "string" and asked & {stem(w) for w in want.words} else []
    return [[Candidate(v, 1.0)] for v in told], 0.8 * bool(told)


def _of_request(source: PromptSource, field: Field) -> tuple[list[list[Candidate]], float]:
    """The items of a list without a name: of the kind that the request names, else those that the text lists."""
    want = wanted("", field.kind, "", source.reading.request)
    kinds = [k for k in want.kinds if k not in WEAK or field.kind != "string"]
    for kind in kinds:
        mentioned = [source.value_of(field, m) for m in source.found if m.kind == kind]
        values = list(dict.fromkeys(v for v in mentioned if v is not None))
        if len(values) > 1:
            return [[Candidate(v, 1.0)] for v in values], 0.85
    if field.kind != "string":
        return [], 0.0
    listed = enumerated(source.text) or _told(source)
    return [[Candidate(v, 1.0)] for v in listed], 0.8 * bool(listed)


def _by_mood(source: PromptSource, want: Wanted) -> list[str] | None:
    """The clauses for a list of praise or of complaints; None for any other list."""
    named = set(want.words)
    if not named & (_PRAISE | _COMPLAINTS):
        return None
    good, bad = prose.sides(source.text, source.reading.tier)
    return good if named & _PRAISE else bad


def _steps(source: PromptSource) -> list[str]:
    """The steps of a sum, else what the plain answer lists, else the sentences of a text that has several."""
    known = dict(source.reading.told)
    worked_out = str(known.get("lines") or known.get("workings") or "")
    written = worked_out.splitlines() or _told(source) or prose.sentences(source.text)
    return written if worked_out or len(written) > 1 else []


def _told(source: PromptSource) -> list[str]:
    """What the plain answer lists."""
    return enumerated(likeliest(source.reading.answer)) if source.whole and source.reading.answer else []


def enumerated(text: str) -> list[str]:
    """What a text lists: its bullets, what stands behind a colon, or the first row of three or more short parts.

    >>> enumerated("Name three colours: red, green, blue.")
    ['red', 'green', 'blue']
    >>> enumerated("Return the words apple, pear and plum as a list.")
    ['apple', 'pear', 'plum']
    """
    bullets = [b.strip() for b in _BULLET.findall(text)]
    if len(bullets) > 1:
        return bullets
    for n, row in enumerate((text.rpartition(":")[2], *(m[0] for m in _ENUMERATED.finditer(text)))):
        parts = [part.strip(" .\"'\n") for part in _ITEM_SPLIT.split(row)]
        inner = parts[1:-1]
        longest = max((len(part.split()) for part in (inner or parts)), default=0)
        behind_colon = n == 0 and ":" in text
        if len(parts) < (2 if behind_colon else 3) or longest > 4 or not all(parts):
            continue
        if behind_colon and all(len(part.split()) <= 4 for part in parts):
            return parts
        if len(parts) > 2:
            return [" ".join(parts[0].split()[-longest:]), *inner, " ".join(parts[-1].split()[:longest])]
    return []


def _listed(source: PromptSource, field: Field, want: Wanted) -> list[object]:
    """`Ingredients: flour, eggs and milk`, or an enumeration in the sentence that names the property."""
    if field.kind != "string":
        return []
    named = {stem(w) for w in want.words if w not in FUNCTION_WORDS}
    for stems, value, _ in source.labels:
        if named & stems and len(stems) <= 4:
            return [part.strip(" .\"'") for part in _ITEM_SPLIT.split(value) if part.strip(" .\"'")]
    bullets = _BULLET.findall(source.text)
    if len(bullets) > 1 and not set(want.kinds) & {"person", "place", "organisation", "email", "date"}:
        return [b.strip() for b in bullets]
    if set(want.kinds) - {"name", "keywords", "summary", "quoted", "answer", "title"}:
        return []
    for found in _ENUMERATED.finditer(source.text):
        sentence_stems = {stem(w) for w in words_of(source.text[max(0, found.start() - 60) : found.end()])}
        if named & sentence_stems:
            parts = [part.strip() for part in _ITEM_SPLIT.split(found[0]) if part.strip()]
            parts[0] = _after_cue(parts[0], named)
            return [p for p in parts if p]
    return []


def _after_cue(text: str, cues: set[str]) -> str:
    """What is left of the first part of an enumeration behind the word that announces it."""
    places = [m for m in re.finditer(r"[^\W\d_]+", text) if stem(m[0].lower()) in cues]
    rest = text[places[-1].end() :] if places else text
    return re.sub(r"^\s*(?:are|is|include|including|like|such as|were|:|with|of)\b\s*", "", rest).strip()


def keywords(text: str) -> list[str]:
    """The longest-lived content words of a text, in their order."""
    words = re.findall(r"[A-Za-z][a-z]{3,}", text)
    counts: dict[str, int] = {}
    first: dict[str, str] = {}
    for word in words:
        root = stem(word.lower())
        if word.lower() not in FUNCTION_WORDS and root not in _NO_KEYWORDS:
            counts[root] = counts.get(root, 0) + 1
            first.setdefault(root, word.lower())
    ranked = sorted(counts, key=lambda root: (-counts[root], -len(root)))[:_KEYWORD_MOST]
    return [first[root] for root in first if root in ranked]
