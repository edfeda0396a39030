"""Folders of grader processes: gone when they are closed, found and removed when their process was killed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from labkit.grading.scratch import NEW_SECONDS, PREFIX, Scratch, remove_leftovers

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no lock on a folder")
MAKE = "from labkit.grading.scratch import Scratch\nprint(Scratch('test').path, flush=True)\ninput()"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def aged(path: Path) -> Path:
    """The folder, as if it had been made some minutes ago."""
    long_ago = path.stat().st_mtime - 10 * NEW_SECONDS
    os.utime(path, (long_ago, long_ago))
    return path


def test_it_is_ours_alone_and_gone_when_closed() -> None:
    with Scratch("checks") as scratch:
        assert scratch.path.stat().st_mode & 0o077 == 0
        (scratch.path / "hidden").write_text("x")
    assert not scratch.path.exists()


def test_what_a_killed_process_left_is_removed_and_what_is_in_use_is_not() -> None:
    with subprocess.Popen([sys.executable, "-c", MAKE], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        path = aged(Path(process.stdout.readline().decode().strip()))
        with Scratch("mine") as mine:
            aged(mine.path)
            assert remove_leftovers() == []
            process.kill()
            process.wait()
            assert remove_leftovers() == [path]
            assert mine.path.is_dir() and not path.exists()


def test_a_folder_that_was_just_made_may_not_be_locked_yet(temporary: Path) -> None:
    (temporary / f"{PREFIX}new").mkdir()
    assert remove_leftovers() == []


def test_a_link_is_not_followed(temporary: Path) -> None:
    (temporary / "elsewhere").mkdir()
    aged(temporary / "elsewhere")
    (temporary / f"{PREFIX}link").symlink_to(temporary / "elsewhere")
    assert remove_leftovers() == [] and (temporary / "elsewhere").is_dir()
