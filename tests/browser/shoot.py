"""Pictures of a whole notebook as JupyterLab shows it, for people to look at.

    python tests/browser/shoot.py notebooks/07_sampling.ipynb --out build/screenshots [--no-run] [--dark]

Runs a copy from the menu, makes the window as tall as the page, cuts the picture into pieces: 07_sampling-1.png ...
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lab_page import Lab, OpenNotebook, chromium, running

PIECE = 2_000
"""Pixels: the height of one picture."""
TALLEST = 15_000
"""Pixels: Chromium draws no taller window."""


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Pictures of a whole notebook as JupyterLab shows it.")
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--out", type=Path, default=Path("build/screenshots"))
    parser.add_argument("--no-run", action="store_true", help="show the notebook as it was saved")
    parser.add_argument("--dark", action="store_true", help="JupyterLab's dark theme")
    given = parser.parse_args(argv)
    browser = chromium()
    if browser is None:
        print("no Chromium found: install the package `chromium`", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="shoot-") as temporary:
        home, folder = Path(temporary) / "home", Path(temporary) / "course"
        home.mkdir()
        shutil.copytree(given.notebook.resolve().parent, folder)
        os.environ["LABKIT_HOME"] = str(home / "labkit")  # a lab server of its own, which outlives the kernels
        try:
            with running(folder, home=home, browser=browser, dark=given.dark) as lab:
                for picture in shoot(lab, given.notebook.name, given.out, run=not given.no_run):
                    print(picture)
        finally:
            subprocess.run([sys.executable, "-m", "labkit", "stop"], check=False, stdout=subprocess.DEVNULL)
    return 0


def shoot(lab: Lab, notebook: str, out: Path, *, run: bool) -> Iterator[Path]:
    """Open, run if asked, and write the pieces; yields each path."""
    opened = lab.open(notebook)
    if run:
        opened.run_all()
    out.mkdir(parents=True, exist_ok=True)
    height = _stretch(opened)
    for n, top in enumerate(range(0, height, PIECE), 1):
        path = out / f"{Path(notebook).stem}-{n}.png"
        clip = {"x": 0, "y": top, "width": 1300, "height": min(PIECE, height - top)}
        opened.page.screenshot(path=str(path), clip=clip)
        yield path


def _stretch(opened: OpenNotebook) -> int:
    """Make the window as tall as the notebook; its height."""
    content = opened.page.locator(".jp-NotebookPanel-notebook .jp-WindowedPanel-outer").first
    tall = min(TALLEST, int(content.evaluate("e => e.scrollHeight")) + 250)
    opened.page.set_viewport_size({"width": 1300, "height": tall})
    opened.page.wait_for_function("h => window.innerHeight === h", arg=tall)
    content.evaluate("e => { e.scrollTop = 0 }")  # running has left it at the last cell
    return tall


if __name__ == "__main__":
    sys.exit(main())
