"""Tables as the pictures take them: the columns asked for, as numbers, without the rows that have none.

A table is a `DataFrame`, one row an observation, or a list of dicts. A level of the index counts as a column, so that
grouped tables such as `ledger.spend()` come as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

Band = Literal["interval", "range"] | None
FEW = 5
"""With fewer repeats, or prompts, than this a resampled interval is narrower than the truth: the range is shown."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What can be drawn."""

    frame: pd.DataFrame
    """The wanted columns only; those that were to be numbers are floats."""
    missing: int
    """Rows left out because one of their numbers is missing or infinite."""
    places: list[int]
    """Where in the table each of them stands."""

    @property
    def note(self) -> str:
        """What the x axis says of the rows left out."""
        total = len(self.frame) + self.missing
        return f"   [{self.missing:,} of {total:,} rows have no value]" if self.missing and len(self.frame) else ""


def rows(data: Any, numbers: Sequence[str], names: Sequence[str] = (), *, either: Sequence[str] = ()) -> Rows:
    """The columns `numbers` and `names` of a table, and `either`: numbers where they are some, else names.

    Raises:
        ValueError: the table has no such column; the message lists those that it has.
    """
    import numpy as np
    import pandas as pd

    frame = as_frame(data)
    wanted = list(dict.fromkeys([*names, *either, *numbers]))
    if absent := [column for column in wanted if column not in frame]:
        if frame.empty and not len(frame.columns):
            return Rows(pd.DataFrame(columns=wanted), 0, [])
        raise ValueError(f"the table has no column {absent[0]!r}; it has {', '.join(map(str, frame.columns))}")
    frame = frame[wanted].reset_index(drop=True)
    numbers = [*numbers, *(column for column in either if _numeric(frame[column]))]
    names = [*names, *(column for column in either if column not in numbers)]
    for column in numbers:
        frame[column] = _as_numbers(frame[column])
    for column in names:
        if column not in numbers:
            frame[column] = frame[column].astype(object).where(frame[column].notna(), "(none)").map(str)
    whole = frame.replace([np.inf, -np.inf], np.nan).dropna(subset=list(numbers))
    return Rows(whole.reset_index(drop=True), len(frame) - len(whole), list(whole.index))


def as_frame(data: Any) -> pd.DataFrame:
    import pandas as pd

    frame = data if isinstance(data, pd.DataFrame) else pd.DataFrame(list(data))
    levels = [name for name in frame.index.names if name is not None and name not in frame.columns]
    return frame.reset_index(level=levels) if levels else frame


def groups(frame: pd.DataFrame, by: str | None) -> dict[str, pd.DataFrame]:
    """The table's parts in the order in which they first come; without `by` one part named ""."""
    if by is None:
        return {"": frame} if len(frame) else {}
    return {str(name): part for name, part in frame.groupby(by, sort=False, observed=True)}


class Span(NamedTuple):
    """How far the truth may lie from a mean."""

    low: float
    high: float
    resampled: bool
    """A 95 % interval of the mean, and not the smallest and largest value."""


def interval(values: pd.Series, kind: Band = "interval", clusters: pd.Series | None = None) -> Span:
    """The 95 % interval of a mean (`labkit.metrics.bootstrap`); smallest and largest where the values are few.

    Args:
        clusters: what each value belongs to, such as its prompt: answers to one prompt resemble each other, so where
            there are several, prompts count and not answers.
    """
    from labkit.metrics import bootstrap

    drawn = values.groupby(clusters) if clusters is not None and clusters.nunique() > 1 else None
    if kind is None:
        return Span(float(values.mean()), float(values.mean()), False)
    if kind == "range" or (len(values) if drawn is None else drawn.ngroups) < FEW:
        return Span(float(values.min()), float(values.max()), False)
    low, high = bootstrap(values.to_numpy()) if drawn is None else bootstrap(drawn.sum(), drawn.count())
    return Span(low, high, True)


def seconds(column: str, values: pd.Series) -> pd.Series:
    """A column of durations in seconds, whatever unit its name says."""
    return values / 1000 if column.endswith(("_ms", "(ms)")) else values


def moments(values: pd.Series) -> pd.Series:
    """Times as seconds that two tables share: since 1970 for datetimes and ISO text, numbers as they are."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(values):
        return values.astype(float)
    found = pd.to_datetime(values, utc=True, format=None if values.dtype.kind == "M" else "ISO8601")
    return (found - pd.Timestamp(0, tz="UTC")).dt.total_seconds()


def _numeric(values: pd.Series) -> bool:
    """Whether every value that is there is a number."""
    return bool(_as_numbers(values.dropna()).notna().all())


def _as_numbers(values: pd.Series) -> pd.Series:
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(values):
        return values
    return pd.to_numeric(values, errors="coerce").astype(float)
