"""System calls of Linux that Python 3.11 has no function for. A failure is an OSError that names the call."""

from __future__ import annotations

import ctypes
import os
import platform
import struct

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID = 0x10000000, 0x20000000
MS_NOSUID, MS_NODEV, MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x1000, 0x2000, 0x4000, 0x40000
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 22, 36, 38
SECCOMP_MODE_FILTER = 2

ARCHITECTURE = platform.machine()

_libc: ctypes.CDLL | None = None


def libc() -> ctypes.CDLL:
    """The C library, loaded at first use: this module can be imported on any system."""
    global _libc
    if _libc is None:
        _libc = ctypes.CDLL(None, use_errno=True)
    return _libc


def checked(result: int, call: str) -> int:
    """The result of a system call.

    Raises:
        OSError: it is negative; the text begins with the name of the call.
    """
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{call}: {os.strerror(code)}")
    return result


def syscall(number: int, *arguments: object) -> int:
    """A raw system call; -1 with errno set when it fails."""
    return int(libc().syscall(number, *arguments))


def prctl(option: int, value: int = 0, pointer: object = None) -> None:
    """Change something about this process."""
    checked(libc().prctl(option, ctypes.c_ulong(value), pointer, 0, 0), "prctl")


def unshare(flags: int) -> None:
    """Leave the namespaces that the flags name, for new ones."""
    checked(libc().unshare(flags), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Mount something in this process's mount namespace."""
    names = [name.encode() if name else None for name in (source, target, kind, options)]
    checked(libc().mount(names[0], names[1], names[2], ctypes.c_ulong(flags), names[3]), f"mount on {target}")


def drop_capabilities() -> None:
    """Give up every capability, for good when no_new_privs is set (linux/capability.h, version 3)."""
    header = struct.pack("Ii", 0x20080522, 0)
    checked(libc().capset(header, bytes(24)), "capset")
