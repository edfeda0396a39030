"""Tables in a terminal, a file or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence

PIPED_WIDTH = 160
"""Columns of a table that goes to a file or a pipe."""


def show(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Collection[str] = ()) -> None:
    """Print rows of cells under their headings.

    Args:
        right: the columns that hold numbers.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)
    with console.capture() as text:
        console.print(table)
    print("\n".join(line.rstrip() for line in text.get().splitlines()))
