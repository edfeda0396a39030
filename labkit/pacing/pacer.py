"""`Pacer`: one object that all calls under the same limits share, from any thread and any event loop.

What a call costs here when there is room: one lock and some arithmetic. When there is none, it waits in a queue for a
future; one thread, which lives only while somebody waits, calls whoever's turn has come. Nobody polls.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import inf
from threading import Condition, Thread
from typing import TYPE_CHECKING, NamedTuple

from labkit.errors import NotStarted, UserError
from labkit.pacing.buckets import Bucket
from labkit.pacing.lane import MINUTES_A_DAY, Lane
from labkit.pacing.load import Size
from labkit.pacing.permit import Permit
from labkit.pacing.pool import Pool
from labkit.secret import Secret

if TYPE_CHECKING:
    import pandas as pd

    from labkit.pacing.waiting import Ticket

REAL_MINUTE = 60.0
SHORTEST_NAP_S = 0.001
"""Turns that come closer together are called together."""
IDLE_S = 1.0
"""The thread stays so long after the last one has gone."""
NOTED_EVERY_S = 0.02
NOTES_KEPT = 5_000


class Note(NamedTuple):
    """One key and model at one moment."""

    time: float
    """Seconds since the epoch."""
    provider: str
    model: str
    key: str
    """Masked; empty for the session's own."""
    requests_left: float | None
    """None: no limit is known."""
    tokens_left: float | None
    in_flight: int
    waiting: int
    at_once: int
    """Calls that may be under way together at present."""


class Pacer:
    """Requests and tokens per minute, calls at once, priorities and several keys, for everything that shares it."""

    def __init__(
        self,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        *,
        requests_per_day: float | None = None,
        tokens_per_day: float | None = None,
        concurrency: int | None = None,
        keys: Sequence[str] | None = None,
        minute: float | None = None,
    ) -> None:
        """
        Args:
            requests_per_minute, tokens_per_minute, requests_per_day, tokens_per_day: of each model and key. Left out,
                what the provider's headers say holds; given, both hold. Tokens are prompt and output together.
            concurrency: most calls at once, of each model and key. Below it the pacer finds the number by itself.
            keys: API keys to spread calls over, in place of the session's.
            minute: seconds that a minute of the limits lasts; by default 60, and on the lab server as its clock is set.

        Raises:
            UserError: a limit that is not above zero, or an empty list of keys.
        """
        self._given = _limits(
            (requests_per_minute, "requests", 1.0),
            (tokens_per_minute, "tokens", 1.0),
            (requests_per_day, "requests", MINUTES_A_DAY),
            (tokens_per_day, "tokens", MINUTES_A_DAY),
        )
        if (concurrency is not None and concurrency < 1) or (keys is not None and not keys):
            raise UserError("A pacer needs room for at least one call, and at least one key when keys are given.")
        self._ceiling, self._minute = concurrency, minute
        self._keys: list[Secret | None] = [None] if keys is None else [Secret(key) for key in keys]
        self._out: dict[tuple[str, Secret], str] = {}
        self._pools: dict[tuple[str, str], Pool] = {}
        self._changed = Condition()
        self._timer: Thread | None = None
        self._due = inf
        self._notes: deque[Note] = deque(maxlen=NOTES_KEPT)
        self._noted: dict[int, float] = {}

    def __repr__(self) -> str:
        """What is left now, for each model."""
        with self._changed:
            notes = [self._note(pool, lane) for pool in self._pools.values() for lane in pool.lanes]
        shown = ", ".join(f"{n.model}: {_left(n)}{n.in_flight} under way, {n.waiting} waiting" for n in notes)
        return f"<Pacer {shown or 'not used yet'}>"

    def permit(self, provider: str, model: str, size: Size, *, priority: int = 0, live: bool = True) -> Permit:
        """A call's permission to be sent, to be used in a `with`; see `labkit.pacing.permit`.

        Args:
            priority: a higher one goes first. Each eighth turn goes to whoever waits longest, so nobody waits for ever.
            live: whether it goes to a real service; if not, minutes are the lab's.
        """
        minute = self._minute or (REAL_MINUTE if live else _lab_minute())
        with self._changed:
            pool = self._pools.get((provider, model))
            if pool is None:
                pool = self._pools[provider, model] = self._opened(provider, model, minute, live=live)
            if minute != pool.minute:
                pool.tune(minute)
        return Permit(self, pool, size, priority)

    def gauge(self) -> pd.DataFrame:
        """What was left, under way and waiting over time, one row a moment, key and model: see `Note` for the columns.

        "time" is in UTC, as in `lab.journal()`. At most 50 moments a second are kept, and the last 5,000 in all.
        """
        import pandas as pd

        with self._changed:
            frame = pd.DataFrame(list(self._notes), columns=pd.Index(Note._fields))
        return frame.assign(time=pd.to_datetime(frame["time"].astype(float), unit="s", utc=True))

    # --- for permits ---

    def enter(self, permit: Permit, pool: Pool, priority: int, *, again: bool) -> Ticket | None:
        """Let a call go at once, or give it a place in the queue."""
        with self._changed:
            if pool.spent:
                raise pool.no_key()
            if not pool.queue.waiting and pool.admit(permit, time.monotonic()) == 0.0:
                return None
            ticket = pool.queue.join(permit, priority, again=again)
            if self._timer is None:
                self._timer = Thread(target=self._call_turns, name="labkit-pacer", daemon=True)
                self._timer.start()
            self._dispatch(pool, time.monotonic())
            return ticket

    def left(self, pool: Pool, ticket: Ticket) -> None:
        """Somebody stops waiting, called or not."""
        with self._changed:
            if ticket.called.cancel():
                pool.queue.waiting -= 1
                self._dispatch(pool, time.monotonic())

    @contextmanager
    def changing(self, pool: Pool) -> Iterator[float]:
        """Under the lock, with the time; afterwards whoever has room now is called."""
        with self._changed:
            now = time.monotonic()
            yield now
            self._dispatch(pool, now)

    def take_out(self, provider: str, key: Secret, sentence: str) -> None:
        """Under the lock: a key is not used any more, for no model of this provider."""
        self._out[provider, key] = sentence
        for pool in self._pools.values():
            for lane in pool.lanes:
                if pool.provider == provider and lane.key == key:
                    lane.out = sentence

    def note(self, pool: Pool, lane: Lane, now: float) -> None:
        """Under the lock: keep this moment for the gauge, unless the last one was just now."""
        if now - self._noted.get(id(lane), -inf) >= NOTED_EVERY_S:
            self._noted[id(lane)] = now
            self._notes.append(self._note(pool, lane))

    # --- how ---

    def _opened(self, provider: str, model: str, minute: float, *, live: bool) -> Pool:
        now = time.monotonic()
        lanes = []
        for key in self._keys:
            buckets = [Bucket(subject, limit, minute * minutes, now=now) for limit, subject, minutes in self._given]
            lane = Lane(buckets, minute=minute, ceiling=self._ceiling, key=key)
            lane.out = self._out.get((provider, key), "") if key else ""
            lanes.append(lane)
        return Pool(provider, model, lanes, minute=minute, live=live)

    def _dispatch(self, pool: Pool, now: float) -> None:
        """Call whose turn has come; wake the thread when the next turn comes before it would look."""
        if not pool.queue.waiting:
            return
        due = now + pool.dispatch(now)
        if pool.queue.waiting and due < self._due - SHORTEST_NAP_S:
            self._changed.notify()

    def _call_turns(self) -> None:
        """The thread."""
        with self._changed:
            while True:
                now = time.monotonic()
                nap = min((pool.dispatch(now) for pool in self._pools.values() if pool.queue.waiting), default=inf)
                waiting = any(pool.queue.waiting for pool in self._pools.values())
                nap = max(nap, SHORTEST_NAP_S)
                self._due = now + nap if waiting else inf
                self._changed.wait((None if nap == inf else nap) if waiting else IDLE_S)
                if not waiting and not any(pool.queue.waiting for pool in self._pools.values()):
                    self._timer = None
                    return

    def _note(self, pool: Pool, lane: Lane) -> Note:
        left: dict[str, float] = {}
        for bucket in lane.buckets:
            level = max(0.0, bucket.refill(time.monotonic()))
            left[bucket.subject] = min(level, left.get(bucket.subject, inf))
        window, key = lane.window, str(lane.key) if lane.key else ""
        requests, tokens = left.get("requests"), left.get("tokens", left.get("input-tokens"))
        waiting, at_once = pool.queue.waiting, int(window.size)
        return Note(time.time(), pool.provider, pool.model, key, requests, tokens, window.in_flight, waiting, at_once)


def _limits(*given: tuple[float | None, str, float]) -> list[tuple[float, str, float]]:
    found = [(limit, subject, minutes) for limit, subject, minutes in given if limit is not None]
    for limit, subject, _ in found:
        if not limit > 0:
            raise UserError(f"A limit on {subject} is a number above zero, not {limit!r}; None is no limit.")
    return found


def _left(note: Note) -> str:
    known = [("requests", note.requests_left), ("tokens", note.tokens_left)]
    return "".join(f"{left:,.0f} {subject} left, " for subject, left in known if left is not None)


def _lab_minute() -> float:
    """Seconds that a minute of the lab's clock takes."""
    from labkit.session import current

    try:
        return current().lab_minute_s
    except NotStarted:
        return REAL_MINUTE
