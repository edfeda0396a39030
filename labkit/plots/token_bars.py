"""The picture of one next-token distribution.

Each row is a token. The solid bar is what is drawn from, the hatched bar what the cut took away, the thin outline what
the model said before any parameter. Kept and cut differ in fill and in hatching, so the picture survives a grey
printer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from labkit.plots import theme
from labkit.plots.labels import drawable
from labkit.plots.view import LensView, TokenBar, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, ROW, MARGINS = 7.6, 0.26, 1.0
"""Inches: the figure's width, the height of one token's row, all that is above and below the rows."""
CUT = "#E3E8ED"
COUNTS_AT = 1.2
"""Where on the x axis the column of draws ends, right of the 100 % line."""
NUMBER = 0.12
"""How much of the x axis the number beside a bar takes."""


@theme.style()
def next_token(
    view: LensView,
    ax: Axes | None = None,
    *,
    counts: Mapping[int, int] | None = None,
    title: bool = True,
    room: int | None = None,
) -> Axes:
    """Draw a `LensView`; returns the axes.

    Args:
        counts: {token id: how often it was drawn}, marked on the bars as shares of all draws.
        title: say the finding above the picture.
        room: rows to keep room for, so that pictures of shorter and longer views line up; by default none to spare.
    """
    rows = [*view.bars, view.rest]
    room = max(room or 0, len(rows))
    drawn = [_draws(view, row, counts or {}) for row in rows]
    ax = theme.axes(ax, width=WIDTH, height=MARGINS + ROW * room)
    _draw_bars(ax, rows, view)
    _draw_shares(ax, drawn)
    _write_numbers(ax, rows, drawn, cutting=view.params.temperature > 0)
    _set_axes(ax, rows, room)
    if title:
        ax.set_title(printable(view.title), parse_math=False)
    return ax


def printable(text: str) -> str:
    """`text` with what no installed font can draw written as escapes."""
    return drawable(text, known=theme.glyphs())


def _draw_bars(ax: Axes, rows: Sequence[TokenBar], view: LensView) -> None:
    places = range(len(rows))
    final = [row.final for row in rows]
    cut = f"cut: {percent(view.cut_mass)} of the mass" if any(row.cut for row in rows) else "cut: nothing"
    ax.barh(places, final, height=0.62, color=theme.COLOURS["blue"], label="drawn from")
    ax.barh(
        places, [r.cut for r in rows], left=final, height=0.62, color=CUT, hatch="////", edgecolor=theme.MUTED,
        linewidth=0, label=cut,
    )  # fmt: skip
    ax.barh(
        places, [row.model for row in rows], height=0.84, facecolor="none", edgecolor=theme.INK, linewidth=0.8,
        label="the model's own (T = 1)",
    )  # fmt: skip


def _draw_shares(ax: Axes, drawn: Sequence[int]) -> None:
    total = sum(drawn)
    hit = [(count / total, place) for place, count in enumerate(drawn) if count]
    if hit:
        x, y = zip(*hit, strict=True)
        label = f"share of {total:,} draws" if total > 1 else "drawn"
        ax.plot(
            x, y, "D", markersize=6, color=theme.COLOURS["vermillion"], markeredgecolor="white", label=label, zorder=5
        )


def _write_numbers(ax: Axes, rows: Sequence[TokenBar], drawn: Sequence[int], *, cutting: bool) -> None:
    total = sum(drawn)
    for place, (row, count) in enumerate(zip(rows, drawn, strict=True)):
        bars, share = max(row.model, row.final + row.cut), count / total if total else 0.0
        end = share if bars < share < bars + NUMBER else bars  # beside its bar, and not under the mark
        said = "cut" if cutting and not row.kept else percent(row.final)  # at T = 0 nothing is cut: all goes to one
        ink = theme.INK if row.kept else theme.MUTED
        ax.text(end + 0.015, place, said, va="center", color=ink, fontsize=9)
        if count:
            ax.text(
                COUNTS_AT, place, f"{count:,}×", va="center", ha="right", color=theme.COLOURS["vermillion"], fontsize=9
            )


def _set_axes(ax: Axes, rows: Sequence[TokenBar], room: int) -> None:
    ax.set_yticks(range(len(rows)), [printable(row.label) for row in rows])
    for tick, row in zip(ax.get_yticklabels(), rows, strict=True):
        tick.set_parse_math(False)  # a token may hold dollar signs
        tick.set_color(theme.INK if row.kept else theme.MUTED)
    ax.set_ylim(room - 0.4, -0.6)
    ax.set_xlim(0, COUNTS_AT)  # never rescaled: a bar's length means the same whatever the sliders say
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1.0], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    ax.set_xlabel("probability of being the next token")
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)
    ax.legend(loc="lower right", bbox_to_anchor=(0.94, 1.3 / room), fontsize=9)


def _draws(view: LensView, row: TokenBar, counts: Mapping[int, int]) -> int:
    """Draws of this row; a token without a row of its own counts for the row of all others."""
    return sum(count for token, count in counts.items() if view.bar(token).id == row.id)
