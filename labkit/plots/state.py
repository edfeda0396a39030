"""State over time: what a rate limit still allows, and how much a cache answers.

lk.plots.gauge(pacer.gauge(), refused=lk.lab.journal())
lk.plots.cache_hits(lk.lab.journal())
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from labkit.plots import theme
from labkit.plots.finish import LABEL_SIZE, End, finish, name_ends, say
from labkit.plots.tidy import as_frame, groups, moments, rows
from labkit.plots.wording import counted, plain_name, sentence

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

TOO_MANY = 429
PROMPT = ("input", "cached", "cache_write", "cache_write_long")
MARKED = -9
"""Height of the refusals, in % of the limit: below the axis, where no line comes."""


@theme.style()
def gauge(
    data: Any,
    ax: Axes | None = None,
    *,
    time: str = "time",
    left: Sequence[str] = ("requests_left", "tokens_left"),
    limits: Mapping[str, float] | None = None,
    by: Sequence[str] = ("model", "key"),
    refused: Any = None,
    title: str | None = None,
) -> Axes:
    """How much of each limit is left, falling with the calls and rising as the window refills; refusals as crosses.

    Args:
        data: one row a moment, such as `Pacer.gauge()` gives. A column of `left` that it does not have is left out.
        time: datetimes, ISO text, or seconds.
        limits: {column: the whole limit}; without it the highest value seen counts as the whole.
        by: columns that tell lanes apart; one that has the same value everywhere, or is not there, is ignored.
        refused: a table with the same `time` column and a "status", of which the 429s are marked: `lab.journal()`.
    """
    levels = _levels(as_frame(data), time, left, by, limits or {})
    ax = theme.axes(ax, height=3.4)
    if not levels:
        return say(ax, "No moment with a known limit yet: make a paced call first.")
    start = min(level.at.min() for level in levels)
    ends = []
    for n, level in enumerate(levels):
        look = theme.look(n)
        at = level.at - start
        ax.plot(at, level.share, color=look.colour, linestyle=look.dash, drawstyle="steps-post", linewidth=1.6)
        ends.append(End(f"{level.name}\n({level.whole})", at.iloc[-1], level.share.iloc[-1], look.colour))
    refusals = _refusals(refused, time, start)
    _mark(ax, refusals)
    ax.set_ylim(MARKED * 1.7 if len(refusals) else 0, 106)
    ax.set_yticks([0, 25, 50, 75, 100])
    title = title if title is not None else _tightest(levels, None if refused is None else len(refusals))
    finish(ax, "seconds", "left of the limit (%)", title)
    name_ends(ax, ends)
    return ax


class Level(NamedTuple):
    """One limit of one model over time."""

    name: str
    whole: str
    """What the whole of it is, in words."""
    at: pd.Series
    """Seconds, on the table's own scale."""
    share: pd.Series
    """What is left, in % of the whole."""


def _levels(
    frame: pd.DataFrame, time: str, left: Sequence[str], by: Sequence[str], limits: Mapping[str, float]
) -> list[Level]:
    apart = [name for name in by if name in frame and frame[name].nunique() > 1]
    kept = frame.assign(_at=moments(frame[time])) if len(frame) else frame
    found = []
    for column in [name for name in left if name in frame]:
        table = rows(kept, ["_at", column], apart).frame.sort_values("_at", kind="stable")
        lanes = table[apart].agg(", ".join, axis=1) if apart else None
        for name, part in groups(table.assign(_lane=lanes), "_lane" if apart else None).items():
            whole = limits.get(column) or float(part[column].max()) or 1.0
            said = f"of {whole:,.0f}" if column in limits else f"most seen: {whole:,.0f}"
            subject = plain_name(column).removesuffix(" left")
            label = f"{subject}, {name}" if name else subject
            found.append(Level(label, said, part["_at"], part[column] / whole * 100))
    return found


def _refusals(refused: Any, time: str, start: float) -> pd.Series:
    import pandas as pd

    if refused is None or (table := as_frame(refused)).empty:
        return pd.Series([], dtype=float)
    return moments(table.loc[table["status"] == TOO_MANY, time]) - start


def _mark(ax: Axes, at: pd.Series) -> None:
    if len(at):
        ax.axhline(0, color=theme.MUTED, linewidth=0.8)
        ax.plot(at, [MARKED] * len(at), "x", color=theme.COLOURS["vermillion"], markersize=7)
        said = f"{len(at):,} × 429"
        ax.annotate(
            said, (float(at.iloc[-1]), MARKED), xytext=(8, 0), textcoords="offset points", va="center",
            fontsize=LABEL_SIZE, color=theme.INK,
        )  # fmt: skip


def _tightest(levels: Sequence[Level], refusals: int | None) -> str:
    """What came nearest to its end; how many were refused only where a journal says it."""
    name, lowest = min(((level.name, float(level.share.min())) for level in levels), key=lambda found: found[1])
    said = f"{sentence(name)} get tightest: {lowest:.0f} % left at the lowest point"
    if refusals is None:
        return said
    return f"{said}, and {counted(refusals, 'call') if refusals else 'no call'} refused"


@theme.style()
def cache_hits(
    data: Any,
    ax: Axes | None = None,
    *,
    hit: str | None = None,
    cached: str = "cached",
    prompt: Sequence[str] = PROMPT,
    by: str | None = None,
    title: str | None = None,
) -> Axes:
    """How much a cache has answered so far, call by call; the dots are the single calls.

    Args:
        data: one row a call, in order: `lab.journal()`, `ledger.table()`, a sweep's table.
        hit: column of True and False, for a cache of whole answers. Without it, prompt tokens count: those of `cached`
            as a share of all in the columns `prompt`.
        by: column that tells several runs apart.
    """
    from matplotlib.ticker import MaxNLocator

    frame = as_frame(data)
    columns = [hit] if hit else [cached, *(c for c in prompt if c in frame and c != cached)]
    found = rows(frame, columns, [by] if by else [])
    parts = groups(found.frame, by)
    ax = theme.axes(ax)
    if not parts:
        return say(ax, "No call says what came from a cache yet: there is nothing to draw.")
    ends, reached = [], {}
    for n, (name, part) in enumerate(parts.items()):
        look = theme.look(n)
        read, whole = part[columns[0]], (1.0 if hit else part[columns].sum(axis=1))
        asked = (read * 0 + whole).clip(lower=1e-12)
        so_far, calls = read.cumsum() / asked.cumsum() * 100, range(1, len(part) + 1)
        ax.plot(calls, read / asked * 100, look.marker, color=look.colour, markersize=4, alpha=0.45, markeredgewidth=0)
        ax.plot(calls, so_far, color=look.colour, linestyle=look.dash, linewidth=1.8)
        reached[name] = float(so_far.iloc[-1])
        ends.append(End(name or "so far", len(part), reached[name], look.colour))
    ax.set_ylim(-4, 104)
    ax.set_xlim(left=0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    what = "calls answered from the cache (%)" if hit else "prompt tokens read from the cache (%)"
    finish(ax, "call" + found.note, what, title if title is not None else _answered(reached, found.frame, hit))
    name_ends(ax, ends)
    return ax


def _answered(reached: dict[str, float], frame: pd.DataFrame, hit: str | None) -> str:
    if len(reached) == 1:
        (share,) = reached.values()
        what = "calls were answered" if hit else "prompt tokens were read"
        if share == 0:
            return f"None of the {what} from the cache in {counted(len(frame), 'call')}"
        return f"{share:.0f} % of the {what} from the cache in {counted(len(frame), 'call')}"
    best, worst = max(reached, key=lambda n: reached[n]), min(reached, key=lambda n: reached[n])
    what = "Calls answered" if hit else "Prompt tokens read"
    return f"{what} from the cache: {best} {reached[best]:.0f} %, {worst} {reached[worst]:.0f} %"
