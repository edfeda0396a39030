"""A token as a reader can see it, and as the fonts at hand can draw it.

`visible` makes white space and control characters show: " the" is "␣the", a newline is "↵". `drawable` then replaces
what no installed font has (Korean or an emoji on a bare machine) by its code point, so that matplotlib neither warns
nor draws an empty box.
"""

from __future__ import annotations

import unicodedata

SIGNS = {" ": "␣", "\n": "↵", "\t": "⇥", "\r": "←"}
END = "⟨end⟩"
"""How the end-of-text token is shown."""


def visible(token: str | bytes, *, limit: int = 18) -> str:
    r"""The token with nothing invisible left in it, cut to `limit` characters.

    Args:
        token: its text, or its bytes: a token may be a part of a character.

    >>> visible(" the"), visible("\n\n"), visible("a\x00b"), visible(b"\xed\x95"), visible("\u200b")
    ('␣the', '↵↵', 'a\\x00b', '\\xed\\x95', '\\u200b')
    """
    text = token if isinstance(token, str) else _decoded(token)
    shown = "".join(_visible_character(c) for c in text)
    if text and unicodedata.combining(text[0]):
        shown = "◌" + shown  # a combining mark needs something to sit on
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def drawable(text: str, *, known: frozenset[int]) -> str:
    r"""`text` with every character outside the fonts' code points `known` written as \uXXXX.

    >>> drawable("a한", known=frozenset({97}))
    'a\\ud55c'
    """
    return "".join(c if ord(c) in known else escaped(c) for c in text)


def escaped(character: str) -> str:
    r"""A character as Python writes it: \x00, \u200b, \U0001f642."""
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _decoded(token: bytes) -> str:
    return token.decode("utf-8", errors="backslashreplace")


def _visible_character(c: str) -> str:
    if c in SIGNS:
        return SIGNS[c]
    hidden = unicodedata.category(c)[0] in "CZ"
    return escaped(c) if hidden else c
