"""What the lab server saw and billed: the journal, request by request, and the ledger, summed.

The journal's newest thousand entries are in memory and older ones on disk until space runs out; the ledger loses
nothing. A plot or an exercise reads these, and not what a notebook believes to have sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labkit.errors import ControlError, NothingRecorded
from labkit.session import current

if TYPE_CHECKING:
    import pandas as pd

PAGE = 1_000
"""Journal entries per call: the most that the server sends at once by default."""
RECENT = 50

COLUMNS = {
    "time": ("time",),
    "lab_s": ("lab_time",),
    "provider": ("provider",),
    "method": ("method",),
    "path": ("path",),
    "model": ("model",),
    "stream": ("stream",),
    "status": ("status",),
    "error": ("error",),
    "fault": ("fault",),
    "retry_after_s": ("retry_after_s",),
    "finish": ("finish_reasons",),
    "input": ("usage", "input"),
    "cached": ("usage", "cached"),
    "cache_write": ("usage", "cache_write"),
    "cache_write_long": ("usage", "cache_write_long"),
    "output": ("usage", "output"),
    "reasoning": ("usage", "reasoning"),
    "total": ("usage", "total"),
    "cost_usd": ("cost_usd",),
    "first_token_ms": ("timing", "first_token_ms"),
    "total_ms": ("timing", "total_ms"),
    "tokens_sent": ("tokens_sent",),
    "disconnected": ("disconnected",),
    "retry": ("retry",),
    "request_id": ("request_id",),
    "user_agent": ("user_agent",),
}
"""Journal columns and where in an entry each one lies.

"time" is when the request came (UTC) and "lab_s" the lab seconds by then; "fault" names the scripted fault that struck;
"retry_after_s" is the wait that a refusal asked for, in real seconds; "retry" is the SDK's own count of its attempts;
"disconnected" is a client that left before the last byte, after "tokens_sent" tokens. What has no value is missing and
not 0.
"""

SUMS = (
    "requests", "errors", "retries",
    "input", "cached", "cache_write", "cache_write_long", "output", "reasoning",
    "cost_usd",
)  # fmt: skip
"""Ledger columns: requests, tokens by kind ("reasoning" is a part of "output"), and USD."""
EARLIER = "earlier"
"""The day of what the ledger has summed because it is more than 400 lab days old."""


def entries(
    *,
    after: int = 0,
    limit: int | None = None,
    provider: str | None = None,
    model: str | None = None,
    status: int | None = None,
    path: str | None = None,
) -> list[dict[str, Any]]:
    """Journal entries as the server keeps them, oldest first.

    Args:
        after: only entries with a higher id, such as one that `mark()` returned earlier.
        limit: at most so many; by default all.
        provider, model, status, path: only entries with exactly this value.
    """
    found: list[dict[str, Any]] = []
    filters = {"provider": provider, "model": model, "status": status, "path": path}
    while limit is None or len(found) < limit:
        size = PAGE if limit is None else min(PAGE, limit - len(found))
        page = current().control("GET", "journal", query={"after": after, "limit": size, **filters})["entries"]
        found += page
        if len(page) < size:
            break
        after = page[-1]["id"]
    return found


def journal(**filters: Any) -> pd.DataFrame:
    """The journal as a table, one row a request, indexed by entry id. Takes the same filters as `entries`."""
    import pandas as pd

    rows = entries(**filters)
    table = {name: [_at(row, where) for row in rows] for name, where in COLUMNS.items()}
    frame = pd.DataFrame(table, index=pd.Index([row["id"] for row in rows], name="id", dtype="int64"))
    return frame.assign(time=pd.to_datetime(frame["time"], utc=True, format="ISO8601"))


def ledger(by: str | Sequence[str] = "model") -> pd.DataFrame:
    """What the server billed since the last reset, summed request by request: the columns `SUMS`.

    Retries, refused requests and streams that the client left are all in it, as on a provider's bill.

    Args:
        by: "model", "day" (of lab time), or both. A request that never named a valid model has the model "".

    Raises:
        ValueError: another group.
    """
    import pandas as pd

    groups = [by] if isinstance(by, str) else list(by)
    if unknown := [name for name in groups if name not in ("day", "model")]:
        raise ValueError(f"{unknown[0]!r} is no group of the server's ledger: use 'model', 'day' or both")
    shown = current().control("GET", "ledger")
    days = {EARLIER: shown.get("earlier", {}), **{row["day"]: row["by_model"] for row in shown["by_day"]}}
    rows = [{"day": day, "model": model, **sums} for day, models in days.items() for model, sums in models.items()]
    return pd.DataFrame(rows, columns=["day", "model", *SUMS]).groupby(groups)[list(SUMS)].sum()


def mark() -> int:
    """Id of the latest entry, to pass as `after` later."""
    return int(current().control("GET", "journal", query={"limit": 1})["last"])


def last(**filters: Any) -> dict[str, Any]:
    """The latest entry, with its request and response on the wire under "wire". Takes the same filters as `entries`.

    Raises:
        NothingRecorded: no such request yet.
    """
    found = entries(after=max(0, mark() - RECENT), **filters) or entries(**filters)
    if not found:
        kind = ", ".join(f"{name}={value!r}" for name, value in filters.items())
        raise NothingRecorded(f"The journal holds no request{f' with {kind}' if kind else ''} yet: make a call first.")
    return entry(found[-1]["id"])


def entry(entry_id: int) -> dict[str, Any]:
    """One entry with its exchange on the wire; "wire" is None once the server has dropped the bytes.

    Raises:
        NothingRecorded: no entry with that id.
    """
    try:
        found: dict[str, Any] = current().control("GET", f"journal/{int(entry_id)}")
    except ControlError as error:
        if error.status != 404:
            raise
        raise NothingRecorded(
            f"The journal holds no entry {entry_id}: `lk.lab.journal()` lists what it holds."
        ) from None
    return found


def _at(row: Mapping[str, Any], where: tuple[str, ...]) -> Any:
    value: Any = row
    for name in where:
        value = value.get(name) if isinstance(value, Mapping) else None
    return ", ".join(str(v) for v in value) if isinstance(value, list) else value
