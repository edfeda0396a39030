"""Small pieces of HTML that quiz and wire share. They keep the page's own colours: light and dark both read."""

from __future__ import annotations

import re
from html import escape

TINT = "rgba(128, 128, 128, 0.12)"
LINE = "1px solid rgba(128, 128, 128, 0.35)"


def prose(text: str) -> str:
    """Escaped text in which `backticks` are code.

    >>> prose("`a < b` & c")
    '<code>a &lt; b</code> &amp; c'
    """
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


def plain(text: str) -> str:
    """The same text where only plain text can be shown."""
    return re.sub(r"`([^`]+)`", r"\1", text)


def block(text: str) -> str:
    """Preformatted text that wraps instead of running out of the page."""
    style = f"background: {TINT}; padding: 6px 8px; margin: 2px 0; white-space: pre-wrap; overflow-wrap: anywhere"
    return f'<pre style="{style}; line-height: 1.35">{escape(text, quote=False)}</pre>'


def folded(summary: str, content: str, *, opened: bool = False) -> str:
    """Content that opens on a click or on Enter, also on a page without a kernel. `summary` is text, `content` HTML."""
    state = " open" if opened else ""
    return f'<details{state}><summary style="cursor: pointer">{escape(summary)}</summary>{content}</details>'
