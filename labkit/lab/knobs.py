"""What this tenant may use, and how it answers: limits, tiers, pace, seed."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

from labkit.session import current


class _Unchanged(Enum):
    UNCHANGED = "unchanged"

    def __repr__(self) -> str:
        return "unchanged"


UNCHANGED: Final = _Unchanged.UNCHANGED
"""Default of a setting that a call does not name; None means no limit, or no tier."""

Limit = int | None | _Unchanged
Allowance = dict[str, int | float | None]
"""Limit: what it allows; None is no limit."""


def limits(
    *,
    requests_per_minute: Limit = UNCHANGED,
    tokens_per_minute: Limit = UNCHANGED,
    requests_per_day: Limit = UNCHANGED,
    tokens_per_day: Limit = UNCHANGED,
    concurrent: Limit = UNCHANGED,
    budget_usd: float | Limit = UNCHANGED,
    model: str | None = None,
) -> Allowance:
    """Set this tenant's limits, and return those in force. Without arguments, only return them.

    Buckets whose limit is set are full again.

    Args:
        concurrent: requests that may be generated at the same time, over all models.
        budget_usd: what may be spent in all since the last reset; then the provider says that the credit is used up
            ("insufficient_quota" and its like), which no waiting mends.
        model: limit one model apart from the others, or return what holds for it.

    Raises:
        ControlError: a limit that is no number above zero, or an unknown model.
    """
    named = {
        "requests_per_minute": requests_per_minute,
        "tokens_per_minute": tokens_per_minute,
        "requests_per_day": requests_per_day,
        "tokens_per_day": tokens_per_day,
        "concurrent": concurrent,
        "budget_usd": budget_usd,
    }
    changes: dict[str, object] = {name: value for name, value in named.items() if not isinstance(value, _Unchanged)}
    if changes:
        described = current().configure(limits={**changes, **({"model": model} if model else {})})
    else:
        described = current().control("GET", "tenant")
    return _holding(described, model)


def levels(*models: str) -> dict[str, list[dict[str, Any]]]:
    """What is left in the rate-limit buckets at this moment, by model: of these models, or of all that were called.

    Returns:
        For each bucket "of" (requests or tokens), "per" (minute or day), "capacity", "left", and "resets_in_s", the lab
        seconds until it is full again. A model that was not called since its limits were set is not in it: all full.

    Raises:
        UnknownModel: no such model.
    """
    from labkit import registry

    found: dict[str, list[dict[str, Any]]] = current().control("GET", "tenant")["levels"]
    wanted = [registry.find(model).id for model in models] or list(found)
    return {model: found[model] for model in wanted if model in found}


def tier(name: str | None | _Unchanged = UNCHANGED) -> str | None:
    """Start from a provider's usage tier: "free" or "1" to "5"; None is the lab's own defaults again.

    Limits that were set before are forgotten; `limits(...)` then changes the tier's. What it allows differs by
    provider: `limits(model=...)` shows it.

    Returns:
        The tier in force, set to `name` if that is given.

    Raises:
        ControlError: no such tier; the message lists them.
    """
    set_ = not isinstance(name, _Unchanged)
    described = current().configure(tier=name) if set_ else current().control("GET", "tenant")
    found: str | None = described["tier"]
    return found


def pace(factor: float | None = None) -> float:
    """How long answers take: 0 at once, 1 as long as the registry's models would, 0.1 ten times faster.

    Returns:
        The pace in force, set to `factor` if that is given.
    """
    described = current().control("GET", "tenant") if factor is None else current().configure(pace=factor)
    return float(described["pace"])


def seed(value: int | None) -> None:
    """Make answers repeat from here on; None makes them differ again. A request's own seed still wins."""
    current().configure(seed=value)


def reset() -> None:
    """Forget this tenant's journal and usage, and begin its seed again. Limits, pace and clock stay as they are set."""
    current().control("POST", "reset")


def _holding(described: dict[str, Any], model: str | None) -> Allowance:
    """What holds for a model: its own limits, else its provider's in this tier, else the tenant's."""
    if model is None:
        return dict(described["limits"])
    from labkit import registry

    row = registry.find(model)
    by_provider = described["provider_limits"].get(row.provider, described["limits"])
    return dict(described["model_limits"].get(row.id, by_provider))
