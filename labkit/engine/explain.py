"""Where a distribution came from: the intent, the answer and the branches that were open.

>>> explain("What is an API?").intent
'api'
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from labkit.engine.base import O200K, Prompt, Turn
from labkit.engine.embedded import EmbeddedEngine
from labkit.tokens import encoding

SHOWN = 12


@dataclass(frozen=True, slots=True)
class Branch:
    """One token that the template allows next."""

    text: str
    """As it is printed; the end of the text is empty."""
    token: int
    probability: float
    """Within the template, before the background takes its share."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why these tokens, and not others."""

    intent: str
    example: str
    """The example prompt that the prompt was taken for."""
    score: float
    """How alike they are, 0 to 1; 0 when the fallback answers."""
    runners_up: tuple[tuple[str, float], ...]
    conditions: frozenset[str]
    """What holds of the conversation: "terse", "json", "after csv-read"."""
    slots: dict[str, str]
    source: str
    """File and line of the answer."""
    on_template: bool
    """False once the text has left the template: then the n-gram model speaks."""
    branches: tuple[Branch, ...]
    """Likeliest first."""


def explain(
    prompt: str | Prompt | Sequence[Turn], so_far: str = "", *, engine: EmbeddedEngine | None = None
) -> Explanation:
    """What the next token after `so_far` depends on."""
    engine = engine or _shipped()
    asked = _as_prompt(prompt)
    answer = engine.answer(asked)
    decoder = engine.open(asked)
    for token in engine.encode(so_far):
        decoder.advance(token)
    return Explanation(
        intent=answer.intent,
        example=answer.example,
        score=answer.score,
        runners_up=answer.runners_up,
        conditions=answer.conditions,
        slots=answer.slots,
        source=answer.source,
        on_template=decoder.state is not None,
        branches=_branches(decoder.state.branches() if decoder.state else dict(decoder.distribution().top(SHOWN))),
    )


def _branches(shares: dict[int, float]) -> tuple[Branch, ...]:
    ranked = sorted(shares.items(), key=lambda item: -item[1])[:SHOWN]
    text = encoding(O200K.encoding).decode
    return tuple(Branch("" if token == O200K.end else text([token]), token, p) for token, p in ranked)


def _as_prompt(prompt: str | Prompt | Sequence[Turn]) -> Prompt:
    if isinstance(prompt, Prompt):
        return prompt
    return Prompt((Turn("user", prompt),) if isinstance(prompt, str) else tuple(prompt))


@cache
def _shipped() -> EmbeddedEngine:
    return EmbeddedEngine()
