"""Whom a sweep asks: models as they are written, as clients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from labkit import registry
from labkit.client import LLMClient
from labkit.errors import UserError

if TYPE_CHECKING:
    from labkit.budget import Budget
    from labkit.pacing import Pacer

DEFAULT = "openai:sampling"
"""It takes the parameters that sweeps are mostly about."""

Models = str | LLMClient | Sequence[str | LLMClient]
"""A model's id, "provider/id", "provider:tier" such as "openai:sampling", or a client of your own."""


def clients(
    models: Models | None, *, drop_unsupported: bool, budget: Budget | float | None, pacer: Pacer | None
) -> list[LLMClient]:
    """One client a model; those that are made here share budget and pacer.

    Raises:
        UserError: a model twice, or a budget for a client that has its own.
        registry.UnknownModel: no such model or tier.
    """
    from labkit.budget import Budget
    from labkit.pacing import Pacer

    models = DEFAULT if models is None else models
    given = [models] if isinstance(models, (str, LLMClient)) else list(models)
    shared = Budget(budget, name="The sweep's budget") if isinstance(budget, (int, float)) else budget
    if (shared or pacer) is not None and any(isinstance(model, LLMClient) for model in given):
        raise UserError("A client of your own brings its own budget and pacer: LLMClient(..., budget=..., pacer=...).")
    pacer = pacer or Pacer()
    found = []
    for model in given:
        if isinstance(model, LLMClient):
            found.append(model)
        else:
            provider, name = resolved(model)
            found.append(LLMClient(provider, name, drop_unsupported=drop_unsupported, budget=shared, pacer=pacer))
    if len({repr(client) for client in found}) < len(found):
        raise UserError("A model is there twice; for more answers of it, use repeats.")
    return found


def resolved(model: str) -> tuple[str | None, str | None]:
    """What `LLMClient` takes as provider and model, for a model as it is written in a sweep.

    "provider:tier" is the course's model of that tier.

    Raises:
        registry.UnknownModel: no such model or tier.
    """
    provider, colon, tier = model.partition(":")
    if colon and provider in registry.PROVIDERS:
        return provider, registry.model(provider, tier)
    return (model, None) if "/" in model else (None, model)
