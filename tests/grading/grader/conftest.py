"""A small course, notebooks that are handed in for it, and one grader process in the strongest sandbox that works here.

Task 1.3 earns nothing: its check fails with whatever `report()` returned, which is how these tests see what a
student's code could see.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from labkit.grading.exercise import Exercise, load_exercises
from labkit.grading.ingest import find
from labkit.grading.job import Job, make_job
from labkit.grading.results import SubmissionResult
from labkit.grading.sandbox import tiers
from labkit.grading.sandbox.limits import MIB, Limits
from labkit.grading.sandbox.tiers import Tier
from labkit.grading.worker import Grader

CANARY = "canary-that-no-student-may-see"
"""Stands in the grader's environment, in the hidden checks and in another student's work."""
LIMITS = Limits(cell_seconds=1.0, total_seconds=12, grace_seconds=0.2, memory_bytes=256 * MIB, disk_bytes=16 * MIB,
                files=2_000)  # fmt: skip

MODULES = ("httpx", "IPython")
"""Imported before the first submission: what these need."""

SETUP = 'import os\nimport httpx\nURL, KEY = os.environ["OPENAI_BASE_URL"], os.environ["OPENAI_API_KEY"]'
DOUBLE = "def double(x):\n    return 2 * x"
MODELS = (
    "def models():\n"
    '    listed = httpx.get(URL + "/models", headers={"Authorization": f"Bearer {KEY}"}).json()["data"]\n'
    '    return sorted(model["id"] for model in listed)'
)
REPORT = "def report():\n    return None"
CHECKS = f'''
import json
from labkit.grading import Answer, Task, expect, fail

HINTS = ("one", "two")
double = Task("1.1", "Double", points=2, hints=HINTS, seconds=1)
models = Task("1.2", "Models", points=2, hints=HINTS, seconds=3)
report = Task("1.3", "Report", points=1, hints=HINTS, seconds=8)

@double.check("doubles a number", points=1)
def doubles(answer: Answer) -> None:
    n = answer.rng.randrange(10**6)
    expect(answer.call("double", n), "twice the number", is_=2 * n)

### BEGIN HIDDEN TESTS
@double.check("doubles a text", points=1)
def doubles_texts(answer: Answer) -> None:
    "{CANARY}"
    text = str(answer.rng.randrange(10**6))
    expect(answer.call("double", text), "twice the text", is_=text + text)
### END HIDDEN TESTS

@models.check("one request is sent", points=1)
def asks_once(answer: Answer) -> None:
    answer.send("models")
    expect([e.path for e in answer.requests()], "the requests", is_=["/v1/models"])

@models.check("its ids are returned", points=1)
def returns_ids(answer: Answer) -> None:
    ids = answer.call("models")
    [sent] = answer.requests() or [None]
    if sent is None:
        fail("no request was sent")
    expect(ids, "the ids", is_=sorted(model["id"] for model in sent.reply["data"]))

@report.check("says what it saw", points=1)
def says(answer: Answer) -> None:
    fail(json.dumps(answer.call("report")))
'''


def cell(source: str, grade_id: str = "", *, kind: str = "code", **mark: Any) -> dict[str, Any]:
    """One cell as a notebook file has it."""
    nbgrader = {"grade": False, "grade_id": grade_id, "locked": False, "solution": False, "task": False,
                "schema_version": 3, **mark}  # fmt: skip
    made: dict[str, Any] = {"cell_type": kind, "source": source, "metadata": {"nbgrader": nbgrader} if grade_id else {}}
    return {**made, "outputs": [], "execution_count": None} if kind == "code" else made


def notebook(*cells: dict[str, Any], **top: Any) -> dict[str, Any]:
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells), **top}


def handed_in(*helpers: str, double: str = DOUBLE, models: str = MODELS, report: str = REPORT) -> dict[str, Any]:
    """A submission: the student's own cells first, then the answers."""
    return notebook(
        cell(SETUP, "setup", locked=True),
        *(cell(source) for source in helpers),
        cell(double, "answer-1-1", solution=True),
        cell('lk.check("1.1")', "check-1-1", grade=True, locked=True, points=2),
        cell(models, "answer-1-2", solution=True),
        cell('lk.check("1.2")', "check-1-2", grade=True, locked=True, points=2),
        cell(report, "answer-1-3", solution=True),
        cell('lk.check("1.3")', "check-1-3", grade=True, locked=True, points=1),
    )


@pytest.fixture(name="handed_in")
def _handed_in() -> Callable[..., dict[str, Any]]:
    return handed_in


@pytest.fixture(name="notebook")
def _notebook() -> Callable[..., dict[str, Any]]:
    return notebook


@pytest.fixture(name="cell")
def _cell() -> Callable[..., dict[str, Any]]:
    return cell


@pytest.fixture(scope="session")
def limits() -> Limits:
    return LIMITS


@pytest.fixture(scope="session")
def modules() -> tuple[str, ...]:
    return MODULES


@pytest.fixture
def canary() -> str:
    return CANARY


@pytest.fixture(scope="session")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("course")
    (folder / "solutions" / "checks").mkdir(parents=True)
    (folder / "solutions" / "01_small.ipynb").write_text(json.dumps(handed_in()))
    (folder / "solutions" / "checks" / "ex01.py").write_text(CHECKS)
    return folder


@pytest.fixture(scope="session")
def exercises(course: Path) -> dict[str, Exercise]:
    return load_exercises(course)


@pytest.fixture(scope="session")
def sandbox(missing: Callable[[str], NoReturn]) -> Tier:
    """The strongest kind of this machine."""
    if not tiers.best().strong:
        missing("no sandbox for work that nobody has read: install bubblewrap")
    return tiers.best()


@pytest.fixture(scope="session")
def grader(sandbox: Tier) -> Iterator[Grader]:
    os.environ["INSTRUCTORS_OPENAI_KEY"] = CANARY
    try:
        with Grader(sandbox, limits=LIMITS, modules=MODULES) as grader:
            yield grader
    finally:
        del os.environ["INSTRUCTORS_OPENAI_KEY"]


@pytest.fixture
def job(exercises: dict[str, Exercise], tmp_path: Path) -> Callable[..., Job]:
    """The job for a notebook."""

    def make(submitted: Any, name: str = "ada.ipynb") -> Job:
        path = tmp_path / name
        path.write_text(submitted if isinstance(submitted, str) else json.dumps(submitted))
        [found] = find(path)
        return make_job(found, exercises, seed=None, limits=LIMITS)

    return make


@pytest.fixture
def graded(grader: Grader, job: Callable[..., Job]) -> Callable[..., SubmissionResult]:
    """The result of a submission, given by its cells: `graded("import os", double="def double(x): ...")`."""
    return lambda *helpers, **answers: grader.grade(job(handed_in(*helpers, **answers)))


@pytest.fixture
def reported(graded: Callable[..., SubmissionResult]) -> Callable[[str], Any]:
    """What `report()` returned, when its body is these lines; or the sentence of what went wrong."""

    def run(body: str) -> Any:
        lines = "\n".join(f"    {line}" for line in body.splitlines())
        message = graded(report=f"def report():\n{lines}").tasks[2].message
        try:
            return json.JSONDecoder().raw_decode(message)[0]  # a refusal of the server's may follow
        except ValueError:
            return message

    return run
