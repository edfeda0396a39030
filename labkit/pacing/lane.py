"""Everything about one key and one model: its limits, its window, its pauses.

Accounting only, under the lock of the pacer: nobody waits here, and the time is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from labkit.errors import CallError, CallTimeout, Overloaded, RateLimited
from labkit.pacing.buckets import Bucket
from labkit.pacing.load import Load
from labkit.pacing.signals import Refusal, headers_of, levels, refusal
from labkit.pacing.window import Window
from labkit.secret import Secret

MINUTES_A_DAY = 1440.0
READ_EVERY_S = 0.004
"""Headers are read so often at most: at a thousand answers a second each fourth one says enough."""
LONGEST_PAUSE_S = 60.0
NOTHING = Load()


class Lane:
    """One key's way to one model."""

    def __init__(self, given: list[Bucket], *, minute: float, ceiling: int | None, key: Secret | None = None) -> None:
        self.key = key
        self.given = given
        self.learnt: dict[str, Bucket] = {}
        self.window = Window(ceiling, known=bool(given))
        self.out = ""
        """Why this key is not used any more."""
        self.paused_until = -inf
        self._minute = minute
        self._open = NOTHING
        """What is under way, as it was estimated."""
        self.closed = NOTHING
        """What has been answered since the beginning."""
        self._read_at = -inf
        self._refused_in_a_row = 0
        self._since: float | None = None

    @property
    def buckets(self) -> list[Bucket]:
        return self.given + list(self.learnt.values())

    def tune(self, minute: float) -> None:
        """A minute lasts so many seconds from now on: the lab's clock was changed."""
        if minute != self._minute:
            for bucket in self.buckets:
                bucket.window *= minute / self._minute
            self._minute = minute

    # --- admission ---

    def delay(self, load: Load, now: float) -> float:
        """Seconds until such a call may go; infinite while too many are under way."""
        if self.out or not self.window.open:
            return inf
        wait = self.paused_until - now
        for bucket in self.buckets:
            wait = max(wait, bucket.wait_for(load.of(bucket.subject), now))
        return max(wait, 0.0)

    @property
    def room(self) -> float:
        """How much is left, 0 to 1: of the scarcest limit, else of the window."""
        shares = [bucket.level / bucket.capacity for bucket in self.buckets]
        return min([*shares, 1.0 - self.window.in_flight / self.window.size])

    def take(self, load: Load, now: float) -> None:
        self.window.in_flight += 1
        self._open = self._open.plus(load)
        if self._since is None:
            self._since = now
        for bucket in self.buckets:
            bucket.take(load.of(bucket.subject))

    def give_back(self, load: Load) -> None:
        """A call that was admitted and never sent."""
        self._land(load)
        for bucket in self.buckets:
            bucket.give_back(load.of(bucket.subject))

    def settle(self, load: Load, counted: Load) -> None:
        """A call was answered: what it weighed takes the place of what was expected."""
        self._land(load)
        self.closed = self.closed.plus(counted)
        for bucket in self.buckets:
            bucket.give_back(load.of(bucket.subject) - counted.of(bucket.subject))

    def answered(self, now: float) -> None:
        """An answer has come, or a failure."""
        for bucket in self.buckets:
            bucket.answered(now)

    def _land(self, load: Load) -> None:
        self.window.in_flight -= 1
        self._open = self._open.minus(load)

    # --- what the provider says ---

    def heard(self, headers: Mapping[str, str], load: Load, closed: Load, sent_at: float, now: float) -> None:
        """Learn from the headers of an answer.

        Args:
            load: of that call, which is still under way.
            closed: as `self.closed` was when it was sent.
        """
        self._refused_in_a_row = 0
        if now - self._read_at < READ_EVERY_S:
            return
        self._read_at = now
        self._learn(headers, load, closed, sent_at, now)

    def _learn(self, headers: Mapping[str, str], load: Load, closed: Load, sent_at: float, now: float) -> None:
        # Calls that were under way since this one was sent may be missing from its headers, and so is its own output.
        unseen = self._open.plus(self.closed).minus(closed).minus(load._replace(output=0.0))
        for told in levels(headers):
            bucket = self.learnt.get(told.subject)
            if bucket is None:
                bucket = self.learnt[told.subject] = Bucket(told.subject, told.limit, self._minute, now=now)
                bucket.level = 0.0  # raised to what the header leaves at least
                self.window.known()
            bucket.heard(told, unseen=unseen.of(told.subject), seconds=now - sent_at, now=now)

    def failed(self, error: CallError, load: Load, closed: Load, sent_at: float, now: float) -> None:
        """Learn from a refusal: before `settle`, while the call is still counted."""
        if isinstance(error, (RateLimited, Overloaded, CallTimeout)):
            self.window.trouble(sent_at, now)
        if isinstance(error, RateLimited):
            self._learn(headers_of(error), load, closed, sent_at, now)
            self._refused(refusal(error), load, error.retry_after, now)
        if isinstance(error, (RateLimited, Overloaded)) and error.retry_after is not None:
            self.paused_until = max(self.paused_until, now + error.retry_after)

    def _refused(self, why: Refusal, load: Load, wait: float | None, now: float) -> None:
        self._refused_in_a_row += 1
        if wait is None:  # the provider does not say: a second of its minute, doubled each time
            wait = min(self._minute / 60 * 2.0 ** min(self._refused_in_a_row - 1, 6), LONGEST_PAUSE_S)
            self.paused_until = max(self.paused_until, now + wait)
        subject = why.subject
        if subject is None:
            return
        if subject not in self.learnt and not self._is_given(subject):
            self._guess(subject, why, load, now)
        for bucket in self.buckets:
            if bucket.subject == subject and not why.per_day:
                bucket.refused(load.of(subject), wait, now)

    def _is_given(self, subject: str) -> bool:
        return any(bucket.subject == subject for bucket in self.given)

    def _guess(self, subject: str, why: Refusal, load: Load, now: float) -> None:
        """A limit that only a refusal tells. A bucket that was full at the beginning and holds what a minute refills
        has given its limit and `seconds / minute` times that until it was empty."""
        window = self._minute * (MINUTES_A_DAY if why.per_day else 1.0)
        sent = self.closed.plus(self._open).minus(load).of(subject)
        seconds = now - (now if self._since is None else self._since)
        limit = why.limit or sent / (1.0 + seconds / window)
        if limit >= 1.0:
            self.learnt[subject] = Bucket(subject, limit, window, now=now)
            self.learnt[subject].level = 0.0
