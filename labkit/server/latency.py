"""Modelled latency: what a model of the registry's row would take, in lab seconds.

    time to first token = ttft_ms + uncached prompt tokens / prefill_tps, stretched by load
    each further token  = 1 / output_tps

Both are multiplied by a jitter that one request draws once, log-normal with a spread of about 12 percent, from the
tenant's seed. The figures are the lab's choice by tier and measure nothing; `pace` scales them down to zero.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from labkit.registry import Model

if TYPE_CHECKING:
    from labkit.server.tenants import Tenant

SPREAD = 0.12
"""Standard deviation of the logarithm of the jitter."""
LOAD = 0.03
"""How much longer the first token takes for each other request of the tenant that is being answered."""


class Latency:
    """The latency model of one tenant: its load, and where its jitter comes from."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self._seed: int | None = None
        self._rng = Random()
        self.in_flight = 0

    def jitter(self) -> float:
        """One request's factor; the median is 1."""
        if self._seed != self._tenant.seed:
            self._seed = self._tenant.seed
            self._rng = Random(f"{self._seed}/latency")
        return self._rng.lognormvariate(0.0, SPREAD)

    def first_token_s(self, model: Model, uncached_tokens: int) -> float:
        """Lab seconds to the first token, before jitter."""
        alone = model.ttft_ms / 1000 + uncached_tokens / model.prefill_tps
        return alone * (1 + LOAD * max(0, self.in_flight - 1))
