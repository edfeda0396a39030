"""The field for a prompt, the same in every widget that asks something."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets


def prompt_field(value: str, *, rows: int) -> Any:
    """A text area as wide as the widget, with its label."""
    return widgets.Textarea(
        value,
        description="Prompt",
        placeholder="Ask something",
        rows=rows,
        layout={"width": "calc(100% - 8px)", "height": "auto"},
        style={"description_width": "60px"},
    )
