"""A session on the lab server: the widgets and the wire read it as a notebook does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import labkit as lk


@pytest.fixture
def session(lab_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("LABKIT_SERVER_URL", lab_server.url)
    monkeypatch.chdir(tmp_path)
    with lk.start(seed=7, quiet=True) as started:
        yield started
