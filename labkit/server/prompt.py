"""A prompt as the model reads it: blocks in order, their tokens, and where a cache may cut.

The rendered prompt is the one source of the input token count: what is billed, limited, counted by a count endpoint
and kept by a prompt cache are prefixes of the same list.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from labkit import tokens
from labkit.registry import Model

FRAME = 4
"""Tokens around each message: 3, and its role, whose name is one token. OpenAI's published framing."""
PRIMING = 3
"""Tokens that begin the reply."""
FRAME_IDS = {"tools": -2, "system": -3, "user": -4, "assistant": -5, "tool": -6}
"""Stand-ins for the special tokens of a message's frame, apart from any text token and from each other."""
REPLY_ID = -1
SHORT_TEXT = 4_000
"""Characters of a block whose tokens are kept for long."""


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a prompt: tools, a system block, a message's content block."""

    role: str
    text: str
    opens: bool = True
    """Begins a new message, and so pays for its frame."""
    name: str | None = None
    ttl: float | None = None
    """A cache breakpoint at its end, kept for so many lab seconds."""
    extra_tokens: int = 0
    """Tokens that no text stands for: an image's."""
    alt: str = ""
    """What the engine reads in place of what is no text."""

    @property
    def said(self) -> str:
        """The text as the engine reads it."""
        return self.alt or self.text


@dataclass(frozen=True, slots=True)
class Rendered:
    """Token ids of a whole prompt, and the index at which each block ends."""

    ids: array[int]
    ends: tuple[int, ...]
    breakpoints: tuple[tuple[int, float], ...]
    """(end index, lab seconds to live), in order."""

    def __len__(self) -> int:
        return len(self.ids)

    def digests(self, cuts: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        """(cut, digest of everything before it) for rising cuts, in one pass."""
        running, done = hashlib.blake2b(digest_size=16), 0
        for cut in cuts:
            running.update(self.ids[done:cut].tobytes())
            done = cut
            yield cut, running.digest()


def render(blocks: Iterable[Block], model: Model) -> Rendered:
    """Lay out the blocks: 4 tokens a message, 1 and the name if it has one, the text; 3 at the end for the reply."""
    ids: array[int] = array("i")
    ends: list[int] = []
    breakpoints: list[tuple[int, float]] = []
    for block in blocks:
        frame = FRAME_IDS[block.role]
        if block.opens:
            ids.extend([frame] * FRAME)
        if block.name:
            ids.append(frame)
            ids.extend(_encode(block.name, model.encoding))
        ids.extend(_encode(block.text, model.encoding))
        ids.extend([frame] * block.extra_tokens)
        ends.append(len(ids))
        if block.ttl is not None:
            breakpoints.append((len(ids), block.ttl))
    ids.extend([REPLY_ID] * PRIMING)
    return Rendered(ids, tuple(ends), tuple(breakpoints))


def _encode(text: str, encoding: str) -> array[int]:
    return (_encode_short if len(text) <= SHORT_TEXT else _encode_long)(text, encoding)


def _encode_anew(text: str, encoding: str) -> array[int]:
    return array("i", tokens.encoding(encoding).encode_ordinary(text))


_encode_short = lru_cache(maxsize=2_048)(_encode_anew)
_encode_long = lru_cache(maxsize=16)(_encode_anew)
"""A conversation about a long document brings it again with every turn; a few such, since each may be a megabyte."""
