"""`lk.sweep`: prompts x models x parameters x repeats, to a table.

    answers = lk.sweep(["What is an API?", "Tell me a story."], models=[a, b], temperature=[0, 0.5, 1], repeats=5)
    answers.groupby(["model", "temperature"])["output"].mean()

Run it again and it pays for what is missing only: finished cells lie on disk under the sweep's name. `Sweep` is the
same in steps: look at the estimate first, run it, read the table of what there is.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from labkit.experiments import money, runner, table
from labkit.experiments.grid import Grid, Prompts, grid
from labkit.experiments.models import Models
from labkit.experiments.models import clients as asked
from labkit.experiments.progress import Bar, watched
from labkit.experiments.runner import Run
from labkit.experiments.store import Store
from labkit.session import current

if TYPE_CHECKING:
    import pandas as pd

    from labkit.budget import Budget
    from labkit.metrics.table import Metrics
    from labkit.pacing import Pacer
    from labkit.structured import Schema

CONCURRENCY = 32
"""Calls under way at most, unless the limits are known to allow fewer."""
FOLDER = "sweeps"


class SweepStopped(UserWarning):
    """A sweep ended before its last cell. The table has what is done."""


class SweepParams(TypedDict, total=False):
    """What a sweep passes to its calls; a list makes an axis. See `labkit.chat.ChatRequest` for each."""

    system: str | None | Sequence[str | None]
    temperature: float | None | Sequence[float | None]
    top_p: float | None | Sequence[float | None]
    top_k: int | None | Sequence[int | None]
    max_tokens: int | Sequence[int]
    effort: str | None | Sequence[str | None]
    stop: str | tuple[str, ...]
    schema: Schema
    extra: dict[str, Any]


class Sweep:
    """Prompts x models x parameters x repeats. Nothing is sent before `run`."""

    def __init__(
        self,
        prompts: Prompts,
        models: Models | None = None,
        *,
        repeats: int = 1,
        seed: int | None = 0,
        epoch: int = 0,
        stream: bool = False,
        drop_unsupported: bool = False,
        budget: Budget | float | None = None,
        concurrency: int = CONCURRENCY,
        pacer: Pacer | None = None,
        name: str | None = None,
        folder: str | Path | None = None,
        metrics: Metrics | None = None,
        **params: Unpack[SweepParams],
    ) -> None:
        """
        Args:
            prompts: texts or lists of messages; a mapping names them.
            models: by default the course's model of OpenAI that takes sampling parameters.
            repeats: answers a cell of the grid.
            seed: each repeat gets a seed of its own made from it, where the provider takes one; None sends none.
            epoch: another number asks everything anew.
            stream: measures the time to the first token.
            drop_unsupported: leave out a parameter that a model refuses, and say so in `notes`; otherwise such a cell
                has an error and is not sent.
            budget: USD; the sweep stops before it could pass it, and keeps what it has.
            concurrency: calls under way at most, waiting ones included.
            pacer: keeps the calls below the providers' limits; by default one that learns them from the answers.
            name: of the file with the finished cells; by default made from what is asked.
            folder: where that file lies; by default `sweeps` in labkit's state folder.
            metrics: columns to add, as `lk.metrics.measure` takes them: "words", "distinct_2", functions, a `Judge`.
            params: of the calls; a list is an axis of the grid.

        Raises:
            UserError: something that cannot be asked.
        """
        clients = asked(models, drop_unsupported=drop_unsupported, budget=budget, pacer=pacer)
        self.grid: Grid = grid(
            prompts, clients, params, repeats=repeats, seed=seed, epoch=epoch, stream=stream
        )
        self.concurrency = max(1, min(concurrency, len(self.grid)))
        self._metrics = metrics
        self.name = name or _digest(self.grid)
        self.path = _folder(folder) / f"{_file_name(self.name)}.jsonl"

    def __repr__(self) -> str:
        models = ", ".join(client.model for client in self.grid.clients)
        return f"<sweep {self.name}: {len(self.grid):,} cells of {models}>"

    def estimate(self) -> money.Estimate:
        """The most that the missing cells can cost. Sends nothing."""
        with Store(self.path) as store:
            return self._estimate(self._begin(store))

    def run(
        self, *, yes: bool = False, confirm_above: float | None = None, progress: bool | None = None
    ) -> pd.DataFrame:
        """Ask what is missing; the table of all that there is.

        Works in a notebook cell and in a script alike: the calls run on an event loop in a thread of their own. Ctrl-C
        lets the calls under way finish and returns what is there; a second one ends them.

        Args:
            yes: do not ask, whatever it may cost.
            confirm_above: ask when the sweep may cost more than this, in USD; by default 0.50 of live money.
            progress: show a bar; by default where somebody is looking.

        Raises:
            NotConfirmed: it may cost more, and nobody agreed. Nothing was sent.
            UserError: another process runs this sweep.
            NotStarted: no session.
        """
        with Store(self.path) as store:
            return self._measured(self._asked(store, yes=yes, confirm_above=confirm_above, progress=progress))

    def fill(
        self, *, yes: bool = False, confirm_above: float | None = None, progress: bool | None = None
    ) -> runner.Tally:
        """The same as `run`, without a table: what is asked goes to the disk, and memory stays flat however long it
        takes. `frame` reads it, or any program that reads lines of JSON.
        """
        with Store(self.path) as store:
            return self._asked(store, yes=yes, confirm_above=confirm_above, progress=progress).tally

    def frame(self) -> pd.DataFrame:
        """The table of what is on disk. Sends nothing."""
        with Store(self.path) as store:
            return self._measured(self._begin(store))

    def _asked(
        self, store: Store, *, yes: bool, confirm_above: float | None, progress: bool | None
    ) -> Run:
        current()
        run = self._begin(store)
        live = any(client.line.mode(client.model) == "live" for client in self.grid.clients)
        if not yes and (live or confirm_above is not None):
            money.agree(self._estimate(run), above=confirm_above)
        with Bar(run.tally, shown=progress) as bar:
            watched(run, bar)
        if run.tally.stopped:
            warnings.warn(_stopped(run), SweepStopped, stacklevel=4)
        return run

    def _measured(self, run: Run) -> pd.DataFrame:
        found = table.frame(run, self.name)
        if self._metrics is None:
            return found
        from labkit.metrics import measure

        return measure(found, self._metrics)

    def _begin(self, store: Store) -> Run:
        return Run(self.grid, store, self.concurrency, tag=f"sweep:{self.name}")

    def _estimate(self, run: Run) -> money.Estimate:
        return money.estimate(run.missing(), reused=len(run.before))


def sweep(
    prompts: Prompts,
    models: Models | None = None,
    *,
    yes: bool = False,
    confirm_above: float | None = None,
    progress: bool | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Ask every prompt of every model with every combination of parameters, `repeats` times; a table, one row a cell.

    Args:
        options: what `Sweep` takes: parameters (a list makes an axis), repeats, seed, budget, name, ...
        yes, confirm_above, progress: what `Sweep.run` takes.

    Returns:
        Columns: prompt_id, prompt, provider, model, the parameters, repeat, seed; text, parsed, finish_reason, tokens
        as in `labkit.usage.Usage`, cost_usd, latency_s, ttft_s, retries; reused (it was on disk), error, notes.
        `attrs` says what was spent, what failed, and why it was stopped, if it was.

    Raises:
        What `Sweep` and `Sweep.run` raise.
    """
    planned = Sweep(prompts, models, **options)
    return planned.run(yes=yes, confirm_above=confirm_above, progress=progress)


def _stopped(run: Run) -> str:
    done, total = run.tally.done, run.tally.total
    why = run.tally.stopped.rstrip(".")
    return f"The sweep stopped after {done:,} of {total:,} cells: {why}. Run it again to go on with the others."


def _folder(given: str | Path | None) -> Path:
    if given is not None:
        return Path(given)
    from labkit import settings
    from labkit.state import state_folder

    return state_folder(settings.load().home).path / FOLDER


def _file_name(name: str) -> str:
    """A sweep's name as every file system takes it.

    >>> _file_name("temperature: first try")
    'temperature-first-try'
    """
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "sweep"


def _digest(asked: Grid) -> str:
    """A name for a sweep that was given none: the same question has the same name."""
    prompts = [repr(prompt.messages) for prompt in asked.prompts]
    whole = [prompts, list(map(repr, asked.clients)), repr(sorted(asked.axes.items())), repr(asked.fixed)]
    return f"sweep-{sha256(repr(whole).encode()).hexdigest()[:8]}"


