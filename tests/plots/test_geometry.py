"""Every text of every picture stands inside the figure and on no other text; every series can be told in grey."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from labkit import plots
from labkit.plots import theme

from .samples import BILLS, DRAWN, measurements

LONG = "A finding that takes a good many words to say, as findings do, and then a few more words to say why it is so"
PIXELS = 1.5
"""What two boxes may share: the rounding of a glyph's edge."""


def texts(figure: Any) -> Iterator[tuple[str, Bbox]]:
    """What is written, and where, in pixels; ticks outside the axes' limits are not."""
    figure.draw_without_rendering()
    for ax in figure.axes:
        if not ax.axison:
            yield from ((t.get_text(), t.get_window_extent()) for t in ax.texts)
            continue
        for axis, n in ((ax.xaxis, 0), (ax.yaxis, 1)):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_majorticklabels():
                if tick.get_text() and low <= tick.get_position()[n] <= high:
                    yield tick.get_text(), tick.get_window_extent()
        for text in (*ax.texts, ax.title, ax._left_title, ax.xaxis.label, ax.yaxis.label):
            if text.get_text():
                yield text.get_text(), Text.get_window_extent(text)
        if (legend := ax.get_legend()) is not None:
            yield from ((t.get_text(), t.get_window_extent()) for t in legend.get_texts())


def outside(figure: Any) -> list[str]:
    return [name for name, box in texts(figure) if not _within(box, figure.bbox.padded(PIXELS))]


def _within(box: Bbox, whole: Bbox) -> bool:
    return bool(whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0 and box.y1 <= whole.y1)


def overlapping(figure: Any) -> list[tuple[str, str]]:
    found = []
    for (a, one), (b, other) in combinations(texts(figure), 2):
        shared = Bbox.intersection(one, other)
        if shared is not None and shared.width > PIXELS and shared.height > PIXELS:
            found.append((a, b))
    return found


@pytest.mark.parametrize("name", DRAWN)
def test_no_text_overlaps_another_or_leaves_the_figure(name: str) -> None:
    ax = DRAWN[name]()
    assert outside(ax.figure) == []
    assert overlapping(ax.figure) == []
    assert ax.get_title(loc="left") or name in ("lines", "bars")  # the plain ones take the caller's
    assert ax.get_xlabel() or ax.get_ylabel()


@pytest.mark.parametrize("name", DRAWN)
def test_long_title_goes_on_in_the_next_line(name: str) -> None:
    ax = DRAWN[name](title=LONG)
    assert outside(ax.figure) == []
    assert overlapping(ax.figure) == []
    assert ax.get_title(loc="left").replace("\n", " ") == LONG


@pytest.mark.parametrize("name", DRAWN)
def test_axes_that_are_given_are_drawn_on(name: str) -> None:
    from matplotlib import pyplot

    with theme.style():
        figure, (left, right) = pyplot.subplots(1, 2, figsize=(15, 4.5), layout="constrained")
    assert DRAWN[name](ax=left) is left
    DRAWN[name](ax=right)
    assert outside(figure) == []


def grey(colour: Any) -> float:
    """Luminance of a colour, 0 to 1."""
    return float(np.dot(to_rgb(colour), (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize("models", [3, 8])
def test_lines_differ_without_colour(models: int) -> None:
    ax = plots.curve(measurements(models), "temperature", "distinct_2", band=None)
    marked = [line for line in ax.get_lines() if line.get_marker() != "None"]
    looks = {(line.get_marker(), str(line._dash_pattern)) for line in marked}
    assert len(looks) == len(marked) == models


def test_stacked_parts_differ_without_colour() -> None:
    ax = plots.spend(measurements(8))
    parts = [(bars[0].get_hatch(), round(grey(bars[0].get_facecolor()), 1)) for bars in ax.containers]
    assert len(set(parts)) == len(parts) == 7


def test_savings_and_costs_differ_without_colour() -> None:
    ax = plots.waterfall(BILLS)
    hatches = [bars[0].get_hatch() for bars in ax.containers]
    assert [bool(hatch) for hatch in hatches] == [False, False, True, False, False]


def test_waiting_and_writing_differ_without_colour() -> None:
    waiting, writing = (bars[0] for bars in DRAWN["timeline"]().containers)
    assert waiting.get_hatch() and not writing.get_hatch()
    assert abs(grey(waiting.get_facecolor()) - grey(writing.get_facecolor())) > 0.25


def test_ink_can_be_read_on_the_paper() -> None:
    for ink, least in ((theme.INK, 7), (theme.MUTED, 4.5)):  # contrast ratios of WCAG 2, AAA and AA
        assert contrast(ink, theme.PAPER) >= least


def contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        channels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return float(np.dot(channels, (0.2126, 0.7152, 0.0722)))

    dark, bright = sorted((light(one), light(other)))
    return (bright + 0.05) / (dark + 0.05)


def test_picture_brings_its_own_paper_to_a_dark_page() -> None:
    from io import BytesIO

    from matplotlib.image import imread

    file = BytesIO()
    DRAWN["curve"]().figure.savefig(file, format="png")
    corners = imread(BytesIO(file.getvalue()))[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert np.allclose(corners, (*to_rgb(theme.PAPER), 1), atol=0.01)
