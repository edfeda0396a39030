"""How long answers took: distributions of latency, and streams as bars on one time axis.

lk.plots.latency(table, "latency_s", by="model")
lk.plots.timeline(lk.lab.journal())
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labkit.plots import theme
from labkit.plots.finish import LABEL_SIZE, finish, name_rows, plain_log, say, wrapped
from labkit.plots.tidy import as_frame, groups, moments, rows, seconds
from labkit.plots.wording import axis_name, counted, figure, plain_name, sentence, unit_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

ROW = 0.62
"""Inches of height for one distribution."""
WIDE = 30
"""Largest over smallest from which an axis counts in powers of ten."""
STREAM, LINE = 0.26, 0.14
"""Inches of height for one stream, and for each further line of its name."""
MOST_NAMED = 40
"""Streams; more are drawn without their names."""


@theme.style()
def latency(
    data: Any,
    value: str = "latency_s",
    by: str | None = "model",
    ax: Axes | None = None,
    *,
    title: str | None = None,
) -> Axes:
    """One row a group: every call as a dot, the middle half as a bar, the median and the 95th percentile in numbers.

    The scale is logarithmic where the slowest call took more than thirty times the fastest.

    Args:
        value: a column of durations; the unit at its name's end goes to the axis.
    """
    found = rows(data, [value], [by] if by else [])
    parts = groups(found.frame, by)
    ax = theme.axes(ax, height=1.5 + ROW * max(1, len(parts)))
    if not parts:
        return say(ax, f"No call has a {plain_name(value)} yet: there is nothing to draw.")
    everything = found.frame[value]
    if everything.min() > 0 and everything.max() > WIDE * everything.min():
        ax.set_xscale("log")
    for place, (_, part) in enumerate(parts.items()):
        _distribution(ax, place, part[value].sort_values().to_numpy())
    name_rows(ax, [f"{wrapped(name)}\n{counted(len(part), 'call')}".strip() for name, part in parts.items()])
    ax.set_ylim(len(parts) - 0.4, -0.62)
    if ax.get_xscale() == "linear":
        ax.set_xlim(left=0)
        ax.margins(x=0.06)
    else:
        plain_log(ax.xaxis)
    title = title if title is not None else _slowest(parts, value)
    for place, part in enumerate(parts.values()):
        _say_numbers(ax, place, part[value])
    key = "dots: calls, bar: middle half, line: median, diamond: 95th percentile"
    finish(ax, axis_name(value) + found.note, "", title, key)
    return ax


def _distribution(ax: Axes, place: int, values: Any) -> None:
    import numpy as np

    low, middle, high, late = np.quantile(values, (0.25, 0.5, 0.75, 0.95))
    blue = theme.COLOURS["blue"]
    steps = np.resize([0, 3, 1, 4, 2], len(values))  # neighbours in time stand at different heights
    ax.plot(values, place + 0.1 + 0.055 * steps, "o", markersize=2.6, color=theme.MUTED, alpha=0.55, markeredgewidth=0)
    ax.plot([low, high], [place - 0.04] * 2, color=blue, linewidth=7, solid_capstyle="butt", alpha=0.45)
    ax.plot([middle] * 2, [place - 0.16, place + 0.08], color=theme.INK, linewidth=2)
    ax.plot([late], [place - 0.04], "D", color=theme.COLOURS["vermillion"], markersize=6, markeredgecolor=theme.PAPER)


def _say_numbers(ax: Axes, place: int, values: Any) -> None:
    """Above the bar, on the side of the median that has the room."""
    import numpy as np

    middle, late = np.quantile(values, (0.5, 0.95))
    across = ax.transAxes.inverted().transform(ax.transData.transform((middle, place)))[0]
    said = f"median {figure(middle)}, 95th percentile {figure(late)}"
    side = "left" if across < 0.5 else "right"
    ax.text(middle, place - 0.2, said, fontsize=LABEL_SIZE, color=theme.INK, va="bottom", ha=side)


def _slowest(parts: dict[str, pd.DataFrame], value: str) -> str:
    medians = {name: float(part[value].median()) for name, part in parts.items()}
    unit = f" {unit_of(value)}" if unit_of(value) else ""
    slow, fast = max(medians, key=lambda n: medians[n]), min(medians, key=lambda n: medians[n])
    if len(medians) == 1:
        late = float(parts[slow][value].quantile(0.95))
        return sentence(
            f"half of the calls took {figure(medians[slow])}{unit} or less, "
            f"one in twenty more than {figure(late)}{unit}"
        )
    if medians[fast] <= 0:
        return f"{slow} is slowest: {figure(medians[slow])}{unit} at the median"
    factor = figure(medians[slow] / medians[fast])
    return f"{slow} takes {factor} times as long as {fast}: {figure(medians[slow])}{unit} at the median"


@theme.style()
def timeline(
    data: Any,
    ax: Axes | None = None,
    *,
    start: str = "time",
    first: str = "first_token_ms",
    total: str = "total_ms",
    label: str | None = "model",
    arrivals: str | None = None,
    title: str | None = None,
) -> Axes:
    """One bar a stream: hatched until its first token, solid until its last. Takes `lab.journal()` as it is.

    Args:
        start: column with when each began: datetimes, ISO text, or seconds.
        first, total: columns with how long after that the first token and the end came; seconds, or milliseconds where
            the name ends in "_ms".
        label: column that names the bars.
        arrivals: column with a list of seconds after the start at which pieces came, each drawn as a tick.
    """
    named = [label] if label else []
    frame = _streams(data, start, first, total, named, arrivals)
    names = [wrapped(name) for name in frame["label"]] if len(frame) <= MOST_NAMED else []
    lines = max((name.count("\n") + 1 for name in names), default=1)
    ax = theme.axes(ax, height=1.5 + (STREAM + LINE * (lines - 1)) * max(4, min(len(frame), 60)))
    if frame.empty:
        return say(ax, f"No call has both {plain_name(first)} and {plain_name(total)}: make a streamed call first.")
    places = range(len(frame))
    ax.barh(
        places, frame["first"], left=frame["start"], height=0.66, color=theme.PAPER, hatch="////",
        edgecolor=theme.MUTED, linewidth=0.8,
    )  # fmt: skip
    writing = (frame["total"] - frame["first"]).clip(lower=0)
    ax.barh(
        places, writing, left=frame["start"] + frame["first"], height=0.66, color=theme.COLOURS["sky"],
        edgecolor=theme.MUTED, linewidth=0.8,
    )  # fmt: skip
    ax.plot(
        frame["start"] + frame["first"], places, "D", color=theme.COLOURS["vermillion"], markersize=5,
        markeredgecolor=theme.PAPER, linestyle="none",
    )  # fmt: skip
    if arrivals is not None:
        for place, (begun, moments) in enumerate(zip(frame["start"], frame["arrivals"], strict=True)):
            ax.vlines([begun + m for m in moments], place - 0.33, place + 0.33, color=theme.INK, linewidth=0.7)
    name_rows(ax, names)
    ax.set_ylim(len(frame) - 0.4, -0.6)
    ax.set_xlim(left=0)
    key = "hatched: waiting, diamond: first token, solid: tokens arrive" + (", ticks: pieces" if arrivals else "")
    finish(ax, "seconds since the first request", "", title if title is not None else _typical(frame), key)
    return ax


def _streams(data: Any, start: str, first: str, total: str, named: list[str], arrivals: str | None) -> pd.DataFrame:
    """Columns start, first, total in seconds, label, arrivals; in the order in which they began."""
    whole = rows(data, [first, total], [*named, start])
    found, kept = whole.frame, as_frame(data).iloc[whole.places].reset_index(drop=True)
    begun = moments(kept[start]) if len(found) else found[first]
    shown = found.assign(
        start=begun - begun.min(),
        first=seconds(first, found[first]),
        total=seconds(total, found[total]),
        label=found[named[0]] if named else "",
        arrivals=list(kept[arrivals]) if arrivals and len(found) else [()] * len(found),
    )
    return shown.sort_values("start", kind="stable").reset_index(drop=True)


def _typical(frame: pd.DataFrame) -> str:
    first, total = figure(frame["first"].median()), figure(frame["total"].median())
    if len(frame) == 1:
        return f"The first token came after {first} s, the last after {total} s"
    return f"Half of the {len(frame)} streams show a first token by {first} s and are whole by {total} s"
