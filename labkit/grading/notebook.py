"""`lk.check` and `lk.hint`: what a student types under an exercise.

A check reads the notebook's own functions, asks them questions drawn on the spot, and looks at what the lab server saw.
`LABKIT_GRADING` changes what a failure does, for machines that run the notebook: `raise` raises an AssertionError
(nbval, nbgrader), `points` gives the points as a number, which nbgrader takes as partial credit.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labkit import record
from labkit.errors import LabkitError
from labkit.grading.card import hint_card
from labkit.grading.journal import Journal
from labkit.grading.results import CheckResult, TaskResult
from labkit.grading.run import run_task
from labkit.grading.tasks import Task, TaskFile, file_name, load_tasks
from labkit.grading.workspace import Workspace

RELEASED = Path(__file__).parent / "released"
"""Check files without their hidden checks, as `labkit release` wrote them: part of the package."""
MODE = "LABKIT_GRADING"
CHECKS = "LABKIT_CHECKS"
"""Names the folder of complete check files, for `hidden=True`."""


class UnknownTask(LabkitError, LookupError):
    """No exercise has a task of this id."""


class NoHiddenChecks(LabkitError):
    """Complete check files were asked for and are not there: normal on a student's machine."""


class NoJournal(LabkitError):
    """A provider is live, so that the lab server does not see the requests that a check would judge."""


class CheckFailed(AssertionError):
    """A task did not pass, where `LABKIT_GRADING=raise`."""

    def __init__(self, result: TaskResult) -> None:
        failed = "; ".join(f"{check.title}: {check.message}" for check in result.checks if not check.passed)
        super().__init__(f"task {result.task}, {result.earned:g} of {result.offered:g} points: {failed}")
        self.result = result


@dataclass(frozen=True, slots=True)
class Hint:
    """One of a task's two hints."""

    task: str
    number: int
    text: str

    def __repr__(self) -> str:
        return f"Hint {self.number} of 2 for task {self.task}: {self.text}"

    def _repr_html_(self) -> str:
        return hint_card(self.task, self.number, self.text)


_failures: dict[tuple[str, str], int] = {}
"""Failed attempts by task and mistake since the kernel started."""
NO_HINT = ("passed", "missing", "unwritten", "raised", "refused", "time")
"""Outcomes of a check for which its own sentence is all there is to say: a hint is about the task, not about a typo."""
_hints_asked: dict[str, int] = {}


def check(task_id: str, *, hidden: bool = False, seed: int | None = None) -> TaskResult | float:
    """Check a task of an exercise and show the result as the cell's value.

    Args:
        task_id: "1.2".
        hidden: with the hidden checks too; only where the complete check files are.
        seed: of the probe inputs; the default is the session's seed, or a new one each time.

    Returns:
        The result, which a notebook shows as a card; the points as a number where `LABKIT_GRADING=points`.

    Raises:
        UnknownTask: with the ids that exist.
        NotStarted: `lk.start()` has not run.
        NoJournal: a provider is live.
        ServerError: the lab server does not answer.
        CheckFailed: the task did not pass and `LABKIT_GRADING=raise`.
    """
    from labkit.session import current

    task = find_task(task_id, hidden=hidden)
    session = current()
    if session.settings.live:
        raise NoJournal("Checks read what the lab server saw. Run `lk.start(live=[])` and the cells that make clients.")
    seed = next(s for s in (seed, session.seed, secrets.randbelow(10**6)) if s is not None)
    with Journal(session.url, session.key) as journal:
        result = _with_hint(run_task(task, Workspace(_namespace()), journal, seed), task)
    mode = os.environ.get(MODE, "")
    if not mode and not hidden and result.attempted:  # a student's own check, and not a grader's
        record.checked(task.id, passed=result.passed)
    if mode == "points":
        return result.earned
    if mode == "raise" and not result.passed:
        raise CheckFailed(result)
    return result


def hint(task_id: str) -> Hint:
    """A hint for a task: the first one, and the stronger one when asked again.

    Raises:
        UnknownTask: with the ids that exist.
    """
    task = find_task(task_id)
    number = _hints_asked[task.id] = min(_hints_asked.get(task.id, 0) + 1, len(task.hints))
    return Hint(task.id, number, task.hints[number - 1])


def find_task(task_id: str, *, hidden: bool = False) -> Task:
    """A task by id, from the released check files or the complete ones.

    Raises:
        UnknownTask: with the ids that exist.
        NoHiddenChecks: `hidden` and no folder with complete check files.
    """
    name = file_name(str(task_id))
    folders = _released()
    path = _complete(name) if hidden else next((f / name for f in folders if (f / name).is_file()), None)
    if path is None:
        exercises = ", ".join(sorted({p.stem.removeprefix("ex") for f in folders for p in f.glob("ex*.py")}))
        raise UnknownTask(f"There is no task {task_id!r}: no exercise with that number. Exercises here: {exercises}.")
    tasks = _load(path).tasks
    if str(task_id) not in tasks:
        raise UnknownTask(f"There is no task {task_id!r}. Tasks of this exercise: {', '.join(tasks)}.")
    return tasks[str(task_id)]


def _released() -> list[Path]:
    """Folders with released checks: of the course that the notebook is in, if it is one of its own, then labkit's."""
    here = Path.cwd()
    own = [place / "released" for folder in (here, *here.parents) for place in (folder, folder / "exercises")]
    return [*own, RELEASED]


def _complete(name: str) -> Path:
    """Where a complete check file is: the folder of LABKIT_CHECKS, or solutions/checks beside or above the notebook."""
    named = os.environ.get(CHECKS)
    here = Path.cwd()
    around = [folder / "solutions" / "checks" for folder in (here, *here.parents)]
    for folder in [Path(named)] if named else [here / "checks", *around]:
        if (folder / name).is_file():
            return folder / name
    raise NoHiddenChecks(f"Hidden checks are with the instructor: no {name} here. {CHECKS} names their folder.")


_loaded: dict[Path, tuple[float, TaskFile]] = {}


def _load(path: Path) -> TaskFile:
    """A check file, read again when it has changed: an author edits it beside a running notebook."""
    changed = path.stat().st_mtime
    known = _loaded.get(path)
    if known is None or known[0] != changed:
        known = _loaded[path] = (changed, load_tasks(path))
    return known[1]


def _with_hint(result: TaskResult, task: Task) -> TaskResult:
    """Hint 1 with a mistake, hint 2 with the same mistake again; none for an exception in the student's code."""
    mistakes = {(task.id, _mistake(check)) for check in result.checks if check.kind not in NO_HINT}
    if not mistakes:
        return result
    for mistake in mistakes:
        _failures[mistake] = _failures.get(mistake, 0) + 1
    number = min(max(_failures[mistake] for mistake in mistakes), len(task.hints))
    return replace(result, hint=task.hints[number - 1], hint_number=number)


def _mistake(check: CheckResult) -> str:
    """What tells one mistake from another: the check and what it looked at, without the values of this run."""
    looked_at = re.sub(r"\d+", "", check.message.partition(": expected")[0])
    return f"{check.title}: {looked_at}"


def _namespace() -> Mapping[str, Any]:
    """The namespace of the notebook's cells; outside of IPython, that of the script."""
    import __main__

    try:
        from IPython import get_ipython
    except ImportError:
        return vars(__main__)
    shell = get_ipython()
    return vars(__main__) if shell is None else shell.user_ns
