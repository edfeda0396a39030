"""Which provider and which model: from what a user names, the registry fills in the rest."""

from __future__ import annotations

from labkit import adapters, registry

_FAMILY = {"azure": "openai", "compatible": "self-hosted"}


def family(provider: str) -> str:
    """Whose models a provider serves, as the registry names it."""
    return _FAMILY.get(provider, provider)


def resolved(provider: str | None, model: str | None) -> tuple[str, str | None]:
    """Provider, and the model if one was named.

    >>> resolved("openai/some-model", None), resolved(None, None)
    (('openai', 'some-model'), ('openai', None))
    """
    head, slash, tail = (provider or model or "").partition("/")
    if slash and tail and adapters.known(head):
        return head, tail
    if provider is None:
        provider = "openai" if model is None else _maker(model)
    return provider, model


def default_model(provider: str, tier: str) -> str:
    """The course's model of a provider and tier."""
    if provider == "litellm":
        return f"openai/{registry.model('openai', tier)}"
    provider = adapters.ALIASES.get(provider, provider)
    return registry.model(family(provider), tier)


def _maker(model: str) -> str:
    """Whose model this is."""
    provider = registry.find(model).provider
    return "compatible" if provider == "self-hosted" else provider
