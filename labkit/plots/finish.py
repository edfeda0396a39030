"""The last strokes of a picture: its title in as many lines as it needs, labels that keep out of each other's way.

A label stands beside what it names, with a thin line to it, instead of in a legend that the eye has to go back to.
Places are measured on the laid-out figure, so that nothing overlaps or leaves it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple

from labkit.plots import theme
from labkit.plots.token_bars import printable
from labkit.plots.wording import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation, Text
    from matplotlib.transforms import Bbox

LABEL_SIZE, LINE_HEIGHT = 9, 1.35
"""Points, and lines of text per line."""
NAME_WIDTH = 26
"""Characters after which the name of a series goes on in the next line."""
DISTANCES = (7, 14, 24, 38, 56)
"""Points between a mark and its label, the nearest that is free."""
SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (0.8, 0.8), (-0.8, 0.8), (0.8, -0.8), (-0.8, -0.8))


class End(NamedTuple):
    """Where a line ends, and what it is called."""

    name: str
    x: float
    y: float
    colour: str


def finish(ax: Axes, x: str, y: str, title: str, key: str = "") -> None:
    """Axis names and the title, in as many lines as they need.

    Args:
        key: what the marks mean, below the name of the x axis.
    """
    ax.set_xlabel(drawn(f"{x}\n{key}".strip("\n")), parse_math=False)
    ax.set_ylabel(drawn(y), parse_math=False)
    ax.set_title(drawn(title), parse_math=False)
    lay_out(ax)
    _fit_title(ax)
    _fit_key(ax)


def say(ax: Axes, text: str) -> Axes:
    """Draw a sentence where there is nothing else to draw."""
    ax.set_axis_off()
    ax.text(
        0.5, 0.5, "\n".join(wrap(drawn(text), 56)), ha="center", va="center", transform=ax.transAxes, color=theme.MUTED
    )
    return ax


def lay_out(ax: Axes) -> None:
    """Settle where everything stands, so that it can be measured."""
    _figure(ax).draw_without_rendering()


def drawn(text: str) -> str:
    """With what no font can draw as escapes; line ends stay."""
    return "\n".join(printable(line) for line in text.split("\n"))


def wrapped(name: str) -> str:
    """The name of a series, in lines that leave the picture its room."""
    return "\n".join(drawn(line) for part in name.split("\n") for line in wrap(part, NAME_WIDTH)) or name


def plain_log(axis: Axis) -> None:
    """Count in powers of ten, with the numbers written out."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: figure(value)))
    axis.set_minor_formatter(NullFormatter())


def _fit_title(ax: Axes) -> None:
    title: Text = ax.title if ax.title.get_text() else ax._left_title  # type: ignore[attr-defined]
    whole = _figure(ax)
    _fit(title, whole.bbox.x1 - ax.get_window_extent().x0 - 0.1 * whole.dpi)


def _fit_key(ax: Axes) -> None:
    """The x axis's name is centred below the axes: the nearer edge of the figure says how wide it may be."""
    box, whole = ax.get_window_extent(), _figure(ax)
    middle = (box.x0 + box.x1) / 2
    _fit(ax.xaxis.label, 2 * min(middle, whole.bbox.x1 - middle) - 0.2 * whole.dpi)


def _fit(text: Text, room: float) -> None:
    """Break lines that are wider than `room`, in pixels."""
    width = text.get_window_extent().width
    if width > room and room > 0:
        longest = max(len(line) for line in text.get_text().split("\n"))
        most = max(12, int(longest * room / width) - 1)
        text.set_text("\n".join(part for line in text.get_text().split("\n") for part in _broken(line, most)))


def _broken(line: str, most: int) -> list[str]:
    """Lines of at most so many characters; a number stays with its unit.

    >>> _broken("it takes 12.5 ms", 14)
    ['it takes', '12.5 ms']
    """
    joined = re.sub(r"(?<=\d) (?=(?:s|ms|USD|%)(?!\w))", "\u00a0", line)
    return [part.replace("\u00a0", " ") for part in wrap(joined, most)]


def _figure(ax: Axes) -> Figure:
    whole = ax.get_figure(root=True)
    assert whole is not None
    return whole


def name_ends(ax: Axes, ends: Iterable[End]) -> None:
    """The name of each line at the right of the axes, at the height of its end or as near as the others allow."""
    ordered = sorted(ends, key=lambda end: end.y)
    labels = [_beside(ax, end) for end in ordered]
    lay_out(ax)
    to_axes, to_pixels = ax.transAxes.inverted(), ax.transData
    wanted = [float(to_axes.transform(to_pixels.transform((end.x, end.y)))[1]) for end in ordered]
    height = ax.get_window_extent().height
    heights = [_extent(label).height * 1.12 / height for label in labels]
    for label, place in zip(labels, spread_out(wanted, heights), strict=True):
        label.set_position((label.get_position()[0], place))


def spread_out(wanted: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Middles for labels stacked in this order, each as near to what it wants as the others' heights allow.

    Neighbours that would overlap become one block, centred on what its members want on average; blocks then stay inside
    0 to 1 if they fit at all.

    >>> spread_out([0.5, 0.52, 0.9], [0.1, 0.1, 0.1])
    [0.46, 0.56, 0.9]
    """
    blocks: list[tuple[list[int], float]] = []
    for n, middle in enumerate(wanted):
        members, centre = [n], middle
        while True:
            centre = _inside(centre, sum(heights[m] for m in members))
            if not blocks or _top(blocks[-1], heights) <= centre - sum(heights[m] for m in members) / 2 + 1e-9:
                break
            members = blocks.pop()[0] + members
            centre = sum(wanted[m] for m in members) / len(members)
        blocks.append((members, centre))
    places = [0.0] * len(wanted)
    for members, centre in blocks:
        low = centre - sum(heights[m] for m in members) / 2
        for m in members:
            places[m] = round(low + heights[m] / 2, 6)
            low += heights[m]
    return places


def name_rows(ax: Axes, names: Sequence[str]) -> None:
    """One name a row of a chart that goes from top to bottom. A name is never read as a formula."""
    ax.set_yticks(range(len(names)), [drawn(name) for name in names])
    _plainly(ax.get_yticklabels())
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", visible=False)


def name_columns(ax: Axes, places: Sequence[int], names: Sequence[str]) -> None:
    """The same below the columns at these places."""
    ax.set_xticks(places, [drawn(name) for name in names])
    _plainly(ax.get_xticklabels())
    ax.grid(axis="x", visible=False)


def _plainly(labels: Iterable[Text]) -> None:
    for label in labels:
        label.set_parse_math(False)
        label.set_fontsize(LABEL_SIZE)


def name_points(ax: Axes, points: Sequence[tuple[float, float, str]], *, faint: Iterable[int] = ()) -> None:
    """A name beside each point, where neither another name nor another point nor the edge is in the way.

    Args:
        faint: which of the points are drawn back, and their names with them.
    """
    lay_out(ax)
    quiet = set(faint)
    marks = [ax.transData.transform((x, y)) for x, y, _ in points] + _along(ax)
    taken: list[Bbox] = []
    for n, (x, y, name) in enumerate(points):
        ink = theme.MUTED if n in quiet else theme.INK
        text = wrapped(name)
        line = {"arrowstyle": "-", "color": theme.MUTED, "lw": 0.6, "shrinkB": 4}
        label = ax.annotate(
            text, (x, y), xytext=(7, 0), textcoords="offset points", fontsize=LABEL_SIZE, color=ink, ha="center",
            va="center", parse_math=False, arrowprops=line,
        )  # fmt: skip
        taken.append(_settle(ax, label, marks, taken))


def _beside(ax: Axes, end: End) -> Annotation:
    return ax.annotate(
        wrapped(end.name),
        (end.x, end.y),
        xytext=(1.04, 0.5),
        textcoords="axes fraction",
        fontsize=LABEL_SIZE,
        color=theme.INK,
        va="center",
        parse_math=False,
        annotation_clip=False,
        arrowprops={
            "arrowstyle": "-", "color": end.colour, "lw": 1.0, "shrinkA": 2, "shrinkB": 4, "relpos": (0, 0.5),
        },
    )  # fmt: skip


def _along(ax: Axes) -> list[Any]:
    """Points every few pixels along the lines that are drawn, which a label shall not cover either."""
    import numpy as np

    found: list[Any] = []
    paths = [line.get_transform().transform_path(line.get_path()) for line in ax.get_lines()]
    paths += [ax.transData.transform_path(path) for lines in ax.collections for path in lines.get_paths()]
    for path in paths:
        corners = np.asarray(path.vertices, dtype=float)
        for begin, end in itertools.pairwise(corners):
            steps = int(np.abs(end - begin).max() / 5) + 1
            found += list(np.linspace(begin, end, steps, endpoint=False))
    return found


def _settle(ax: Axes, label: Annotation, marks: Sequence[Any], taken: Sequence[Bbox]) -> Bbox:
    """Put one label where it hides least, and return the room that it takes, in pixels."""
    from matplotlib.transforms import Bbox

    inside = ax.get_window_extent()
    size = _extent(label)
    pixels = _figure(ax).dpi / 72
    at = ax.transData.transform(label.xy)
    best: tuple[float, tuple[float, float], Bbox] | None = None
    for distance in DISTANCES:
        for dx, dy in SIDES:
            x = at[0] + dx * (distance * pixels + size.width / 2)
            y = at[1] + dy * (distance * pixels + size.height / 2)
            box = Bbox.from_bounds(x - size.width / 2, y - size.height / 2, size.width, size.height)
            cost = _hidden(box.padded(2), inside, marks, taken)
            if best is None or cost < best[0]:
                best = cost, ((x - at[0]) / pixels, (y - at[1]) / pixels), box
        if best is not None and best[0] == 0:
            break
    assert best is not None
    label.set_position(best[1])
    return best[2]


def _hidden(box: Bbox, inside: Bbox, marks: Sequence[Any], taken: Sequence[Bbox]) -> float:
    from matplotlib.transforms import Bbox

    kept = Bbox.intersection(box, inside)
    outside = box.width * box.height - (kept.width * kept.height if kept else 0.0)
    on_marks = sum(box.contains(*mark) for mark in marks)
    shared = (Bbox.intersection(box, other) for other in taken)
    return outside * 3 + on_marks * 100 + sum(part.width * part.height * 2 for part in shared if part)


def _extent(label: Annotation) -> Bbox:
    """Of the text alone, without the line to its mark."""
    from matplotlib.text import Text

    return Text.get_window_extent(label)


def _inside(centre: float, height: float) -> float:
    return 0.5 if height >= 1 else min(max(centre, height / 2), 1 - height / 2)


def _top(block: tuple[list[int], float], heights: Sequence[float]) -> float:
    members, centre = block
    return centre + sum(heights[m] for m in members) / 2
