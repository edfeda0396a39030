"""grades.csv, from results as the grader writes them."""

import csv
from pathlib import Path

from graded import submission, task

from labkit.grading.gradebook import write_grades
from labkit.grading.results import SubmissionResult


def table(folder: Path, *results: SubmissionResult) -> list[dict[str, str]]:
    with write_grades(results, folder).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_a_submission_and_a_column_a_task_in_order(tmp_path: Path) -> None:
    done = submission("ada", tasks=(task("1.10", True), task("1.9", True, False)))
    rows = table(tmp_path, done, submission("bob", refusal="It is no notebook."))
    assert [name for name in rows[0] if name.startswith("1.")] == ["1.9", "1.10"]
    assert (rows[0]["earned"], rows[0]["1.9"], rows[0]["1.10"]) == ("4", "2", "2")
    assert (rows[1]["earned"], rows[1]["refusal"], rows[1]["1.9"]) == ("0", "It is no notebook.", "")


def test_a_name_is_never_a_formula(tmp_path: Path) -> None:
    [row] = table(tmp_path, submission('=HYPERLINK("x")', notes=("-1 cells", "ümläut")))
    assert row["student"] == '\'=HYPERLINK("x")' and row["notes"] == "'-1 cells; ümläut" and row["earned"] == "0"
