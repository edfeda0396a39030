"""The sheet for free-text answers, there and back, as spreadsheets save it."""

import csv
from pathlib import Path

import pytest
from graded import HOSTILE, submission

from labkit.grading.manual import BadSheet, marked, read_marks, write_sheet
from labkit.grading.results import ManualPart, SubmissionResult


def essay(text: str, student: str = "ada") -> SubmissionResult:
    return submission(student, manual=(ManualPart("essay", 4, text),))


def fill(sheet: Path | None, *given: str, delimiter: str = ",", comment: str = "") -> Path:
    """Write points into the sheet's rows, as an instructor does."""
    assert sheet is not None
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    with sheet.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, rows[0], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(row | {"earned": earned, "comment": comment} for row, earned in zip(rows, given, strict=True))
    return sheet


@pytest.mark.parametrize(("delimiter", "given"), [(",", "2.5"), (";", "2,5"), ("\t", " 2.5 ")])
def test_points_come_back_however_the_spreadsheet_saved_them(tmp_path: Path, delimiter: str, given: str) -> None:
    results = [essay('Because, it; depends\non "much"')]
    sheet = fill(write_sheet(results, tmp_path), given, delimiter=delimiter, comment="Good; go on")
    [result] = marked(results, read_marks(sheet))
    assert (result.total, result.ungraded, result.manual[0].comment) == (2.5, 0, "Good; go on")


def test_the_sheet_written_anew_keeps_what_was_given(tmp_path: Path) -> None:
    results = [essay("one"), essay("two", "bob")]
    once = marked(results, read_marks(fill(write_sheet(results, tmp_path), "3", "")))
    write_sheet(once, tmp_path)
    again = marked(results, read_marks(tmp_path / "manual.csv"))
    assert [result.manual[0].earned for result in again] == [3, None]


def test_a_run_over_another_exercise_keeps_the_points_of_this_one(tmp_path: Path) -> None:
    one = essay("one")
    fill(write_sheet([one], tmp_path), "3", comment="-1 for style")
    write_sheet([essay("two", "bob")], tmp_path)
    [result] = marked([one], read_marks(tmp_path / "manual.csv"))
    assert (result.total, result.manual[0].comment) == (3, "-1 for style")


def test_an_answer_handed_in_anew_is_ungraded_again(tmp_path: Path) -> None:
    marks = read_marks(fill(write_sheet([essay("first")], tmp_path), "4"))
    [result] = marked([essay("second")], marks)
    assert result.ungraded == 1 and result.total == 0


def test_no_answer_is_worth_nothing_without_reading() -> None:
    [result] = marked([essay(" ")], {})
    assert result.ungraded == 0 and result.total == 0


@pytest.mark.parametrize("given", ["5", "-1", "two", "nan"])
def test_points_that_cannot_be_are_refused_with_row_and_student(tmp_path: Path, given: str) -> None:
    sheet = fill(write_sheet([essay("text")], tmp_path), given)
    with pytest.raises(BadSheet, match="row 1: part essay of ada"):
        read_marks(sheet)


def test_another_table_is_no_sheet(tmp_path: Path) -> None:
    (tmp_path / "grades.csv").write_text("student,earned\nada,3\n")
    with pytest.raises(BadSheet, match="no column id, part, points, version"):
        read_marks(tmp_path / "grades.csv")


def test_an_answer_is_never_a_formula_nor_hides_a_character(tmp_path: Path) -> None:
    sheet = write_sheet([essay('=HYPERLINK("x")'), essay(HOSTILE, "eve"), essay(" =1", "bob")], tmp_path)
    assert sheet is not None
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        answers = [row["answer"] for row in csv.DictReader(file)]
    assert answers[0].startswith("'=") and "⟨202E⟩" in answers[1] and answers[2] == "' =1"


def test_without_free_text_there_is_no_sheet(tmp_path: Path) -> None:
    assert write_sheet([submission("ada")], tmp_path) is None and not list(tmp_path.iterdir())
