"""Caches of answers: by the exact call, and by what it means.

    client = lk.LLMClient("openai", cache=True)             the same call again costs nothing
    lk.LLMClient("openai", cache=lk.ResponseCache("memory", ttl=3600))
    lk.LLMClient("openai", cache=lk.SemanticCache("memory", threshold=0.9))     a similar question is enough
    client.cache.statistics                                 hits, misses, what they saved; `.history()` is the curve
    lk.caching.sweep_thresholds(pairs, embedder=client)     what a threshold would do
    lk.caching.replay(questions, same_as, embedder=client)  the same on a log, in order
    lk.caching.personal_data("Call +44 20 7946 0958")       what the check for personal data sees

Names are imported on first use: only a semantic cache needs numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "CacheWarning": "warning",
    "FunctionEmbedder": "embedders",
    "LexicalEmbedder": "embedders",
    "ProviderEmbedder": "embedders",
    "ResponseCache": "response_cache",
    "SemanticCache": "semantic",
    "SentenceEmbedder": "sentences",
    "personal_data": "personal",
    "replay": "thresholds",
    "sweep_thresholds": "thresholds",
}
"""Public name: the module it lives in."""

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"labkit.caching has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
