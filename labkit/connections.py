"""One SDK client a provider and session: making one costs milliseconds and opens a connection pool.

The pool belongs to a session and to the address of its lab server: after another `start()`, or when the server has come
back elsewhere, the next call makes a new client. An asynchronous client also belongs to its event loop, and is closed
when that loop ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from labkit.adapters.base import Adapter
from labkit.secret import Secret
from labkit.session import current

Owner = Any
"""A session, or the event loop of an asynchronous client."""

_lock = Lock()
_clients: WeakKeyDictionary[Owner, dict[tuple[Any, ...], Any]] = WeakKeyDictionary()
_keepers: WeakKeyDictionary[Owner, list[AsyncGenerator[None, None]]] = WeakKeyDictionary()


def client(adapter: Adapter, timeout: float, key: Secret | None = None) -> Any:
    """The plain SDK client of an adapter for the current session.

    Args:
        key: in place of the session's.

    Raises:
        NotStarted: no session.
    """
    session = current()
    place = _place(adapter, session.url, timeout, key)
    return _kept(session, place, lambda: adapter.connect(asynchronous=False, timeout=timeout, key=key))


async def aclient(adapter: Adapter, timeout: float, key: Secret | None = None) -> Any:
    """The asynchronous SDK client of an adapter for the current session and event loop."""
    session, loop = current(), asyncio.get_running_loop()
    made: list[Any] = []

    def connect() -> Any:
        made.append(adapter.connect(asynchronous=True, timeout=timeout, key=key))
        return made[0]

    found = _kept(loop, (id(session), *_place(adapter, session.url, timeout, key)), connect)
    if made:
        await _close_with_loop(loop, found)
    return getattr(found, "aio", found)  # google-genai has both halves in one client


def _place(adapter: Adapter, url: str, timeout: float, key: Secret | None) -> tuple[Any, ...]:
    return (adapter.name, getattr(adapter, "base_url", url), url, timeout, key)


def _kept(owner: Owner, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
    found = _clients.get(owner, {}).get(key)
    if found is None:
        with _lock:  # two threads that come first at once share one client
            kept = _clients.setdefault(owner, {})
            found = kept.get(key)
            if found is None:
                found = kept[key] = make()
    return found


async def _close_with_loop(loop: asyncio.AbstractEventLoop, sdk: Any) -> None:
    """asyncio.run closes generators that are under way before it ends the loop: one of them holds the client."""

    async def keeper() -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            _clients.pop(loop, None)  # a client refers to its loop: left here, neither would ever be freed
            with suppress(Exception):
                await (sdk.aio.aclose() if hasattr(sdk, "aio") else sdk.close())

    held = keeper()
    await anext(held)
    _keepers.setdefault(loop, []).append(held)
