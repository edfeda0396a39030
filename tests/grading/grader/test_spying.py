"""What a submission can see and reach: its own folder, the libraries, and the lab server."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labkit.grading.sandbox.bubblewrap import readable

Reported = Callable[[str], Any]


def test_the_environment_holds_nothing_of_the_instructors(reported: Reported, canary: str) -> None:
    seen = reported("return dict(os.environ)")
    assert canary not in json.dumps(seen)
    assert {name for name in seen if name.startswith("INSTRUCTOR")} == set()


@pytest.mark.parametrize("path", ["self/environ", "1/environ", "1/cmdline", "self/maps", "meminfo"])
def test_proc_tells_nothing(reported: Reported, path: str) -> None:
    assert "Permission" in reported(f"return open('/proc/{path}', 'rb').read().decode()")


def test_other_processes_are_not_listed(reported: Reported) -> None:
    assert "Permission" in reported("return os.listdir('/proc')")


def test_the_course_and_other_work_are_not_there(reported: Reported, course: Path, tmp_path: Path) -> None:
    (tmp_path / "bob.txt").write_text("another student's work")
    paths = [str(course), str(course / "solutions" / "checks" / "ex01.py"), str(tmp_path / "bob.txt")]
    body = f"return [os.path.exists(p) for p in {paths!r}]"
    assert reported(body) == [False] * 3


def test_hidden_checks_are_nowhere_on_disk(reported: Reported) -> None:
    body = (
        "found = []\n"
        "for root in ('.', '/tmp', os.path.dirname(__import__('labkit').__file__)):\n"
        "    for folder, _, files in os.walk(root):\n"
        "        paths = [os.path.join(folder, name) for name in files]\n"
        "        found += [path for path in paths if b'canary-' + b'that-no' in open(path, 'rb').read()]\n"
        "return found"
    )
    assert reported(body) == []


def test_hidden_checks_are_nowhere_in_memory(reported: Reported, canary: str) -> None:
    body = f"import gc\nword = {canary[:9]!r} + {canary[9:]!r}\n"
    body += "return sum(word in o for o in gc.get_objects() if isinstance(o, (dict, list)) and len(o) < 500)"
    assert reported(body) == 0


@pytest.mark.parametrize("pid", ["os.getppid()", "1", "os.getpid() + 1"])
def test_other_processes_memory_cannot_be_read(reported: Reported, pid: str) -> None:
    assert "Error" in reported(f"return open(f'/proc/{{{pid}}}/mem', 'rb').read(1)")
    assert reported(f"import ctypes\nreturn ctypes.CDLL(None).ptrace(16, {pid}, 0, 0)") == -1


OF_LIBRARIES = ["os.path.dirname(httpx.__file__) + '/x'", "os.path.dirname(os.__file__) + '/x'"]
WRITES = ["/usr/lib/x", "/etc/x", "/x", "/proc/sys/kernel/hostname", *OF_LIBRARIES]


@pytest.mark.parametrize("path", WRITES)
def test_nothing_can_be_written_outside_its_folder(reported: Reported, path: str) -> None:
    spelled = path if path.startswith("os.") else repr(path)
    assert "Error" in reported(f"open({spelled}, 'w').write('here')\nreturn 'written'")


def test_what_one_submission_wrote_the_next_does_not_find(reported: Reported) -> None:
    write = "for place in ('.', '/tmp', '/dev/shm'):\n    open(place + '/left', 'w').write('x')\nreturn 'written'"
    assert reported(write) == "written"
    look = "return [os.listdir(place) for place in ('.', '/tmp', '/dev/shm')]"
    course = {Path(path).parts[2] for path in readable() if path.startswith("/tmp/")}  # where this very clone may lie
    assert reported(look) == [["shm", "tmp"], sorted(course), []]


@pytest.fixture
def neighbour() -> Iterator[int]:
    """A server on this machine that is none of a submission's business."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_no_port_but_the_lab_servers(reported: Reported, neighbour: int) -> None:
    body = f"import socket\nsocket.create_connection(('127.0.0.1', {neighbour}), 1)\nreturn 'connected'"
    assert "Error" in reported(body)


@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW"])
def test_no_address_outside(reported: Reported, kind: str) -> None:
    body = (
        f"import socket\ns = socket.socket(socket.AF_INET, socket.{kind})\ns.settimeout(1)\n"
        "s.connect(('192.0.2.1', 53))\ns.send(b'x')\nreturn 'sent'"
    )
    assert "Error" in reported(body) or "imeout" in reported(body)


CALLS = {
    "unshare": "libc.unshare(0x10000000)",
    "mount": "libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)",
    "setuid": "libc.setuid(0)",
    "chroot": "libc.chroot(b'/tmp')",
    "memfd_create": "libc.memfd_create(b'x', 0)",
    "bpf": "libc.syscall(321, 0, 0, 0)",
    "io_uring_setup": "libc.syscall(425, 1, 0)",
}


@pytest.mark.parametrize("name", CALLS)
def test_no_right_can_be_regained(reported: Reported, name: str) -> None:
    assert reported(f"import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nreturn {CALLS[name]}") == -1


def test_it_is_nobody_and_alone(reported: Reported) -> None:
    body = "return [os.getuid() != 0, os.getpid(), os.getsid(0) == os.getpid()]"
    assert reported(body)[1:] == [1, True]
