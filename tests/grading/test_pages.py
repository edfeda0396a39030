"""Feedback pages and the overview, from results as the grader writes them."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from graded import HOSTILE, submission, task

from labkit.grading.pages import write_pages
from labkit.grading.pages.overview import exercises
from labkit.grading.results import CellResult, CheckResult, ManualPart, SubmissionResult, Wire

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


SENT = Wire("GET", "/v1/secret", 404, "", 0, 0, "", 0)


def hostile() -> SubmissionResult:
    """Hostile text in every place that a student's work can reach."""
    return submission(
        "eve",
        student=HOSTILE,
        notes=(HOSTILE,),
        tasks=(task("1.1", True, False, message=HOSTILE),),
        cells=(CellResult(1, "", "error", HOSTILE, f"</pre>{HOSTILE}"),),
        manual=(ManualPart("essay", 4, f"a\n{HOSTILE}"),),
    )


def page(folder: Path, result: SubmissionResult) -> str:
    write_pages([result], folder)
    return (folder / "feedback" / f"{result.id}.html").read_text(encoding="utf-8")


def test_a_page_says_points_checks_and_why_not(tmp_path: Path) -> None:
    text = page(tmp_path, submission("ada", tasks=(task("1.1", True, False),)))
    assert "2 of 8 points" in text and "Expected 1 request, got 2" in text


def test_the_same_thing_is_said_once(tmp_path: Path) -> None:
    work = replace(task("1.1", False, False), refusals=("503: overloaded",) * 3)
    work = replace(work, checks=tuple(replace(check, asked=("f(1)",)) for check in work.checks))
    cells = (CellResult(1, "", "error", "ZeroDivisionError: by zero", "Traceback\nZeroDivisionError: by zero\n"),)
    text = page(tmp_path, submission("ada", tasks=(work,), cells=cells))
    assert [text.count(said) for said in ("503: overloaded", "f(1)", "ZeroDivisionError: by zero")] == [1, 1, 1]


def test_a_task_that_was_not_attempted_says_what_is_missing(tmp_path: Path) -> None:
    check = CheckResult("asks once", 2, "There is no `ask` yet: define it.", "missing", asked=("ask()",))
    text = page(tmp_path, submission("ada", tasks=(replace(task("1.1", True), checks=(check, check)),)))
    assert text.count("Not attempted. There is no <code>ask</code> yet") == 1 and "ask()" not in text


def test_a_refused_submission_gets_the_sentence_that_says_what_to_do(tmp_path: Path) -> None:
    text = page(tmp_path, submission("bob", refusal="the file is no notebook: save it again"))
    assert "Nothing was run." in text and "The file is no notebook: save it again." in text


def test_hidden_checks_can_be_told_by_their_points_alone(tmp_path: Path) -> None:
    check = CheckResult("a secret demand", 2, "a secret reason", "unmet", hidden=True, asked=("f(secret)",))
    own = replace(task("1.1", True), checks=(check,), refusals=("404: a secret",), evidence=(SENT,))
    result = submission("ada", tasks=(own, task("1.2", False)))
    write_pages([result], tmp_path, hide_hidden=True)
    text = (tmp_path / "feedback" / "ada.html").read_text(encoding="utf-8")
    assert "secret" not in text and "a check that runs at grading only" in text and "0 of 2" in text
    assert "Expected 1 request, got 2" in text
    assert "secret demand" in (tmp_path / "overview.html").read_text(encoding="utf-8")
    assert "secret reason" in page(tmp_path, result).replace("A secret", "secret")


def test_points_and_comment_of_a_person_are_on_the_page(tmp_path: Path) -> None:
    text = page(tmp_path, submission("ada", manual=(ManualPart("essay", 4, "why", 2.5, "Short & good"),)))
    assert "2.5 of 8 points" in text and "Short &amp; good" in text


def test_free_text_bears_the_number_that_the_notebook_shows(tmp_path: Path) -> None:
    text = page(tmp_path, submission("ada", manual=(ManualPart("text-01-2", 4, "why"), ManualPart("essay", 4, "so"))))
    assert "Task 1.2: free text" in text and "essay: free text" in text and "text-01-2" not in text


def test_a_character_that_does_not_show_is_made_to(tmp_path: Path) -> None:
    text = page(tmp_path, hostile())
    assert "\u202e" not in text and "\x1b" not in text and "⟨202E⟩" in text and "⟨1B⟩[31m" in text


def test_the_overview_puts_the_check_that_fewest_met_first() -> None:
    [course] = exercises([submission("ada", tasks=(task("1.1", True, False),)), submission("bob", refusal="no")])
    assert [(row.check.title, row.met, row.of) for row in course.checks] == [("check 2", 0, 1), ("check 1", 1, 1)]
    assert (course.refused, course.mean) == (1, 2)


def test_full_marks_are_in_the_last_tenth_and_the_bins_hold_everybody() -> None:
    full = task("1.1", True, True, True, True)
    students = [submission("ada", tasks=(full,)), submission("bob", tasks=(task("1.1", False, False, False, True),))]
    [course] = exercises(students)
    assert [b.count for b in course.distribution] == [0, 0, 1, 0, 0, 0, 0, 0, 0, 1]


@pytest.fixture(scope="module")
def browser(missing: Callable[[str], NoReturn]) -> Iterator[Any]:
    if not CHROMIUM:
        missing("no Chromium: install the package `chromium`")
    from playwright import sync_api as playwright

    with playwright.sync_playwright() as driver:
        yield driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


def test_no_page_runs_or_loses_what_a_student_wrote(browser: Any, tmp_path: Path) -> None:
    overview = write_pages([hostile()], tmp_path)
    tab = browser.new_page()
    for path in (overview, tmp_path / "feedback" / "eve.html"):
        tab.goto(path.as_uri())
        assert tab.title() != "run" and tab.locator("script").count() == 0
        assert "<script>document.title='run'</script>⟨202E⟩gpj.exe⟨1B⟩[31m" in tab.locator("body").inner_text()
    tab.close()
