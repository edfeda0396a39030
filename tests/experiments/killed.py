"""Run a sweep in children that are killed with -9 at random moments. Started by test_kill.py as a process of its own.

    python killed.py KEY FOLDER CELLS KILLS

A child is a fork, so that it need not import anything again. It is killed once a random number of further cells lie on
disk. Prints the size that the file had at each kill.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import openai  # noqa: F401  # once, for all children

import labkit as lk
from labkit import experiments

CONCURRENCY = 8


def planned(folder: Path, cells: int) -> experiments.Sweep:
    prompts = [f"What is an API? ({n})" for n in range(cells // 4)]
    return experiments.Sweep(
        prompts, "openai:sampling", repeats=4, max_tokens=4, concurrency=CONCURRENCY, name="killed", folder=folder
    )


def child(key: str, folder: Path, cells: int) -> None:
    with lk.start(quiet=True, key=key):
        planned(folder, cells).run(progress=False)


def lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


def main(key: str, folder: Path, cells: int, kills: int) -> list[int]:
    file, dice, seen = folder / "killed.jsonl", random.Random(3), []
    for _ in range(kills):
        wanted = lines(file) + dice.randrange(1, cells // kills)
        if (pid := os.fork()) == 0:
            child(key, folder, cells)
            os._exit(0)
        while lines(file) < wanted:
            time.sleep(0.002)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        seen.append(lines(file))
    return seen


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
