"""What a conformance script saw, once for each SDK generation of a test file's FAMILY."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for `environments`

from environments import Generation, Unbuildable, interpreter, of_family

from labkit import registry
from labkit.providers import ALWAYS, PROVIDERS

HERE = Path(__file__).parent
collect_ignore = ["conformance"]  # scripts for other environments, not tests
SCRIPT_SECONDS = 120
TIERS = ("small", "large", "sampling", "embedding", "retired")
OWN_MODELS = {"openai": "openai", "anthropic": "anthropic", "genai": "gemini"}
"""The provider whose tiers a family's script names plainly."""
KEPT_VARIABLES = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")


@dataclass(frozen=True)
class Seen:
    """The report of one script, and what the lab server wrote down meanwhile."""

    generation: Generation
    version: str
    parts: dict[str, Any]
    journal: list[dict[str, Any]]
    wires: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        """What a part saw; the test fails with the part's traceback if it broke."""
        part = self.parts[name]
        if "broke" in part:
            pytest.fail(f"{self.generation.name}, {name}:\n{part['broke']}", pytrace=False)
        return part["saw"]

    @property
    def sent(self) -> list[dict[str, Any]]:
        """Journal entries of what a client sent: the lines that a batch runs are entries too."""
        return [entry for entry in self.journal if entry["user_agent"]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seen" in metafunc.fixturenames:
        generations = of_family(metafunc.module.FAMILY)
        metafunc.parametrize("seen", generations, indirect=True, scope="module", ids=lambda g: g.name)


@pytest.fixture(scope="session")
def python_of(missing: Callable[[str], NoReturn]) -> Callable[[Generation], Path]:
    """The interpreter of a generation."""

    def find(generation: Generation) -> Path:
        try:
            return interpreter(generation)
        except Unbuildable as problem:
            missing(f"no environment: {problem}")

    return find


@pytest.fixture(scope="module")
def seen(
    request: pytest.FixtureRequest,
    lab_server: Any,
    python_of: Callable[[Generation], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Seen:
    """One run of the family's script in the environment of one generation, on a tenant of its own."""
    generation: Generation = request.param
    python = python_of(generation)
    key, home = lab_server.key(), tmp_path_factory.mktemp("home")
    command = [str(python), str(HERE / "conformance" / f"with_{generation.family}.py")]
    variables = environment(generation.family, lab_server.url, key, home)
    done = subprocess.run(command, env=variables, cwd=home, capture_output=True, text=True, timeout=SCRIPT_SECONDS)
    if done.returncode:
        pytest.fail(f"{generation.name} ended with {done.returncode}:\n{done.stderr[-4000:]}", pytrace=False)
    report = json.loads(done.stdout)
    with httpx.Client(base_url=f"{lab_server.url}/lab/v1/", headers={"Authorization": f"Bearer {key}"}) as lab:
        journal = lab.get("journal").json()["entries"]
        wires = lab.get(f"journal/{journal[0]['id']}").json()["wire"]
    return Seen(generation, report["version"], report["parts"], journal, wires)


def environment(family: str, url: str, key: str, home: Path) -> dict[str, str]:
    """What `labkit.start()` sets, a home without anybody's profiles, and little else."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    rows = [provider.variables(url, key) for provider in PROVIDERS.values()]
    pointed = {name: value for row in rows for name, value in row.items() if value is not None}
    own = {"LAB_URL": url, "LAB_KEY": key, "LAB_MODELS": json.dumps(models(family))}
    return {**kept, **pointed, **ALWAYS, **own, "HOME": str(home), "USERPROFILE": str(home)}


def models(family: str) -> dict[str, str]:
    """The course's models as `provider.tier`, and those of the family's own provider as `tier`."""
    found = {"bedrock.small": registry.model("bedrock", "small")}
    for provider in OWN_MODELS.values():
        for tier in TIERS:
            if (provider, tier) != ("anthropic", "embedding"):
                found[f"{provider}.{tier}"] = registry.model(provider, tier)
    own = f"{OWN_MODELS.get(family)}."
    return {**found, **{name.removeprefix(own): model for name, model in found.items() if name.startswith(own)}}
