"""The instructor's guide, followed from its first line to its last in an empty folder."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = (Path(__file__).parents[3] / "labkit" / "grading" / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```bash\n(.*?)```(?:\n+```text\n(.*?)```)?", re.DOTALL)


def follow(commands: str, folder: Path) -> str:
    """What the lines of a block print."""
    shell = ["bash", "-euc", f'labkit() {{ "{sys.executable}" -m labkit "$@"; }}\n{commands}']
    done = subprocess.run(shell, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr[-2000:]}"
    return done.stdout


def read_free_text(sheet: Path) -> None:
    """What step 6 asks a person to do."""
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row |= {"earned": row["earned"] or "1.5", "comment": row["comment"] or "Good, and short."}
    with sheet.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("sandbox", "lab_home")
def test_the_guide_can_be_followed(tmp_path: Path) -> None:
    folder = tmp_path / "course"
    folder.mkdir()
    blocks = BLOCK.findall(GUIDE)
    assert len(blocks) >= 8
    for commands, printed in blocks:
        said = follow(commands, folder).splitlines()
        assert [line for line in printed.splitlines() if line not in said] == []
        if (sheet := folder / "grades" / "manual.csv").exists():
            read_free_text(sheet)
    with (folder / "grades" / "grades.csv").open(encoding="utf-8-sig") as file:
        assert {row["student"]: row["total"] for row in csv.DictReader(file)} == {"ada": "3.5", "bob": "0"}
    pages = {path.name[:3]: path.read_text(encoding="utf-8") for path in (folder / "grades" / "feedback").iterdir()}
    assert "Good, and short." in pages["ada"] and "Nothing was run" not in pages["bob"]


def options(command: str) -> str:
    shown = [sys.executable, "-m", "labkit", command, "--help"]
    return subprocess.run(shown, capture_output=True, text=True, timeout=60, check=True).stdout


NAMED = sorted(set(re.findall(r"(?:^|`)labkit ([a-z-]+)([^`\n]*)", GUIDE, re.MULTILINE)))


@pytest.mark.parametrize(("command", "rest"), NAMED)
def test_what_else_the_guide_names_exists(command: str, rest: str) -> None:
    known = options(command)
    assert [flag for flag in re.findall(r"--[a-z-]+", rest) if flag not in known] == []
