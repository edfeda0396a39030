"""The distribution that the lab's model samples from, exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.session import current

if TYPE_CHECKING:
    from labkit.sampling import Distribution

PEAKS = 2_000
"""How many listed tokens of a distribution are fetched: the most that the server sends."""


@dataclass(frozen=True, slots=True)
class TokenChance:
    """One candidate for the next token."""

    id: int
    text: str
    """As it would be appended; part of a character shows as U+FFFD."""
    p: float


@dataclass(frozen=True, slots=True)
class NextToken:
    """The model's own distribution over the next token: before temperature, top-p and all other parameters."""

    model: str
    tokens: tuple[TokenChance, ...]
    """Most probable first."""
    distribution: Distribution
    """The same over the whole vocabulary, for `labkit.sampling.shape`."""
    end: int
    """Token id that ends the answer."""

    def __repr__(self) -> str:
        rows = "\n".join(f"{t.p:8.4f}  {t.text!r}" for t in self.tokens[:10])
        return f"next token of {self.model}\n{rows}"


def distribution(
    prompt: str | Sequence[Mapping[str, str]],
    *,
    model: str | None = None,
    generated: str = "",
) -> NextToken:
    """The model's exact distribution over the next token of its answer.

    Args:
        prompt: the user's message, or a list of messages with "role" and "content".
        model: by default the course's model for sampling lessons.
        generated: what the answer says so far.

    Raises:
        ControlError: an unknown model, or messages that make no sense.
    """
    from labkit import registry
    from labkit.sampling import Distribution

    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else [dict(m) for m in prompt]
    asked = model or registry.model("openai", "sampling")
    body = {"model": asked, "messages": messages, "generated": generated, "top": PEAKS}
    answer = current().control("POST", "distribution", body=body)
    floor, vocab = answer["floor"], answer["vocab"]
    peaks = [TokenChance(t["id"], t["text"], t["p"]) for t in answer["tokens"] if t["p"] != floor]
    whole = Distribution.of({t.id: t.p for t in peaks}, floor=floor, vocab=vocab)
    return NextToken(answer["model"], tuple(peaks), whole, answer["end"])
