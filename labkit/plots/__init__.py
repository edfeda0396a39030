"""Pictures for the lessons. Compute and draw are apart: values come in, an `Axes` goes out.

Every function takes `ax=None`, draws on a new figure if there is none, and returns the axes, so that a reader can go on
with plain matplotlib. matplotlib is imported on the first use of a name, not with the package.

    curve        a metric against a parameter, one line a model, with the band of its uncertainty
    heatmap      a metric over two parameters
    latency      how long calls took: every one of them, median and 95th percentile
    timeline     streams as bars: the wait, the first token, the tokens
    pareto       cost against quality: the choices that nothing beats in both, the others drawn back
    waterfall    from the first bill to the last, saving by saving
    spend        cost by day and model
    gauge        what a rate limit still allows, over time, and what was refused
    cache_hits   how much a cache has answered, call by call
    next_token   bars of one next-token distribution, before and after the sampling parameters (see `lens_view`)
    diversity    a metric against temperature, one line a provider, with its spread
    lines, bars  the plain ones: token growth by turn, latency against a cap
    style        the house colours and fonts, also as a context manager for a figure of your own

Those in the first group take tables as a sweep, `lk.ledger` and `lk.lab.journal()` give them, and the names of the
columns as arguments. Rows without a value are left out, which the axis says; where nothing can be drawn, a sentence
stands in place of the picture. A title that is not given is computed from the values.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.plots.charts import bars, diversity, heatmap, lines, spread
    from labkit.plots.comparison import curve
    from labkit.plots.labels import visible
    from labkit.plots.money import pareto, spend, waterfall
    from labkit.plots.state import cache_hits, gauge
    from labkit.plots.theme import COLOURS, look, style
    from labkit.plots.token_bars import next_token
    from labkit.plots.view import LensView, TokenBar, lens_view
    from labkit.plots.waiting import latency, timeline

__all__ = [
    "COLOURS",
    "LensView",
    "TokenBar",
    "bars",
    "cache_hits",
    "curve",
    "diversity",
    "gauge",
    "heatmap",
    "latency",
    "lens_view",
    "lines",
    "look",
    "next_token",
    "pareto",
    "spend",
    "spread",
    "style",
    "timeline",
    "visible",
    "waterfall",
]

_HOME = {
    "COLOURS": "theme",
    "LensView": "view",
    "TokenBar": "view",
    "bars": "charts",
    "cache_hits": "state",
    "curve": "comparison",
    "diversity": "charts",
    "gauge": "state",
    "heatmap": "charts",
    "latency": "waiting",
    "lens_view": "view",
    "lines": "charts",
    "look": "theme",
    "next_token": "token_bars",
    "pareto": "money",
    "spend": "money",
    "spread": "charts",
    "style": "theme",
    "timeline": "waiting",
    "visible": "labels",
    "waterfall": "money",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
