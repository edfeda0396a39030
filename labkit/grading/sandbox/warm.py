"""The warm process: has imported everything that a notebook may want, and forks once for each submission.

    python -m labkit.grading.sandbox.warm DESCRIPTOR

It is started inside the sandbox and runs no code of a student's. The descriptor is a socket to the grader that keeps
message boundaries:

    <- {"modules": [...], "limits": {...}, "tier": ..., "home": ..., "read": [...], ...}       once, first: see Setup
    -> {"ready": {"python": "3.11.7", ...}}
    <- {"start": 1, "uid": 1000001, "environment": {...}}      with two descriptors: the talk, and where output goes
    -> {"started": 1}, or {"failed": "why"}: the grader's trouble, not the student's
    <- {"kill": 1}
    -> {"ended": 1, "why": "exit 0"}                           "signal 9", "memory", "processes"

Each submission gets namespaces of its own (processes, mounts, IPC), a file system in memory that goes away with them, a
user of its own where the grader is root, and then gives up every right to more. See `_enclose` and `_settle_down`.
"""

from __future__ import annotations

import gc
import json
import os
import select
import shutil
import signal
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never

from labkit.grading.sandbox import kernel, landlock, seccomp
from labkit.grading.sandbox.limits import Limits
from labkit.grading.sandbox.pupil import Pupil, fresh_streams, make_shell, set_environment
from labkit.grading.sandbox.rehearsal import one_certificate, rehearse, warm_up
from labkit.grading.sandbox.tiers import Tier

WATCH_SECONDS = 0.25
"""Between looks at the memory of a submission."""
MESSAGE_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Setup:
    """The first message."""

    modules: list[str]
    limits: Limits
    tier: Tier
    home: str
    """Folder of a submission: a mount point in the strongest tier, else a folder that holds one for each."""
    read: list[str]
    port: int
    """Of the lab server."""
    rehearsal: dict[str, str]
    """Environment for first calls to the lab server; empty for none."""


class Warm:
    """The loop of the warm process: one submission at a time."""

    def __init__(self, control: socket.socket, setup: Setup) -> None:
        self._control = control
        self._setup = setup
        self._shell: Any = None
        self._pid = self._serial = 0
        self._handle = -1
        self._excess = ""
        self._home = setup.home
        self._spare = 0
        self._certificate: Mapping[str, str] = {}

    def serve(self) -> None:
        """Import, report, then start and end submissions until the grader goes away."""
        versions = warm_up(self._setup.modules)
        path = Path(self._setup.home).parent / "certificate.pem"
        self._certificate = one_certificate(path)
        self._setup.read.append(str(path))
        os.environ.update(self._certificate)
        if self._setup.rehearsal:
            rehearse(self._setup.rehearsal)
        self._shell = make_shell()
        gc.collect()
        gc.freeze()
        self._spare = _memory_of([os.getpid()])
        self._send({"ready": versions})
        while True:
            watched = [self._control] + ([self._handle] if self._pid else [])
            ready, _, _ = select.select(watched, [], [], WATCH_SECONDS if self._pid else None)
            if self._handle in ready:
                self._report_end()
            if self._control in ready and not self._obey():
                return
            if self._pid and not ready:
                self._watch()

    def _obey(self) -> bool:
        """Do what the next message says; False when there is nobody left to say anything."""
        data, descriptors, _, _ = socket.recv_fds(self._control, MESSAGE_BYTES, 2)
        if not data:
            if self._pid:
                self._end()
            return False
        message = json.loads(data)
        if "start" in message:
            self._start(message, *descriptors)
        elif message.get("kill") == self._serial and self._pid:
            self._end()
        return True

    def _start(self, message: dict[str, Any], talk: int, output: int) -> None:
        self._serial, uid = message["start"], message["uid"]
        if self._setup.tier is not Tier.namespaces:
            self._home = os.path.join(self._setup.home, str(self._serial))
        told, tell = os.pipe()
        between = os.fork()
        if between == 0:
            os.close(told)
            self._become_parent(message, uid, talk, output, tell)
        os.close(tell)
        os.close(talk)
        os.close(output)
        with os.fdopen(told, "rb") as pipe:
            answer = json.loads(pipe.read() or b'{"failed": "the process between ended without a word"}')
        os.waitpid(between, 0)
        if "failed" in answer:
            self._send(answer)
            return
        self._pid, self._excess = answer["pid"], ""
        self._handle = os.pidfd_open(self._pid)
        self._send({"started": self._serial})

    def _become_parent(self, message: dict[str, Any], uid: int | None, talk: int, output: int, tell: int) -> Never:
        """In a fork: make the enclosure, fork the submission's process into it, tell its number, and be gone."""
        try:
            _enclose(self._setup, self._home, uid)
            pid = os.fork()
            if pid == 0:
                self._be_a_pupil(message, uid, talk, output)
            answer: dict[str, Any] = {"pid": pid}
        except BaseException as error:
            answer = {"failed": f"{type(error).__name__}: {error}"}
        os.write(tell, json.dumps(answer).encode())
        os._exit(0)

    def _be_a_pupil(self, message: dict[str, Any], uid: int | None, talk: int, output: int) -> Never:
        """In the fork of the fork: put on the chains, then run what the grader sends."""
        try:
            _rearrange_descriptors(talk, output)
            _settle_down(self._setup, self._home, uid, {**self._certificate, **message["environment"]})
            stream = socket.socket(fileno=3)
            steps, replies = stream.makefile("rb"), stream.makefile("wb")
            Pupil(self._shell, steps, replies, self._setup.limits.reply_bytes).serve()
        except BaseException as error:
            os.write(2, f"labkit: the process could not go on ({type(error).__name__}: {error})\n".encode())
        os._exit(0)

    def _watch(self) -> None:
        limits, processes = self._setup.limits, descendants(os.getpid())
        if len(processes) > limits.processes:  # where the kernel does not count, since all have one user
            self._excess = "processes"
        elif _memory_of([os.getpid(), *processes]) - self._spare > limits.memory_bytes:
            self._excess = "memory"
        if self._excess:
            self._end()

    def _end(self) -> None:
        """Kill everything that the submission started."""
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        select.select([self._handle], [], [])
        self._report_end()

    def _report_end(self) -> None:
        _, status = os.waitpid(self._pid, 0)
        os.close(self._handle)
        if self._setup.tier is not Tier.namespaces:
            _kill_orphans()
            shutil.rmtree(self._home, ignore_errors=True)
        self._pid, self._handle = 0, -1
        code = os.waitstatus_to_exitcode(status)
        why = self._excess or (f"signal {-code}" if code < 0 else f"exit {code}")
        self._send({"ended": self._serial, "why": why})

    def _send(self, message: dict[str, Any]) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):
            self._control.send(json.dumps(message).encode())


# --- What a submission is enclosed in --------------------------------------------------------------------------------


def _enclose(setup: Setup, home: str, uid: int | None) -> None:
    """Namespaces and a file system of its own; in the weaker tiers, a folder."""
    limits = setup.limits
    if setup.tier is not Tier.namespaces:
        for folder in (home, f"{home}/tmp", f"{home}/shm"):
            Path(folder).mkdir(parents=True)
            if uid is not None:
                os.chown(folder, uid, uid)
        return
    flags = kernel.CLONE_NEWPID | kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
    owner, group = (os.getuid(), os.getgid()) if uid is None else (uid, uid)
    if uid is None:
        kernel.unshare(flags | kernel.CLONE_NEWUSER)
        _map_user(owner, group)
    else:
        kernel.unshare(flags)
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    options = f"size={limits.disk_bytes},nr_inodes={limits.files},mode=0700,uid={owner},gid={group}"
    kernel.mount("tmpfs", home, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, options)
    covered = _held_open(home, [path for path in setup.read if path.startswith("/tmp/")])
    for inside, outside in ((f"{home}/tmp", "/tmp"), (f"{home}/shm", "/dev/shm")):
        os.mkdir(inside, 0o700)
        os.chown(inside, owner, group)
        kernel.mount(inside, outside, None, kernel.MS_BIND)
    for kept, path in covered:
        os.makedirs(path, 0o755)
        kernel.mount(kept, path, None, kernel.MS_MOVE)
        os.rmdir(kept)


def _held_open(home: str, paths: list[str]) -> list[tuple[str, str]]:
    """Folders that a new /tmp will cover (a course was cloned there), each bound to a place that stays free."""
    kept = []
    for number, path in enumerate(path for path in paths if os.path.isdir(path) and not os.path.islink(path)):
        place = f"{home}/covered{number}"
        os.mkdir(place, 0o755)
        kernel.mount(path, place, None, kernel.MS_BIND | kernel.MS_REC)
        kept.append((place, path))
    return kept


def _map_user(uid: int, gid: int) -> None:
    """This user, and nobody else, exists in the new user namespace."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def _rearrange_descriptors(talk: int, output: int) -> None:
    """0 is empty, 1 and 2 go to the grader, 3 is the talk, and nothing else is open."""
    talk, output = (os.dup2(one, one + 200) for one in (talk, output))  # out of each other's way
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.dup2(talk, 3)
    os.closerange(4, 4096)


def _settle_down(setup: Setup, home: str, uid: int | None, environment: dict[str, str]) -> None:
    """Give up rights one after the other; after the last line nothing here can be taken back."""
    fresh_streams()
    os.setsid()
    set_environment(home, environment)
    setup.limits.impose()
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    os.chdir(home)
    if setup.tier is Tier.limits:
        return
    kernel.drop_capabilities()
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    enclosed = setup.tier is Tier.namespaces
    write = [home, "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"]
    write += ["/tmp", "/dev/shm"] if enclosed else []
    landlock.restrict(read=setup.read, write=write, ports=None if enclosed else [setup.port])
    if seccomp.available():
        own = None if enclosed or landlock.abi() >= landlock.SCOPES_FROM else os.getpid()
        seccomp.restrict(only_signal=own)


# --- Memory and processes as /proc tells them ------------------------------------------------------------------------


def _kilobytes(path: str, name: str) -> int:
    """A figure out of /proc; 0 where there is none, or its process has just ended."""
    with suppress(OSError), open(path) as file:
        for line in file:
            if line.startswith(name):
                return int(line.split()[1])
    return 0


def _memory_of(pids: list[int]) -> int:
    """Bytes that these processes hold, shared pages counted once (proportional set size)."""
    return sum(_kilobytes(f"/proc/{pid}/smaps_rollup", "Pss:") for pid in pids) * 1024


def descendants(root: int) -> list[int]:
    """Every process under this one, as far as /proc shows them."""
    parents: dict[int, int] = {}
    with suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdigit():
                parents[int(name)] = _parent(name)
    found, level = [], {root}
    while level:
        level = {pid for pid, parent in parents.items() if parent in level}
        found += sorted(level)
    return found


def _parent(pid: str) -> int:
    with suppress(OSError, ValueError), open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[1])
    return -1


def _kill_orphans() -> None:
    """Without a process namespace: kill what the submission left behind, which has become ours, until nothing is."""
    deadline = time.monotonic() + 5
    while (left := descendants(os.getpid())) and time.monotonic() < deadline:
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in left:
                with suppress(OSError):
                    os.kill(pid, number)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue


def main() -> None:
    """Serve until the grader's end of the socket closes."""
    control = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(control.fileno(), False)
    first = json.loads(control.recv(MESSAGE_BYTES))
    setup = Setup(**{**first, "limits": Limits(**first["limits"]), "tier": Tier(first["tier"])})
    if sys.platform == "linux":
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    Warm(control, setup).serve()


if __name__ == "__main__":
    main()
