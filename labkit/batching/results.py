"""What became of each line, as the job file keeps it and as the user sees it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from labkit.batching.wire import Outcome
from labkit.prices import Price
from labkit.structured import Shape, explained
from labkit.usage import Usage

if TYPE_CHECKING:
    import pandas as pd

PENDING = "pending"
SUCCEEDED = "succeeded"
INVALID = "invalid"
"""Answered and charged, and the answer does not fit the schema."""


@dataclass(frozen=True, slots=True)
class Result:
    """One line's end."""

    id: str
    status: str = PENDING
    """"succeeded", "failed", "expired", "cancelled", "invalid"; "pending" until the batch has ended."""
    text: str = ""
    finish_reason: str | None = None
    error: str = ""
    usage: Usage = Usage()
    cost_usd: float | None = 0.0
    """At the batch price. None: no price is known."""
    model: str = ""
    request_id: str | None = None
    tool_calls: tuple[str, ...] = ()
    """What the model asks for, as text."""
    parsed: Any = None
    attempts: int = 1
    """Batches that this line has been in."""

    def record(self) -> dict[str, Any]:
        """As the job file keeps it: without what the schema makes of it."""
        row = asdict(self)
        del row["parsed"], row["attempts"]
        return row

    @classmethod
    def of_record(cls, row: dict[str, Any]) -> Result:
        return cls(**{**row, "usage": Usage(**row["usage"]), "tool_calls": tuple(row["tool_calls"])})

    def shaped(self, shape: Shape | None) -> Result:
        """With the answer as an object, or as invalid with the reason."""
        if shape is None or self.status != SUCCEEDED or self.tool_calls:
            return self
        try:
            return replace(self, parsed=shape.parse(self.text))
        except ValueError as problem:
            cut = "it was cut at max_tokens: allow more" if self.finish_reason == "length" else explained(problem)
            return replace(self, status=INVALID, error=f"the answer does not fit the schema: {cut}")


def result(outcome: Outcome, price: Price | None) -> Result:
    """An outcome with its price. A line that was not answered costs nothing."""
    answer = outcome.answer
    if answer is None:
        return Result(outcome.id, outcome.status, error=outcome.error)
    usage = answer.usage or Usage()
    return Result(
        id=outcome.id,
        status=outcome.status,
        text=answer.text,
        finish_reason=answer.finish,
        usage=usage,
        cost_usd=None if price is None else price.cost(usage, batch=True),
        model=answer.model,
        request_id=answer.request_id,
        tool_calls=tuple(map(str, answer.tool_calls)),
    )


def total(costs: Iterable[float | None]) -> float | None:
    """USD together; None when one of them is unknown."""
    known = list(costs)
    return None if None in known else sum(c for c in known if c is not None)


def merged(before: Sequence[Result], after: Sequence[Result]) -> list[Result]:
    """The lines of the first, each with its newest result, and what all its attempts took."""
    newer = {r.id: r for r in after}

    def one(old: Result) -> Result:
        new = newer.get(old.id)
        if new is None:
            return old
        usage, cost = old.usage + new.usage, total((old.cost_usd, new.cost_usd))
        return replace(new, usage=usage, cost_usd=cost, attempts=old.attempts + 1)

    return [one(old) for old in before]


def table(results: Sequence[Result], *, parsed: bool) -> pd.DataFrame:
    """One row a line, in the order of the requests.

    Args:
        parsed: there is a schema, so there is a column for what it made. One for tool calls is there if any came.
    """
    import pandas as pd

    asked = any(r.tool_calls for r in results)
    more = (*(("parsed",) if parsed else ()), *(("tool_calls",) if asked else ()))
    names = ("id", "status", "text", *more, "finish_reason", "error")
    rows = []
    for r in results:
        counted = {"input": r.usage.prompt, "cached": r.usage.cached, "output": r.usage.output}
        last = {"cost_usd": r.cost_usd, "attempts": r.attempts, "request_id": r.request_id}
        rows.append({name: getattr(r, name) for name in names} | counted | last)
    columns = [*names, "input", "cached", "output", "cost_usd", "attempts", "request_id"]
    return pd.DataFrame(rows, columns=columns)
