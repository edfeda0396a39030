"""An answer that may call tools, token by token: which call comes when, and the text beside it.

The first distribution mixes calls with text in the proportion of how well the tools fit, so a request that hardly needs
a tool gets a call sometimes. Arguments are constrained by the tool's schema. `toolplan` decides what may be called.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from labkit.engine.base import O200K
from labkit.engine.lattice import Lattice, State
from labkit.engine.strict import StrictDecoder, strict_lattice
from labkit.engine.toolplan import Plan, PlannedCall
from labkit.sampling import Distribution

if TYPE_CHECKING:
    from labkit.engine.embedded import Decoder as TextDecoder
    from labkit.engine.embedded import EmbeddedEngine

STOPS_EARLY = 0.02
"""Probability that an answer ends although a further call was planned."""


class ToolDecoder:
    """An answer that may call tools."""

    __slots__ = ("_begun", "_engine", "_first", "_inner", "_plan", "_queue")

    def __init__(self, engine: EmbeddedEngine, plan: Plan, text: TextDecoder | StrictDecoder) -> None:
        self._engine, self._plan = engine, plan
        self._inner: TextDecoder | StrictDecoder = text
        self._queue: tuple[PlannedCall, ...] = ()
        """Calls that may still follow."""
        self._begun = False
        self._first: Distribution | None = None

    @property
    def lattice(self) -> Lattice:
        return self._inner.lattice

    @property
    def state(self) -> State | None:
        """Of the text or the arguments that are being written."""
        return self._inner.state

    def distribution(self) -> Distribution:
        """P(next token)."""
        inner = self._inner.distribution()
        if not self._begun:
            if self._first is None:
                self._first = _with_calls(inner, self._plan.shares)
            return self._first
        if self._queue and inner.best == O200K.end and inner.prob(O200K.end) > 0.5:
            return _instead_of_end(inner, self._queue[0].tool)
        return inner

    def advance(self, token: int) -> None:
        """`token` was generated."""
        tool = O200K.called(token)
        if tool is None:
            self._begun = True
            self._inner.advance(token)
            return
        call = self._next_call(tool)
        self._begun = True
        if call is None:
            self._inner = StrictDecoder(self._engine, self._inner.lattice, None)
            return
        lattice = strict_lattice(self._engine, call.arguments, "arguments")
        self._inner = StrictDecoder(self._engine, lattice, lattice.start)

    def _next_call(self, tool: int) -> PlannedCall | None:
        """The planned call of a tool; what is planned behind it becomes the queue."""
        calls = self._queue if self._begun else self._plan.calls
        place = next((n for n, call in enumerate(calls) if call.tool == tool), None)
        if place is not None:
            self._queue = calls[place + 1 :]
            return calls[place]
        self._queue = ()
        return next((call for call in self._plan.alternatives if call.tool == tool), None)

    def fork(self) -> ToolDecoder:
        """An independent copy."""
        copy = ToolDecoder(self._engine, self._plan, self._inner.fork())
        copy._queue, copy._begun, copy._first = self._queue, self._begun, self._first
        return copy


def _with_calls(text: Distribution, shares: Iterable[tuple[int, float]]) -> Distribution:
    """The text's distribution with a share for each tool's call."""
    calls = {O200K.call(tool): p for tool, p in shares}
    left = max(0.0, 1 - sum(calls.values()))
    if left < 1e-9:
        return Distribution.of(calls, vocab=O200K.size)
    peaks = {token: left * p for token, p in zip(text.ids, text.probs, strict=True)}
    return Distribution.of(peaks | calls, floor=left * text.floor, vocab=O200K.size, tail=text.tail)


def _instead_of_end(inner: Distribution, tool: int) -> Distribution:
    """At the end of a call's arguments: the next call, or hardly ever the end."""
    peaks = dict(zip(inner.ids, inner.probs, strict=True))
    end = peaks[O200K.end]
    shared = {O200K.end: end * STOPS_EARLY, O200K.call(tool): end * (1 - STOPS_EARLY)}
    return Distribution.of(peaks | shared, vocab=O200K.size)
