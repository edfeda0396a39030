"""Landlock: this process and its children may touch these files and ports, and nothing else, for good.

Constants and structures: include/uapi/linux/landlock.h. What a kernel's Landlock is too old for is left out: the caller
asks `abi()` and decides whether that is enough.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress

from labkit.grading.sandbox.kernel import checked, syscall

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
QUERY_VERSION = 1
PATH_BENEATH, NET_PORT = 1, 2

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
TRUNCATE, IOCTL_DEVICE = 1 << 14, 1 << 15
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEVICE
READ = EXECUTE | READ_FILE | READ_DIR
RIGHTS_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""All rights over files, by the first version that knows them."""
DEVICE_NODES = (1 << 6) | (1 << 11)
"""Making character and block devices: granted nowhere."""
BIND_TCP, CONNECT_TCP = 1 << 0, 1 << 1
SCOPE_ABSTRACT_SOCKETS, SCOPE_SIGNALS = 1 << 0, 1 << 1
PORTS_FROM, SCOPES_FROM = 4, 6
"""Versions that know ports, and that keep signals and abstract sockets inside."""


def abi() -> int:
    """The version that this kernel has; 0 for none."""
    if sys.platform != "linux":
        return 0
    return max(syscall(CREATE_RULESET, None, 0, QUERY_VERSION), 0)


def restrict(
    *, read: Iterable[str], write: Iterable[str], ports: Iterable[int] | None = None, version: int | None = None
) -> None:
    """Restrict this process to these paths and what lies beneath them. Needs no_new_privs.

    Args:
        read: may be read and executed. Paths that do not exist are passed over.
        write: may also be changed, files and folders made and removed in them.
        ports: TCP ports that may be connected to, where the kernel knows how; none may be listened on. None leaves the
            network alone.

    Raises:
        OSError: the kernel refuses.
    """
    version = abi() if version is None else version
    rights = RIGHTS_BY_ABI[max(known for known in RIGHTS_BY_ABI if known <= version)]
    network = BIND_TCP | CONNECT_TCP if ports is not None and version >= PORTS_FROM else 0
    scopes = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS if version >= SCOPES_FROM else 0
    attributes = struct.pack("QQQ", rights, network, scopes)
    size = 24 if version >= SCOPES_FROM else 16 if version >= PORTS_FROM else 8
    ruleset = checked(syscall(CREATE_RULESET, attributes, ctypes.c_size_t(size), 0), "landlock_create_ruleset")
    try:
        for path in read:
            _allow(ruleset, path, READ & rights)
        for path in write:
            _allow(ruleset, path, rights & ~DEVICE_NODES)
        for port in ports or () if network else ():
            rule = struct.pack("QQ", CONNECT_TCP, port)
            checked(syscall(ADD_RULE, ruleset, NET_PORT, rule, 0), "landlock_add_rule")
        checked(syscall(RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    with suppress(FileNotFoundError):
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(handle).st_mode):
                rights &= OF_FILES
            rule = struct.pack("=Qi", rights, handle)
            checked(syscall(ADD_RULE, ruleset, PATH_BENEATH, rule, 0), f"landlock_add_rule for {path}")
        finally:
            os.close(handle)
