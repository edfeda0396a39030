"""Work that breaks its process, its limits or the machine: stopped in time, paid for by itself, gone afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from labkit.grading.results import SubmissionResult

Graded = Callable[..., SubmissionResult]

SWALLOW = "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
INDENTED = "    " + SWALLOW.replace("\n", "\n    ")

CELLS: dict[str, tuple[str, set[str]]] = {
    "sys.exit": ("import sys\nsys.exit(3)", {"error"}),
    "exit": ("exit()", {"ok", "error"}),
    "os._exit": ("os._exit(0)", {"died"}),
    "a crash": ("import ctypes\nctypes.string_at(0)", {"died"}),
    "kills its parent": ("import signal\nos.kill(os.getppid(), signal.SIGKILL)", {"ok", "error", "died"}),
    "kills everybody": ("import signal\nos.kill(-1, signal.SIGKILL)", {"ok", "error", "died"}),
    "kills the first process": ("import signal\nos.kill(1, signal.SIGTERM)", {"ok", "error", "died"}),
    "an endless loop": ("while True: pass", {"time"}),
    "an endless loop that swallows interrupts": (SWALLOW, {"time"}),
    "ignores signals": (
        "import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, {14, 2})\ntime.sleep(99)",
        {"time"},
    ),
    "a thread that never ends": ("import threading\nthreading.Thread(target=lambda: exec(LOOP)).start()", {"ok"}),
    "a fork bomb": ("while True:\n    os.fork()", {"time", "died", "error"}),
    "a fork that comes back": ("os.fork()", {"ok"}),
    "a thread bomb": (
        "import threading, time\nfor _ in range(9999):\n    threading.Thread(target=time.sleep, args=(9,)).start()",
        {"error"},
    ),
    "ten gigabytes": ("x = bytearray(10 * 2**30)", {"error"}),
    "much memory in many processes": (
        "import time\nfor _ in range(3):\n    if not os.fork():\n"
        "        x = bytearray(120 * 2**20)\n        time.sleep(9)\ntime.sleep(9)",
        {"died", "time"},
    ),
    "five gigabytes of output": ("for _ in range(5 * 2**14):\n    os.write(1, b'x' * 2**16)", {"time", "ok"}),
    "five gigabytes of errors": ("import sys\nwhile True: sys.stderr.write('y' * 2**16)", {"time"}),
    "a million small files": ("for n in range(10**6):\n    open(f'f{n}', 'w').close()", {"error"}),
    "one large file": ("with open('large', 'wb') as f:\n    while True: f.write(b'x' * 2**20)", {"error", "died"}),
    "a huge repr": ("class Huge:\n    def __repr__(self): return 'x' * 2**30\nHuge()", {"ok", "error", "died", "time"}),
    "a repr that exits": ("class Exit:\n    def __repr__(self): os._exit(0)\nExit()", {"died"}),
    "deep recursion": ("import sys\nsys.setrecursionlimit(10**9)\ndef f(): f()\nf()", {"died", "error", "time"}),
    "closes every descriptor": ("os.closerange(0, 100)", {"died"}),
    "breaks IPython": ("get_ipython().run_cell = None", {"ok"}),
    "replaces the streams": ("import sys\nsys.stdout = sys.stderr = None", {"ok"}),
    "floods the lab server": (
        "import threading\nthreading.stack_size(2**18)\n"
        "def flood():\n    with httpx.Client(headers={'Authorization': f'Bearer {KEY}'}) as client:\n"
        "        while True: client.get(URL + '/models')\n"
        "for _ in range(8): threading.Thread(target=flood, daemon=True).start()\n"
        "threading.Event().wait(0.5)\nos._exit(0)",
        {"died"},
    ),
}
"""A cell before the answers, and what it may come to. The answers in the other cells are honest."""

SAFE_AFTERWARDS = {"breaks IPython": 0}
"""Points that the cell may cost: what it breaks is its own."""


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_that_breaks_costs_no_later_task(graded: Graded, name: str) -> None:
    source, outcomes = CELLS[name]
    result = graded('LOOP = "while True: pass"', source)
    assert result.cells[2].outcome in outcomes
    assert len(result.cells[2].output) < 20_000
    assert result.earned == SAFE_AFTERWARDS.get(name, 4)
    assert result.seconds < 15


FUNCTIONS = {
    "os._exit": "def double(x):\n    os._exit(0)",
    "an endless loop that swallows interrupts": f"def double(x):\n{INDENTED}",
    "more memory than there is": "def double(x):\n    return len([bytearray(2**20) for _ in range(10**5)])",
    "an endless generator": "def double(x):\n    while True:\n        yield x",
    "a coroutine that never ends": "import asyncio\nasync def double(x):\n    await asyncio.Event().wait()",
    "a huge value": "def double(x):\n    return 'x' * 2**24",
    "a deep value": "def double(x):\n    v = []\n    for _ in range(900): v = [v]\n    return v",
    "a value that contains itself": "def double(x):\n    v = []\n    v.append(v)\n    return v",
    "a value whose conversion exits": (
        "class D(dict):\n    def items(self): os._exit(0)\ndef double(x):\n    return D(a=1)"
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_that_breaks_costs_its_own_task(graded: Graded, name: str) -> None:
    result = graded(double=FUNCTIONS[name])
    assert [task.earned for task in result.tasks] == [0, 2, 0]
    assert result.tasks[0].checks[0].message
    assert result.seconds < 15


def test_a_function_that_ended_its_process_is_not_called_again(graded: Graded) -> None:
    result = graded(double=FUNCTIONS["os._exit"])
    assert result.restarts == 1
    sentences = {check.message for check in result.tasks[0].checks}
    assert sentences == {"`double` broke off: its process has ended (exit 0)."}


def test_running_the_cells_again_is_no_evidence(graded: Graded) -> None:
    call = 'httpx.get(URL + "/models", headers={"Authorization": f"Bearer {KEY}"})'
    assert graded(call, double=FUNCTIONS["os._exit"]).tasks[1].earned == 2


@pytest.fixture
def processes_called() -> Iterator[Callable[[str], list[int]]]:
    def find(word: str) -> list[int]:
        return [p.pid for p in psutil.process_iter(["cmdline"]) if word in (p.info["cmdline"] or [])]

    yield find


def test_processes_that_it_leaves_behind_are_ended(graded: Graded, processes_called: Any) -> None:
    leave = "import subprocess\nsubprocess.Popen(['sleep', '86311'], start_new_session=True)"
    assert graded(leave).earned == 4
    assert processes_called("86311") == []


def test_a_flood_that_goes_on_while_it_is_checked_harms_nobody_else(graded: Graded) -> None:
    flood, _, _ = CELLS["floods the lab server"][0].partition("threading.Event()")
    assert graded(flood).tasks[0].earned == 2
    assert graded().earned == 4


def test_too_many_breaks_use_up_the_restarts(graded: Graded) -> None:
    result = graded(*["os._exit(1)"] * 9)
    assert {c.outcome for c in result.cells[-3:]} == {"skipped"}
    assert (result.earned, result.restarts) == (0, 6)


def test_output_is_cut_while_it_is_printed(graded: Graded) -> None:
    result = graded("print('head', 'x' * 10**6)")
    assert result.cells[1].output.startswith("head x")
    assert result.cells[1].output.endswith(" more bytes]")


def test_the_time_for_the_whole_is_limited(graded: Graded) -> None:
    result = graded(*["import time\ntime.sleep(99)"] * 20)
    assert result.seconds < 20
    assert result.cells[-1].outcome == "skipped"
