"""Submissions a minute, beside `nbgrader autograde` on the same ones: `python -m bench.grading`, `--full` for a class.

Each submission imports what a student of this course imports (openai, anthropic, google.genai, litellm, pandas,
pyplot), makes one call to a lab server on loopback, and defines a function that is graded. Both graders run in this
run, on this machine, on the same files: ours with its sandbox, nbgrader as it comes, its kernel being this Python.

    python -m bench.grading                            60 submissions here, 4 there
    python -m bench.grading --full                     300 here, 12 there, and a class of 300 with exercise 01
    python -m bench.grading --nbgrader ENVIRONMENT     an environment that has nbgrader; else one is made

Goals: 500 a minute, 50 times nbgrader; 300 submissions of 5 tasks in 2 minutes, in less than 2 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import psutil

from labkit.grading.exercise import load_exercises
from labkit.grading.grade import local_pool
from labkit.grading.job import plan
from labkit.grading.labserver import LabServer
from labkit.grading.sandbox import tiers

ROOT = Path(__file__).parents[1]
KERNEL = "labkit-bench"
NBGRADER = "nbgrader==0.9.6"
QUICK, FULL = (60, 4), (300, 12)
"""Submissions here and there."""
SETUP = """import anthropic, litellm, openai, pandas
import matplotlib.pyplot as plt
from google import genai"""
ANSWER = """client = openai.OpenAI()
listed = sorted(model.id for model in client.models.list())

def shortest(n):
    ### BEGIN SOLUTION
    return sorted(listed, key=len)[:n]
    ### END SOLUTION"""
TESTS = 'assert len(shortest(3)) == 3\n### BEGIN HIDDEN TESTS\nassert shortest(0) == []\n### END HIDDEN TESTS'
CHECKS = """from labkit.grading import Answer, Task, expect

shortest = Task("1.1", "Shortest", points=2, hints=("one", "two"))

@shortest.check("as many as asked for", points=1)
def as_many(answer: Answer) -> None:
    expect(len(answer.call("shortest", 3)), "the number of ids", is_=3)

### BEGIN HIDDEN TESTS
@shortest.check("none when none is asked for", points=1)
def none(answer: Answer) -> None:
    expect(answer.call("shortest", 0), "the ids", is_=[])
### END HIDDEN TESTS
"""


@dataclass(slots=True)
class Peak:
    """The largest memory of this process and all under it, shared pages counted once."""

    bytes: int = 0


def main(argv: Sequence[str] = ()) -> None:
    """Measure and print; nothing passes or fails."""
    options = _parser().parse_args(argv)
    ours, theirs = FULL if options.full else QUICK
    with tempfile.TemporaryDirectory(prefix="labkit-bench-") as name:
        course = _course(Path(name) / "course")
        _hand_in(course, max(ours, theirs))
        here = measure(course, course / "submitted", options.jobs, only=ours)
        print(f"labkit: {here.line}")
        kernel = _kernel(Path(name) / "jupyter")
        if there := _nbgrader(course, theirs, options.nbgrader, kernel):
            print(f"nbgrader autograde: {theirs} submissions, {there:.1f} a minute")
            print(f"labkit is {here.rate / there:.0f} times as fast, {here.rate_with_start / there:.0f} with its start")
        if options.full or options.whole_class:
            folder = _class(Path(name) / "class", options.whole_class or 300)
            print(f"exercise 01, 5 tasks: {measure(ROOT, folder, options.jobs).line}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("bench.grading", description="Submissions a minute, beside nbgrader autograde.")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--nbgrader", type=Path, help="an environment that has nbgrader")
    parser.add_argument("--whole-class", type=int, metavar="N", help="also N submissions of exercise 01")
    return parser


# --- Ours ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Measured:
    count: int
    seconds: float
    start_seconds: float
    """Until the first result: libraries are imported, a lab server and a sandbox started."""
    memory: int
    right: int

    @property
    def rate(self) -> float:
        """Submissions a minute, once it runs."""
        return 60 * (self.count - 1) / (self.seconds - self.start_seconds)

    @property
    def rate_with_start(self) -> float:
        return 60 * self.count / self.seconds

    @property
    def line(self) -> str:
        return (
            f"{self.count} submissions in {self.seconds:.1f} s, of which {self.start_seconds:.1f} s to the first; "
            f"{self.rate:.0f} a minute then, {self.rate_with_start:.0f} with the start; "
            f"{self.right} with full marks; peak memory {self.memory / 2**20:.0f} MB; sandbox: {tiers.best()}"
        )


def measure(course: Path, submissions: Path, jobs: int, *, only: int | None = None) -> Measured:
    """Grade a folder and time it."""
    planned = list(plan(submissions, load_exercises(course)))[:only]
    first, right = 0.0, 0
    begun = time.perf_counter()
    with _watched() as peak:
        for result in local_pool(planned, tiers.best(), jobs):
            first = first or time.perf_counter() - begun
            right += result.earned == result.points
    return Measured(len(planned), time.perf_counter() - begun, first, peak.bytes, right)


@contextmanager
def _watched() -> Iterator[Peak]:
    peak, done = Peak(), Event()
    with ThreadPoolExecutor(1) as thread:
        watching = thread.submit(_watch, peak, done)
        try:
            yield peak
        finally:
            done.set()
            watching.result()


def _watch(peak: Peak, done: Event) -> None:
    me = psutil.Process()
    while not done.wait(0.5):
        peak.bytes = max(peak.bytes, sum(map(_memory, [me, *me.children(recursive=True)])))


def _memory(process: Any) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.Error, AttributeError):
        return 0


# --- The course and its class ----------------------------------------------------------------------------------------


def _course(folder: Path) -> Path:
    """One exercise, as our source and as nbgrader's."""
    checks = folder / "solutions" / "checks"
    checks.mkdir(parents=True)
    (checks / "ex01.py").write_text(CHECKS)
    source = json.dumps(_notebook(ANSWER, TESTS))
    (folder / "solutions" / "01_bench.ipynb").write_text(source)
    (folder / "source" / "ex01").mkdir(parents=True)
    (folder / "source" / "ex01" / "01_bench.ipynb").write_text(source)
    return folder


def _hand_in(course: Path, count: int) -> None:
    """The same right answer from everybody, with the tests as they were handed out."""
    answer = ANSWER.replace("    ### BEGIN SOLUTION\n", "").replace("\n    ### END SOLUTION", "")
    notebook = json.dumps(_notebook(answer, TESTS.partition("\n")[0]))
    for number in range(count):
        folder = course / "submitted" / f"student{number:03}" / "ex01"
        folder.mkdir(parents=True)
        (folder / "01_bench.ipynb").write_text(notebook)


def _class(folder: Path, count: int) -> Path:
    """The reference solution of exercise 01, handed in by everybody."""
    [solution] = (ROOT / "solutions").glob("01*.ipynb")
    folder.mkdir()
    for number in range(count):
        (folder / f"student{number:03}.ipynb").write_bytes(solution.read_bytes())
    return folder


def _notebook(answer: str, tests: str) -> dict[str, Any]:
    cells = [
        _cell("setup", SETUP, locked=True),
        _cell("answer-1-1", answer, solution=True),
        _cell("check-1-1", tests, grade=True, locked=True, points=2),
    ]
    kernel = {"name": KERNEL, "display_name": KERNEL, "language": "python"}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": cells}


def _cell(grade_id: str, source: str, **mark: Any) -> dict[str, Any]:
    nbgrader = {"grade": False, "grade_id": grade_id, "locked": False, "solution": False, "task": False,
                "schema_version": 3, **mark}  # fmt: skip
    return {"cell_type": "code", "id": grade_id, "source": source, "metadata": {"nbgrader": nbgrader}, "outputs": [],
            "execution_count": None}  # fmt: skip


# --- nbgrader --------------------------------------------------------------------------------------------------------


def _nbgrader(course: Path, count: int, environment: Path | None, kernel: dict[str, str]) -> float | None:
    """Submissions a minute of `nbgrader autograde`; None, with a sentence, where it cannot be had."""
    program = (environment or _built(course.parent / "nbgrader")) / "bin" / "nbgrader"
    if not program.exists():
        print("nbgrader autograde: not measured, nbgrader is not here and could not be installed")
        return None
    for number in range(count, sum(1 for _ in (course / "submitted").iterdir())):
        (course / "submitted" / f"student{number:03}").rename(course / f"later{number:03}")
    with LabServer() as server:
        path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"  # nbgrader calls alembic by name
        variables = {**os.environ, **server.environment(server.new_key()), **kernel, "PATH": path}
        run = _runner(program, course, variables)
        run("generate_assignment", "ex01")
        begun = time.perf_counter()
        run("autograde", "ex01")
        seconds = time.perf_counter() - begun
    graded = list((course / "autograded").glob("*/ex01/*.ipynb"))
    if len(graded) != count:
        raise RuntimeError(f"nbgrader graded {len(graded)} of {count}")
    return 60 * count / seconds


def _runner(program: Path, course: Path, variables: dict[str, str]) -> Callable[..., None]:
    def run(*arguments: str) -> None:
        command = [str(program), *arguments, "--ExecutePreprocessor.timeout=120", "--CourseDirectory.root=."]
        done = subprocess.run(command, cwd=course, env=variables, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)}: {done.stderr[-2000:]}")

    return run


def _built(folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    subprocess.run([str(folder / "bin" / "pip"), "install", "-q", NBGRADER], capture_output=True, check=False)
    return folder


def _kernel(folder: Path) -> dict[str, str]:
    """A kernel that is this Python, for whoever has this environment."""
    spec = folder / "kernels" / KERNEL
    spec.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": KERNEL, "language": "python"}))
    return {"JUPYTER_PATH": str(folder)}


if __name__ == "__main__":
    main(sys.argv[1:])
