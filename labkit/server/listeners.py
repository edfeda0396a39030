"""The self-hosted servers on the ports that their clients expect, beside the lab server's own port.

vLLM on 8000, Ollama on 11434, TGI on 8080: the same application, with the prefix put before every path. Each is
opened on request, always on loopback. A port that somebody else uses is reported and never fatal: the same server is
there under its prefix on the main port.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

LOOPBACK = "127.0.0.1"
USUAL_PORTS = {"vllm": 8000, "ollama": 11434, "tgi": 8080}

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]
Configure = Callable[[Application], uvicorn.Config]
"""From an application to how it is served: the main server's own settings."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        OSError: the port is taken, or not ours to take.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    if sys.platform != "win32":  # there the option would let two servers share a port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener


def prefixed(application: Application, prefix: str) -> Application:
    """The application as a client sees it that knows nothing of the prefix."""

    async def serve(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope["path"] = prefix + scope["path"]
        await application(scope, receive, send)

    return serve


class _Beside(uvicorn.Server):
    """A server in the loop of another one, which keeps the signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(slots=True)
class _Open:
    server: _Beside
    task: asyncio.Task[None]
    port: int


class Listeners:
    """Which of the self-hosted servers have a port of their own."""

    def __init__(self, application: Application | None = None, configure: Configure | None = None) -> None:
        self._application = application
        self._configure = configure
        self._open: dict[str, _Open] = {}
        self._refused: dict[str, str] = {}

    def open(self, name: str, port: int | None = None) -> None:
        """Serve one on its usual port, or on another (0 takes a free one). Does nothing when it is open already."""
        if name in self._open:
            return
        if self._application is None or self._configure is None:
            self._refused[name] = "this lab server opens no further ports"
            return
        wanted = USUAL_PORTS[name] if port is None else port
        try:
            listener = listen(LOOPBACK, wanted)
        except OSError as error:
            self._refused[name] = f"port {wanted}: {error.strerror or error}"
            return
        self._refused.pop(name, None)
        server = _Beside(self._configure(prefixed(self._application, f"/{name}")))
        task = asyncio.get_running_loop().create_task(server.serve(sockets=[listener]))
        self._open[name] = _Open(server, task, listener.getsockname()[1])

    async def close(self, names: Iterable[str] = USUAL_PORTS) -> None:
        """Give up the ports of these, by default of all."""
        closing = [self._open.pop(name) for name in names if name in self._open]
        for one in closing:
            one.server.should_exit = True
        await asyncio.gather(*(one.task for one in closing))

    def described(self) -> dict[str, dict[str, Any]]:
        return {name: self._row(name) for name in USUAL_PORTS}

    def _row(self, name: str) -> dict[str, Any]:
        row: dict[str, Any] = {"open": name in self._open, "prefix": f"/{name}", "usual_port": USUAL_PORTS[name]}
        if name in self._open:
            port = self._open[name].port
            return {**row, "port": port, "url": f"http://{LOOPBACK}:{port}"}
        return {**row, "reason": self._refused[name]} if name in self._refused else row
