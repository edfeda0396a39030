"""`stream_viewer`: streams of two providers side by side, frame by frame on a timeline, raw beside the text they add.

    lk.stream_viewer("What is an API?")
    lk.stream_viewer("Tell a story", ["openai", "gemini"], max_tokens=100).run()

The lab answers at once unless it is told to take its time: "real pace" does so while the streams run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from itertools import groupby
from threading import Event, Lock, Thread
from time import perf_counter
from typing import Any

import ipywidgets as widgets

from labkit import lab, registry
from labkit.display import LINE, TINT, shown
from labkit.errors import LabkitError
from labkit.session import current
from labkit.widgets.prompt import prompt_field
from labkit.widgets.stream_record import MAKERS, Frame, StreamRecord

WIDTH = "980px"
SECONDS_A_PICTURE = 0.05
"""Between two pictures while frames arrive."""
FRAMES_SHOWN = 400
LONGEST_FRAME = 700
"""Characters; a frame with a picture in it has more."""
BINS = 200
"""Parts of a timeline: finer than the eye tells apart in a column."""
TICKS = {
    " ": "",
    "|": "height: 11px; background: #0072B2",
    "T": "height: 22px; background: #D55E00",
}
SOURCES = ("openai", "anthropic")


def stream_viewer(
    prompt: str = "",
    sources: str | Sequence[str] = SOURCES,
    *,
    max_tokens: int = 60,
    real_pace: bool = True,
) -> StreamViewer:
    """Watch streams arrive: each frame as it stands on the wire, when it came, and the text so far.

    Args:
        sources: one or more of "openai", "anthropic" and "gemini", or model ids of theirs.
        max_tokens: most tokens of each answer.
        real_pace: the lab's answers take as long as the real models' would.

    Raises:
        NotStarted: no session.
        UnknownModel: no such provider or model.
    """
    current()
    given = [sources] if isinstance(sources, str) else list(sources)
    return StreamViewer(prompt, [_source(each) for each in given], max_tokens, real_pace=real_pace)


class StreamViewer(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The widget. `records` are the streams of the last run; `run` does what the button does, and waits."""

    def __init__(self, prompt: str, sources: list[tuple[str, str]], max_tokens: int, *, real_pace: bool) -> None:
        self._sources, self._max_tokens = sources, max_tokens
        self._stop, self._lock, self._shown = Event(), Lock(), 0.0
        self._runner: Thread | None = None
        self.records = [StreamRecord(*source) for source in sources]
        self.prompt = prompt_field(prompt, rows=2)
        button = {"width": "120px"}
        self.start = widgets.Button(
            description="Stream", tooltip="Ask all of them at once", button_style="primary", layout=button
        )
        self.halt = widgets.Button(description="Stop", tooltip="Close the connections", disabled=True, layout=button)
        self.real_pace = widgets.Checkbox(
            real_pace, description="real pace", indent=False, tooltip="The lab takes as long as the real models would"
        )
        self.note = widgets.HTML(layout={"min_height": "1.6em"})
        self.pane = widgets.HTML(layout={"width": "calc(100% - 8px)", "min_height": "35em"})
        row = widgets.HBox([self.start, self.halt, self.real_pace])
        super().__init__([self.prompt, row, self.note, self.pane], layout={"width": "100%", "max_width": WIDTH})
        self.start.on_click(lambda _: self._begin())
        self.halt.on_click(lambda _: self._stop.set())
        self._draw()

    def run(self) -> StreamViewer:
        """Stream, and wait for the end; so a saved notebook shows it too."""
        self._begin()
        if self._runner is not None:
            self._runner.join()
        return self

    def __str__(self) -> str:
        return "\n\n".join(f"{r.provider} {r.model}\n{summary(r)}\n{r.text}" for r in self.records)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """The live widget for a page with a kernel, the frames and texts for one without."""
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        return {**bundle, "text/html": records_html(self.records), "text/plain": str(self)}

    def _begin(self) -> None:
        if self._runner is not None and self._runner.is_alive():
            return
        if not self.prompt.value.strip():
            self._say("Write a prompt first.")
            return
        self._say("")
        self._stop.clear()
        self.records = [StreamRecord(*source) for source in self._sources]
        self.start.disabled, self.halt.disabled = True, False
        self._runner = Thread(target=self._run, daemon=True, name="stream-viewer")
        self._runner.start()

    def _run(self) -> None:
        """All streams at once, a thread each: the SDKs' plain clients wait."""
        try:
            local = any(record.provider not in current().live for record in self.records)
            with _pace(self.real_pace.value and local):
                for record in self.records:
                    record.client()
                threads = [Thread(target=self._read, args=(record,), daemon=True) for record in self.records]
                for thread in threads:
                    thread.start()
                self._draw()
                for thread in threads:
                    thread.join()
        except LabkitError as error:
            self._say(str(error))
        finally:
            self.start.disabled, self.halt.disabled = False, True
            self._draw()

    def _read(self, record: StreamRecord) -> None:
        record.draw(self.prompt.value, self._max_tokens, self._changed, lambda: not self._stop.is_set())

    def _changed(self) -> None:
        with self._lock:
            due = perf_counter() - self._shown > SECONDS_A_PICTURE
            if due:
                self._shown = perf_counter()
        if due:
            self._draw()

    def _draw(self) -> None:
        self.pane.value = records_html(self.records)

    def _say(self, sentence: str) -> None:
        self.note.value = f'<div role="status">{escape(sentence)}</div>'


@contextmanager
def _pace(real: bool) -> Iterator[None]:
    """The lab takes its time if asked to, and afterwards is as it was."""
    if not real:
        yield
        return
    before = lab.pace()
    lab.pace(1.0)
    try:
        yield
    finally:
        lab.pace(before)


def _source(name: str) -> tuple[str, str]:
    if name in MAKERS:
        return name, registry.model(name, "sampling")
    row = registry.find(name)
    if row.provider not in MAKERS:
        raise registry.UnknownModel(name, tuple(MAKERS), wanted="provider to stream from", choices=tuple(MAKERS))
    return row.provider, row.id


def summary(record: StreamRecord) -> str:
    """How the stream went, in a line."""
    if record.waiting:
        return "waiting for the first frame"
    if not record.frames and not record.problem:
        return "not asked yet" if record.ended is None else "nothing came"
    parts = [f"{len(record.frames)} frames"]
    parts += [f"first text after {1000 * record.first_text:,.0f} ms"] if record.first_text is not None else []
    parts += [f"{'end' if record.ended else 'so far'} {1000 * record.seconds:,.0f} ms"]
    if record.response is not None:
        parts.append(f"finish: {record.response.finish_reason or 'none'}")
    return " · ".join(parts) + (" · stopped" if record.stopped else "")


def records_html(records: Sequence[StreamRecord]) -> str:
    """The streams side by side, on one scale of time."""
    longest = max((record.seconds for record in records), default=0.0)
    sides = "".join(_record_html(record, longest) for record in records)
    return f'<div style="display: flex; flex-wrap: wrap; gap: 10px; align-items: flex-start">{sides}</div>'


def _record_html(record: StreamRecord, longest: float) -> str:
    box = f"flex: 1 1 340px; min-width: 0; border: {LINE}; border-radius: 4px; padding: 6px 10px; line-height: 1.4"
    name = f"{escape(record.provider)} {escape(record.model)}"
    problem = f"<div><b>✗ {shown(record.problem)}</b></div>" if record.problem else ""
    frames = "".join(_frame_html(frame) for frame in record.frames[:FRAMES_SHOWN])
    more = len(record.frames) - FRAMES_SHOWN
    frames += f"<div>… {more:,} more</div>" if more > 0 else ""
    pane = f"background: {TINT}; padding: 4px 8px; margin: 4px 0; overflow: auto"
    # While it runs, the newest frame is in sight: each picture is a new element, scrolled to where it begins.
    follow = "display: flex; flex-direction: column-reverse; " if record.frames and record.ended is None else ""
    return (
        f'<div style="{box}"><b>{name}</b>{_timeline(record, longest)}'
        f'<div role="status" style="opacity: 0.8; font-size: 90%; min-height: 2.8em">{summary(record)}{problem}</div>'
        f'<div role="region" tabindex="0" aria-label="Frames of {name}" style="{pane}; height: 17em; '
        f'{follow}font-family: monospace; font-size: 85%"><div>{frames}</div></div>'
        f'<div role="region" tabindex="0" aria-label="Text of {name}" style="{pane}; height: 7em; '
        f'white-space: pre-wrap">{shown(record.text)}</div></div>'
    )


def _frame_html(frame: Frame) -> str:
    raw = frame.raw if len(frame.raw) <= LONGEST_FRAME else f"{frame.raw[:LONGEST_FRAME]}…"
    return (
        f'<div style="display: flex; gap: 8px"><span style="flex: 0 0 5em; text-align: right; opacity: 0.7">'
        f"{1000 * frame.seconds:,.0f} ms</span>"
        f'<pre style="margin: 0; padding: 0; white-space: pre-wrap; word-break: break-all; background: none; '
        f'font-size: 100%">{escape(raw)}</pre></div>'
    )


def _timeline(record: StreamRecord, longest: float) -> str:
    """A tick a frame; the first text is a taller one. Built of boxes in a row, which every page shows."""
    end = f"{1000 * longest:,.0f} ms" if longest else ""
    ticks = "".join(f'<div style="flex: {length} 1 0; {TICKS[kind]}"></div>' for kind, length in _runs(record, longest))
    return (
        f'<div role="img" aria-label="{escape(f"Timeline: {summary(record)}")}" style="display: flex; '
        f'align-items: flex-end; height: 22px; border-bottom: {LINE}; margin-top: 4px">{ticks}</div>'
        f'<div style="display: flex; justify-content: space-between; opacity: 0.7; font-size: 85%; min-height: 1.3em">'
        f"<span>0</span><span>{end}</span></div>"
    )


def _runs(record: StreamRecord, longest: float) -> list[tuple[str, int]]:
    """The timeline in `BINS` equal parts: what is in each, and how many equal ones follow each other."""
    parts = [" "] * BINS
    if longest:
        place = [min(BINS - 1, int(BINS * seconds / longest)) for seconds in (f.seconds for f in record.frames)]
        for n in place:
            parts[n] = "|"
        if record.first_text is not None:
            parts[min(BINS - 1, int(BINS * record.first_text / longest))] = "T"
    return [(kind, len(list(same))) for kind, same in groupby(parts)]
