"""Results as the grader writes them, for tests of what is made from them."""

from __future__ import annotations

from labkit.grading.results import CheckResult, SubmissionResult, TaskResult

HOSTILE = "<script>document.title='run'</script>\u202egpj.exe\x1b[31m"


def task(number: str, *met: bool, message: str = "expected 1 request, got 2") -> TaskResult:
    """A task with a check of two points for each of `met`."""
    checks = tuple(
        CheckResult(f"check {n}", 2) if fine else CheckResult(f"check {n}", 2, message, "unmet")
        for n, fine in enumerate(met, start=1)
    )
    return TaskResult(number, "Title", 2 * len(met), checks, seed=1)


def submission(student: str, /, **more: object) -> SubmissionResult:
    """One to exercise 01, worth 8 points."""
    own = {"id": student, "student": student, "file": f"{student}.ipynb", "sha256": "", "exercise": "01", "points": 8}
    return SubmissionResult(**own | more)  # type: ignore[arg-type]
