"""What a vLLM server counts of its own work, in Prometheus' text format. One set a tenant.

Times are real seconds, as a client feels them; the time to first token is known of streams only. There is no queue in
the lab server, so nothing ever waits.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

from labkit.registry import Model
from labkit.server.exchange import Exchange
from labkit.server.generation import Generation

if TYPE_CHECKING:
    from labkit.server.tenants import Tenant

FIRST_TOKEN_BUCKETS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80)
LATENCY_BUCKETS = (0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680)
CONTEXTS_IN_MEMORY = 4
"""The modelled GPU holds the keys and values of so many prompts of full length."""
REASONS = {"stop": "stop", "stop_sequence": "stop", "tool_calls": "stop", "length": "length", None: "abort"}


@dataclass(slots=True)
class Histogram:
    """Cumulative counts by upper bound."""

    bounds: tuple[float, ...]
    counts: list[int] = field(init=False)
    """Observations in each bucket, one more than bounds for what is above all of them."""
    sum: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds

    def lines(self, name: str, labels: str) -> Iterator[str]:
        total = 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            total += count
            yield f'{name}_bucket{{{labels},le="{bound}"}} {total}'
        yield f"{name}_sum{{{labels}}} {self.sum}"
        yield f"{name}_count{{{labels}}} {total}"


@dataclass(slots=True)
class Counts:
    """The counters of one model."""

    running: list[Generation] = field(default_factory=list)
    prompt_tokens: int = 0
    generation_tokens: int = 0
    """Of requests that have ended."""
    finished: Counter[str] = field(default_factory=Counter)
    first_token: Histogram = field(default_factory=lambda: Histogram(FIRST_TOKEN_BUCKETS))
    latency: Histogram = field(default_factory=lambda: Histogram(LATENCY_BUCKETS))

    @property
    def generated(self) -> int:
        """Tokens written by ended and by running requests: the counter grows while a request runs, as vLLM's does."""
        return self.generation_tokens + sum(g.tokens for g in self.running)

    def cache_use(self, model: Model) -> float:
        held = sum(g.request.prompt_tokens + g.tokens for g in self.running)
        return min(1.0, held / (CONTEXTS_IN_MEMORY * model.context))


class Metrics:
    """The counters of one tenant, by model."""

    def __init__(self, tenant: Tenant) -> None:
        self._counts: dict[str, Counts] = {}

    def of(self, model_id: str) -> Counts:
        return self._counts.setdefault(model_id, Counts())

    def book(self, exchange: Exchange, generation: Generation) -> None:
        """A request ended, one way or another."""
        counts, usage = self.of(generation.request.model.id), generation.usage
        counts.prompt_tokens += usage.prompt
        counts.generation_tokens += usage.output
        counts.finished.update(REASONS.get(choice.finish, "stop") for choice in generation.choices)
        counts.latency.observe(perf_counter() - exchange.started)
        if (first := exchange.entry.timing.get("first_token_ms")) is not None:
            counts.first_token.observe(first / 1000)

    async def watch(
        self, exchange: Exchange, generation: Generation, frames: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        """A stream's frames; books the request when they end or the client goes away."""
        running = self.of(generation.request.model.id).running
        running.append(generation)
        try:
            async for chunk in frames:
                yield chunk
        finally:
            running.remove(generation)
            self.book(exchange, generation)

    def text(self, models: Iterable[Model]) -> str:
        """The exposition, every model of the server in it, used or not."""
        rows = [(model, self.of(model.id)) for model in models]
        lines: list[str] = []
        for name, kind, description, samples in FAMILIES:
            lines += [f"# HELP {name} {description}", f"# TYPE {name} {kind}"]
            for model, counts in rows:
                lines += samples(name, f'engine="0",model_name="{model.id}"', model, counts)
        return "\n".join(lines) + "\n"


Samples = Callable[[str, str, Model, Counts], Iterable[str]]


def _single(value: Callable[[Model, Counts], float]) -> Samples:
    return lambda name, labels, model, counts: [f"{name}{{{labels}}} {value(model, counts)}"]


def _by_reason(name: str, labels: str, model: Model, counts: Counts) -> Iterator[str]:
    for reason in ("stop", "length", "abort"):
        yield f'{name}{{{labels},finished_reason="{reason}"}} {counts.finished[reason]}'


FAMILIES: tuple[tuple[str, str, str, Samples], ...] = (
    ("vllm:num_requests_running", "gauge", "Requests being generated.", _single(lambda m, c: len(c.running))),
    ("vllm:num_requests_waiting", "gauge", "Requests in the queue.", _single(lambda m, c: 0)),
    ("vllm:kv_cache_usage_perc", "gauge", "Share of the KV cache in use.", _single(lambda m, c: c.cache_use(m))),
    ("vllm:prompt_tokens_total", "counter", "Prompt tokens read.", _single(lambda m, c: c.prompt_tokens)),
    ("vllm:generation_tokens_total", "counter", "Tokens generated.", _single(lambda m, c: c.generated)),
    ("vllm:request_success_total", "counter", "Requests ended, by reason.", _by_reason),
    (
        "vllm:time_to_first_token_seconds",
        "histogram",
        "Time to first token of streams.",
        lambda name, labels, model, counts: counts.first_token.lines(name, labels),
    ),
    (
        "vllm:e2e_request_latency_seconds",
        "histogram",
        "Time from request to last token.",
        lambda name, labels, model, counts: counts.latency.lines(name, labels),
    ),
)
