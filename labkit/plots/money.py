"""What calls cost: against what they are worth, day by day, and what each saving took off the bill.

lk.plots.pareto(table, cost="cost_usd", quality="accuracy")
lk.plots.waterfall({"as it was": 3.1, "response cache": 1.9, "smaller model": 0.6})
lk.plots.spend(lk.ledger.table())
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labkit.plots import theme
from labkit.plots.finish import LABEL_SIZE, End, finish, name_columns, name_ends, name_points, plain_log, say, wrapped
from labkit.plots.tidy import as_frame, interval, rows
from labkit.plots.wording import axis_name, counted, figure, measured, plain_name

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

WIDE = 20
MOST_PARTS = 6
"""Groups of the spending that get a look of their own; the rest is summed."""
OTHERS = "all others"
PILLAR = 0.66
"""Width of a bar, of the room that it has."""
MOST_TOTALS = 14
"""Days; of more only the dearest gets its total written."""
MOST_CHARACTERS = 44
"""Of all names of days together: what stands side by side."""
DATE = re.compile(r"(\d{4})-\d\d-\d\d")


@theme.style()
def pareto(
    data: Any,
    cost: str = "cost_usd",
    quality: str = "accuracy",
    label: str = "model",
    ax: Axes | None = None,
    *,
    cluster: str = "prompt_id",
    title: str | None = None,
) -> Axes:
    """Cost against quality: a line through the choices that nothing else beats in both, the others drawn back.

    Args:
        data: one row a choice, or one a measurement: then the mean is drawn, with the 95 % interval of both.
        cost: less is better. The scale is logarithmic where the dearest costs twenty times the cheapest.
        quality: more is better.
        cluster: column of what repeats belong to, as in `curve`.
    """
    data = as_frame(data)
    found = rows(data, [cost, quality], [label, *(name for name in (cluster,) if name in data)])
    ax = theme.axes(ax, height=4.2)
    if found.frame.empty:
        return say(
            ax, f"No row has both {plain_name(cost)} and {plain_name(quality)}: there is nothing to compare yet."
        )
    table = _choices(found.frame, cost, quality, label, cluster)
    front = best_choices(list(zip(table[cost], table[quality], strict=True)))
    if table[cost].min() > 0 and table[cost].max() > WIDE * table[cost].min():
        ax.set_xscale("log")
        plain_log(ax.xaxis)
    _draw_choices(ax, table, front, cost, quality)
    ax.margins(x=0.16, y=0.16)
    title = title if title is not None else _worth(table, front, cost, quality)
    key = "cross through a point: its 95 % interval" if len(found.frame) > len(table) else ""
    finish(ax, axis_name(cost) + found.note, axis_name(quality), title, key)
    points = list(zip(table[cost], table[quality], table.index, strict=True))
    name_points(ax, points, faint=set(range(len(points))) - set(front))
    return ax


def best_choices(points: Sequence[tuple[float, float]]) -> list[int]:
    """Places of the (cost, quality) points that no other is at least as good as in both, from the cheapest on.

    >>> best_choices([(1.0, 0.5), (2.0, 0.4), (3.0, 0.9), (1.0, 0.3)])
    [0, 2]
    """
    found: list[int] = []
    for n in sorted(range(len(points)), key=lambda n: (points[n][0], -points[n][1])):
        if not found or points[n][1] > points[found[-1]][1]:
            found.append(n)
    return found


def _choices(frame: pd.DataFrame, cost: str, quality: str, label: str, cluster: str) -> pd.DataFrame:
    """One row a choice: the means, and for each of both "<column> low" and "<column> high"."""
    import pandas as pd

    found = {}
    for name, part in frame.groupby(label, sort=False):
        row = {}
        for column in (cost, quality):
            row[column] = part[column].mean()
            row[f"{column} low"], row[f"{column} high"], _ = interval(part[column], clusters=part.get(cluster))
        found[name] = row
    return pd.DataFrame.from_dict(found, orient="index")


def _draw_choices(ax: Axes, table: pd.DataFrame, front: list[int], cost: str, quality: str) -> None:
    best = table.iloc[front]
    across, up = best[cost].repeat(2)[1:], best[quality].repeat(2)[:-1]  # a stair: flat, then up
    ax.plot(across, up, color=theme.COLOURS["blue"], linewidth=1.6, zorder=2)
    for n in range(len(table)):
        row, in_front = table.iloc[n], n in front
        colour = theme.COLOURS["blue"] if in_front else theme.MUTED
        ax.errorbar(
            row[cost], row[quality],
            xerr=[[max(0.0, row[cost] - row[f"{cost} low"])], [max(0.0, row[f"{cost} high"] - row[cost])]],
            yerr=[[max(0.0, row[quality] - row[f"{quality} low"])], [max(0.0, row[f"{quality} high"] - row[quality])]],
            fmt="o" if in_front else "X", color=colour, markersize=8 if in_front else 7, elinewidth=0.8,
            markerfacecolor=colour if in_front else theme.PAPER, zorder=3,
        )  # fmt: skip


def _worth(table: pd.DataFrame, front: list[int], cost: str, quality: str) -> str:
    if len(table) == 1:
        return f"{table.index[0]} costs {measured(table[cost].iloc[0], cost)}: one choice is no comparison"
    if len(front) == 1:
        return f"{table.index[front[0]]} is cheapest, and nothing is better: no other is worth its price"
    first, last = table.iloc[front[0]], table.iloc[front[-1]]
    times = f"{figure(last[cost] / first[cost])} times the price" if first[cost] > 0 else "a price"
    gain = f"{plain_name(quality)} from {figure(first[quality])} to {figure(last[quality])}"
    return f"{len(front)} of {len(table)} are worth their price; {times} takes {gain}"


@theme.style()
def waterfall(
    steps: Mapping[str, float] | pd.DataFrame,
    unit: str = "cost (USD)",
    ax: Axes | None = None,
    *,
    title: str | None = None,
) -> Axes:
    """From the first bill to the last: one bar a step for what it took off, or put on.

    Args:
        steps: {step: the whole bill after it}, the first being the bill to begin with; or a table whose first column
            names the steps and whose second holds the bills.
        unit: what a bar's height is.
    """
    named = dict(steps) if isinstance(steps, Mapping) else dict(zip(steps.iloc[:, 0], steps.iloc[:, 1], strict=True))
    bills = {str(name): float(value) for name, value in named.items() if value == value}
    ax = theme.axes(ax, width=max(6.8, 1.0 + 0.95 * len(bills)), height=4.0)
    if len(bills) < 2:
        return say(ax, "A waterfall needs the bill before and after one step at least.")
    values = list(bills.values())
    _pillar(ax, 0, values[0])
    for n, (before, after) in enumerate(zip(values, values[1:], strict=False), start=1):
        _step(ax, n, before, after)
    _pillar(ax, len(values), values[-1])
    names = [*bills, "what is left"]
    name_columns(ax, range(len(names)), [_narrow(name) for name in names])
    ax.set_ylim(0, max(values) * 1.13 or 1)
    finish(ax, "", unit, title if title is not None else _factor(values, unit))
    return ax


def _pillar(ax: Axes, place: int, value: float) -> None:
    drawn = ax.bar([place], [value], width=PILLAR, color=theme.COLOURS["blue"])
    ax.bar_label(drawn, [figure(value)], padding=3, fontsize=LABEL_SIZE, color=theme.INK)


def _step(ax: Axes, place: int, before: float, after: float) -> None:
    saved = after <= before
    ax.bar(
        [place], [abs(after - before)], bottom=min(before, after), width=PILLAR,
        color="#BFE3D6" if saved else "#F3C9A8", hatch="" if saved else "////", edgecolor=theme.MUTED, linewidth=0.8,
    )  # fmt: skip
    ax.plot([place - 1 + PILLAR / 2, place + PILLAR / 2], [before] * 2, color=theme.MUTED, linewidth=0.8)
    ax.plot([place + PILLAR / 2, place + 1 - PILLAR / 2], [after] * 2, color=theme.MUTED, linewidth=0.8)
    said = f"{'−' if saved else '+'}{figure(abs(after - before))}"
    if before > 0:
        said += f"\n{'−' if saved else '+'}{abs(after - before) / before:.0%}".replace("%", " %")
    ax.annotate(
        said, (place, max(before, after)), xytext=(0, 3), textcoords="offset points", ha="center", va="bottom",
        fontsize=LABEL_SIZE, color=theme.INK,
    )  # fmt: skip


def _narrow(name: str) -> str:
    from textwrap import wrap

    return "\n".join(wrap(wrapped(name).replace("\n", " "), 12))


def _factor(values: Sequence[float], unit: str) -> str:
    first, last = values[0], values[-1]
    span = f"from {measured(first, unit)} to {measured(last, unit)}"
    if last <= 0:
        return f"Nothing is left of the bill: {span}"
    factor = first / last
    if factor >= 1:
        return f"{figure(factor)} times cheaper: {span} in {counted(len(values) - 1, 'step')}"
    return f"{figure(1 / factor)} times dearer: {span} in {counted(len(values) - 1, 'step')}"


@theme.style()
def spend(
    data: Any,
    by: str = "model",
    ax: Axes | None = None,
    *,
    day: str = "day",
    cost: str = "cost_usd",
    title: str | None = None,
) -> Axes:
    """Cost by day, stacked: the six largest groups by name, the rest as one; the day's total stands on its bar.

    Args:
        data: `ledger.table()`, `ledger.spend()`, `lab.ledger(by=("day", "model"))`, or any table with these columns.
        day: column with dates or text; where the table has none, the date of its "time".
    """
    frame = as_frame(data)
    if day not in frame and "time" in frame:
        frame = frame.assign(**{day: frame["time"].dt.strftime("%Y-%m-%d")})
    found = rows(frame, [cost], [day, by])
    ax = theme.axes(ax, height=3.8)
    if found.frame.empty:
        return say(ax, "No call with a known price is in the ledger yet: there is nothing to draw.")
    table = found.frame.pivot_table(index=day, columns=by, values=cost, aggfunc="sum", fill_value=0.0).sort_index()
    table = _largest(table)
    totals = _stack(ax, table)
    _write_totals(ax, totals)
    year = _days(ax, [str(name)[:10] for name in table.index])
    ax.set_ylim(0, max(totals) * 1.12 or 1)
    title = title if title is not None else _dearest(table, cost)
    finish(ax, f"{plain_name(day)}{year}{found.note}", axis_name(cost), title)
    name_ends(ax, _last_parts(table))
    return ax


def _stack(ax: Axes, table: pd.DataFrame) -> list[float]:
    """One part a column on the other; how high each day has become."""
    base = [0.0] * len(table)
    for n, name in enumerate(table):
        look, heights = theme.look(n), list(table[name])
        ax.bar(
            range(len(table)), heights, bottom=base, width=PILLAR, color=theme.PALE if name == OTHERS else look.colour,
            hatch=look.hatch, edgecolor=theme.PAPER, linewidth=0.8,
        )  # fmt: skip
        base = [low + height for low, height in zip(base, heights, strict=True)]
    return base


def _write_totals(ax: Axes, totals: list[float]) -> None:
    for place in range(len(totals)) if len(totals) <= MOST_TOTALS else [totals.index(max(totals))]:
        ax.annotate(
            figure(totals[place]), (place, totals[place]), xytext=(0, 3), textcoords="offset points", ha="center",
            fontsize=LABEL_SIZE, color=theme.INK,
        )  # fmt: skip


def _last_parts(table: pd.DataFrame) -> list[End]:
    """What each column is called and cost in all, at its part of the last day."""
    sums, last = table.sum(), table.iloc[-1]
    middles = last.cumsum() - last / 2
    at = len(table) - 1 + PILLAR / 2
    said = [f"{name}: {figure(sums[name])}" if len(sums) > 1 else str(name) for name in table]
    return [End(name, at, float(middle), theme.MUTED) for name, middle in zip(said, middles, strict=True)]


def _largest(table: pd.DataFrame) -> pd.DataFrame:
    """Columns by what they cost in all, the dearest first; those beyond the sixth in one."""
    order = table.sum().sort_values(ascending=False, kind="stable").index
    table = table[list(order)]
    if len(order) <= MOST_PARTS:
        return table
    return table[list(order[:MOST_PARTS])].assign(**{OTHERS: table[list(order[MOST_PARTS:])].sum(axis=1)})


def _days(ax: Axes, names: list[str]) -> str:
    """Name at most ten days, which is what stands side by side; a year that all share goes to the axis, as returned."""
    dates = [DATE.fullmatch(name) for name in names]
    years = {found[1] for found in dates if found}
    shared = len(years) == 1 and all(dates)
    short = [name[5:] if shared else name for name in names]
    step = -(-len(names) * max(map(len, short)) // MOST_CHARACTERS)
    shown = range(0, len(names), step)
    name_columns(ax, shown, [short[n] for n in shown])
    ax.set_xlim(-0.6, max(len(names) - 0.4, 0.9))
    return f" of {years.pop()}" if shared else ""


def _dearest(table: pd.DataFrame, cost: str) -> str:
    totals = table.sum()
    whole, name = float(totals.sum()), totals.index[0]
    days = counted(len(table), "day")
    if not whole:
        return f"Nothing was charged in {days}"
    if len(totals) == 1:
        return f"{name} cost {measured(whole, cost)} in {days}"
    return f"{name} took {totals.iloc[0] / whole * 100:.0f} % of {measured(whole, cost)} in {days}"
