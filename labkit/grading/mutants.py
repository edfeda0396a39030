"""Wrong but plausible answers, as `solutions/mutants/exNN.py` lists them: the solution with one edit, and its cost."""

from __future__ import annotations

import runpy
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mutant:
    """A wrong answer: the solution with one edit."""

    notebook: Path
    task: str
    why: str
    old: str
    new: str
    costs: float
    """Points that it loses at least."""
    exact: bool = False
    """It loses these and no others, whatever inputs are drawn."""

    def __str__(self) -> str:
        return f"{self.task}: {self.why}"

    def edited(self, source: str) -> str:
        """The answer's cell with the edit in it.

        Raises:
            ValueError: there is nothing to edit: the solution has changed.
        """
        if self.old not in source:
            raise ValueError(f"the mutant {str(self)!r} no longer fits the solution")
        return source.replace(self.old, self.new)


def load_mutants(notebook: Path) -> list[Mutant]:
    """The mutants of one notebook in `solutions/`; none if nobody has written any."""
    path = notebook.parent / "mutants" / f"ex{notebook.name[:2]}.py"
    if not path.is_file():
        return []
    found = runpy.run_path(str(path))["MUTANTS"]
    return [Mutant(notebook, task, **edit) for task, edits in found.items() for edit in edits]
