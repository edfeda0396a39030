"""Every picture that takes a table, drawn from small and from awkward tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from labkit import plots

NAMES = (
    "tiny",
    "a-provider/a-model-whose-name-goes-on-and-on-preview-2026-11",
    "$dollars_and_$",
    "한국어 모델",
    "m5",
    "m6",
    "m7",
    "m8",
)


def measurements(models: int = 3, repeats: int = 6) -> pd.DataFrame:
    """Temperature, a metric, cost, quality and latency; no generator, so that a picture is the same each time."""
    rows = []
    for k, name in enumerate(NAMES[:models]):
        for t in (0.0, 0.5, 1.0):
            for r in range(repeats):
                wobble = ((r * 7 + k * 3) % 5 - 2) / 50
                rows.append(
                    {
                        "model": name,
                        "temperature": t,
                        "top_p": (0.5, 1.0)[r % 2],
                        "distinct_2": 0.4 + 0.3 * t + wobble,
                        "cost_usd": 0.001 * (k + 1) ** 2 * (1 + wobble),
                        "accuracy": 0.6 + (0.05 if k % 2 else -0.04) * k + wobble,
                        "latency_s": 0.4 * (k + 1) * (1 + abs(wobble) * r),
                        "day": f"2026-11-{8 + r:02d}",
                    }
                )
    return pd.DataFrame(rows)


def streams(n: int = 9) -> list[dict[str, Any]]:
    begun = pd.Timestamp("2026-11-21T10:00:00Z")
    return [
        {
            "time": (begun + pd.Timedelta(seconds=0.3 * k)).isoformat(),
            "first_token_ms": 200.0 + 20 * k,
            "total_ms": 900.0 + 50 * k,
            "model": NAMES[k % 4],
        }
        for k in range(n)
    ]


def levels(models: int = 1) -> pd.DataFrame:
    """Two windows of a minute in which requests and tokens run down."""
    rows = [
        {"time": float(t), "model": name, "requests_left": 60 - t % 60, "tokens_left": 40_000 - 600 * (t % 60)}
        for name in NAMES[:models]
        for t in range(0, 120, 5)
    ]
    return pd.DataFrame(rows)


def prompts() -> pd.DataFrame:
    rows = [{"input": 1200 if n == 0 else 200, "cached": 0 if n == 0 else 1000, "run": "same"} for n in range(12)]
    return pd.DataFrame(rows + [{"input": 1200, "cached": 0, "run": "one character moved"} for _ in range(12)])


BILLS = {"as it was": 3.1, "answers cached": 2.0, "longer prompts": 2.2, "a smaller model for what is easy": 0.25}
REFUSALS = [{"time": 20.0, "status": 429}, {"time": 55.0, "status": 429}, {"time": 60.0, "status": 200}]

DRAWN: dict[str, Callable[..., Any]] = {
    "curve": lambda **k: plots.curve(measurements(), "temperature", "distinct_2", **k),
    "curve of many": lambda **k: plots.curve(measurements(8), "temperature", "latency_s", **k),
    "curve of one": lambda **k: plots.curve(measurements(1), "temperature", "distinct_2", by=None, **k),
    "heatmap": lambda **k: plots.heatmap(measurements(), "distinct_2", **k),
    "latency": lambda **k: plots.latency(measurements(4), **k),
    "latency of one": lambda **k: plots.latency(measurements(1), by=None, **k),
    "timeline": lambda **k: plots.timeline(streams(), **k),
    "timeline of many": lambda **k: plots.timeline(streams(70), **k),
    "pareto": lambda **k: plots.pareto(measurements(4), **k),
    "pareto of many": lambda **k: plots.pareto(measurements(8), **k),
    "waterfall": lambda **k: plots.waterfall(BILLS, **k),
    "spend": lambda **k: plots.spend(measurements(3), **k),
    "spend of many": lambda **k: plots.spend(measurements(8), **k),
    "gauge": lambda **k: plots.gauge(levels(), refused=REFUSALS, **k),
    "gauge of two": lambda **k: plots.gauge(levels(2), **k),
    "cache hits": lambda **k: plots.cache_hits(prompts(), by="run", **k),
    "lines": lambda **k: plots.lines({"a": {1: 2, 2: 4}, "b": {1: 1, 2: 1}}, x="turn", y="tokens", **k),
    "bars": lambda **k: plots.bars({NAMES[1]: 3, "b": 5}, "cost (USD)", **k),
}
"""What is drawn: how, with what the caller adds."""

NOTHING: dict[str, Callable[..., Any]] = {
    "curve": lambda rows: plots.curve(rows, "temperature", "distinct_2"),
    "heatmap": lambda rows: plots.heatmap(pd.DataFrame(rows), "distinct_2"),
    "latency": lambda rows: plots.latency(rows),
    "timeline": lambda rows: plots.timeline(rows),
    "pareto": lambda rows: plots.pareto(rows),
    "spend": lambda rows: plots.spend(rows),
    "gauge": lambda rows: plots.gauge(rows),
    "cache hits": lambda rows: plots.cache_hits(rows),
}
"""The same for a table that may be empty."""
MISSING = {
    "model": "m", "temperature": 0.0, "top_p": 1.0, "distinct_2": None, "latency_s": None, "cost_usd": None,
    "accuracy": float("nan"), "time": "2026-11-21T10:00:00Z", "first_token_ms": None, "total_ms": None, "day": None,
    "requests_left": None, "tokens_left": None, "cached": None, "input": None,
}  # fmt: skip
"""A row in which nothing was measured."""
