"""Progress: what a course's files say, what is noted, and what survives a bad file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit import course, record

ASK = "What does `T = 0` do?"
QUIZ: dict[str, Any] = {"ask": ASK, "options": {"any": "No.", "the best": "Yes."}, "answer": 1}


def notebook(title: str, *sources: str) -> str:
    cells = [{"cell_type": "markdown", "source": f"# {title}\n\n**Time**: about 25 minutes."}]
    cells += [{"cell_type": "code", "source": source.splitlines(keepends=True)} for source in sources]
    return json.dumps({"cells": cells, "nbformat": 4})


@pytest.fixture
def here(lab_home: Path) -> Path:
    """A course of two lessons around the working folder, and an empty state folder."""
    folder = lab_home.parent / "notebooks"
    folder.mkdir()
    (folder / "01_first.ipynb").write_text(notebook("How?", f"lk.quiz([{QUIZ!r}, {QUIZ | {'ask': 'And?'}!r}])"))
    (folder / "07_second.ipynb").write_text(notebook("Why?", "%matplotlib inline\nlk.quiz(x)", f"lk.quiz({QUIZ!r})"))
    (folder / "notes.ipynb").write_text("{}")
    return lab_home.parent


def states() -> list[str]:
    return [row.state for row in lk.progress().rows]


def test_map_reads_titles_minutes_and_questions(here: Path) -> None:
    first, second = course.lessons(here)
    assert (first.number, first.title, first.minutes, len(first.questions)) == ("01", "How?", 25, 2)
    assert second.questions == (course.question_id(ASK),)


def test_answering_in_a_quiz_moves_the_map(here: Path) -> None:
    asked = lk.quiz([QUIZ])
    asked.choose(0, 0)
    assert states() == ["new", "new"]
    asked.choose(0, 1)
    assert states() == ["begun", "finished"]
    asked.choose(0, 0)
    assert states() == ["begun", "finished"]


def test_next_step_finishes_what_was_begun_and_then_opens_the_next(here: Path) -> None:
    assert "notebooks/01_first.ipynb" in lk.progress().next_step
    record.answered("And?", right=True)
    assert "1 question of notebooks/01_first.ipynb" in lk.progress().next_step
    record.answered(ASK, right=True)
    assert lk.progress().next_step == "All lessons are finished."


def test_opening_a_lesson_is_noted_where_its_name_is_known(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Shell:
        user_ns: dict[str, str] = {}

    monkeypatch.setattr(record, "shell", Shell)
    monkeypatch.setenv("JPY_SESSION_NAME", "course/notebooks/07_second.ipynb")
    record.opened()
    assert states() == ["new", "begun"]


def test_nothing_is_noted_for_a_script(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "notebooks/07_second.ipynb")
    record.opened()
    assert states() == ["new", "new"]


def test_reset_forgets(here: Path) -> None:
    record.answered(ASK, right=True)
    assert [row.state for row in lk.progress(reset=True).rows] == ["new", "new"]
    assert lk.progress(reset=True).notices == []


def test_lines_that_cannot_be_read_cost_one_sentence_and_nothing_else(here: Path, lab_home: Path) -> None:
    record.answered(ASK, right=True)
    with (lab_home / record.FILE).open("ab") as file:
        file.write(b'[1]\n\xff\xfe\n{"kind": "quest')
    record.answered("And?", right=True)
    shown = lk.progress()
    assert [row.state for row in shown.rows] == ["finished", "finished"]
    assert len(shown.notices) == 1
    assert "3 lines of progress.jsonl cannot be read" in str(shown)


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs a folder in the place of a file")
def test_file_that_cannot_be_written_spoils_no_quiz(here: Path, lab_home: Path) -> None:
    (lab_home / record.FILE).mkdir()
    lk.quiz(QUIZ).choose(0, 1)
    shown = lk.progress()
    assert states() == ["new", "new"]
    assert any("not noted" in notice for notice in shown.notices)
    (lab_home / record.FILE).rmdir()
    record.answered(ASK, right=True)
    assert lk.progress().notices == []


def test_outside_a_course_the_packages_own_is_shown(lab_home: Path) -> None:
    assert "00" in [row.lesson.number for row in lk.progress().rows]


def test_half_saved_notebook_is_left_out(here: Path) -> None:
    (here / "notebooks" / "07_second.ipynb").write_text('{"cells": [')
    assert [lesson.number for lesson in course.lessons(here)] == ["01"]


def test_page_has_links_signs_with_names_and_the_next_step(here: Path) -> None:
    record.answered(ASK, right=True)
    html = lk.progress()._repr_html_()
    assert 'href="notebooks/07_second.ipynb"' in html
    assert 'aria-label="finished"' in html
    assert "1/2" in html
    assert "<b>Next:</b>" in html


def test_tasks_are_those_of_the_released_checks() -> None:
    place = course.folder(Path(__file__).parent)
    assert place is not None
    anatomy = next(lesson for lesson in course.lessons(place) if lesson.number == "01")
    assert "1.1" in anatomy.tasks


def test_passed_task_is_counted_and_the_next_one_named(here: Path) -> None:
    (here / "exercises").mkdir()
    (here / "exercises" / "01_first.ipynb").write_text("{}")
    for ask in (ASK, "And?"):
        record.answered(ask, right=True)
    record.checked("1.1", passed=True)
    record.checked("1.2", passed=False)
    row = lk.progress().rows[0]
    assert (row.passed, row.state) == (("1.1",), "begun")
    assert row.next_step.startswith("Task 1.2 of exercises/01_first.ipynb")
