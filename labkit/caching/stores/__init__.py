"""Where cached answers lie: in memory, in an SQLite file, in a Redis. `opened` picks one by its address."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from labkit.caching.stores.base import Store, StoreTrouble, VectorRow
from labkit.caching.stores.memory import MemoryStore
from labkit.caching.stores.sqlite import SQLiteStore
from labkit.errors import NotStarted, SettingsError
from labkit.settings import Settings

__all__ = ["MemoryStore", "SQLiteStore", "Store", "StoreTrouble", "VectorRow", "opened"]

FILE = "cache.sqlite3"
REDIS = ("redis://", "rediss://", "unix://")


def opened(
    where: Store | Path | str | None, *, max_entries: int | None = None, clock: Callable[[], float] = time.time
) -> Store:
    """A store by its address.

    Args:
        where: "memory"; "redis://..."; the path of an SQLite file; None for LABKIT_REDIS_URL if that is set, else
            `cache.sqlite3` in labkit's state folder.
        max_entries: most records of memory or SQLite; a Redis has a limit of its own (`maxmemory`).
        clock: seconds; decides in memory what has expired.

    Raises:
        SettingsError: an address that cannot be used.
    """
    bound = {} if max_entries is None else {"max_entries": max_entries}
    if where is None:
        where = _default()
    if isinstance(where, str) and where.startswith(REDIS):
        from labkit.caching.stores.redis import RedisStore

        return RedisStore(where)
    if where == "memory":
        return MemoryStore(**bound, clock=clock)
    if isinstance(where, str) and "://" in where:
        raise SettingsError(f"{where.split('://')[0]}:// is no store: use 'memory', redis://... or a path.")
    if isinstance(where, (str, Path)):
        return SQLiteStore(where, **bound)
    return where


def _default() -> Path | str:
    from labkit.state import state_folder

    settings = _settings()
    if settings.redis_url is not None:
        return settings.redis_url.get_secret_value()
    return state_folder(settings.home).path / FILE


def _settings() -> Settings:
    from labkit import session
    from labkit.settings import load

    try:
        return session.current().settings
    except NotStarted:
        return load()
