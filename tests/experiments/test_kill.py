"""kill -9 in a sweep of 2,000 cells at ten random moments: nothing finished is lost, nothing is paid twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path

import pytest

import labkit as lk
from labkit.experiments import StoreWarning
from labkit.session import Session

from . import killed

CELLS, KILLS = 2_000, 10


def lines(file: Path) -> list[dict[str, object]]:
    """Those that are whole."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.endswith("}")]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forks")
def test_ten_kills_lose_no_finished_cell_and_pay_none_twice(session: Session, tmp_path: Path) -> None:
    command = [sys.executable, killed.__file__, session.key, str(tmp_path), str(CELLS), str(KILLS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    kept = json.loads(done.stdout)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StoreWarning)  # a kill may cut a line in two
        frame = killed.planned(tmp_path, CELLS).run(progress=False)
    assert len(kept) == KILLS and kept == sorted(kept) and frame["text"].ne("").all() and len(frame) == CELLS

    billed = Counter(entry["request_id"] for entry in lk.lab.entries())
    finished = [row["request_id"] for row in lines(Path(frame.attrs["file"]))]
    assert len(finished) == CELLS == len(set(finished)), "a cell that was on disk was asked again"
    assert all(billed[request] == 1 for request in finished)
    under_way = billed.total() - CELLS
    assert under_way <= KILLS * killed.CONCURRENCY, "more was asked twice than was under way at a kill"
    assert frame.attrs["reused"] >= kept[-1] - KILLS
