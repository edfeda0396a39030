"""Run a sweep that its test interrupts. Started by test_interrupt.py as a process of its own.

    python interrupted.py FOLDER

Says "begun" once cells come in, and at the end what there is, as JSON.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from threading import Thread

import labkit as lk
from labkit.experiments import Sweep


def main(folder: Path) -> None:
    prompts = [f"What is an API? ({n})" for n in range(3_000)]
    planned = Sweep(prompts, "openai:sampling", max_tokens=4, concurrency=4, name="interrupted", folder=folder)
    with lk.start(quiet=True):
        Thread(target=announce, args=(planned.path,), daemon=True).start()
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            frame = planned.run(progress=False)
    print(json.dumps({**frame.attrs, "rows": len(frame), "said": [str(warning.message) for warning in said]}))


def announce(file: Path) -> None:
    while not (file.exists() and file.stat().st_size):
        pass
    print("begun", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
