"""`cost_calculator`: a month's bill under your hand, for two models, with what each saving takes off.

    lk.cost_calculator(requests=10_000, input=500, output=200)

The sum is `cost_plan.Plan`'s, the rates are `labkit.prices`', and both are shown.
"""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Any

import ipywidgets as widgets

from labkit import prices, registry
from labkit.display import LINE, TINT, block, shown
from labkit.widgets.cost_plan import DAYS, Line, Plan, money, percent

WIDTH = "770px"
COUNTS = [n * 10**power for power in range(1, 6) for n in (1, 2, 5)] + [1_000_000]
SHARE_STEP = 5
ABOUT = {
    "requests": "requests a day",
    "input": "prompt tokens a request",
    "output": "answer tokens a request",
    "cached": "% of the prompt read from a cache",
    "batch": "% of the requests in batches",
    "moved": "% of the requests moved to the cheaper model",
}


def cost_calculator(
    model: str | None = None,
    cheaper: str | None = None,
    *,
    requests: int = 10_000,
    input: int = 500,
    output: int = 200,
    cached: float = 0.0,
    batch: float = 0.0,
    moved: float = 0.0,
) -> CostCalculator:
    """What a workload costs in a month of 30 days, and what caching, batches and a cheaper model change.

    Args:
        model: serves everything at first; by default the course's large OpenAI model.
        cheaper: the model to compare with and to move requests to; by default the small one of the same provider.
        requests: a day.
        input, output: tokens a request.
        cached, batch, moved: shares between 0 and 1.

    Raises:
        UnknownModel: no such model.
        UnknownPrice: nobody lists a price for it.
        ValueError: a share outside 0 to 1, or a negative count.
    """
    row = registry.find(model or registry.model("openai", "large"))
    other = registry.find(cheaper or registry.model(row.provider, "small"))
    return CostCalculator(Plan(row.id, other.id, requests, input, output, cached, batch, moved))


class CostCalculator(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The widget. `plan` is what the controls say; `controls` holds them by the plan's names."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.controls = {
            "model": _models("model", plan.model),
            "cheaper": _models("compared with", plan.cheaper),
            **{name: _count(name, getattr(plan, name)) for name in ("requests", "input", "output")},
            **{name: _share(name, getattr(plan, name)) for name in ("cached", "batch", "moved")},
        }
        self.result = widgets.HTML(layout={"width": "100%", "min_height": "33em"})
        models = [self.controls[name] for name in ("model", "cheaper")]
        rows = [_with_words(self.controls[name], words) for name, words in ABOUT.items()]
        choice = widgets.HBox(models, layout={"flex_flow": "row wrap"})
        super().__init__([choice, *rows, self.result], layout={"width": "100%", "max_width": WIDTH})
        for control in self.controls.values():
            control.observe(self._moved, names="value")
        self._show()

    def __str__(self) -> str:
        rows = [f"{line.name:24}{money(line.usd):>16}" for line in self.plan.steps()]
        return "\n".join([finding(self.plan), *rows, self.plan.formula(), *self.plan.notes(), prices.source()])

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """The live widget for a page with a kernel, the figures for one without."""
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        return {**bundle, "text/html": result_html(self.plan), "text/plain": str(self)}

    def _moved(self, change: Any) -> None:
        found = {name: control.value for name, control in self.controls.items()}
        found |= {name: found[name] / 100 for name in ("cached", "batch", "moved")}
        self.plan = replace(self.plan, **found)
        self._show()

    def _show(self) -> None:
        self.result.value = result_html(self.plan)


def finding(plan: Plan) -> str:
    """The result in a sentence."""
    before, after = plan.steps()[0].usd, plan.month
    if before == after or before == 0:
        return f"{money(after)} a month."
    change = f"{abs(before - after) / before:.0%} {'less' if after < before else 'more'}"
    return f"{money(before)} a month as it is, {money(after)} with these savings: {change}."


def result_html(plan: Plan) -> str:
    """Bars, comparison, formula and source."""
    notes = "".join(f"<div>{escape(note)}</div>" for note in plan.notes())
    return (
        f'<div style="line-height: 1.5"><div role="status" aria-live="polite"><b>{shown(finding(plan))}</b></div>'
        f"{_bars(plan.steps())}{_compared(plan)}"
        f'<div style="opacity: 0.8; padding-top: 6px">How the month adds up, in USD a million tokens:</div>'
        f"{block(plan.formula())}"
        f'<div style="opacity: 0.8; font-size: 90%">{notes}Cache writes are not counted. '
        f"Prices: {escape(prices.source())}.</div></div>"
    )


def _bars(lines: list[Line]) -> str:
    most = max(line.usd for line in lines) or 1.0
    rows = "".join(
        f'<tr style="background: none"><td style="text-align: left; white-space: nowrap; padding: 2px 12px 2px 0">'
        f'{escape(line.name)}</td><td style="width: 60%; padding: 2px 0"><div aria-hidden="true" style="height: 1.1em; '
        f'width: {max(0.3, 100 * line.usd / most):.1f}%; background: #0072B2"></div></td>'
        f'<td style="text-align: right; padding: 2px 6px 2px 12px">{money(line.usd)}</td></tr>'
        for line in lines
    )
    return f'<table style="width: 100%; border-collapse: collapse; margin: 4px 0">{rows}</table>'


def _compared(plan: Plan) -> str:
    rows = [(f"all on {model}", plan.month_of(model)) for model in (plan.model, plan.cheaper)]
    mix = f"{percent(1 - plan.moved)} and {percent(plan.moved)}"
    rows += [(mix, plan.month)] if 0 < plan.moved < 1 else []
    requests = plan.requests * DAYS
    cells = "".join(
        f'<tr style="background: none"><td style="text-align: left; padding: 1px 24px 1px 0">{escape(name)}</td>'
        f'<td style="text-align: right; padding: 1px 24px 1px 0">{money(usd)} a month</td>'
        f'<td style="text-align: right">{money(1000 * usd / requests if requests else 0)} per 1,000 requests</td></tr>'
        for name, usd in rows
    )
    style = f"border-top: {LINE}; background: {TINT}; padding: 4px 10px"
    return f'<div style="{style}"><table style="border-collapse: collapse">{cells}</table></div>'


def _models(label: str, value: str) -> Any:
    priced = [m.id for m in registry.models(kind="chat") if m.price_key]
    return widgets.Dropdown(
        options=priced if value in priced else [*priced, value],
        value=value,
        description=label,
        layout={"width": "375px"},
        style={"description_width": "100px"},
    )


def _count(name: str, value: int) -> Any:
    options = [(f"{n:,}", n) for n in sorted({*COUNTS, value})]
    return widgets.SelectionSlider(options=options, value=value, **_look(name))


def _share(name: str, value: float) -> Any:
    return widgets.IntSlider(round(100 * value), min=0, max=100, step=SHARE_STEP, readout_format="d", **_look(name))


def _look(name: str) -> dict[str, Any]:
    return {
        "description": name,
        "tooltip": ABOUT[name],
        "layout": {"width": "410px", "flex": "0 0 auto"},
        "style": {"description_width": "100px"},
    }


def _with_words(slider: Any, words: str) -> Any:
    beside = widgets.HTML(f'<div style="opacity: 0.8; font-size: 90%; padding-top: 4px">{escape(words)}</div>')
    return widgets.HBox([slider, beside])
