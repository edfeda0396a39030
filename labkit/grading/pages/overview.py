"""The class in numbers: how points are spread, and which checks cost most."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from labkit.grading.results import CheckResult, SubmissionResult, TaskResult

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Submissions whose share of the points lies between two percentages."""

    low: int
    high: int
    count: int
    height: float
    """Percent of the highest bin."""


@dataclass(frozen=True, slots=True)
class Difficulty:
    """One check over the class."""

    task: str
    check: CheckResult
    met: int
    of: int
    """Submissions that were graded."""
    untried: int
    """Those among them whose answer is missing or still the stub."""

    @property
    def percent(self) -> float:
        return 100 * self.met / self.of


@dataclass(frozen=True, slots=True)
class Class:
    """All submissions to one exercise."""

    number: str
    points: float
    results: tuple[SubmissionResult, ...]

    @property
    def graded(self) -> list[SubmissionResult]:
        return [result for result in self.results if not result.refusal]

    @property
    def refused(self) -> int:
        return len(self.results) - len(self.graded)

    @property
    def ungraded(self) -> int:
        """Free-text answers that nobody has graded yet."""
        return sum(result.ungraded for result in self.results)

    @property
    def mean(self) -> float:
        return fmean(result.total for result in self.graded) if self.graded else 0.0

    @property
    def median(self) -> float:
        return median(result.total for result in self.graded) if self.graded else 0.0

    @property
    def distribution(self) -> list[Bin]:
        """Graded submissions by share of the points, in tenths; full marks are in the last."""
        counts = [0] * BINS
        for result in self.graded:
            share = result.total / self.points if self.points else 0.0
            counts[min(int(share * BINS + 1e-9), BINS - 1)] += 1
        top = max(counts) or 1
        width = 100 // BINS
        return [Bin(i * width, (i + 1) * width, n, 100 * n / top) for i, n in enumerate(counts)]

    @property
    def checks(self) -> list[Difficulty]:
        """Every check, the least often met first."""
        seen: defaultdict[tuple[str, int], list[tuple[TaskResult, CheckResult]]] = defaultdict(list)
        for task in (task for result in self.graded for task in result.tasks):
            for position, check in enumerate(task.checks):
                seen[task.task, position].append((task, check))
        found = [_difficulty(number, pairs) for (number, _), pairs in seen.items()]
        return sorted(found, key=lambda difficulty: difficulty.percent)


def exercises(results: Iterable[SubmissionResult]) -> list[Class]:
    """The class of each exercise, by number."""
    by_number: defaultdict[str, list[SubmissionResult]] = defaultdict(list)
    for result in results:
        by_number[result.exercise].append(result)
    return [Class(number, found[0].points, tuple(found)) for number, found in sorted(by_number.items())]


def _difficulty(number: str, pairs: Sequence[tuple[TaskResult, CheckResult]]) -> Difficulty:
    untried = sum(not task.attempted for task, _ in pairs)
    return Difficulty(number, pairs[0][1], sum(check.passed for _, check in pairs), len(pairs), untried)
