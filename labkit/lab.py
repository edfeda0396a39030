"""The lab server's knobs and its journal, from a notebook: `lk.lab.journal()`, `lk.lab.limits(...)`.

Everything here is about the current session's tenant: other notebooks on the same server notice nothing.

    lab.journal()                            what the server saw, one row a request
    lab.last()                               the latest request with its exchange on the wire
    lab.limits(requests_per_minute=5)        rate limits of this tenant
    lab.pace(1.0)                            answers take as long as a real model's would
    lab.clock(minute=1.0)                    a lab minute passes in one second
    lab.seed(7)                              answers repeat from here on
    lab.distribution("The capital of ...")   the model's distribution over the next token
    lab.faults("rate_limit", next=2)         the next two requests are refused; `clear_faults()` ends all of that
    lab.self_hosted()                        where the lab's vLLM, Ollama and TGI answer
    lab.reset()                              forget the journal and refill the limits
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from labkit.environment import LOOPBACK
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


@dataclass(frozen=True, slots=True)
class SelfHosted:
    """Where one of the lab's self-hosted servers answers."""

    name: str
    """"vllm", "ollama" or "tgi"."""
    url: str
    """Without the `/v1` that OpenAI's client wants behind it."""
    usual_port: int
    """Where the real program listens unless told otherwise."""
    reason: str = ""
    """Why it is not on its usual port but under a path of the lab server; empty when it is."""

    @property
    def base_url(self) -> str:
        """For OpenAI's client."""
        return f"{self.url}/v1"


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


def faults(
    kind: str | None = None,
    *,
    next: int | None = None,
    every: int | None = None,
    rate: float | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    seed: int = 0,
    provider: str | None = None,
    model: str | None = None,
    path: str | None = None,
    after: int | None = None,
    seconds: float | None = None,
) -> list[dict[str, Any]]:
    """Script trouble for this tenant's requests, and return what is scripted. Without arguments, only return it.

    Args:
        kind: "rate_limit", "overloaded", "server_error", "timeout", "unauthorized", "content_filter", "cut", "stall",
            "reset", "error_event" and others; a wrong one is refused with the whole list.
        next, every, rate, start_s: exactly one of them: the next so many requests, each so manieth, a share drawn from
            `seed`, or all from a lab time on, until `end_s`.
        provider, model, path: only requests to this provider or model, or whose path contains this.
        after: events of a stream, or tokens of an answer, that still get through.
        seconds: lab seconds that a delay takes, or that a refusal asks to wait.

    Raises:
        ControlError: an unknown kind, or not exactly one trigger.
    """
    if kind is not None:
        from labkit import registry

        given: dict[str, object] = {"next": next, "every": every, "rate": rate, "start_s": start_s, "end_s": end_s}
        given |= {"seed": seed, "provider": provider, "model": registry.find(model).id if model else None, "path": path}
        given |= {"after": after, "seconds": seconds}
        body = {"kind": kind, **{name: value for name, value in given.items() if value is not None}}
        current().control("POST", "faults", body=body)
    return list(current().control("GET", "faults")["faults"])


def clear_faults() -> None:
    """Nothing is scripted any more."""
    current().control("DELETE", "faults")


def self_hosted() -> dict[str, SelfHosted]:
    """The lab's vLLM, Ollama and TGI by name: each on its usual port if that is free, else under a path of the server.

    They answer without a key, as the real ones do; sent a lab key, they write in this tenant's journal.
    """
    url = current().url
    ports_reach_us = urlsplit(url).hostname in LOOPBACK  # they are opened on the server's loopback only
    rows = current().control("GET", "listeners")
    if ports_reach_us:
        rows = current().control("POST", "listeners", body=dict.fromkeys(rows, True))
    return {name: _self_hosted(name, row, url, ports_reach_us) for name, row in rows.items()}


def _self_hosted(name: str, row: Mapping[str, Any], url: str, ports_reach_us: bool) -> SelfHosted:
    if row["open"] and ports_reach_us:
        return SelfHosted(name, row["url"], row["usual_port"])
    reason = row.get("reason") or "the lab server runs on another machine"
    return SelfHosted(name, url + row["prefix"], row["usual_port"], reason)


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
