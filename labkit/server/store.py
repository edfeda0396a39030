"""What a tenant's files and batches are kept in: named blobs and append-only logs, in memory or in a folder.

    put(name, bytes)       whole or not at all: written beside its place, then moved there
    append(name, line)     one line; a line that a kill cut in two is dropped when the log is read again

Names are made by the server from ids of its own, never from what a request says. A folder holds one folder a tenant,
named by a hash of the key, so that no key stands on disk.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol
from weakref import WeakSet

LARGEST_STORE = 64 * 2**20
"""Bytes a tenant may keep."""
LARGEST_MEMORY = 512 * 2**20
"""Bytes that all tenants together may keep when there is no folder."""
FORGOTTEN_AFTER_S = 30 * 86_400
"""A tenant's folder that nothing was written to for this long is removed when the server starts."""

_NAME = re.compile(r"[a-z]+/[A-Za-z0-9_-]+\.[a-z]+")


class StoreFull(Exception):
    """There is no room left. The message says how much there is."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The lab server keeps at most {limit // 2**20} MB of files and batches for a key: delete some first."
        )


class Store(Protocol):
    """One tenant's blobs and logs."""

    clears: int
    """How often it was cleared: whoever goes on writing over time looks whether this still is what it was."""

    @property
    def room(self) -> int:
        """Bytes that may still be written."""
        ...

    def names(self, folder: str) -> list[str]:
        """Names in a folder, in no order."""
        ...

    def get(self, name: str) -> bytes | None:
        """A blob; None when there is none."""
        ...

    def put(self, name: str, content: bytes, *, always: bool = False) -> None:
        """Write a blob, whole or not at all; `always` even when the store is full, for what the server must not lose.

        Raises:
            StoreFull: it does not fit.
        """
        ...

    def append(self, name: str, line: bytes) -> None:
        """Add one line, without its newline, to a log. A log may grow a little over the limit: see `room`."""
        ...

    def lines(self, name: str) -> Iterator[bytes]:
        """The whole lines of a log."""
        ...

    def delete(self, name: str) -> None:
        """Remove a blob or log if it is there."""
        ...

    def clear(self) -> None:
        """Remove everything."""
        ...


class MemoryStore:
    """Kept as long as the process lives."""

    def __init__(self, beside: WeakSet[MemoryStore] | None = None) -> None:
        self.clears = 0
        self.size = 0
        self._blobs: dict[str, bytearray] = {}
        self._beside: WeakSet[MemoryStore] = beside if beside is not None else WeakSet()
        """The memory stores of all open tenants, this one among them."""
        self._beside.add(self)

    @property
    def room(self) -> int:
        return min(LARGEST_STORE - self.size, LARGEST_MEMORY - sum(store.size for store in self._beside))

    def names(self, folder: str) -> list[str]:
        return [name for name in self._blobs if name.startswith(f"{folder}/")]

    def get(self, name: str) -> bytes | None:
        blob = self._blobs.get(name)
        return None if blob is None else bytes(blob)

    def put(self, name: str, content: bytes, *, always: bool = False) -> None:
        growth = len(content) - len(self._blobs.get(name, b""))
        if growth > self.room and not always:
            raise StoreFull(LARGEST_STORE)
        self._blobs[name] = bytearray(content)
        self.size += growth

    def append(self, name: str, line: bytes) -> None:
        self._blobs.setdefault(name, bytearray()).extend(line + b"\n")
        self.size += len(line) + 1

    def lines(self, name: str) -> Iterator[bytes]:
        return iter((self.get(name) or b"").split(b"\n")[:-1])

    def delete(self, name: str) -> None:
        self.size -= len(self._blobs.pop(name, b""))

    def clear(self) -> None:
        self.clears += 1
        self._blobs.clear()
        self.size = 0


class FolderStore:
    """Kept in a folder, made at first write. One process at a time writes to it."""

    def __init__(self, folder: Path) -> None:
        self.clears = 0
        self._folder = folder
        self._size = sum(path.stat().st_size for path in folder.glob("*/*") if path.is_file())

    @property
    def room(self) -> int:
        return LARGEST_STORE - self._size

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"no name of a blob: {name!r}")
        return self._folder / name

    def names(self, folder: str) -> list[str]:
        found = (f"{folder}/{path.name}" for path in (self._folder / folder).glob("*"))
        return [name for name in found if _NAME.fullmatch(name)]

    def get(self, name: str) -> bytes | None:
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            return None

    def put(self, name: str, content: bytes, *, always: bool = False) -> None:
        path = self._path(name)
        growth = len(content) - _size(path)
        if growth > self.room and not always:
            raise StoreFull(LARGEST_STORE)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        self._size += growth

    def append(self, name: str, line: bytes) -> None:
        """One `write` a line, so that a killed process leaves at most one line unfinished, the last."""
        path = self._path(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._size += os.write(handle, line + b"\n")
        finally:
            os.close(handle)

    def lines(self, name: str) -> Iterator[bytes]:
        """The whole lines; a cut one is removed from the file, so that the next append starts a line of its own."""
        content = self.get(name) or b""
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(self._path(name), whole)
            self._size -= len(content) - whole
        return iter(content[:whole].split(b"\n")[:-1])

    def delete(self, name: str) -> None:
        path = self._path(name)
        size = _size(path)
        with suppress(FileNotFoundError):
            path.unlink()
            self._size -= size

    def clear(self) -> None:
        self.clears += 1
        shutil.rmtree(self._folder, ignore_errors=True)
        self._size = 0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


class Stores:
    """The stores of all tenants: in a folder, or in memory when there is none."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._in_memory: WeakSet[MemoryStore] = WeakSet()
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._forget_old(folder)

    def open(self, key: str) -> Store:
        """The store of a key. What an earlier process kept there is still there."""
        if self._folder is None:
            return MemoryStore(self._in_memory)
        return FolderStore(self._folder / hashlib.sha256(key.encode()).hexdigest()[:32])

    @staticmethod
    def _forget_old(folder: Path) -> None:
        oldest = time.time() - FORGOTTEN_AFTER_S
        for tenant in folder.iterdir():
            written = (path.stat().st_mtime for path in tenant.glob("**/*"))
            if tenant.is_dir() and max(written, default=tenant.stat().st_mtime) < oldest:
                shutil.rmtree(tenant, ignore_errors=True)
