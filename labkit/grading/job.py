"""One submission, ready to be graded anywhere: everything that a grader process needs, as plain JSON values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from labkit import __version__
from labkit.grading.exercise import Exercise
from labkit.grading.ingest import Found, find, read
from labkit.grading.results import ManualPart, SubmissionResult
from labkit.grading.sandbox.limits import Limits
from labkit.grading.submitted import Assembled, Refused, Runnable, assemble, exercise_of, read_cells


@dataclass(frozen=True, slots=True)
class Job:
    """What to run, and what to write into the result."""

    id: str
    student: str
    file: str
    sha256: str
    exercise: str
    points: float
    seed: int
    checks: str
    """Text of the complete check file."""
    cells: tuple[Runnable, ...] = ()
    manual: tuple[ManualPart, ...] = ()
    notes: tuple[str, ...] = ()
    refusal: str = ""
    """Why nothing is to be run; empty if something is."""
    limits: Limits = Limits()

    @property
    def fingerprint(self) -> str:
        """The same for two jobs that must come to the same result."""
        plain = {**self.as_dict(), "labkit": __version__}
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Self:
        """The inverse of `as_dict`."""
        parts = {
            "cells": tuple(Runnable(**cell) for cell in row["cells"]),
            "manual": tuple(ManualPart(**part) for part in row["manual"]),
            "notes": tuple(row["notes"]),
            "limits": Limits(**row["limits"]),
        }
        return cls(**{f.name: row[f.name] for f in fields(cls)} | parts)

    def result(self, **found: Any) -> SubmissionResult:
        """A result of this job; `found` is what grading it brought, or why it was refused."""
        return SubmissionResult(
            **{name: getattr(self, name) for name in ("id", "student", "file", "sha256", "exercise", "points", "seed")},
            **{"manual": self.manual, "notes": self.notes, "fingerprint": self.fingerprint, **found},
        )


def plan(
    folder: Path, exercises: Mapping[str, Exercise], *, seed: int | None = None, limits: Limits | None = None
) -> Iterator[Job]:
    """A job for each notebook below a folder, in an order that does not change.

    Args:
        exercises: as `load_exercises` gives them.
        seed: of the probe inputs; by default drawn from the exercise's check file, so that a grade repeats and nobody
            without that file can tell what will be asked.

    Raises:
        NoSubmissions: there is no notebook.
    """
    for found in find(folder):
        yield make_job(found, exercises, seed=seed, limits=limits or Limits())


def make_job(found: Found, exercises: Mapping[str, Exercise], *, seed: int | None, limits: Limits) -> Job:
    """The job for one notebook; one that says why, for a notebook that cannot be graded."""
    digest, refusal, assembled = "", "", Assembled()
    exercise = _by_name(found, exercises)
    try:
        data = read(found)
        digest = hashlib.sha256(data).hexdigest()
        cells = read_cells(data)
        exercise = exercise_of(cells, Path(found.file).name, exercises)
        assembled = assemble(cells, exercise)
    except Refused as refused:
        refusal = str(refused)
    return Job(
        id=found.id,
        student=found.student,
        file=found.file,
        sha256=digest,
        exercise=exercise.number,
        points=exercise.points,
        seed=seed_of(exercise) if seed is None else seed,
        checks=exercise.checks,
        cells=tuple(assembled.cells),
        manual=tuple(assembled.manual),
        notes=tuple(assembled.notes),
        refusal=refusal,
        limits=limits,
    )


def _by_name(found: Found, exercises: Mapping[str, Exercise]) -> Exercise:
    """For a file that cannot be read: the exercise that its name begins with, else the first."""
    return exercises.get(Path(found.file).name[:2]) or next(iter(exercises.values()))


def seed_of(exercise: Exercise) -> int:
    """A seed that follows from the complete check file."""
    return int.from_bytes(hashlib.sha256(exercise.checks.encode()).digest()[:4])


def refused(jobs: Iterable[Job]) -> list[SubmissionResult]:
    """Results of the jobs of which nothing is to be run."""
    return [job.result(refusal=job.refusal) for job in jobs if job.refusal]
