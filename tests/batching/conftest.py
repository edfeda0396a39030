"""A session on the test run's lab server whose lab minutes take 0.06 s, so that a batch ends in a fraction of one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.session import Session


@pytest.fixture
def session(lab_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setenv("LABKIT_SERVER_URL", lab_server.url)
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with lk.start(quiet=True, seed=7) as begun:
        lk.lab.clock(minute=0.06)
        yield begun
