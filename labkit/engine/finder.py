"""Which intent a prompt means, and what stands in its slots.

Prompts are compared with the example prompts as weighted bags of words: stems after synonyms and spelling, each with
its inverse document frequency over intents (Spärck Jones 1972), plus pairs of neighbours. The score is the Dice
coefficient of the weights, so that a word that only one side has counts against: "What is an aardvark?" is not
"What is an API?".
Slots are found by aligning prompt and example (Needleman & Wunsch 1970), and the words in them then count for nothing.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from labkit.engine.conditions import without_manner
from labkit.engine.source import Example, Intent
from labkit.engine.sums import NUMBER_WORDS
from labkit.engine.words import FUNCTION_WORDS, Language, Speller, Word

_T = TypeVar("_T")

THRESHOLD = 0.5
"""Below this score nothing was meant that the engine knows."""
PAIRS = 0.25
"""Share of the score that word pairs decide; single words decide the rest."""
FUNCTION_WEIGHT = 0.3
UNKNOWN = 1.3
"""How much more a word tells that no example has, against the rarest that one has: it names something else."""
OPEN_SLOT = 0.88
"""Factor on the score of an example with slots that no table checks: they take in any words."""
LONGEST = 90
"""Words of a prompt that are looked at, half from each end: the middle of a long document is seldom the question."""
CANDIDATES = 14
SLOT_WORDS = 10
WIDE_SLOTS = frozenset({"text", "items", "code", "question"})
"""Slots that may hold any number of words."""
ANY_NUMBER = "#"
_EDGES = " \t\n\"'“”‘’.,:;!?()[]<>`*"
_PART = re.compile(r"\$([a-z][a-z_]*)")


@dataclass(frozen=True, slots=True)
class Match:
    """One intent that a prompt may mean."""

    intent: Intent
    example: Example
    score: float
    """0 to 1."""
    slots: dict[str, str]
    """The prompt's own words, without quotes and final punctuation."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    intent: Intent
    example: Example
    parts: tuple[str, ...]
    """Stems, and `$name` for slots."""

    @property
    def stems(self) -> list[str]:
        return [p for p in self.parts if not p.startswith("$")]

    @property
    def numeric(self) -> bool:
        """Any number means the same here: the skill looks at which ones they are."""
        return self.intent.skill is not None

    @property
    def has_slots(self) -> bool:
        return any(p.startswith("$") for p in self.parts)


class Finder:
    """All examples of all intents, ready to be compared with prompts."""

    def __init__(self, intents: Iterable[Intent], language: Language) -> None:
        self.language = language
        self._patterns = [
            _Pattern(intent, example, tuple(self._parts(example.text, intent.skill is not None)))
            for intent in intents
            for example in intent.examples
        ]
        self._index: dict[str, list[int]] = defaultdict(list)
        users: dict[str, set[str]] = defaultdict(set)
        for n, pattern in enumerate(self._patterns):
            for word in set(pattern.stems):
                self._index[word].append(n)
                users[word].add(pattern.intent.name)
        total = len({p.intent.name for p in self._patterns})
        self._idf = {word: math.log((total + 1) / len(names)) for word, names in users.items()}
        self._unknown = UNKNOWN * math.log(total + 1)
        self._speller = Speller(self._idf)
        self._sums = [self._weigh(Counter(p.stems)) for p in self._patterns]

    def _parts(self, text: str, numeric: bool) -> Iterable[str]:
        for n, piece in enumerate(_PART.split(without_manner(text))):
            stems = [f"${piece}"] if n % 2 else self.language.stems(piece)
            yield from map(_number_as_such, stems) if numeric else stems

    def weight(self, stem: str) -> float:
        """How much a word tells: its inverse document frequency, little for function words."""
        base = self._idf.get(stem, self._unknown)
        return min(base, FUNCTION_WEIGHT) if stem in FUNCTION_WORDS or stem == ANY_NUMBER else base

    def _weigh(self, bag: Counter[str]) -> float:
        return sum(n * self.weight(word) for word, n in bag.items())

    def find(self, prompt: str) -> list[Match]:
        """The intents that score best, best first, one match each. Thresholds are the caller's business."""
        prompt = without_manner(prompt)
        words = self._words(prompt)
        best: dict[str, Match] = {}
        for n in self._candidates(words):
            match = self._compare(prompt, words, self._patterns[n])
            if match and (match.intent.name not in best or match.score > best[match.intent.name].score):
                best[match.intent.name] = match
        return sorted(best.values(), key=lambda m: -m.score)

    def _words(self, prompt: str) -> list[Word]:
        words = self.language.words(prompt)
        if len(words) > LONGEST:
            words = words[: LONGEST // 2] + words[-LONGEST // 2 :]
        return [Word(self._speller.correct(w.stem), w.start, w.end) for w in words]

    def _candidates(self, words: Sequence[Word]) -> list[int]:
        shared: dict[int, float] = defaultdict(float)
        stems = {w.stem for w in words}
        for word in sorted(stems | set(map(_number_as_such, stems))):  # in order, so that every run agrees
            for n in self._index.get(word, ()):
                shared[n] += self.weight(word)
        ranked = sorted(shared, key=lambda n: -shared[n] / (self._sums[n] + 1.0))
        return ranked[:CANDIDATES]

    def _compare(self, prompt: str, words: Sequence[Word], pattern: _Pattern) -> Match | None:
        slots: dict[str, str] = {}
        if pattern.numeric:
            words = [Word(_number_as_such(w.stem), w.start, w.end) for w in words]
        outside: Sequence[Word] = words
        if pattern.has_slots:
            aligned = self._align(words, pattern.parts)
            if aligned is None:
                return None
            outside, spans = aligned
            slots = {name: _between(prompt, first, last, words) for name, (first, last) in spans.items()}
            if any(not value or value.lower() in FUNCTION_WORDS for value in slots.values()):
                return None
        score = self._score([w.stem for w in outside], pattern.stems)
        if slots and not pattern.intent.table:
            score *= OPEN_SLOT
        return Match(pattern.intent, pattern.example, score, slots)

    def _score(self, mine: Sequence[str], theirs: Sequence[str]) -> float:
        if not mine or not theirs:
            return 0.0
        single = self._dice(Counter(mine), Counter(theirs), self.weight)
        pairs = self._dice(
            Counter(_pairs(mine)), Counter(_pairs(theirs)), lambda p: self.weight(p[0]) + self.weight(p[1])
        )
        return (1 - PAIRS) * single + PAIRS * pairs

    @staticmethod
    def _dice(a: Counter[_T], b: Counter[_T], weight: Callable[[_T], float]) -> float:
        total = sum(n * weight(x) for x, n in a.items()) + sum(n * weight(x) for x, n in b.items())
        return 2 * sum(n * weight(x) for x, n in (a & b).items()) / total if total else 1.0

    def _align(
        self, words: Sequence[Word], parts: Sequence[str]
    ) -> tuple[list[Word], dict[str, tuple[int, int]]] | None:
        """Words outside the slots, and first and last word of each slot; None if a slot stays empty."""
        rows, columns = len(parts) + 1, len(words) + 1
        weights = [self.weight(w.stem) for w in words]
        score = [[-math.inf] * columns for _ in range(rows)]
        move = [[""] * columns for _ in range(rows)]
        score[0][0] = 0.0
        for i in range(rows):
            for j in range(columns):
                options = self._moves(i, j, parts, words, weights, score, move)
                if options:
                    score[i][j], move[i][j] = max(options)
        return _trace(words, parts, move)

    def _moves(
        self,
        i: int,
        j: int,
        parts: Sequence[str],
        words: Sequence[Word],
        weights: Sequence[float],
        score: list[list[float]],
        move: list[list[str]],
    ) -> list[tuple[float, str]]:
        options: list[tuple[float, str]] = []
        part = parts[i - 1] if i else ""
        slot = part.startswith("$")
        if j:
            if slot and move[i][j - 1] in ("open", "grow"):
                options.append((score[i][j - 1] - 0.05, "grow"))
            if not (slot and move[i][j - 1] in ("open", "grow")):
                options.append((score[i][j - 1] - 0.5 * weights[j - 1], "extra"))
        if i and j and slot:
            options.append((score[i - 1][j - 1], "open"))
        elif i and j and part == words[j - 1].stem:
            options.append((score[i - 1][j - 1] + weights[j - 1], "same"))
        if i and not slot:
            options.append((score[i - 1][j] - 0.5 * self.weight(part), "missing"))
        return options


def _trace(
    words: Sequence[Word], parts: Sequence[str], move: list[list[str]]
) -> tuple[list[Word], dict[str, tuple[int, int]]] | None:
    i, j = len(parts), len(words)
    outside: list[Word] = []
    spans: dict[str, tuple[int, int]] = {}
    while i or j:
        step = move[i][j]
        if not step:
            return None
        if step in ("open", "grow"):
            name = parts[i - 1][1:]
            last = spans.get(name, (0, j - 1))[1]
            spans[name] = (j - 1, last)
        elif step in ("extra", "same"):
            outside.append(words[j - 1])
        i -= step in ("open", "same", "missing")
        j -= step != "missing"
    wide = {name for name, (first, last) in spans.items() if last - first >= SLOT_WORDS}
    return None if wide - WIDE_SLOTS else (outside[::-1], spans)


def _between(prompt: str, first: int, last: int, words: Sequence[Word]) -> str:
    text = prompt[words[first].start : words[last].end]
    if last + 1 == len(words):  # the last slot runs to the end of the prompt, brackets and all
        text = prompt[words[first].start :]
    return text.strip(_EDGES)


def _number_as_such(stem: str) -> str:
    return ANY_NUMBER if stem[0].isdigit() or stem in NUMBER_WORDS else stem


def _pairs(stems: Sequence[str]) -> list[tuple[str, str]]:
    return list(zip(stems, stems[1:], strict=False))
