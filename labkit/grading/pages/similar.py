"""The page that shows which submissions have code in common, side by side, for a person to judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from labkit.grading.pages.template import render
from labkit.grading.similarity import SIMILARITY, Pair, Side

PAGE = "similarity.html"
MOST = 50
"""Pairs whose code is shown; the table has all of them."""

Line = tuple[str, bool]
"""A line of code, and whether the other one has it too."""


def write_similar(pairs: Sequence[Pair], folder: Path) -> Path:
    """Write the page."""
    path = folder / PAGE
    shown = [(pair, code(pair.left), code(pair.right)) for pair in pairs[:MOST]]
    path.write_text(render("similarity.html", pairs=pairs, shown=shown, table=SIMILARITY), encoding="utf-8")
    return path


def code(side: Side) -> list[tuple[str, list[Line]]]:
    """The cells in which something is in common: name and lines of each."""
    return [(name, list(_lines(side, number))) for number, (name, _) in enumerate(side.cells) if _any(side, number)]


def _any(side: Side, number: int) -> bool:
    return any(cell == number for cell, _ in side.marked)


def _lines(side: Side, number: int) -> Iterator[Line]:
    for position, line in enumerate(side.cells[number][1].split("\n"), start=1):
        yield line, (number, position) in side.marked
