"""What a student's function returns, made final: coroutines are awaited, generators are run to their end.

One event loop serves all calls of a process, and in IPython it is the loop that top-level `await` uses: an async client
keeps connections that belong to the loop they were opened on. Where that loop is running already, as in a Jupyter
kernel, a loop of our own runs in a thread beside it.
"""

from __future__ import annotations

import asyncio
import atexit
import inspect
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from itertools import islice
from typing import Any

MOST_ITEMS = 10_000
"""Items taken from a generator. A student's stream may have no end."""


class EndlessStream(Exception):
    """A generator of the student's yielded more than `MOST_ITEMS` items."""

    def __init__(self) -> None:
        super().__init__(f"more than {MOST_ITEMS:,} items were yielded and no end came in sight")


class _Loops:
    """The event loop for calls that happen outside of any loop, and the one beside a running loop."""

    def __init__(self) -> None:
        self._own: asyncio.AbstractEventLoop | None = None
        self._beside: asyncio.AbstractEventLoop | None = None

    def own(self) -> asyncio.AbstractEventLoop:
        helpers = sys.modules.get("IPython.core.async_helpers")
        if helpers is not None and threading.current_thread() is threading.main_thread():
            shared: asyncio.AbstractEventLoop = helpers.get_asyncio_loop()
            return shared
        if self._own is None or self._own.is_closed():
            self._own = asyncio.new_event_loop()
            atexit.register(self._own.close)
        return self._own

    def beside(self) -> asyncio.AbstractEventLoop:
        if self._beside is None:
            self._beside = asyncio.new_event_loop()
            threading.Thread(target=self._beside.run_forever, name="labkit-check-loop", daemon=True).start()
        return self._beside


_loops = _Loops()


def settled(value: Any) -> Any:
    """The value itself; the result of a coroutine; the items of a generator, sync or async, as a list.

    Raises:
        EndlessStream: a generator with too many items.
        BaseException: whatever the student's code raises on the way.
    """
    if inspect.isasyncgen(value):
        return _finish(lambda: _collected(value))
    if inspect.isawaitable(value):
        return settled(_finish(lambda: _awaited(value)))
    return _listed(value) if inspect.isgenerator(value) else value


def _listed(items: Iterator[Any]) -> list[Any]:
    found = list(islice(items, MOST_ITEMS + 1))
    if len(found) > MOST_ITEMS:
        raise EndlessStream
    return found


async def _awaited(value: Awaitable[Any]) -> Any:
    return await value


async def _collected(items: AsyncIterator[Any]) -> list[Any]:
    found = []
    async for item in items:
        found.append(item)
        if len(found) > MOST_ITEMS:
            raise EndlessStream
    return found


def _finish(make: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _on_own_loop(make())
    future = asyncio.run_coroutine_threadsafe(make(), _loops.beside())
    try:
        return future.result()
    finally:
        future.cancel()  # when time was up; of no effect on one that is done


def _on_own_loop(work: Coroutine[Any, Any, Any]) -> Any:
    loop = _loops.own()
    task = loop.create_task(work)
    try:
        return loop.run_until_complete(task)
    finally:
        task.cancel()  # the alarm leaves it pending; it ends when the loop runs next
