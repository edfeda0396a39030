"""Grade a folder of submissions: plan the jobs, share them out to grader processes, write each result as it comes.

    run = grade(Path("submitted"), Path("grades"), course=Path("."))
    python -m labkit.grading.grade submitted --out grades

`grades/results.jsonl` gets one line a submission as soon as it is graded; a run that was killed goes on where it
stopped, and a run over the same folder grades only what has changed: notebook, exercise, checks or limits.
When all is done the file is written anew in the order of the submissions. A result is replaced by a newer one of the
same file and exercise and by nothing else: what another folder or an earlier `only` brought stays at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue

from labkit.errors import LabkitError
from labkit.grading.exercise import chosen, load_exercises
from labkit.grading.job import Job, plan
from labkit.grading.judge import ATTEMPTS
from labkit.grading.place import Place
from labkit.grading.results import SubmissionResult
from labkit.grading.sandbox import tiers
from labkit.grading.sandbox.forkserver import MODULES
from labkit.grading.sandbox.limits import Limits
from labkit.grading.sandbox.tiers import Tier
from labkit.grading.worker import Grader, GraderFailed

RESULTS = "results.jsonl"
AHEAD = 4
"""Jobs that wait, for each grader process: enough that none is idle, few enough that no class is held in memory."""


class WeakSandbox(LabkitError):
    """This machine cannot shut submissions in, and nobody said that it need not."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Run:
    """What one run did."""

    results: list[SubmissionResult]
    """All submissions in the folder that have a result, in the order of their files."""
    graded: int
    """Those of them that were graded in this run; the others were up to date."""
    sandbox: Tier
    path: Path
    """The file with the results."""
    jobs: list[Job]
    """Every submission in the folder as it was read, those of other exercises than the chosen ones too."""


def grade(
    folder: Path,
    out: Path,
    *,
    course: Path | None = None,
    jobs: int | None = None,
    seed: int | None = None,
    limits: Limits | None = None,
    tier: Tier | None = None,
    allow_weak: bool = False,
    only: Iterable[str] | None = None,
    progress: bool = False,
    modules: Sequence[str] = MODULES,
    pool: Callable[[Iterable[Job]], Iterator[SubmissionResult]] | None = None,
) -> Run:
    """Grade every notebook below a folder.

    Args:
        out: made if it is missing; a file of results in it is continued.
        course: the folder with `solutions/` in it, the current one by default.
        jobs: grader processes; by default one a processor.
        seed: of the probe inputs; by default it follows from the check file.
        tier: the kind of sandbox; by default the strongest that works here.
        allow_weak: grade even if there is nothing stronger than limits.
        only: numbers of exercises ("01"); submissions to others keep the results that they have.
        progress: show a bar with the time left, on stderr.
        modules: what is imported once, before the first submission.
        pool: runs the jobs in another way than on this machine's processors; the sandbox is its business then.

    Raises:
        NoSubmissions, NoExercise: there is nothing to grade, nothing to grade with, or no exercise that `only` names.
        WeakSandbox: `tier` is too weak and `allow_weak` was not given.
    """
    tier = tier or tiers.best()
    if pool is None and not allow_weak:
        refuse_weak(tier)
    exercises = load_exercises(course or Path.cwd())
    numbers = chosen(exercises, only)
    planned = list(plan(folder, exercises, seed=seed, limits=limits))
    wanted = [job for job in planned if job.exercise in numbers]
    out.mkdir(parents=True, exist_ok=True)
    path = out / RESULTS
    known = {result.fingerprint: result for result in read_results(path)}
    todo = [job for job in wanted if job.fingerprint not in known]
    run_jobs = pool or (lambda todo: local_pool(todo, tier, jobs or os.cpu_count() or 1, modules))
    with path.open("a", encoding="utf-8") as file:
        for result in _shown(run_jobs(todo), len(todo), progress):
            known[result.fingerprint] = result
            file.write(_line(result))
            file.flush()
    latest = {(result.id, result.exercise): result for result in known.values()}
    latest |= {(job.id, job.exercise): known[job.fingerprint] for job in wanted}
    here = ((job.id, job.exercise) for job in planned)
    results = [latest.pop(whose) for whose in here if whose in latest]
    _write(path, [*results, *latest.values()])
    return Run(results, len(todo), tier, path, planned)


def refuse_weak(tier: Tier) -> None:
    """Raises WeakSandbox if work that nobody has read may not run in it."""
    if not tier.strong:
        raise WeakSandbox(
            f"No sandbox here: {tier.sentence}. Grade on Linux with bubblewrap or Landlock, "
            "or give --allow-weak-sandbox if you trust every submission."
        )


def read_results(path: Path) -> list[SubmissionResult]:
    """The results in a file; a last line that was torn by a kill is cut off, so that appending goes on well."""
    if not path.is_file():
        return []
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return [SubmissionResult.from_dict(json.loads(line)) for line in whole.splitlines()]


def local_pool(
    jobs: Iterable[Job], tier: Tier, processes: int, modules: Sequence[str] = MODULES
) -> Iterator[SubmissionResult]:
    """Results of the jobs, as they come, from grader processes on this machine.

    A process that fails is replaced and its job tried again; after `ATTEMPTS` the result says so.
    """
    graders = Graders(tier, processes, modules)
    waiting = iter(jobs)
    running: set[Future[SubmissionResult]] = set()
    with ThreadPoolExecutor(processes, thread_name_prefix="grader") as threads:
        try:
            while True:
                while len(running) < processes * AHEAD and (job := next(waiting, None)) is not None:
                    running.add(threads.submit(graders.grade, job))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            for future in running:
                future.cancel()
            graders.close()


class Graders:
    """Grader processes by number, each started when it is first needed."""

    def __init__(self, tier: Tier, processes: int, modules: Sequence[str]) -> None:
        self._tier, self._modules = tier, modules
        self._free: SimpleQueue[int] = SimpleQueue()
        self._started: dict[int, tuple[Grader, Place]] = {}
        for number in range(processes):
            self._free.put(number)

    def grade(self, job: Job) -> SubmissionResult:
        """Grade one job with a grader that is free, or with a new one."""
        if job.refusal:
            return job.result(refusal=job.refusal)
        number, trouble = self._free.get(), ""
        try:
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    return _counted(self._grader(number, job.limits).grade(job), attempt)
                except GraderFailed as error:
                    trouble = str(error)
                    self._drop(number)
            refusal = f"it could not be graded: the grader failed {ATTEMPTS} times ({trouble})"
            return job.result(refusal=refusal, attempts=ATTEMPTS, sandbox=str(self._tier))
        finally:
            self._free.put(number)

    def close(self) -> None:
        for number in list(self._started):
            self._drop(number)

    def _grader(self, number: int, limits: Limits) -> Grader:
        if number not in self._started:
            place = Place()
            grader = Grader(self._tier, number=place.number, limits=limits, modules=self._modules)
            self._started[number] = grader, place
        return self._started[number][0]

    def _drop(self, number: int) -> None:
        for part in self._started.pop(number, ()):
            part.close()


def _counted(result: SubmissionResult, attempt: int) -> SubmissionResult:
    return replace(result, attempts=result.attempts + attempt - 1)


def _line(result: SubmissionResult) -> str:
    return json.dumps(result.as_dict(), ensure_ascii=False) + "\n"


def _write(path: Path, results: Iterable[SubmissionResult]) -> None:
    """The whole file, or none of it."""
    part = path.with_suffix(".part")
    part.write_text("".join(map(_line, results)), encoding="utf-8")
    part.replace(path)


def _shown(results: Iterator[SubmissionResult], total: int, progress: bool) -> Iterator[SubmissionResult]:
    if not progress or not total:
        yield from results
        return
    from tqdm import tqdm

    yield from tqdm(results, total=total, desc="grading", unit="submission", file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """The thin command; `labkit grade` has reports and exports on top."""
    parser = argparse.ArgumentParser("labkit.grading.grade", description="Grade a folder of submissions.")
    parser.add_argument("submissions", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--course", type=Path, help="the folder with solutions/ in it; default: the current one")
    parser.add_argument("--jobs", type=int, help="grader processes; default: one a processor")
    parser.add_argument("--seed", type=int, help="of the probe inputs; default: follows from the check file")
    parser.add_argument("--allow-weak-sandbox", action="store_true")
    chosen = parser.parse_args(argv)
    try:
        print(f"sandbox: {tiers.best().sentence}", file=sys.stderr)
        run = grade(
            chosen.submissions, chosen.out, course=chosen.course, jobs=chosen.jobs, seed=chosen.seed,
            allow_weak=chosen.allow_weak_sandbox, progress=True,
        )  # fmt: skip
    except LabkitError as error:
        print(f"labkit grade: {error}", file=sys.stderr)
        return int(getattr(error, "exit_code", 2))
    for result in run.results:
        print(f"{result.student}: {result.refusal or f'{result.earned:g} of {result.points:g}'}")
    print(f"{len(run.results)} submissions, {run.graded} graded now: {run.path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
