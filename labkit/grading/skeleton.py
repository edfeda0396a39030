"""`labkit new-exercise`: the files of an exercise that is whole from its first minute, to be written over.

    solutions/12_rate_limits.ipynb       setup, one task with its solution, its check
    solutions/checks/ex12.py             a visible and a hidden check of that task
    solutions/mutants/ex12.py            two wrong answers that must lose points

`labkit release` accepts them as they are, and the tests of `tests/grading/test_exercises.py` pass: change a piece, run
both, and you know which piece broke them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from labkit.errors import UserError
from labkit.grading.release import SCHEMA_VERSION
from labkit.grading.tasks import file_name

HIGHEST = 99
POINTS = 2

CELLS: tuple[tuple[str, str, str], ...] = (
    (
        "markdown",
        "exercise-{nn}",
        "# Exercise {nn}: {title}\n\n"
        "One task, {points} points, about 10 minutes. You need notebook {nn}.\n\n"
        "Work in a copy, in the folder `my/`, which git leaves alone. Each task has a cell for your code and a cell\n"
        'that checks it. Run the check as often as you like; `lk.hint("{n}.1")` helps without a try.',
    ),
    (
        "code",
        "setup",
        "from openai import OpenAI\n\nimport labkit as lk\n\n"
        'lk.start(seed=7)\nMODEL = lk.model("openai", "sampling")\nclient = OpenAI()',
    ),
    (
        "markdown",
        "task-{n}-1",
        "## {n}.1 One question · {points} points\n\n"
        "Say in one sentence what this is good for, then what is asked.\n\n"
        "`ask(prompt)` sends one request with one user message to `MODEL`, and returns the text of the answer.",
    ),
    (
        "code",
        "answer-{n}-1",
        'def ask(prompt: str) -> str:\n    """The answer to one question."""\n'
        "    ### BEGIN SOLUTION\n"
        '    messages = [{{"role": "user", "content": prompt}}]\n'
        "    response = client.chat.completions.create(model=MODEL, messages=messages)\n"
        "    return response.choices[0].message.content\n"
        "    ### END SOLUTION",
    ),
    (
        "code",
        "check-{n}-1",
        'lk.check("{n}.1")\n### BEGIN HIDDEN TESTS\nlk.check("{n}.1", hidden=True)\n### END HIDDEN TESTS',
    ),
)
"""Type, grade_id and source of each cell."""

FREE_TEXT = (
    (
        "markdown",
        "task-{n}-2",
        "## {n}.2 In your own words · {points} points\n\nAsk for a sentence or two. A person reads them.",
    ),
    ("markdown", "text-{n}-2", "What a good answer says. Students get an empty cell here."),
)
"""A question that a person grades."""

CHECKS = '''\
"""Checks of exercise {nn}, "{title}". Read them beside the notebook of the same number.

Probe inputs come from `answer.rng`, so nothing that a student types in can match them. What counts is what reached the
lab server and what came back to the caller; how the code looks is not judged.
"""

from labkit.grading import Answer, Exchange, Task, expect, expect_messages


def question(answer: Answer) -> str:
    """A question that no student has seen in this form."""
    return f"What is an API? (reader {{answer.rng.randrange(100, 1000)}})"


def only_request(answer: Answer) -> Exchange:
    """What the last call sent, if it was one request."""
    seen = answer.requests()
    expect(len(seen), "the number of requests that the lab server saw in one call", is_=1)
    return seen[0]


# --- {n}.1 ---

one_question = Task(
    "{n}.1",
    "One question",
    points={points},
    hints=(
        "The first hint says where to look, and does not give the answer.",
        "The second one is stronger: `client.chat.completions.create` takes `model` and `messages`.",
    ),
)


@one_question.check("`ask` sends one user message and nothing else", points=1)
def sends_the_question(answer: Answer) -> None:
    prompt = question(answer)
    answer.call("ask", prompt)
    turns = [[turn.get("role"), turn.get("content")] for turn in only_request(answer).messages]
    expect_messages(turns, "the messages that were sent", is_=[["user", prompt]])


### BEGIN HIDDEN TESTS
@one_question.check("`ask` returns the text that the server answered with", points=1)
def returns_the_text(answer: Answer) -> None:
    text = answer.call("ask", question(answer))
    expect(text, "what `ask` returned", is_=only_request(answer).reply["choices"][0]["message"]["content"])


### END HIDDEN TESTS
'''

MUTANTS = '''\
"""Wrong answers to exercise {nn} that a good student might hand in, and what each must cost.

A mutant is the reference solution with one edit: `old` is replaced by `new` wherever it stands in that task's cell.
`tests/grading/test_exercises.py` shows that each loses at least `costs` points, and no others where it is `exact`: such
answers are also in the classes that `labkit make-class` makes. A task needs two mutants.
"""

MUTANTS: dict[str, list[dict[str, object]]] = {{
    "{n}.1": [
        {{
            "why": "adds a system prompt that nobody asked for",
            "old": "messages = [{{",
            "new": 'messages = [{{"role": "system", "content": "Be helpful."}}, {{',
            "costs": 1,
            "exact": True,
        }},
        {{
            "why": "returns the message in place of its text",
            "old": ".message.content",
            "new": ".message",
            "costs": 2,
            "exact": True,
        }},
    ],
}}
'''


def new_exercise(number: int, title: str, root: Path | None = None, *, free_text: bool = False) -> list[Path]:
    """Write the files of a new exercise.

    Args:
        free_text: with a question that a person grades.
        root: the project's folder, with `solutions/` in it; the current one by default.

    Returns:
        The files, in the order in which to write them over.

    Raises:
        UserError: no such folder, a number or title that cannot be, or files that are there already.
    """
    root = root or Path.cwd()
    solutions = root / "solutions"
    words = re.findall(r"\w+", title.lower())
    if not solutions.is_dir():
        raise UserError(f"There is no folder {solutions}: run this in the project's folder.")
    if not 1 <= number <= HIGHEST or not words:
        raise UserError(f"An exercise has a number from 1 to {HIGHEST} and a title with at least one word.")
    if taken := sorted(solutions.glob(f"{number:02}_*.ipynb")):
        raise UserError(f"Exercise {number:02} is there already: {taken[0].relative_to(root).as_posix()}.")
    checks = file_name(str(number))
    names = {"n": number, "nn": f"{number:02}", "title": title, "points": POINTS}
    texts = {
        solutions / f"{number:02}_{'_'.join(words)}.ipynb": _notebook(names, free_text=free_text),
        solutions / "checks" / checks: CHECKS.format(**names),
        solutions / "mutants" / checks: MUTANTS.format(**names),
    }
    if there := [path for path in texts if path.exists()]:
        raise UserError(f"{there[0].relative_to(root).as_posix()} is there already: delete it, or take another number.")
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    return list(texts)


def _notebook(names: dict[str, Any], *, free_text: bool) -> str:
    """In the format that `labkit release` reads (nbgrader, schema 3), as nbformat writes it."""
    texts = (*CELLS, *FREE_TEXT) if free_text else CELLS
    cells = [_cell(kind, name.format(**names), source.format(**names)) for kind, name, source in texts]
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _cell(kind: str, name: str, source: str) -> dict[str, Any]:
    solution, grade = name.startswith(("answer", "text")), name.startswith(("check", "text"))
    mark: dict[str, Any] = {"grade": grade, "grade_id": name, "locked": not solution, "solution": solution}
    mark |= {"task": False, "schema_version": SCHEMA_VERSION, **({"points": POINTS} if grade else {})}
    made: dict[str, Any] = {"cell_type": kind, "id": name, "metadata": {"nbgrader": mark}}
    made["source"] = source.splitlines(keepends=True)
    if kind == "code":
        made |= {"execution_count": None, "outputs": []}
    if name == "setup":
        made["metadata"]["tags"] = ["nbval-ignore-output"]
    return made
