"""Small pieces of HTML that quiz and wire share, and what a notebook shows where no kernel runs.

The pieces keep the page's own colours, so they read on light and on dark.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from html import escape
from typing import Any

TINT = "rgba(128, 128, 128, 0.12)"
LINE = "1px solid rgba(128, 128, 128, 0.35)"
WIDGET = "application/vnd.jupyter.widget-view+json"


def prose(text: str) -> str:
    """Escaped text in which `backticks` are code.

    >>> prose("`a < b` & c")
    '<code>a &lt; b</code> &amp; c'
    """
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


def plain(text: str) -> str:
    """The same text where only plain text can be shown."""
    return re.sub(r"`([^`]+)`", r"\1", text)


def shown(text: str) -> str:
    """Escaped text in which a dollar sign is one: a page that shows HTML sets what stands between two as a formula.

    >>> shown("$5 < $6")
    '<span>$</span>5 &lt; <span>$</span>6'
    """
    return escape(text, quote=False).replace("$", "<span>$</span>")


def block(text: str) -> str:
    """Preformatted text that wraps instead of running out of the page, between words where there is a space.

    JupyterLab breaks what stands in a `pre` anywhere (`word-break: break-all`), hence the style that says otherwise.
    """
    wrapping = "white-space: pre-wrap; word-break: normal; overflow-wrap: anywhere"
    style = f"background: {TINT}; padding: 6px 8px; margin: 2px 0; {wrapping}; line-height: 1.35"
    return f'<pre style="{style}">{escape(text, quote=False)}</pre>'


def folded(summary: str, content: str, *, opened: bool = False) -> str:
    """Content that opens on a click or on Enter, also on a page without a kernel. `summary` is text, `content` HTML."""
    state = " open" if opened else ""
    return f'<details{state}><summary style="cursor: pointer">{escape(summary)}</summary>{content}</details>'


def still(notebook: MutableMapping[str, Any]) -> int:
    """Take the live widgets out of a run notebook's outputs where a picture or a text stands beside them; how many.

    A saved widget needs its kernel: reopened without one, JupyterLab shows "Error displaying widget" and not the
    picture that the same output carries. So notebooks are saved for reading without the widget and its state.
    """
    taken = 0
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if WIDGET in data and set(data) - {WIDGET, "text/plain"}:
                del data[WIDGET]
                taken += 1
    if taken:
        notebook["metadata"].pop("widgets", None)
    return taken
