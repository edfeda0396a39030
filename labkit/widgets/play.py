"""`playground`: a prompt, one or two models with their dials, answers that stream in, and the same call as SDK code.

    lk.playground("What is an API?")
    lk.playground("Write a slogan", compare={"temperature": 1.5}, samples=3)

What a model does not take is off, and the note below the dials says why. A slider at 1 and an
empty field send nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from html import escape
from threading import Thread
from time import perf_counter
from typing import Any

import ipywidgets as widgets

from labkit.display import LINE, block, folded, shown
from labkit.errors import LabkitError
from labkit.session import current
from labkit.widgets.play_column import Column
from labkit.widgets.play_state import Settings, Side
from labkit.widgets.prompt import prompt_field

WIDTH = "980px"
SECONDS_A_PICTURE = 0.04
"""While an answer streams in, it is shown again at most so often: a page draws no faster."""
MOST_SAMPLES = 8
BUTTON = {"width": "120px"}


def playground(
    prompt: str = "",
    *,
    compare: bool | Mapping[str, Any] = False,
    samples: int = 1,
    provider: str = "openai",
    model: str = "",
    system: str = "",
    temperature: float | None = None,
    top_p: float | None = None,
    effort: str | None = None,
    max_tokens: int = 1000,
    stop: str | tuple[str, ...] = (),
    seed: int | None = None,
) -> Playground:
    """Ask one model, or two side by side, with the dials under your hand.

    Args:
        prompt: what both are asked.
        compare: True for a second column with the same settings, or what differs there:
            {"provider": "anthropic"}, {"temperature": 1.5}.
        samples: answers a column.
        model: by default the provider's model that takes sampling parameters.
        temperature, top_p, effort, stop, seed: None or empty: not sent. What the model does not take is left out.

    Raises:
        NotStarted: no session.
        UnknownModel: no such provider or model.
    """
    current()
    stops = (stop,) if isinstance(stop, str) else tuple(stop)
    first = Settings(provider, model, system, temperature, top_p, effort, max_tokens, stops, seed).usable()
    changes = dict(compare) if isinstance(compare, Mapping) else {}
    if "provider" in changes and "model" not in changes:
        changes["model"] = ""
    given = {"temperature": temperature, "top_p": top_p, "effort": effort, "stop": stops, "seed": seed, **changes}
    if isinstance(given["stop"], str):
        given["stop"] = (given["stop"],)
    second = replace(first, **{**changes, **given}).usable()
    return Playground(prompt, first, second, samples, compared=bool(compare))


class Playground(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The widget. `a` and `b` are its columns; `run` does what the button does, and waits."""

    def __init__(self, prompt: str, first: Settings, second: Settings, samples: int, *, compared: bool) -> None:
        self.a, self.b = Column("A", Side(first)), Column("B", Side(second))
        self.prompt = prompt_field(prompt, rows=3)
        self.samples = widgets.BoundedIntText(
            samples,
            min=1,
            max=MOST_SAMPLES,
            description="samples",
            tooltip="How many answers each column draws",
            layout={"width": "150px"},
            style={"description_width": "60px"},
        )
        self.ask = widgets.Button(description="Ask", tooltip="Send the prompt", button_style="primary", layout=BUTTON)
        self.stop = widgets.Button(description="Stop", tooltip="Close the streams", disabled=True, layout=BUTTON)
        self.compared = _toggle(compared, "Compare A, B", "A second column beside the first")
        self.with_code = _toggle(False, "SDK code", "The same call in the provider's own SDK")
        self._note = widgets.HTML(layout={"min_height": "1.6em"})
        self._task: asyncio.Task[None] | None = None
        self._shown = 0.0
        buttons = [self.ask, self.stop, self.samples, self.compared, self.with_code]
        row = widgets.HBox(buttons, layout={"flex_flow": "row wrap"})
        columns = widgets.HBox([self.a, self.b], layout={"flex_flow": "row wrap", "width": "100%"})
        super().__init__([self.prompt, row, self._note, columns], layout={"width": "100%", "max_width": WIDTH})
        self.ask.on_click(lambda _: self._start())
        self.stop.on_click(lambda _: self._stop())
        for control in (self.prompt, self.samples, self.compared, self.with_code):
            control.observe(self._changed, names="value")
        for column in (self.a, self.b):
            column.on_change(self._changed)
        self._changed()

    @property
    def columns(self) -> list[Column]:
        """Those in use."""
        return [self.a, self.b] if self.compared.value else [self.a]

    def run(self) -> Playground:
        """Ask and wait for all answers; so a saved notebook shows them too."""
        thread = Thread(target=lambda: asyncio.run(self._answers()))  # the notebook's own loop is busy with this cell
        thread.start()
        thread.join()
        return self

    def __str__(self) -> str:
        return "\n\n".join(column.text() for column in self.columns)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """The live widget for a page with a kernel, settings, answers and code for one without."""
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        return {**bundle, "text/html": self.still(), "text/plain": str(self)}

    def still(self) -> str:
        """The present state as HTML."""
        asked = f"<p><b>Prompt</b>: {shown(self.prompt.value)}</p>"
        box = f"flex: 1 1 340px; min-width: 0; border: {LINE}; border-radius: 4px; padding: 6px 10px"
        sides = "".join(
            f'<div style="{box}">{c.still()}{folded("SDK code", block(c.code.value))}</div>' for c in self.columns
        )
        return f'{asked}<div style="display: flex; flex-wrap: wrap; gap: 10px; align-items: flex-start">{sides}</div>'

    def _start(self) -> None:
        """What the button does: in a notebook beside everything else, so that Stop can be heard; else at once."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            asyncio.run(self._answers())
        else:
            self._task = loop.create_task(self._answers())

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _answers(self) -> None:
        if not self.prompt.value.strip():
            self._say("Write a prompt first.")
            return
        self._say("")
        self.ask.disabled, self.stop.disabled = True, False
        columns = self.columns
        try:
            for column in columns:
                await column.side.prepare()
            await asyncio.gather(*(self._fill(column) for column in columns))
        except asyncio.CancelledError:
            self._say("Stopped: the streams were closed, and what had arrived stays.")
        except LabkitError as error:  # a callback's exception would vanish into Lab's log
            self._say(str(error))
        finally:
            self.ask.disabled, self.stop.disabled = False, True
            for column in columns:
                column.show()

    def _fill(self, column: Column) -> Coroutine[Any, Any, None]:
        def changed() -> None:
            if perf_counter() - self._shown > SECONDS_A_PICTURE:
                self._shown = perf_counter()
                for each in self.columns:
                    each.show()

        return column.side.run(self.prompt.value, self.samples.value, changed)

    def _changed(self, change: object = None) -> None:
        for column in (self.a, self.b):
            column.code.value = column.side.settings.code(self.prompt.value, self.samples.value)
            column.code.layout.display = "" if self.with_code.value else "none"
        self.b.layout.display = "" if self.compared.value else "none"

    def _say(self, sentence: str) -> None:
        self._note.value = f'<div role="status">{escape(sentence)}</div>'


def _toggle(value: bool, label: str, tip: str) -> Any:
    return widgets.ToggleButton(value, description=label, tooltip=tip, layout=BUTTON)
