"""What a sweep may cost, before it is run, and whether its user agrees."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass

from labkit import notebook
from labkit.errors import LabkitError, UserError
from labkit.experiments.grid import Cell

ASK_ABOVE_USD = 0.50
"""Live money that a sweep may cost at most without a question."""


class NotConfirmed(LabkitError):
    """The sweep may cost more than its user has agreed to. Nothing was sent. `estimate` has the figures."""

    exit_code = 2

    def __init__(self, message: str, estimate: Estimate) -> None:
        super().__init__(message)
        self.estimate = estimate


@dataclass(frozen=True, slots=True)
class Estimate:
    """The most that a sweep can cost: every answer as long as max_tokens allows, nothing from a prompt cache.

    What a `Judge` will cost is not in it: that depends on the answers.
    """

    calls: int
    """Cells that are not on disk yet."""
    reused: int
    """Cells that are."""
    most_usd: float
    """Of the calls whose price is known."""
    live_usd: float
    """The part of it that goes to real services."""
    unpriced: tuple[str, ...] = ()
    """Models that no price is known for."""

    def __str__(self) -> str:
        reused = f", {self.reused:,} more are there already" if self.reused else ""
        unknown = f"; no price is known for {', '.join(self.unpriced)}" if self.unpriced else ""
        where = "" if self.live_usd else " at list prices, and nothing is charged: the lab answers"
        return f"{self.calls:,} calls, at most ${self.most_usd:,.4f}{where}{reused}{unknown}."


def estimate(missing: Iterable[Cell], *, reused: int) -> Estimate:
    """Add up the cells that would be sent."""
    calls, most, live = 0, 0.0, 0.0
    unpriced: dict[str, None] = {}
    for cell in missing:
        calls += 1
        try:
            cost = cell.client.estimate(cell.prompt.messages, **cell.params)
        except UserError:
            unpriced[cell.client.model] = None
            continue
        most += cost
        live += cost if cell.client.line.mode(cell.client.model) == "live" else 0.0
    return Estimate(calls, reused, most, live, tuple(unpriced))


def agree(found: Estimate, *, above: float | None) -> None:
    """Ask the user, when the sweep may cost more than `above`: of live money, `ASK_ABOVE_USD` when it is None.

    Raises:
        NotConfirmed: the user said no, or nobody is there to ask.
    """
    at_stake, limit = (found.live_usd, ASK_ABOVE_USD) if above is None else (found.most_usd, above)
    if at_stake <= limit:
        return
    said = f"This sweep makes {found}"
    if not _interactive():
        raise NotConfirmed(
            f"{said} That is above ${limit:g} and nobody is there to ask: pass yes=True (--yes), or a higher "
            "confirm_above.",
            found,
        )
    try:
        answer = input(f"{said} Go on? [y/N] ")
    except (EOFError, RuntimeError) as error:  # a kernel whose frontend takes no input raises a RuntimeError
        raise NotConfirmed(f"{said} Nobody answered: pass yes=True to go on.", found) from error
    if answer.strip().lower() not in ("y", "yes"):
        raise NotConfirmed(f"{said} Not confirmed, so nothing was sent.", found)


def _interactive() -> bool:
    shell = notebook.shell()
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        return bool(getattr(kernel, "_allow_stdin", False))
    return sys.stdin is not None and sys.stdin.isatty()
