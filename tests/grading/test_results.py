from __future__ import annotations

import json

from labkit.grading.results import CellResult, CheckResult, ManualPart, SubmissionResult, TaskResult, Wire


def result() -> SubmissionResult:
    checks = (CheckResult("one", 2, asked=("f(1)",)), CheckResult("two", 3, "saw 4", "unmet", True))
    wire = (Wire("GET", "/v1/models", 200, "", 1, 2, "stop", 0),)
    task = TaskResult("1.1", "A task", 6, checks, 7, evidence=wire, refusals=("401: no",))
    cells = (CellResult(1, "setup", "ok", output="hi", seconds=0.1), CellResult(2, "", "error", "ValueError: no"))
    return SubmissionResult(
        "ada", "Ada", "ada.ipynb", "0" * 64, "01", 8, tasks=(task,), cells=cells,
        manual=(ManualPart("essay", 2, "text"),), notes=("a note",), versions={"python": "3.11"},
    )  # fmt: skip


def test_a_submission_goes_through_json_and_back() -> None:
    assert SubmissionResult.from_dict(json.loads(json.dumps(result().as_dict()))) == result()


def test_points_of_checks_and_of_manual_parts() -> None:
    assert (result().earned, result().manual_points, result().points) == (2, 2, 8)
