"""A submitted notebook, read without believing anything in it, and put together with what was handed out.

    read_cells(data)                 bytes -> cells, or Refused with a sentence for the student
    exercise_of(cells, name, all)    which exercise it is
    assemble(cells, exercise)        what to run, what a person grades, what to tell

The order is the student's. A cell that was handed out as given runs as it was handed out; a check runs nothing here; a
cell without a known id runs as the student's own. Ids that appear twice, cells that are gone or turned into text cost
nothing by themselves: what counts is what the functions do in the end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labkit.grading.exercise import Exercise, Role
from labkit.grading.results import ManualPart

MOST_CELLS = 2_000
LONGEST_TEXT = 100_000
"""Characters of one free-text answer that are kept."""


class Refused(Exception):
    """The file is not run. The text is a sentence for the student that says what to do."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a submission."""

    code: bool
    source: str
    id: str
    """Its grade_id; empty if it has none."""


@dataclass(frozen=True, slots=True)
class Runnable:
    """One cell to run."""

    number: int
    """Position in the submission, from 1; 0 for a given cell that was missing there."""
    id: str
    source: str
    given: bool = False
    """It is the exercise's own, and runs as it was handed out."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """A submission, ready to run."""

    cells: list[Runnable] = field(default_factory=list)
    manual: list[ManualPart] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_cells(data: bytes) -> list[Cell]:
    """The cells of a notebook file.

    Raises:
        Refused: it is no notebook, or one of an unknown kind.
    """
    try:
        notebook = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Refused("the file is not UTF-8 text: open it in Jupyter and save it again") from None
    except (ValueError, RecursionError):
        raise Refused("the file is not a notebook (no valid JSON): open it in Jupyter and save it again") from None
    if not isinstance(notebook, dict):
        raise Refused("the file is not a notebook: its outermost value is no object")
    version = notebook.get("nbformat")
    if version == 3:
        notebook = _upgraded(notebook)
    elif version != 4:
        said = f"{version!r:.20}"
        raise Refused(f"the notebook says nbformat {said}, expected 4: open it in a current Jupyter and save it again")
    cells = notebook.get("cells")
    if not isinstance(cells, list) or len(cells) > MOST_CELLS:
        raise Refused(f"the notebook has no list of cells, or more than {MOST_CELLS:,}")
    return [_cell(cell, number) for number, cell in enumerate(cells, start=1)]


def _upgraded(notebook: dict[str, Any]) -> dict[str, Any]:
    """A notebook of format 3, which Jupyter wrote until 2015 and some tools still do, as one of format 4."""
    import sys

    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # two seconds of parsers at import
    from nbformat import from_dict
    from nbformat.v4 import upgrade

    try:
        converted: dict[str, Any] = upgrade(from_dict(notebook), 3)  # type: ignore[no-untyped-call]
    except Exception as error:
        raise Refused(f"the notebook is of format 3 and cannot be converted ({type(error).__name__})") from None
    return converted


def _cell(cell: Any, number: int) -> Cell:
    if not isinstance(cell, Mapping):
        raise Refused(f"cell {number} of the notebook is no cell")
    source = cell.get("source", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        raise Refused(f"cell {number} of the notebook has no text")
    return Cell(cell.get("cell_type") == "code", source.replace("\r\n", "\n"), _grade_id(cell))


def _grade_id(cell: Mapping[str, Any]) -> str:
    metadata = cell.get("metadata")
    mark = metadata.get("nbgrader") if isinstance(metadata, Mapping) else None
    found = mark.get("grade_id") if isinstance(mark, Mapping) else None
    return found if isinstance(found, str) else ""


def exercise_of(cells: Iterable[Cell], name: str, exercises: Mapping[str, Exercise]) -> Exercise:
    """The exercise whose ids the notebook shares most; by the first two digits of its name if it shares none.

    Raises:
        Refused: it is none of them.
    """
    ids = {cell.id for cell in cells if cell.id}
    shared = {number: len(ids & {cell.id for cell in e.cells}) for number, e in exercises.items()}
    best = max(shared, key=lambda number: shared[number])
    if shared[best]:
        return exercises[best]
    if name[:2] in exercises:
        return exercises[name[:2]]
    known = ", ".join(exercise.stem for exercise in exercises.values())
    raise Refused(f"the notebook is none of the exercises that are graded here ({known})")


def assemble(cells: list[Cell], exercise: Exercise) -> Assembled:
    """What to run of a submission, and what there is to say about it."""
    known = {cell.id: cell for cell in exercise.cells}
    result = Assembled()
    seen: dict[str, str] = {}
    changed: list[str] = []
    for number, cell in enumerate(cells, start=1):
        released = known.get(cell.id)
        if released is None:
            if cell.code and cell.source.strip():
                result.cells.append(Runnable(number, "", cell.source))
            continue
        if cell.id in seen:
            result.notes.append(f"the cell {cell.id} is there more than once")
        given = released.role in (Role.given, Role.check)
        if given and cell.source.strip() != released.source.strip() and cell.id not in seen:
            changed.append(cell.id)
        if released.role is Role.given and released.code and cell.id not in seen:
            result.cells.append(Runnable(number, cell.id, released.source, given=True))
        if released.role in (Role.answer, Role.manual) and released.code:
            if cell.code:
                result.cells.append(Runnable(number, cell.id, cell.source))
            else:
                result.notes.append(f"the cell {cell.id} was turned into text, so it was not run")
        seen[cell.id] = f"{seen[cell.id]}\n\n{cell.source}" if cell.id in seen else cell.source
    if changed:
        result.notes.append(f"changed, but what was handed out counts: {', '.join(changed)}")
    _add_missing(result, exercise, seen)
    return result


def _add_missing(result: Assembled, exercise: Exercise, seen: dict[str, str]) -> None:
    """Given cells that are gone run first; free-text answers are collected; whatever is missing is noted."""
    gone = [cell for cell in exercise.cells if cell.id not in seen and (cell.code or cell.role is Role.manual)]
    result.notes.extend(f"the cell {cell.id} is missing" for cell in gone if cell.role is not Role.check)
    first = [Runnable(0, cell.id, cell.source, given=True) for cell in gone if cell.role is Role.given]
    result.cells[:0] = first
    for cell in exercise.manual:
        text = seen.get(cell.id, "").strip()
        answered = "" if text == cell.source.strip() else text[:LONGEST_TEXT]
        result.manual.append(ManualPart(cell.id, cell.points, answered))
