"""Batches: many requests, answered later at half the price. Neutral to the provider.

Nothing runs by itself. Whenever a batch is looked at, the lines that are due by the tenant's clock and not done yet
are run, one after the other, through the handler that serves the live endpoint; a look waits for them a few seconds,
and they go on without it. What the provider would have at that lab time is what is shown.

    batches/ID.json     the record: everything but the lines
    batches/ID.input    the lines to run
    batches/ID.results  one line for each that is done, in order: written before it is journaled, so that after a kill
                        the next process goes on with the line after the last whole one, and no line is billed twice

A line that a kill interrupted is run again from the same seed.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from itertools import islice
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from labkit import prices
from labkit.engine.base import Engine
from labkit.server.errors import ApiError
from labkit.server.exchange import BatchLine, Exchange
from labkit.server.http import Request, Response, dump
from labkit.server.labdates import LabDates
from labkit.server.protocols.base import Protocol, refusal_of
from labkit.server.schedule import ENDED, BatchPace, Phase, Schedule
from labkit.server.store import LARGEST_STORE, StoreFull
from labkit.usage import Usage

if TYPE_CHECKING:
    from labkit.server.tenants import Tenant

MOST_BATCHES = 200
"""Batches of a provider that a tenant may keep. The oldest that is over makes room for one more."""
LOOK_S = 8.0
"""Real seconds that a look waits for lines that are due. What is not done by then is done soon after."""
MIXED = 256
"""Results that change places with each other: what ran at about the same time."""

log = logging.getLogger("labkit.server")


@dataclass(frozen=True, slots=True)
class Line:
    """One request of a batch."""

    key: str
    """The caller's own name for it."""
    path: str
    """The live endpoint."""
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a line."""

    key: str
    status: int
    """HTTP status; 0 for a line that was never run."""
    request_id: str = ""
    body: Any = None
    usage: dict[str, int] = field(default_factory=dict)
    cost_usd: float = 0.0
    extra: Any = None
    """Of the line, handed through."""


@dataclass(slots=True)
class Batch:
    """The record of a batch, and its tally."""

    id: str
    provider: str
    path: str
    """Where the API serves it; the journal names its lines below this path."""
    created: float
    lines: int
    seed: int
    window_s: float
    pace: dict[str, float]
    headers: dict[str, str] = field(default_factory=dict)
    """Headers of the request that made it which its lines need too."""
    details: dict[str, Any] = field(default_factory=dict)
    """What only its provider has. Plain JSON."""
    errors: list[dict[str, Any]] = field(default_factory=list)
    """Why it is not valid; empty when it is."""
    cancelled_at: float | None = None
    settled: bool = False
    """It has ended and its results are complete."""
    succeeded: int = 0
    failed: int = 0
    run: int = 0
    """Lines with a result."""
    usage: Usage = Usage()
    cost_usd: float = 0.0
    model: str | None = None

    @property
    def schedule(self) -> Schedule:
        pace = BatchPace(**self.pace)
        return Schedule(self.created, self.lines, self.window_s, pace, not self.errors, self.cancelled_at)

    def count(self, result: Result) -> None:
        self.run += 1
        self.succeeded += result.status == 200
        self.failed += result.status >= 400
        self.cost_usd += result.cost_usd
        if result.usage:
            self.usage += Usage(**result.usage)


TALLY = ("succeeded", "failed", "run", "usage", "cost_usd")
"""Fields that follow from the results and are not in the record of a batch under way."""

Finish = Callable[["Batches", Batch], None]
"""What a provider does once when a batch has ended: write its output files. It may happen twice after a kill."""


class Batches:
    """The batches of one tenant, of all providers."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.dates = tenant.part(LabDates)
        self._store = tenant.store
        self._batches: dict[tuple[str, str], Batch] = {}
        self._work: dict[str, asyncio.Task[None]] = {}
        for name in self._store.names("batches"):
            if name.endswith(".json") and (record := self._store.get(name)):
                self._load(json.loads(record))

    def _load(self, record: dict[str, Any]) -> None:
        batch = Batch(**{**record, "usage": Usage(**record["usage"])})
        self._batches[batch.provider, batch.id] = batch
        if not batch.settled:
            for result in self.results(batch):
                batch.count(result)

    def _save(self, batch: Batch) -> None:
        record = asdict(batch)
        if not batch.settled:
            fresh = {"succeeded": 0, "failed": 0, "run": 0, "usage": asdict(Usage()), "cost_usd": 0.0}
            assert set(fresh) == set(TALLY)
            record |= fresh
        self._store.put(f"batches/{batch.id}.json", json.dumps(record).encode(), always=True)
        self.dates.keep()

    # --- what a provider asks for --------------------------------------------------------------------------------

    def create(
        self,
        protocol: Protocol,
        lines: list[Line],
        *,
        prefix: str,
        path: str,
        window_s: float,
        headers: dict[str, str] | None = None,
        details: dict[str, Any] | None = None,
        errors: list[dict[str, Any]] | None = None,
        model: str | None = None,
        extras: list[Any] | None = None,
    ) -> Batch:
        """Accept a batch.

        Args:
            prefix: of its id.
            path: of the collection that it joins.
            extras: one value a line, handed through to its result.

        Raises:
            ApiError: there are too many batches that go on, or no room for the lines.
        """
        self._make_room(protocol.name)
        id = f"{prefix}{uuid4().hex[:24]}"
        batch = Batch(
            id=id,
            provider=protocol.name,
            path=f"{path}/{id}",
            created=self.dates.now(),
            lines=len(lines),
            seed=self.tenant.draw_seed(),
            window_s=window_s,
            pace=asdict(self.tenant.batch_pace),
            headers=headers or {},
            details=details or {},
            errors=errors or [],
            model=model,
        )
        extras = extras or [None] * len(lines)
        packed = (dump([line.key, line.path, line.body, extra]) for line, extra in zip(lines, extras, strict=True))
        try:
            self._store.put(f"batches/{id}.input", b"\n".join(packed))
        except StoreFull as full:
            raise ApiError("too_large", str(full)) from None
        self._batches[protocol.name, id] = batch
        self._save(batch)
        return batch

    def _make_room(self, provider: str) -> None:
        """Forget the oldest batch that is over, if there are as many as may be kept."""
        kept = self.all_of(provider)
        if len(kept) < MOST_BATCHES:
            return
        over = [batch for batch in kept if batch.settled]
        if not over:
            message = f"The lab server keeps at most {MOST_BATCHES} batches for a key."
            raise ApiError("invalid_request", f"{message} One that has ended makes room once you have looked at it.")
        self.delete(over[-1])

    def find(self, provider: str, id: str) -> Batch | None:
        return self._batches.get((provider, id))

    def all_of(self, provider: str) -> list[Batch]:
        """The batches of a provider, newest first."""
        found = (batch for (of, _), batch in self._batches.items() if of == provider)
        return sorted(found, key=lambda batch: -batch.created)

    def phase(self, batch: Batch) -> Phase:
        """Where a batch stands; never ended before its results are complete."""
        now = self.dates.now()
        phase = batch.schedule.phase(now)
        if phase not in ENDED or batch.settled:
            return phase
        if batch.cancelled_at is not None:
            return "cancelling"
        return "running" if batch.run < batch.schedule.due(now) else "finalizing"

    def phase_at_end(self, batch: Batch) -> Phase:
        """How a batch ends, as far as is known now."""
        return batch.schedule.end[1]

    async def look(self, exchange: Exchange, *batches: Batch, finish: Finish | None = None) -> None:
        """Bring batches up to the lab's time, or as far as a few seconds go."""
        if any(not batch.settled for batch in batches):
            self.dates.keep()  # what is shown now is not undone by a restart
        started = [self._work_on(batch, exchange.protocol, exchange.engine, finish) for batch in batches]
        if tasks := [task for task in started if task is not None]:
            done, _ = await asyncio.wait(tasks, timeout=LOOK_S)
            for task in done:
                task.result()

    def cancel(self, batch: Batch) -> None:
        """Stop a batch now. What is due is still done; nothing happens to one that has ended."""
        now = self.dates.now()
        if batch.cancelled_at is None and batch.schedule.phase(now) not in ENDED:
            batch.cancelled_at = now
            self._save(batch)

    def delete(self, batch: Batch) -> None:
        self._batches.pop((batch.provider, batch.id), None)
        for kind in ("json", "input", "results"):
            self._store.delete(f"batches/{batch.id}.{kind}")

    def results(self, batch: Batch) -> Iterator[Result]:
        """What became of the lines, in their order; all of them once the batch is settled."""
        return (Result(**json.loads(line)) for line in self._store.lines(f"batches/{batch.id}.results"))

    def finished(self, batch: Batch) -> Iterator[Result]:
        """The same as providers deliver them: not in the order of the requests, but in one that stays the same."""

        def place(result: Result) -> bytes:
            return blake2b(result.key.encode(errors="surrogatepass"), digest_size=8).digest()

        results = self.results(batch)
        while block := list(islice(results, MIXED)):
            yield from sorted(block, key=place)

    def drop_results(self, batch: Batch) -> None:
        """The provider keeps them elsewhere."""
        self._store.delete(f"batches/{batch.id}.results")

    # --- running the lines ---------------------------------------------------------------------------------------

    def _work_on(
        self, batch: Batch, protocol: Protocol, engine: Engine, finish: Finish | None
    ) -> asyncio.Task[None] | None:
        """The task that runs what is due; None when nothing is."""
        task = self._work.get(batch.id)
        if task is None and self._behind(batch):
            task = self._work[batch.id] = asyncio.create_task(self._catch_up(batch, protocol, engine, finish))
            task.add_done_callback(lambda task: self._worked(batch, task))
        return task

    def _worked(self, batch: Batch, task: asyncio.Task[None]) -> None:
        self._work.pop(batch.id, None)
        if not task.cancelled() and (problem := task.exception()):
            log.error("batch %s failed", batch.id, exc_info=problem)

    def _behind(self, batch: Batch) -> bool:
        if batch.settled:
            return False
        now = self.dates.now()
        return batch.run < batch.schedule.due(now) or batch.schedule.phase(now) in ENDED

    async def _catch_up(self, batch: Batch, protocol: Protocol, engine: Engine, finish: Finish | None) -> None:
        clears = self._store.clears

        def gone() -> bool:
            return self._store.clears != clears or self.find(batch.provider, batch.id) is not batch

        lines = self._input(batch)
        while batch.run < batch.schedule.due(self.dates.now()):
            key, path, body, extra = json.loads(lines[batch.run])
            runner = _Runner(batch, protocol, self.tenant, engine, full=self._store.room <= 0)
            result = await runner.run(Line(key, path, body), extra)
            if gone():
                return
            self._write(batch, result)
            runner.journal()
            await asyncio.sleep(0)
        if batch.schedule.phase(self.dates.now()) in ENDED and not gone():
            self._settle(batch, lines, finish)

    def _input(self, batch: Batch) -> list[bytes]:
        return (self._store.get(f"batches/{batch.id}.input") or b"").split(b"\n")

    def _write(self, batch: Batch, result: Result) -> None:
        self._store.append(f"batches/{batch.id}.results", dump(asdict(result)))
        batch.count(result)

    def _settle(self, batch: Batch, lines: Iterable[bytes], finish: Finish | None) -> None:
        """Close the books: what was never run gets a result that says so, and the provider writes its files."""
        for line in list(lines)[batch.run : batch.lines]:
            key, _, _, extra = json.loads(line)
            self._write(batch, Result(key, 0, extra=extra))
        if finish is not None:
            finish(self, batch)
        batch.settled = True
        self._save(batch)
        self._store.delete(f"batches/{batch.id}.input")


class _Runner:
    """One line on its way through the live endpoint's handler."""

    def __init__(self, batch: Batch, protocol: Protocol, tenant: Tenant, engine: Engine, *, full: bool) -> None:
        self._batch, self._protocol, self._tenant, self._engine = batch, protocol, tenant, engine
        self._full = full
        self._exchange: Exchange | None = None
        self._status = 0
        self._error: str | None = None

    async def run(self, line: Line, extra: Any) -> Result:
        batch, n = self._batch, self._batch.run
        headers = [(name.encode(), value.encode()) for name, value in batch.headers.items()]
        request = Request("POST", line.path, b"", headers, dump(line.body))
        seed = Random(f"{batch.seed}/{n}").getrandbits(63)
        exchange = Exchange(
            request,
            self._protocol,
            self._tenant,
            self._engine,
            perf_counter(),
            line=BatchLine(f"{batch.path}/lines/{n}", seed),
        )
        self._exchange = exchange
        answer, self._error = await self._answer(exchange, line)
        self._status = answer.status
        exchange.entry.params = {**exchange.entry.params, "batch": batch.id, "line": line.key}
        usage, cost = _spent(exchange) if answer.status == 200 else ({}, 0.0)
        body = json.loads(answer.body)
        return Result(line.key, answer.status, exchange.entry.request_id, body, usage, cost, extra)

    async def _answer(self, exchange: Exchange, line: Line) -> tuple[Response, str | None]:
        try:
            if self._full:
                raise ApiError("too_large", str(StoreFull(LARGEST_STORE)))
            if line.body.get("stream"):
                raise ApiError("invalid_request", "Streaming is not supported in a batch.", param="stream")
            methods, captured = self._protocol.routes.find(line.path)
            answer = await methods["POST"](exchange, **captured)
            assert isinstance(answer, Response), "a line is answered whole"
            return answer, None
        except Exception as problem:
            refusal = refusal_of(self._protocol, problem, exchange.request)
            return self._protocol.render_error(refusal, exchange.entry.request_id), refusal.code or refusal.kind

    def journal(self) -> None:
        assert self._exchange is not None, "run() comes first"
        self._exchange.close(self._status, error=self._error)


def _spent(exchange: Exchange) -> tuple[dict[str, int], float]:
    """Usage and cost in USD of an answered line."""
    generation = exchange.generation
    spent = (generation.request.model, generation.usage) if generation is not None else exchange.spent
    if spent is None:
        return {}, 0.0
    model, usage = spent
    return asdict(usage), prices.cost(model.id, usage, batch=True)
