"""The table of a sweep: one row a cell, in the order of the grid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from labkit.experiments.grid import Cell, Grid, Refused
from labkit.experiments.runner import Run, described, failed
from labkit.usage import Usage

if TYPE_CHECKING:
    import pandas as pd

ASKED = ("prompt_id", "prompt", "provider", "model")
ANSWERED = (
    *("text", "parsed", "finish_reason", *Usage.__dataclass_fields__, "cost_usd", "latency_s", "ttft_s", "retries"),
    *("reused", "error", "notes", "request_id", "time"),
)


def columns(grid: Grid) -> list[str]:
    """Columns of a sweep's table: what was asked, the parameters that it names, and what came back."""
    return [*ASKED, *grid.axes, "repeat", "seed", *ANSWERED]


def rows(run: Run) -> Iterator[dict[str, Any]]:
    """One row a cell that has an answer or an error. Cells that were never sent have none."""
    keys = {cell.key for cell in run.grid if isinstance(cell, Cell)}
    found = run.store.rows(keys)
    for cell in run.grid:
        if isinstance(cell, Refused):
            yield {**failed(cell.cell, cell.error), "prompt": cell.cell.prompt.text, "reused": False}
        elif row := found.get(cell.key) or run.errors.get(cell.key):
            yield {**row, **described(cell), "prompt": cell.prompt.text, "reused": cell.key in run.before}


def frame(run: Run, name: str) -> pd.DataFrame:
    """The table. `frame.attrs` says where it lies on disk, what this run has spent and whether it was stopped."""
    import pandas as pd

    made = pd.DataFrame(rows(run), columns=columns(run.grid))
    made = made.astype({column: "float64" for column in ("cost_usd", "latency_s", "ttft_s")})
    made = made.astype({column: "Int64" for column in (*Usage.__dataclass_fields__, "retries", "seed")})
    made = made.astype({"reused": "bool", "text": "object", "error": "object"})
    tally = run.tally
    made.attrs = {
        "sweep": name,
        "file": str(run.store.path),
        "reused": tally.reused,
        "paid": tally.paid,
        "failed": tally.failed,
        "missing": tally.total - len(made),
        "spent_usd": tally.spent_usd,
        "stopped": tally.stopped,
    }
    return made
