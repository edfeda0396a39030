"""`labkit release`: from `solutions/`, which people edit, to what students get, which nobody edits.

    solutions/01_anatomy_of_a_call.ipynb -> exercises/01_anatomy_of_a_call.ipynb     stubs, no hidden test, no output
    solutions/checks/ex01.py             -> labkit/grading/released/ex01.py          no hidden check

In a course of your own, which has no `labkit/` in it, the checks go to `exercises/released/`: hand that folder out with
the notebooks.

The notebooks are in nbgrader's format (cell metadata, schema 3), and what comes out is what `nbgrader
generate_assignment` makes of them with our stub, checksums included: a course that grades with nbgrader can start from
either. The same input gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.errors import LabkitError
from labkit.grading.regions import HIDDEN, SOLUTION, BadRegion, cut, spans
from labkit.grading.tasks import BadTask, load_tasks

SCHEMA_VERSION = 3
STUB = {
    "code": ("# Your code here, in place of the next line.", 'raise NotImplementedError("your code goes here")'),
    "markdown": ("Your answer here.",),
}
"""What a cut solution leaves behind, by cell type."""
BANNER = "# Made by `labkit release` from solutions/checks/{name}. Edit that file, not this one.\n"

Notebook = dict[str, Any]
Cell = dict[str, Any]


class ReleaseError(LabkitError):
    """A source that cannot be released as it is. The text names file, cell and fix."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Product:
    """One generated file."""

    path: Path
    text: str

    def drifted(self) -> bool:
        """Whether the file on disk is not this text."""
        return not self.path.is_file() or self.path.read_text(encoding="utf-8") != self.text


def main(root: Path | None = None, *, check: bool = False) -> int:
    """Write everything that is generated, or with `check` only say what is out of date.

    Args:
        root: the project's folder, with `solutions/` in it; the current one by default.

    Returns:
        0; 1 if `check` found drift; 2 if a source cannot be released.
    """
    root = root or Path.cwd()
    try:
        stale = [product for product in products(root) if product.drifted()]
    except ReleaseError as error:
        print(f"labkit release: {error}", file=sys.stderr)
        return error.exit_code
    for product in stale:
        name = product.path.relative_to(root).as_posix()
        if check:
            print(f"{name} is not what solutions/ gives; run `labkit release` and commit the result", file=sys.stderr)
        else:
            product.path.parent.mkdir(parents=True, exist_ok=True)
            product.path.write_text(product.text, encoding="utf-8", newline="\n")
            print(f"wrote {name}")
    return 1 if check and stale else 0


def products(root: Path) -> Iterator[Product]:
    """Every generated file of the project, in the order of their names.

    Raises:
        ReleaseError: there is no source, a source is wrong, or a generated file has lost its source.
    """
    solutions = root / "solutions"
    notebooks, checks = sorted(solutions.glob("*.ipynb")), sorted((solutions / "checks").glob("ex*.py"))
    if not notebooks:
        raise ReleaseError(f"no notebook in {solutions}; run this in the project's folder")
    for path in notebooks:
        yield Product(root / "exercises" / path.name, release_notebook(path))
    released = released_folder(root)
    for path in checks:
        yield Product(released / path.name, release_checks(path))
    made = {path.name for path in (*notebooks, *checks)}
    kept = [*(root / "exercises").glob("*.ipynb"), *released.glob("ex*.py")]
    for orphan in kept:
        if orphan.name not in made:
            raise ReleaseError(f"{orphan.relative_to(root).as_posix()} has no source in solutions/ any more; delete it")


def released_folder(root: Path) -> Path:
    """Where a project's released checks are: in the package, or beside the notebooks of a course without one."""
    package = root / "labkit" / "grading"
    return (package if package.is_dir() else root / "exercises") / "released"


def release_checks(path: Path) -> str:
    """The visible half of a check file.

    Raises:
        ReleaseError: see the class.
    """
    try:
        load_tasks(path)
        visible = cut(path.read_text(encoding="utf-8"), HIDDEN)
    except BadRegion as error:
        raise ReleaseError(f"solutions/checks/{path.name}: {error}") from None
    except BadTask as error:
        raise ReleaseError(f"solutions/checks/{error}") from None
    lines = [line.rstrip() for line in visible.splitlines()]
    return BANNER.format(name=path.name) + _single_spaced(lines)


def _single_spaced(lines: list[str]) -> str:
    """At most two blank lines in a row: a cut region leaves its surroundings' behind."""
    kept: list[str] = []
    for line in lines:
        if line or kept[-2:] != ["", ""]:
            kept.append(line)
    return "\n".join(kept).rstrip() + "\n"


def release_notebook(path: Path) -> str:
    """The student's version of a notebook, as the text of its file.

    Raises:
        ReleaseError: see the class.
    """
    notebook = _read(path)
    seen: set[str] = set()
    for number, cell in enumerate(notebook["cells"], start=1):
        try:
            _release_cell(cell, seen)
        except (BadRegion, ValueError) as error:
            name = _mark(cell).get("grade_id")
            where = f"cell {number}" + (f" ({name})" if name else "")
            raise ReleaseError(f"solutions/{path.name}, {where}: {error}") from None
    notebook["metadata"].pop("celltoolbar", None)
    return _written(notebook)


def _release_cell(cell: Cell, seen: set[str]) -> None:
    mark = _mark(cell)
    if mark:
        _validate(cell, mark, seen)
    _lock(cell, mark)
    _clear_solution(cell, mark)
    _clear_hidden(cell, mark)
    if cell["cell_type"] == "code":
        cell["outputs"], cell["execution_count"] = [], None
        for leftover in ("collapsed", "scrolled", "execution"):
            cell["metadata"].pop(leftover, None)
    if mark and (mark["grade"] or mark["solution"] or mark["locked"]):
        mark["checksum"] = checksum(cell)
        mark["cell_type"] = cell["cell_type"]


def _mark(cell: Cell) -> dict[str, Any]:
    found: dict[str, Any] = cell["metadata"].get("nbgrader", {})
    return found


def _validate(cell: Cell, mark: dict[str, Any], seen: set[str]) -> None:
    missing = {"grade", "grade_id", "locked", "solution", "task", "schema_version"} - mark.keys()
    if missing:
        raise ValueError(f"metadata.nbgrader lacks {', '.join(sorted(missing))}")
    if mark["schema_version"] != SCHEMA_VERSION:
        raise ValueError(f"metadata.nbgrader.schema_version is {mark['schema_version']}, make it {SCHEMA_VERSION}")
    if mark["grade_id"] in seen:
        raise ValueError(f"another cell has the grade_id {mark['grade_id']!r}; give this one a new one")
    if mark["grade"] and not isinstance(mark.get("points"), int | float):
        raise ValueError("a graded cell needs metadata.nbgrader.points")
    if mark["grade"] and not mark["solution"] and not mark["locked"]:
        raise ValueError("a cell of tests needs metadata.nbgrader.locked = true")
    seen.add(mark["grade_id"])


def _lock(cell: Cell, mark: dict[str, Any]) -> None:
    """As nbgrader's LockCells: what is graded can't be deleted, what is not the student's can't be edited either."""
    if mark.get("solution"):
        cell["metadata"]["deletable"] = False
    elif mark.get("grade") or mark.get("locked"):
        cell["metadata"]["deletable"] = cell["metadata"]["editable"] = False


def _clear_solution(cell: Cell, mark: dict[str, Any]) -> None:
    stub = STUB.get(cell["cell_type"], ())
    source = cut(cell["source"], SOLUTION, stub)
    if source != cell["source"] and not mark.get("solution"):
        raise BadRegion("a solution in a cell that is not marked as one; set metadata.nbgrader.solution = true")
    if mark.get("solution") and source == cell["source"]:
        source = "\n".join(stub)  # a solution cell without regions is a solution from end to end
    cell["source"] = source


def _clear_hidden(cell: Cell, mark: dict[str, Any]) -> None:
    if spans(cell["source"], HIDDEN) and not mark.get("grade"):
        raise BadRegion("hidden tests in a cell that is not graded; set metadata.nbgrader.grade = true")
    cell["source"] = cut(cell["source"], HIDDEN)


def checksum(cell: Cell) -> str:
    """nbgrader's checksum of a cell (0.9.6, `utils.compute_checksum`): source, type, role, id, points."""
    mark = _mark(cell)
    grade, solution = bool(mark["grade"]), bool(mark["solution"])
    locked = not solution and (grade or bool(mark["locked"]))
    parts = [cell["source"], cell["cell_type"], str(grade), str(solution), str(locked), mark["grade_id"]]
    if grade:
        parts.append(str(float(mark["points"])))
    return hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()


def _read(path: Path) -> Notebook:
    try:
        notebook: Notebook = json.loads(path.read_text(encoding="utf-8"))
        if notebook["nbformat"] != 4:
            raise ReleaseError(f"solutions/{path.name}: nbformat {notebook['nbformat']}, save it as nbformat 4")
        for cell in notebook["cells"]:
            cell["source"] = "".join(cell["source"])
    except (ValueError, KeyError, TypeError) as error:
        raise ReleaseError(f"solutions/{path.name}: not a notebook ({type(error).__name__}: {error})") from None
    return notebook


def _written(notebook: Notebook) -> str:
    """The text that nbformat writes: sources as lists of lines, keys sorted, one space of indent."""
    for cell in notebook["cells"]:
        cell["source"] = cell["source"].splitlines(keepends=True)
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True, separators=(",", ": ")) + "\n"
