"""The other pictures of the lessons: values in, axes out; nothing here calls an API.

A title that is not given says what the values show. Axes carry their units. Series differ in marker and dash as well as
in colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from labkit.plots import theme
from labkit.plots.finish import finish, name_columns, name_rows, say, wrapped
from labkit.plots.tidy import rows
from labkit.plots.wording import axis_name, plain_name, sentence

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


class Spread(NamedTuple):
    """Repeated measurements of one thing."""

    mean: float
    low: float
    """The smallest of them."""
    high: float
    """The largest of them."""


def spread(values: Iterable[float]) -> Spread:
    """Mean and range: with three to ten repeats, a range says more than an estimated deviation.

    >>> spread([0.2, 0.4, 0.9])
    Spread(mean=0.5, low=0.2, high=0.9)
    """
    found = list(values)
    return Spread(fmean(found), min(found), max(found))


@theme.style()
def diversity(
    results: Mapping[str, Mapping[float, Sequence[float]]],
    metric: str = "distinct share",
    ax: Axes | None = None,
    *,
    title: str | None = None,
) -> Axes:
    """A metric against temperature: one line a provider, its band from the smallest to the largest repeat.

    Args:
        results: {provider: {temperature: [one value a repeat or a prompt]}}.
        metric: the name of what the values are, with its unit if it has one.
    """
    ax = theme.axes(ax)
    for n, (name, points) in enumerate(results.items()):
        temperatures = sorted(points)
        found = [spread(points[t]) for t in temperatures]
        _line(ax, n, name, temperatures, [s.mean for s in found])
        low, high = [s.low for s in found], [s.high for s in found]
        ax.fill_between(temperatures, low, high, color=theme.look(n).colour, alpha=0.15, linewidth=0)
    _explain(ax, results, "mean; band: smallest to largest")
    finish(ax, "temperature", metric, title or _rise(results, metric))
    return ax


@theme.style()
def heatmap(
    values: Mapping[tuple[Any, Any], float] | pd.DataFrame,
    metric: str = "distinct share",
    ax: Axes | None = None,
    *,
    x: str = "temperature",
    y: str = "top_p",
    title: str | None = None,
) -> Axes:
    """A metric over two parameters, every cell with its number; a pair without a value stays blank and hatched.

    Args:
        values: {(x value, y value): value}; or a table with the columns `x`, `y` and `metric`, whose repeats are
            averaged. The two parameters are numbers, or names such as models.
    """
    if not isinstance(values, Mapping):
        values = _grid(values, metric, x, y)
    columns, lines = _steps(at for at, _ in values), _steps(at for _, at in values)
    ax = theme.axes(ax, width=1.9 + 0.75 * max(4, len(columns)), height=1.4 + 0.42 * max(2, len(lines)))
    if not values:
        return say(ax, f"No row has {plain_name(x)}, {plain_name(y)} and {plain_name(metric)}: nothing to draw yet.")
    grid = [[values.get((at, row), float("nan")) for at in columns] for row in lines]
    ax.patch.set_hatch("///")
    ax.patch.set_edgecolor(theme.PALE)
    image = ax.imshow(grid, cmap="cividis", aspect="auto", origin="lower")
    middle = (min(values.values()) + max(values.values())) / 2
    form = _form(values.values())
    for (at, row), value in values.items():
        ink = "white" if value <= middle else "black"
        place = columns.index(at), lines.index(row)
        ax.text(*place, format(value, form), ha="center", va="center", color=ink, fontsize=9)
    name_columns(ax, range(len(columns)), [_step_name(at) for at in columns])
    name_rows(ax, [_step_name(at) for at in lines])
    ax.figure.colorbar(image, ax=ax, label=axis_name(metric))
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    finish(ax, axis_name(x), axis_name(y), title or _peak(values, metric, x, y))
    return ax


def _grid(table: pd.DataFrame, metric: str, x: str, y: str) -> dict[tuple[Any, Any], float]:
    means = rows(table, [metric], either=[x, y]).frame.groupby([x, y], sort=False)[metric].mean()
    return {(at, row): float(value) for (at, row), value in means.items()}


def _form(values: Iterable[float]) -> str:
    """Digits that fit into a cell."""
    largest = max(abs(value) for value in values)
    return ".2f" if largest < 10 else ".1f" if largest < 100 else ",.0f"


def _steps(values: Iterable[Any]) -> list[Any]:
    """Numbers by size, names in the order in which they first come."""
    found = list(dict.fromkeys(values))
    return found if any(isinstance(value, str) for value in found) else sorted(found)


def _step_name(value: Any) -> str:
    return wrapped(value) if isinstance(value, str) else f"{value:g}"


@theme.style()
def lines(
    series: Mapping[str, Mapping[float, float]], x: str, y: str, ax: Axes | None = None, *, title: str = ""
) -> Axes:
    """One line a series.

    Args:
        series: {name: {x value: y value}}.
        x, y: what the axes show, with the unit: "turn", "prompt tokens", "latency (ms)".
    """
    from matplotlib.ticker import MaxNLocator

    ax = theme.axes(ax)
    for n, (name, points) in enumerate(series.items()):
        _line(ax, n, name, sorted(points), [points[at] for at in sorted(points)])
    _explain(ax, series if len(series) > 1 else {})
    if all(float(at).is_integer() for points in series.values() for at in points):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))  # there is no turn 1.5
    finish(ax, x, y, title)
    return ax


@theme.style()
def bars(
    values: Mapping[str, float], unit: str, ax: Axes | None = None, *, title: str = "", form: str = ",.3g"
) -> Axes:
    """One horizontal bar a name, with its number at the end.

    Args:
        unit: what a bar's length is, "cost (USD)".
        form: how the numbers are written, as in `format(number, form)`.
    """
    ax = theme.axes(ax, height=1.2 + 0.38 * len(values))
    places = range(len(values))
    drawn = ax.barh(places, list(values.values()), height=0.62, color=theme.COLOURS["blue"])
    ax.bar_label(drawn, [format(v, form) for v in values.values()], padding=4, fontsize=9, color=theme.INK)
    name_rows(ax, [wrapped(name) for name in values])
    ax.invert_yaxis()
    ax.margins(x=0.14)  # room for the numbers
    finish(ax, unit, "", title)
    return ax


def _line(ax: Axes, n: int, name: str, x: Sequence[float], y: Sequence[float]) -> None:
    look = theme.look(n)
    ax.plot(x, y, color=look.colour, marker=look.marker, linestyle=look.dash, markersize=5, label=name)


def _explain(ax: Axes, names: Iterable[str], note: str | None = None) -> None:
    """Legend, and an axis that begins at 0: a difference looks as large as it is."""
    if ax.dataLim.y0 >= 0:
        ax.set_ylim(bottom=0)
    if list(names):
        ax.legend(title=note, title_fontsize=9, alignment="left")


def _rise(results: Mapping[str, Mapping[float, Sequence[float]]], metric: str) -> str:
    """From the coldest to the hottest point, over all series."""
    by_temperature: dict[float, list[float]] = {}
    for points in results.values():
        for temperature, repeats in points.items():
            by_temperature.setdefault(temperature, []).extend(repeats)
    cold, hot = min(by_temperature), max(by_temperature)
    low, high = fmean(by_temperature[cold]), fmean(by_temperature[hot])
    verb = "rises" if high > low else "falls" if high < low else "stays"
    return f"{metric[:1].upper()}{metric[1:]} {verb} from {low:.2f} at T = {cold:g} to {high:.2f} at T = {hot:g}"


def _peak(values: Mapping[tuple[Any, Any], float], metric: str, x: str, y: str) -> str:
    (at, row), best = max(values.items(), key=lambda item: item[1])
    across = "T" if x == "temperature" else plain_name(x)
    shown = format(best, _form(values.values()))
    place = f"at {across} = {_step_name(at)} and {plain_name(y)} = {_step_name(row)}"
    return sentence(f"{plain_name(metric)} is highest, {shown}, {place}")
