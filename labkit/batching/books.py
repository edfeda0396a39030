"""The money of a batch: held before the upload, in the ledger once after the end, whoever sees the end first."""

from __future__ import annotations

from collections.abc import Callable

from labkit import ledger
from labkit.batching.jobfile import JobFile
from labkit.budget import Hold
from labkit.calls import Line, hold, limits

_held: dict[str, list[Hold]] = {}
"""By job: what this process holds back, or has settled. Two objects of one job must not charge a budget twice."""


def reserve(job: str, line: Line, model: str, most_usd: Callable[[], float]) -> None:
    """Hold back the most that a job can cost, until `book` or `release`.

    Raises:
        BudgetExceeded: nothing should be sent.
    """
    if job not in _held:
        _held[job] = hold(line, model, most_usd)


def release(job: str) -> None:
    """It was not submitted after all."""
    for held in _held.pop(job, ()):
        held.settle(0.0)


def book(file: JobFile, job: str, line: Line, entry: ledger.Entry) -> None:
    """One line in the ledger for a whole batch, known by the provider's id of it."""
    books = line.ledger or ledger.current()
    with file.lock():
        in_file = file.read().booked
        known = in_file or any(e.kind == entry.kind and e.request_id == entry.request_id for e in books.entries())
        if not known:
            books.append(entry)
        if not in_file:
            file.append({"kind": "booked", "at": ledger.now()})
    if job not in _held and not known:  # submitted by another process: nothing is held here
        _held[job] = [Hold(limit, 0.0) for limit in limits(line, entry.model)]
    for held in _held.get(job, ()):
        held.settle(entry.cost_usd or 0.0)
