"""One request on its way through the server: who asks, what it became, what the journal will say of it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from itertools import islice
from random import Random
from time import perf_counter, time
from typing import TYPE_CHECKING, Any, TypeVar, cast

from labkit import prices
from labkit.engine.base import Engine
from labkit.engine.validity import UnsupportedSchema
from labkit.registry import Model
from labkit.server.errors import ApiError
from labkit.server.faults import ENDINGS, TRANSPORT, Faults, disturb
from labkit.server.generation import Generation, GenerationRequest, SampledGeneration
from labkit.server.http import Request
from labkit.server.journal import Entry, Wire
from labkit.server.latency import Latency
from labkit.server.limits import Exceeded
from labkit.server.prompt_cache import UNCACHED, CacheUse, PromptCache
from labkit.server.relay import RelayedGeneration, RelayEngine
from labkit.server.tenants import Tenant
from labkit.usage import Usage

if TYPE_CHECKING:
    from labkit.server.protocols.base import Protocol

STEPS_A_SLICE = 256
"""An unpaced generation lets other requests in after this many pieces."""
FRAMES_A_WRITE = 128
"""An unpaced stream is written in so many frames at once, some 32 KB, and lets others in after each write."""


@dataclass(frozen=True, slots=True)
class BatchLine:
    """What makes a line of a batch differ from a live request: no rate limit, no pace, no fault, the batch price."""

    path: str
    """How the journal names it, in place of the endpoint's path."""
    seed: int
    """Used when the line brings no seed of its own, so that a line that is run again says the same."""


Item = TypeVar("Item")

USAGE_FIELDS = (*Usage.__slots__, "total")
LEDGER_KEPT_EVERY = 500
"""Requests between two writings of the ledger: what a killed process can lose of its sums."""
BUDGET_CODES = {"anthropic": "enforced_spend_limit_reached"}
"""What a provider calls a spent budget, if not insufficient_quota."""
_ids = Random()
"""Random numbers for request ids, which guard nothing: a tenth of the time of a UUID."""

READS_ARE_NOT_LIMITED = ("anthropic", "bedrock")
"""Where tokens read from the prompt cache do not count towards tokens per minute."""


class Exchange:
    """A request with its tenant, and the journal entry it is turning into."""

    def __init__(
        self,
        request: Request,
        protocol: Protocol,
        tenant: Tenant,
        engine: Engine,
        started: float,
        *,
        line: BatchLine | None = None,
    ) -> None:
        self.request = request
        self.protocol = protocol
        self.tenant = tenant
        self.engine = engine
        self.started = started
        self.line = line
        self.spent: tuple[Model, Usage] | None = None
        self.generation: Generation | None = None
        self.wire = Wire(request)
        self.entry = Entry(
            id=0,
            request_id=f"req_{_ids.getrandbits(96):024x}",
            time=_now(),
            lab_time=round(tenant.clock.now(), 3),
            tenant=tenant.masked,
            provider=protocol.name,
            method=request.method,
            path=line.path if line else request.path,
            retry=whole(request.headers.get("x-stainless-retry-count")),
            user_agent=request.headers.get("user-agent", "")[:200],
        )
        self._marked = started
        self._admitted = False
        self.latency = tenant.part(Latency)
        self.fault = None
        if line is None and (faults := tenant.part(Faults)).scripted:
            self.fault = faults.pick(protocol.name, request.path, request.named_model)
            self.entry.fault = self.fault.kind if self.fault else None

    def mark(self, stage: str) -> None:
        """Book the time since the last mark to a stage of the life cycle."""
        now = perf_counter()
        timing = self.entry.timing
        timing[stage] = round(timing.get(stage, 0.0) + (now - self._marked) * 1000, 3)
        self._marked = now

    def describe(self, model: Model, params: dict[str, Any], *, stream: bool) -> None:
        """What the journal says of the request, which is now known to be valid."""
        self.mark("validate_ms")
        self.entry.model, self.entry.params, self.entry.stream = model.id, params, stream

    def generate(self, request: GenerationRequest) -> Generation:
        """Take it from the rate limit and start it.

        Raises:
            ApiError: of kind rate_limit, with how long to wait.
        """
        cache = self.tenant.part(PromptCache)
        if request.explicitly_cached:
            use = CacheUse(read=request.explicitly_cached)
        else:
            use = cache.match(request.rendered, request.model) if request.rendered else UNCACHED
        unlimited = use.read if request.model.provider in READS_ARE_NOT_LIMITED else 0
        self.admit(request.model, request.prompt_tokens - unlimited)
        cache.keep(use, request.model)
        if self.fault is not None and (ending := ENDINGS.get(self.fault.kind)):
            request = replace(request, ending=ending, ends_after=self.fault.after)
        seed = self._seed() if request.seed is None else request.seed
        try:
            if isinstance(self.engine, RelayEngine):
                seed = self.tenant.draw_seed() if seed is None else seed
                self.generation = RelayedGeneration(request, self.engine, seed, use)
            else:
                self.generation = SampledGeneration(request, self.engine, seed, use)
        except UnsupportedSchema as unsupported:
            raise ApiError("invalid_request", f"Invalid schema: {unsupported}", code="invalid_json_schema") from None
        self.latency.in_flight += 1
        return self.generation

    def _seed(self) -> int | None:
        """Where the text comes from when the request has no seed; None from anywhere."""
        if self.line:
            return self.line.seed
        return None if self.tenant.seed is None else self.tenant.draw_seed()

    def admit(self, model: Model, prompt_tokens: int) -> None:
        """Take one request and its prompt from the rate limit.

        Raises:
            ApiError: of kind quota when the budget is spent; of kind rate_limit, with how long to wait.
        """
        self.mark("tokenize_ms")
        if self.line is not None:
            return
        tenant, meter = self.tenant, self.tenant.meter(model.id)
        limits = meter.limits
        if limits.budget_usd is not None and tenant.ledger.cost_usd >= limits.budget_usd:
            raise self._budget_spent(limits.budget_usd)
        if limits.concurrent is not None and tenant.active >= limits.concurrent:
            raise self._too_many_at_once(limits.concurrent)
        if exceeded := meter.admit(prompt_tokens):
            raise self._too_many(exceeded, model)
        tenant.active += 1
        self._admitted = True

    def release(self) -> None:
        """It no longer counts among the requests at once. May be called again."""
        if self._admitted:
            self.tenant.active -= 1
            self._admitted = False

    def _budget_spent(self, budget: float) -> ApiError:
        return ApiError(
            "quota",
            "You exceeded your current quota, please check your plan and billing details. "
            f"(The lab's budget for this key is ${budget:,.6g}.)",
            code=BUDGET_CODES.get(self.protocol.name, "insufficient_quota"),
        )

    def _too_many_at_once(self, most: int) -> ApiError:
        return ApiError(
            "rate_limit",
            f"Too many concurrent requests: Limit {most}. Please wait until one has been answered.",
            code="rate_limit_exceeded",
            retry_after=1.0,
            subject="requests",
        )

    async def spend(self, model: Model, usage: Usage) -> None:
        """Book the tokens of a request that generates none (an embedding), in modelled time."""
        self.spent = (model, usage)
        self.mark("infer_ms")
        if self.tenant.pace and self.line is None:
            await self._wait(self.latency.first_token_s(model, usage.prompt))
            self.mark("wait_ms")

    def _too_many(self, exceeded: Exceeded, model: Model) -> ApiError:
        wait = exceeded.wait / self.tenant.clock.rate
        return ApiError(
            "rate_limit",
            f"Rate limit reached for {model.id} on {exceeded.subject} per {exceeded.per}: Limit {exceeded.limit}, "
            f"Used {exceeded.used}, Requested {exceeded.requested}. Please try again in {max(wait, 0.001):.3f}s.",
            code="rate_limit_exceeded",
            retry_after=math.ceil(wait * 1000) / 1000,
            subject=exceeded.subject,
        )

    async def finish_generation(self) -> Generation:
        """Run the whole generation, in modelled time."""
        generation = self._running()
        if generation.blocking:
            async for _ in self._each(generation.pieces()):
                pass
        else:
            for _ in generation.slices(STEPS_A_SLICE):
                await asyncio.sleep(0)
        self.mark("infer_ms")
        if self.tenant.pace and self.line is None:
            await self._wait(self._prefill_s + generation.steps / generation.request.model.output_tps)
            self.mark("wait_ms")
        return generation

    def pace_frames(self, frames: Iterator[bytes]) -> AsyncIterator[bytes]:
        """Let a stream's frames out in modelled time, or joined into large writes when there is none.

        A scripted transport fault strikes here, event by event.
        """
        fault = self.fault
        paced = self._paced(frames) if self.tenant.pace else self._unpaced(frames, joined=fault is None)
        if fault is None or fault.kind not in TRANSPORT:
            return paced
        error = ApiError("overloaded", "Overloaded", code="overloaded")
        return disturb(fault, paced, self.tenant.clock, self.protocol.error_event(error, self.entry.request_id))

    async def _paced(self, frames: Iterator[bytes]) -> AsyncIterator[bytes]:
        generation = self._running()
        seconds_a_step = 1 / generation.request.model.output_tps
        await self._wait(self._prefill_s)
        steps = 0
        async for frame in self._each(frames):
            await self._wait((generation.steps - steps) * seconds_a_step)
            steps = generation.steps
            self._first_frame()
            yield frame

    async def _unpaced(self, frames: Iterator[bytes], *, joined: bool) -> AsyncIterator[bytes]:
        if self._running().blocking or not joined:
            async for frame in self._each(frames):
                self._first_frame()
                yield frame
            return
        whole = False
        while not whole and (chunk := list(islice(frames, FRAMES_A_WRITE))):  # no step of ours for each frame
            whole = len(chunk) < FRAMES_A_WRITE
            self._first_frame()
            yield b"".join(chunk)
            if not whole:
                await asyncio.sleep(0)

    async def _each(self, items: Iterator[Item]) -> AsyncIterator[Item]:
        """Items of a generation: taken here with a breath now and then, in a thread if they may be long in coming."""
        if self._running().blocking:
            end = object()
            while (item := await asyncio.to_thread(next, items, end)) is not end:
                yield cast(Item, item)
            return
        for n, item in enumerate(items):
            yield item
            if n % STEPS_A_SLICE == STEPS_A_SLICE - 1:
                await asyncio.sleep(0)

    def _first_frame(self) -> None:
        if "first_token_ms" not in self.entry.timing:
            self.entry.timing["first_token_ms"] = round((perf_counter() - self.started) * 1000, 3)

    @property
    def _prefill_s(self) -> float:
        generation = self._running()
        uncached = generation.request.prompt_tokens - generation.cache.read
        return self.latency.first_token_s(generation.request.model, uncached)

    async def _wait(self, seconds: float) -> None:
        if seconds > 0:
            await self.tenant.clock.sleep(seconds * self.tenant.pace * self._jitter)

    @cached_property
    def _jitter(self) -> float:
        return self.latency.jitter()

    def _running(self) -> Generation:
        assert self.generation is not None, "generate() comes first"
        return self.generation

    def close(self, status: int, *, error: str | None = None, disconnected: bool = False) -> None:
        """Book usage and cost, and write the journal entry. Called once, when the last byte is out or never will be."""
        entry, timing = self.entry, self.entry.timing
        entry.id = self.tenant.journal.next_id()
        entry.status, entry.error, entry.disconnected = status, error, disconnected
        if (generation := self.generation) is not None:
            self.latency.in_flight -= 1
            self.spent = (generation.request.model, generation.usage)
        usage = None
        if self.spent is not None and status < 400:
            usage = self.spent[1]
            self._book(*self.spent)
        self.mark("infer_ms" if entry.stream else "render_ms")
        timing["total_ms"] = round((perf_counter() - self.started) * 1000, 3)
        self.wire.status = status
        self.release()
        failed = status >= 400 or status == 0
        ledger = self.tenant.ledger
        ledger.book(entry.model, usage, entry.cost_usd, failed=failed, retry=entry.retry > 0)
        if entry.id % LEDGER_KEPT_EVERY == 0:
            ledger.keep()
        self.tenant.journal.add(entry, None if self.line else self.wire)

    def _book(self, model: Model, usage: Usage) -> None:
        entry = self.entry
        entry.usage = {name: getattr(usage, name) for name in USAGE_FIELDS}
        entry.cost_usd = prices.cost(model.id, usage, batch=self.line is not None)
        entry.tokens_sent = usage.output
        if self.generation is not None:
            entry.finish_reasons = [c.finish for c in self.generation.choices if c.finish]
        if self.line is None:
            self.tenant.meter(model.id).charge(usage.output)


def _now() -> str:
    """UTC, ISO 8601, to the millisecond."""
    now = time()
    second = int(now)
    return f"{_second(second)}.{int((now - second) * 1000):03d}+00:00"


@lru_cache(maxsize=2)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat().removesuffix("+00:00")


def whole(text: str | None) -> int:
    """A small number in a header, 0 if it is none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 6 else 0
