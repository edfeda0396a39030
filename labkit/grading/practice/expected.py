"""expected.csv: what each submission must get, and what differs from it in results."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from labkit.errors import UserError
from labkit.grading.practice.entry import Entry
from labkit.grading.results import SubmissionResult
from labkit.grading.tables import by_number, plain, table, text_of, write_table

EXPECTED = "expected.csv"
COLUMNS = ("file", "student", "exercise", "kind", "what", "earned", "refusal", "note")


@dataclass(frozen=True, slots=True)
class Expected:
    """What one submission must get."""

    file: str
    """As results name it."""
    student: str
    exercise: str
    kind: str
    what: str
    earned: dict[str, float]
    """Points by task; empty if it must be refused."""
    refusal: str = ""
    """Words of the sentence with which it must be refused."""
    note: str = ""
    """Words of a note that it must have."""

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """What a made-up submission must get."""
        number = entry.sheet.exercise.number
        earned = dict(entry.earned)
        return cls(entry.file, entry.student, number, entry.kind, entry.what, earned, entry.refusal, entry.note)


def write_expected(expected: Sequence[Expected], folder: Path) -> Path:
    """Write the table, in the order of the files: a column a task, empty where it is not asked."""
    tasks = sorted({task for one in expected for task in one.earned}, key=by_number)
    rows = [_row(one, tasks) for one in sorted(expected, key=lambda one: one.file)]
    return write_table(folder / EXPECTED, table((*COLUMNS, *tasks), rows))


def read_expected(path: Path) -> list[Expected]:
    """The rows of a table.

    Raises:
        UserError: it cannot be read, or a column is missing.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(text_of(path), newline="")))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    if not rows or not {"file", "refusal", "note"} <= rows[0].keys():
        raise UserError(f"{path} is no table of expected points: it needs the columns file, refusal and note.")
    return [_read(row) for row in rows]


def differences(expected: Iterable[Expected], results: Iterable[SubmissionResult]) -> list[str]:
    """A line for each submission that did not get what it must, or is on one side only."""
    found = {result.file: result for result in results}
    lines = []
    for one in expected:
        result = found.pop(one.file, None)
        why = "; ".join(_differs(one, result)) if result else "no result"
        if why:
            lines.append(f"{one.file} ({one.kind}: {one.what}): {why}")
    return [*lines, *(f"{file}: nothing was expected of it" for file in found)]


def _differs(one: Expected, result: SubmissionResult) -> Iterator[str]:
    if bool(one.refusal) != bool(result.refusal) or one.refusal not in result.refusal:
        yield f"refused with {result.refusal!r}, expected {one.refusal!r}"
    earned = {task.task: task.earned for task in result.tasks}
    for task in sorted(one.earned.keys() | earned.keys(), key=by_number):
        must, got = one.earned.get(task, 0.0), earned.get(task, 0.0)
        if not math.isclose(must, got):
            yield f"task {task} got {got:g}, expected {must:g}"
    if one.note not in "; ".join(result.notes):
        yield f"its notes do not say {one.note!r}"


def _row(one: Expected, tasks: Sequence[str]) -> list[object]:
    head = (one.file, one.student, one.exercise, one.kind, one.what)
    return [*head, sum(one.earned.values()), one.refusal, one.note, *(one.earned.get(task, "") for task in tasks)]


def _read(row: dict[str, str]) -> Expected:
    texts = {name: plain(row.get(name) or "") for name in COLUMNS if name != "earned"}
    earned = {name: float(cell) for name, cell in row.items() if name not in COLUMNS and cell}
    return Expected(**texts, earned=earned)
