"""`scripts/make-proxy` makes the environment that lesson 13 starts LiteLLM's proxy from."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[1]
PROXY = ROOT / "build" / "proxy"
INSTALL_SECONDS = 400


def run(*command: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PIP_RETRIES": "1", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    words = [str(word) for word in command]
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)


@pytest.fixture(scope="module")
def made(missing: Callable[[str], NoReturn]) -> Path:
    """The environment, made now if it is not there yet."""
    done = run(sys.executable, ROOT / "scripts" / "make-proxy")
    if done.returncode:
        missing(f"no proxy here, most often because no package index is within reach: {done.stderr[-300:]}")
    return PROXY


def test_proxy_is_the_release_that_the_course_has(made: Path) -> None:
    program = made / ("Scripts/litellm.exe" if os.name == "nt" else "bin/litellm")
    assert version("litellm") in run(program, "--version").stdout


def test_a_finished_environment_is_left_alone(made: Path) -> None:
    finished = (made / ".complete").stat().st_mtime_ns
    assert "is there already" in run(sys.executable, ROOT / "scripts" / "make-proxy").stdout
    assert (made / ".complete").stat().st_mtime_ns == finished
