"""Submissions of students who did what they could: right, partly right, and wrong from end to end."""

from __future__ import annotations

from random import Random

from labkit.grading.practice.entry import Entry


def right(entry: Entry, rng: Random) -> None:
    """every task as in the solution"""
    entry.answer_all()


def partly(entry: Entry, rng: Random) -> None:
    """A mix: of the tasks that nothing else builds on some are wrong or open, and of several tasks not all."""
    entry.answer_all()
    tasks = entry.sheet.alone
    most = min(len(tasks), len(entry.sheet.answers) - 1) or 1
    chosen = sorted(rng.sample(tasks, rng.randint(1, most)))
    picked = {task: rng.choice(entry.sheet.answers[task][1:]) for task in chosen}
    for task, answer in picked.items():
        entry.answer(task, answer)
    entry.what = "; ".join(f"{task} {answer.what}" for task, answer in picked.items())


def untouched(entry: Entry, rng: Random) -> None:
    """handed in as it was handed out"""


def broken_syntax(entry: Entry, rng: Random) -> None:
    """an unclosed bracket in every answer"""
    entry.answer_all()
    for task in entry.sheet.answers:
        entry.of_task(task)["source"] += "\nprint("
    entry.lose(*entry.sheet.answers)


def answers_deleted(entry: Entry, rng: Random) -> None:
    """every answer cell is gone"""
    for task in entry.sheet.answers:
        entry.cells.remove(entry.of_task(task))
    entry.note = "is missing"


def renamed_functions(entry: Entry, rng: Random) -> None:
    """every function has another name than was asked for"""
    entry.answer_all()
    for task, names in entry.sheet.names.items():
        entry.of_task(task)["source"] += "".join(f"\nmy_{name} = {name}\ndel {name}" for name in names)
    entry.lose(*entry.sheet.answers)


def another_notebook(entry: Entry, rng: Random) -> None:
    """a notebook that belongs to no exercise"""
    entry.notebook["cells"] = [{"cell_type": "markdown", "metadata": {}, "source": "# Shopping list"}]
    entry.path = entry.path.with_name("shopping.ipynb")
    entry.refuse("none of the exercises")


WRONG = (untouched, broken_syntax, answers_deleted, renamed_functions, another_notebook)
