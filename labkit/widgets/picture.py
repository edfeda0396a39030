"""A `LensView` as PNG bytes, fast enough to follow a slider: one figure, kept and redrawn, no pyplot."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

from labkit.plots import theme
from labkit.plots.token_bars import ROW, WIDTH, next_token, printable
from labkit.plots.view import LensView

DPI = 130
"""Pixels an inch: crisp when shown at 100 CSS pixels an inch on most screens, still drawn in about 0.1 s."""
LABELS, BELOW, ABOVE = 1.35, 0.5, 0.62
"""Inches kept for the tokens' names, for the x axis, for caption and title. Fixed, so that bars do not jump."""


class LensPicture:
    """Draws views of the same number of rows into pictures of the same size.

    Args:
        rows: most rows that a view will have, the one for all other tokens included.
    """

    def __init__(self, rows: int) -> None:
        from matplotlib.figure import Figure

        self._rows = rows
        self.width, self.height = WIDTH, BELOW + ROW * rows
        with theme.style():
            self.figure = Figure(figsize=(self.width, self.height), dpi=DPI)

    def png(self, view: LensView, counts: Mapping[int, int], caption: str = "") -> bytes:
        """The picture; with a caption, that and the finding stand above the bars."""
        figure, above = self.figure, ABOVE if caption else 0.05
        with theme.style():
            figure.clear()
            figure.set_size_inches(self.width, self.height + above)
            left, bottom = LABELS / self.width, BELOW / figure.get_figheight()
            box = (left, bottom, 0.985 - left, 1 - bottom - above / figure.get_figheight())
            next_token(view, figure.add_axes(box), counts=counts, title=bool(caption), room=self._rows)
            if caption:
                top = 1 - 0.08 / figure.get_figheight()
                figure.text(left, top, printable(caption), va="top", fontsize=9, color=theme.MUTED, parse_math=False)
            target = BytesIO()
            figure.savefig(target, format="png", pil_kwargs={"compress_level": 1})
        return target.getvalue()
