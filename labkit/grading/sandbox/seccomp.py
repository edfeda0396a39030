"""Seccomp: system calls that a student's code has no use for, refused with EPERM.

A second wall behind namespaces and Landlock, and the only one around sockets where there is no network namespace. The
filter is a program for the kernel's BPF machine (include/uapi/linux/seccomp.h, filter.h), put together here by hand: a
list of "if the number is N, refuse".
"""

from __future__ import annotations

import ctypes
import errno
import struct

from labkit.grading.sandbox.kernel import ARCHITECTURE, CLONE_NEWUSER, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, prctl

AUDIT_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
LOAD, JUMP_EQUAL, JUMP_ABOVE, JUMP_SET, AND, RETURN = 0x20, 0x15, 0x25, 0x45, 0x54, 0x06
NUMBER, ARCH, FIRST_ARGUMENT, SECOND_ARGUMENT = 0, 4, 16, 24
"""Offsets in `struct seccomp_data`; of an argument, the lower half."""
X32 = 0x40000000

REFUSED: dict[str, tuple[int, int]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "kexec_load": (246, 104),
    "swapon": (167, 224),
    "reboot": (169, 142),
}
"""By name: its number on x86_64 and on aarch64. memfd and System V memory would count against no limit."""
SOCKET, CLONE, CLONE3 = (41, 198), (56, 220), (435, 435)
SIGNALS = {"kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138)}
AF_UNIX, AF_INET, AF_INET6, SOCK_STREAM, SOCK_TYPES = 1, 2, 10, 1, 0xF

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, operand."""


def available() -> bool:
    """Whether there is a filter for this processor."""
    return ARCHITECTURE in AUDIT_ARCHITECTURE


def restrict(*, only_signal: int | None = None) -> None:
    """Install the filter in this process, for good. Needs no_new_privs.

    Args:
        only_signal: the one process that signals may go to; None where something else keeps signals inside.

    Raises:
        OSError: the kernel refuses.
        KeyError: there is no filter for this processor.
    """
    program = _program(only_signal)
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    filter_ = struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.create_string_buffer(filter_, len(filter_)))


def _program(only_signal: int | None) -> list[Instruction]:
    column = list(AUDIT_ARCHITECTURE).index(ARCHITECTURE)
    program = [
        (LOAD, 0, 0, ARCH),
        (JUMP_EQUAL, 1, 0, AUDIT_ARCHITECTURE[ARCHITECTURE]),
        _refuse(),
        (LOAD, 0, 0, NUMBER),
        (JUMP_ABOVE, 0, 1, X32 - 1),  # the other numbering of x86, which none of these rules would match
        _refuse(),
    ]
    for numbers in REFUSED.values():
        program += _when(numbers[column], [_refuse()])
    program += _when(CLONE3[column], [_refuse(errno.ENOSYS)])  # its flags are out of sight; clone is used instead
    new_user = [(LOAD, 0, 0, FIRST_ARGUMENT), (JUMP_SET, 0, 1, CLONE_NEWUSER), _refuse(), _allow()]
    program += _when(CLONE[column], new_user)
    program += _when(SOCKET[column], _socket())
    if only_signal is not None:
        for numbers in SIGNALS.values():
            to_itself = [(LOAD, 0, 0, FIRST_ARGUMENT), (JUMP_EQUAL, 1, 0, only_signal), _refuse(), _allow()]
            program += _when(numbers[column], to_itself)
    return [*program, _allow()]


def _socket() -> list[Instruction]:
    """Unix sockets of any type; on the network, streams only: no UDP, no raw packets, no netlink."""
    return [
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (JUMP_EQUAL, 6, 0, AF_UNIX),
        (JUMP_EQUAL, 1, 0, AF_INET),
        (JUMP_EQUAL, 0, 3, AF_INET6),
        (LOAD, 0, 0, SECOND_ARGUMENT),
        (AND, 0, 0, SOCK_TYPES),
        (JUMP_EQUAL, 1, 0, SOCK_STREAM),
        _refuse(),
        _allow(),
    ]


def _when(number: int, then: list[Instruction]) -> list[Instruction]:
    """`then` must end the program; the number of the call is loaded again by nobody, so it must be loaded still."""
    return [(JUMP_EQUAL, 0, len(then), number), *then]


def _refuse(code: int = errno.EPERM) -> Instruction:
    return (RETURN, 0, 0, REFUSE | code)


def _allow() -> Instruction:
    return (RETURN, 0, 0, ALLOW)
