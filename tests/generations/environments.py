"""Environments of their own for SDK generations: which there are, and how one is made.

    GENERATIONS -> key over pins, constraints and Python -> build/generations/NAME-KEY, made once -> its interpreter

What an SDK drags along is held by the repository's `constraints.txt`, but for the packages that an environment pins
itself. Folders survive between runs; one whose key is out of date is removed when its successor is made.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "generations"
CONSTRAINTS = ROOT / "constraints.txt"
COMPLETE = ".complete"
"""Written last, so that an environment whose making was interrupted is not taken for one."""
INSTALL_SECONDS = 240


@dataclass(frozen=True, slots=True)
class Generation:
    """One release that people have, and what it needs beside it."""

    family: str
    """The SDK; also the name of its conformance script."""
    version: str
    """Of the package that the family is about; empty for whatever the running environment holds."""
    pins: tuple[str, ...] = ()
    """Requirements; empty: the running environment itself is used."""

    @property
    def name(self) -> str:
        return f"{self.family}-{self.version or 'installed'}"


GENERATIONS: tuple[Generation, ...] = (
    Generation("openai", "1.109.1", ("openai==1.109.1",)),
    Generation("openai", "2.54.0", ("openai==2.54.0",)),
    Generation("openai", "3.52.0", ("openai==3.52.0", "jiter==0.19.0")),
    Generation("anthropic", "0.125.0", ("anthropic==0.125.0",)),
    Generation("anthropic", "1.17.0", ("anthropic==1.17.0",)),
    Generation("anthropic", "2.11.0", ("anthropic==2.11.0",)),
    Generation("genai", "1.75.0", ("google-genai==1.75.0", "websockets==16.1.1")),  # it wants websockets below 17
    Generation("genai", "2.34.0", ("google-genai==2.34.0",)),
    Generation("genai", "3.4.0", ("google-genai==3.4.0",)),
    Generation("litellm", ""),
    # instructor 1.17 wants jiter below 0.15 and rich below 15; openai 3 wants a newer jiter and cannot stand beside it.
    Generation(
        "instructor",
        "1.17.0",
        (
            "instructor==1.17.0",
            "openai==2.54.0",
            "anthropic==1.17.0",
            "google-genai==3.4.0",
            "jiter==0.14.0",
            "jsonref==1.1.0",  # for google-genai
            "rich==14.3.4",
        ),
    ),
)


def of_family(family: str) -> list[Generation]:
    return [generation for generation in GENERATIONS if generation.family == family]


class Unbuildable(Exception):
    """The environment cannot be made here; the message holds what the installers said last."""


def interpreter(generation: Generation, folder: Path = FOLDER) -> Path:
    """The Python of an environment, made now if it is not there. One a family is being made at any time.

    Raises:
        Unbuildable: no installer could make it, most often because no package index is within reach.
    """
    if not generation.pins:
        return Path(sys.executable)
    target = folder / f"{generation.name}-{key(generation)}"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{generation.family}.lock"):
        if not (target / COMPLETE).exists():
            for older in folder.glob(f"{generation.name}-*"):
                shutil.rmtree(older)
            _make(generation, target)
    return _python(target)


def key(generation: Generation) -> str:
    """Changes with anything that would give another environment."""
    parts = (*generation.pins, *constraints(generation.pins), sys.version, sys.executable)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def constraints(pins: Iterable[str], lines: Iterable[str] | None = None) -> list[str]:
    """The constraints without the packages that are pinned here.

    >>> constraints(["openai==1.109.1"], ["anyio==4.16.0", "openai==2.54.0"])
    ['anyio==4.16.0']
    """
    pinned = {_package(pin) for pin in pins}
    listed = CONSTRAINTS.read_text(encoding="utf-8").splitlines() if lines is None else lines
    return [line for line in listed if line and _package(line) not in pinned]


def _package(requirement: str) -> str:
    return re.split(r"[\s<>=!~;\[]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def _python(target: Path) -> Path:
    return target / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _make(generation: Generation, target: Path) -> None:
    said = []
    for installer in _installers(target):
        shutil.rmtree(target, ignore_errors=True)
        held = target / "constraints.txt"
        problem = _run([sys.executable, "-m", "venv", "--without-pip", str(target)])
        if problem is None:
            held.write_text("\n".join(constraints(generation.pins)), encoding="utf-8")
            problem = _run([*installer, "-c", str(held), *generation.pins])
        if problem is None:
            (target / COMPLETE).touch()
            return
        said.append(problem)
    shutil.rmtree(target, ignore_errors=True)
    raise Unbuildable(f"{generation.name}: {'; '.join(said)}")


def _installers(target: Path) -> list[list[str]]:
    """Commands that install into `target`, best first. Byte code is left to the first import: few modules are used."""
    python = str(_python(target))
    found = []
    if uv := shutil.which("uv"):
        found.append([uv, "pip", "install", "--quiet", "--python", python])
    if importlib.util.find_spec("pip"):
        found.append(
            [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile", "--retries", "1"]
        )
    return found


def _run(command: list[str]) -> str | None:
    """What went wrong, in the command's own last words; None when nothing did."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        return f"{Path(command[0]).name} took more than {INSTALL_SECONDS} s"
    if done.returncode == 0:
        return None
    lines = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("WARNING")]
    return " / ".join(lines[-2:])[-600:] or f"{Path(command[0]).name} ended with {done.returncode}"
