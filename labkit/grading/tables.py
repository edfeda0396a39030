"""CSV files that spreadsheets and learning platforms open, with text from strangers in them.

Spreadsheets run what begins with `=`, `+`, `-` or `@`: such a text gets an apostrophe before it, as spreadsheets
themselves write it (OWASP, "CSV Injection").
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from labkit.grading.ingest import visible_lines

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def table(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """A CSV text. Names of columns are ours and stand as they are."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(columns)
    writer.writerows([safe(value) for value in row] for row in rows)
    return file.getvalue()


def write_table(path: Path, text: str) -> Path:
    """Write a table, whole or not at all; `utf-8-sig`, so that spreadsheets read names right."""
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8-sig", newline="")
    part.replace(path)
    return path


def text_of(path: Path) -> str:
    """A table as a spreadsheet saved it: UTF-8, or what older ones on Windows write."""
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def safe(value: object) -> str:
    """One cell: never a formula, every character visible.

    >>> safe("=1+1"), safe(2.0), safe("line one\\nline\\x07 two")
    ("'=1+1", '2', 'line one\\nline⟨07⟩ two')
    """
    if isinstance(value, int | float):
        return f"{value:g}"
    text = visible_lines(str(value))
    return f"'{text}" if text.lstrip().startswith(FORMULA) else text


def plain(cell: str) -> str:
    """A cell without the apostrophe that `safe` put before it.

    >>> plain("'-1 for style"), plain("'tis")
    ('-1 for style', "'tis")
    """
    return cell[1:] if cell.startswith("'") and cell[1:].lstrip().startswith(FORMULA) else cell


def by_number(task: str) -> tuple[int, ...]:
    """To sort the columns of tasks.

    >>> sorted(["2.10", "2.9"], key=by_number)
    ['2.9', '2.10']
    """
    return tuple(int(part) for part in task.split(".") if part.isdigit())
