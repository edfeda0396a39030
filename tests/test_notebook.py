"""A session inside a real Jupyter kernel: what it shows, and what happens when the lab server is killed under it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

from labkit import daemon
from labkit.notebook import is_connection_error
from labkit.settings import load

Kill = Callable[[int], None]

START = "import labkit as lk; lk.start(seed=7)"
CLIENT = """
from openai import OpenAI
client = OpenAI(max_retries=0)
def ask():
    messages = [{"role": "user", "content": "Say hello."}]
    return client.chat.completions.create(model=lk.model("openai"), messages=messages).choices[0].finish_reason
print(ask())
"""
KILL_AND_ASK = "import os, signal; os.kill({pid}, signal.SIGKILL); ask()"


@dataclass
class Cell:
    """What one cell left on the page."""

    text: str = ""
    error: str = ""
    traceback: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)


@dataclass
class Kernel:
    manager: KernelManager
    client: BlockingKernelClient

    def run(self, code: str) -> Cell:
        cell = Cell()

        def collect(message: dict[str, Any]) -> None:
            content = message["content"]
            cell.text += content.get("text", "") if message["msg_type"] == "stream" else ""
            if message["msg_type"] == "error":
                cell.error, cell.traceback = content["ename"], content["traceback"]
            if message["msg_type"] in ("display_data", "execute_result"):
                cell.html.append(content["data"].get("text/html", ""))

        self.client.execute_interactive(code, timeout=60, output_hook=collect, allow_stdin=False)
        return cell


    def printed(self, code: str) -> str:
        """What a cell printed that ended well."""
        cell = self.run(code)
        assert not cell.error, "\n".join(cell.traceback)
        return cell.text


@pytest.fixture
def kernel(lab_home: Path) -> Iterator[Kernel]:
    manager, client = start_new_kernel(kernel_name="python3", startup_timeout=60)
    try:
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_start_as_the_last_line_shows_one_table(kernel: Kernel) -> None:
    cell = kernel.run(START)
    assert len(cell.html) == 1
    assert "OpenAI" in cell.html[0]
    assert cell.text == ""
    assert len(kernel.run("lk.current()").html) == 1


def test_server_killed_between_cells_is_back_before_the_next_one(kernel: Kernel, kill: Kill) -> None:
    kernel.run(START)
    assert kernel.printed(CLIENT) == "stop\n"
    first = daemon.status(load())
    kill(first.pid)
    text = kernel.printed("print(ask(), lk.current().control('GET', 'tenant')['seed'])")
    assert "started again at the same address" in text
    assert text.endswith("stop 7\n")
    assert daemon.status(load()).url == first.url
    assert kernel.printed("print(ask())") == "stop\n"


def test_server_killed_under_a_running_cell_asks_to_run_it_again(kernel: Kernel) -> None:
    kernel.run(START)
    kernel.run(CLIENT)
    cell = kernel.run(KILL_AND_ASK.format(pid=daemon.status(load()).pid))
    assert cell.error == "APIConnectionError"
    assert cell.text.endswith("Run the cell again.\n")
    assert kernel.printed("print(ask())") == "stop\n"


def test_kernel_restart_leaves_the_server_running(kernel: Kernel) -> None:
    kernel.run(START)
    before = daemon.status(load())
    kernel.manager.restart_kernel(now=True)
    kernel.client.wait_for_ready(timeout=60)
    kernel.run(START)
    assert daemon.status(load()) == before


def test_mistake_in_start_is_one_line_and_no_traceback(kernel: Kernel) -> None:
    cell = kernel.run("import labkit as lk; lk.start(live=['openai'])")
    assert cell.error == "MissingKey"
    assert len(cell.traceback) == 1
    assert cell.traceback[0].startswith("MissingKey: OpenAI is to go live and OPENAI_API_KEY is not set")


def test_second_start_and_close_leave_one_or_no_hook(kernel: Kernel, kill: Kill) -> None:
    kernel.run(START + "; lk.start(quiet=True)")
    kill(daemon.status(load()).pid)
    assert kernel.run("1").text.count("started again") == 1
    kernel.run("lk.current().close()")
    kill(daemon.status(load()).pid)
    assert kernel.run("1").text == ""


def test_connection_errors_are_told_from_others_by_their_chain() -> None:
    wrapped = ValueError("outer")
    wrapped.__cause__ = ConnectionResetError()
    assert is_connection_error(wrapped)
    assert is_connection_error(KeyboardInterrupt())
    assert not is_connection_error(ValueError("inner"))
