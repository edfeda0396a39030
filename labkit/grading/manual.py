"""The sheet on which a person grades free text: written with every answer, read back with points and comments.

    marks = read_marks(Path("grades/manual.csv"))        what a person has given so far
    results = marked(results, marks)                     the same results with those points in them
    write_sheet(results, Path("grades"))                 every answer, graded ones with their points

A mark belongs to the text that it was given for: an answer that was handed in anew is ungraded again. An empty answer
has 0 points without anybody's reading.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from labkit.errors import LabkitError
from labkit.grading.results import ManualPart, SubmissionResult
from labkit.grading.tables import table, text_of, write_table

SHEET = "manual.csv"
COLUMNS = ("student", "exercise", "part", "points", "answer", "earned", "comment", "id", "version")


class BadSheet(LabkitError):
    """A sheet cannot be read; the text names the row and what to write there."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Mark:
    """What a person gave for one answer."""

    earned: float
    comment: str = ""


Key = tuple[str, str, str]
"""Submission, part, version of the answer."""
Marks = Mapping[Key, Mark]


def write_sheet(results: Iterable[SubmissionResult], folder: Path) -> Path | None:
    """Write the sheet if there is anything to grade by hand; None if there is not."""
    rows = [_row(result, part) for result in results for part in result.manual]
    return write_table(folder / SHEET, table(COLUMNS, rows)) if rows else None


def read_marks(path: Path) -> dict[Key, Mark]:
    """The marks on a sheet, as a spreadsheet saved it: with commas or semicolons, decimal points or commas.

    Raises:
        BadSheet: no such file, not one of ours, or points that are no number, negative or more than the part is worth.
    """
    try:
        lines = text_of(path).splitlines(keepends=True)
    except OSError as error:
        raise BadSheet(f"{path} cannot be read: {error.strerror}") from None
    delimiter = max(",;\t", key=(lines[0] if lines else "").count)
    rows = csv.DictReader(lines, delimiter=delimiter)
    missing = {"part", "points", "earned", "id", "version"} - set(rows.fieldnames or ())
    if missing:
        raise BadSheet(f"{path} is no sheet of labkit grade: it has no column {', '.join(sorted(missing))}")
    marks: dict[Key, Mark] = {}
    for row in rows:
        if given := (row["earned"] or "").strip():
            where = f"{path}, line {rows.line_num}: part {row['part']} of {row.get('student') or row['id']}"
            mark = Mark(_points(given, row["points"], where), (row.get("comment") or "").strip())
            marks[row["id"] or "", row["part"] or "", row["version"] or ""] = mark
    return marks


def marked(results: Iterable[SubmissionResult], marks: Marks) -> list[SubmissionResult]:
    """The results with what a person gave for their free-text answers."""
    return [replace(r, manual=tuple(_marked(r.id, part, marks) for part in r.manual)) for r in results]


def _marked(submission: str, part: ManualPart, marks: Marks) -> ManualPart:
    mark = marks.get((submission, part.id, _version(part)))
    if mark is None:
        return part if part.text.strip() else replace(part, earned=0.0)
    return replace(part, earned=mark.earned, comment=mark.comment)


def _row(result: SubmissionResult, part: ManualPart) -> tuple[object, ...]:
    earned = "" if part.earned is None else part.earned
    head = (result.student, result.exercise, part.id, part.points, part.text)
    return (*head, earned, part.comment, result.id, _version(part))


def _version(part: ManualPart) -> str:
    """Tells one answer from another. A letter first: spreadsheets make numbers of digits and of 1e5."""
    return f"v{hashlib.sha256(part.text.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def _points(given: str, worth: str | None, where: str) -> float:
    """
    >>> _points("2,5", "4", "a sheet")
    2.5
    """
    try:
        earned, most = (float((text or "").replace(",", ".")) for text in (given, worth))
    except ValueError:
        raise BadSheet(f"{where}: {given!r} of {worth!r} is no number of points") from None
    if not 0 <= earned <= most:
        raise BadSheet(f"{where}: {given} points, but it is worth 0 to {most:g}")
    return earned
