"""What one submission may use."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one submission. Times are seconds of the wall clock."""

    cell_seconds: float = 30.0
    """One cell."""
    total_seconds: float = 120.0
    """Everything: cells, checks, and what has to be run again after a process was ended."""
    grace_seconds: float = 1.0
    """How long code may go on after it was interrupted, before its process is ended."""
    memory_bytes: int = 1024 * MIB
    """All its processes together, on top of what is there before its first line runs."""
    disk_bytes: int = 64 * MIB
    files: int = 20_000
    processes: int = 64
    """Processes and threads together."""
    open_files: int = 256
    output_bytes: int = 16_384
    """Of what one cell prints, kept from its start; the rest is thrown away as it arrives."""
    reply_bytes: int = 4 * MIB
    """One value that a function returns, as JSON."""
    restarts: int = 6
    """How often the process may be started anew after it died or had to be ended."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def impose(self) -> None:
        """Limit this process, as far as its system can. The memory of all together is watched from outside."""
        try:
            import resource
        except ImportError:  # Windows
            return
        address_space = _address_space() + 2 * self.memory_bytes
        seconds = int(self.total_seconds) + 5
        for name, value in (
            ("RLIMIT_AS", address_space),
            ("RLIMIT_CPU", seconds),
            ("RLIMIT_CORE", 0),
            ("RLIMIT_FSIZE", self.disk_bytes),
            ("RLIMIT_NOFILE", self.open_files),
            ("RLIMIT_NPROC", self.processes),
            ("RLIMIT_MSGQUEUE", 0),
        ):
            if hasattr(resource, name):
                with suppress(ValueError, OSError):  # a lower one is in force already, or macOS knows none
                    resource.setrlimit(getattr(resource, name), (value, value))


def _address_space() -> int:
    """Bytes of address space that this process has already; 0 where there is no /proc."""
    with suppress(OSError), open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * 4096
    return 0
