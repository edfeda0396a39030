"""Log-probabilities as OpenAI writes them, in chat completions and in responses alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from labkit import tokens
from labkit.engine.base import O200K
from labkit.server.generation import TokenScore

IMPOSSIBLE = -9999.0
"""What OpenAI writes for a token that cannot come."""


def scored_tokens(scores: Sequence[TokenScore]) -> list[dict[str, Any]]:
    """Each token with its log-probability, its bytes, and its alternatives."""
    return [
        {**_scored(s.id, s.logprob), "top_logprobs": [_scored(token, logprob) for token, logprob in s.top]}
        for s in scores
    ]


def _scored(token: int, logprob: float) -> dict[str, Any]:
    raw = token_bytes(token)
    shown = logprob if logprob > -math.inf else IMPOSSIBLE
    return {"token": raw.decode("utf-8", "backslashreplace"), "logprob": shown, "bytes": list(raw)}


def token_bytes(token: int) -> bytes:
    """A token's bytes; the end of the text is written as o200k_base writes it."""
    return tokens.encoding(O200K.encoding).decode_single_token_bytes(token) if token < O200K.size else b"<|endoftext|>"
