"""One made-up submission: a notebook in the making, where it will lie, and what it must get."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from labkit.grading.ingest import visible
from labkit.grading.practice.sheet import Answer, Sheet, answer_id

Cell = dict[str, Any]


@dataclass(slots=True)
class Entry:
    """A submission. It begins as the exercise was handed out, and what a recipe does to it is also what it must get."""

    sheet: Sheet
    student: str
    kind: str
    """right, partly, wrong, hostile or odd."""
    what: str = ""
    notebook: dict[str, Any] = field(init=False)
    earned: dict[str, float] = field(init=False)
    """Points by task."""
    refusal: str = ""
    """Words of the sentence with which it must be refused; empty if it must be graded."""
    note: str = ""
    """Words of a note that its result must have."""
    path: PurePosixPath = field(init=False)
    """Where it lies in the folder of submissions."""
    data: bytes | None = None
    """The file, where it is no notebook as Jupyter writes it."""
    member: str = ""
    """Its name in a zip, if it is handed in as one."""
    link: PurePosixPath | None = None
    """What it is a link to, if it is one."""

    def __post_init__(self) -> None:
        self.notebook = copy.deepcopy(self.sheet.handed_out)
        self.earned = dict.fromkeys(self.sheet.answers, 0.0)
        self.path = PurePosixPath(self.student, self.name)

    @property
    def name(self) -> str:
        """The file's name as it was handed out."""
        return f"{self.sheet.exercise.stem}.ipynb"

    @property
    def cells(self) -> list[Cell]:
        cells: list[Cell] = self.notebook["cells"]
        return cells

    @property
    def file(self) -> str:
        """As results name it."""
        member = PurePosixPath(self.member.replace("\\", "/")).parts if self.member else ()
        return "/".join(map(visible, (*self.path.parts, *member)))

    def at(self, grade_id: str) -> int:
        """The place of a cell of the exercise."""
        return next(n for n, cell in enumerate(self.cells) if id_of(cell) == grade_id)

    def cell(self, grade_id: str) -> Cell:
        return self.cells[self.at(grade_id)]

    def of_task(self, task: str) -> Cell:
        """The cell that answers a task."""
        return self.cell(answer_id(task))

    def answer(self, task: str, answer: Answer) -> None:
        """Answer a task in this way."""
        self.of_task(task)["source"] = answer.source
        self.earned[task] = answer.earned

    def answer_all(self) -> None:
        """Answer every task rightly."""
        for task, answers in self.sheet.answers.items():
            self.answer(task, answers[0])

    def lose(self, *tasks: str) -> None:
        """These tasks get nothing."""
        self.earned |= dict.fromkeys(tasks, 0.0)

    def add(self, source: str, *, first: bool = True) -> None:
        """A code cell of the student's own, before the first answer or after the last."""
        places = [self.at(answer_id(task)) for task in self.sheet.answers]
        place = min(places) if first else max(places) + 1
        self.cells.insert(place, code(source))

    def refuse(self, words: str) -> None:
        """It must be refused with these words."""
        self.refusal = words
        self.earned = {}

    def write(self, folder: Path) -> None:
        """Put it below a folder.

        Raises:
            OSError: this system has no such files, or does not tell this one from another.
        """
        path = folder / self.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            raise FileExistsError(path)
        if self.link is not None:
            path.symlink_to(folder / self.link)
        elif self.member:
            path.write_bytes(zipped([(self.member, self.bytes())]))
        else:
            path.write_bytes(self.bytes())

    def bytes(self) -> bytes:
        """The notebook's file."""
        return json.dumps(self.notebook, ensure_ascii=False, indent=1).encode() if self.data is None else self.data


def id_of(cell: Cell) -> str:
    """The grade_id of a cell; empty for one of the student's own."""
    return str(cell["metadata"].get("nbgrader", {}).get("grade_id", ""))


def code(source: str) -> Cell:
    """A code cell of the student's own."""
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source}


def zipped(members: Iterable[tuple[str, bytes]]) -> bytes:
    """A zip; the same members give the same bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return file.getvalue()
