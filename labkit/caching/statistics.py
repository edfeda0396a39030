"""What a cache did since it was opened in this process: counts, savings, and the curve of its hit rate.

Savings are what the answer took when it was asked for, minus what finding it again took. A call for which no price is
known saves time and no known money.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import asdict, dataclass
from threading import Lock
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

Outcome = Literal["hit", "near", "shared", "miss", "refresh", "refused", "failed"]
HITS = ("hit", "near", "shared")
KEPT_EVENTS = 100_000
"""Calls in the history, the newest; the counts go on."""
COLUMNS = ("call", "outcome", "hit", "hit_rate", "cost_usd", "saved_usd", "saved_usd_total", "saved_s", "similarity",
           "reason")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Event:
    """One call."""

    outcome: Outcome
    """"hit": the same call; "near": a similar one; "shared": another caller was asking just then; "miss": asked, and
    kept if it may be; "refresh": asked on purpose; "refused": may not be cached; "failed": no answer came."""
    cost_usd: float = 0.0
    saved_usd: float = 0.0
    saved_s: float = 0.0
    similarity: float | None = None
    """Of the nearest question, where one was looked for."""
    reason: str = ""


class Statistics:
    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: Counter[str] = Counter()
        self._history: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self.saved_usd = 0.0
        self.saved_s = 0.0
        self.cost_usd = 0.0
        """Of the calls that were asked."""
        self.embedding_usd = 0.0
        """What looking for similar questions took."""

    def add(self, event: Event) -> None:
        with self._lock:
            self._counts[event.outcome] += 1
            self._history.append(event)
            self.saved_usd += event.saved_usd
            self.saved_s += event.saved_s
            self.cost_usd += event.cost_usd

    def add_embedding(self, cost_usd: float) -> None:
        with self._lock:
            self.embedding_usd += cost_usd

    def count(self, outcome: Outcome) -> int:
        return self._counts[outcome]

    @property
    def hits(self) -> int:
        return sum(self._counts[name] for name in HITS)

    @property
    def misses(self) -> int:
        return self._counts["miss"]

    @property
    def refused(self) -> int:
        """Calls that may not be cached: in no hit rate."""
        return self._counts["refused"]

    @property
    def hit_rate(self) -> float:
        """Hits out of hits and misses; 0 before the first."""
        looked = self.hits + self.misses
        return self.hits / looked if looked else 0.0

    def history(self) -> pd.DataFrame:
        """One row a call, oldest first, with the hit rate and the saving so far: what a hit curve is drawn from."""
        import pandas as pd

        with self._lock:
            events = list(self._history)
            first = sum(self._counts.values()) - len(events) + 1
        frame = pd.DataFrame([asdict(event) for event in events], columns=list(Event.__dataclass_fields__))
        hit = frame["outcome"].isin(HITS)
        looked = (hit | (frame["outcome"] == "miss")).cumsum()
        return frame.assign(
            call=range(first, first + len(frame)),
            hit=hit,
            hit_rate=hit.cumsum() / looked.where(looked > 0),
            saved_usd_total=frame["saved_usd"].astype(float).cumsum(),
        )[list(COLUMNS)]

    def __repr__(self) -> str:
        """One line: how often it helped, and what that was worth."""
        refused = f", {self.refused} refused" if self.refused else ""
        asked = f", {self.embedding_usd:.2g} USD for embeddings" if self.embedding_usd else ""
        return (
            f"<{self.hits} hits, {self.misses} misses ({self.hit_rate:.0%}){refused}; "
            f"saved {self.saved_usd:.6f} USD and {self.saved_s:.2f} s{asked}>"
        )
