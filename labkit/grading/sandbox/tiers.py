"""Which kinds of sandbox this machine offers, from the strongest down."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from enum import StrEnum
from pathlib import Path

from labkit.grading.sandbox import landlock, seccomp

PROBE_SECONDS = 10


class Tier(StrEnum):
    """A kind of sandbox. Every tier has limits on time, memory, processes, files and output."""

    namespaces = "namespaces"
    """bubblewrap, namespaces of its own for each submission, Landlock and seccomp."""
    landlock = "landlock"
    """Landlock and seccomp, for pods and containers where namespaces are refused."""
    limits = "limits"
    """Limits alone: the work can read what the grader can read. For trusted work only."""

    @property
    def strong(self) -> bool:
        """Whether work that nobody has read may run in it."""
        return self is not Tier.limits

    @property
    def sentence(self) -> str:
        """What it is made of, for the first line of a run."""
        return {
            Tier.namespaces: "bubblewrap namespaces + Landlock + seccomp + limits: no network but the lab server, "
            "no files but its own, nothing of it stays",
            Tier.landlock: "Landlock + seccomp + limits: no files but its own, no port but the lab server's",
            Tier.limits: "limits on time, memory and processes only: submissions can read what you can read",
        }[self]


def best() -> Tier:
    """The strongest tier that works here."""
    if _has_namespaces():
        return Tier.namespaces
    return Tier.landlock if _has_landlock() else Tier.limits


def available() -> list[Tier]:
    """All tiers that work here, the strongest first."""
    tiers = list(Tier)
    return [tier for tier in tiers[tiers.index(best()) :] if tier is not Tier.landlock or _has_landlock()]


def can_change_user(tier: Tier) -> bool:
    """Whether each submission can have a user of its own: the grader is root, and others can reach this Python."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return False
    return tier is Tier.namespaces or all(map(_open_to_all, (sys.prefix, sys.base_prefix, __file__)))


def _open_to_all(path: str) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in Path(path).resolve().parents)


def _has_landlock() -> bool:
    return landlock.abi() >= landlock.PORTS_FROM and seccomp.available()


def _has_namespaces() -> bool:
    """Whether bubblewrap can make namespaces here, one inside the other: some containers have it and refuse."""
    if sys.platform != "linux" or not shutil.which("bwrap") or landlock.abi() < 1:
        return False
    rights = ["--cap-add", "ALL"] if os.geteuid() == 0 else []
    outer = ["bwrap", "--unshare-net", "--unshare-pid", *rights, "--dev-bind", "/", "/", "--proc", "/proc"]
    inner = ["bwrap", "--unshare-pid", "--unshare-ipc", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    try:
        done = subprocess.run([*outer, *inner], capture_output=True, timeout=PROBE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
