"""Labelling: which label, and written how.

The label comes from `sentiment` or from topic words; how it is written comes from the examples in the conversation. One
example mostly sets the format, three always do: `KEEPS_FORMAT` is the share of answers that follow it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from json import dumps

from labkit.engine import sentiment
from labkit.engine.base import Prompt
from labkit.engine.conditions import detect
from labkit.engine.template import Choice, Template, Text, fill

KEEPS_FORMAT = (0.0, 0.8, 0.95, 1.0)
"""By number of examples; the last stands for more."""
KEEPS_INSTRUCTION = 0.93
"""Share of answers that are a bare label when the prompt names the labels or asks for one word."""
OPPOSITES = (
    ("positive", "negative"), ("pos", "neg"), ("good", "bad"), ("happy", "unhappy"), ("happy", "sad"),
    ("satisfied", "dissatisfied"), ("favourable", "unfavourable"), ("like", "dislike"), ("thumbs up", "thumbs down"),
    ("👍", "👎"), ("🙂", "🙁"), ("😀", "😞"), ("+", "-"), ("1", "0"), ("p", "n"), ("yes", "no"), ("up", "down"),
)  # fmt: skip
"""Names of positive and negative, in the same style."""
NEUTRAL = ("neutral", "neu", "mixed")
LONGEST_LABEL = 48

_ASKS = re.compile(
    r"\b(?:classif\w+|categori[sz]e|label|route|tag)\b.{0,80}?\b(?:reviews?|texts?|tickets?|messages?|comments?|sentiments?|"
    r"tweets?|feedback|sentences?|emails?|requests?|following|as)\b|\bsentiment\b.{0,40}\b(?:of|is|in|as|:)|"
    r"\b(?:positive or negative|positive, negative|pos or neg)\b|\bwhich (?:category|queue|team|label)\b",
    re.IGNORECASE | re.DOTALL,
)
_QUOTED = re.compile(r"(?<!\w)[\"“'‘](\S.*?)[\"”'’](?!\w)", re.DOTALL)
_AFTER_COLON = re.compile(r"(?::|\n)\s*(\S.*)\Z", re.DOTALL)
_LABELS = re.compile(
    r"\b(?:as|into|one of|labels?|categories|queues?|either|teams?|with|answer|reply)\b"
    r"(?: are| is| only| exactly| either| one of)*\s*[,:(]?\s*"
    r"((?:[\w-]+(?:\s*,\s*or\s+|\s*,\s*|\s+or\s+|\s*/\s*|\s*\|\s*))+[\w-]+)",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r"\s*,\s*or\s+|\s*,\s*|\s+or\s+|\s*/\s*|\s*\|\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Shot:
    """An example in the conversation: a text and how it was labelled."""

    text: str
    answer: str


@dataclass(frozen=True, slots=True)
class Labelling:
    """A text to be labelled."""

    item: str
    shots: tuple[Shot, ...]
    names: tuple[str, ...]
    """Labels that the instructions name; empty if they name none."""
    shares: tuple[tuple[str, float], ...]
    """Each possible label, as the instructions or the examples write it, and its probability."""
    adherence: float
    """Share of answers that are exactly the label in the wanted form."""


def read(prompt: Prompt) -> Labelling | None:
    """The labelling that a conversation asks for; None if it asks for something else."""
    shots = _shots(prompt)
    item = _item(prompt, shots)
    if item is None:
        return None
    named = _named(prompt.system) or _named(_instruction(prompt.last_user))
    shares = _shares(item, shots, named, prompt.tier)
    follows = KEEPS_FORMAT[min(len(shots), len(KEEPS_FORMAT) - 1)]
    asked = named or detect(prompt.system, prompt.last_user) & {"word", "terse"}
    return Labelling(item, shots, named, shares, follows or (KEEPS_INSTRUCTION if asked else 0.0))


def template(labelling: Labelling, chatty: Template, *, json: bool = False) -> Template:
    """What may be answered. `chatty` is how a model speaks that was given no format; it has the slot $label."""
    if json and not any(shot.answer.lstrip().startswith("{") for shot in labelling.shots):
        options = [(p, (Text(dumps({"label": _bare(name)}, ensure_ascii=False)),)) for name, p in labelling.shares]
        return (Choice(tuple(options)),)
    exact = [(p * labelling.adherence, (Text(name),)) for name, p in labelling.shares]
    spoken = [(p * (1 - labelling.adherence), fill(chatty, {"label": _bare(name)})) for name, p in labelling.shares]
    return (Choice(tuple((p, t) for p, t in (*exact, *spoken) if p > 0)),)


def shares(item: str, names: tuple[str, ...], tier: str) -> tuple[tuple[str, float], ...]:
    """How probable each of these labels is for a text: by mood when all of them name one, else by topic."""
    return _shares(item, (), names, tier)


def is_mood(name: str) -> bool:
    """Whether a label names a mood: positive, negative, neutral in one of their forms."""
    return bool(_polarity(name))


def _shots(prompt: Prompt) -> tuple[Shot, ...]:
    turns = [t for t in prompt.turns if t.role != "system"]
    pairs = zip(turns, turns[1:], strict=False)
    found = [Shot(u.text, a.text) for u, a in pairs if u.role == "user" and a.role == "assistant"]
    if turns and turns[-1].role == "assistant":
        found = found[:-1]  # the answer that the caller has begun
    return tuple(s for s in found if len(s.answer) <= LONGEST_LABEL and "\n" not in s.answer.strip())


def _item(prompt: Prompt, shots: Sequence[Shot]) -> str | None:
    said = prompt.last_user
    if _ASKS.search(said) and (found := _given(said)):
        return found[1]
    if _ASKS.search(prompt.system):
        return said
    if shots and (_ASKS.search(shots[0].text) or _look_like_labels(shots)) and not said.rstrip().endswith("?"):
        return said
    return None


def _look_like_labels(shots: Sequence[Shot]) -> bool:
    """Whether answers that nobody introduced as labels are some: two or more, of one frame, all with a mood."""
    found = [_find_name(shot.answer) for shot in shots if _polarity(shot.answer)]
    frames = {f[2].re.sub("", s.answer.lower().strip()) for f, s in zip(found, shots, strict=False) if f}
    return len(found) == len(shots) >= 2 and len(frames) == 1


def _given(said: str) -> re.Match[str] | None:
    """The text inside a prompt that is to be labelled: in quotes, else behind a colon or a line break."""
    quoted = _QUOTED.search(said)
    return quoted if quoted and " " in quoted[1] else _AFTER_COLON.search(said) or quoted


def _instruction(said: str) -> str:
    found = _given(said)
    return f"{said[: found.start()]}: {said[found.end() :]}" if found else said


def _named(instruction: str) -> tuple[str, ...]:
    for found in _LABELS.finditer(instruction):
        names = tuple(_SEPARATOR.split(found[1]))
        if len(names) == 2 or _ASKS.search(instruction):
            return names
    return ()


def _shares(item: str, shots: Sequence[Shot], named: tuple[str, ...], tier: str) -> tuple[tuple[str, float], ...]:
    if shots:
        forms = _forms_of(shots, tier)
        if forms:
            return _by_mood(item, *forms, tier=tier)
        return _by_topic(item, tuple(dict.fromkeys(s.answer.strip() for s in shots)), shots)
    moods = [_polarity(name) for name in named]
    if not named or all(moods):
        pick = dict(zip(moods, named, strict=True))
        neutral = pick.get("neutral", "")
        return _by_mood(item, pick.get("positive", "Positive"), pick.get("negative", "Negative"), neutral, tier=tier)
    return _by_topic(item, named, ())


def _by_mood(item: str, positive: str, negative: str, neutral: str = "", *, tier: str) -> tuple[tuple[str, float], ...]:
    p = sentiment.probability(item, tier)
    level = 0.9 * math.exp(-1.5 * abs(sentiment.value(item, tier))) if neutral else 0.0
    shares = [(positive, p * (1 - level)), (negative, (1 - p) * (1 - level)), (neutral, level)]
    return tuple((name, share) for name, share in shares if share > 0)


def _by_topic(item: str, labels: tuple[str, ...], shots: Sequence[Shot]) -> tuple[tuple[str, float], ...]:
    words = set(re.findall(r"[a-z]+", item.lower()))
    scores = [1.6 * len(words & _topic_words(label, shots)) for label in labels]
    top = max(scores)
    weights = [math.exp(s - top) for s in scores]
    return tuple((label, w / sum(weights)) for label, w in zip(labels, weights, strict=True))


def _topic_words(label: str, shots: Sequence[Shot]) -> set[str]:
    own = set(re.findall(r"[a-z]+", label.lower()))
    topics = sentiment.lexicon().topics
    near = {name for name in topics for word in own if len(word) > 3 and name[:5] == word[:5]}
    shown = {w for s in shots if s.answer.strip() == label for w in re.findall(r"[a-z]{5,}", s.text.lower())}
    return own | shown | {word for name in near for word in topics[name]}


def _forms_of(shots: Sequence[Shot], tier: str) -> tuple[str, str, str] | None:
    """Positive, negative and neutral as the examples would write them; None if their labels have no mood."""
    forms: dict[str, str] = {}
    for shot in shots:
        mood = _polarity(shot.answer)
        if mood:
            forms[mood] = shot.answer.strip()
    if not forms:
        return _forms_by_text(shots, tier)
    if "positive" not in forms and "negative" not in forms:
        return None
    known = "positive" if "positive" in forms else "negative"
    other = "negative" if known == "positive" else "positive"
    forms.setdefault(other, _opposite(forms[known]))
    return forms["positive"], forms["negative"], forms.get("neutral", "")


def _forms_by_text(shots: Sequence[Shot], tier: str) -> tuple[str, str, str] | None:
    """Labels of the examples' own invention, told apart by the mood of the texts they stand with."""
    answers = list(dict.fromkeys(s.answer.strip() for s in shots))
    if len(answers) != 2:
        return None
    mood = {a: sum(sentiment.value(s.text, tier) for s in shots if s.answer.strip() == a) for a in answers}
    first, second = sorted(answers, key=lambda a: -mood[a])
    return (first, second, "") if mood[first] > 0 > mood[second] else None


def _find_name(text: str) -> tuple[str, str, re.Match[str]] | None:
    """The mood a label names, the word for it, and where it stands."""
    names = [(name, mood) for pair in OPPOSITES for name, mood in zip(pair, ("positive", "negative"), strict=True)]
    names += [(name, "neutral") for name in NEUTRAL]
    for name, mood in sorted(names, key=lambda n: -len(n[0])):
        edge = r"(?<![a-z0-9])" if name.isalnum() else ""
        end = r"(?![a-z0-9])" if name.isalnum() else ""
        if found := re.search(edge + re.escape(name) + end, text.lower()):
            return mood, name, found
    return None


def _polarity(text: str) -> str:
    found = _find_name(text) if len(text.split()) <= 4 else None
    return found[0] if found else ""


def _opposite(answer: str) -> str:
    """The same label with the opposite mood, in the same case and frame: SENTIMENT=POS -> SENTIMENT=NEG."""
    found = _find_name(answer)
    if found is None:
        return answer
    _, name, place = found
    other = next(b if name == a else a for a, b in OPPOSITES if name in (a, b))
    written = answer[place.start() : place.end()]
    cased = other.upper() if written.isupper() else other.capitalize() if written[0].isupper() else other
    return answer[: place.start()] + cased + answer[place.end() :]


def _bare(name: str) -> str:
    """A label as a word of a sentence."""
    found = _find_name(name)
    if found is None:
        return name
    return {"positive": "positive", "negative": "negative", "neutral": "neutral"}[found[0]]
