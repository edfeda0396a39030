"""How fast the lab server is, beside the best public mock and a bare ASGI application: `python -m bench.server`.

    lab T=0, lab T=1   this project's server; the text is sampled, counted, billed and journaled
    aimock             npm's @copilotkit/aimock, which answers from a fixture: the text that the lab gives at T = 0,
                       cut into as many events as the lab sends
    bare               uvicorn and a function that sends the same bytes: the ceiling of any Python server

Servers run on core 0, the load comes from core 1: raw sockets, keep-alive, each connection asks again as soon as it is
answered. Rounds are interleaved, so that a busy machine is busy for all; every figure is the median of its rounds.
`CPU` is requests for each second that the server really had a core, which another process's load cannot change much.

Goals: T=0 at least 1.0 of aimock's requests/s and 1.2 of its streams/s, T=1 at least 0.6 of both, and under 120 MB
after 100,000 requests, flat.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import uvloop

from labkit import registry

ROOT = Path(__file__).parent.parent
PEER = ROOT / "build" / "aimock"
PEER_CLI = PEER / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
INSTALL = f"mkdir -p {PEER.relative_to(ROOT)} && npm install --prefix {PEER.relative_to(ROOT)} @copilotkit/aimock"
READY_SECONDS = 20.0
CONCURRENCY = (1, 16, 64)
QUESTIONS = tuple(f"Write a haiku about {what}" for what in ("the sea", "rain", "a cat", "spring", "the moon", "tea"))
KEY = "lab-bench"
PATH = "/v1/chat/completions"
GOALS = {("lab T=0", False): 1.0, ("lab T=0", True): 1.2, ("lab T=1", False): 0.6, ("lab T=1", True): 0.6}
MEMORY_GOAL_MB = 120


# --- the ceiling -----------------------------------------------------------------------------------------------------


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """The least that a server can do: read the body, send fixed bytes. Run by uvicorn in a process of its own."""
    more, asked = True, b""
    while more:
        message = await receive()
        asked, more = asked + message["body"], message["more_body"]
    stream = b'"stream":true' in asked
    body = BARE_ANSWERS[stream]
    kind, length = (
        (b"text/event-stream", []) if stream else (b"application/json", [(b"content-length", b"%d" % len(body))])
    )
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind), *length]})
    await send({"type": "http.response.body", "body": body, "more_body": stream})
    if stream:
        await send({"type": "http.response.body", "body": b""})


BARE_ANSWERS = {stream: bytes.fromhex(os.environ.get(f"BENCH_BARE_{stream}", "")) for stream in (False, True)}


# --- servers ---------------------------------------------------------------------------------------------------------


@dataclass
class Target:
    """What is measured: a server and what it is asked."""

    name: str
    port: int
    process: psutil.Process
    temperature: int = 0

    def requests(self, *, stream: bool) -> list[bytes]:
        """Whole HTTP requests, one for each question."""
        return [self._request(question, stream) for question in QUESTIONS]

    def _request(self, question: str, stream: bool) -> bytes:
        asked: dict[str, Any] = {"model": registry.model("openai", "sampling"), "temperature": self.temperature}
        asked |= {"messages": [{"role": "user", "content": question}]} | ({"stream": True} if stream else {})
        body = json.dumps(asked, separators=(",", ":")).encode()
        head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {KEY}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nUser-Agent: bench\r\n\r\n"
        return head.encode() + body

    @property
    def memory_mb(self) -> float:
        return sum(p.memory_info().rss for p in self._processes()) / 1e6

    @property
    def cpu_s(self) -> float:
        return sum(sum(p.cpu_times()[:2]) for p in self._processes())

    def _processes(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Run, and start processes, on one core; a system that cannot pin runs as it likes."""
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if len(before) < 2:
        yield
        return
    os.sched_setaffinity(0, {sorted(before)[core]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def running(name: str, command: Sequence[str], port: int, **environment: str) -> Iterator[Target]:
    """A server process on core 0, ended at the end."""
    with on_core(0):
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not _accepts(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{name} did not start: {' '.join(command)}")
            time.sleep(0.02)
        yield Target(name, port, psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait()


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_lab(folder: Path) -> Any:
    port = free_port()
    command = [sys.executable, "-m", "labkit.server", "--port", str(port), "--state", str(folder / "server.json")]
    return running("lab T=0", command, port)


def raise_limits(lab: Target) -> None:
    """Rate limits stay on, as for anybody, and out of the way."""
    limits = {"requests_per_minute": 10**9, "tokens_per_minute": 10**12}
    body = json.dumps({"limits": limits}).encode()
    url, key = f"http://127.0.0.1:{lab.port}/lab/v1/tenant", {"Authorization": f"Bearer {KEY}"}
    urllib.request.urlopen(urllib.request.Request(url, body, key)).close()


def start_bare(plain: bytes, stream: bytes) -> Any:
    port = free_port()
    options = [
        "--port",
        str(port),
        "--no-access-log",
        "--log-level",
        "warning",
        "--loop",
        "uvloop",
        "--http",
        "httptools",
    ]
    command = [sys.executable, "-m", "uvicorn", "bench.server:bare", "--lifespan", "off", *options]
    return running("bare", command, port, BENCH_BARE_False=plain.hex(), BENCH_BARE_True=stream.hex())


def start_peer(folder: Path, text: str, events: int) -> Any:
    """aimock with one fixture: `text`, in so many events."""
    fixture = {"fixtures": [{"match": {"userMessage": "haiku"}, "response": {"content": text}}]}
    (folder / "haiku.json").write_text(json.dumps(fixture))
    size = math.ceil(len(text) / max(1, events - 3))  # it sends the role, the finish and [DONE] as well
    port = free_port()
    options = ["--port", str(port), "--fixtures", str(folder), "--chunk-size", str(size), "--log-level", "silent"]
    return running("aimock", ["node", str(PEER_CLI), *options], port)


# --- the load --------------------------------------------------------------------------------------------------------


@dataclass
class Load:
    """What a run of connections did."""

    requests: list[bytes]
    until: float
    most: int = 2**62
    """Requests at most, however much time is left."""
    seconds: list[float] = field(default_factory=list)
    """Of each answered request."""
    events: int = 0
    """Of the last answered stream."""
    sample: bytes = b""

    def next(self) -> bytes | None:
        if time.perf_counter() >= self.until or self.most <= 0:
            return None
        self.most -= 1
        return self.requests[self.most % len(self.requests)]


class Connection(asyncio.Protocol):
    """One keep-alive connection that asks again as soon as it is answered."""

    def __init__(self, load: Load, done: asyncio.Future[None]) -> None:
        self._load, self._done = load, done
        self._got = bytearray()
        self._asked = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._ask()

    def _ask(self) -> None:
        request = self._load.next()
        if request is None:
            self._transport.close()
            return
        self._got.clear()
        self._asked = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        if self._complete():
            self._load.seconds.append(time.perf_counter() - self._asked)
            if not self._load.sample:
                self._load.sample = bytes(self._got)
            self._ask()

    def _complete(self) -> bool:
        got = self._got
        end = got.find(b"\r\n\r\n")
        if end < 0:
            return False
        if not got.startswith(b"HTTP/1.1 200"):
            self._fail(f"not answered: {bytes(got[:300])!r}")
            return False
        head = got[:end].lower()
        at = head.find(b"content-length: ")
        if at < 0:  # JSON has no raw line breaks, so the last chunk cannot be mistaken
            return got.endswith(b"\r\n0\r\n\r\n")
        length = int(head[at + 16 :].split(b"\r\n", 1)[0])
        return len(got) >= end + 4 + length

    def _fail(self, why: str) -> None:
        if not self._done.done():
            self._done.set_exception(SystemExit(why))
        self._transport.close()

    def connection_lost(self, problem: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)


def drive(target: Target, *, stream: bool, concurrency: int, seconds: float, most: int = 2**62) -> Load:
    """Ask a target from so many connections, from core 1."""

    async def all_of_them() -> Load:
        loop = asyncio.get_running_loop()
        load = Load(target.requests(stream=stream), time.perf_counter() + seconds, most)
        over = [loop.create_future() for _ in range(concurrency)]
        for done in over:
            await loop.create_connection(lambda done=done: Connection(load, done), "127.0.0.1", target.port)
        await asyncio.gather(*over)
        return load

    with on_core(1), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(all_of_them())


def body_of(answer: bytes) -> bytes:
    """The body of an HTTP answer, its chunks joined."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    if b"chunked" not in head.lower():
        return rest
    joined = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        joined, rest = joined + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return joined


# --- the comparison --------------------------------------------------------------------------------------------------

Cell = tuple[str, bool, int]
"""Target, whether it streams, connections."""


@dataclass
class Figures:
    """The rounds of one cell."""

    rate: list[float] = field(default_factory=list)
    per_cpu_s: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)

    def add(self, load: Load, wall: float, cpu: float) -> None:
        self.rate.append(len(load.seconds) / wall)
        self.per_cpu_s.append(len(load.seconds) / max(cpu, 0.01))
        self.p99_ms.append(statistics.quantiles(load.seconds, n=100)[98] * 1000 if len(load.seconds) > 1 else 0.0)


def measure(targets: Sequence[Target], rounds: int, seconds: float) -> dict[Cell, Figures]:
    found: dict[Cell, Figures] = defaultdict(Figures)
    for target in targets:  # compiled, cached and grown before anything counts
        for stream in (False, True):
            drive(target, stream=stream, concurrency=16, seconds=seconds)
    for _ in range(rounds):
        for stream in (False, True):
            for concurrency in CONCURRENCY:
                for target in targets:
                    cpu, start = target.cpu_s, time.perf_counter()
                    load = drive(target, stream=stream, concurrency=concurrency, seconds=seconds)
                    wall = time.perf_counter() - start
                    found[target.name, stream, concurrency].add(load, wall, target.cpu_s - cpu)
    return found


def report(found: dict[Cell, Figures], names: Sequence[str]) -> None:
    peer = "aimock" if "aimock" in names else ""
    heads = f"{'':8} {'at once':>7}  {'server':9} {'per s':>8} {'CPU':>8} {'p99 ms':>8}"
    print(heads + (f"   of aimock: {'per s':>6} {'CPU':>6} {'p99':>6}" if peer else ""))
    for stream in (False, True):
        for concurrency in CONCURRENCY:
            for name in names:
                figures = found[name, stream, concurrency]
                rate, cpu, p99 = (statistics.median(f) for f in (figures.rate, figures.per_cpu_s, figures.p99_ms))
                line = f"{'streams' if stream else 'requests':8} {concurrency:7}  {name:9} "
                line += f"{rate:8,.0f} {cpu:8,.0f} {p99:8.1f}"
                if peer and name != peer:
                    line += f"   {'':10} {_ratios(figures, found[peer, stream, concurrency])}"
                print(line)


def _ratios(ours: Figures, theirs: Figures) -> str:
    """Medians of the rounds' own ratios: what slows one round down slows both."""
    pairs = ((ours.rate, theirs.rate), (ours.per_cpu_s, theirs.per_cpu_s), (ours.p99_ms, theirs.p99_ms))
    return " ".join(f"{statistics.median(a / b for a, b in zip(x, y, strict=True)):6.2f}" for x, y in pairs)


def verdict(found: dict[Cell, Figures]) -> None:
    """The goals, each at its worst and its best number of connections."""
    for (name, stream), goal in GOALS.items():
        pairs = [(found[name, stream, c], found["aimock", stream, c]) for c in CONCURRENCY]
        ratios = [statistics.median(a / b for a, b in zip(x.rate, y.rate, strict=True)) for x, y in pairs]
        shown = ", ".join(f"{r:.2f} at {c}" for r, c in zip(ratios, CONCURRENCY, strict=True))
        met = sum(ratio >= goal for ratio in ratios)
        print(f"{name} {'streams/s' if stream else 'requests/s':10} goal {goal:.1f} of aimock: {shown}"
              f" ({met} of {len(ratios)} met)")  # fmt: skip


def memory(targets: Sequence[Target], requests: int) -> None:
    """Resident memory while a server answers so many requests, half of them streams."""
    print(f"\nmemory in MB after so many requests more, half of them streams (goal: {MEMORY_GOAL_MB}, flat)")
    steps = 5
    print(f"{'':9}" + "".join(f"{requests * n // steps:>10,}" for n in range(steps + 1)))
    for target in targets:
        row = [target.memory_mb]
        for _ in range(steps):
            for stream in (False, True):
                drive(target, stream=stream, concurrency=16, seconds=600, most=requests // steps // 2)
            row.append(target.memory_mb)
        print(f"{target.name.split()[0]:9}" + "".join(f"{mb:10.1f}" for mb in row), flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m bench.server", description="The lab server's speed beside others'.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each server in each cell of a round")
    parser.add_argument("--requests", type=int, default=100_000, help="for the look at memory; 0 leaves it out")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name, ExitStack() as servers:
        folder = Path(name)
        lab: Target = servers.enter_context(start_lab(folder))
        raise_limits(lab)
        plain, stream = (body_of(drive(lab, stream=s, concurrency=1, seconds=9, most=1).sample) for s in (False, True))
        targets = [lab, Target("lab T=1", lab.port, lab.process, temperature=1)]
        text, events = json.loads(plain)["choices"][0]["message"]["content"], stream.count(b"data: ")
        assert events >= 14, f"too short a stream for a fair comparison: {events} events"
        if PEER_CLI.exists() and shutil.which("node"):
            (folder / "fixtures").mkdir()
            targets.append(servers.enter_context(start_peer(folder / "fixtures", text, events)))
        else:
            print(f"aimock is not installed here, so there are no ratios. To install it: {INSTALL}\n")
        targets.append(servers.enter_context(start_bare(plain, stream)))
        _describe(targets, text, events)
        found = measure(targets, options.rounds, options.seconds)
        report(found, [t.name for t in targets])
        if any(t.name == "aimock" for t in targets):
            print()
            verdict(found)
        if options.requests:
            memory([t for t in targets if t.name != "lab T=1"], options.requests)


def _describe(targets: Sequence[Target], text: str, events: int) -> None:
    streams = {t.name: body_of(drive(t, stream=True, concurrency=1, seconds=9, most=1).sample) for t in targets}
    counts = ", ".join(f"{name} {sent.count(b'data: ')} ({len(sent):,} bytes)" for name, sent in streams.items())
    print(f"an answer of {len(text)} characters; events of a stream: {counts}\n", flush=True)


if __name__ == "__main__":
    main()
