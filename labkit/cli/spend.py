"""`labkit spend`: what calls have cost."""

from __future__ import annotations

from typing import Annotated

import typer

from labkit.cli import tables
from labkit.errors import LabkitError


def spend(
    by: Annotated[
        str, typer.Option(help="Groups, joined by commas: day, model, provider, tag, mode, kind, status.")
    ] = "day,model",
    days: Annotated[int | None, typer.Option(min=1, help="The last so many days only.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Real money only: calls to real services.")] = False,
) -> None:
    """List what calls have cost, by day and model.

    It reads the ledger, where every call of LLMClient, chat and sweep is written.

    \b
        labkit spend                        by day and model
        labkit spend --live --days 7        real money of the last week
        labkit spend --by tag               by experiment

    The lab's calls are priced like real ones, and cost nothing: `--live` leaves them out.
    """
    from datetime import UTC, datetime, timedelta

    from labkit import ledger

    since = (datetime.now(UTC) - timedelta(days=days - 1)).date() if days else None
    groups = tuple(name.strip() for name in by.split(",") if name.strip())
    try:
        table = ledger.current().spend(by=groups, since=since, mode="live" if live else None)
    except ValueError as error:
        raise LabkitError(f"{error}.") from None
    if table.empty:
        print("No calls yet." if not live and days is None else "No such calls.")
        return
    columns = list(table.columns)
    records = table.reset_index().to_dict("records")
    rows = [(*(str(row[name]) for name in groups), *(_figure(name, row[name]) for name in columns)) for row in records]
    tables.show([*groups, *columns], rows, right=columns)
    total = table["cost_usd"].sum()
    print(f"{int(table['calls'].sum()):,} calls, ${total:.4f}{' of real money' if live else ''}")


def _figure(column: str, value: float) -> str:
    return f"{value:.4f}" if column.endswith("_usd") else f"{value:,.0f}"
