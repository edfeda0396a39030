"""labkit: a course and an experiment bench for LLM APIs that runs on a laptop, with no key, no network and no bill.

    import labkit as lk
    lk.start()                      # from here on OpenAI(), Anthropic() and genai.Client() talk to the lab server

Every public name is listed here and imported on first use, so that `import labkit` costs next to nothing.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "Batch": "labkit.batching",
    "Conversation": "labkit.conversation",
    "Breaker": "labkit.pacing",
    "Fallback": "labkit.fallback",
    "LLMClient": "labkit.client",
    "Pacer": "labkit.pacing",
    "ResponseCache": "labkit.caching.response_cache",
    "SemanticCache": "labkit.caching.semantic",
    "Sweep": "labkit.experiments",
    "caching": "labkit.caching:",
    "check": "labkit.grading",
    "cost": "labkit.prices",
    "cost_calculator": "labkit.widgets",
    "count_tokens": "labkit.tokens:count",
    "current": "labkit.session",
    "datasets": "labkit.datasets:",
    "hint": "labkit.grading",
    "lab": "labkit.lab:",
    "ledger": "labkit.ledger:",
    "limits_gauge": "labkit.widgets",
    "metrics": "labkit.metrics:",
    "model": "labkit.registry",
    "models": "labkit.registry",
    "playground": "labkit.widgets",
    "plots": "labkit.plots:",
    "price": "labkit.prices",
    "prices": "labkit.prices:",
    "progress": "labkit.record",
    "quiz": "labkit.widgets",
    "registry": "labkit.registry:",
    "sampling": "labkit.sampling:",
    "sampling_lens": "labkit.widgets",
    "solution": "labkit.grading",
    "start": "labkit.session",
    "stream_viewer": "labkit.widgets",
    "sweep": "labkit.experiments",
    "tokens": "labkit.tokens:",
    "wire": "labkit.exchange",
}
"""Public name: the module it lives in; `module:name` under another name, `module:` the module itself."""

__all__ = sorted([*_HOME, "__version__"])


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"labkit has no {name!r}; it has {', '.join(sorted(_HOME))}")
    module, colon, other = home.partition(":")
    found = import_module(module)
    value = found if colon and not other else getattr(found, other or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
