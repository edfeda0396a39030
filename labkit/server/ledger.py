"""What a tenant has spent: summed request by request, so that nothing is lost when the journal drops an entry.

One row for each day of lab time and each model. The day is the tenant's own calendar's, which runs with its clock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from labkit.server.labdates import LabDates
from labkit.usage import Usage

if TYPE_CHECKING:
    from labkit.server.tenants import Tenant

DAY_S = 86_400
MOST_DAYS = 400
"""Days kept apart; older ones are summed into one row, so that a clock that leaps cannot fill the memory."""
KEPT_AS = "ledger/rows.json"
NO_MODEL = ""
"""What a request is booked under that never named a valid model."""


@dataclass(slots=True)
class Row:
    """Sums over some requests. Tokens by kind, as in `Usage`: each prompt token is in exactly one of the first four."""

    requests: int = 0
    errors: int = 0
    """Requests that were answered with a status of 400 or more, or not at all."""
    retries: int = 0
    """Requests that the SDK sent again."""
    input: int = 0
    cached: int = 0
    cache_write: int = 0
    cache_write_long: int = 0
    output: int = 0
    reasoning: int = 0
    """The part of `output` that was not shown."""
    cost_usd: float = 0.0

    def add(self, other: Row) -> None:
        for name in FIELDS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def shown(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in FIELDS}


FIELDS = tuple(field.name for field in fields(Row))


class Ledger:
    """The sums of one tenant."""

    def __init__(self, tenant: Tenant) -> None:
        self._dates = tenant.part(LabDates)
        self._store = tenant.store
        self.cost_usd = 0.0
        """Of everything: what a budget is held against."""
        self._rows: dict[int, dict[str, Row]] = {}
        """Day number of the Unix epoch, model id."""
        self._earlier: dict[str, Row] = {}
        self._load()

    def book(self, model: str | None, usage: Usage | None, cost_usd: float, *, failed: bool, retry: bool) -> None:
        """Count one request."""
        day = int(self._dates.now() // DAY_S)
        rows = self._rows.get(day)
        if rows is None:
            rows = self._rows[day] = {}
            self._fold()
        row = rows.get(model or NO_MODEL)
        if row is None:
            row = rows[model or NO_MODEL] = Row()
        row.requests += 1
        row.errors += failed
        row.retries += retry
        if usage is not None:
            row.input += usage.input
            row.cached += usage.cached
            row.cache_write += usage.cache_write
            row.cache_write_long += usage.cache_write_long
            row.output += usage.output
            row.reasoning += usage.reasoning
            row.cost_usd += cost_usd
            self.cost_usd += cost_usd

    def _fold(self) -> None:
        while len(self._rows) > MOST_DAYS:
            for model, row in self._rows.pop(min(self._rows)).items():
                self._earlier.setdefault(model, Row()).add(row)

    def shown(self) -> dict[str, Any]:
        """Totals, by model, and by day and model."""
        everything = [self._earlier, *self._rows.values()]
        models = sorted({model for rows in everything for model in rows})
        by_model = {model: _sum(rows[model] for rows in everything if model in rows) for model in models}
        days = [
            {"day": _date(day), **_sum(rows.values()).shown(), "by_model": _shown(rows)}
            for day, rows in sorted(self._rows.items())
        ]
        earlier = {"earlier": _shown(self._earlier)} if self._earlier else {}
        return {"total": _sum(by_model.values()).shown(), "by_model": _shown(by_model), "by_day": days, **earlier}

    def keep(self) -> None:
        """Write it down: a later process goes on from here."""
        rows = {str(day): _shown(rows) for day, rows in self._rows.items()}
        self._store.put(KEPT_AS, json.dumps([_shown(self._earlier), rows]).encode(), always=True)

    def _load(self) -> None:
        with suppress(ValueError, TypeError, AttributeError):  # what cannot be read is begun anew
            earlier, days = json.loads(self._store.get(KEPT_AS) or b"")
            self._earlier = {model: Row(**row) for model, row in earlier.items()}
            self._rows = {int(day): {m: Row(**row) for m, row in rows.items()} for day, rows in days.items()}
        self.cost_usd = sum(row.cost_usd for rows in (self._earlier, *self._rows.values()) for row in rows.values())


def _sum(rows: Iterable[Row]) -> Row:
    total = Row()
    for row in rows:
        total.add(row)
    return total


def _shown(rows: dict[str, Row]) -> dict[str, Any]:
    return {model: row.shown() for model, row in rows.items()}


def _date(day: int) -> str:
    """2026-11-20, or the plain number of a day beyond the calendar."""
    try:
        return datetime.fromtimestamp(day * DAY_S, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return str(day)
