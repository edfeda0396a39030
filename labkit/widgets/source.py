"""Where the lens gets a next-token distribution: from the lab server exactly, from a live API as far as it tells.

The lab server gives its whole distribution. OpenAI's API gives the 20 most probable tokens; what is left is known only
as a sum, and is spread here evenly over the rest of the vocabulary. Anthropic and Gemini give nothing of the kind.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labkit import lab, registry
from labkit.errors import SettingsError
from labkit.lab import NextToken, TokenChance
from labkit.sampling import Distribution
from labkit.session import current

if TYPE_CHECKING:
    from openai import OpenAI

MOST_LOGPROBS = 20
"""The largest `top_logprobs` that OpenAI's chat API takes."""

Messages = Sequence[Mapping[str, str]]
Source = Callable[[str], NextToken]
"""From the answer so far to the distribution over its next token."""


def source_for(model: registry.Model, messages: Messages) -> Source:
    """The right source for a model in this session.

    Raises:
        SettingsError: the model's provider is live and does not show its distribution.
        NotStarted: no session.
    """
    if model.provider not in current().live:
        return lambda written: lab.distribution(messages, model=model.id, generated=written)
    if not model.logprobs:
        raise SettingsError(
            f"{model.provider} is live, and its API shows no distribution for {model.id}: "
            "start without it in `live`, or take an OpenAI model."
        )
    from openai import OpenAI

    return lambda written: first_token(OpenAI(), model, messages, written)


def first_token(client: OpenAI, model: registry.Model, messages: Messages, written: str = "") -> NextToken:
    """The distribution over the first token of an answer, by one call for one token with logprobs.

    Raises:
        SettingsError: `written` is not empty. The chat API cannot be asked to go on with a given beginning.
    """
    if written:
        raise SettingsError("OpenAI's chat API continues no given beginning: live, the lens shows first tokens only.")
    effort: dict[str, Any] = {"reasoning_effort": "none"} if "none" in model.efforts else {}
    answer = client.chat.completions.create(
        model=model.id,
        messages=[dict(m) for m in messages],  # type: ignore[misc]  # the SDK types each role apart
        max_completion_tokens=1,
        logprobs=True,
        top_logprobs=MOST_LOGPROBS,
        **effort,
    )
    content = answer.choices[0].logprobs.content if answer.choices[0].logprobs else None
    if not content:
        raise SettingsError(f"{model.id} answered without logprobs: the lens has nothing to show.")
    return from_logprobs(model, [(bytes(t.bytes or []), t.logprob) for t in content[0].top_logprobs])


def from_logprobs(model: registry.Model, listed: Sequence[tuple[bytes, float]]) -> NextToken:
    """A distribution from (token bytes, natural log of its probability); what is missing to 1 becomes a level floor."""
    from labkit import tokens

    encoding = tokens.encoding(model.encoding)
    vocab, end = encoding.max_token_value + 1, encoding.eot_token
    known = {encoding.encode_single_token(raw): (raw, math.exp(logprob)) for raw, logprob in listed}
    left = max(0.0, 1.0 - math.fsum(p for _, p in known.values()))
    chances = tuple(TokenChance(i, raw.decode("utf-8", "replace"), p) for i, (raw, p) in known.items())
    floor = left / (vocab - len(known))
    return NextToken(model.id, chances, Distribution.of({c.id: c.p for c in chances}, floor=floor, vocab=vocab), end)


def conversation(prompt: str | Messages, system: str | None) -> list[dict[str, str]]:
    """Messages as the chat APIs take them, from a user's text or from messages, with a system text before them."""
    turns = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else [dict(m) for m in prompt]
    return [{"role": "system", "content": system}, *turns] if system else turns
