"""The same class on a real Dask cluster: a scheduler and two workers, processes on this machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import Client, LocalCluster

from labkit.grading import cluster
from labkit.grading.cluster import ClusterError, cluster_pool
from labkit.grading.grade import Run, grade, read_results
from labkit.grading.results import SubmissionResult

pytestmark = pytest.mark.usefixtures("sandbox")
WRONG = "def double(x):\n    return 0"


@pytest.fixture(scope="module")
def dask() -> Iterator[LocalCluster]:
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as started:
        yield started


@pytest.fixture
def submissions(handed_in: Callable[..., Any], tmp_path: Path) -> Path:
    """Eight, every other one half right; and one that is no notebook."""
    folder = tmp_path / "submitted"
    folder.mkdir()
    for number in range(8):
        work = handed_in(double=WRONG) if number % 2 else handed_in()
        (folder / f"student{number}.ipynb").write_text(json.dumps(work))
    (folder / "zoe.ipynb").write_text("{")
    return folder


@pytest.fixture
def run(course: Path, submissions: Path, tmp_path: Path, limits: Any, modules: Any) -> Callable[..., Run]:
    return lambda out, **how: grade(submissions, tmp_path / out, course=course, limits=limits, modules=modules, **how)


def told(result: SubmissionResult) -> dict[str, Any]:
    """A result without times and without what the work printed."""
    return {name: value for name, value in result.as_dict().items() if name not in ("started", "seconds", "cells")}


def graders_left(dask: LocalCluster) -> list[str]:
    """Processes that the workers' graders have not taken with them."""

    def below() -> list[str]:
        return [" ".join(child.cmdline()) for child in psutil.Process().children(recursive=True)]

    with Client(dask.scheduler_address) as client:
        return [command for commands in client.run(below).values() for command in commands]


def test_a_cluster_gives_the_results_that_this_machine_gives(
    run: Callable[..., Run], dask: LocalCluster, modules: Any
) -> None:
    here = run("here", jobs=1)
    there = run("there", pool=cluster_pool(dask.scheduler_address, modules=modules))
    assert [r.earned for r in there.results] == [4, 2] * 4 + [0]
    assert [told(r) for r in there.results] == [told(r) for r in here.results]
    assert there.graded == 9 and len(read_results(there.path)) == 9
    assert graders_left(dask) == []


def test_two_workers_on_one_machine_never_share_users(dask: LocalCluster, run: Any, modules: Any) -> None:
    def places(dask_worker: Any) -> list[int]:
        graders = sys.modules["labkit.grading.cluster"]._graders
        return [place.number for _, place in graders._started.values()]

    seen: list[int] = []
    pool = cluster_pool(dask.scheduler_address, modules=modules)

    def watched(jobs: Any) -> Iterator[SubmissionResult]:
        with Client(dask.scheduler_address) as client:
            for number, result in enumerate(pool(jobs)):
                if number == 7:
                    seen.extend(number for held in client.run(places).values() for number in held)
                yield result

    run("watched", pool=watched)
    assert len(seen) == len(set(seen)) == 2


def test_a_worker_that_is_killed_loses_nothing(
    run: Callable[..., Run], dask: LocalCluster, modules: Any, kill: Callable[[int], None]
) -> None:
    pool, killed = cluster_pool(dask.scheduler_address, modules=modules), []

    def deadly(jobs: Any) -> Iterator[SubmissionResult]:
        for result in pool(jobs):
            if not killed:
                with Client(dask.scheduler_address) as client:
                    killed.append(next(iter(client.run(lambda: __import__("os").getpid()).values())))
                graders = psutil.Process(killed[0]).children(recursive=True)
                kill(killed[0])
                assert not psutil.wait_procs(graders, timeout=20)[1]
            yield result

    done = run("killed", pool=deadly)
    assert killed and [r.earned for r in done.results] == [4, 2] * 4 + [0]


def test_a_worker_with_another_labkit_is_refused(
    run: Callable[..., Run], dask: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "__version__", "0.0.0")
    with pytest.raises(ClusterError, match="a worker has labkit .*, and here is 0.0.0: install the same"):
        run("other", pool=cluster_pool(dask.scheduler_address))


def test_without_a_scheduler_one_sentence_says_what_to_start(
    run: Callable[..., Run], free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    with pytest.raises(ClusterError, match="start one with `dask scheduler`"):
        run("none", pool=cluster_pool(f"tcp://127.0.0.1:{free_port}"))
