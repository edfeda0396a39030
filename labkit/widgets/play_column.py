"""One column of the playground: provider, model, dials, and the answers below them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from html import escape
from typing import Any

import ipywidgets as widgets

from labkit import registry
from labkit.display import TINT, shown
from labkit.widgets.play_state import PROVIDERS, Sample, Settings, Side

LABELS = {"description_width": "92px"}
WIDE = {"width": "100%"}
SEPARATOR = "|"
"""Between stop sequences in their field."""
UNSENT = 1.0
"""Where a slider stands when nothing is sent: every provider's own default, or near it."""
TIPS = {
    "temperature": "1 sends nothing; 0 takes the most probable token",
    "top_p": "1 sends nothing; keeps the smallest set of tokens with this much of the mass",
    "effort": "How much the model reasons before it answers",
    "max_tokens": "Most tokens of an answer, hidden reasoning included",
    "stop": f"Ends the answer where one of these would begin; several are parted by {SEPARATOR}, \\n is a line end",
    "seed": "A whole number makes the answer repeat; empty sends nothing",
}
DEFAULT_EFFORT = "default"


class Column(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The dials of one `Side`. Each change is read into `side.settings` at once."""

    def __init__(self, name: str, side: Side) -> None:
        self.name, self.side = name, side
        self._listeners: list[Callable[[], None]] = []
        self._filling = False
        given = side.settings
        self.provider = widgets.Dropdown(
            options=PROVIDERS, value=given.provider, description=f"{name}: provider", **_look()
        )
        self.model = widgets.Dropdown(options=_models(given), value=given.model, description="model", **_look())
        self.system = widgets.Textarea(given.system, description="system", rows=2, **_look("System prompt"))
        self.dials = self._make_dials(given)
        self.reasons = widgets.HTML(layout={"min_height": "3.9em", "width": "100%"})
        self.answers = widgets.HTML(layout={"width": "100%", "height": "15em", "overflow": "auto"})
        self.bill = widgets.HTML(layout={"width": "100%", "min_height": "3.2em"})
        self.code = widgets.Textarea(rows=24, layout={"width": "100%", "height": "auto"})
        self.code.tooltip = f"SDK code of {name}: Ctrl+A and Ctrl+C copy it"
        self.code.add_class("labkit-code")
        rows = [self.provider, self.model, self.system, *self.dials.values()]
        super().__init__(
            [*rows, self.reasons, self.answers, self.bill, self.code],
            layout={"flex": "1 1 380px", "width": "auto", "min_width": "0", "padding": "0 8px 0 0"},
        )
        self.provider.observe(self._provider_chosen, names="value")
        for control in (self.model, self.system, *self.dials.values()):
            control.observe(self._read, names="value")
        self._enable()
        self.show()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call it whenever the settings have changed."""
        self._listeners.append(listener)

    def show(self) -> None:
        """Draw the answers again."""
        self.answers.value = _answers_html(self.side.samples, self.name)
        self.bill.value = f'<div role="status" style="line-height: 1.5">{shown(self.side.bill)}</div>'

    def text(self) -> str:
        """Settings and answers as plain text."""
        answers = [s.text + (f" [{s.problem}]" if s.problem else "") for s in self.side.samples]
        said = "\n".join(f"  {answer}" for answer in answers) or "  (not asked yet)"
        return "\n".join(filter(None, [f"{self.name}: {_summary(self.side.settings)}", said, self.side.bill]))

    def still(self) -> str:
        """Settings and answers as HTML for a page without a kernel."""
        answers = _answers_html(self.side.samples, self.name, height="0")
        return f"<p><b>{self.name}</b>: {shown(_summary(self.side.settings))}</p>{answers}{self.bill.value}"

    def _make_dials(self, given: Settings) -> dict[str, Any]:
        stop = SEPARATOR.join(text.replace("\n", "\\n") for text in given.stop)
        return {
            "temperature": _slider("temperature", given.temperature, given.row.max_temperature),
            "top_p": _slider("top_p", given.top_p, 1.0, least=0.05),
            "effort": widgets.Dropdown(
                options=_efforts(given),
                value=given.effort or DEFAULT_EFFORT,
                description="effort",
                **_look(TIPS["effort"]),
            ),
            "max_tokens": widgets.BoundedIntText(
                given.max_tokens, min=1, max=given.row.max_output, description="max tokens", **_look(TIPS["max_tokens"])
            ),
            "stop": widgets.Text(stop, description="stop", placeholder="not sent", **_look(TIPS["stop"])),
            "seed": widgets.Text(
                "" if given.seed is None else str(given.seed),
                description="seed",
                placeholder="not sent",
                **_look(TIPS["seed"]),
            ),
        }

    def _provider_chosen(self, change: Any) -> None:
        self.side.settings = replace(self.side.settings, provider=self.provider.value, model="")
        self._filling = True
        self.model.options = _models(self.side.settings)
        self.model.value = self.side.settings.model
        self._filling = False
        self._read()

    def _read(self, change: Any = None) -> None:
        """From the controls to the settings; what the model does not take goes back to "not sent"."""
        if self._filling:
            return
        self._filling = True
        settings = replace(self.side.settings, model=self.model.value, system=self.system.value)
        self._fit(settings)
        dials = self.dials
        self.side.settings = replace(
            settings,
            temperature=_sent(dials["temperature"]),
            top_p=_sent(dials["top_p"]),
            effort=None if dials["effort"].value == DEFAULT_EFFORT else dials["effort"].value,
            max_tokens=dials["max_tokens"].value,
            stop=tuple(t.replace("\\n", "\n") for t in dials["stop"].value.split(SEPARATOR) if t),
            seed=_whole(dials["seed"].value),
        ).usable()
        self._enable()
        self._filling = False
        for listener in self._listeners:
            listener()

    def _fit(self, settings: Settings) -> None:
        """The dials' ranges are the model's."""
        chosen = self.dials["effort"].value
        self.dials["effort"].options = _efforts(settings)
        self.dials["effort"].value = chosen if chosen in self.dials["effort"].options else DEFAULT_EFFORT
        self.dials["temperature"].max = settings.row.max_temperature
        self.dials["max_tokens"].max = settings.row.max_output

    def _enable(self) -> None:
        reasons = self.side.settings.reasons()
        for name, why in reasons.items():
            dial = self.dials[name]
            dial.disabled, dial.tooltip = bool(why), why or TIPS[name]
            if why and isinstance(dial, widgets.FloatSlider):
                dial.value = min(UNSENT, dial.max)
        said = [f"{name}: {why}" for name, why in reasons.items() if why]
        seed = self.dials["seed"].value
        if seed and _whole(seed) is None:
            said.append(f"seed: {seed!r} is no whole number, and is not sent")
        lines = "".join(f"<div>{escape(why)}</div>" for why in said)
        style = "opacity: 0.8; font-size: 90%; line-height: 1.4; padding: 2px 0 0 4px"
        self.reasons.value = f'<div role="status" style="{style}">{lines}</div>'


def _answers_html(samples: list[Sample], name: str, height: str = "14em") -> str:
    shown = "<hr style='margin: 6px 0; opacity: 0.4'>".join(_sample_html(sample) for sample in samples)
    box = f"background: {TINT}; padding: 6px 10px; min-height: {height}; box-sizing: border-box; line-height: 1.45"
    return f'<div role="region" aria-label="Answers of {name}" style="{box}">{shown}</div>'


def _sample_html(sample: Sample) -> str:
    writing = sample.response is None and not sample.problem and not sample.stopped
    text = f'<span style="white-space: pre-wrap; overflow-wrap: anywhere">{shown(sample.text)}</span>'
    ends = "▏" if writing else ""
    if sample.response is not None and sample.response.truncated:
        ends = " <b>✂ cut at max tokens</b>"
    if sample.stopped:
        ends = " <b>■ stopped</b>"
    problem = f"<div><b>✗ {shown(sample.problem)}</b></div>" if sample.problem else ""
    return f"{text}{ends}{problem}"


def _summary(settings: Settings) -> str:
    names = ("system", "temperature", "top_p", "effort", "max_tokens", "stop", "seed")
    asked = {name: getattr(settings, name) for name in names}
    said = [f"{n.replace('_', ' ')} {v!r}" for n, v in asked.items() if v not in (None, "", ())]
    return ", ".join([f"{settings.provider} {settings.model}", *said])


def _models(settings: Settings) -> list[str]:
    ids = [m.id for m in registry.models(settings.provider, kind="chat")]
    return ids if settings.model in ids else [*ids, settings.model]


def _efforts(settings: Settings) -> list[str]:
    return [DEFAULT_EFFORT, *settings.row.efforts]


def _sent(slider: Any) -> float | None:
    value: float = slider.value
    return None if value == UNSENT else value


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _look(tip: str = "") -> dict[str, Any]:
    return {"tooltip": tip or None, "layout": dict(WIDE), "style": dict(LABELS)}


def _slider(name: str, value: float | None, most: float, *, least: float = 0.0) -> Any:
    return widgets.FloatSlider(
        value=UNSENT if value is None else min(value, most),
        min=least,
        max=most,
        step=0.05,
        description=name,
        readout_format=".2f",
        **_look(TIPS[name]),
    )
