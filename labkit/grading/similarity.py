"""Which submissions have code in common: information for a person, never a grade.

    pairs = alike(run.jobs, load_exercises(course))        the pairs to look at, the most alike first
    write_similarity(pairs, Path("grades"))                similarity.csv; pages/similar.py makes the page

Code that was handed out does not count. What few of the class have counts much, what most of them have counts little,
what nearly all have not at all: a short exercise has one natural answer, and those who found it did not copy it. So the
share of a pair is about the class that it is in.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import log2
from pathlib import Path

from labkit.grading.exercise import Exercise
from labkit.grading.fingerprints import Print, fingerprints, names
from labkit.grading.job import Job
from labkit.grading.tables import table, write_table

SIMILARITY = "similarity.csv"
COLUMNS = ("exercise", "student", "other student", "percent in common", "rare pieces", "id", "other id")

LEAST_SHARE = 0.5
"""Of the code of the one who wrote less; pairs with less in common are not told."""
LEAST_PIECES = 10.0
"""Below it, what two share is too little or too common to say anything. A fingerprint is a piece."""
COMMON_BITS = 0.5
"""What seven of ten have, or more, counts nothing."""
SMALL_CLASS = 10
"""In a class of fewer, code counts as if it were one of so many."""


@dataclass(frozen=True, slots=True)
class Side:
    """One submission of a pair."""

    student: str
    id: str
    cells: tuple[tuple[str, str], ...]
    """Name and code of each cell that is the student's own."""
    marked: frozenset[tuple[int, int]]
    """Lines that the other one has as well: position of the cell, line from 1."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two submissions to one exercise with code in common."""

    exercise: str
    share: float
    """0 to 1: of the code of the one who wrote less, rare code counted for more."""
    pieces: float
    """It tells as much as so many pieces of code that nobody else in the class has."""
    left: Side
    right: Side


@dataclass(frozen=True, slots=True)
class _Work:
    job: Job
    cells: tuple[tuple[str, str], ...]
    prints: tuple[Print, ...]

    @property
    def hashes(self) -> set[int]:
        return {one.hash for one in self.prints}


def alike(jobs: Iterable[Job], exercises: Mapping[str, Exercise]) -> list[Pair]:
    """Pairs of different students' submissions that share much, by exercise, the most alike first."""
    by_exercise: defaultdict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        if not job.refusal:
            by_exercise[job.exercise].append(job)
    return [pair for number in sorted(by_exercise) for pair in _alike(by_exercise[number], exercises[number])]


def write_similarity(pairs: Iterable[Pair], folder: Path) -> Path:
    """similarity.csv: a row a pair."""
    rows = (
        (p.exercise, p.left.student, p.right.student, round(100 * p.share), round(p.pieces), p.left.id, p.right.id)
        for p in pairs
    )
    return write_table(folder / SIMILARITY, table(COLUMNS, rows))


def _alike(jobs: Sequence[Job], exercise: Exercise) -> list[Pair]:
    released = [cell.source for cell in exercise.cells if cell.code]
    kept = names(released)
    given = {one.hash for one in fingerprints(released, kept)}
    works = [_work(job, kept, given) for job in jobs]
    rarity = _rarity(works)
    whole = [sum(rarity[hash] for hash in work.hashes) for work in works]
    pairs = [
        _pair(works[i], works[j], min(1.0, pieces / min(whole[i], whole[j])), pieces)
        for (i, j), pieces in _in_common(works, rarity).items()
        if pieces >= max(LEAST_PIECES, LEAST_SHARE * min(whole[i], whole[j]))
        if works[i].job.student != works[j].job.student
    ]
    return sorted(pairs, key=lambda pair: -pair.share * pair.pieces)


def _work(job: Job, kept: set[str], given: set[int]) -> _Work:
    cells = tuple((cell.id or f"cell {cell.number}", cell.source) for cell in job.cells if not cell.given)
    prints = fingerprints([source for _, source in cells], kept)
    return _Work(job, cells, tuple(one for one in prints if one.hash not in given))


def _rarity(works: Sequence[_Work]) -> dict[int, float]:
    """What each fingerprint counts: 1 if no more than two have it, less the more there are, down to 0."""
    having = Counter(hash for work in works for hash in work.hashes)
    size = max(len(works), SMALL_CLASS)
    most = log2(size / 2) - COMMON_BITS
    return {hash: max(0.0, log2(size / max(count, 2)) - COMMON_BITS) / most for hash, count in having.items()}


def _in_common(works: Sequence[_Work], rarity: Mapping[int, float]) -> dict[tuple[int, int], float]:
    """How much each two share, by their positions."""
    holders: defaultdict[int, list[int]] = defaultdict(list)
    for number, work in enumerate(works):
        for hash in work.hashes:
            if rarity[hash]:
                holders[hash].append(number)
    shared: defaultdict[tuple[int, int], float] = defaultdict(float)
    for hash, numbers in holders.items():
        for two in combinations(numbers, 2):
            shared[two] += rarity[hash]
    return shared


def _pair(one: _Work, other: _Work, share: float, pieces: float) -> Pair:
    both = one.hashes & other.hashes
    return Pair(one.job.exercise, share, pieces, _side(one, both), _side(other, both))


def _side(work: _Work, both: set[int]) -> Side:
    return Side(work.job.student, work.job.id, work.cells, frozenset(_lines(work.prints, both)))


def _lines(prints: Iterable[Print], both: set[int]) -> Iterator[tuple[int, int]]:
    for one in prints:
        if one.hash in both:
            yield from ((one.cell, line) for line in one.lines)
