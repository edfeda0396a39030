"""The files of a tenant: uploaded ones and those that batches write.

Neutral to the provider. A file is two blobs, its content and a record of it; it counts once the record is there.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from labkit.server.errors import ApiError
from labkit.server.labdates import LabDates
from labkit.server.store import StoreFull

if TYPE_CHECKING:
    from labkit.server.tenants import Tenant

MOST_FILES = 1_000
"""Files that a tenant may keep."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What is known of a file."""

    id: str
    provider: str
    name: str
    size: int
    """Bytes."""
    created: float
    """Lab date, seconds of the Unix epoch."""
    purpose: str = ""
    mime: str = "application/octet-stream"
    expires: float | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    """What only one provider has."""
    blob: str = ""
    """Under which name it is stored: never a name that a request brought."""


class Files:
    """The files of one tenant, of all providers."""

    def __init__(self, tenant: Tenant) -> None:
        self._store = tenant.store
        self._dates = tenant.part(LabDates)
        self._files: dict[tuple[str, str], StoredFile] = {}
        for name in self._store.names("files"):
            self._load(name)

    def _load(self, name: str) -> None:
        stem, _, kind = name.partition(".")
        if kind == "json" and (record := self._store.get(name)):
            file = StoredFile(**json.loads(record))
            self._files[file.provider, file.id] = file
        elif kind == "bin" and self._store.get(f"{stem}.json") is None:  # an upload or a deletion that was cut short
            self._store.delete(name)

    def add(
        self,
        provider: str,
        content: bytes,
        *,
        id: str,
        name: str,
        purpose: str = "",
        mime: str = "application/octet-stream",
        expires_after: float | None = None,
        extra: dict[str, Any] | None = None,
        by_server: bool = False,
    ) -> StoredFile:
        """Keep a file; one of the same id is replaced.

        Args:
            expires_after: lab seconds.
            by_server: it is a result, which must not be lost: the limits do not hold for it.

        Raises:
            ApiError: there are too many files, or too much in them.
        """
        if not by_server and len(self.all_of(provider)) >= MOST_FILES:
            raise ApiError(
                "invalid_request", f"The lab server keeps at most {MOST_FILES} files for a key: delete some."
            )
        if (old := self._files.get((provider, id))) is not None:
            self.delete(old)
        now = self._dates.now()
        expires = None if expires_after is None else now + expires_after
        blob = uuid4().hex
        file = StoredFile(id, provider, name, len(content), now, purpose, mime, expires, extra or {}, blob)
        try:
            self._store.put(f"files/{blob}.bin", content, always=by_server)
            self._store.put(f"files/{blob}.json", json.dumps(asdict(file)).encode(), always=True)
        except StoreFull as full:
            raise ApiError("too_large", str(full)) from None
        self._dates.keep()
        self._files[provider, id] = file
        return file

    def find(self, provider: str, id: str) -> StoredFile | None:
        """A file, unless it has expired."""
        file = self._files.get((provider, id))
        if file is not None and file.expires is not None and file.expires <= self._dates.now():
            self.delete(file)
            return None
        return file

    def all_of(self, provider: str) -> list[StoredFile]:
        """The files of a provider, newest first."""
        found = [self.find(provider, id) for of, id in list(self._files) if of == provider]
        return sorted((file for file in found if file is not None), key=lambda file: -file.created)

    def content(self, file: StoredFile) -> bytes:
        return self._store.get(f"files/{file.blob}.bin") or b""

    def delete(self, file: StoredFile) -> None:
        self._files.pop((file.provider, file.id), None)
        self._store.delete(f"files/{file.blob}.json")
        self._store.delete(f"files/{file.blob}.bin")
