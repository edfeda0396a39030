"""How long it takes to compare the code of a class: `python -m bench compare_three`.

The class is three hundred students who handed in exercise 01, each with some of its known wrong answers in it: nearly
equal work, the most that there can be to compare.
"""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

from labkit.grading.exercise import load_exercises
from labkit.grading.job import Job
from labkit.grading.mutants import load_mutants
from labkit.grading.regions import BEGIN_SOLUTION, END_SOLUTION
from labkit.grading.similarity import alike
from labkit.grading.submitted import Runnable, read_cells

ROOT = Path(__file__).parents[1]
STUDENTS = 300
WRONG = 0.6
"""Share of answers that are one of the wrong ones."""


def compare_three_hundred_students() -> float:
    """Seconds until the pairs are known."""
    [notebook] = (ROOT / "solutions").glob("01*.ipynb")
    exercises, jobs = load_exercises(ROOT), _class(notebook)
    begun = time.perf_counter()
    alike(jobs, exercises)
    return time.perf_counter() - begun


def _class(notebook: Path) -> list[Job]:
    rng, answers = Random(7), _answers(notebook)
    wrong = {id: [m for m in load_mutants(notebook) if id == f"answer-{m.task.replace('.', '-')}"] for id in answers}
    jobs = []
    for number in range(STUDENTS):
        cells = []
        for id, source in answers.items():
            edit = rng.choice(wrong[id]) if rng.random() < WRONG else None
            cells.append(Runnable(len(cells) + 1, id, _bare(edit.edited(source) if edit else source)))
        name = f"student{number}"
        jobs.append(Job(name, name, f"{name}.ipynb", "", "01", 0, 0, "", tuple(cells)))
    return jobs


def _answers(notebook: Path) -> dict[str, str]:
    """The solutions by grade_id."""
    return {cell.id: cell.source for cell in read_cells(notebook.read_bytes()) if cell.id.startswith("answer-")}


def _bare(source: str) -> str:
    return "\n".join(line for line in source.split("\n") if line.strip() not in (BEGIN_SOLUTION, END_SOLUTION))
