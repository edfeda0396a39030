"""One submission at work: its cells run once, its functions answer checks, and its process is replaced when it breaks.

A cell or a function that ends its process, or does not let itself be interrupted, costs what depends on it and nothing
else: a new process runs the other cells again and goes on. A function that broke its process once is not called again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast, get_args

from labkit.grading.refusals import short
from labkit.grading.results import CellResult
from labkit.grading.sandbox.channel import Gone, NoReply
from labkit.grading.sandbox.forkserver import ForkServer, Work
from labkit.grading.sandbox.limits import MIB
from labkit.grading.sandbox.spare import SpareServer, SpareWork
from labkit.grading.submitted import Runnable
from labkit.grading.workspace import Outcome, Step, Trouble

LONGEST_SENTENCE = 700
MOST_REFUSALS = 20
CELL_OUTCOMES = ("ok", "error", "time")


class Sitting:
    """Runs one submission. What the student's process says is checked for its form before anybody else sees it.

    Args:
        before_replay, after_replay: called around running the cells again, which may need what checks must not allow.
    """

    def __init__(
        self,
        server: ForkServer | SpareServer,
        cells: Sequence[Runnable],
        environment: Mapping[str, str],
        *,
        before_replay: Callable[[], None],
        after_replay: Callable[[], None],
    ) -> None:
        self._server, self._cells, self._environment = server, cells, environment
        self._before, self._after = before_replay, after_replay
        self._limits = server.limits
        self._deadline = time.monotonic() + self._limits.total_seconds
        self._work: Work | SpareWork | None = None
        self._starts = 0
        self._broken_cells: set[int] = set()
        """Indices of cells that are not run again."""
        self._broken_names: dict[str, Outcome] = {}
        self._made: list[tuple[int, int]] = []
        """Objects by the number that checks know: which process has them, and its own number for them."""

    @property
    def restarts(self) -> int:
        return max(self._starts - 1, 0)

    def run_cells(self) -> list[CellResult]:
        """Run every cell, in order.

        Raises:
            SandboxFailed: the grader's own trouble.
        """
        return [self._run_cell(index) for index in range(len(self._cells))]

    def ready(self) -> None:
        """Have a process in which every cell that can run has run.

        Raises:
            SandboxFailed: the grader's own trouble.
        """
        if self._work is None and self._may_start():
            self._before()
            self._replay(len(self._cells))
            self._after()

    def run(self, step: Step) -> Outcome:
        """One step of a check, as `labkit.grading.workspace.Workspace.run`."""
        name = step["name"]
        if name in self._broken_names:
            return self._broken_names[name]
        if (left := self._left()) <= 0:
            total = f"{self._limits.total_seconds:g} seconds"
            return _trouble("time", f"The {total} for the whole submission were used up.")
        self.ready()
        if self._work is None:
            return _trouble("raised", "The process had been ended too often, so nothing more was run.")
        owner = step.get("on")
        if owner is not None and self._made[owner][0] != self._starts:
            return _trouble("missing", f"The object with `{name}` was lost when its process ended.")
        seconds = min(step.get("seconds", 5.0), left)
        message: dict[str, Any] = {**step, "seconds": seconds}
        if owner is not None:
            message["on"] = self._made[owner][1]
        try:
            return self._checked(self._work.ask(message, seconds + self._limits.grace_seconds))
        except NoReply:
            self._end()
            sentence = f"`{name}` had not returned after {seconds:g} seconds and could not be interrupted."
            broken = _trouble("time", sentence)
        except Gone as gone:
            broken = _trouble("raised", f"`{name}` broke off: {self._why(gone)}.")
        self._broken_names[name] = broken
        return broken

    def close(self) -> None:
        """End the process, if there is one."""
        if self._work is not None:
            self._end()

    # --- cells ---

    def _run_cell(self, index: int) -> CellResult:
        cell = self._cells[index]
        if self._left() <= 0 or (self._work is None and not self._may_start()):
            return CellResult(cell.number, cell.id, "skipped", "the limits of the whole submission were reached")
        if self._work is None:
            self._replay(index)
        if self._work is None:
            return CellResult(cell.number, cell.id, "skipped", "an earlier cell ended the process again")
        begun = time.monotonic()
        seconds = max(min(self._limits.cell_seconds, self._left()), 0.1)
        output = self._work.output
        try:
            reply = self._work.ask({"do": "cell", "source": cell.source, "seconds": seconds}, seconds + self._grace)
            outcome, error = _cell_outcome(reply)
        except NoReply:
            self._end()
            outcome, error = "time", f"had not ended after {seconds:g} seconds and could not be interrupted"
        except Gone as gone:
            outcome, error = "died", self._why(gone)
        if outcome in ("time", "died"):
            self._broken_cells.add(index)
        if outcome == "time" and not error:
            error = f"had not ended after {seconds:g} seconds, so it was interrupted"
        took = round(time.monotonic() - begun, 3)
        return CellResult(cell.number, cell.id, outcome, error, output.take(), took)

    @property
    def _grace(self) -> float:
        return self._limits.grace_seconds

    def _replay(self, count: int) -> None:
        """A new process, in which the first `count` cells have run, but for those that broke one."""
        self._starts += 1
        self._work = self._server.open(self._environment)
        for index in range(count):
            if index in self._broken_cells:
                continue
            seconds = max(min(self._limits.cell_seconds, self._left()), 0.1)
            message = {"do": "cell", "source": self._cells[index].source, "seconds": seconds}
            try:
                self._work.ask(message, seconds + self._grace)
            except (NoReply, Gone):
                self._broken_cells.add(index)
                self._end()
                return
            finally:
                if self._work is not None:
                    self._work.output.take()

    # --- the process ---

    def _left(self) -> float:
        return self._deadline - time.monotonic()

    def _may_start(self) -> bool:
        return self._starts <= self._limits.restarts and self._left() > 0

    def _end(self) -> str:
        work, self._work = self._work, None
        return work.end() if work else ""

    def _why(self, gone: Gone) -> str:
        """End the process and say why it did not answer."""
        how = self._end()
        if how == "memory":
            return f"it used more than {self._limits.memory_bytes // MIB} MB of memory"
        if how == "processes":
            return f"it had more than {self._limits.processes} processes"
        return f"{gone} ({how})" if how.startswith("exit") else str(gone)

    # --- what came back ---

    def _checked(self, reply: dict[str, Any]) -> Outcome:
        """An outcome in the form that checks rely on.

        Raises:
            Gone: it has another form.
        """
        said = reply.get("refused", [])
        refused = [short(r) for r in said[:MOST_REFUSALS] if isinstance(r, str)] if isinstance(said, list) else []
        extra: Outcome = {"refused": refused} if refused else {}
        if "value" in reply:
            return {"value": reply["value"], **extra}
        made, trouble, sentence = reply.get("made"), reply.get("trouble"), reply.get("sentence")
        if isinstance(made, int):
            self._made.append((self._starts, made))
            return {"made": len(self._made) - 1, **extra}
        if trouble not in get_args(Trouble) or not isinstance(sentence, str):
            raise Gone("its process talked out of turn")
        return {"trouble": cast(Trouble, trouble), "sentence": short(sentence, LONGEST_SENTENCE), **extra}


def _cell_outcome(reply: dict[str, Any]) -> tuple[str, str]:
    outcome, error = reply.get("outcome"), reply.get("error")
    if outcome not in CELL_OUTCOMES or not isinstance(error, str):
        raise Gone("its process talked out of turn")
    return outcome, short(error)


def _trouble(trouble: Trouble, sentence: str) -> Outcome:
    return {"trouble": trouble, "sentence": sentence}
