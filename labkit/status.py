"""The status table: which provider is local and which is live, where it points, with which key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

COLUMNS = ("provider", "mode", "base URL", "default model", "key")
BORDER = "1px solid rgba(128, 128, 128, 0.35)"
LIVE_MARK = "border-left: 3px solid #d9822b"
"""An orange edge says that a row costs money. It reads on light and on dark."""

BETWEEN_WORDS = "<style>.jp-OutputArea-output pre { word-break: normal; overflow-wrap: anywhere }</style>"
"""JupyterLab breaks a long printed line anywhere, within words too. The status stands first on each page: it says how
all printed lines of that page wrap."""


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """One row."""

    provider: str
    """As the provider writes its name."""
    live: bool
    base_url: str
    model: str
    """Id of the small model that the course uses by default."""
    key: str
    """Masked."""

    def cells(self) -> tuple[str, ...]:
        return (self.provider, "live" if self.live else "local", self.base_url, self.model, self.key)


@dataclass(frozen=True, slots=True)
class StatusTable:
    """What a session points at. Shows itself as HTML in a notebook and as plain text elsewhere."""

    rows: Sequence[ProviderStatus]
    footer: str
    """One line: server, seed, version, source of the prices."""
    notices: Sequence[str] = ()

    def __str__(self) -> str:
        table = [COLUMNS, *(row.cells() for row in self.rows)]
        widths = [max(len(line[i]) for line in table) for i in range(len(COLUMNS))]
        padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in table]
        return "\n".join([*("  ".join(line).rstrip() for line in padded), self.footer, *self.notices])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(f'<th style="text-align: left; padding: 2px 12px 2px 8px">{name}</th>' for name in COLUMNS)
        body = "".join(_html_row(row) for row in self.rows)
        notes = "".join(f"<div><strong>{escape(notice)}</strong></div>" for notice in self.notices)
        return (
            f'{BETWEEN_WORDS}<table style="border-collapse: collapse; border: {BORDER}"><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table>"
            f'<div style="opacity: 0.75; margin-top: 4px">{escape(self.footer)}</div>{notes}'
        )


def _html_row(row: ProviderStatus) -> str:
    mark = f"; {LIVE_MARK}" if row.live else ""
    cell = f'<td style="text-align: left; padding: 2px 12px 2px 8px; border-top: {BORDER}'
    first, *others = row.cells()
    cells = [f'{cell}{mark}">{escape(first)}</td>', *(f'{cell}">{_code(text)}</td>' for text in others)]
    return f"<tr>{''.join(cells)}</tr>"


def _code(text: str) -> str:
    return text if text in ("live", "local") else f"<code>{escape(text)}</code>"
