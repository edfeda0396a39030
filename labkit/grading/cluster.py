"""The same jobs on a Dask cluster: `labkit grade --cluster tcp://...`.

    run = grade(folder, out, pool=cluster_pool("tcp://10.0.0.5:8786"))

A worker needs labkit with what the course needs, in the same version, and a sandbox: each grades in the strongest one
of its own machine, and says which in the result. A job is done again elsewhere if its worker dies. Jobs and results
cross as plain values; what a submission prints or returns is never unpickled.

Whoever reaches a Dask scheduler can run anything on its workers. Keep its port inside, or use tls://; submissions
cannot reach it from their sandbox.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from labkit import __version__
from labkit.errors import LabkitError
from labkit.grading.grade import AHEAD, Graders, refuse_weak
from labkit.grading.job import Job
from labkit.grading.results import SubmissionResult
from labkit.grading.sandbox import tiers
from labkit.grading.sandbox.forkserver import MODULES

CONNECT_SECONDS = 10
WORKERS_SECONDS = 30
"""How long a cluster may take until it has a first worker."""


class ClusterError(LabkitError):
    """The cluster cannot be used; the text says what to start or to install."""

    exit_code = 2


def cluster_pool(
    address: str, *, allow_weak: bool = False, modules: Sequence[str] = MODULES
) -> Callable[[Iterable[Job]], Iterator[SubmissionResult]]:
    """What `grade(pool=...)` takes: results of the jobs, as they come, from the workers of a cluster.

    Args:
        address: of the scheduler, as it prints it.

    The pool raises ClusterError if there is no such cluster or it has no worker, or a worker has another labkit;
    WeakSandbox if a worker has no sandbox and `allow_weak` was not given.
    """

    def run(jobs: Iterable[Job]) -> Iterator[SubmissionResult]:
        if waiting := list(jobs):
            with _connected(address) as client:
                try:
                    yield from _results(client, iter(waiting), (__version__, allow_weak, list(modules)))
                finally:
                    with suppress(Exception):  # a worker that is gone has no graders either
                        client.run(_end_graders, on_error="ignore")

    return run


def _dask() -> Any:
    """Dask's distributed package, which has types for half of its calls."""
    try:
        import distributed
    except ImportError:
        raise ClusterError("--cluster needs Dask: pip install 'labkit[cluster]', here and on the workers") from None
    return distributed


def _connected(address: str) -> Any:
    try:
        client = _dask().Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise ClusterError(f"no Dask scheduler at {address} ({reason}): start one with `dask scheduler`") from None
    try:
        client.wait_for_workers(1, timeout=WORKERS_SECONDS)
    except TimeoutError:
        client.close()
        raise ClusterError(f"the cluster has no worker: start some with `dask worker {address}`") from None
    return client


def _results(client: Any, jobs: Iterator[Job], terms: tuple[Any, ...]) -> Iterator[SubmissionResult]:
    """A few jobs for each thread of each worker are on their way; workers may come and go."""
    sent: dict[str, Job] = {}
    coming = _dask().as_completed(loop=client.loop)

    def send() -> None:
        room = AHEAD * (sum(client.nthreads().values()) or 1) - len(sent)
        for _, job in zip(range(room), jobs, strict=False):
            future = client.submit(_grade_there, job.as_dict(), *terms, pure=False)
            sent[future.key] = job
            coming.add(future)

    send()
    for future in coming:
        yield _outcome(future, sent.pop(future.key))
        send()


def _outcome(future: Any, job: Job) -> SubmissionResult:
    try:
        return SubmissionResult.from_dict(future.result())
    except _dask().KilledWorker:
        return job.result(refusal="it could not be graded: every worker that tried it died")
    except LabkitError:
        raise
    except Exception as error:
        raise ClusterError(f"a worker could not grade {job.file} ({type(error).__name__}: {error})") from None


# --- On the workers --------------------------------------------------------------------------------------------------

_lock = threading.Lock()
_graders: Graders | None = None
"""Those of this worker process, one a thread; started with its first job."""


def _grade_there(job: dict[str, Any], version: str, allow_weak: bool, modules: Sequence[str]) -> dict[str, Any]:
    if version != __version__:
        raise ClusterError(f"a worker has labkit {__version__}, and here is {version}: install the same")
    return _graders_here(allow_weak, modules).grade(Job.from_dict(job)).as_dict()


def _graders_here(allow_weak: bool, modules: Sequence[str]) -> Graders:
    global _graders
    with _lock:
        if _graders is None:
            tier = tiers.best()
            if not allow_weak:
                refuse_weak(tier)
            _graders = Graders(tier, _dask().get_worker().state.nthreads, modules)
        return _graders


def _end_graders() -> None:
    global _graders
    with _lock:
        graders, _graders = _graders, None
    if graders is not None:
        graders.close()
