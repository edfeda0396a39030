"""Labelling: which labels for which texts, and written how.

The labels come from `labels`. How they are written comes from the examples in the conversation, else from the
instruction: a bare label, its number, JSON, a numbered list for several texts. `KEEPS_FORMAT` is the share of answers
that follow examples, `KEEPS_INSTRUCTION` that of an instruction.

Several texts in one prompt share the model's attention: each tier notices so many cues (words and phrases that tell) in
all, and every text gets an equal part of them. With few texts nothing is lost; with many, the cues at the end of a
text go unseen, and the small tier errs first.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from json import dumps

from labkit.engine import items, labels
from labkit.engine.base import Prompt
from labkit.engine.categories import Category, categories, without_list
from labkit.engine.conditions import detect
from labkit.engine.items import Asked, Shot
from labkit.engine.labels import Shares
from labkit.engine.manner import or_fenced
from labkit.engine.routing import Topic
from labkit.engine.template import Choice, Template, Text, fill

KEEPS_FORMAT = (0.0, 0.8, 0.95, 1.0)
"""By number of examples; the last stands for more."""
KEEPS_INSTRUCTION = {"small": 0.9, "standard": 0.95, "large": 0.99}
"""Share of answers that are a bare label when the prompt names the labels or asks for one word."""
MOODS = (Category(Topic("Positive"), "Positive"), Category(Topic("Negative"), "Negative"))
"""The labels of a prompt that names none."""
DESK = tuple(
    Category(Topic(name), name) for name in ("billing", "technical", "shipping", "returns", "account", "cancellation")
)
"""Those of one that is about tickets."""
_TICKET = re.compile(r"\b(?:tickets?|support (?:requests?|messages?)|queue)\b", re.IGNORECASE)
ATTENTION = {"small": 20, "standard": 60, "large": 200}
"""Cues that a tier notices in all the texts of a prompt that has several."""

_ASKS = re.compile(
    r"\b(?:classif\w+|categori[sz]e|label|route|tag|triage|assign|sort)\b.{0,80}?\b(?:reviews?|texts?|"
    r"tickets?|messages?|comments?|sentiments?|"
    r"tweets?|feedback|sentences?|emails?|requests?|items?|questions?|headlines?|following|each|as|"
    r"into|to)\b|\bsentiment\b.{0,40}\b(?:of|is|in|as|for|:)|"
    r"\b(?:positive or negative|positive, negative|positive/negative|pos or neg|negative or "
    r"positive)\b|\bwhich (?:category|queue|team|label|department|of these)\b|"
    r"\b(?:right|correct|best|fitting|appropriate) (?:category|label|queue|class|team)\b|\bwhich "
    r"(?:team|queue|department|category)\b|\bhow many stars\b|"
    r"\bwhether (?:this|the|it)\b.{0,40}\b(?:happy|positive|negative|angry|satisfied|content)\b|"
    r"\b(?:happy or unhappy|satisfied or dissatisfied)\b|"
    r"\bwhat (?:category|queue|label|class|department|topic)\b|\bis this spam\b|"
    r"\b(?:rate|score)\b.{0,60}\b(?:reviews?|texts?|sentiment|stars?)\b|\bis (?:this|the following|"
    r"the) (?:\w+ ){0,2}(?:review|ticket|message|text|comment)\b.{0,40}\b(?:positive|negative|happy|"
    r"unhappy|about|related|angry|yes or no|a complaint)\b|"
    r"\b(?:review|ticket|message|text|comment|sentiment) (?:classifier|classification|router|analysis "
    r"(?:system|model|api))\b|\b(?:support|ticket) (?:triage|routing)\b",
    re.IGNORECASE | re.DOTALL,
)
_KEY = re.compile(r"[{,]\s*\"(\w+)\"\s*:")
_JSON_KEY = re.compile(r"\b(?:key|field|property)\s+[\"'`]?(\w+)", re.IGNORECASE)
_NUMBER_KEYS = frozenset(["id", "index", "number", "n", "item", "i", "nr", "ticket", "no"])
_CASES: tuple[tuple[re.Pattern[str], Callable[[str], str]], ...] = (
    (re.compile(r"\blower[ -]?case|\bsmall letters", re.IGNORECASE), str.lower),
    (re.compile(r"\bupper[ -]?case|\bcapital letters|\ball caps\b|\bcapitals\b", re.IGNORECASE), str.upper),
    (re.compile(r"\bcapitali[sz]ed\b|\btitle case", re.IGNORECASE), str.capitalize),
)
_LABEL_ONLY = re.compile(
    r"\b(?:only|just|nothing (?:else|but)|exactly|no (?:explanation|other|extra)|one word|single word|one label)\b",
    re.IGNORECASE,
)
_COMMA = re.compile(r"\bcomma[- ]separated|\bseparated by commas", re.IGNORECASE)
_LINES = re.compile(
    r"\b(?:one|a|each) (?:label |answer |word )?(?:per|on (?:its|a|each)|on its own|a) (?:own )?line|\bper line\b",
    re.IGNORECASE,
)
_NO_NUMBERS = re.compile(r"\b(?:without|no|do not|don't)\b.{0,20}\bnumber", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Form:
    """How the labels are to be written."""

    json: bool = False
    keys: tuple[str, ...] = ()
    """Keys of the JSON object that an instruction shows, in its order."""
    between: str = "\n"
    numbered: bool = True


@dataclass(frozen=True, slots=True)
class Labelling:
    """Texts to be labelled."""

    items: tuple[str, ...]
    numbers: tuple[str, ...]
    shots: tuple[Shot, ...]
    each: tuple[Shares, ...]
    """For each text, every possible label and its probability."""
    adherence: float
    """Share of answers that are exactly the label in the wanted form."""
    form: Form

    @property
    def item(self) -> str:
        return self.items[0]

    @property
    def shares(self) -> Shares:
        """Those of the first text."""
        return self.each[0]


@lru_cache(maxsize=16)  # each keeps its prompt, which may be a book
def read(prompt: Prompt) -> Labelling | None:
    """The labelling that a conversation asks for; None if it asks for something else."""
    asked = _asked(prompt)
    if asked is None or not all(item.strip() for item in asked.items) or not asked.items:
        return None
    shots, texts = asked.shots, asked.items
    own = f"{prompt.system}\n{asked.instruction}"
    listed = categories(prompt.system) or categories(asked.instruction) or (DESK if _TICKET.search(own) else ())
    named = _in_case(listed or MOODS, own)
    noticed = _attention(prompt.tier, len(texts))
    each = tuple(
        _shares(text, shots, named, asked.instruction, prompt, notice)
        for text, notice in zip(texts, noticed, strict=True)
    )
    follows = KEEPS_FORMAT[min(len(shots), len(KEEPS_FORMAT) - 1)]
    bare = listed or detect(prompt.system, prompt.last_user) & {"word", "terse"} or _LABEL_ONLY.search(own)
    adherence = follows or (KEEPS_INSTRUCTION.get(prompt.tier, 0.95) if bare else 0.0)
    return Labelling(texts, asked.numbers, shots, each, adherence, _form(own, prompt, shots))


def template(labelling: Labelling, chatty: Template, *, strict: bool = False, tier: str = "standard") -> Template:
    """What may be answered. `chatty` is how a model speaks that was given no format; it has the slot $label. `strict`:
    nothing but JSON may come."""
    shown_as_json = any(shot.answer.lstrip().startswith("{") for shot in labelling.shots)
    if (labelling.form.json or strict) and not shown_as_json:
        wanted = _json(labelling, strict=strict)
        return wanted if strict else or_fenced(wanted, tier)
    if len(labelling.items) > 1:
        return _list(labelling)
    exact = [(p * labelling.adherence, (Text(name),)) for name, p in labelling.shares]
    spoken = [
        (p * (1 - labelling.adherence), fill(chatty, {"label": labels.bare(name)})) for name, p in labelling.shares
    ]
    return (Choice(tuple((p, t) for p, t in (*exact, *spoken) if p > 0)),)


def _attention(tier: str, texts: int) -> list[int | None]:
    """How many cues of each text are noticed: all of one text, an equal part of what the tier has for several."""
    if texts == 1:
        return [None]
    cues = ATTENTION.get(tier, ATTENTION["standard"])
    return [max(1, (n + 1) * cues // texts - n * cues // texts) for n in range(texts)]


def _shares(
    text: str, shots: tuple[Shot, ...], named: tuple[Category, ...], question: str, prompt: Prompt, notice: int | None
) -> Shares:
    if shots:
        return labels.by_examples(text, shots, named, prompt.tier, notice)
    if {c.topic.name.lower() for c in named} == {"yes", "no"}:
        return labels.yes_or_no(
            text, f"{prompt.system} {question}", tuple(c.written for c in named), prompt.tier, notice
        )
    return labels.of_categories(text, named, prompt.tier, notice)


def _in_case(named: tuple[Category, ...], instruction: str) -> tuple[Category, ...]:
    """The labels in the case that the instruction wants."""
    case = next((case for pattern, case in _CASES if pattern.search(instruction)), None)
    return tuple(replace(c, written=case(c.written)) for c in named) if case else named


# --- What is asked ---


def _asked(prompt: Prompt) -> Asked | None:
    """The texts, the examples and the instruction of a conversation; None if nothing is to be labelled."""
    shots, said = _turns_as_shots(prompt), prompt.last_user
    if _ASKS.search(items.edges(said)):
        asked = items.split(without_list(said))
        if asked.items:
            return replace(asked, instruction=_with_list(said, asked), shots=shots + asked.shots)
    if _ASKS.search(items.edges(prompt.system)):
        asked = items.split(said) if items.looks_marked(said) else Asked("", *_numbers_first(said))
        return replace(asked, shots=shots + asked.shots)
    meant = shots and (_ASKS.search(items.edges(shots[0].text)) or _look_like_labels(shots))
    if meant and not said.rstrip().endswith("?"):
        return Asked("", (said,), (), shots)
    shown = items.shown(said) if len(said) <= 2 * items.EDGE else None
    return shown if shown and labels.told_apart(shown.shots, prompt.tier) else None


def _numbers_first(said: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    numbers, texts = items.several(said)
    return texts, numbers


def _with_list(said: str, asked: Asked) -> str:
    """The instruction together with the list of labels that was cut out to find the text."""
    for text in sorted(asked.items, key=len, reverse=True):
        said = said.replace(text, " ")
    return said if not asked.shots else asked.instruction


def _turns_as_shots(prompt: Prompt) -> tuple[Shot, ...]:
    turns = [t for t in prompt.turns if t.role != "system"]
    pairs = zip(turns, turns[1:], strict=False)
    found = [Shot(u.text, a.text) for u, a in pairs if u.role == "user" and a.role == "assistant"]
    if turns and turns[-1].role == "assistant":
        found = found[:-1]  # the answer that the caller has begun
    return tuple(s for s in found if len(s.answer) <= items.LONGEST_LABEL and "\n" not in s.answer.strip())


def _look_like_labels(shots: tuple[Shot, ...]) -> bool:
    """Whether answers that nobody introduced as labels are some: two or more, of one frame, all with a mood."""
    return (
        len(shots) >= 2
        and len({labels.frame(shot.answer) for shot in shots}) == 1
        and all(labels.is_mood(s.answer) for s in shots)
    )


# --- How it is answered ---


def _form(instruction: str, prompt: Prompt, shots: tuple[Shot, ...]) -> Form:
    wants_json = prompt.json or bool(re.search(r"\bjson\b|\[\s*\"|\{\s*\"", instruction, re.IGNORECASE))
    keys = tuple(dict.fromkeys(_KEY.findall(instruction))) or tuple(_JSON_KEY.findall(instruction)[:1])
    between = ", " if _COMMA.search(instruction) else "\n"
    plain = (
        between == ", "
        or bool(_NO_NUMBERS.search(instruction))
        or bool(_LINES.search(instruction) and not re.search(r"number", instruction, re.IGNORECASE))
    )
    return Form(wants_json and not shots, keys, between, not plain)


def _list(labelling: Labelling) -> Template:
    """Several labels as text: numbered as the texts are, or as the instruction wants them."""
    form, parts = labelling.form, []
    for n, (number, shares) in enumerate(zip(labelling.numbers, labelling.each, strict=True)):
        before = (form.between if n else "") + (f"{number}. " if form.numbered else "")
        parts += [Text(before)] * bool(before) + [_pick(shares)]
    return tuple(parts)


def _json(labelling: Labelling, *, strict: bool) -> Template:
    """One object, or several in an array; where only an object may come the array stands in it."""
    keys = labelling.form.keys
    label = next(
        (k for k in keys if k.lower() not in (*_NUMBER_KEYS, "text", "labels", "results", "items", "confidence")),
        "label",
    )
    if len(labelling.items) == 1:
        return (Text("{" + dumps(label) + ": "), _pick(labelling.shares, dumps), Text("}"))
    number = next((k for k in keys if k.lower() in _NUMBER_KEYS), None)
    parts: list[Text | Choice] = []
    for n, (given, shares) in enumerate(zip(labelling.numbers, labelling.each, strict=True)):
        before = ", " if n else ""
        if number or label in keys:
            opening = "{" + (f"{dumps(number)}: {given}, " if number else "") + f"{dumps(label)}: "
            parts += [Text(before + opening), _pick(shares, dumps), Text("}")]
        else:
            parts += [Text(before)] * bool(before) + [_pick(shares, dumps)]
    outer = next((k for k in keys if k.lower() in ("labels", "results", "items")), "labels" if strict else "")
    return (Text("{" + dumps(outer) + ": [" if outer else "["), *parts, Text("]}" if outer else "]"))


def _pick(shares: Shares, write: Callable[[str], str] = str) -> Choice:
    return Choice(tuple((p, (Text(write(name)),)) for name, p in shares if p > 0))
