"""Run the lab server: `python -m labkit.server --port 0`.

Prints one line with its URL when it accepts connections, writes its state file, and ends by itself when nobody has
asked anything for a while.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import errno
import gc
import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from labkit import __version__, prices, registry, tokens
from labkit.engine.base import O200K, Engine, Prompt, Turn
from labkit.engine.installed import DEFAULT, load
from labkit.server.app import LOOPBACK_HOSTS, App, Lab
from labkit.server.connection import LabHttp
from labkit.server.listeners import USUAL_PORTS, Application, Listeners, listen
from labkit.server.relay import RelayEngine
from labkit.server.store import Stores
from labkit.server.tenants import Tenants

READY = "lab server ready at {url}"
IDLE_CHECK_S = 5.0
GC_THRESHOLDS = (20_000, 20, 50)
"""A request leaves no cycles behind, so there is little to find: ten times fewer collections than by default."""


class _Server(uvicorn.Server):
    """Says when it is ready, and stops when idle."""

    def __init__(
        self, config: uvicorn.Config, lab: Lab, url: str, state: Path | None, idle_s: float, *, self_hosted: bool
    ) -> None:
        super().__init__(config)
        self._lab, self._url, self._state, self._idle_s = lab, url, state, idle_s
        self._self_hosted = self_hosted
        lab.stop = self._stop

    def _stop(self) -> None:
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._state is not None:
            _write_state(self._state, self._url, self._lab)
        for name in USUAL_PORTS if self._self_hosted else ():
            self._lab.listeners.open(name)
        print(READY.format(url=self._url), flush=True)
        if self._idle_s:
            self._watcher = asyncio.create_task(self._stop_when_idle())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._lab.listeners.close()
        self._lab.tenants.close()
        await super().shutdown(sockets)

    async def _stop_when_idle(self) -> None:
        while not self.should_exit:
            quiet = time.monotonic() - self._lab.last_active
            if quiet >= self._idle_s and not self._lab.active:
                self._stop()
            await asyncio.sleep(min(IDLE_CHECK_S, max(0.05, self._idle_s - quiet)))


def _write_state(path: Path, url: str, lab: Lab) -> None:
    """Write the state file whole or not at all, readable by its owner only: it holds the admin key."""
    state = {
        "url": url,
        "pid": os.getpid(),
        "admin_key": lab.admin_key,
        "engine": lab.engine_name,
        "version": __version__,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(state, file)
    part.replace(path)


def _forget_state(path: Path) -> None:
    """Remove the state file if it is still ours."""
    with suppress(OSError, ValueError, KeyError):
        if json.loads(path.read_text("utf-8"))["pid"] == os.getpid():
            path.unlink()


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("labkit serve", description="Run the lab server in the foreground.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    parser.add_argument("--host", default="127.0.0.1", help="loopback unless told otherwise")
    parser.add_argument("--state", type=Path, help="write URL, process id and admin key to this file")
    parser.add_argument("--idle-minutes", type=float, default=0.0, help="end after so long without a request; 0 never")
    parser.add_argument("--keys", type=Path, help="admit only the keys in this file, one a line")
    parser.add_argument("--store", type=Path, help="keep files and batches in this folder; default: beside --state")
    parser.add_argument(
        "--self-hosted",
        choices=("auto", "off"),
        default="off",
        help="auto: vLLM, Ollama and TGI also on their usual ports, where free",
    )
    parser.add_argument("--engine", metavar="NAME", help=f"what answers: {DEFAULT}, or one that a package brings")
    parser.add_argument(
        "--relay", metavar="URL", help="let an OpenAI-compatible server answer, such as .../v1 of Ollama"
    )
    parser.add_argument("--relay-model", help="what the server behind the relay calls its model")
    parser.add_argument("--relay-key", default="", help="the key that the server behind the relay wants, if any")
    parser.add_argument("--admin-key", help="default: a new random one")
    return parser.parse_args(argv)


def _engine(options: argparse.Namespace) -> Engine:
    """What answers.

    Raises:
        EngineError: there is no such engine, or it cannot be used.
    """
    if options.relay:
        return RelayEngine(options.relay, options.relay_model, options.relay_key)
    return load(options.engine or DEFAULT)


def _store_folder(options: argparse.Namespace) -> Path | None:
    """Where files and batches outlive the process; None keeps them in memory."""
    state: Path | None = options.state
    return options.store or (state.with_name(f"{state.stem}-store") if state else None)


def _read_keys(path: Path) -> list[str]:
    """The keys of a file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no text, or has no key, so that nobody would be admitted.
    """
    try:
        lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text: save it again as UTF-8.") from None
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys:
        raise ValueError(f"{path} holds no key, so nobody would be admitted: write one a line, such as lab-ada-1815.")
    return keys


def _advice(error: OSError) -> str:
    """What mends a listener that does not come up, or a path that cannot be used."""
    if error.filename:
        return "check the path"
    if isinstance(error, socket.gaierror) or error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return "--host must be an address of this machine: 127.0.0.1 for itself alone, 0.0.0.0 for its network too"
    if error.errno == errno.EACCES:
        return "choose a port from 1024 up with --port, or --port 0 for a free one"
    return "choose another port with --port, or --port 0 for a free one"


def _configured(app: Application) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=LabHttp,
        ws="none",
        proxy_headers=False,
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_keep_alive=600,  # longer than any client's, so that a kept connection is never closed under a request
        timeout_graceful_shutdown=2,
    )


def _warm_up(engine: Engine) -> None:
    """Read the tokenizer's ranks, the prices and what the engine builds at first use, so that no request waits."""
    encoding = tokens.encoding(O200K.encoding)
    # Python's table of ranks, 25 MB, is what the tokenizer's own (in Rust) was built from; nothing asks for it again.
    encoding._mergeable_ranks = {}
    for model in registry.models(kind="chat"):
        prices.price(model.id)
    if not isinstance(engine, RelayEngine):
        engine.open(Prompt((Turn("user", "hello"),))).distribution()
    _settle()


def _settle() -> None:
    """What lives as long as the process is left out of garbage collection, and freed pages go back to the system."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    with suppress(OSError, AttributeError):  # glibc has it; others need it less
        ctypes.CDLL(None).malloc_trim(0)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until stopped. Returns 0, or 2 with one sentence on stderr when it cannot start."""
    options = _parse(argv)
    if options.relay and not options.relay_model:
        print("labkit serve: --relay needs --relay-model, the upstream's name of its model.", file=sys.stderr)
        return 2
    if options.relay and options.engine:
        print("labkit serve: --relay is an engine of its own; leave out --engine.", file=sys.stderr)
        return 2
    try:
        engine = _engine(options)
        keys = _read_keys(options.keys) if options.keys else None
        stores = Stores(_store_folder(options))
        listener = listen(options.host, options.port)
    except OSError as error:
        what = str(error.filename) if error.filename else f"{options.host}:{options.port}"
        print(f"labkit serve: cannot use {what}: {error.strerror or error}; {_advice(error)}.", file=sys.stderr)
        return 2
    except ValueError as error:  # EngineError is one
        print(f"labkit serve: {error}", file=sys.stderr)
        return 2
    host, port = listener.getsockname()[:2]
    if options.host not in ("127.0.0.1", "localhost", "::1"):
        print(
            f"labkit serve: {options.host} is reachable from other machines; lab keys are no protection.",
            file=sys.stderr,
        )
    lab = Lab(
        engine,
        Tenants(keys, stores),
        options.admin_key or f"admin-{secrets.token_hex(16)}",
        hosts=LOOPBACK_HOSTS | {options.host, socket.gethostname()},
        engine_name="relay" if options.relay else options.engine or DEFAULT,
    )
    app = App(lab)
    lab.listeners = Listeners(app, _configured)
    _warm_up(lab.engine)
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    self_hosted = options.self_hosted == "auto"
    server = _Server(_configured(app), lab, url, options.state, options.idle_minutes * 60, self_hosted=self_hosted)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        if options.state:
            _forget_state(options.state)
    return 0
