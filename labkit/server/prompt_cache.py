"""Prompt caches: which prefix of a prompt was seen before, and what each provider bills for it.

One store a tenant: digest of a prefix, per model, with an expiry on the lab's clock that a read pushes back. What may
be stored and where a prompt may match differs by provider, so each has its rule here:

    steps         OpenAI before GPT-5.6: cuts every 128 tokens from the model's minimum on; writes are free
    breakpoints   OpenAI from GPT-5.6 on, Anthropic: only marked ends are stored, writes are billed
    ends          Gemini, implicit: the ends of blocks; writes are free

Sources: OpenAI's prompt caching guide (steps of 128; from GPT-5.6 an exact match at a breakpoint, one placed at the end
of the newest message unless mode is explicit; latest 80 considered); Anthropic's (at most 4 breakpoints, a look-back of
20 blocks, 5 minutes or 1 hour, refreshed by a read); Gemini's (implicit on by default). How long OpenAI's and Gemini's
free caches last is a modelling choice: 10 lab minutes, 1 lab hour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from labkit import prices
from labkit.registry import Model
from labkit.server.prompt import Rendered

if TYPE_CHECKING:
    from labkit.server.tenants import Tenant

STEP = 128
STEP_TTL, IMPLICIT_TTL = 600.0, 3_600.0
LONG_TTL = 3_600.0
"""From here on a write is billed at the long rate: 1 h at Anthropic, 12 h at OpenAI."""
LATEST_BREAKPOINTS, LOOK_BACK = 80, 20
MOST_ENTRIES = 20_000
"""Of one tenant, 250 bytes each."""


@dataclass(frozen=True, slots=True)
class CacheUse:
    """What the cache does for one prompt, in tokens. The rest is charged in full."""

    read: int = 0
    written: int = 0
    written_long: int = 0
    stores: tuple[tuple[bytes, float], ...] = ()
    """(digest, lab seconds to live) to keep once the request is admitted."""


UNCACHED = CacheUse()


class PromptCache:
    """The stored prefixes of one tenant."""

    def __init__(self, tenant: Tenant) -> None:
        self._clock = tenant.clock
        self._until: dict[tuple[str, bytes], tuple[float, float]] = {}
        """(model, digest) to (lab time of expiry, lab seconds to live)."""

    def match(self, prompt: Rendered, model: Model) -> CacheUse:
        """Find the longest stored prefix and say what would be billed and stored; `keep` then stores it."""
        if model.min_cache_tokens is None or len(prompt) < model.min_cache_tokens:
            return UNCACHED
        return _RULES.get(model.provider, _by_steps)(self, prompt, model)

    def read(self, model: str, digest: bytes) -> bool:
        """Whether a prefix is stored and alive; a read makes it live on."""
        key = (model, digest)
        kept = self._until.get(key)
        now = self._clock.now()
        if kept is None:
            return False
        if kept[0] <= now:
            del self._until[key]
            return False
        self._until[key] = (now + kept[1], kept[1])
        return True

    def keep(self, use: CacheUse, model: Model) -> None:
        for digest, ttl in use.stores:
            self._store((model.id, digest), ttl)

    def _store(self, key: tuple[str, bytes], ttl: float) -> None:
        longest = max(ttl, self._until[key][1]) if key in self._until else ttl
        self._until[key] = (self._clock.now() + longest, longest)
        if len(self._until) > MOST_ENTRIES:
            for oldest in list(islice(self._until, MOST_ENTRIES // 10)):
                del self._until[oldest]


Rule = Callable[[PromptCache, Rendered, Model], CacheUse]


def _openai(cache: PromptCache, prompt: Rendered, model: Model) -> CacheUse:
    return (
        _by_breakpoints(cache, prompt, model) if prices.price(model.id).cache_write else _by_steps(cache, prompt, model)
    )


def _by_steps(cache: PromptCache, prompt: Rendered, model: Model) -> CacheUse:
    return _free(cache, prompt, model, range(model.min_cache_tokens or 0, prompt.ends[-1] + 1, STEP), STEP_TTL)


def _by_ends(cache: PromptCache, prompt: Rendered, model: Model) -> CacheUse:
    return _free(cache, prompt, model, [e for e in prompt.ends if e >= (model.min_cache_tokens or 0)], IMPLICIT_TTL)


def _free(cache: PromptCache, prompt: Rendered, model: Model, cuts: Iterable[int], ttl: float) -> CacheUse:
    digests = list(prompt.digests(cuts))
    read = next((cut for cut, digest in reversed(digests) if cache.read(model.id, digest)), 0)
    return CacheUse(read, stores=tuple((digest, ttl) for _, digest in digests))


def _by_breakpoints(cache: PromptCache, prompt: Rendered, model: Model) -> CacheUse:
    """Read at an end that was once marked; write from there to the last mark."""
    ttls = {end: ttl for end, ttl in prompt.breakpoints if end >= (model.min_cache_tokens or 0)}
    if not ttls:
        return UNCACHED
    digests = dict(prompt.digests(prompt.ends))
    read = next((end for end in _candidates(prompt, model) if cache.read(model.id, digests[end])), 0)
    written = {True: 0, False: 0}
    reached = read
    for end, ttl in sorted(ttls.items()):
        written[ttl >= LONG_TTL] += max(0, end - reached)
        reached = max(reached, end)
    return CacheUse(read, written[False], written[True], tuple((digests[end], ttl) for end, ttl in ttls.items()))


def _candidates(prompt: Rendered, model: Model) -> list[int]:
    """Ends at which this prompt may match, the longest first."""
    ends = [end for end in prompt.ends if end >= (model.min_cache_tokens or 0)]
    if model.provider == "openai":
        return ends[::-1][:LATEST_BREAKPOINTS]
    marked = [ends.index(end) for end, _ in prompt.breakpoints if end in ends]
    near = {i for mark in marked for i in range(max(0, mark - LOOK_BACK), mark + 1)}
    return [ends[i] for i in sorted(near, reverse=True)]


_RULES: dict[str, Rule] = {
    "openai": _openai,
    "anthropic": _by_breakpoints,
    "bedrock": _by_breakpoints,
    "gemini": _by_ends,
}
