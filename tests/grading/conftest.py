"""Work and evidence for tests of checks: a namespace, a real lab server, and one run of a task."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labkit.grading.journal import Journal
from labkit.grading.results import TaskResult
from labkit.grading.run import run_task
from labkit.grading.tasks import Task
from labkit.grading.workspace import Workspace

sys.path.insert(0, str(Path(__file__).parent))  # graded.py: results for tests of what is made from them

RunTask = Callable[[Task, dict[str, Any]], TaskResult]


@pytest.fixture(scope="session")
def lab_key(lab_server: Any) -> str:
    """A tenant that this folder's tests share."""
    return str(lab_server.key())


@pytest.fixture
def journal(lab_server: Any, lab_key: str) -> Iterator[Journal]:
    with Journal(lab_server.url, lab_key) as journal:
        yield journal


@pytest.fixture
def run(journal: Journal) -> RunTask:
    """Run all checks of a task on a namespace, with seed 7."""
    return lambda task, namespace: run_task(task, Workspace(namespace), journal, seed=7)


@pytest.fixture
def openai_environment(lab_server: Any, lab_key: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What `lk.start()` sets for the OpenAI SDK."""
    monkeypatch.setenv("OPENAI_BASE_URL", f"{lab_server.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", lab_key)
    yield


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
