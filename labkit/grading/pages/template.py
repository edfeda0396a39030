"""Templates filled with text from strangers: escaped, and with every character visible."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from labkit.grading import card
from labkit.grading.ingest import visible_lines


def render(name: str, **values: object) -> str:
    """One template as a page."""
    return _environment().get_template(name).render(**values)


def shown(value: object) -> object:
    """What a template prints: texts with control and direction characters made visible."""
    return visible_lines(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def prose(text: str) -> Markup:
    """Text in which `backticks` are code; everything else in it is escaped."""
    return Markup(card.prose(visible_lines(text)))


def points(value: float) -> str:
    """Without a needless ".0"; at most two decimals.

    >>> points(3.0), points(2.125)
    ('3', '2.12')
    """
    return f"{round(value, 2):g}"


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"prose": prose, "points": points}
    return made
