"""A client with a cache in memory, and a real Redis."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from labkit import LLMClient, ResponseCache
from labkit.session import Session

READY_SECONDS = 10.0


@pytest.fixture
def cache() -> ResponseCache:
    return ResponseCache("memory")


@pytest.fixture
def client(session: Session, cache: ResponseCache) -> LLMClient:
    return LLMClient("openai", tier="sampling", cache=cache)


class Redis:
    """A redis-server of this test's own, which may go away and come back on its port."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        command += ["--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail("redis-server did not start")
                time.sleep(0.01)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)
            self._process = None


@pytest.fixture
def redis(tmp_path: Path, missing: Callable[[str], NoReturn]) -> Iterator[Redis]:
    if shutil.which("redis-server") is None:
        missing("no redis-server: install the package of that name")
    server = Redis(tmp_path)
    server.start()
    yield server
    server.stop()
