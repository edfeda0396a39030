"""`lk.solution`: opens by a pass or by tries, and only where the instructor left the solutions."""

from __future__ import annotations

from pathlib import Path

import pytest

import labkit as lk
from labkit import record
from labkit.errors import SettingsError
from labkit.grading.notebook import UnknownTask
from labkit.grading.reference import AFTER, SolutionLocked

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def in_the_course(lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "exercises")


def test_it_opens_after_three_failed_checks() -> None:
    for failed in range(3):
        with pytest.raises(SolutionLocked, match=f"there were {failed}. "):
            lk.solution("1.1")
        record.checked("1.1", passed=False)
    shown = lk.solution("1.1")
    assert "def list_models" in shown.code
    assert "SOLUTION" not in shown.code and "your code goes here" not in shown.code
    assert shown._repr_markdown_().count("```") == 2
    with pytest.raises(SolutionLocked):
        lk.solution("1.2")


def test_it_opens_when_the_task_has_passed() -> None:
    record.checked("15.5", passed=True)
    record.checked("15.5", passed=False)
    compile(lk.solution("15.5").code, "15.5", "exec")


def test_the_instructor_says_how_many_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AFTER, "0")
    assert lk.solution("2.1").code
    monkeypatch.setenv(AFTER, "never")
    record.checked("2.1", passed=True)
    with pytest.raises(SolutionLocked, match="with the instructor"):
        lk.solution("2.1")
    monkeypatch.setenv(AFTER, "soon")
    with pytest.raises(SettingsError, match="'soon': it takes a number of failed checks, such as 3, or `never`"):
        lk.solution("2.1")


def test_without_the_folder_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    record.checked("1.1", passed=True)
    with pytest.raises(SolutionLocked, match="with the instructor"):
        lk.solution("1.1")
    with pytest.raises(UnknownTask):
        lk.solution("1.99")


@pytest.mark.parametrize("notebook", sorted((ROOT / "solutions").glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_task_has_one(notebook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from labkit.grading.tasks import load_tasks

    monkeypatch.setenv(AFTER, "0")
    for task in load_tasks(ROOT / "solutions" / "checks" / f"ex{notebook.stem[:2]}.py").tasks:
        assert lk.solution(task).code
