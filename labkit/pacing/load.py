"""What a call weighs under a provider's limits: estimated before it is sent, counted when its usage is known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from labkit.chat import ChatRequest
from labkit.usage import Usage

CHARACTERS_A_TOKEN = 4.0
"""Of English text; how far off that is for the texts at hand is learnt from each answer."""
TOKENS_A_CALL = 8.0
"""Roles and separators around the text."""
FIRST_CORRECTION = 1.25
"""Before the first answer the estimate errs on the safe side."""
FIRST_OUTPUT = 500.0
"""Tokens that an answer is expected to have before one has come."""
GAIN = 0.1
"""Weight of the newest answer in what is learnt."""
READS_ARE_NOT_LIMITED = frozenset({"anthropic", "bedrock"})
"""Providers whose token limits do not count prompt tokens that a cache held. Source: Anthropic's rate limit page."""
COUNT_THE_CAP = frozenset({"openai", "azure"})
"""Providers that count `max_tokens` when a call is admitted, not what it then writes. Source: OpenAI's rate limit
guide. The lab server counts what is written, so this holds for live calls only."""


class Load(NamedTuple):
    """Requests and tokens, of one call or of many."""

    requests: float = 0.0
    prompt: float = 0.0
    output: float = 0.0

    def of(self, subject: str) -> float:
        """As a limit on `subject` counts it: "requests", "tokens", "input-tokens" or "output-tokens".

        >>> Load(1, 100, 20).of("tokens")
        120
        """
        if subject == "requests":
            return self.requests
        if subject == "tokens":
            return self.prompt + self.output
        return self.prompt if subject == "input-tokens" else self.output

    def plus(self, other: Load) -> Load:
        return Load(self.requests + other.requests, self.prompt + other.prompt, self.output + other.output)

    def minus(self, other: Load) -> Load:
        return Load(self.requests - other.requests, self.prompt - other.prompt, self.output - other.output)


class Size(NamedTuple):
    """What is known of a call before it is sent, at next to no cost: nothing is tokenized here."""

    characters: int
    most_output: float
    """`max_tokens`; 0 for embeddings."""

    @classmethod
    def of_request(cls, request: ChatRequest) -> Size:
        characters = len(request.system or "") + sum(len(m.text) for m in request.messages)
        for tool in request.tools:
            characters += len(tool.name) + len(tool.description) + len(str(tool.parameters))
        return cls(characters + len(str(request.schema or "")), request.max_tokens)

    @classmethod
    def of_texts(cls, texts: Iterable[str]) -> Size:
        return cls(sum(map(len, texts)), 0)

    @property
    def guess(self) -> float:
        """Prompt tokens of plain English."""
        return self.characters / CHARACTERS_A_TOKEN + TOKENS_A_CALL


class Estimator:
    """Loads of one provider's model, corrected by each usage that comes back."""

    __slots__ = ("_correction", "_known", "_output", "_reads_count", "_whole_cap")

    def __init__(self, provider: str, *, live: bool) -> None:
        self._correction = FIRST_CORRECTION
        self._output = FIRST_OUTPUT
        self._known = False
        self._reads_count = provider not in READS_ARE_NOT_LIMITED
        self._whole_cap = live and provider in COUNT_THE_CAP

    def expected(self, size: Size) -> Load:
        output = size.most_output if self._whole_cap else min(size.most_output, self._output)
        return Load(1.0, size.guess * self._correction, output)

    def counted(self, size: Size, usage: Usage) -> Load:
        """What the call turned out to weigh; the next estimates are nearer for it."""
        prompt = usage.prompt if self._reads_count else usage.prompt - usage.cached
        gain = GAIN if self._known else 1.0
        self._known = True
        self._correction += gain * (usage.prompt / size.guess - self._correction)
        self._output += gain * (usage.output - self._output) if size.most_output else 0.0
        return Load(1.0, float(prompt), size.most_output if self._whole_cap else float(usage.output))
