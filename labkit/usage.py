"""Tokens of one or more calls, in the one way that every provider's own accounting converts to."""

from __future__ import annotations

from dataclasses import astuple, dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """What was read and written, in tokens. Each prompt token is in exactly one of the first four fields.

    OpenAI and Gemini report a prompt count that includes cached tokens, Anthropic one that excludes them; the adapters
    bring both to this.

    >>> Usage(input=10, cached=90, output=5).prompt
    100
    """

    input: int = 0
    """Prompt tokens charged at the full rate: excludes cached and written ones."""
    cached: int = 0
    """Prompt tokens read from a prompt cache."""
    cache_write: int = 0
    """Prompt tokens written to a cache for its short time (5 or 30 minutes)."""
    cache_write_long: int = 0
    """Prompt tokens written to a cache for its long time (1 or 12 hours)."""
    output: int = 0
    """Generated tokens: includes reasoning ones."""
    reasoning: int = 0
    """The part of `output` that was not shown."""

    @property
    def prompt(self) -> int:
        """All prompt tokens, however charged."""
        return self.input + self.cached + self.cache_write + self.cache_write_long

    @property
    def total(self) -> int:
        """Prompt and output."""
        return self.prompt + self.output

    def __add__(self, other: Usage) -> Usage:
        if not isinstance(other, Usage):
            return NotImplemented
        return Usage(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __radd__(self, other: int) -> Usage:
        """`sum(usages)` starts from 0."""
        return self if other == 0 else NotImplemented
