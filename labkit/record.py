"""`progress()`: the course map with what was done. Kept in one local file of lines; nothing is sent anywhere.

`lk.start()` notes that a lesson was opened, `lk.quiz` what was answered, `lk.check` what passed. Each note is a line of
JSON appended to `progress.jsonl` in labkit's state folder. A line that cannot be read is left out and said once.

A lesson is finished when each of its questions was once answered right and each task of its exercise has passed once.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from labkit import course
from labkit.course import Lesson
from labkit.display import LINE
from labkit.errors import LabkitError
from labkit.lines import LineFile
from labkit.notebook import shell
from labkit.state import state_folder

FILE = "progress.jsonl"
SIGNS = {"finished": "●", "begun": "◐", "new": "○"}

_folders: dict[Path | None, Path] = {}
"""State folders that have been proven, by what the settings ask for."""
_unwritten: list[str] = []
"""Why the last note could not be kept; at most one."""


@dataclass(frozen=True, slots=True)
class Row:
    """One lesson and what was done of it."""

    lesson: Lesson
    opened: bool
    right: int
    """Questions that were once answered right."""
    passed: tuple[str, ...]
    """Ids of tasks that have passed."""

    @property
    def state(self) -> str:
        """"new", "begun" or "finished"."""
        lesson = self.lesson
        begun = self.opened or self.right > 0 or bool(self.passed)
        whole = self.right == len(lesson.questions) and len(self.passed) == len(lesson.tasks)
        return "finished" if begun and whole else "begun" if begun else "new"

    @property
    def next_step(self) -> str:
        """What is left, in a sentence; "" when nothing is."""
        lesson, left = self.lesson, len(self.lesson.questions) - self.right
        if self.state == "new":
            return f"Open notebooks/{lesson.path.name}: {lesson.title} ({lesson.minutes} minutes)"
        if left:
            return f"{left} question{'s'[: left > 1]} of notebooks/{lesson.path.name} not answered right yet."
        tasks = [task for task in lesson.tasks if task not in self.passed]
        if tasks and lesson.exercise:
            return f"Task {tasks[0]} of exercises/{lesson.exercise.name}: copy it to my/ and work there."
        return ""


class Progress:
    """The map: HTML in a notebook, text in a script."""

    def __init__(self, rows: list[Row], notices: list[str]) -> None:
        self.rows = rows
        self.notices = notices

    @property
    def next_step(self) -> str:
        """What to do now."""
        if not self.rows:
            return "No notebooks are near this folder: run this inside the course."
        begun_first = sorted(self.rows, key=lambda row: row.state == "new")
        return next((row.next_step for row in begun_first if row.next_step), "All lessons are finished.")

    def __str__(self) -> str:
        lines = [
            f"{SIGNS[row.state]} {row.lesson.number}  {row.lesson.title:62.62}  {row.lesson.minutes:3} min  "
            f"quiz {_part(row.right, len(row.lesson.questions)):>5}  "
            f"exercise {_part(len(row.passed), len(row.lesson.tasks)):>5}"
            for row in self.rows
        ]
        return "\n".join([*lines, self._summary(), f"Next: {self.next_step}", *self.notices])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        heads = ("", "lesson", "minutes", "quiz", "exercise")
        head = "".join(f'<th style="text-align: left; {_CELL}">{name}</th>' for name in heads)
        rows = "".join(_row_html(row) for row in self.rows)
        notices = "".join(f'<div role="alert">{escape(notice)}</div>' for notice in self.notices)
        return (
            f'<table style="border-collapse: collapse"><thead><tr style="border-bottom: {LINE}">{head}</tr></thead>'
            f"<tbody>{rows}</tbody></table>"
            f"<p>{escape(self._summary())}<br><b>Next:</b> {escape(self.next_step)}</p>{notices}"
        )

    def _summary(self) -> str:
        done = [row for row in self.rows if row.state == "finished"]
        left = sum(row.lesson.minutes for row in self.rows if row.state != "finished")
        return f"{len(done)} of {len(self.rows)} lessons finished; the others take about {left} minutes."


def progress(*, reset: bool = False) -> Progress:
    """The course map with what was opened, answered and passed on this machine, and the next step.

    Args:
        reset: forget all of it first.
    """
    file = _file()
    notices = [f"What is done now is not noted: {_unwritten[-1]}."] if _unwritten else []
    if reset:
        try:
            file.path.unlink(missing_ok=True)
        except OSError as error:
            notices.append(f"{FILE} cannot be removed ({error.strerror}), so nothing was forgotten.")
    notes, broken = _read(file)
    if broken:
        notices.append(broken)
    place = course.folder()
    return Progress(_rows(course.lessons(place) if place else [], notes), notices)


def opened() -> None:
    """Note that the lesson which runs this was opened. Does nothing outside a notebook whose name is known."""
    name = _notebook_name()
    if name and (number := course.LESSON.fullmatch(name)):
        _note(kind="opened", lesson=number[1])


def answered(ask: str, *, right: bool) -> None:
    """Note an answer to a question of a quiz."""
    _note(kind="question", question=course.question_id(ask), right=right)


def checked(task: str, *, passed: bool) -> None:
    """Note what a check of a task said."""
    _note(kind="task", task=task, passed=passed)


def attempts(task: str) -> tuple[bool, int]:
    """Whether a task has passed once, and how often it has failed."""
    notes = [note for note in _read(_file())[0] if note.get("kind") == "task" and note.get("task") == task]
    return any(note.get("passed") for note in notes), sum(not note.get("passed") for note in notes)


def _note(**what: Any) -> None:
    """Append a line. A disk that is full spoils no quiz: `progress()` says so later."""
    line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="seconds"), **what}).encode()
    try:
        file = _file()
        try:
            file.append(line)
        finally:
            file.close()
        _unwritten.clear()
    except (OSError, LabkitError) as error:
        _unwritten[:] = [f"{FILE} cannot be written ({getattr(error, 'strerror', None) or error})"]


def _read(file: LineFile) -> tuple[list[dict[str, Any]], str]:
    """The notes, and a sentence when some cannot be read."""
    notes, broken = [], 0
    try:
        for line in file:
            try:
                note = json.loads(line)
                broken += not isinstance(note, dict)
                notes += [note] if isinstance(note, dict) else []
            except ValueError:
                broken += 1
    except OSError as error:
        return [], f"{FILE} cannot be read ({error.strerror}): the map is empty until it can."
    said = f"{broken} line{'s'[: broken > 1]} of {FILE} cannot be read and {'are' if broken > 1 else 'is'} left out: "
    return notes, f"{said}`lk.progress(reset=True)` begins a new file." if broken else ""


def _rows(lessons: list[Lesson], notes: list[dict[str, Any]]) -> list[Row]:
    opened = {note.get("lesson") for note in notes if note.get("kind") == "opened"}
    right = {note.get("question") for note in notes if note.get("kind") == "question" and note.get("right")}
    passed = {note.get("task") for note in notes if note.get("kind") == "task" and note.get("passed")}
    return [
        Row(
            lesson,
            lesson.number in opened,
            sum(question in right for question in lesson.questions),
            tuple(task for task in lesson.tasks if task in passed),
        )
        for lesson in lessons
    ]


def _file() -> LineFile:
    from labkit import session, settings

    wanted = session._current.settings.home if session._current else settings.load().home
    if wanted not in _folders:
        _folders[wanted] = state_folder(wanted).path
    return LineFile(_folders[wanted] / FILE)


def _notebook_name() -> str:
    """File name of the notebook that runs, where the page says it: Jupyter's server, or VS Code."""
    running = shell()
    if running is None:
        return ""
    found = os.environ.get("JPY_SESSION_NAME") or running.user_ns.get("__vsc_ipynb_file__") or ""
    return Path(str(found)).name


_CELL = "padding: 3px 16px 3px 0"


def _row_html(row: Row) -> str:
    lesson = row.lesson
    link = Path(os.path.relpath(lesson.path)).as_posix()
    cells = (
        f'<span title="{row.state}" role="img" aria-label="{row.state}">{SIGNS[row.state]}</span>',
        f'{lesson.number} <a href="{escape(link)}">{escape(lesson.title)}</a>',
        str(lesson.minutes),
        _part(row.right, len(lesson.questions)),
        _part(len(row.passed), len(lesson.tasks)),
    )
    return "<tr>" + "".join(f'<td style="text-align: left; {_CELL}">{cell}</td>' for cell in cells) + "</tr>"


def _part(done: int, whole: int) -> str:
    return f"{done}/{whole}" if whole else "–"
