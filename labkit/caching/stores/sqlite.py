"""Records in one SQLite file: the default. Several threads and processes may share it; a kill leaves it whole.

WAL mode lets readers go on while one writes, and each record is one transaction: after `kill -9` it is there or it is
not. A power cut may lose the newest ones (synchronous=NORMAL), which for a cache is a miss.

A file that is no SQLite database, or a damaged one, is moved aside as `NAME.broken-1` and a new one begun.
"""

from __future__ import annotations

import os
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

from labkit.caching.records import Record
from labkit.caching.stores.base import StoreTrouble, VectorRow
from labkit.caching.warning import CacheWarning

MAX_ENTRIES = 100_000
LAYOUT = 1
"""PRAGMA user_version of the file."""
BUSY_SECONDS = 2.0
"""How long to wait for another process that writes; then the call goes on without the cache."""
PRUNE_EVERY = 500
"""Records written between two looks at the size of the file."""
_TABLES = f"""
CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, created REAL, body TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS oldest ON records (created);
CREATE TABLE IF NOT EXISTS vectors
    (id INTEGER PRIMARY KEY AUTOINCREMENT, namespace TEXT, key TEXT, question TEXT, vector BLOB);
CREATE INDEX IF NOT EXISTS by_namespace ON vectors (namespace, id);
PRAGMA user_version = {LAYOUT};
"""
_PRUNE = """DELETE FROM records WHERE key IN (SELECT key FROM records ORDER BY created DESC LIMIT -1 OFFSET ?)"""
_ORPHANS = """DELETE FROM vectors WHERE key NOT IN (SELECT key FROM records)"""
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")


class SQLiteStore:
    def __init__(self, path: Path | str, max_entries: int = MAX_ENTRIES) -> None:
        self.path = Path(path).expanduser().absolute()
        self.max_entries = max_entries
        self.label = str(self.path)
        self._lock = RLock()
        self._open: sqlite3.Connection | None = None
        self._pid = 0
        self._written = 0

    def get(self, key: str) -> Record | None:
        found = self._row("SELECT body FROM records WHERE key = ?", (key,))
        try:
            return None if found is None else Record.from_json(found[0])
        except ValueError:  # somebody else wrote here: as good as not there
            return None

    def put(self, key: str, record: Record) -> None:
        with self._connected("written") as connection, connection:
            connection.execute("REPLACE INTO records VALUES (?, ?, ?)", (key, record.created, record.to_json()))
            self._written += 1
            if self._written % PRUNE_EVERY == 0:
                connection.execute(_PRUNE, (self.max_entries,))
                connection.execute(_ORPHANS)

    def delete(self, key: str) -> None:
        with self._connected("written") as connection, connection:
            connection.execute("DELETE FROM records WHERE key = ?", (key,))

    def add_vector(self, namespace: str, row: VectorRow) -> None:
        with self._connected("written") as connection, connection:
            connection.execute(
                "INSERT INTO vectors (namespace, key, question, vector) VALUES (?, ?, ?, ?)", (namespace, *row)
            )

    def vectors(self, namespace: str, after: int) -> tuple[int, list[VectorRow]]:
        query = "SELECT id, key, question, vector FROM vectors WHERE namespace = ? AND id > ? ORDER BY id"
        with self._connected("read") as connection:
            rows = connection.execute(query, (namespace, after)).fetchall()
        return (rows[-1][0] if rows else after), [VectorRow(*row[1:]) for row in rows]

    def clear(self) -> None:
        with self._connected("written") as connection, connection:
            connection.execute("DELETE FROM records")
            connection.execute("DELETE FROM vectors")

    def __len__(self) -> int:
        row = self._row("SELECT count(*) FROM records", ())
        return int(row[0]) if row else 0

    def close(self) -> None:
        with self._lock:
            if self._open is not None and self._pid == os.getpid():
                self._open.close()
            self._open = None

    def _row(self, query: str, values: tuple[str, ...]) -> tuple[str, ...] | None:
        with self._connected("read") as connection:
            found: tuple[str, ...] | None = connection.execute(query, values).fetchone()
            return found

    @contextmanager
    def _connected(self, verb: str) -> Iterator[sqlite3.Connection]:
        """The connection of this process.

        Raises:
            StoreTrouble: a full disk, a folder that cannot be written, a file that is damaged or locked for long.
        """
        with self._lock:
            try:
                if self._open is None or self._pid != os.getpid():  # SQLite's connections do not survive a fork
                    self._open, self._pid = self._connect(), os.getpid()
                yield self._open
            except sqlite3.Error as error:
                if damaged(error):
                    self._replace()
                raise StoreTrouble(f"{self.path} cannot be {verb} ({error})") from error
            except OSError as error:
                raise StoreTrouble(f"{self.path} cannot be {verb} ({error.strerror})") from error

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            return self._prepared()
        except sqlite3.DatabaseError as error:
            if not damaged(error):
                raise
            self._replace()
            return self._prepared()

    def _prepared(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, check_same_thread=False)
        try:
            layout = connection.execute("PRAGMA user_version").fetchone()[0]
            if layout > LAYOUT:
                raise sqlite3.OperationalError(f"it is of a later labkit, layout {layout}")
            if layout == 0 and connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise sqlite3.OperationalError("it is another program's database")
            if layout < LAYOUT:
                self.path.chmod(0o600)  # prompts and answers are the user's own
                connection.executescript(f"PRAGMA journal_mode = WAL; BEGIN IMMEDIATE; {_TABLES} COMMIT;")
            connection.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _replace(self) -> None:
        """Move the file aside, and say so."""
        self.close()
        aside = next(p for p in _names(self.path) if not p.exists())
        for ending in ("", "-wal", "-shm"):
            part = self.path.with_name(self.path.name + ending)
            if part.exists():
                part.rename(aside.with_name(aside.name + ending))
        warnings.warn(
            f"The cache file {self.path} is damaged: it was moved to {aside.name}, and a new one begun.",
            CacheWarning,
            stacklevel=2,
        )


def damaged(error: sqlite3.Error) -> bool:
    """Whether the file itself is at fault, rather than the disk or another process."""
    return getattr(error, "sqlite_errorname", "").startswith(_DAMAGED)


def _names(path: Path) -> Iterator[Path]:
    n = 0
    while True:
        n += 1
        yield path.with_name(f"{path.name}.broken-{n}")
