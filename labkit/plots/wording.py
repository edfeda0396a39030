"""Numbers and column names as a reader wants them on a picture."""

from __future__ import annotations

import math
import re
from decimal import Decimal

UNITS = {"usd": "USD", "ms": "ms", "s": "s", "pct": "%"}
"""Last part of a column's name: the unit that an axis shows."""
KEPT = re.compile(r"\w+_(?:[a-rt-z]|\d+)")
"""Names that readers know with their underscore: top_p, min_p, distinct_2."""


def axis_name(column: str) -> str:
    """A column's name for an axis, its unit in brackets.

    >>> axis_name("cost_usd"), axis_name("first_token_ms"), axis_name("top_p"), axis_name("latency (s)")
    ('cost (USD)', 'first token (ms)', 'top_p', 'latency (s)')
    """
    words = column.split("_")
    if KEPT.fullmatch(column) or len(words) == 1:
        return column
    if words[-1] in UNITS:
        return f"{' '.join(words[:-1])} ({UNITS[words[-1]]})"
    return " ".join(words)


def plain_name(column: str) -> str:
    """A column's name inside a sentence, without the unit.

    >>> plain_name("cost_usd"), plain_name("latency (s)")
    ('cost', 'latency')
    """
    return axis_name(column).partition(" (")[0]


def unit_of(column: str) -> str:
    """The unit that stands in the brackets of a column's axis; "" without one.

    >>> unit_of("cost_usd"), unit_of("seconds per call (s)"), unit_of("accuracy")
    ('USD', 's', '')
    """
    return axis_name(column).partition(" (")[2].rstrip(")")


def figure(value: float) -> str:
    """Three significant digits, never in powers of ten.

    >>> figure(1234.4), figure(12.34), figure(0.5), figure(0.0000123), figure(0)
    ('1,234', '12.3', '0.5', '0.0000123', '0')
    """
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{Decimal(f'{value:.3g}').normalize():f}" if value else "0"


def measured(value: float, column: str) -> str:
    """A number of a column with its unit: "12.3 ms", "0.5 USD", "0.5"."""
    unit = unit_of(column)
    return f"{figure(value)} {unit}" if unit else figure(value)


def counted(n: int, thing: str) -> str:
    """
    >>> counted(1, "call"), counted(1200, "call")
    ('1 call', '1,200 calls')
    """
    return f"{n:,} {thing}{'' if n == 1 else 's'}"


def sentence(text: str) -> str:
    """With a capital, whatever a column is called."""
    return text[:1].upper() + text[1:]
