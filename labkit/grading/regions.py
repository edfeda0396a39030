"""The marked regions of nbgrader's format: solutions and hidden tests, cut from a text.

The markers are nbgrader's own, so that its tools read our sources and ours read its. A marker stands on a line of its
own. Regions do not nest; nbgrader refuses that too.
"""

from __future__ import annotations

BEGIN_SOLUTION, END_SOLUTION = "### BEGIN SOLUTION", "### END SOLUTION"
BEGIN_HIDDEN, END_HIDDEN = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"

Region = tuple[str, str]
"""Begin and end marker."""

SOLUTION: Region = (BEGIN_SOLUTION, END_SOLUTION)
HIDDEN: Region = (BEGIN_HIDDEN, END_HIDDEN)


class BadRegion(ValueError):
    """A region is nested, unclosed or closed without being open; the text names line and fix."""


def spans(text: str, region: Region) -> list[range]:
    """The line numbers (from 1) of each region of one kind, markers included.

    Raises:
        BadRegion: see the class.
    """
    begin, end = region
    found: list[range] = []
    opened = 0
    for number, line in enumerate(text.split("\n"), start=1):
        mark = line.strip()
        if mark == begin:
            if opened:
                raise BadRegion(f"line {number}: '{begin}' inside the region opened in line {opened}; close that first")
            opened = number
        elif mark == end:
            if not opened:
                raise BadRegion(f"line {number}: '{end}' closes nothing; delete it or put '{begin}' above it")
            found.append(range(opened, number + 1))
            opened = 0
        elif begin in line or end in line:
            raise BadRegion(f"line {number}: a marker needs a line of its own, found {mark!r}")
    if opened:
        raise BadRegion(f"line {opened}: '{begin}' is never closed; add '{end}' after the region")
    return found


def without_markers(text: str) -> str:
    """A solution as a reader wants it: all of it, without the lines that say where it begins and ends."""
    return "\n".join(line for line in text.split("\n") if line.strip() not in SOLUTION)


def cut(text: str, region: Region, stub: tuple[str, ...] = ()) -> str:
    """`text` without its regions of one kind, each replaced by `stub` at the indent of its begin marker.

    Raises:
        BadRegion: see the class.

    >>> cut("def f():\\n    ### BEGIN SOLUTION\\n    return 1\\n    ### END SOLUTION", SOLUTION, ("...",))
    'def f():\\n    ...'
    """
    lines = text.split("\n")
    for span in reversed(spans(text, region)):
        first = lines[span.start - 1]
        indent = first[: len(first) - len(first.lstrip())]
        lines[span.start - 1 : span.stop - 1] = [indent + stub_line for stub_line in stub]
    return "\n".join(lines)
