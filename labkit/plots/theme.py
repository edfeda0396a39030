"""House style: colours that colour-blind readers can tell apart, fonts that are really installed.

Colours are those of Okabe & Ito, "Color Universal Design" (2008). No picture says anything by colour alone: kept and
cut also differ in hatching, lines also in marker and dash.

A picture is a card of its own, dark ink on light paper, in every theme of the page around it: the kernel that draws it
cannot know whether JupyterLab is light or dark, and a saved page is read in both. The paper is a little off white, so
that the card shows its edge on a white page and does not glare on a dark one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "black": "#000000",
}
CYCLE = ("blue", "orange", "green", "vermillion", "purple", "sky")
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)))
HATCHES = ("", "////", "....", "xxxx", "----", "\\\\\\\\")
INK, MUTED, PALE = "#222222", "#5F6368", "#C9D1D9"
PAPER, RULE = "#F8F8F5", "#E1E3E5"


class Look(NamedTuple):
    """How one series is drawn."""

    colour: str
    marker: str
    dash: Any
    hatch: str


def look(n: int) -> Look:
    """The look of the nth series. Marker and dash tell the first 36 apart without colour, the hatch the first six.

    >>> len({(look(n).marker, look(n).dash) for n in range(36)})
    36
    """
    kind = n % len(CYCLE)
    dash = DASHES[(n + n // len(CYCLE)) % len(DASHES)]
    return Look(COLOURS[CYCLE[kind]], MARKERS[kind], dash, HATCHES[kind])


# The first is inside matplotlib's own wheel. The others, where installed, lend the glyphs that it lacks.
FAMILIES = (
    "DejaVu Sans",
    "Noto Sans CJK KR",
    "Noto Sans KR",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
    "NanumGothic",
    "Noto Sans Symbols 2",
)


@contextmanager
def style() -> Iterator[None]:
    """House fonts and spines for every figure made inside.

    >>> import matplotlib.pyplot as plt
    >>> with style():
    ...     plt.rcParams["axes.spines.top"]
    False
    """
    from cycler import cycler
    from matplotlib import interactive as set_interactive
    from matplotlib import is_interactive, rc_context

    settings: Any = {
        "font.family": list(families()),
        "font.size": 10,
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
        "axes.titlepad": 10,
        "axes.labelcolor": INK,
        "axes.edgecolor": MUTED,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.facecolor": PAPER,
        "axes.axisbelow": True,
        "axes.grid": True,
        "grid.color": RULE,
        "grid.linewidth": 0.8,
        "axes.prop_cycle": cycler(color=[COLOURS[c] for c in CYCLE]),
        "figure.constrained_layout.w_pad": 0.1,  # inches
        "figure.constrained_layout.h_pad": 0.08,
        "figure.facecolor": PAPER,
        "figure.dpi": 100,
        "savefig.facecolor": PAPER,
        "hatch.linewidth": 0.8,
        "legend.frameon": False,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
    }
    with rc_context(settings):
        try:
            yield
        finally:
            # A notebook's first figure turns interactive mode on, without which no later one is shown: keep it.
            interactive = is_interactive()
    set_interactive(interactive)


def axes(ax: Axes | None, *, width: float = 6.8, height: float = 3.6) -> Axes:
    """`ax`, or new axes on a pyplot figure (inches), which a notebook shows at the end of the cell."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    _, new = pyplot.subplots(figsize=(width, height), layout="constrained")
    return new


@cache
def families() -> tuple[str, ...]:
    """The installed ones of `FAMILIES`, so that matplotlib never warns about a missing family."""
    from matplotlib.font_manager import fontManager

    there = {font.name for font in fontManager.ttflist}
    return tuple(name for name in FAMILIES if name in there)


@cache
def glyphs() -> frozenset[int]:
    """Code points that the installed families can draw."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    known: set[int] = set()
    for name in families():
        known.update(get_font(findfont(FontProperties(family=[name]))).get_charmap())
    return frozenset(known)
