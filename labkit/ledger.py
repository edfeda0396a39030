"""What every call took, in a file that outlives the process: `lk.ledger.table()`, `lk.ledger.spend(by="model")`.

One line of JSON a call, appended in one write, so that a kill loses no finished call. Lines of live calls are forced to
the disk at once, others at most once a second: a kill of the process loses neither, only a power cut could.

    ledger.table()                       every call, one row each
    ledger.spend(by=("day", "model"))    what they cost
    ledger.total(mode="live")            USD
    ledger.estimate("Hi", model=...)     what a call would cost, before it is made
    ledger.plot()                        cost by day, stacked by model

The file is `ledger.jsonl` in labkit's state folder; local and live calls stand in the same one. A line that cannot be
read, such as the last one after a power cut, is left out and said once.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from labkit import prices, registry, tokens
from labkit.chat import Messages, as_messages
from labkit.errors import NotStarted
from labkit.lines import LineFile
from labkit.session import current as session
from labkit.state import state_folder
from labkit.usage import Usage

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

FILE = "ledger.jsonl"
INEXACT_MARGIN = 1.35
"""By how much a prompt may have more tokens than counted, where the provider's tokenizer is not public. Anthropic's
notes on its newer tokenizer speak of up to 1.35 times as many."""
GROUPS = ("day", "model", "provider", "tag", "mode", "kind", "status")


class LedgerWarning(UserWarning):
    """The ledger cannot be read or written as it should be. Work goes on."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One call."""

    time: str
    """When it ended, ISO 8601 in UTC."""
    provider: str
    model: str
    """As asked for."""
    kind: str
    """"chat", "stream", "embed", or "batch" for all lines of one."""
    mode: str
    """"local" or "live"."""
    status: str = "ok"
    """"ok", "cache" for an answer that no provider was asked for, or the name of the error."""
    tag: str = ""
    input: int = 0
    cached: int = 0
    cache_write: int = 0
    cache_write_long: int = 0
    output: int = 0
    reasoning: int = 0
    estimated: bool = False
    """The usage is labkit's count, since the provider's did not arrive."""
    cost_usd: float | None = None
    """None: no price is known."""
    retries: int = 0
    latency_s: float = 0.0
    finish: str | None = None
    request_id: str | None = None
    saved_usd: float | None = None
    """With status "cache": what the answer cost when it was asked for."""

    @property
    def usage(self) -> Usage:
        return Usage(*(getattr(self, name) for name in Usage.__dataclass_fields__))

    def told(self) -> dict[str, Any]:
        """The fields that are not at their default: what a line of the file says."""
        row = {}
        for name, default in _FIELDS.items():
            value = getattr(self, name)
            if value != default:
                row[name] = value
        return row

    @property
    def day(self) -> str:
        """The day in UTC, as providers bill it."""
        return self.time[:10]


_FIELDS = {f.name: f.default for f in fields(Entry)}
"""Field: its default, or dataclasses' mark for none."""
_json = json.JSONEncoder(ensure_ascii=False).encode


class Ledger:
    """An append-only file of entries. Several threads and processes may write to the same one."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = monotonic) -> None:
        self.path = path
        self._file = LineFile(path, clock=clock)
        self._lost: list[Entry] = []
        self._said: set[str] = set()

    def __repr__(self) -> str:
        return f"<ledger {self.path}>"

    def append(self, entry: Entry) -> None:
        """Add one line. A disk that is full or a folder that is gone is said once, and the entry kept in memory."""
        try:
            self._file.append(_json(entry.told()).encode(), at_once=entry.mode == "live")
        except OSError as error:
            self._lost.append(entry)
            reason = f"{self.path} cannot be written ({error.strerror})"
            self._say("write", f"{reason}: what is spent from here on is kept in memory only.")

    def entries(self) -> Iterator[Entry]:
        """Every entry, oldest first."""
        broken = 0
        for line in self._file:
            entry = _parse(line)
            broken += entry is None
            if entry is not None:
                yield entry
        if broken:
            lines = "one line that is no entry was" if broken == 1 else f"{broken} lines that are no entries were"
            self._say("read", f"{self.path}: {lines} left out, as a power cut or a full disk leaves them.")
        yield from self._lost

    def table(self) -> pd.DataFrame:
        """One row a call, oldest first."""
        import pandas as pd

        frame = pd.DataFrame([asdict(entry) for entry in self.entries()], columns=[f.name for f in fields(Entry)])
        return frame.assign(time=pd.to_datetime(frame["time"], utc=True, format="ISO8601"))

    def spend(
        self, by: str | tuple[str, ...] = ("day", "model"), *, mode: str | None = None, since: date | None = None
    ) -> pd.DataFrame:
        """Calls, tokens, cost and what a cache saved, grouped.

        Args:
            by: out of `GROUPS`.
            mode: "live" or "local" calls only.
            since: from this day on, in UTC.

        Raises:
            ValueError: an unknown group.
        """
        groups = [by] if isinstance(by, str) else list(by)
        unknown = [name for name in groups if name not in GROUPS]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no group of the ledger: use {', '.join(GROUPS)}")
        frame = self.table()
        frame = frame.assign(
            day=frame["time"].dt.date,
            calls=1,
            prompt=frame[["input", "cached", "cache_write", "cache_write_long"]].sum(axis=1),
            cost_usd=frame["cost_usd"].astype(float),
            saved_usd=frame["saved_usd"].astype(float),
        )
        frame = frame[frame["mode"] == mode] if mode else frame
        frame = frame[frame["day"] >= since] if since else frame
        return frame.groupby(groups)[["calls", "retries", "prompt", "output", "cost_usd", "saved_usd"]].sum()

    def total(self, *, mode: str | None = None, day: date | None = None, tag: str | None = None) -> float:
        """USD, of the calls whose price is known."""
        return sum(
            entry.cost_usd or 0.0
            for entry in self.entries()
            if (mode is None or entry.mode == mode)
            and (day is None or entry.day == day.isoformat())
            and (tag is None or entry.tag == tag)
        )

    def plot(self, by: str = "model", *, ax: Axes | None = None) -> Axes:
        """Cost by day (UTC), stacked by model, tag or another group."""
        from labkit import plots

        return plots.spend(self.spend(by=("day", by)), by, ax)

    def sync(self) -> None:
        """Force what was written to the disk now."""
        self._file.sync()

    def close(self) -> None:
        self._file.close()

    def _say(self, subject: str, sentence: str) -> None:
        if subject not in self._said:
            self._said.add(subject)
            warnings.warn(sentence, LedgerWarning, stacklevel=3)


def _parse(line: bytes) -> Entry | None:
    """An entry, also of a later version that says more; None for a line that is none."""
    try:
        row = json.loads(line)
        return Entry(**{name: value for name, value in row.items() if name in _FIELDS})
    except (ValueError, TypeError, AttributeError):
        return None


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


# --- Before a call ---


def prompt_tokens(messages: Messages, model: str, *, system: str | None = None, more: str = "") -> int:
    """Tokens that a prompt will have at most: counted, and with a margin where only the provider can count exactly.

    Args:
        more: other text that is sent along, such as tool schemas.
    """
    row = _row(model)
    counted = count(messages, model, system=system) + (tokens.count(more) if more else 0)
    return counted if row is not None and row.exact_tokens else int(counted * INEXACT_MARGIN) + 1


def count(messages: Messages, model: str, *, system: str | None = None) -> int:
    """Tokens of a prompt by the tokenizer at hand: exact for OpenAI's models, an estimate for others."""
    row = _row(model)
    turns = ([("system", system)] if system else []) + [(m.role, m.text) for m in as_messages(messages)]
    return tokens.count_messages(turns, row.id if row else None)


def estimate(
    messages: Messages, *, model: str, max_tokens: int, system: str | None = None, calls: int = 1, more: str = ""
) -> float:
    """The most that calls like this can cost, in USD: every token of the answer used, none of the prompt cached.

    Raises:
        registry.UnknownModel, prices.UnknownPrice: nobody lists a price.
    """
    prompt = prompt_tokens(messages, model, system=system, more=more)
    # A provider may write the prompt to its cache, which costs more than reading it; the rate falls back to input.
    return calls * prices.cost(model, Usage(cache_write=prompt, output=max_tokens))


def _row(model: str) -> registry.Model | None:
    try:
        return registry.find(model)
    except registry.UnknownModel:
        return None


# --- The ledger of this user ---

_open: dict[Path | None, Ledger] = {}
"""By the folder that the settings ask for."""


def current() -> Ledger:
    """The ledger in labkit's state folder."""
    try:
        wanted = session().settings.home
    except NotStarted:
        from labkit import settings

        wanted = settings.load().home
    found = _open.get(wanted)
    if found is None:  # proving that a folder can be written takes a file: once is enough
        found = _open[wanted] = Ledger(state_folder(wanted).path / FILE)
    return found


def table() -> pd.DataFrame:
    """One row a call of this user, oldest first."""
    return current().table()


def spend(
    by: str | tuple[str, ...] = ("day", "model"), *, mode: str | None = None, since: date | None = None
) -> pd.DataFrame:
    """Calls, tokens and cost of this user, grouped by any of `GROUPS`."""
    return current().spend(by, mode=mode, since=since)


def total(*, mode: str | None = None, day: date | None = None, tag: str | None = None) -> float:
    """USD that this user has spent."""
    return current().total(mode=mode, day=day, tag=tag)


def plot(by: str = "model", *, ax: Axes | None = None) -> Axes:
    """Cost of this user by day, stacked."""
    return current().plot(by, ax=ax)


def entries() -> list[dict[str, Any]]:
    """The rows of `table()` as plain dicts."""
    return [asdict(entry) for entry in current().entries()]
