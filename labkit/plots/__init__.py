"""Pictures for the lessons. Compute and draw are apart: values come in, an `Axes` goes out.

Every function takes `ax=None`, draws on a new figure if there is none, and returns the axes, so that a reader can go on
with plain matplotlib. matplotlib is imported on the first use of a name, not with the package.

    next_token   bars of one next-token distribution, before and after the sampling parameters (see `lens_view`)
    diversity    a metric against temperature, one line a provider, with its spread
    heatmap      a metric over temperature x top_p
    lines, bars  the plain ones: token growth by turn, latency against a cap
    style        the house colours and fonts, also as a context manager for a figure of your own
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.plots.charts import bars, diversity, heatmap, lines, spread
    from labkit.plots.labels import visible
    from labkit.plots.theme import COLOURS, style
    from labkit.plots.token_bars import next_token
    from labkit.plots.view import LensView, TokenBar, lens_view

__all__ = [
    "COLOURS",
    "LensView",
    "TokenBar",
    "bars",
    "diversity",
    "heatmap",
    "lens_view",
    "lines",
    "next_token",
    "spread",
    "style",
    "visible",
]

_HOME = {
    "COLOURS": "theme",
    "LensView": "view",
    "TokenBar": "view",
    "bars": "charts",
    "diversity": "charts",
    "heatmap": "charts",
    "lens_view": "view",
    "lines": "charts",
    "next_token": "token_bars",
    "spread": "charts",
    "style": "theme",
    "visible": "labels",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
