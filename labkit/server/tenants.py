"""A key is a tenant: its own clock, limits, seed, pace, journal and ledger, shared with nobody."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any, Protocol, TypeVar, cast

from labkit import registry
from labkit.registry import Model
from labkit.server.clock import Clock
from labkit.server.journal import Journal, Shelf, mask
from labkit.server.ledger import Ledger
from labkit.server.limits import Limits, Meter, Tier, tiers
from labkit.server.schedule import BatchPace
from labkit.server.store import MemoryStore, Store, Stores

LAB_KEY = re.compile(r"lab-[\w.\-]{1,120}")
MOST_TENANTS = 5_000


class OfTenant(Protocol):
    """Something that a tenant has one of."""

    def __init__(self, tenant: Tenant) -> None: ...


Part = TypeVar("Part", bound=OfTenant)


_UNSEEDED = Random()
"""Shared by all tenants without a seed: a generator each would be 2.5 KB a tenant."""


@dataclass(slots=True)
class Tenant:
    """Everything that the server keeps for one key."""

    key: str
    clock: Clock = field(default_factory=Clock)
    pace: float = 0.0
    """Modelled latency is multiplied by this: 0 answers at once, 1 takes as long as the registry says."""
    seed: int | None = None
    tier: str | None = None
    """The preset that its limits started from."""
    changes: dict[str, float | None] = field(default_factory=dict)
    """Limits that were set on top of the tier's, or of the defaults."""
    model_changes: dict[str, dict[str, float | None]] = field(default_factory=dict)
    """Those that were set for one model."""
    batch_pace: BatchPace = BatchPace()
    """How fast the batches go that are made from now on."""
    store: Store = field(default_factory=MemoryStore)
    """Where its files, batches, journal and ledger are kept."""
    shelf: Shelf = field(default_factory=Shelf)
    """What the journals of all tenants share."""
    locked: bool = False
    """Only the admin key may change it: while it is graded, a student's code must not."""
    active: int = 0
    """Requests that are being generated."""
    masked: str = ""
    """The key, as it may be shown."""
    journal: Journal = field(init=False)
    _rng: Random = _UNSEEDED
    _meters: dict[str, Meter] = field(default_factory=dict)
    _parts: dict[type, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.masked = mask(self.key)
        self.journal = Journal(self.store, self.shelf)

    @property
    def ledger(self) -> Ledger:
        return self.part(Ledger)

    # --- limits ------------------------------------------------------------------------------------------------------

    @property
    def limits(self) -> Limits:
        """What holds for a model that nothing else is said of; the requests at once and the budget of all together."""
        return (self._preset.limits if self._preset else Limits()).changed(**self.changes)

    @property
    def model_limits(self) -> dict[str, Limits]:
        return {model: self.limits_of(registry.find(model)) for model in self.model_changes}

    @property
    def _preset(self) -> Tier | None:
        return tiers()[self.tier] if self.tier else None

    def limits_of(self, model: Model) -> Limits:
        """What holds for one model."""
        preset = self._preset.of(model.provider) if self._preset else Limits()
        return preset.changed(**(self.changes | self.model_changes.get(model.id, {})))

    def meter(self, model: str) -> Meter:
        """The rate-limit buckets of one model, kept between requests and filled anew when its limits change."""
        meter = self._meters.get(model)
        if meter is None:
            meter = self._meters[model] = Meter(self.limits_of(registry.find(model)), self.clock)
        return meter

    def set_limits(self, changes: dict[str, Any], model: Model | None = None) -> None:
        """Change limits, of one model or of all; the buckets concerned are full again."""
        if model is None:
            self.changes |= changes
            self._meters.clear()
        else:
            self.model_changes.setdefault(model.id, {}).update(changes)
            self._meters.pop(model.id, None)

    def set_tier(self, tier: str | None) -> None:
        """Start from a preset, or with None from the defaults; what was set before is forgotten.

        Raises:
            KeyError: there is no such preset.
        """
        if tier is not None:
            tiers()[tier]
        self.tier = tier
        self.changes.clear()
        self.model_changes.clear()
        self._meters.clear()

    # --- the rest ----------------------------------------------------------------------------------------------------

    def draw_seed(self) -> int:
        """A seed for a request that brought none. Follows the tenant's own seed, so that a whole notebook repeats."""
        return self._rng.getrandbits(63)

    def reseed(self, seed: int | None) -> None:
        self.seed = seed
        self._rng = _UNSEEDED if seed is None else Random(seed)

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

    def begin_again(self) -> None:
        """Be as a tenant that was just opened, but for the lab time that has passed."""
        self.pace, self.clock.rate, self.tier = 0.0, 1.0, None
        self.changes.clear()
        self.model_changes.clear()
        self.batch_pace = BatchPace()
        self.seed = None
        self.reset()

    def withdraw(self) -> None:
        """Leave the memory: what may be kept is written down."""
        self.journal.withdraw()
        if Ledger in self._parts:
            with suppress(OSError):  # a full disk must not keep the server from ending
                self.ledger.keep()

    def described(self) -> dict[str, Any]:
        preset = self._preset
        return {
            "key": self.masked,
            "seed": self.seed,
            "pace": self.pace,
            "clock": {"rate": self.clock.rate, "now": self.clock.now()},
            "tier": self.tier,
            "limits": _as_dict(self.limits),
            "provider_limits": {
                provider: _as_dict(row.changed(**self.changes))
                for provider, row in (preset.by_provider.items() if preset else ())
            },
            "levels": {model: meter.readings() for model, meter in self._meters.items()},
            "model_limits": {model: _as_dict(limits) for model, limits in self.model_limits.items()},
            "batches": asdict(self.batch_pace),
            "locked": self.locked,
        }


def _as_dict(limits: Limits) -> dict[str, float | None]:
    return {name: getattr(limits, name) for name in Limits.__slots__}


class Tenants:
    """The open tenants. `allowed` restricts them to listed keys; else any key that begins with `lab-` opens one."""

    def __init__(self, allowed: Iterable[str] | None = None, stores: Stores | None = None) -> None:
        self._allowed = None if allowed is None else frozenset(allowed)
        self._open: OrderedDict[str, Tenant] = OrderedDict()
        """The least recently used first."""
        self._stores = stores or Stores()
        self._shelf = Shelf()

    def admits(self, key: str) -> bool:
        return key in self._allowed if self._allowed is not None else LAB_KEY.fullmatch(key) is not None

    def open(self, key: str) -> Tenant | None:
        """The tenant of a key, opened at first use; None for a key that is not admitted."""
        tenant = self._open.get(key)
        if tenant is None:
            if not self.admits(key):
                return None
            if len(self._open) >= MOST_TENANTS:
                self._close_one()
            tenant = self._open[key] = Tenant(key, store=self._stores.open(key), shelf=self._shelf)
        self._open.move_to_end(key)
        return tenant

    def _close_one(self) -> None:
        """Close the least recently used tenant that nobody is waiting in."""
        idle = (key for key, tenant in self._open.items() if not tenant.active)
        self._open.pop(next(idle, next(iter(self._open)))).withdraw()

    def close(self) -> None:
        """The server ends: write down what is to be kept."""
        for tenant in self._open.values():
            tenant.withdraw()

    def __len__(self) -> int:
        return len(self._open)
