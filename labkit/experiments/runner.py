"""A sweep under way: workers take cells one by one, and every finished one is on disk before the next is begun.

What ends a sweep before its last cell, always with all that is done kept:

    the budget        a call would pass it, and no call is under way that could still come out cheaper
    Ctrl-C            calls under way may finish; a second one ends them
    a dead end        a key or an account that is refused: the model's other cells are not tried
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from labkit.chat import ChatResponse
from labkit.errors import BudgetExceeded, CallError, LabkitError, ProviderRefused, QuotaExceeded
from labkit.experiments.grid import Cell, Grid, Refused
from labkit.experiments.store import Row, Store

if TYPE_CHECKING:
    from labkit.client import LLMClient

DEAD_ENDS = (401, 403, 404)
"""Statuses that the next cell of the same model would meet too: key, permission, model."""
INTERRUPTED = "Interrupted"


@dataclass(slots=True)
class Tally:
    """How far a sweep has come."""

    total: int
    reused: int = 0
    """Cells that were on disk."""
    paid: int = 0
    """Cells that were answered in this run."""
    failed: int = 0
    spent_usd: float = 0.0
    """In this run, failed cells included; of the calls whose price is known."""
    stopped: str = ""
    """Why the sweep ended before its last cell; "" when it did not."""

    @property
    def done(self) -> int:
        return self.reused + self.paid + self.failed


@dataclass(slots=True)
class Run:
    """One run of a grid against a store."""

    grid: Grid
    store: Store
    concurrency: int
    tag: str
    tally: Tally = field(init=False)
    errors: dict[str, Row] = field(default_factory=dict)
    """Key: what is known of a cell that failed in this run."""
    before: set[str] = field(default_factory=set)
    """Keys of the cells that were on disk when the run began."""
    _shared: set[str] = field(default_factory=set)
    """Keys of those that serve several cells and have been begun."""
    _dead: dict[LLMClient, LabkitError] = field(default_factory=dict)
    _calls: int = 0
    _waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    """Cells that wait for money which calls under way hold."""
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tally = Tally(total=len(self.grid))
        self.before = self.store.keys()

    async def all(self) -> None:
        """Ask every cell that is missing.

        Raises:
            Exception: a fault of the call's code, such as an argument that the SDK does not know.
        """
        cells = self._missing()
        self._tasks = [asyncio.create_task(self._work(cells)) for _ in range(self.concurrency)]
        try:
            await asyncio.gather(*self._tasks)
        except asyncio.CancelledError:
            if not self.tally.stopped:
                raise
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def stop(self, why: str) -> None:
        """Begin no further cell."""
        self.tally.stopped = self.tally.stopped or why
        self._wake()

    def cancel(self) -> None:
        """End the calls under way as well."""
        self.stop(INTERRUPTED)
        for task in self._tasks:
            task.cancel()

    def missing(self) -> Iterator[Cell]:
        """Cells that would be sent."""
        shared: set[str] = set()
        for cell in self.grid:
            if isinstance(cell, Cell) and cell.key not in self.before and cell.key not in shared:
                if cell.shared:
                    shared.add(cell.key)
                yield cell

    def _missing(self) -> Iterator[Cell]:
        for cell in self.grid:
            if self.tally.stopped:
                return
            if isinstance(cell, Refused):
                self.tally.failed += 1
            elif cell.key in self.before or cell.key in self._shared:
                self.tally.reused += 1
            elif cell.client in self._dead:
                self._fail(cell, self._dead[cell.client])
            else:
                if cell.shared:
                    self._shared.add(cell.key)
                yield cell

    async def _work(self, cells: Iterator[Cell]) -> None:
        for cell in cells:
            await self._ask(cell)

    async def _ask(self, cell: Cell) -> None:
        while not self.tally.stopped:
            self._calls += 1
            try:
                response = await self._answer(cell)
            except BudgetExceeded as error:
                self._calls -= 1
                await self._money(error)
                continue
            except LabkitError as error:
                self._fail(cell, error)
            else:
                self._keep(cell, response)
            self._calls -= 1
            self._wake()
            return

    async def _answer(self, cell: Cell) -> ChatResponse:
        params: dict[str, Any] = {**cell.params, "tag": self.tag, "cache": False}  # a repeat is an answer of its own
        if self.grid.stream:
            return await cell.client.astream(cell.prompt.messages, **params).read()
        return await cell.client.achat(cell.prompt.messages, **params)

    async def _money(self, error: BudgetExceeded) -> None:
        """Wait until a call has given back what it held and did not need; stop when none is under way."""
        if self._calls == 0:
            self.stop(str(error))
            return
        room = asyncio.get_running_loop().create_future()
        self._waiting.append(room)
        await room

    def _wake(self) -> None:
        while self._waiting:
            room = self._waiting.popleft()
            if not room.done():
                room.set_result(None)

    def _keep(self, cell: Cell, response: ChatResponse) -> None:
        self.tally.paid += 1
        self.tally.spent_usd += response.cost_usd or 0.0
        live = cell.client.line.mode(cell.client.model) == "live"
        self.store.add({**described(cell), **answered(response)}, live=live)

    def _fail(self, cell: Cell, error: LabkitError) -> None:
        self.errors[cell.key] = row = failed(cell, error)
        self.tally.failed += 1
        self.tally.spent_usd += row.get("cost_usd") or 0.0
        if isinstance(error, QuotaExceeded) or (isinstance(error, ProviderRefused) and error.status in DEAD_ENDS):
            self._dead[cell.client] = error


def described(cell: Cell) -> Row:
    """What was asked, as a row says it."""
    return {
        "key": cell.key,
        "prompt_id": cell.prompt.id,
        "provider": cell.client.provider,
        "model": cell.client.model,
        **cell.asked,
        "repeat": cell.repeat,
        "seed": cell.seed,
    }


def answered(response: ChatResponse) -> Row:
    """What came back, as a row says it. Tokens are named as in `labkit.usage.Usage`."""
    usage = response.usage
    return {
        "text": response.text,
        "parsed": _plain(response.parsed),
        "finish_reason": response.finish_reason,
        **{name: getattr(usage, name) for name in usage.__dataclass_fields__},
        "cost_usd": response.cost_usd,
        "latency_s": response.latency_s,
        "ttft_s": response.time_to_first_token_s,
        "retries": response.retries,
        "notes": " ".join(response.notes),
        "request_id": response.request_id,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }


def failed(cell: Cell, error: LabkitError) -> Row:
    """The row of a cell without an answer, with what had arrived of one."""
    part = error.response if isinstance(error, CallError) else None
    came = answered(part) if part else {"text": ""}
    return {**described(cell), **came, "error": f"{type(error).__name__}: {error}"}


def _plain(parsed: Any) -> Any:
    return parsed.model_dump(mode="json") if hasattr(parsed, "model_dump") else parsed
