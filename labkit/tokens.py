"""Exact token counts without a network.

tiktoken downloads its rank files unless `TIKTOKEN_CACHE_DIR` has them. litellm's wheel carries them under the names
that this cache expects, so pointing there is enough. litellm itself is not imported: that takes seconds.

Counts are exact for OpenAI's models. Anthropic's and Google's tokenizers are not public: there the same count is an
estimate (`Model.exact_tokens` is False), and the lab server, which has one tokenizer, agrees with it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from labkit import registry

if TYPE_CHECKING:
    import tiktoken

DEFAULT_ENCODING = "o200k_base"

TOKENS_PER_MESSAGE = 3
"""Chat framing of gpt-4o-class models; the role comes on top. Source: OpenAI's cookbook, "How to count tokens"."""
TOKENS_PER_NAME = 1
TOKENS_OF_PRIMING = 3
"""The beginning of the answer, <|im_start|>assistant<|im_sep|>, counts as prompt."""

Message = tuple[str, str] | tuple[str, str, str]
"""(role, text) or (role, text, name)."""


@cache
def encoding(name: str = DEFAULT_ENCODING) -> tiktoken.Encoding:
    """A tiktoken encoding, loaded once: 0.2 to 0.5 s the first time.

    Raises:
        ValueError: tiktoken has no encoding of that name.
    """
    use_shipped_ranks()
    import tiktoken

    return tiktoken.get_encoding(name)


def encode(text: str, model: str | None = None) -> list[int]:
    """Token ids. A text that spells a special token, such as "<|endoftext|>", is text like any other.

    >>> encode("hello world")
    [24912, 2375]
    """
    return encoding(encoding_name(model)).encode_ordinary(text)


def count(text: str, model: str | None = None) -> int:
    """How many tokens a text is, for a model id (any that `registry.find` knows) or by default o200k_base.

    Raises:
        registry.UnknownModel: no such model.
    """
    return len(encode(text, model))


def count_messages(messages: Iterable[Message], model: str | None = None) -> int:
    """Prompt tokens of a conversation: 3 a message, its role and its text, 1 more for a name and the name; 3 to prime
    the answer. OpenAI's own example comes to 19:

    >>> count_messages([("system", "You are a helpful assistant."), ("user", "Hello!")])
    19
    """
    total = TOKENS_OF_PRIMING
    for role, text, *name in messages:
        total += TOKENS_PER_MESSAGE + count(role, model) + count(text, model)
        total += sum(TOKENS_PER_NAME + count(n, model) for n in name)
    return total


def encoding_name(model: str | None) -> str:
    """The encoding that counts for a model. (tiktoken's own table ends before GPT-6.)"""
    return registry.find(model).encoding if model else DEFAULT_ENCODING


def use_shipped_ranks() -> None:
    """Let tiktoken read the rank files in litellm's wheel, unless the user has set a cache of their own."""
    if "TIKTOKEN_CACHE_DIR" in os.environ or "DATA_GYM_CACHE_DIR" in os.environ:
        return
    spec = find_spec("litellm")  # finds, does not import
    if spec is None or spec.origin is None:
        return
    ranks = Path(spec.origin).parent / "litellm_core_utils" / "tokenizers"
    if ranks.is_dir():
        os.environ["TIKTOKEN_CACHE_DIR"] = str(ranks)
