"""House rules over every file of the repository: what must not be written down, and who may import whom."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labkit import registry

ROOT = Path(__file__).parent.parent
GENERATED = {".venv", ".git", "build", "dist", "my", ".hypothesis", ".ipynb_checkpoints", "__pycache__"}


def repository_files() -> list[Path]:
    """What is under version control; in an unpacked archive, what is not generated."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode == 0 and listing.stdout:
        found = [ROOT / name for name in listing.stdout.split("\0") if name]
    else:
        found = [p for p in ROOT.rglob("*") if not GENERATED & set(p.relative_to(ROOT).parts)]
    return sorted(p for p in found if p.is_file())


def texts() -> Iterator[tuple[str, str]]:
    for path in repository_files():
        data = path.read_bytes()
        if b"\0" not in data[:8192]:
            yield str(path.relative_to(ROOT)), data.decode("utf-8")


def occurrences(pattern: str) -> list[str]:
    """`file: match` for each match in any text file. Patterns are spelt so that they do not match themselves."""
    return [f"{name}: {match[0]}" for name, text in texts() for match in re.finditer(pattern, text)]


# --- What must not be written down ---

REGISTRIES = r"(?i)\b(?:pypi[.]org|pythonhosted[.]org|npmjs[.]|anaconda[.]org|rubygems[.]|crates[.]io|gopro[x]y)"
MACHINE_PATHS = r"(?<![\w.~$}/:])/(?:root|work|home/\w+|Users/\w+)/[\w.]"
KEYS = (
    r"\b(?:sk-(?:ant-|proj-)?[A-Za-z0-9_-]{24,}|AIza[A-Za-z0-9_-]{35}|AKIA[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{30,}"
    r"|hf_[A-Za-z0-9]{30,}|xox[bap]-[A-Za-z0-9-]{20,})"
)


def test_no_file_names_a_package_registry() -> None:
    assert occurrences(REGISTRIES) == []


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    assert occurrences(MACHINE_PATHS) == []


def test_no_file_holds_what_looks_like_a_real_key() -> None:
    assert occurrences(KEYS) == []


@pytest.mark.parametrize(
    ("pattern", "sample"),
    [
        (REGISTRIES, "https://pypi" + ".org/simple"),
        (MACHINE_PATHS, "see /home/" + "ada/notes.txt"),
        (KEYS, "sk-" + "ant-" + "a1" * 20),
        (KEYS, "AKIA" + "A1" * 8),
    ],
)
def test_the_patterns_find_what_they_are_for(pattern: str, sample: str) -> None:
    assert re.search(pattern, sample)


def test_text_files_have_unix_line_ends() -> None:
    assert [name for name, text in texts() if "\r" in text] == []


# --- Notebooks take models from the registry ---


def code_cells() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in repository_files():
        if path.suffix == ".ipynb":
            for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
                if cell["cell_type"] == "code":
                    yield str(path.relative_to(ROOT)), cell


def test_no_notebook_types_a_model_name() -> None:
    names = [name for m in registry.models(include_retired=True) for name in (m.id, *m.aliases)]
    typed = re.compile("[\"'](?:models/)?(" + "|".join(map(re.escape, names)) + ")[\"']")
    found = [(name, m[1]) for name, cell in code_cells() for m in typed.finditer("".join(cell["source"]))]
    assert found == []


def test_no_notebook_saved_a_warning() -> None:
    saved = [(name, output) for name, cell in code_cells() for output in cell["outputs"]]
    assert [f"{name}: {''.join(output['text'])}" for name, output in saved if output.get("name") == "stderr"] == []


# --- Who may import whom ---

BELOW = {"datasets", "registry", "tokens", "prices", "usage", "sampling", "sentences"}
"""Modules that both the server and the user side stand on."""


def imports(path: Path) -> set[str]:
    """Top-level parts of labkit that a module imports, at any depth of its code: {"registry", "server", ...}."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("labkit.")}
        elif isinstance(node, ast.ImportFrom) and node.module == "labkit":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("labkit."):
            found.add(str(node.module).split(".")[1])
    return found


def part_of(path: Path) -> str:
    return path.relative_to(ROOT / "labkit").parts[0].removesuffix(".py")


ALLOWED = {
    "engine": BELOW | {"engine"},
    "server": BELOW | {"server", "engine", "__version__"},
    **dict.fromkeys(BELOW, BELOW),
}
"""What may be imported where; every other part is the user's side: anything but the server and the engine."""
BOTH_SIDES = {"cli"}
"""`labkit serve` is the server in the foreground: it hands over to the server's own main."""


@pytest.mark.parametrize("path", sorted((ROOT / "labkit").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    part, imported = part_of(path), imports(path)
    if part in ALLOWED:
        assert imported <= ALLOWED[part]
    elif part not in BOTH_SIDES:
        assert not imported & {"server", "engine"}
