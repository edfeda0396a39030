"""A whole class: order, resume, what is graded again, and what happens when the grader's own parts fail."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from labkit.grading.exercise import NoExercise
from labkit.grading.grade import RESULTS, Run, WeakSandbox, grade, main, read_results
from labkit.grading.job import Job
from labkit.grading.judge import Judge
from labkit.grading.results import SubmissionResult
from labkit.grading.sandbox import tiers
from labkit.grading.sandbox.tiers import Tier

pytestmark = pytest.mark.usefixtures("sandbox")

STUDENTS = {"ada": {}, "bob": {"double": "def double(x):\n    return 0"}, "cyd": {"models": "x = 1"}}


@pytest.fixture
def submissions(handed_in: Callable[..., Any], tmp_path: Path) -> Path:
    """Right, half right and half right; and one that is no notebook."""
    folder = tmp_path / "submitted"
    folder.mkdir()
    for name, answers in STUDENTS.items():
        (folder / f"{name}.ipynb").write_text(json.dumps(handed_in(**answers)))
    (folder / "zoe.ipynb").write_text("{")
    return folder


@pytest.fixture
def run(course: Path, submissions: Path, tmp_path: Path, limits: Any, modules: Any) -> Callable[..., Run]:
    def start(out: str = "out", **options: Any) -> Run:
        return grade(submissions, tmp_path / out, course=course, limits=limits, modules=modules, **options)

    return start


def told(results: list[SubmissionResult]) -> list[dict[str, Any]]:
    """Results without what may differ between two runs: times, and addresses in what the work printed."""
    timed = ("started", "seconds", "cells", "attempts")
    return [{name: value for name, value in r.as_dict().items() if name not in timed} for r in results]


def test_the_same_submissions_get_the_same_grades_in_the_same_order(run: Callable[..., Run]) -> None:
    first, second = run("one", jobs=1), run("two", jobs=2)
    assert [(r.student, r.earned) for r in first.results] == [("ada", 4), ("bob", 2), ("cyd", 2), ("zoe", 0)]
    assert "no valid JSON" in first.results[3].refusal
    assert told(first.results) == told(second.results)
    assert [r.id for r in read_results(second.path)] == [r.id for r in second.results]


def test_another_seed_asks_other_questions(run: Callable[..., Run]) -> None:
    one, two = run("one", seed=1, jobs=1).results[0], run("two", seed=2, jobs=1).results[0]
    assert (one.seed, two.seed, one.earned, two.earned) == (1, 2, 4, 4)
    assert one.tasks[0].checks[0].asked != two.tasks[0].checks[0].asked


def test_only_what_changed_is_graded_again(run: Callable[..., Run], submissions: Path, handed_in: Any) -> None:
    assert run(jobs=1).graded == 4
    assert run(jobs=1).graded == 0
    (submissions / "bob.ipynb").write_text(json.dumps(handed_in()))
    again = run(jobs=1)
    assert (again.graded, again.results[1].earned, len(read_results(again.path))) == (1, 4, 4)


def test_nothing_that_was_graded_is_lost(
    run: Callable[..., Run], submissions: Path, course: Path, limits: Any, modules: Any
) -> None:
    first = run(jobs=1)
    shutil.copy(course / "solutions" / "01_small.ipynb", course / "solutions" / "02_small.ipynb")
    shutil.copy(course / "solutions" / "checks" / "ex01.py", course / "solutions" / "checks" / "ex02.py")
    try:
        assert told(run(jobs=1, only=["2"]).results) == told(first.results)
    finally:
        (course / "solutions" / "02_small.ipynb").unlink()
        (course / "solutions" / "checks" / "ex02.py").unlink()
    ada = submissions / "ada.ipynb"
    other = grade(ada, first.path.parent, course=course, limits=limits, modules=modules, jobs=1)
    assert (len(other.results), other.graded, len(read_results(first.path))) == (1, 0, 4)


def test_an_exercise_that_does_not_exist(run: Callable[..., Run]) -> None:
    with pytest.raises(NoExercise, match="no exercise 07; those here: 01"):
        run(only=["1", "7"])


def test_a_run_that_was_killed_goes_on(tmp_path: Path, course: Path, submissions: Path, modules: Any) -> None:
    command = [sys.executable, "-m", "labkit.grading.grade", str(submissions), "--out", str(tmp_path / "out")]
    with subprocess.Popen([*command, "--course", str(course), "--jobs", "1"], stderr=subprocess.DEVNULL) as process:
        family = psutil.Process(process.pid)
        path = tmp_path / "out" / RESULTS
        while process.poll() is None and not (path.is_file() and path.read_bytes().count(b"\n") >= 2):
            pass
        children = family.children(recursive=True)
        process.kill()
    gone, alive = psutil.wait_procs(children, timeout=10)
    assert children and not alive
    done = len(read_results(path))
    again = grade(submissions, tmp_path / "out", course=course, modules=modules, jobs=1)
    assert (again.graded, [r.earned for r in again.results]) == (4 - done, [4, 2, 2, 0])


def test_a_torn_last_line_is_cut_off(run: Callable[..., Run]) -> None:
    path = run(jobs=1).path
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert len(read_results(path)) == 3
    assert run(jobs=1).graded == 1
    assert len(read_results(path)) == 4


def test_a_grader_that_dies_is_replaced(run: Callable[..., Run], course: Path, tmp_path: Path) -> None:
    checks = course / "solutions" / "checks" / "ex01.py"
    before, marker = checks.read_text(), tmp_path / "died"
    dies = f"    import os, pathlib\n    if not pathlib.Path({str(marker)!r}).exists():\n"
    dies += f"        pathlib.Path({str(marker)!r}).touch()\n        os.kill(os.getpid(), 9)\n"
    checks.write_text(before.replace("    n = answer.rng", f"{dies}    n = answer.rng"))
    try:
        results = run(jobs=1).results
    finally:
        checks.write_text(before)
    assert [(r.earned, r.attempts) for r in results][:2] == [(4, 2), (2, 1)]


@pytest.fixture
def judge(modules: Any) -> Any:
    with Judge(tiers.best(), modules=modules) as judge:
        yield judge


@pytest.mark.parametrize("part", ["_warm", "_server"])
def test_a_part_that_dies_is_replaced(judge: Judge, job: Callable[..., Job], handed_in: Any, part: str) -> None:
    assert judge.grade(job(handed_in())).earned == 4
    os.kill(getattr(judge, part)._process.pid, signal.SIGKILL)
    result = judge.grade(job(handed_in()))
    assert (result.earned, result.attempts) == (4, 2)


def test_a_cell_of_the_exercise_that_fails_is_noted(
    judge: Judge, job: Callable[..., Job], handed_in: Any, cell: Any
) -> None:
    work = handed_in()
    work["cells"].insert(0, cell("import os\ndel os.environ['OPENAI_BASE_URL']"))
    notes = judge.grade(job(work)).notes
    assert notes == ("a cell of the exercise itself failed: setup (KeyError: 'OPENAI_BASE_URL')",)
    assert not judge.grade(job(handed_in())).notes


def test_without_forks_the_grades_are_the_same(job: Callable[..., Job], handed_in: Any, modules: Any) -> None:
    with Judge(Tier.limits, modules=modules, forks=False) as judge:
        honest, breaks = handed_in(), handed_in("import os\nos._exit(0)", double="def double(x):\n    return 0")
        results = [judge.grade(job(work, f"{n}.ipynb")) for n, work in enumerate((honest, breaks, honest))]
    assert [(r.earned, r.restarts, r.attempts) for r in results] == [(4, 0, 1), (2, 1, 1), (4, 0, 1)]


def test_a_weak_sandbox_is_refused_unless_allowed(run: Callable[..., Run]) -> None:
    with pytest.raises(WeakSandbox, match="--allow-weak-sandbox"):
        run(tier=Tier.limits)
    assert [r.sandbox for r in run(tier=Tier.limits, allow_weak=True, jobs=1).results[:3]] == ["limits"] * 3


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "missing"), "--out", str(tmp_path / "out"), "--course", str(tmp_path)]) == 2
    assert "no exercise in" in capsys.readouterr().err
