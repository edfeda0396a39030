"""`labkit grade` end to end: two submissions through the real sandbox."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAME = "01_anatomy_of_a_call.ipynb"


def grade(*options: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "labkit", "grade", *map(str, options), "--course", str(ROOT)]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="needs a Linux sandbox")
def test_a_class_is_graded_to_a_table_and_a_second_run_has_nothing_to_do(tmp_path: Path) -> None:
    for student, source in (("ada", "solutions"), ("bob", "exercises")):
        (tmp_path / "in" / student).mkdir(parents=True)
        shutil.copy(ROOT / source / NAME, tmp_path / "in" / student)
    done = grade(tmp_path / "in", "--out", tmp_path / "out", "--jobs", "1")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "out" / "grades.csv").open(encoding="utf-8-sig") as file:
        earned = {row["student"]: float(row["earned"]) for row in csv.DictReader(file)}
    assert earned == {"ada": 20, "bob": 0}
    again = grade(tmp_path / "in", "--out", tmp_path / "out")
    assert "0 graded now" in again.stdout and "grading:" not in again.stderr


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    missing = grade(tmp_path / "none", "--out", tmp_path / "out")
    assert missing.returncode == 2 and "no folder or zip" in missing.stderr and "Traceback" not in missing.stderr


def test_what_an_option_lacks_is_said_before_anything_is_graded(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(ROOT / "exercises" / NAME, tmp_path / "in")
    for option, said in (
        (("--export", "nbgrader", "--nbgrader", tmp_path / "none"), "name the Python that has nbgrader"),
        (("--cluster", "tcp://127.0.0.1:9"), "start one with `dask scheduler`"),
    ):
        done = grade(tmp_path / "in", "--out", tmp_path / "out", *option)
        assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr
        assert not list(tmp_path.glob("out/grades.csv"))


def test_a_table_of_expected_points_that_is_not_there_is_said_before_anything_is_graded(tmp_path: Path) -> None:
    missing = grade(ROOT / "exercises", "--out", tmp_path / "out", "--expected", tmp_path / "none.csv")
    assert missing.returncode == 2 and "none.csv cannot be read" in missing.stderr
    assert not (tmp_path / "out").exists()
