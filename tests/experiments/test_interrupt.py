"""Ctrl-C in a sweep, and a second process that wants the same one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

import labkit as lk
from labkit.errors import UserError

from . import interrupted

pytestmark = pytest.mark.usefixtures("session")


@pytest.mark.skipif(os.name == "nt", reason="signals differ there")
def test_ctrl_c_returns_what_is_there(tmp_path: Path) -> None:
    command = [sys.executable, interrupted.__file__, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        out, complaint = process.communicate(timeout=60)
    assert process.returncode == 0, complaint
    told = json.loads(out)
    assert told["stopped"] == "Interrupted" and 0 < told["rows"] < 3_000 and told["rows"] == told["paid"]
    assert told["said"][-1].startswith(f"The sweep stopped after {told['rows']:,} of 3,000 cells: Interrupted.")
    lines = (tmp_path / "interrupted.jsonl").read_text().splitlines()
    assert len(lines) == told["rows"]


def test_a_second_process_on_the_same_sweep_is_told_so(tmp_path: Path) -> None:
    with FileLock(tmp_path / "mine.lock"), pytest.raises(UserError, match="Another process runs the sweep 'mine'"):
        lk.sweep("Hi", "openai:sampling", name="mine", folder=tmp_path)
    assert lk.lab.entries() == []


def test_a_fault_of_the_calls_code_is_raised_and_what_was_done_is_kept(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="no_such_argument"):
        lk.sweep("Hi", "openai:sampling", extra={"no_such_argument": 1}, folder=tmp_path)
