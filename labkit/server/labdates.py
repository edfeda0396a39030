"""Dates in lab time: what `created_at` and `expires_at` are made of.

A tenant's clock starts at 0 in every process. Its dates start at the real date, run at the clock's pace and jump with
it; what was written down moves them past a restart, so that no date that somebody saw ever lies in the future.
"""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.server.tenants import Tenant

KEPT_AS = "clock/date.txt"


class LabDates:
    """The calendar of one tenant."""

    def __init__(self, tenant: Tenant) -> None:
        self._clock = tenant.clock
        self._store = tenant.store
        seen = 0.0
        with suppress(ValueError):
            seen = float(tenant.store.get(KEPT_AS) or 0)
        self._offset = max(time.time(), seen) - tenant.clock.now()

    def now(self) -> float:
        """The lab's date, as seconds of the Unix epoch."""
        return self._offset + self._clock.now()

    def keep(self) -> None:
        """Write the date down: it will not be earlier after a restart."""
        self._store.put(KEPT_AS, f"{self.now():.3f}".encode(), always=True)


def rfc3339(seconds: float) -> str:
    """A date as Anthropic and Google write it.

    >>> rfc3339(0)
    '1970-01-01T00:00:00.000000Z'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
