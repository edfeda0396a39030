"""`sampling_lens`: bars of the real next-token distribution, and sliders that reshape them.

The numbers come from `labkit.sampling.shape`, the code that the lab server samples with, applied to the distribution
that the model has at this place. Nothing is simulated: "Write it" is a step of the model.

Saved in a notebook, the widget carries a picture of its first state for pages on which no kernel runs.
"""

from __future__ import annotations

from base64 import b64encode
from html import escape
from random import Random
from typing import Any

import ipywidgets as widgets

from labkit import registry
from labkit.errors import LabkitError
from labkit.plots.view import LensView, percent
from labkit.sampling import SamplingParams
from labkit.widgets.controls import Control, Controls, controls
from labkit.widgets.lens_state import Lens
from labkit.widgets.picture import LensPicture
from labkit.widgets.source import Messages, conversation, source_for

UNCHANGED = SamplingParams()
MANY = 20
WIDTH = "770px"
SLIDER = {"width": "370px", "flex": "0 0 auto"}
TIPS = {
    "temperature": "1 leaves the model's own; 0 always takes the most probable",
    "top_p": "keeps the smallest set of tokens with this much of the mass",
    "top_k": "keeps so many tokens; 0 keeps all",
}
_HINT = "opacity: 0.8; font-size: 90%; line-height: 1.4; padding-top: 4px"


def sampling_lens(
    prompt: str | Messages,
    model: str | None = None,
    system: str | None = None,
    so_far: str = "",
    top: int = 15,
    *,
    start: SamplingParams = UNCHANGED,
    seed: int | None = None,
) -> SamplingLens:
    """The distribution over the next token, under sliders for temperature, top_p and top_k.

    Args:
        prompt: the user's text, or messages with "role" and "content".
        model: by default the course's model for sampling lessons.
        so_far: how the answer begins.
        top: bars; all other tokens share one more.
        start: where the sliders stand at first, as far as the model takes it; the saved picture shows this.
        seed: makes the draws of the buttons repeat.

    Raises:
        UnknownModel: no such model.
        SettingsError: a live model that does not show its distribution.
    """
    row = registry.find(model or registry.model("openai", "sampling"))
    messages = conversation(prompt, system)
    lens = Lens(source_for(row, messages), so_far, Random(seed))
    asked = next((m["content"] for m in reversed(messages) if m["role"] == "user"), "")
    return SamplingLens(lens, controls(row), asked, top, start)


class SamplingLens(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The widget. Its parts are attributes, so that a test can move them without a browser."""

    def __init__(self, lens: Lens, allowed: Controls, asked: str, top: int, start: SamplingParams = UNCHANGED) -> None:
        self.lens, self._allowed, self._asked, self._top = lens, allowed, asked, top
        self.picture = LensPicture(top + 1)
        self.temperature = _slider(allowed.temperature, start.temperature, least=0.0)
        self.top_p = _slider(allowed.top_p, start.top_p, least=0.05)
        self.top_k = _whole_slider(allowed.top_k, start.top_k)
        self.text = widgets.HTML(layout={"width": "100%", "height": "4.4em", "overflow": "auto"})
        self.finding = widgets.HTML(layout={"width": "100%", "min_height": "1.8em"})
        self.image = widgets.Image(format="png", layout={"width": WIDTH, "max_width": "100%", "margin": "0"})
        self.buttons = self._make_buttons()
        self.note = widgets.HTML(layout={"width": "100%", "min_height": "2em"})
        super().__init__(
            [
                self.text,
                *self._slider_rows(),
                self.finding,
                self.image,
                widgets.HBox(list(self.buttons.values()), layout={"flex_flow": "row wrap"}),
                self.note,
            ],
            layout={"width": "100%", "max_width": WIDTH},
        )
        for slider in (self.temperature, self.top_p, self.top_k):
            slider.observe(self._moved, names="value")
        self.refresh()

    @property
    def params(self) -> SamplingParams:
        """What the sliders say."""
        return SamplingParams(self.temperature.value, self.top_p.value, self.top_k.value)

    @property
    def view(self) -> LensView:
        """What the picture shows."""
        return self.lens.view(self.params, self._top)

    def refresh(self, problem: str = "") -> None:
        """Draw everything again."""
        view = self.view
        self._view_shown = view
        self.image.value = self.picture.png(view, self.lens.counts)
        self.finding.value = f'<div role="status" aria-live="polite"><b>{escape(view.title)}</b></div>'
        self.text.value = _conversation_html(self.lens, self._asked)
        self.note.value = _note_html(self.lens, problem)
        self._enable()

    def still(self) -> bytes:
        """The present state as one PNG with its title, for a page without a kernel."""
        said = f"{self.lens.next.model} after: {_short(self._asked)}"
        return self.picture.png(self._view_shown, self.lens.counts, said + _continued(self.lens.written))

    def __str__(self) -> str:
        rows = [f"{percent(b.final):>8}  {b.label}" for b in self._view_shown.bars if b.kept]
        return "\n".join([self._view_shown.title, *rows])

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """The live widget for a page with a kernel, the picture and the numbers for one without."""
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        return {**bundle, "image/png": b64encode(self.still()).decode(), "text/plain": str(self)}

    def _slider_rows(self) -> list[Any]:
        """Each slider with what it does, or why it is off, beside it; a reason that all share is said once."""
        rows, said = [], ""
        for slider, control in zip((self.temperature, self.top_p, self.top_k), self._allowed, strict=True):
            words = "" if control.reason and control.reason == said else control.reason or TIPS[control.name]
            said = control.reason or said
            beside = widgets.HTML(f'<div style="{_HINT}">{escape(words)}</div>', layout={"flex": "1 1 0"})
            rows.append(widgets.HBox([slider, beside]))
        return rows

    def _make_buttons(self) -> dict[str, Any]:
        done = {
            "sample": ("Sample", "Draw one token from the solid bars", lambda: self.lens.draw(self.params)),
            "many": (f"Sample {MANY}", "Draw many and compare", lambda: self.lens.draw(self.params, MANY)),
            "write": ("Write it", "Append the last token drawn and look at the next one", self.lens.write),
            "restart": ("Start again", "Back to the beginning of the answer", self.lens.restart),
        }
        buttons = {}
        for name, (label, tip, action) in done.items():
            buttons[name] = widgets.Button(description=label, tooltip=tip, layout={"width": "120px"})
            buttons[name].on_click(lambda _, action=action: self._do(action))
        return buttons

    def _do(self, action: Any) -> None:
        try:
            action()
        except LabkitError as error:  # a callback's exception would vanish into Lab's log
            self.refresh(str(error))
        else:
            self.refresh()

    def _moved(self, change: Any) -> None:
        self.lens.forget_draws()
        self.refresh()

    def _enable(self) -> None:
        self.buttons["write"].disabled = self.lens.drawn is None or self.lens.finished
        if not self._allowed.together and self._allowed.temperature.enabled:
            self.temperature.disabled = self.top_p.value < 1
            self.top_p.disabled = self.temperature.value != 1


def _slider(control: Control, value: float, *, least: float) -> Any:
    return widgets.FloatSlider(
        value=min(value, control.most) if control.enabled else 1.0,
        min=least,
        max=control.most,
        step=0.05,
        description=control.name,
        tooltip=control.reason or TIPS[control.name],
        readout_format=".2f",
        disabled=not control.enabled,
        continuous_update=True,  # Lab sends the next value when the last is drawn, so a drag does not queue up
        style={"description_width": "82px"},
        layout=dict(SLIDER),
    )


def _whole_slider(control: Control, value: int) -> Any:
    return widgets.IntSlider(
        value=min(value, int(control.most)) if control.enabled else 0,
        min=0,
        max=int(control.most),
        description=control.name,
        tooltip=control.reason or TIPS[control.name],
        disabled=not control.enabled,
        style={"description_width": "82px"},
        layout=dict(SLIDER),
    )


def _conversation_html(lens: Lens, asked: str) -> str:
    drawn = ""
    if lens.drawn is not None:
        drawn = f'<mark title="drawn, not written yet">{escape(lens.shown(lens.drawn))}</mark>'
    return (
        f'<div style="line-height: 1.4"><span style="opacity: 0.7">{escape(lens.next.model)} is asked:</span> '
        f'{escape(asked)}<br><span style="opacity: 0.7">its answer so far:</span> '
        f'<span style="white-space: pre-wrap">{escape(lens.written)}</span>{drawn}▏</div>'
    )


def _note_html(lens: Lens, problem: str) -> str:
    said = [f"<b>{escape(problem)}</b>"] if problem else []
    if lens.finished:
        said.append("The end of text was drawn: the answer is complete. Sample again or start again.")
    elif lens.drawn is not None:
        said.append(f"Drawn last: <code>{escape(lens.shown(lens.drawn))}</code>, of {lens.counts.total():,} in all.")
    return f'<div role="status" style="{_HINT}">{" ".join(said)}</div>'


def _short(text: str, limit: int = 80) -> str:
    line = " ".join(text.split())
    return f"“{line if len(line) <= limit else line[: limit - 1] + '…'}”"


def _continued(written: str) -> str:
    return f"  ·  so far: {_short(written, 40)}" if written else ""
