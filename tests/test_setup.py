"""The set-up files: they name the same packages, and the scripts say in one sentence what is missing."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

posix = pytest.mark.skipif(os.name == "nt", reason="make and sh; Windows has its own lines in the README")


def wanted() -> dict[str, Requirement]:
    """Every third-party requirement of the course and its tests, by name."""
    extras = PROJECT["optional-dependencies"]
    lines = PROJECT["dependencies"] + [line for name, more in extras.items() if name != "course" for line in more]
    return {canonicalize_name(r.name): r for r in map(Requirement, lines) if r.name != "labkit"}


def pins() -> list[Requirement]:
    return [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines()]


# --- The same packages everywhere ---


def test_conda_and_pip_install_the_same_packages() -> None:
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pip_only = listed.pop()["pip"]
    assert (listed.pop(0), listed.pop(0)) == (f"python{PROJECT['requires-python']}", "pip")
    assert pip_only.pop() == "-e ."
    conda = {canonicalize_name(r.name): r for r in map(Requirement, listed + pip_only)}
    assert len(conda) == len(listed + pip_only) and conda == wanted()


def test_conda_asks_the_free_channel_only() -> None:
    assert yaml.safe_load((ROOT / "environment.yml").read_text())["channels"] == ["conda-forge", "nodefaults"]


def test_the_course_extra_is_the_sdks_and_the_notebooks() -> None:
    assert set(PROJECT["optional-dependencies"]) == {"sdks", "notebooks", "cluster", "embeddings", "course", "test"}
    assert PROJECT["optional-dependencies"]["course"] == ["labkit[sdks,notebooks]"]


def test_constraints_pin_every_requirement_inside_its_bounds() -> None:
    pinned = {canonicalize_name(r.name) for r in pins()}
    assert wanted().keys() <= pinned
    for pin in pins():
        (only,) = pin.specifier
        assert only.operator == "=="
        if requirement := wanted().get(canonicalize_name(pin.name)):
            assert requirement.specifier.contains(only.version), pin


def test_constraints_name_packages_and_no_place() -> None:
    text = (ROOT / "constraints.txt").read_text()
    assert not re.search(r"//|@|--|#", text)


def test_python_versions_agree() -> None:
    least = PROJECT["requires-python"].removeprefix(">=")
    classifiers = [c.rsplit(" ", 1)[1] for c in PROJECT["classifiers"] if " :: 3." in c]
    assert classifiers[0] == least
    assert f"least={least}" in (ROOT / "scripts" / "make-venv").read_text()


def test_the_installed_labkit_is_this_one() -> None:
    assert version("labkit") == PROJECT["version"]


# --- Settings that a newcomer copies ---


def test_env_example_shows_every_setting_and_switches_none_on() -> None:
    from labkit.settings import PREFIX, Settings

    lines = (ROOT / ".env.example").read_text().splitlines()
    shown = {line[1:].partition("=")[0] for line in lines if re.match(r"#[A-Z]", line) and "=" in line}
    assert {PREFIX + name.upper() for name in Settings.model_fields} <= shown
    assert all(line.startswith("#") for line in lines if line)


def test_env_example_becomes_valid_settings_when_uncommented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from labkit.settings import load

    text = re.sub(r"(?m)^#(?=[A-Z_]+=)", "", (ROOT / ".env.example").read_text())
    (tmp_path / ".env").write_text(text)
    monkeypatch.chdir(tmp_path)
    settings = load(home=tmp_path)
    assert settings.live == ("openai", "anthropic") and settings.seed == 7


def test_git_keeps_keys_and_environments_out() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {".env", ".venv/", "my/"} <= set(ignored)


# --- JupyterLab ---


def test_jupyterlab_asks_nothing_and_fetches_nothing() -> None:
    overrides = json.loads((ROOT / "jupyter" / "overrides.json").read_text())
    plugin, values = "notification", overrides["@jupyterlab/apputils-extension:notification"]
    schema = Path(sys.prefix, "share/jupyter/lab/schemas/@jupyterlab/apputils-extension", f"{plugin}.json")
    known = json.loads(schema.read_text())["properties"]
    assert values.keys() <= known.keys() and values == {"fetchNews": "false", "checkForUpdates": False}


def test_jupyterlab_reads_the_override_where_pip_puts_it() -> None:
    from jupyterlab_server.settings_utils import _get_overrides

    found, error = _get_overrides(str(Path(sys.prefix, "share/jupyter/lab/settings")))
    assert not error and found["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"


# --- make ---


def make(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", "--no-print-directory", *args], cwd=ROOT, capture_output=True, text=True, timeout=60)


@posix
def test_make_alone_lists_every_target() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert phony
    listed = re.findall(r"^  (\w+) +\w", make().stdout, re.M)
    assert listed == phony[1].split()


@posix
def test_make_test_installs_from_the_lock_and_runs_pytest() -> None:
    steps = make("-n", "test", "VENV=elsewhere").stdout
    assert "make-venv elsewhere" in steps and "-c constraints.txt -e '.[course,test]'" in steps
    assert "elsewhere/bin/python -m pytest" in steps


@posix
def test_make_lab_opens_the_first_notebook_with_the_readers_flags() -> None:
    steps = make("-n", "lab", "VENV=elsewhere", "LAB_ARGS=--no-browser").stdout
    assert re.search(r"jupyter lab .*=/lab/tree/notebooks/00_start_here\.ipynb .*--no-browser", steps)
    assert ("--allow-root" in steps) == (os.getuid() == 0)


# --- scripts/make-venv ---


def make_venv(folder: Path, path: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [shutil.which("sh") or "sh", str(ROOT / "scripts" / "make-venv"), str(folder)]
    environment = {"PATH": f"{path}:/usr/bin:/bin", **env}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def put(path: Path, name: str, body: str) -> None:
    path.mkdir(exist_ok=True)
    (path / name).write_text(f"#!/bin/sh\n{body}\n")
    (path / name).chmod(0o755)


NAMES = ("python3.14", "python3.13", "python3.12", "python3.11", "python3", "python")


@posix
def test_no_python_is_one_sentence(tmp_path: Path) -> None:
    for name in NAMES:
        put(tmp_path / "bin", name, "exit 1")  # as an old Python answers, or a launcher without one
    run = make_venv(tmp_path / "env", tmp_path / "bin")
    assert run.returncode == 1 and run.stderr.count("\n") == 1
    assert "No Python 3.11 or newer" in run.stderr and not (tmp_path / "env").exists()


@posix
def test_a_named_python_that_is_too_old_is_named(tmp_path: Path) -> None:
    put(tmp_path / "bin", "old-python", "exit 1")
    run = make_venv(tmp_path / "env", tmp_path / "bin", PYTHON="old-python")
    assert run.returncode == 1 and "PYTHON=old-python" in run.stderr


@posix
def test_a_python_without_venv_says_what_to_install(tmp_path: Path) -> None:
    body = f'case "$2" in *ensurepip*) exit 1;; esac; exec {sys.executable} "$@"'
    put(tmp_path / "bin", "bare-python", body)
    run = make_venv(tmp_path / "env", tmp_path / "bin", PYTHON="bare-python")
    assert run.returncode == 1 and f"python3.{sys.version_info.minor}-venv" in run.stderr


@posix
def test_a_broken_launcher_is_passed_over(tmp_path: Path) -> None:
    for name in NAMES:
        put(tmp_path / "bin", name, "exit 127")
    put(tmp_path / "bin", "python3", f'case "$*" in "-m venv"*) mkdir "$3";; *) exec {sys.executable} "$@";; esac')
    run = make_venv(tmp_path / "env", tmp_path / "bin")
    assert run.returncode == 0 and "with python3 (3." in run.stdout


@posix
def test_half_an_environment_is_removed(tmp_path: Path) -> None:
    body = f'case "$*" in "-m venv"*) mkdir "$3"; exit 1;; esac; exec {sys.executable} "$@"'
    put(tmp_path / "bin", "failing-python", body)
    run = make_venv(tmp_path / "env", tmp_path / "bin", PYTHON="failing-python")
    assert run.returncode == 1 and not (tmp_path / "env").exists()


# --- CI ---


@posix
def test_ci_runs_make_test_and_parses() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK) and "\nmake test\n" in script.read_text()
    subprocess.run(["bash", "-n", str(script)], check=True)
