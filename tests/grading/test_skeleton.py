"""`labkit new-exercise`: what it writes is released as it is, and passes the tests of every exercise."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from labkit.errors import UserError
from labkit.grading.release import main as release
from labkit.grading.skeleton import new_exercise

TESTS = Path(__file__).with_name("test_exercises.py")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "solutions").mkdir()
    return tmp_path


def test_it_is_released_as_it_is(project: Path) -> None:
    written = new_exercise(12, "Rate limits & waiting", project)
    assert [path.name for path in written] == ["12_rate_limits_waiting.ipynb", "ex12.py", "ex12.py"]
    assert release(project) == 0 and release(project, check=True) == 0
    assert "NotImplementedError" in (project / "exercises" / "12_rate_limits_waiting.ipynb").read_text()


def test_the_tests_of_every_exercise_pass_on_it(project: Path, lab_server: Any) -> None:
    new_exercise(3, "Tokens", project, free_text=True)
    release(project)
    (project / "tests" / "grading").mkdir(parents=True)
    shutil.copy(TESTS, project / "tests" / "grading")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    environment = {**os.environ, "LABKIT_SERVER_URL": lab_server.url, "LABKIT_HOME": str(project)}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0 and "9 passed" in done.stdout, done.stdout


def test_what_it_writes_is_clean(project: Path) -> None:
    files = [str(path) for path in new_exercise(12, "Rate limits", project) if path.suffix == ".py"]
    settings = str(TESTS.parents[2] / "pyproject.toml")
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--config", settings, *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def test_nothing_is_overwritten(project: Path) -> None:
    new_exercise(12, "Rate limits", project)
    with pytest.raises(UserError, match="Exercise 12 is there already: solutions/12_rate_limits.ipynb"):
        new_exercise(12, "Something else", project)
    (project / "solutions" / "mutants" / "ex13.py").write_text("")
    with pytest.raises(UserError, match="solutions/mutants/ex13.py is there already"):
        new_exercise(13, "Outages", project)
    assert not list((project / "solutions").glob("13*"))


@pytest.mark.parametrize(("number", "title"), [(0, "Zero"), (100, "Too many"), (5, "?!")])
def test_a_number_or_title_that_cannot_be_is_refused(project: Path, number: int, title: str) -> None:
    with pytest.raises(UserError, match="from 1 to 99"):
        new_exercise(number, title, project)


def test_outside_the_project_it_says_where_to_run_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run this in the project's folder"):
        new_exercise(1, "Tokens", tmp_path)
