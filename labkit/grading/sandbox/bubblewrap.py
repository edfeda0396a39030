"""The file system and the namespaces of the warm process: what it can see is what a submission can see at most."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
CONFIGURATION = (
    *("/etc/alternatives", "/etc/ca-certificates", "/etc/fonts", "/etc/hosts", "/etc/ld.so.cache", "/etc/localtime"),
    *("/etc/mime.types", "/etc/nsswitch.conf", "/etc/pki", "/etc/protocols", "/etc/services", "/etc/ssl"),
)
"""What libraries read under /etc. Nothing in it is secret."""
HOME = "/submission"
WARM_DISK_BYTES = 256 * 2**20
CAPABILITIES = ("SYS_ADMIN", "SETUID", "SETGID", "KILL", "SYS_PTRACE", "CHOWN", "DAC_OVERRIDE")
"""What the warm process needs as root to enclose a submission; the submission itself has none of it."""


def readable() -> list[str]:
    """Folders and files that a submission may read: the system's libraries, this Python, and labkit without course."""
    package = str(Path(__file__).parents[2])
    python = [sys.prefix, sys.base_prefix, os.path.realpath(sys.base_prefix), package]
    return [path for path in dict.fromkeys((*SYSTEM, *CONFIGURATION, *python)) if os.path.exists(path)]


def with_network_of_its_own(command: list[str]) -> list[str]:
    """The command where there is no network but a loopback, and where all processes end with the first.

    It sees every file as we do.
    """
    rights = ["--cap-add", "ALL"] if os.geteuid() == 0 else []
    words = [_bwrap(), "--unshare-net", "--unshare-pid", *rights, "--die-with-parent"]
    return [*words, "--dev-bind", "/", "/", "--proc", "/proc", "--", *command]


def enclosed(command: list[str]) -> list[str]:
    """The command where only `readable()` exists, and an empty home and /tmp in memory."""
    words = [_bwrap(), "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    words += ["--die-with-parent", "--new-session", "--clearenv", *_environment(), *_rights()]
    words += ["--dev", "/dev", "--proc", "/proc", "--size", str(WARM_DISK_BYTES), "--tmpfs", "/tmp", "--dir", HOME]
    parents = (str(parent) for path in readable() for parent in reversed(Path(path).parents[:-1]))
    for folder in dict.fromkeys(parents):
        words += ["--perms", "0755", "--dir", folder]  # else its own user could not pass through
    for path in readable():
        link = os.path.islink(path)
        words += ["--symlink", os.readlink(path), path] if link else ["--ro-bind", path, path]
    return [*words, "--chdir", "/tmp", "--", *command]


def warm_environment() -> dict[str, str]:
    """Environment of the warm process, before any submission has its own."""
    from labkit.providers import ALWAYS

    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": "/tmp",
        "USER": "student",
        "IPYTHONDIR": "/tmp/ipython",
        "MPLCONFIGDIR": "/tmp/matplotlib",
        "MPLBACKEND": "agg",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        **_from_checkout(),
        **ALWAYS,
    }


def _from_checkout() -> dict[str, str]:
    """Where labkit is, when it is not installed."""
    folder = str(Path(__file__).parents[3])
    return {} if "site-packages" in folder else {"PYTHONPATH": folder}


def _environment() -> Iterator[str]:
    for name, value in warm_environment().items():
        yield from ("--setenv", name, value)


def _rights() -> list[str]:
    if os.geteuid() != 0:
        return []
    return ["--cap-drop", "ALL", *(word for name in CAPABILITIES for word in ("--cap-add", f"CAP_{name}"))]


def _bwrap() -> str:
    return shutil.which("bwrap") or "bwrap"
