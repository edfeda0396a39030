"""A session on the test run's lab server, with a tenant and a ledger of its own."""

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
        lk.lab.clock(minute=0.06)  # waits that a fault asks for take a thousandth
        yield begun
