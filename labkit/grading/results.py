"""What came of checking a task, as data: for the notebook's card, for grade files, for feedback pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from labkit.grading.journal import Exchange


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check: met or not, and the sentence that says why not."""

    title: str
    points: float
    """What it is worth."""
    message: str = ""
    """Empty if it passed."""
    kind: str = "passed"
    """"passed", "unmet", one of the troubles of a workspace, or "check" when the check itself broke on the answer."""
    hidden: bool = False
    asked: tuple[str, ...] = ()
    """The calls of the student's functions, with their inputs."""

    @property
    def passed(self) -> bool:
        return self.kind == "passed"

    @property
    def earned(self) -> float:
        return self.points if self.passed else 0.0


@dataclass(frozen=True, slots=True)
class Wire:
    """One line of evidence: a request that the lab server saw while the task was checked."""

    method: str
    path: str
    status: int
    model: str
    input_tokens: int
    output_tokens: int
    finish_reason: str
    retry: int


def wire_of(exchanges: Iterable[Exchange]) -> tuple[Wire, ...]:
    """The evidence of a check, without bodies and headers."""
    return tuple(
        Wire(
            method=e.method,
            path=e.path,
            status=e.status,
            model=e.model,
            input_tokens=e.input_tokens,
            output_tokens=e.output_tokens,
            finish_reason=", ".join(e.finish_reasons),
            retry=e.retry,
        )
        for e in exchanges
    )


@dataclass(frozen=True, slots=True)
class TaskResult:
    """One task: points, every check, and what was seen."""

    task: str
    title: str
    points: float
    """What the whole task is worth, withheld checks included."""
    checks: tuple[CheckResult, ...]
    seed: int
    """Of the probe inputs: the same seed asks the same questions."""
    evidence: tuple[Wire, ...] = ()
    hint: str = ""
    hint_number: int = 0
    """1 or 2; 0 without a hint."""
    calls: int = 0
    """How often the checks ran the student's functions: each check does so anew."""
    refusals: tuple[str, ...] = ()
    """What servers refused, as the student's code got it: the journal lacks requests that no key admitted."""

    @property
    def earned(self) -> float:
        return sum(check.earned for check in self.checks)

    @property
    def offered(self) -> float:
        """Points of the checks that ran; the rest of `points` is withheld until grading."""
        return sum(check.points for check in self.checks)

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def attempted(self) -> bool:
        """False as long as nothing but the stub, or nothing at all, was found."""
        return not all(check.kind in ("missing", "unwritten") for check in self.checks)

    @property
    def message(self) -> str:
        """The sentence of the first check that failed; empty if none did."""
        return next((check.message for check in self.checks if not check.passed), "")

    @property
    def tokens(self) -> int:
        return sum(wire.input_tokens + wire.output_tokens for wire in self.evidence)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with the derived ones that a reader of a grade file wants."""
        return {**asdict(self), "earned": self.earned, "passed": self.passed, "message": self.message}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Self:
        """The inverse of `as_dict`."""
        parts = {
            "checks": tuple(CheckResult(**{**c, "asked": tuple(c["asked"])}) for c in row["checks"]),
            "evidence": tuple(Wire(**wire) for wire in row["evidence"]),
            "refusals": tuple(row["refusals"]),
        }
        return cls(**{f.name: row[f.name] for f in fields(cls)} | parts)

    def __repr__(self) -> str:
        state = "passed" if self.passed else "not yet"
        return f"<task {self.task}: {state}, {self.earned:g} of {self.offered:g} points>"

    def _repr_html_(self) -> str:
        from labkit.grading.card import card

        return card(self)


@dataclass(frozen=True, slots=True)
class CellResult:
    """What came of one cell of a submission when it was run for grading."""

    number: int
    """Position in the student's notebook, from 1; 0 for a cell of the release that the student had removed."""
    id: str
    """grade_id of a cell of the release; empty for one that the student added."""
    outcome: str
    """"ok", "error", "time", "died" when the process ended in it, "skipped" when a limit of the whole was reached."""
    error: str = ""
    """Last line of the traceback, cut."""
    output: str = ""
    """Head of what it printed, cut while it was printed."""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ManualPart:
    """A free-text answer that a person grades."""

    id: str
    """grade_id of its cell."""
    points: float
    """What it is worth."""
    text: str
    """What the student wrote; empty if the cell is missing. Never trusted: escape it."""
    earned: float | None = None
    """What a person gave; None as long as nobody did."""
    comment: str = ""
    """What that person says to the student."""

    @property
    def name(self) -> str:
        """For people: "Task 21.2" of a cell text-21-2, and otherwise the grade_id."""
        numbered = re.fullmatch(r"text-0*(\d+)-(\d+)", self.id)
        return f"Task {numbered[1]}.{numbered[2]}" if numbered else self.id


BROKEN = "a cell of the exercise itself failed: "
"""How the note begins that says so."""


@dataclass(frozen=True, slots=True)
class SubmissionResult:
    """One submission, graded or refused: a line of results.jsonl."""

    id: str
    """Unique in a run and safe as a file name; does not change between runs over the same folder."""
    student: str
    """The student's name as the folder or file has it, control characters made visible."""
    file: str
    """Where it was found, relative to the folder of submissions; members of a zip as `class.zip/ada.ipynb`."""
    sha256: str
    """Of the notebook's bytes; empty if they could not be read."""
    exercise: str
    """Two digits, as in the file names: "01"."""
    points: float
    """What the whole exercise is worth, manual parts included."""
    refusal: str = ""
    """Why nothing was run, as a sentence; empty if it was graded."""
    tasks: tuple[TaskResult, ...] = ()
    cells: tuple[CellResult, ...] = ()
    manual: tuple[ManualPart, ...] = ()
    notes: tuple[str, ...] = ()
    """What a person may want to look at: cells missing, doubled or edited, processes that had to be ended."""
    seed: int = 0
    """Of the probe inputs of every task."""
    sandbox: str = ""
    """Name of the tier it ran in."""
    started: str = ""
    """UTC, ISO 8601."""
    seconds: float = 0.0
    attempts: int = 1
    """More than 1 if the grader itself had failed before."""
    restarts: int = 0
    """How often the student's process was started anew because a cell or a function ended it or would not stop."""
    fingerprint: str = ""
    """Of everything that the result depends on; a result is up to date while it is the same."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of Python, labkit and the SDKs that the work ran with."""

    @property
    def earned(self) -> float:
        """Points of the checks; manual parts come on top."""
        return sum(task.earned for task in self.tasks)

    @property
    def manual_points(self) -> float:
        return sum(part.points for part in self.manual)

    @property
    def manual_earned(self) -> float:
        return sum(part.earned or 0.0 for part in self.manual)

    @property
    def total(self) -> float:
        """Points of the checks and those that a person gave."""
        return self.earned + self.manual_earned

    @property
    def ungraded(self) -> int:
        """Free-text answers that nobody has graded yet."""
        return sum(part.earned is None for part in self.manual)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("tasks", "cells", "manual")}
        return {
            **own,
            "notes": list(self.notes),
            "versions": dict(self.versions),
            "earned": self.earned,
            "tasks": [task.as_dict() for task in self.tasks],
            "cells": [asdict(cell) for cell in self.cells],
            "manual": [asdict(part) for part in self.manual],
        }

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Self:
        """The inverse of `as_dict`."""
        parts = {
            "tasks": tuple(TaskResult.from_dict(task) for task in row["tasks"]),
            "cells": tuple(CellResult(**cell) for cell in row["cells"]),
            "manual": tuple(ManualPart(**part) for part in row["manual"]),
            "notes": tuple(row["notes"]),
        }
        return cls(**{f.name: row[f.name] for f in fields(cls)} | parts)


def best(results: Iterable[SubmissionResult]) -> list[SubmissionResult]:
    """The submission of each student to each exercise that has the most points; of equals the first."""
    counted: dict[tuple[str, str], SubmissionResult] = {}
    for result in results:
        known = counted.setdefault((result.student, result.exercise), result)
        if result.total > known.total:
            counted[result.student, result.exercise] = result
    return list(counted.values())
