"""How probable each label is for a text, and how labels are written.

Labels that name a mood (Positive, 👎, "happy") go by `sentiment`, all others by `routing`. Examples may bring labels of
their own: then the words they stand with say what they mean, and their frame is kept (SENTIMENT=POS, so SENTIMENT=NEG).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from labkit.engine import routing, sentiment
from labkit.engine.categories import Category
from labkit.engine.items import Shot
from labkit.engine.routing import Topic

Shares = tuple[tuple[str, float], ...]
"""Each possible label as it is written, and its probability."""

OPPOSITES = (
    ("positive", "negative"), ("pos", "neg"), ("good", "bad"), ("happy", "unhappy"), ("happy", "sad"),
    ("satisfied", "dissatisfied"), ("favourable", "unfavourable"), ("like", "dislike"), ("thumbs up", "thumbs down"),
    ("👍", "👎"), ("🙂", "🙁"), ("😀", "😞"), ("+", "-"), ("1", "0"), ("p", "n"), ("yes", "no"), ("up", "down"),
)  # fmt: skip
"""Names of positive and negative, in the same style."""
NEUTRAL = ("neutral", "neu", "mixed")
STEEPNESS = {"small": 1.8, "standard": 2.6, "large": 3.0}
"""Turns scores of topics into probabilities by a softmax; larger tiers are surer of themselves."""
SHOWN_WORDS = 5
"""Letters of the shortest word that an example teaches about its label."""
_RATING = re.compile(r"\d+")
_MOOD_QUESTION = {
    "positive": r"positive|happy|satisfied|good|favou?rable|recommend|like",
    "negative": r"negative|unhappy|dissatisfied|bad|complain\w*|angry|critical",
}
_ABOUT = re.compile(r"\b(?:about|related to|concern\w*|regarding|a|an)\s+(?:an? )?([\w-]+(?: [\w-]+)?)", re.IGNORECASE)


def shares(item: str, names: tuple[str, ...], tier: str, notice: int | None = None) -> Shares:
    """How probable each of these labels is for a text; `notice` is how many of its cues are looked at."""
    return of_categories(item, tuple(Category(Topic(name), name) for name in names), tier, notice)


def of_categories(item: str, named: tuple[Category, ...], tier: str, notice: int | None = None) -> Shares:
    """The same for labels with descriptions; without any label the moods Positive and Negative are meant."""
    if len(named) > 2 and all(_RATING.fullmatch(c.topic.name) for c in named):
        return _by_rating(item, tuple(c.written for c in named), tier, notice)
    moods = [_polarity(c.topic.name) or _polarity(c.topic.description) for c in named]
    if not named or (all(moods) and {"positive", "negative"} & set(moods)):
        pick = {mood: c.written for mood, c in zip(moods, named, strict=True)}
        if len(pick) == len(named):
            neutral = pick.get("neutral", "")
            return _by_mood(
                item, pick.get("positive", "Positive"), pick.get("negative", "Negative"), neutral, tier, notice
            )
    return _by_topic(item, tuple((c.written, c.topic) for c in named), tier, notice)


def by_examples(
    item: str, shots: Sequence[Shot], named: tuple[Category, ...], tier: str, notice: int | None = None
) -> Shares:
    """Labels as the examples write them; those that are only named take on the examples' frame."""
    if forms := _forms_of(shots, tier):
        return _by_mood(item, *forms, tier, notice)
    written = _framed(shots, named) or {s.answer.strip(): Topic(s.answer.strip()) for s in shots}
    taught = {
        name: Topic(topic.name, f"{topic.description} {_shown_with(name, shots)}") for name, topic in written.items()
    }
    return _by_topic(item, tuple(taught.items()), tier, notice)


def yes_or_no(item: str, question: str, names: tuple[str, ...], tier: str, notice: int | None = None) -> Shares:
    """Labels yes and no: whether the text has the mood that the question names, or is about what it names."""
    yes = next(n for n in names if _polarity(n) == "positive")
    no = next(n for n in names if n != yes)
    for mood, pattern in _MOOD_QUESTION.items():
        if re.search(rf"\b(?:{pattern})\b", question, re.IGNORECASE):
            p = sentiment.probability(item, tier, notice)
            p = p if mood == "positive" else 1 - p
            return ((yes, p), (no, 1 - p))
    subjects = [Topic(m[1]) for m in _ABOUT.finditer(question)] or [Topic(question)]
    score = max(routing.scores(item, [subject, Topic("")], tier, notice)[0] for subject in subjects)
    p = 1 / (1 + math.exp(-STEEPNESS.get(tier, 1.3) * 2 * (score - 0.75)))
    return ((yes, p), (no, 1 - p))


def told_apart(shots: Sequence[Shot], tier: str) -> bool:
    """Whether the mood of the examples, or of their texts, explains how they are labelled."""
    return len(shots) >= 2 and _forms_of(shots, tier) is not None


def is_mood(name: str) -> bool:
    """Whether a label names a mood: positive, negative, neutral in one of their forms."""
    return bool(_polarity(name))


def frame(answer: str) -> str:
    """What stands around the mood that an answer names: SENTIMENT= of SENTIMENT=POS."""
    found = _find_name(answer)
    return found[2].re.sub("", answer.lower().strip()) if found else answer


def _by_mood(item: str, positive: str, negative: str, neutral: str, tier: str, notice: int | None) -> Shares:
    p = sentiment.probability(item, tier, notice)
    level = 0.9 * math.exp(-1.5 * abs(sentiment.value(item, tier, notice))) if neutral else 0.0
    shares = [(positive, p * (1 - level)), (negative, (1 - p) * (1 - level)), (neutral, level)]
    return tuple((name, share) for name, share in shares if share > 0)


def _by_rating(item: str, grades: tuple[str, ...], tier: str, notice: int | None) -> Shares:
    """Grades in rising order, the likeliest where the mood stands between its extremes."""
    place = (len(grades) - 1) / (1 + math.exp(-0.8 * sentiment.value(item, tier, notice)))
    weights = [math.exp(-1.5 * (n - place) ** 2) for n in range(len(grades))]
    return tuple((grade, w / sum(weights)) for grade, w in zip(grades, weights, strict=True))


def _by_topic(item: str, labels: tuple[tuple[str, Topic], ...], tier: str, notice: int | None) -> Shares:
    scores = routing.scores(item, [topic for _, topic in labels], tier, notice)
    steep = STEEPNESS.get(tier, STEEPNESS["standard"])
    if not any(scores):  # nothing told them apart: a label that says so is likelier
        scores = [1.5 * (routing.is_open(topic.name)) for _, topic in labels]
    weights = [math.exp(steep * (s - max(scores))) for s in scores]
    return tuple((name, w / sum(weights)) for (name, _), w in zip(labels, weights, strict=True))


def _shown_with(label: str, shots: Sequence[Shot]) -> str:
    """The longer words of the examples of a label."""
    texts = (s.text for s in shots if s.answer.strip() == label)
    return " ".join(w for text in texts for w in re.findall(r"[^\W\d_]+", text) if len(w) >= SHOWN_WORDS)


def _framed(shots: Sequence[Shot], named: tuple[Category, ...]) -> dict[str, Topic] | None:
    """The named labels in the frame of the examples: {"queue": "billing"} shows how "account" would be written."""
    for shot in shots:
        for category in named:
            found = re.search(rf"(?<![^\W_]){re.escape(category.written)}(?![^\W_])", shot.answer, re.IGNORECASE)
            if found:
                answer = shot.answer.strip()
                before, after = shot.answer[: found.start()].lstrip(), shot.answer[found.end() :].rstrip()
                case = _case_of(found[0], category.written)
                written = {f"{before}{case(c.written)}{after}": c.topic for c in named}
                return written if answer in written else None
    return None


def _case_of(shown: str, written: str) -> Callable[[str], str]:
    if shown == written:
        return str
    return str.upper if shown.isupper() else str.lower if shown.islower() else str.capitalize


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


@lru_cache(maxsize=2_048)
def _polarity(text: str) -> str:
    """The mood that a short text names, "" if none."""
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


def bare(name: str) -> str:
    """A label as a word of a sentence."""
    found = _find_name(name)
    if found is None:
        return name
    return {"positive": "positive", "negative": "negative", "neutral": "neutral"}[found[0]]
