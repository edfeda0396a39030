"""Submissions that mean no harm and are not as they were handed out: what editors, platforms and people do to files."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import PurePosixPath
from random import Random

from labkit.grading.practice.entry import Entry, id_of
from labkit.grading.practice.sheet import answer_id

Recipe = Callable[[Entry, Random], None]
DIRECTION = "\u202e"
"""Right-to-left override: what follows shows backwards."""


def _first(entry: Entry) -> str:
    return answer_id(next(iter(entry.sheet.answers)))


# --- cells ---


def doubled_setup(entry: Entry, rng: Random) -> None:
    """the first cell is there twice"""
    entry.answer_all()
    entry.cells.insert(0, copy.deepcopy(entry.cells[0]))
    entry.note = "more than once" if id_of(entry.cells[0]) else ""


def doubled_answer(entry: Entry, rng: Random) -> None:
    """a graded cell is there twice"""
    entry.answer_all()
    place = entry.at(_first(entry))
    entry.cells.insert(place, copy.deepcopy(entry.cells[place]))
    entry.note = f"{_first(entry)} is there more than once"


def split_answer(entry: Entry, rng: Random) -> None:
    """an answer goes on in a cell of the student's own"""
    entry.answer_all()
    for task in entry.sheet.answers:
        entry.add(entry.of_task(task)["source"], first=False)
        entry.of_task(task)["source"] = "# see below"


def missing_given_cells(entry: Entry, rng: Random) -> None:
    """all that was handed out is gone but the answers"""
    entry.answer_all()
    kept = set(map(answer_id, entry.sheet.answers))
    entry.notebook["cells"] = [cell for cell in entry.cells if id_of(cell) in kept]
    entry.note = "is missing"


def missing_answer(entry: Entry, rng: Random) -> None:
    """one answer's cell is gone"""
    entry.answer_all()
    task = rng.choice(entry.sheet.alone)
    entry.cells.remove(entry.of_task(task))
    entry.lose(task)
    entry.note = f"{answer_id(task)} is missing"


def answer_as_text(entry: Entry, rng: Random) -> None:
    """one answer's cell was turned into Markdown"""
    entry.answer_all()
    task = rng.choice(entry.sheet.alone)
    cell = entry.of_task(task)
    cell["cell_type"] = "markdown"
    del cell["outputs"], cell["execution_count"]
    entry.lose(task)
    entry.note = "was turned into text"


def edited_given_cells(entry: Entry, rng: Random) -> None:
    """the cells that were handed out are edited"""
    entry.answer_all()
    for cell in entry.cells:
        if cell["cell_type"] == "code" and not id_of(cell).startswith("answer"):
            cell["source"] = "raise SystemExit('edited')"
    entry.note = "changed, but what was handed out counts"


def reordered(entry: Entry, rng: Random) -> None:
    """the answers are in the opposite order"""
    entry.answer_all()
    places = [entry.at(answer_id(task)) for task in entry.sheet.answers]
    turned = [entry.cells[place] for place in reversed(places)]
    for place, cell in zip(places, turned, strict=True):
        entry.cells[place] = cell


def one_id_for_all(entry: Entry, rng: Random) -> None:
    """all cells have the same id of Jupyter's"""
    entry.answer_all()
    for cell in entry.cells:
        cell["id"] = "same"


def no_metadata(entry: Entry, rng: Random) -> None:
    """an editor has removed the metadata of every cell"""
    entry.answer_all()
    for cell in entry.cells:
        cell["metadata"] = {}
    entry.note = "is missing"


def magics(entry: Entry, rng: Random) -> None:
    """lines for IPython and for a shell"""
    entry.answer_all()
    entry.add("%config InlineBackend.figure_format = 'retina'\n!echo hello\n%time sum(range(10))")


def fails_in_between(entry: Entry, rng: Random) -> None:
    """an experiment of its own that fails, before the answers"""
    entry.answer_all()
    entry.add("1 / 0")


# --- files ---


def format_3(entry: Entry, rng: Random) -> None:
    """saved in notebook format 3"""
    entry.answer_all()
    cells = [{"input" if cell["cell_type"] == "code" else "source": "".join(cell["source"]), "language": "python",
              **{name: cell[name] for name in ("cell_type", "metadata", "outputs") if name in cell}}
             for cell in entry.cells]  # fmt: skip
    sheet = {"cells": cells, "metadata": {}}
    entry.notebook = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": "old"}, "worksheets": [sheet]}


def format_9(entry: Entry, rng: Random) -> None:
    """says that it is of notebook format 9"""
    entry.answer_all()
    entry.notebook["nbformat"] = 9
    entry.refuse("nbformat 9")


def torn(entry: Entry, rng: Random) -> None:
    """half a file"""
    entry.answer_all()
    entry.data = entry.bytes()[: len(entry.bytes()) // 2]
    entry.refuse("no valid JSON")


def empty(entry: Entry, rng: Random) -> None:
    """a file of no bytes"""
    entry.data = b""
    entry.refuse("no valid JSON")


def utf_16(entry: Entry, rng: Random) -> None:
    """saved as UTF-16"""
    entry.answer_all()
    entry.data = entry.bytes().decode().encode("utf-16")
    entry.refuse("not UTF-8")


def byte_order_mark(entry: Entry, rng: Random) -> None:
    """begins with a byte order mark"""
    entry.answer_all()
    entry.data = b"\xef\xbb\xbf" + entry.bytes()


def windows_lines(entry: Entry, rng: Random) -> None:
    """lines end as on Windows"""
    entry.answer_all()
    for cell in entry.cells:
        cell["source"] = "".join(cell["source"]).replace("\n", "\r\n")


def odd_kernel(entry: Entry, rng: Random) -> None:
    """says that its kernel is Julia"""
    entry.answer_all()
    entry.notebook["metadata"] = {"kernelspec": {"name": "julia-1.9", "display_name": "Julia", "language": "julia"}}


def no_zip(entry: Entry, rng: Random) -> None:
    """a zip that is none"""
    entry.path = PurePosixPath(entry.student, "handed-in.zip")
    entry.data = b"PK\x03\x04 torn"
    entry.refuse("the zip cannot be read")


def zipped(entry: Entry, rng: Random) -> None:
    """handed in as a zip"""
    entry.answer_all()
    entry.path, entry.member = PurePosixPath(f"{entry.student}.zip"), entry.name


# --- names ---


def backwards_name(entry: Entry, rng: Random) -> None:
    """a mark in its name turns the rest of the line around"""
    entry.answer_all()
    entry.path = PurePosixPath(f"{entry.student}{DIRECTION}gpj", entry.name)


def bell_in_name(entry: Entry, rng: Random) -> None:
    """a control character in its name in a zip"""
    entry.answer_all()
    entry.path, entry.member = PurePosixPath(f"{entry.student}.zip"), f"home\x07work/{entry.name}"


def by_platform(entry: Entry, rng: Random) -> None:
    """in the folder that Moodle makes, under another name"""
    entry.answer_all()
    entry.path = PurePosixPath(f"{entry.student}_4711_assignsubmission_file", "Homework final (2).IPYNB")


def as_nbgrader(entry: Entry, rng: Random) -> None:
    """in the folders that nbgrader makes"""
    entry.answer_all()
    entry.path = PurePosixPath(entry.student, f"ex{entry.sheet.exercise.number}", entry.name)


CELLS: tuple[Recipe, ...] = (
    *(doubled_setup, doubled_answer, split_answer, missing_given_cells, missing_answer, answer_as_text),
    *(edited_given_cells, reordered, one_id_for_all, no_metadata, magics, fails_in_between),
)
FILES: tuple[Recipe, ...] = (
    *(format_3, format_9, torn, empty, utf_16, byte_order_mark, windows_lines, odd_kernel, no_zip, zipped),
)
NAMES: tuple[Recipe, ...] = (backwards_name, bell_in_name, by_platform, as_nbgrader)
ODD: tuple[Recipe, ...] = (*CELLS, *FILES, *NAMES)
