"""Inside IPython: show things, and look after the lab server between cells.

Before a cell runs, the server's port is tried, which takes well under a millisecond. A server that is gone is started
again on the same port, so clients made earlier go on working. When a cell fails because the server went away while it
ran, the reader is told so and asked to run the cell again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, Protocol

CONNECTION_ERRORS = (
    *("APIConnectionError", "APITimeoutError", "EndpointConnectionError"),
    *("ConnectError", "ConnectTimeout", "ReadError", "ReadTimeout", "RemoteProtocolError"),
)
"""What SDKs and HTTP clients call their errors for a server that is not there: names, so that nothing is imported."""


class Heal(Protocol):
    """Makes the lab server answer again and says in a sentence what it did, or ""."""

    def __call__(self, *, thorough: bool = False) -> str: ...


def shell() -> Any:
    """The running IPython shell, or None. Does not import IPython: where it runs, it is imported."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def show(thing: object) -> None:
    """Display in a notebook, print in a script."""
    if shell() is None:
        print(thing)
    else:
        from IPython.display import display

        display(thing)  # type: ignore[no-untyped-call]  # IPython annotates no part of it


class Watch:
    """The two hooks of a session."""

    def __init__(self, heal: Heal) -> None:
        self._heal = heal
        self._events: Any = None

    def install(self) -> None:
        """Hook into the running shell; nothing in a script."""
        if (running := shell()) is not None:
            self._events = running.events
            self._events.register("pre_run_cell", self.before_cell)
            self._events.register("post_run_cell", self.after_cell)

    def remove(self) -> None:
        if self._events is not None:
            self._events.unregister("pre_run_cell", self.before_cell)
            self._events.unregister("post_run_cell", self.after_cell)
            self._events = None

    def before_cell(self, info: object = None) -> None:
        self._report(self._heal())

    def after_cell(self, result: Any = None) -> None:
        error = getattr(result, "error_in_exec", None)
        if error is not None and is_connection_error(error) and (done := self._heal(thorough=True)):
            self._report(f"The lab server stopped answering while this cell ran. {done} Run the cell again.")

    @staticmethod
    def _report(sentence: str) -> None:
        if sentence:
            print(sentence)


def is_connection_error(error: BaseException) -> bool:
    """Whether an error, or one that it came from, says that nobody answers at the other end.

    An interrupt counts: it is what a reader does when a cell waits for a server that hangs.
    """
    kinds = (ConnectionError, KeyboardInterrupt)
    return any(isinstance(e, kinds) or type(e).__name__ in CONNECTION_ERRORS for e in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__
