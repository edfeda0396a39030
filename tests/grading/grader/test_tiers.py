"""What every kind of sandbox must do, run on each that works on this machine."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labkit.grading.sandbox import tiers
from labkit.grading.sandbox.channel import Gone, NoReply
from labkit.grading.sandbox.forkserver import ForkServer, SandboxFailed, Work
from labkit.grading.sandbox.limits import MIB, Limits
from labkit.grading.sandbox.spare import SpareServer, SpareWork
from labkit.grading.sandbox.tiers import Tier

LIMITS = Limits(memory_bytes=256 * MIB, output_bytes=1_000, reply_bytes=10_000, open_files=64, processes=24)


@pytest.fixture(scope="module")
def lab_port() -> Iterator[int]:
    """A port that stands for the lab server's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture(scope="module", params=[*tiers.available(), "spare"], ids=str)
def warm(request: pytest.FixtureRequest, lab_port: int) -> Iterator[ForkServer | SpareServer]:
    if request.param == "spare":
        with SpareServer(LIMITS, modules=["IPython"]) as server:
            yield server
    else:
        with ForkServer(request.param, LIMITS, port=lab_port, modules=["IPython"]) as server:
            yield server


@pytest.fixture
def strong(warm: ForkServer) -> ForkServer:
    if not warm.tier.strong:
        pytest.skip("this tier keeps nothing from anybody")
    return warm


@pytest.fixture
def work(warm: ForkServer) -> Iterator[Work]:
    work = warm.open({"GREETING": "hello"})
    yield work
    work.end()


@pytest.fixture
def shut_in(strong: ForkServer, work: Work) -> Callable[[str], dict[str, Any]]:
    """What comes of a cell where it matters who may read it."""
    return lambda source: cell(work, source)


def cell(work: Work, source: str, seconds: float = 5) -> dict[str, Any]:
    return work.ask({"do": "cell", "source": source, "seconds": seconds}, seconds + 1)


def test_cells_run_and_functions_answer(work: Work) -> None:
    assert cell(work, "import os\nprint(os.environ['GREETING'])\ndef double(x): return 2 * x")["outcome"] == "ok"
    assert work.output.take() == "hello\n"
    assert work.ask({"do": "call", "name": "double", "args": [21], "seconds": 1}, 2) == {"value": 42}


def test_top_level_await_and_magics_work(work: Work) -> None:
    assert cell(work, "import asyncio\nx = await asyncio.sleep(0, 7)\n%time x\n!echo from a shell")["outcome"] == "ok"
    assert "from a shell" in work.output.take()


def test_an_error_is_told_in_one_line(work: Work) -> None:
    reply = cell(work, "1 / 0")
    assert (reply["outcome"], reply["error"]) == ("error", "ZeroDivisionError: division by zero")


def test_a_cell_is_interrupted_and_the_next_one_runs(work: Work) -> None:
    assert cell(work, "while True: pass", seconds=0.2)["outcome"] == "time"
    assert cell(work, "1")["outcome"] == "ok"


def test_a_process_that_cannot_be_interrupted_is_killed(work: Work) -> None:
    loop = "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})\nwhile True: pass"
    begun = time.monotonic()
    with pytest.raises(NoReply):
        work.ask({"do": "cell", "source": loop, "seconds": 0.1}, 0.5)
    assert work.end() == "signal 9"
    assert time.monotonic() - begun < 5


ENDS = [("import os; os._exit(3)", "exit 3"), ("import ctypes; ctypes.string_at(0)", "signal 11")]


@pytest.mark.parametrize(("source", "why"), ENDS)
def test_a_process_that_ends_is_gone(work: Work, source: str, why: str) -> None:
    with pytest.raises(Gone):
        cell(work, source)
    assert work.end() == why


def test_output_and_replies_have_a_limit(work: Work) -> None:
    cell(work, "print('x' * 50_000)\ndef large(): return 'y' * 50_000")
    assert len(work.output.take()) < 1_100
    assert work.ask({"do": "call", "name": "large", "seconds": 1}, 2)["trouble"] == "not plain"


def test_memory_has_a_limit(work: Work) -> None:
    assert cell(work, "x = bytearray(2 * 2**30)")["error"].startswith("MemoryError")


def test_memory_of_all_processes_together_has_a_limit(work: Work) -> None:
    if isinstance(work, SpareWork):
        pytest.skip("nobody watches the memory of a process that was not forked")
    fork = "import os, time\nfor _ in range(4):\n    if not os.fork():\n        x = bytearray(100 * 2**20)\n"
    with pytest.raises(Gone):
        cell(work, f"{fork}        time.sleep(30)\ntime.sleep(30)", seconds=20)
    assert work.end() == "memory"


def test_open_files_have_a_limit(work: Work) -> None:
    assert "Too many open files" in cell(work, "files = [open('/dev/null') for _ in range(500)]")["error"]


def test_nothing_is_left_when_it_ends(work: Work) -> None:
    import psutil

    cell(work, "import subprocess\nfor _ in range(3): subprocess.Popen(['sleep', '97531'], start_new_session=True)")
    work.end()
    assert not [p for p in psutil.process_iter(["cmdline"]) if "97531" in (p.info["cmdline"] or [])]


def test_each_submission_starts_from_nothing(warm: ForkServer) -> None:
    for _ in range(2):
        work = warm.open({})
        look = "import os\nprint(sorted(os.listdir('.')), 'left' in globals())\nopen('left', 'w').close()\nleft = 1"
        assert cell(work, look)["outcome"] == "ok"
        assert work.output.take() == "['shm', 'tmp'] False\n"
        work.end()


def test_the_warm_process_that_ends_is_noticed(lab_port: int) -> None:
    with ForkServer(Tier.limits, LIMITS, port=lab_port, modules=[]) as server:
        server._process.kill()
        with pytest.raises(SandboxFailed, match="warm process failed"):
            server.open({})


# --- What the strong tiers keep apart --------------------------------------------------------------------------------


def test_files_of_others_cannot_be_read(shut_in: Callable[[str], Any], tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    assert "Error" in shut_in(f"open({str(tmp_path / 'secret')!r}).read()")["error"]


@pytest.mark.parametrize("path", ["/etc/new", "/usr/new", "/proc/self/comm"])
def test_nothing_can_be_written_elsewhere(shut_in: Callable[[str], Any], path: str) -> None:
    assert "Error" in shut_in(f"open({path!r}, 'w').write('x')")["error"]


def test_other_ports_cannot_be_reached(shut_in: Callable[[str], Any], strong: ForkServer, lab_port: int) -> None:
    if strong.tier is Tier.namespaces:
        pytest.skip("here the grader process has a network of its own around it: see test_spying.py")
    with socket.create_server(("127.0.0.1", 0)) as other:
        connect = "import socket\nsocket.create_connection(('127.0.0.1', {}), 2)"
        assert "PermissionError" in shut_in(connect.format(other.getsockname()[1]))["error"]
        assert shut_in(connect.format(lab_port))["outcome"] == "ok"


KINDS = ["AF_INET, socket.SOCK_DGRAM", "AF_INET6, socket.SOCK_DGRAM", "AF_NETLINK, socket.SOCK_RAW"]


@pytest.mark.parametrize("kind", KINDS)
def test_there_are_no_sockets_but_streams(shut_in: Callable[[str], Any], kind: str) -> None:
    assert "PermissionError" in shut_in(f"import socket\nsocket.socket(socket.{kind})")["error"]


def test_signals_reach_nobody_else(shut_in: Callable[[str], Any]) -> None:
    """The process that these tests run in, as an example of somebody else."""
    here = threading.get_native_id()
    assert "Error" in shut_in(f"import os\nos.kill({here}, 0)")["error"]
    assert "Error" in shut_in(f"import os\nos.kill({os.getpid()}, 0)")["error"]
