"""From a conversation to the template that answers it: finds the intent, fills the slots, obeys the conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

from labkit.engine import conditions, labelling, manner
from labkit.engine.base import Prompt, Turn
from labkit.engine.finder import THRESHOLD, Finder, Match
from labkit.engine.skills import SKILL_SLOTS, SKILLS, Asked
from labkit.engine.source import Example, Intent, Variant, read_folders
from labkit.engine.template import Template, fill
from labkit.engine.words import Language

TEXTS = Path(__file__).parent / "texts"
FALLBACK = "fallback"
LABEL = "label-chatty"
STORY = "story-sum"
FOLLOW_UP_BONUS = 0.12
"""What a follow-up gains when the conversation was about its subject."""
FOLLOW_UP_TURNS = 3
SHORT_TEXT = 2_000
"""Characters of a prompt whose matches are kept for long."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is going to be said, and why."""

    intent: str
    template: Template
    """Filled: it holds no slots."""
    source: str
    """File and line."""
    score: float
    """How well the prompt matched, 0 to 1."""
    example: str
    """The example prompt that matched."""
    conditions: frozenset[str]
    slots: dict[str, str]
    runners_up: tuple[tuple[str, float], ...] = ()
    """Other intents that were considered, with their scores."""


class _Chosen(NamedTuple):
    match: Match
    slots: dict[str, str]
    conditions: frozenset[str]


class Opinion(Protocol):
    """Something that may know what a prompt means where words tell nothing: see `meaning`."""

    def meant(self, prompt: str, lexical: Mapping[str, float]) -> tuple[Intent, Example, float] | None: ...


Asker = Callable[[Iterable[Intent]], Opinion]


class Library:
    """All intents, ready to answer."""

    def __init__(self, extra_folders: Iterable[Path] = (), second_opinion: Asker | None = None) -> None:
        folders = [TEXTS, *extra_folders]
        self.intents = {intent.name: intent for intent in read_folders(folders)}
        self.language = Language(p.read_text(encoding="utf-8") for f in folders for p in f.glob("synonyms.md"))
        self.finder = Finder(self.intents.values(), self.language)
        self._opinion = second_opinion(self.intents.values()) if second_opinion else None
        self._find_short = lru_cache(maxsize=1_024)(self.finder.find)
        self._find_long = lru_cache(maxsize=8)(self.finder.find)  # keeps the texts, which may be books

    def find(self, text: str) -> list[Match]:
        """The intents that a text may mean; those of the last texts are kept."""
        return (self._find_short if len(text) <= SHORT_TEXT else self._find_long)(text)

    def templates(self) -> Iterator[Template]:
        """Every template with its slots filled by stand-ins."""
        for intent in self.intents.values():
            names = intent.slots | SKILL_SLOTS.get(intent.skill or "", set())
            values = {name: name.replace("_", " ") for name in names}
            if intent.table:
                values |= dict(zip(intent.table.columns, intent.table.rows[0], strict=True))
            for variant in intent.variants:
                yield fill(variant.template, values)

    def answer(self, prompt: Prompt) -> Answer:
        """The answer to a conversation; the fallback when nothing known was meant."""
        if asked := labelling.read(prompt):
            return self._label(asked, prompt)
        holds = conditions.detect(prompt.system, prompt.last_user, json=prompt.json)
        history = _before_last_user(prompt)
        recent = self._recent_intents(history)
        chosen = self._choose(prompt.last_user, history, recent) or self._unsure(prompt.last_user)
        return self._compose(chosen, holds | chosen.conditions | recent, self.find(prompt.last_user))

    def _unsure(self, said: str) -> _Chosen:
        """What is said where no example was near enough."""
        return self._story(said) or self._by_meaning(said) or self._fallback()

    def _by_meaning(self, said: str) -> _Chosen | None:
        lexical = {m.intent.name: m.score for m in self.find(said)} if self._opinion else {}
        meant = self._opinion.meant(said, lexical) if self._opinion else None
        return _Chosen(Match(*meant, {}), {}, frozenset()) if meant else None

    def _story(self, said: str) -> _Chosen | None:
        """A sum told as a story is known by its numbers and verbs: no example has the nouns of the next one."""
        intent = self.intents[STORY]
        return _accept(Match(intent, intent.examples[0], 1.0, {}), said, ())

    def _fallback(self) -> _Chosen:
        intent = self.intents[FALLBACK]
        return _Chosen(Match(intent, intent.examples[0], 0.0, {}), {}, frozenset())

    def _label(self, asked: labelling.Labelling, prompt: Prompt) -> Answer:
        variant = self.intents[LABEL].variants[0]
        holds = conditions.detect(prompt.system, prompt.last_user, json=prompt.json)
        template = labelling.template(asked, variant.template, strict=prompt.json, tier=prompt.tier)
        slots = {name: f"{share:.3f}" for name, share in asked.shares}
        return Answer(LABEL, template, f"{variant.file}:{variant.line}", 1.0, asked.item, holds, slots)

    def _recent_intents(self, history: tuple[Turn, ...]) -> frozenset[str]:
        """`after NAME` for what the last user turns were about."""
        found = set[str]()
        for text in [t.text for t in history if t.role == "user"][-FOLLOW_UP_TURNS:]:
            chosen = self._choose(text, (), frozenset(f"after {name}" for name in found))
            found |= {chosen.match.intent.name} if chosen else set()
        return frozenset(f"after {name}" for name in found)

    def _choose(self, said: str, history: tuple[Turn, ...], recent: frozenset[str]) -> _Chosen | None:
        """The best match above the threshold whose table and skill accept the prompt."""
        for score, match in self._ranked(said, recent):
            if score < THRESHOLD:
                return None
            if chosen := _accept(match, said, history):
                return chosen
        return None

    def _ranked(self, said: str, recent: frozenset[str]) -> list[tuple[float, Match]]:
        scored = [(m.score + FOLLOW_UP_BONUS * _follows(m.intent, recent), m) for m in self.find(said)]
        return sorted(scored, key=lambda pair: -pair[0])

    def _compose(self, chosen: _Chosen, holds: frozenset[str], matches: list[Match]) -> Answer:
        intent = chosen.match.intent
        variant = _variant(intent, holds)
        values = dict.fromkeys(intent.slots, "") | chosen.slots
        template = manner.apply(fill(variant.template, values), holds - variant.when, self._wrapper)
        return Answer(
            intent=intent.name,
            template=template,
            source=f"{variant.file}:{variant.line}",
            score=chosen.match.score,
            example=chosen.match.example.text,
            conditions=holds,
            slots=chosen.slots,
            runners_up=tuple((m.intent.name, m.score) for m in matches if m.intent is not intent)[:3],
        )

    def _wrapper(self, name: str) -> Template | None:
        intent = self.intents.get(f"manner-{name}")
        return intent.variants[0].template if intent else None


def _accept(match: Match, said: str, history: tuple[Turn, ...]) -> _Chosen | None:
    """The match with every slot filled, or None if its table or its skill has no answer."""
    slots, extra = dict(match.slots), frozenset[str]()
    if match.intent.table:
        row = match.intent.table.lookup(slots)
        if row is None:
            return None
        slots |= row
    if match.intent.skill in SKILLS:
        found = SKILLS[match.intent.skill](Asked(said, slots, history))
        if found is None:
            return None
        slots, extra = slots | found.slots, found.conditions
    return _Chosen(match, slots, extra)


def _follows(intent: Intent, recent: frozenset[str]) -> bool:
    return any(v.when & recent for v in intent.variants)


def _variant(intent: Intent, holds: frozenset[str]) -> Variant:
    """The variant that asks for most of what holds and for nothing else. Of equals, one that is not just short: any
    answer can be cut."""
    fitting = [v for v in intent.variants if _fits(v, holds)]
    return max(fitting, key=lambda v: (_asked_for(v), "terse" not in v.when), default=intent.variants[0])


def _fits(variant: Variant, holds: frozenset[str]) -> bool:
    """Whether all its conditions hold; of what it may follow, one is enough."""
    before = {name for name in variant.when if name.startswith("after ")}
    return variant.when - before <= holds and (not before or bool(before & holds))


def _asked_for(variant: Variant) -> int:
    return len({"after" if name.startswith("after ") else name for name in variant.when})


def _before_last_user(prompt: Prompt) -> tuple[Turn, ...]:
    last = max((n for n, t in enumerate(prompt.turns) if t.role == "user"), default=0)
    return tuple(t for t in prompt.turns[:last] if t.role != "system")
