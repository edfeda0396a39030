"""A metric against a parameter, one line a model, with the uncertainty of repeated measurements.

lk.plots.curve(table, x="temperature", y="distinct_2")
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from labkit.plots import theme
from labkit.plots.finish import End, finish, name_columns, name_ends, say, wrapped
from labkit.plots.tidy import Band, as_frame, groups, interval, rows
from labkit.plots.wording import axis_name, figure, plain_name, sentence, unit_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

TALL = 0.22
"""Inches of figure height that one more name takes."""


@theme.style()
def curve(
    data: Any,
    x: str,
    y: str,
    by: str | None = "model",
    ax: Axes | None = None,
    *,
    band: Band = "interval",
    low: str | None = None,
    high: str | None = None,
    cluster: str = "prompt_id",
    title: str | None = None,
) -> Axes:
    """The mean of `y` at each `x`, one line for each value of `by`, with a band of its uncertainty.

    Args:
        data: a table with one row a measurement, such as a sweep's; rows without a value are left out and counted on
            the axis.
        x, y: columns; y holds numbers, x numbers, or the names of steps in the order in which they first come. A unit
            at a name's end ("cost_usd", "latency_s") goes to the axis.
        by: what tells the lines apart; None draws one.
        band: "interval" is the 95 % interval of the mean by bootstrap, and the range where there are fewer than five
            repeats; "range" is smallest to largest; None draws none.
        low, high: columns that hold the band already, where a table has one row a point, as `metrics.summary` gives.
        cluster: column of what repeats belong to. Where a point has several, they are drawn for the interval and not
            their answers, which resemble each other; a table without the column has none.
    """
    data = as_frame(data)
    bounds = [column for column in (low, high) if column is not None]
    names = [column for column in (by, cluster if cluster in data else None) if column is not None]
    found = rows(data, [y, *bounds], names, either=[x])
    steps = [] if found.frame[x].dtype.kind == "f" else list(dict.fromkeys(found.frame[x]))
    table = found.frame.assign(**{x: found.frame[x].map(steps.index)}) if steps else found.frame
    series = groups(table, by)
    ax = theme.axes(ax, height=max(3.6, 1.4 + TALL * len(series)))
    if not series:
        return say(ax, f"No row has both {plain_name(x)} and {plain_name(y)}: there is nothing to draw yet.")
    points = {name: _points(part, x, y, band, low, high, cluster) for name, part in series.items()}
    ends = [_draw(ax, n, name, line) for n, (name, line) in enumerate(points.items())]
    if ax.dataLim.y0 >= 0:
        ax.set_ylim(bottom=0)
    if steps:
        name_columns(ax, range(len(steps)), [wrapped(step) for step in steps])
    title = title if title is not None else _finding(points, x, y, steps)
    finish(ax, axis_name(x) + found.note, axis_name(y), title, key=_key(points, measured=low is not None))
    if by is not None:
        name_ends(ax, ends)
    return ax


def _draw(ax: Axes, n: int, name: str, line: pd.DataFrame) -> End:
    """One line with its band; where it ends."""
    look = theme.look(n)
    ax.plot(line["x"], line["mean"], color=look.colour, marker=look.marker, linestyle=look.dash, markersize=5)
    ax.fill_between(line["x"], line["low"], line["high"], color=look.colour, alpha=0.16, linewidth=0)
    for edge in ("low", "high"):  # an edge of its own, so that bands that lie on each other stay apart in grey
        ax.plot(line["x"], line[edge], color=look.colour, linewidth=0.6, alpha=0.6)
    return End(name, line["x"].iloc[-1], line["mean"].iloc[-1], look.colour)


def _points(
    part: pd.DataFrame, x: str, y: str, band: Band, low: str | None, high: str | None, cluster: str
) -> pd.DataFrame:
    """One row an x value: x, mean, low, high, resampled."""
    import pandas as pd

    found = []
    for at, same in part.groupby(x):
        span = interval(same[y], band, same.get(cluster))
        lowest = same[low].mean() if low else span.low
        highest = same[high].mean() if high else span.high
        found.append((at, same[y].mean(), lowest, highest, span.resampled))
    return pd.DataFrame(found, columns=["x", "mean", "low", "high", "resampled"])


def _key(points: dict[str, pd.DataFrame], *, measured: bool) -> str:
    """What line and band are; nothing where there is no band to see."""
    import pandas as pd

    every = pd.concat(points.values())
    if (every["low"] == every["high"]).all():
        return ""
    few = "smallest to largest"
    ranges = few if not every["resampled"].any() else f"its 95 % interval, or {few} of few"
    whole = "its 95 % interval" if every["resampled"].all() else ranges
    return f"line: mean, band: {'its uncertainty' if measured else whole}"


def _finding(points: dict[str, pd.DataFrame], x: str, y: str, steps: Sequence[str]) -> str:
    """What one line does from its first point to its last, or which of several ends highest."""
    unit = f" {unit_of(y)}" if unit_of(y) else ""
    if len(points) == 1:
        return sentence(_course(next(iter(points.values())), x, y, unit, steps))
    means = {name: float(table["mean"].mean()) for name, table in points.items()}
    best, worst = max(means, key=lambda n: means[n]), min(means, key=lambda n: means[n])
    if means[best] == means[worst]:
        return sentence(f"{plain_name(y)}: {figure(means[best])}{unit} on average for each of the {len(means)}")
    return sentence(
        f"{plain_name(y)}: highest for {best}, {figure(means[best])}{unit} on average, "
        f"lowest for {worst}, {figure(means[worst])}{unit}"
    )


def _course(table: pd.DataFrame, x: str, y: str, unit: str, steps: Sequence[str]) -> str:
    """From the first point to the last; a change that the bands could explain is none."""
    first, last = table.iloc[0], table.iloc[-1]
    name, at, begin, end = plain_name(y), plain_name(x), figure(first["mean"]), figure(last["mean"])
    low, high = (steps[int(row["x"])] if steps else figure(row["x"]) for row in (first, last))
    if len(table) == 1:
        return f"{name} is {begin}{unit} at {at} = {low}"
    span = f"as {at} goes from {low} to {high}"
    if first["low"] <= last["high"] and last["low"] <= first["high"]:
        return f"{name} shows no clear change, {begin} to {end}{unit}, {span}"
    return f"{name} {'rises' if last['mean'] > first['mean'] else 'falls'} from {begin} to {end}{unit} {span}"
