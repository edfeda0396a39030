"""Import cost is a feature: what `import labkit` and its light parts load, and how long that takes."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    *("httpx", "httpx2", "pydantic", "pydantic_settings", "dotenv", "typer", "rich", "psutil", "filelock"),
    *("numpy", "pandas", "matplotlib", "IPython", "ipywidgets", "tiktoken", "litellm", "uvicorn", "asyncio"),
    *("openai", "anthropic", "google.genai", "boto3"),
)
LIGHT = (
    "labkit",
    "labkit.session",
    "labkit.lab",
    "labkit.daemon",
    "labkit.control",
    "labkit.notebook",
    "labkit.status",
)
LIMIT_MS = 100.0
"""Over bare Python, from the design; a loaded machine gets more tries, not more time."""
TRIES = 8


def loaded_by(statement: str) -> set[str]:
    script = f"import sys; {statement}; print(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    )


def milliseconds(statement: str) -> float:
    script = f"import time; t = time.perf_counter(); {statement}; print((time.perf_counter() - t) * 1000)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return float(done.stdout)


@pytest.mark.parametrize("module", LIGHT)
def test_light_module_loads_nothing_heavy(module: str) -> None:
    assert loaded_by(f"import {module}") & set(HEAVY) == set()


def test_import_of_labkit_loads_no_other_part_of_it() -> None:
    assert {name for name in loaded_by("import labkit") if name.startswith("labkit")} == {"labkit"}


def test_user_side_never_loads_the_server_nor_the_engine() -> None:
    statement = "import labkit.session, labkit.lab, labkit.daemon, labkit.settings, labkit.doctor, labkit.cli"
    assert [name for name in loaded_by(statement) if name.startswith(("labkit.server", "labkit.engine"))] == []


@pytest.mark.parametrize(
    "statement", ["import labkit", "import labkit.session", "from labkit import start, lab, model"]
)
def test_import_is_fast(statement: str) -> None:
    assert min(milliseconds(statement) for _ in range(TRIES)) < LIMIT_MS
