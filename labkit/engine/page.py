"""The tables of README.md, written by the commands that they name.

python -m labkit.engine.report --page

A table stands between `<!-- NAME -->` and `<!-- end -->`; a test compares what can be computed in a few seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from labkit.engine import accuracy, finding
from labkit.engine.embedded import EmbeddedEngine
from labkit.engine.report import PAGE, table, varied

TABLES: dict[str, Callable[[EmbeddedEngine], Iterable[str]]] = {
    "variety": lambda engine: table(engine, varied()),
    "accuracy": accuracy.summary,
    "finding": finding.table,
}


def block(name: str, text: str) -> re.Match[str] | None:
    """Where a table stands in a page; its lines are group 2."""
    return re.search(rf"(<!-- {name} -->\n)(.*?)(\n<!-- end -->)", text, re.DOTALL)


def rows(name: str, text: str) -> list[str]:
    """The lines of a table in a page."""
    found = block(name, text)
    return found[2].splitlines() if found else []


def rewrite(engine: EmbeddedEngine) -> Iterator[str]:
    """Write every table of the page anew; says what was written."""
    for name, lines in TABLES.items():
        text = PAGE.read_text(encoding="utf-8")
        found = block(name, text)
        if found is None:
            yield f"{name}: no such table in {PAGE.name}"
            continue
        written = "\n".join(lines(engine))
        PAGE.write_text(text[: found.start(2)] + written + text[found.end(2) :], encoding="utf-8")
        yield f"{name}: {len(written.splitlines())} lines"
