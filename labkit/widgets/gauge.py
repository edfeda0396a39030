"""`limits_gauge`: how many requests and tokens are left, now: a button refreshes it, "Watch" follows it for a minute.

The lab server says it for the session's own key. A live provider says it only in the headers of its answers: pass such
responses, `lk.limits_gauge(response)`, to see what they said.
"""

from __future__ import annotations

from html import escape
from threading import Event, Thread
from typing import Any, NamedTuple

import ipywidgets as widgets

from labkit import lab
from labkit.chat import ChatResponse
from labkit.display import LINE
from labkit.errors import LabkitError

WIDTH = "770px"
SECONDS = 0.5
"""Between two looks while it watches."""
WATCHED_SECONDS = 60.0
"""Then it stops by itself: a gauge that is forgotten asks nobody for ever."""
LOW = 0.2
"""Share of a bucket below which a bar says so, in words and by its hatching."""


class Level(NamedTuple):
    """What is left of one limit."""

    model: str
    name: str
    """"requests a minute"."""
    capacity: int
    left: int
    full_in: float | None
    """Seconds; None: not said."""
    clock: str = ""
    """Whose seconds these are: "lab " or the real ones."""

    @property
    def share(self) -> float:
        return min(1.0, max(0.0, self.left / self.capacity)) if self.capacity else 0.0

    def __str__(self) -> str:
        soon = f", full in {self.full_in:,.1f} {self.clock}s" if self.full_in else ""
        return f"{self.left:,} of {self.capacity:,} {self.name} left{soon}"


def now(*models: str) -> list[Level]:
    """What the lab server says of the session's key, for these models or for all that were called."""
    return [
        Level(model, f"{row['of']} a {row['per']}", row["capacity"], row["left"], row["resets_in_s"], "lab ")
        for model, rows in lab.levels(*models).items()
        for row in rows
    ]


def said(response: ChatResponse) -> list[Level]:
    """What the headers of an answer said, as it was sent."""
    from labkit.pacing import signals

    return [
        Level(response.model, f"{told.subject} a minute", int(told.limit), int(told.remaining), told.reset_s)
        for told in signals.levels(response.headers)
    ]


def limits_gauge(*of: str | ChatResponse, watch: bool = False) -> LimitsGauge:
    """Bars of what the rate limits leave.

    Args:
        of: model ids, by default all that were called since the limits were set; or responses, for what their headers
            said.
        watch: follow it from the start, for a minute at most.

    Raises:
        NotStarted: no session.
        UnknownModel: no such model.
    """
    gauge = LimitsGauge(
        tuple(each for each in of if isinstance(each, str)),
        tuple(each for each in of if isinstance(each, ChatResponse)),
    )
    gauge.watched.value = watch
    return gauge


class LimitsGauge(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The widget. It reads from a thread of its own while it watches, so it moves while a cell runs."""

    def __init__(self, models: tuple[str, ...], responses: tuple[ChatResponse, ...]) -> None:
        self._models, self._responses = models, responses
        self._end: Event | None = None
        self.thread: Thread | None = None
        self.levels: list[Level] = []
        self.bars = widgets.HTML(layout={"width": "100%", "min_height": "9em"})
        self.update = widgets.Button(description="Refresh", tooltip="Look once", layout={"width": "120px"})
        self.watched = widgets.ToggleButton(
            description="Watch", tooltip=f"Look twice a second, for {WATCHED_SECONDS:g} s", layout={"width": "120px"}
        )
        buttons = [] if responses and not models else [widgets.HBox([self.update, self.watched])]
        super().__init__([self.bars, *buttons], layout={"width": "100%", "max_width": WIDTH})
        self._read()
        self.update.on_click(lambda _: self.refresh())
        self.watched.observe(self._toggled, names="value")

    def refresh(self) -> bool:
        """Look again; whether somebody answered. Trouble is said in the widget."""
        try:
            self._read()
        except LabkitError as error:
            self.bars.value = f'<div role="alert"><b>{escape(str(error))}</b></div>'
            return False
        return True

    def watch(self, seconds: float = WATCHED_SECONDS, every: float = SECONDS) -> Thread:
        """Refresh for so long, in a thread that ends by itself; it is returned."""
        self._stop()
        end = self._end = Event()

        def look() -> None:
            for _ in range(max(1, round(seconds / every))):
                if not self.refresh() or end.wait(every):
                    break
            if self._end is end:  # nobody has begun another watch meanwhile
                self.watched.value = False

        self.thread = Thread(target=look, daemon=True, name="limits-gauge")
        self.thread.start()
        return self.thread

    def close(self) -> None:
        """End the watch with the widget."""
        self._stop()
        super().close()

    def __str__(self) -> str:
        return "\n".join(f"{level.model}: {level}" for level in self.levels) or (SILENT if self._responses else NOTHING)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """The live widget for a page with a kernel, the bars for one without."""
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        return {**bundle, "text/html": self.bars.value, "text/plain": str(self)}

    def _read(self) -> None:
        found = [level for response in self._responses for level in said(response)]
        if self._models or not self._responses:
            found += now(*self._models)
        self.levels = found
        self.bars.value = bars_html(found, SILENT if self._responses else NOTHING)

    def _toggled(self, change: Any) -> None:
        if change["new"]:
            self.watch()
        else:
            self._stop()

    def _stop(self) -> None:
        if self._end is not None:
            self._end.set()
            self._end = None


NOTHING = "All limits are full: no model was called since they were set."
SILENT = "The headers of this answer say nothing of limits: Gemini's never do."


def bars_html(levels: list[Level], otherwise: str = NOTHING) -> str:
    """One bar a limit, each with its figures in words beside it."""
    if not levels:
        return f'<div style="opacity: 0.8">{otherwise}</div>'
    rows, model = [], ""
    for level in levels:
        if level.model != model:
            model = level.model
            rows.append(f'<div style="margin-top: 4px"><b>{escape(model)}</b></div>')
        rows.append(_bar(level))
    return f'<div style="line-height: 1.4">{"".join(rows)}</div>'


def _bar(level: Level) -> str:
    low = level.share < LOW
    colour = "#D55E00" if low else "#0072B2"
    # Where no kernel runs, JupyterLab takes the pattern out of the style and leaves the colour.
    hatching = "background-image: repeating-linear-gradient(45deg, transparent 0 4px, rgba(255, 255, 255, 0.6) 4px 7px)"
    sign = "⚠ " if low else ""
    return (
        f'<div style="display: flex; align-items: center; gap: 10px; margin: 2px 0">'
        f'<div role="meter" aria-valuemin="0" aria-valuemax="{level.capacity}" aria-valuenow="{level.left}" '
        f'aria-label="{escape(level.model)}: {level.name} left" '
        f'style="flex: 0 0 300px; height: 1em; border: {LINE}; border-radius: 2px">'
        f'<div style="height: 100%; width: {100 * level.share:.1f}%; background-color: {colour}; '
        f'{hatching if low else ""}"></div>'
        f"</div><div>{sign}{level}</div></div>"
    )
