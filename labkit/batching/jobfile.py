"""A batch on disk: one file of JSON lines a job, in the folder `batches` of labkit's state.

    batch      what it is: provider, model, how many lines, the most it can cost
    line       one a request, in order
    submitting, submitted      before and after the provider was asked to make it
    outcome    one a line, once the batch has ended
    ended      all outcomes are here; without it they are fetched again
    booked     the ledger has it

The first lines are written to another name and moved into place, so a job is there whole or not at all; later ones are
appended, and a last line that a kill has cut is left out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from labkit.errors import UserError
from labkit.ledger import current
from labkit.lines import LineFile

FOLDER = "batches"
LOCK_SECONDS = 60.0

Record = dict[str, Any]


@dataclass(slots=True)
class Records:
    """What a job file says, by kind."""

    batch: Record
    lines: list[Record] = field(default_factory=list)
    submitting: Record | None = None
    remote: str | None = None
    outcomes: list[Record] = field(default_factory=list)
    ended: Record | None = None
    booked: bool = False


def folder() -> Path:
    """Where the job files of this user are, beside the ledger."""
    return current().path.parent / FOLDER


def new_id() -> str:
    return f"batch-{datetime.now():%Y%m%d-%H%M%S}-{uuid4().hex[:6]}"


class JobFile:
    """One job on disk. It is made with its lines, and then only grows."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def make(cls, job: str, head: Record, lines: Iterable[Record]) -> JobFile:
        """Write a new job down, whole."""
        path = folder() / f"{job}.jsonl"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        partial = path.with_suffix(".part")
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(_text({"kind": "batch", **head}) + b"\n")
            file.writelines(_text({"kind": "line", **line}) + b"\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        return cls(path)

    @classmethod
    def find(cls, job: str | Path) -> JobFile:
        """By id or by path.

        Raises:
            UserError: no such job.
        """
        path = Path(job) if os.sep in str(job) or str(job).endswith(".jsonl") else folder() / f"{job}.jsonl"
        if not path.is_file():
            raise UserError(f"There is no batch {job} in {path.parent}: lk.Batch.jobs() lists what there is.")
        return cls(path)

    def append(self, *records: Record) -> None:
        """Add records, on the disk when this returns."""
        file = LineFile(self.path)
        try:
            file.append(b"\n".join(map(_text, records)), at_once=True)
        finally:
            file.close()

    def read(self) -> Records:
        """
        Raises:
            UserError: no job file.
        """
        found: Records | None = None
        for record in self._records():
            kind = record.pop("kind", None)
            if kind == "batch":
                found = Records(record)
            elif found is not None:
                _add(found, kind, record)
        if found is None or len(found.lines) != found.batch.get("lines"):
            raise UserError(f"{self.path} is no whole job of labkit.")
        return found

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from booking the same job meanwhile."""
        from filelock import FileLock

        with FileLock(self.path.with_suffix(".lock"), timeout=LOCK_SECONDS):
            yield

    def _records(self) -> Iterator[Record]:
        for text in LineFile(self.path):
            try:
                record = json.loads(text)
            except ValueError:
                continue  # a kill has cut it
            if isinstance(record, dict):
                yield record


def _add(found: Records, kind: Any, record: Record) -> None:
    if kind == "line":
        found.lines.append(record)
    elif kind == "submitting":
        found.submitting = record
    elif kind == "submitted":
        found.remote = record["remote"]
    elif kind == "outcome":
        found.outcomes.append(record)
    elif kind == "fetching":
        found.outcomes = []
    elif kind == "ended":
        found.ended = record
    elif kind == "booked":
        found.booked = True


def all_jobs() -> list[JobFile]:
    """Every job of this user, oldest first."""
    return [JobFile(path) for path in sorted(folder().glob("*.jsonl"))]


def _text(record: Record) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode()
