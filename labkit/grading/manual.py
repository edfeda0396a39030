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
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from labkit.errors import LabkitError
from labkit.grading.results import ManualPart, SubmissionResult
from labkit.grading.tables import plain, table, text_of, write_table

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


def write_sheet(results: Sequence[SubmissionResult], folder: Path) -> Path | None:
    """Write the sheet if there is anything to grade by hand; None if there is not.

    Rows with points for answers that are not among the results stay: those of other exercises, of earlier versions.
    """
    path = folder / SHEET
    rows = [_row(result, part) for result in results for part in result.manual]
    if not rows:
        return None
    new = {_key(result, part) for result in results for part in result.manual}
    old = _rows(path) if path.exists() else []
    kept = [row for row in old if row["earned"] and (row["id"], row["part"], row["version"]) not in new]
    return write_table(path, table(COLUMNS, [*rows, *([row.get(name, "") for name in COLUMNS] for row in kept)]))


def read_marks(path: Path) -> dict[Key, Mark]:
    """The marks on a sheet, as a spreadsheet saved it: with commas or semicolons, decimal points or commas.

    Raises:
        BadSheet: no such file, not one of ours, or points that are no number, negative or more than the part is worth.
    """
    marks: dict[Key, Mark] = {}
    for number, row in enumerate(_rows(path), start=1):
        if given := row["earned"].strip():
            where = f"{path}, row {number}: part {row['part']} of {row.get('student') or row['id']}"
            mark = Mark(_points(given, row["points"], where), plain(row.get("comment", "").strip()))
            marks[row["id"], row["part"], row["version"]] = mark
    return marks


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        text = text_of(path)
    except OSError as error:
        raise BadSheet(f"{path} cannot be read: {error.strerror}") from None
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restval="")
    missing = {"part", "points", "earned", "id", "version"} - set(rows.fieldnames or ())
    if missing:
        raise BadSheet(f"{path} is no sheet of labkit grade: it has no column {', '.join(sorted(missing))}")
    return list(rows)


def marked(results: Iterable[SubmissionResult], marks: Marks) -> list[SubmissionResult]:
    """The results with what a person gave for their free-text answers."""
    return [replace(r, manual=tuple(_marked(part, marks.get(_key(r, part))) for part in r.manual)) for r in results]


def _marked(part: ManualPart, mark: Mark | None) -> ManualPart:
    if mark is None:
        return part if part.text.strip() else replace(part, earned=0.0)
    return replace(part, earned=mark.earned, comment=mark.comment)


def _key(result: SubmissionResult, part: ManualPart) -> Key:
    return result.id, part.id, _version(part)


def _row(result: SubmissionResult, part: ManualPart) -> tuple[object, ...]:
    earned = "" if part.earned is None else part.earned
    head = (result.student, result.exercise, part.id, part.points, part.text)
    return (*head, earned, part.comment, result.id, _version(part))


def _version(part: ManualPart) -> str:
    """Tells one answer from another. A letter first: spreadsheets make numbers of digits and of 1e5."""
    return f"v{hashlib.sha256(part.text.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def _points(given: str, worth: str, where: str) -> float:
    """
    >>> _points("2,5", "4", "a sheet")
    2.5
    """
    try:
        earned, most = (float(text.replace(",", ".")) for text in (given, worth))
    except ValueError:
        raise BadSheet(f"{where}: {given!r} of {worth!r} is no number of points") from None
    if not 0 <= earned <= most:
        raise BadSheet(f"{where}: {given} points, but it is worth 0 to {most:g}")
    return earned
