"""The course as its files say it: lessons with their minutes, questions and exercise tasks. Read, never typed.

A lesson is a notebook `NN_name.ipynb`; its questions are those of its `quiz` calls, its tasks those of the exercise
with the same number.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

LESSON = re.compile(r"(\d\d)_\w+\.ipynb")
MINUTES = re.compile(r"\*\*Time\*\*: (?:about )?(\d+) minutes")


@dataclass(frozen=True, slots=True)
class Lesson:
    """One lesson."""

    number: str
    """"07"."""
    path: Path
    title: str
    minutes: int
    questions: tuple[str, ...]
    """`question_id`s, in the order of the page."""
    exercise: Path | None
    tasks: tuple[str, ...]
    """Ids of the exercise's tasks: "7.1"."""


def question_id(ask: str) -> str:
    """A name for a question that follows its words: a question that was rewritten is another one."""
    return sha256(ask.strip().encode()).hexdigest()[:12]


def folder(start: Path | None = None) -> Path | None:
    """The course's folder, the one that holds `notebooks/`: around the working folder, or around this package."""
    begin = start or Path.cwd()
    for place in (begin, *begin.parents, Path(__file__).parents[1]):
        if any(LESSON.fullmatch(path.name) for path in (place / "notebooks").glob("*.ipynb")):
            return place
    return None


def lessons(course: Path) -> list[Lesson]:
    """The lessons in order. A notebook that cannot be read is left out."""
    found = []
    for path in sorted((course / "notebooks").glob("*.ipynb")):
        number = LESSON.fullmatch(path.name)
        if number and (lesson := _lesson(number[1], path, course)):
            found.append(lesson)
    return found


def _lesson(number: str, path: Path, course: Path) -> Lesson | None:
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sources = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    except (OSError, ValueError, KeyError, TypeError):  # half saved, or none of ours
        return None
    opening = next((text for kind, text in sources if kind == "markdown"), "")
    minutes = MINUTES.search(opening)
    asked = [question for kind, text in sources if kind == "code" for question in _questions(text)]
    exercise = next(iter(sorted((course / "exercises").glob(f"{number}_*.ipynb"))), None)
    return Lesson(
        number,
        path,
        opening.partition("\n")[0].lstrip("# "),
        int(minutes[1]) if minutes else 0,
        tuple(map(question_id, asked)),
        exercise,
        _tasks(number) if exercise else (),
    )


def _questions(source: str) -> Iterator[str]:
    """What the `quiz` calls of a cell ask."""
    if "quiz(" not in source:
        return
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a cell of IPython's own
        return
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _name(node) == "quiz"]
    for node in (inner for call in calls for inner in ast.walk(call)):
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            yield from (str(v.value) for k, v in pairs if _text(k) == "ask" and isinstance(v, ast.Constant))
        elif isinstance(node, ast.Call) and _name(node) == "Question" and node.args and (ask := _text(node.args[0])):
            yield ask


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _text(node: ast.AST | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _tasks(number: str) -> tuple[str, ...]:
    from labkit.grading.notebook import RELEASED
    from labkit.grading.tasks import load_tasks

    path = RELEASED / f"ex{number}.py"
    return tuple(load_tasks(path).tasks) if path.is_file() else ()
