"""Scripted trouble: what goes wrong, when, and for whom. Reproducible, and written in the journal.

A fault is a kind, a trigger and a match. Triggers: the `next` k requests, `every` nth, a window of lab time
(`start_s`, `end_s`), or a `rate` drawn from a seed. Kinds fall in three groups, told apart by where they strike:

    refusals    answered in place of the model: the status of `REFUSALS`
    endings     the model's answer ends early for a reason of its own: content_filter, refusal
    transport   the answer is right and does not arrive whole: see `TRANSPORT`
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from labkit.server.clock import Clock
from labkit.server.errors import ApiError, Kind
from labkit.server.generation import Finish

if TYPE_CHECKING:
    from labkit.server.tenants import Tenant

REFUSALS: dict[str, tuple[Kind, str, str | None]] = {
    "context_exceeded": (
        "invalid_request",
        "The prompt is longer than the context of this model.",
        "context_length_exceeded",
    ),
    "unauthorized": ("authentication", "The key was revoked.", "invalid_api_key"),
    "forbidden": ("permission", "This key may not use this model.", "model_not_allowed"),
    "timeout": ("timeout", "The request timed out.", None),
    "rate_limit": ("rate_limit", "Rate limit reached. Please try again later.", "rate_limit_exceeded"),
    "quota": (
        "quota",
        "You exceeded your current quota, please check your plan and billing details.",
        "insufficient_quota",
    ),
    "server_error": ("server", "The server had an error while processing your request.", None),
    "bad_gateway": ("bad_gateway", "Bad gateway.", None),
    "unavailable": (
        "unavailable",
        "The engine is currently overloaded, please try again later.",
        "server_is_overloaded",
    ),
    "gateway_timeout": ("gateway_timeout", "The upstream took too long.", None),
    "overloaded": ("overloaded", "Overloaded", "overloaded"),
}
ENDINGS: dict[str, Finish] = {"content_filter": "content_filter", "refusal": "refusal"}
TRANSPORT = {
    "slow_first_token": "the first byte comes `seconds` late",
    "stall": "after `after` events the stream pauses for `seconds`",
    "reset": "the connection is reset before the answer begins",
    "reset_inside": "the connection is reset after `after` events, or inside the body",
    "cut": "the stream ends after `after` events, politely, with no finish reason",
    "malformed_event": "the event after `after` others is not JSON",
    "error_event": "after `after` events the stream carries the provider's error event and ends",
    "truncated_json": "the body, or the last event, stops in the middle",
}
KINDS = (*REFUSALS, *ENDINGS, *TRANSPORT)


@dataclass(slots=True)
class Fault:
    """One scripted fault. Exactly one trigger is set."""

    kind: str
    next: int | None = None
    """Strike the next k matching requests, then be done."""
    every: int | None = None
    """Strike every nth matching request."""
    rate: float | None = None
    """Strike with this probability, drawn from `seed`."""
    start_s: float | None = None
    end_s: float | None = None
    """Strike between these lab times (a window with only a start never ends)."""
    seed: int = 0
    provider: str | None = None
    model: str | None = None
    path: str | None = None
    """Matches requests whose path contains it."""
    after: int = 3
    """Events of a stream, or tokens of an answer, that still get through."""
    seconds: float = 30.0
    """Lab seconds of delay; for rate_limit the hint when to retry."""
    seen: int = 0
    struck: int = 0
    id: int = 0
    """Of this tenant's faults, from 1: what one is taken back by."""
    _rng: Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._rng = Random(self.seed)

    def strikes(self, now: float) -> bool:
        """Whether this matching request is hit; counts it either way."""
        self.seen += 1
        if self.next is not None:
            hit = self.struck < self.next
        elif self.every is not None:
            hit = self.seen % self.every == 0
        elif self.rate is not None:
            hit = self._rng.random() < self.rate
        else:
            hit = (self.start_s or 0.0) <= now and (self.end_s is None or now < self.end_s)
        self.struck += hit
        return hit

    def matches(self, provider: str, path: str, model: str | None) -> bool:
        return (
            (self.provider is None or self.provider == provider)
            and (self.path is None or self.path in path)
            and (self.model is None or self.model == model)
        )

    def refusal(self, clock: Clock) -> ApiError | None:
        """What to answer in place of the model, for the kinds that do."""
        if self.kind not in REFUSALS:
            return None
        kind, message, code = REFUSALS[self.kind]
        wait = self.seconds / clock.rate if kind == "rate_limit" else None
        return ApiError(kind, message, code=code, retry_after=wait, subject="requests" if wait else "")

    def described(self) -> dict[str, Any]:
        shown = {name: value for name, value in asdict(self).items() if value is not None and not name.startswith("_")}
        return shown


class Faults:
    """The faults of one tenant, asked in the order in which they were scripted; the first that strikes wins."""

    def __init__(self, tenant: Tenant) -> None:
        self._clock = tenant.clock
        self.scripted: list[Fault] = []
        self._last = 0

    def add(self, fault: Fault) -> None:
        self._last += 1
        fault.id = self._last
        self.scripted.append(fault)

    def take_back(self, fault_id: int) -> None:
        """One that is gone already stays gone."""
        self.scripted = [fault for fault in self.scripted if fault.id != fault_id]

    def pick(self, provider: str, path: str, model: str | None) -> Fault | None:
        now = self._clock.now()
        matching = (f for f in self.scripted if f.matches(provider, path, model))
        return next((f for f in matching if f.strikes(now)), None)


class ConnectionAborted(Exception):
    """The scripted fault asks for the connection to be reset now."""


async def disturb(fault: Fault, frames: AsyncIterator[bytes], clock: Clock, error_event: bytes) -> AsyncIterator[bytes]:
    """A stream's frames with a transport fault in them.

    Raises:
        ConnectionAborted: when the connection is to be reset.
    """
    count, last = 0, b""
    if fault.kind == "slow_first_token":
        await clock.sleep(fault.seconds)
    async for frame in frames:
        if fault.kind == "truncated_json":
            if last:
                yield last
            last = frame
            continue
        if count == fault.after and fault.kind in _IN_STREAM:
            for extra in await _IN_STREAM[fault.kind](fault, clock, error_event):
                yield extra
            if fault.kind in ("cut", "error_event"):
                return
        yield frame
        count += 1
    if last:
        yield last[: len(last) // 2]


async def _stall(fault: Fault, clock: Clock, error_event: bytes) -> list[bytes]:
    await clock.sleep(fault.seconds)
    return []


async def _cut(fault: Fault, clock: Clock, error_event: bytes) -> list[bytes]:
    return []


async def _reset(fault: Fault, clock: Clock, error_event: bytes) -> list[bytes]:
    raise ConnectionAborted


async def _malformed(fault: Fault, clock: Clock, error_event: bytes) -> list[bytes]:
    return [b'event: content_block_delta\ndata: {"id": "malformed", "choices": [\n\n']


async def _error(fault: Fault, clock: Clock, error_event: bytes) -> list[bytes]:
    return [error_event]


_IN_STREAM = {
    "stall": _stall,
    "cut": _cut,
    "reset_inside": _reset,
    "malformed_event": _malformed,
    "error_event": _error,
}


async def disturb_body(fault: Fault, body: bytes, clock: Clock) -> tuple[bytes, bool]:
    """A whole body under a transport fault: what to send of it, and whether to reset the connection after that."""
    if fault.kind in ("slow_first_token", "stall"):
        await clock.sleep(fault.seconds)
    if fault.kind == "truncated_json":
        return body[: len(body) // 2], False
    return (body[: len(body) // 2], True) if fault.kind == "reset_inside" else (body, False)
