"""The lab server's knobs and its journal, from a notebook: `lk.lab.journal()`, `lk.lab.limits(...)`.

Everything here is about the current session's tenant: other notebooks on the same server notice nothing.

    lab.journal()                            what the server saw, one row a request
    lab.last()                               the latest request with its exchange on the wire
    lab.limits(requests_per_minute=5)        rate limits of this tenant
    lab.pace(1.0)                            answers take as long as a real model's would
    lab.clock(minute=1.0)                    a lab minute passes in one second
    lab.seed(7)                              answers repeat from here on
    lab.distribution("The capital of ...")   the model's distribution over the next token
    lab.reset()                              forget the journal and refill the limits
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from labkit.errors import ControlError, NothingRecorded
from labkit.session import current

if TYPE_CHECKING:
    import pandas as pd

    from labkit.sampling import Distribution

PAGE = 1_000
"""Journal entries per call: the most that the server sends at once by default."""
RECENT = 50
PEAKS = 2_000
"""How many listed tokens of a distribution are fetched: the most that the server sends."""

COLUMNS = {
    "time": ("time",),
    "provider": ("provider",),
    "method": ("method",),
    "path": ("path",),
    "model": ("model",),
    "stream": ("stream",),
    "status": ("status",),
    "error": ("error",),
    "finish": ("finish_reasons",),
    "input": ("usage", "input"),
    "cached": ("usage", "cached"),
    "cache_write": ("usage", "cache_write"),
    "output": ("usage", "output"),
    "reasoning": ("usage", "reasoning"),
    "total": ("usage", "total"),
    "cost_usd": ("cost_usd",),
    "first_token_ms": ("timing", "first_token_ms"),
    "total_ms": ("timing", "total_ms"),
    "retry": ("retry",),
    "user_agent": ("user_agent",),
}
"""Journal columns and where in an entry each one lies."""


class _Unchanged(Enum):
    UNCHANGED = "unchanged"

    def __repr__(self) -> str:
        return "unchanged"


UNCHANGED: Final = _Unchanged.UNCHANGED
"""Default of a limit that a call does not name; None means no limit."""

Limit = int | None | _Unchanged


@dataclass(frozen=True, slots=True)
class TokenChance:
    """One candidate for the next token."""

    id: int
    text: str
    """As it would be appended; part of a character shows as U+FFFD."""
    p: float


@dataclass(frozen=True, slots=True)
class NextToken:
    """The model's own distribution over the next token: before temperature, top-p and all other parameters."""

    model: str
    tokens: tuple[TokenChance, ...]
    """Most probable first."""
    distribution: Distribution
    """The same over the whole vocabulary, for `labkit.sampling.shape`."""
    end: int
    """Token id that ends the answer."""

    def __repr__(self) -> str:
        rows = "\n".join(f"{t.p:8.4f}  {t.text!r}" for t in self.tokens[:10])
        return f"next token of {self.model}\n{rows}"


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
    return pd.DataFrame(table, index=pd.Index([row["id"] for row in rows], name="id", dtype="int64"))


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


def limits(
    *,
    requests_per_minute: Limit = UNCHANGED,
    tokens_per_minute: Limit = UNCHANGED,
    requests_per_day: Limit = UNCHANGED,
    tokens_per_day: Limit = UNCHANGED,
    model: str | None = None,
) -> dict[str, int | None]:
    """Set this tenant's rate limits, and return those in force. Without arguments, only return them.

    Args:
        model: limit one model apart from the others.

    Raises:
        ControlError: a limit that is no whole number above zero, or an unknown model.
    """
    named = {
        "requests_per_minute": requests_per_minute,
        "tokens_per_minute": tokens_per_minute,
        "requests_per_day": requests_per_day,
        "tokens_per_day": tokens_per_day,
    }
    changes: dict[str, object] = {name: value for name, value in named.items() if not isinstance(value, _Unchanged)}
    if changes:
        described = current().configure(limits={**changes, **({"model": model} if model else {})})
    else:
        described = current().control("GET", "tenant")
    if model is None:
        return dict(described["limits"])
    from labkit import registry

    return dict(described["model_limits"].get(registry.find(model).id, described["limits"]))


def pace(factor: float | None = None) -> float:
    """How long answers take: 0 at once, 1 as long as the registry's models would, 0.1 ten times faster.

    Returns:
        The pace in force, set to `factor` if that is given.
    """
    described = current().control("GET", "tenant") if factor is None else current().configure(pace=factor)
    return float(described["pace"])


def clock(*, minute: float | None = None, advance: float | None = None) -> dict[str, float]:
    """This tenant's clock: windows, lifetimes and waits of the lab server are in lab time.

    Args:
        minute: real seconds that a lab minute takes; 60 is real time, 1 is sixty times faster.
        advance: lab seconds to jump ahead, once.

    Returns:
        "rate", lab seconds per real second, and "now", lab seconds since this tenant began.

    Raises:
        ValueError: `minute` is not above zero.
    """
    if minute is not None and not minute > 0:
        raise ValueError(f"a lab minute takes more than 0 seconds, got {minute!r}")
    changes = {"rate": 60 / minute if minute else None, "advance_s": advance}
    given = {name: value for name, value in changes.items() if value is not None}
    described = current().configure(clock=given) if given else current().control("GET", "tenant")
    return dict(described["clock"])


def seed(value: int | None) -> None:
    """Make answers repeat from here on; None makes them differ again. A request's own seed still wins."""
    current().configure(seed=value)


def reset() -> None:
    """Forget this tenant's journal and usage, and begin its seed again. Limits, pace and clock stay as they are set."""
    current().control("POST", "reset")


def distribution(
    prompt: str | Sequence[Mapping[str, str]],
    *,
    model: str | None = None,
    generated: str = "",
) -> NextToken:
    """The model's exact distribution over the next token of its answer.

    Args:
        prompt: the user's message, or a list of messages with "role" and "content".
        model: by default the course's model for sampling lessons.
        generated: what the answer says so far.

    Raises:
        ControlError: an unknown model, or messages that make no sense.
    """
    from labkit import registry
    from labkit.sampling import Distribution

    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else [dict(m) for m in prompt]
    asked = model or registry.model("openai", "sampling")
    body = {"model": asked, "messages": messages, "generated": generated, "top": PEAKS}
    answer = current().control("POST", "distribution", body=body)
    floor, vocab = answer["floor"], answer["vocab"]
    peaks = [TokenChance(t["id"], t["text"], t["p"]) for t in answer["tokens"] if t["p"] != floor]
    whole = Distribution.of({t.id: t.p for t in peaks}, floor=floor, vocab=vocab)
    return NextToken(answer["model"], tuple(peaks), whole, answer["end"])


def _at(row: Mapping[str, Any], where: tuple[str, ...]) -> Any:
    value: Any = row
    for name in where:
        value = value.get(name) if isinstance(value, Mapping) else None
    return ", ".join(str(v) for v in value) if isinstance(value, list) else value
