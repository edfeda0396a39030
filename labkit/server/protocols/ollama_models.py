"""Ollama's models: what they are called, how big they are, and which of them are in memory.

Sizes follow from the number of weights in a model's name; nothing is really loaded. The time that loading takes is
modelled, on the tenant's clock and scaled by its pace as all latency is.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any

from labkit.registry import Model

if TYPE_CHECKING:
    from labkit.server.tenants import Tenant

BYTES_PER_WEIGHT = 0.606
"""Of 4-bit quantisation as Q4_K_M does it: 4.85 bits."""
DISK_BYTES_PER_SECOND = 1.5e9


def tag(model: Model) -> str:
    """How Ollama names it: name:size."""
    return next((name for name in (model.id, *model.aliases) if ":" in name), f"{model.id}:latest")


def weights(model: Model) -> float:
    """How many, from the size in its tag."""
    billions = re.search(r"(\d+(?:\.\d+)?)b\b", tag(model), re.I)
    return float(billions[1]) * 1e9 if billions else 1e9


def size(model: Model) -> int:
    """Bytes on disk and in memory."""
    return round(weights(model) * BYTES_PER_WEIGHT)


class Memory:
    """Which models are loaded, until when on the tenant's clock."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self._until: dict[str, float] = {}

    async def load(self, model: Model, keep_alive: float) -> int:
        """Have a model in memory; nanoseconds that it took."""
        started = perf_counter()
        if model.id not in self.loaded():
            await self._tenant.clock.sleep(size(model) / DISK_BYTES_PER_SECOND * self._tenant.pace)
        self._until[model.id] = self._tenant.clock.now() + keep_alive
        return round((perf_counter() - started) * 1e9)

    def loaded(self) -> dict[str, float]:
        """Lab seconds that each model will stay."""
        now = self._tenant.clock.now()
        self._until = {model: until for model, until in self._until.items() if until > now}
        return {model: until - now for model, until in self._until.items()}


def model_object(model: Model) -> dict[str, Any]:
    released = datetime.combine(model.released, datetime.min.time(), UTC) if model.released else datetime.now(UTC)
    return {
        "name": tag(model),
        "model": tag(model),
        "modified_at": released.isoformat(),
        "size": size(model),
        "digest": hashlib.sha256(model.id.encode()).hexdigest(),
        "details": details(model),
    }


def details(model: Model) -> dict[str, Any]:
    return {
        "parent_model": "",
        "format": "gguf",
        "family": family(model),
        "families": [family(model)],
        "parameter_size": f"{weights(model) / 1e9:g}B",
        "quantization_level": "Q4_K_M",
    }


def family(model: Model) -> str:
    match = re.match(r"[a-z]+", tag(model).lower())
    return match[0] if match else "unknown"
