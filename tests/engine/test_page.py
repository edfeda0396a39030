"""The page on the engine: its picture is what the engine draws, its tables name what is there."""

import re
import subprocess
import sys
from pathlib import Path

import labkit.engine
from labkit.engine.embedded import FAR, NEAR

HERE = Path(labkit.engine.__file__).parent
PAGE = (HERE / "README.md").read_text(encoding="utf-8")
SCRIPT = HERE.parent.parent / "scripts" / "engine-picture"


def test_the_picture_is_the_one_that_the_engine_draws(tmp_path):
    drawn = tmp_path / "drawn.svg"
    subprocess.run([sys.executable, SCRIPT, drawn], check=True, timeout=60)
    assert drawn.read_bytes() == (HERE / "how-it-works.svg").read_bytes(), "run scripts/engine-picture"


def test_the_page_names_files_that_exist_and_the_background_as_it_is():
    named = re.findall(r"`([a-z_]+\.(?:py|md))`", PAGE)
    assert len(named) > 15 and [name for name in named if not (HERE / name).exists()] == []
    assert f"{NEAR + FAR:.2%}" in PAGE
