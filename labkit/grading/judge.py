"""Grade submissions one after the other, with a lab server and a warm process that stay.

The checks run here, outside of the sandbox: the student's process gets one call at a time and sends back JSON, and what
it did is read in the lab server's journal with the admin key. While checks run, the submission's tenant is locked, so
that its code cannot lift its own limits or clear its own journal.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from labkit import __version__
from labkit.errors import ServerError
from labkit.grading.closing import Closing
from labkit.grading.job import Job
from labkit.grading.journal import Journal
from labkit.grading.labserver import KeysUsedUp, LabServer
from labkit.grading.results import BROKEN, CellResult, SubmissionResult
from labkit.grading.run import run_task
from labkit.grading.sandbox.forkserver import MODULES, ForkServer
from labkit.grading.sandbox.limits import Limits
from labkit.grading.sandbox.spare import SpareServer
from labkit.grading.sandbox.tiers import Tier
from labkit.grading.scratch import Scratch, remove_leftovers
from labkit.grading.sitting import Sitting
from labkit.grading.tasks import Task, load_tasks

FORKS = hasattr(os, "pidfd_open")
"""Linux. Elsewhere a process that has loaded half the SDKs cannot be forked safely, or not at all."""
ATTEMPTS = 3
"""How often a submission is tried when the grader's own parts fail."""


class Judge(Closing):
    """A lab server, a warm process, and the checks. Use it in a `with`.

    Args:
        number: tells apart the users that submissions of several judges on one machine run as.
        modules: what the warm process imports.
        forks: whether submissions are forks of one process, or each has one that waits for it.
    """

    def __init__(
        self, tier: Tier, *, number: int = 0, modules: Sequence[str] = MODULES, forks: bool = FORKS
    ) -> None:
        self._tier, self._number, self._modules, self._forks = tier, number, modules, forks
        remove_leftovers()
        self._folder = Scratch("checks")
        self._tasks: dict[str, dict[str, Task]] = {}
        self._server: LabServer | None = None
        self._warm: ForkServer | SpareServer | None = None

    def grade(self, job: Job) -> SubmissionResult:
        """The result of one submission. What fails is the student's, or it is tried again with new parts."""
        if job.refusal:
            return job.result(refusal=job.refusal)
        trouble = ""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return replace(self._grade(job), attempts=attempt)
            except KeysUsedUp:
                self._discard()
            except ServerError as error:
                trouble = str(error)
                self._discard()
        refusal = f"it could not be graded: the grader's own parts failed {ATTEMPTS} times ({trouble})"
        return job.result(refusal=refusal, attempts=ATTEMPTS, sandbox=str(self._tier))

    def warm_up(self, limits: Limits) -> None:
        """Start the parts, so that the first submission need not wait."""
        self._parts(limits)

    def close(self) -> None:
        """End the lab server and the warm process."""
        self._discard()
        self._folder.close()

    def _grade(self, job: Job) -> SubmissionResult:
        started, begun = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
        server, warm = self._parts(job.limits)
        key = server.new_key()
        with server.journal(key) as journal:
            sitting = Sitting(
                warm,
                job.cells,
                server.environment(key),
                before_replay=lambda: _unlock(journal),
                after_replay=lambda: _lock(journal, job.seed),
            )
            try:
                cells = sitting.run_cells()
                _begin_checks(journal, job.seed)
                tasks = [run_task(task, sitting, journal, job.seed) for task in self._load(job).values()]
            finally:
                sitting.close()
            journal.control("POST", "reset")
        return job.result(
            tasks=tuple(tasks),
            cells=tuple(cells),
            sandbox=str(self._tier),
            started=started,
            seconds=round(time.monotonic() - begun, 3),
            restarts=sitting.restarts,
            versions={**warm.versions, "labkit": __version__},
            notes=(*job.notes, *_broken(job, cells)),
        )

    def _parts(self, limits: Limits) -> tuple[LabServer, ForkServer | SpareServer]:
        if self._warm is not None and self._warm.limits != limits:
            self._discard()
        if self._server is None:
            self._server = LabServer()
        if self._warm is None and not self._forks:
            self._warm = SpareServer(limits, modules=self._modules)
        if self._warm is None:
            self._warm = ForkServer(
                self._tier,
                limits,
                port=self._server.port,
                number=self._number,
                modules=self._modules,
                rehearsal=self._server.environment(self._server.new_key()),
            )
        return self._server, self._warm

    def _discard(self) -> None:
        warm, server, self._warm, self._server = self._warm, self._server, None, None
        for part in (warm, server):
            if part is not None:
                part.close()

    def _load(self, job: Job) -> dict[str, Task]:
        digest = hashlib.sha256(job.checks.encode()).hexdigest()
        if digest not in self._tasks:
            folder = self._folder.path / digest
            folder.mkdir()
            path = folder / f"ex{job.exercise}.py"
            path.write_text(job.checks, encoding="utf-8")
            self._tasks[digest] = load_tasks(path).tasks
        return self._tasks[digest]


def _broken(job: Job, cells: Sequence[CellResult]) -> Iterator[str]:
    """The exercise's own cells that failed: the student's doing, or this machine's; a person has to look."""
    given = {cell.id for cell in job.cells if cell.given}
    for cell in cells:
        if cell.id in given and cell.outcome not in ("ok", "skipped"):
            yield f"{BROKEN}{cell.id} ({cell.error or cell.outcome})"


def _begin_checks(journal: Journal, seed: int) -> None:
    """Whatever the cells did to the tenant is gone, and nothing can be done to it from now on but requests."""
    journal.control("POST", "reset", {"settings": True})
    _lock(journal, seed)


def _lock(journal: Journal, seed: int) -> None:
    journal.control("POST", "tenant", {"seed": seed, "locked": True})


def _unlock(journal: Journal) -> None:
    journal.control("POST", "tenant", {"locked": False})
