"""`lk.solution`: one way to answer a task, once it has passed or was tried a few times in vain.

It is read from `solutions/` beside or above the notebook. An instructor who wants no solution seen hands that folder
out later or not at all; LABKIT_SOLUTION_AFTER sets the number of tries, or `never`. Neither is a lock: who has the
folder can open it. When submissions are graded there is no such folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit import record
from labkit.errors import LabkitError, SettingsError
from labkit.grading.notebook import find_task
from labkit.grading.regions import without_markers

AFTER = "LABKIT_SOLUTION_AFTER"
TRIES = 3
"""Failed checks after which a solution opens, unless the instructor says otherwise."""


class SolutionLocked(LabkitError):
    """A task's solution is not to be seen yet, or is not here."""


@dataclass(frozen=True, slots=True)
class Solution:
    """The reference answer to a task. A notebook shows it as code."""

    task: str
    code: str

    def __repr__(self) -> str:
        return self.code

    def _repr_markdown_(self) -> str:
        return f"One way to answer task {self.task}:\n\n```python\n{self.code}\n```"


def solution(task_id: str) -> Solution:
    """One way to answer a task: after it has passed, or after three failed checks.

    Raises:
        UnknownTask: with the ids that exist.
        SolutionLocked: it has not opened yet, or the instructor keeps the solutions.
        SettingsError: LABKIT_SOLUTION_AFTER is neither a number nor `never`.
    """
    task, tries = find_task(task_id), _tries_wanted()
    code = next(_answers(task.id), None) if tries is not None else None
    if code is None:
        raise SolutionLocked(f"The solution of task {task.id} is with the instructor.")
    passed, failed = record.attempts(task.id)
    if not passed and failed < (tries or 0):
        raise SolutionLocked(
            f"The solution of task {task.id} opens when the task has passed, or after {tries} failed checks: there "
            f'were {failed}. `lk.hint("{task.id}")` helps without giving it away.'
        )
    return Solution(task.id, code)


def _tries_wanted() -> int | None:
    """None for `never`."""
    wanted = os.environ.get(AFTER, "").strip() or str(TRIES)
    if wanted == "never":
        return None
    if not wanted.isdecimal():
        raise SettingsError(f"{AFTER} is {wanted!r}: it takes a number of failed checks, such as {TRIES}, or `never`.")
    return int(wanted)


def _answers(task: str) -> Iterator[str]:
    """The answer cell of a task, from each course around the notebook."""
    exercise, cell_id = f"{int(task.partition('.')[0]):02}_*.ipynb", f"answer-{task.replace('.', '-')}"
    here = Path.cwd()
    for folder in (here, *here.parents):
        for path in sorted((folder / "solutions").glob(exercise)):
            for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
                if cell["metadata"].get("nbgrader", {}).get("grade_id") == cell_id:
                    yield without_markers("".join(cell["source"]))
