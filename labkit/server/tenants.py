"""A key is a tenant: its own clock, limits, seed, pace and journal, shared with nobody."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from random import Random, SystemRandom
from typing import Any, Protocol, TypeVar, cast

from labkit.registry import Model
from labkit.server.clock import Clock
from labkit.server.journal import Journal, mask
from labkit.server.limits import Limits, Meter
from labkit.server.schedule import BatchPace
from labkit.server.store import MemoryStore, Store, Stores

LAB_KEY = re.compile(r"lab-[\w.\-]{1,120}")
MOST_TENANTS = 5_000


class OfTenant(Protocol):
    """Something that a tenant has one of."""

    def __init__(self, tenant: Tenant) -> None: ...


Part = TypeVar("Part", bound=OfTenant)


@dataclass(slots=True)
class Tenant:
    """Everything that the server keeps for one key."""

    key: str
    clock: Clock = field(default_factory=Clock)
    journal: Journal = field(default_factory=Journal)
    pace: float = 0.0
    """Modelled latency is multiplied by this: 0 answers at once, 1 takes as long as the registry says."""
    seed: int | None = None
    limits: Limits = field(default_factory=Limits)
    model_limits: dict[str, Limits] = field(default_factory=dict)
    batch_pace: BatchPace = BatchPace()
    """How fast the batches go that are made from now on."""
    store: Store = field(default_factory=MemoryStore)
    """Where its files and batches are kept."""
    last_used: float = field(default_factory=time.monotonic)
    _rng: Random = field(default_factory=SystemRandom)
    _meters: dict[str, Meter] = field(default_factory=dict)
    _parts: dict[type, object] = field(default_factory=dict)

    def meter(self, model: str) -> Meter:
        """The rate-limit buckets of one model, kept between requests and rebuilt when its limits change."""
        limits = self.model_limits.get(model, self.limits)
        meter = self._meters.get(model)
        if meter is None or meter.limits is not limits:
            meter = self._meters[model] = Meter(limits, self.clock)
        return meter

    def draw_seed(self) -> int:
        """A seed for a request that brought none. Follows the tenant's own seed, so that a whole notebook repeats."""
        return self._rng.getrandbits(63)

    def reseed(self, seed: int | None) -> None:
        self.seed = seed
        self._rng = SystemRandom() if seed is None else Random(seed)

    def part(self, kind: type[Part]) -> Part:
        """The tenant's one object of a kind (its files, its batches, its prompt cache), made at first use."""
        found = self._parts.get(kind)
        if found is None:
            found = self._parts[kind] = kind(self)
        return cast(Part, found)

    def reset(self) -> None:
        """Forget what happened; keep what was set."""
        self._parts.clear()
        self.store.clear()
        self.journal.clear()
        self._meters.clear()
        self.reseed(self.seed)

    def set_limits(self, changes: dict[str, int | None], model: Model | None = None) -> None:
        if model is None:
            self.limits = self.limits.changed(**changes)
        else:
            self.model_limits[model.id] = self.model_limits.get(model.id, self.limits).changed(**changes)

    def described(self) -> dict[str, Any]:
        return {
            "key": mask(self.key),
            "seed": self.seed,
            "pace": self.pace,
            "clock": {"rate": self.clock.rate, "now": self.clock.now()},
            "limits": _as_dict(self.limits),
            "model_limits": {model: _as_dict(limits) for model, limits in self.model_limits.items()},
            "batches": asdict(self.batch_pace),
        }


def _as_dict(limits: Limits) -> dict[str, int | None]:
    return {name: getattr(limits, name) for name in Limits.__slots__}


class Tenants:
    """The open tenants. `allowed` restricts them to listed keys; else any key that begins with `lab-` opens one."""

    def __init__(self, allowed: Iterable[str] | None = None, stores: Stores | None = None) -> None:
        self._allowed = None if allowed is None else frozenset(allowed)
        self._open: dict[str, Tenant] = {}
        self._stores = stores or Stores()

    def admits(self, key: str) -> bool:
        return key in self._allowed if self._allowed is not None else LAB_KEY.fullmatch(key) is not None

    def open(self, key: str) -> Tenant | None:
        """The tenant of a key, opened at first use; None for a key that is not admitted."""
        tenant = self._open.get(key)
        if tenant is None:
            if not self.admits(key):
                return None
            if len(self._open) >= MOST_TENANTS:
                del self._open[min(self._open, key=lambda k: self._open[k].last_used)]
            tenant = self._open[key] = Tenant(key, store=self._stores.open(key))
        tenant.last_used = time.monotonic()
        return tenant

    def __len__(self) -> int:
        return len(self._open)
