"""Waiting for a sweep: a bar with what it has spent and how long it still takes, and Ctrl-C."""

from __future__ import annotations

import asyncio
import sys
from threading import Event, Thread
from types import TracebackType
from typing import Any

from labkit import notebook
from labkit.experiments.runner import INTERRUPTED, Run, Tally

LOOK_S = 0.1
"""How often the progress bar is drawn, in seconds."""


class Bar:
    """A progress bar of a tally, drawn in the thread that waits. Use it in a `with`."""

    def __init__(self, tally: Tally, *, shown: bool | None = None) -> None:
        """
        Args:
            shown: by default in a notebook and in a terminal, not in a file or a pipe.
        """
        self._tally = tally
        self._shown = _somebody_looks() if shown is None else shown
        self._bar: Any = None

    def __enter__(self) -> Bar:
        if self._shown:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=self._tally.total, unit="cell", leave=False, dynamic_ncols=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self.draw()
            self._bar.close()

    def draw(self) -> None:
        """Show how far it has come. Cells that were on disk do not count for the time left."""
        if self._bar is None:
            return
        tally = self._tally
        failed = f", {tally.failed} failed" if tally.failed else ""
        if tally.stopped:
            self._bar.set_description_str("stopping", refresh=False)
        self._bar.set_postfix_str(f"${tally.spent_usd:.4f}{failed}", refresh=False)
        self._bar.initial = tally.reused
        self._bar.n = tally.done
        self._bar.refresh()


def watched(run: Run, bar: Bar) -> None:
    """The run on an event loop in a thread of its own, since this thread may have one already; here, the bar."""
    failure: list[BaseException] = []
    loops: list[asyncio.AbstractEventLoop] = []
    over = Event()

    async def work() -> None:
        loops.append(asyncio.get_running_loop())
        await run.all()

    def target() -> None:
        try:
            asyncio.run(work())
        except BaseException as error:
            failure.append(error)
        finally:
            over.set()

    thread = Thread(target=target, name="labkit sweep", daemon=True)
    thread.start()
    while not over.is_set():
        try:
            over.wait(LOOK_S)  # not thread.join: after a Ctrl-C in it, Python 3.11 takes a running thread for ended
            bar.draw()
        except KeyboardInterrupt:
            end = run.cancel if run.tally.stopped else lambda: run.stop(INTERRUPTED)
            if loops and not loops[0].is_closed():
                loops[0].call_soon_threadsafe(end)
    thread.join()
    if failure:
        raise failure[0]


def _somebody_looks() -> bool:
    return notebook.shell() is not None or (sys.stderr is not None and sys.stderr.isatty())
