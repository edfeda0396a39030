"""`labkit chat, sweep, spend` as a user meets them: processes on the test run's lab server."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import labkit
from labkit import registry

SPEC = """\
models = ["openai:sampling"]
prompts = ["What is an API?", "What is a token?"]
metrics = ["words"]
[parameters]
temperature = [0.0, 1.0]
max_tokens = 20
"""


@pytest.fixture(autouse=True)
def _on_the_lab_server(lab_server: Any, lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_SERVER_URL", lab_server.url)
    monkeypatch.setenv("LABKIT_KEY", lab_server.key())


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.toml"
    path.write_text(SPEC)
    return path


def run(*arguments: object, typed: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "labkit", *map(str, arguments)]
    done = subprocess.run(command, input=typed, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    return done


def journal() -> list[dict[str, Any]]:
    with labkit.start(quiet=True):
        return labkit.lab.entries()


@pytest.mark.parametrize("command", ["chat", "sweep", "spend", "new-exercise"])
def test_help_teaches_with_an_example(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0 and f"    labkit {command}" in done.stdout


def test_one_question_is_answered_with_its_bill_apart() -> None:
    done = run("chat", "What", "is", "an", "API?", "--max-tokens", 12, "--temperature", 0)
    assert done.returncode == 0 and done.stdout.startswith("An API is")
    assert registry.model("openai", "sampling") in done.stderr and "+ 12 tokens, $0.0" in done.stderr
    assert "cut at max_tokens" in done.stderr


def test_what_is_piped_in_goes_before_the_question() -> None:
    run("chat", "What is this about?", "--max-tokens", 4, typed="Notes on tokens.\n")
    with labkit.start(quiet=True):
        sent = labkit.lab.last()["wire"]["request"]
    assert "Notes on tokens.\\n\\nWhat is this about?" in json.dumps(sent).replace("\\\\n", "\\n")


def test_a_conversation_with_its_commands() -> None:
    lines = ["/help", "What is an API?", "/model anthropic:small", "/system Be brief.", "/model nobody", "And again?"]
    done = run("chat", typed="\n".join([*lines, "/clear", "/cost", "/nonsense", "/quit", "never sent"]))
    assert done.returncode == 0 and "/clear" in done.stdout and "Forgotten." in done.stdout
    assert "nobody" in done.stderr and "/nonsense is no command" in done.stderr
    first, second = (entry["model"] for entry in journal())
    assert (first, second) == (registry.model("openai", "sampling"), registry.model("anthropic", "small"))


def test_a_sweep_writes_its_table_and_asks_nothing_twice(spec: Path, tmp_path: Path) -> None:
    first = run("sweep", spec, "--out", tmp_path / "answers.csv")
    again = run("sweep", spec, "--out", tmp_path / "answers.jsonl")
    assert first.returncode == again.returncode == 0 and len(journal()) == 4
    assert "4 answers for $0.0" in first.stdout and "0 answers for $0.0000, 4 were there" in again.stdout
    table = list(csv.DictReader((tmp_path / "answers.csv").read_text().splitlines()))
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert [row["text"] for row in table] == [row["text"] for row in lines]
    assert {"prompt_id", "model", "temperature", "cost_usd", "words"} <= set(table[0])


def test_without_a_file_a_summary_is_printed(spec: Path) -> None:
    header, *rows = run("sweep", spec).stdout.splitlines()[:3]
    assert header.split()[:3] == ["model", "temperature", "answers"] and "words" in header
    assert [row.split()[1:3] for row in rows] == [["0", "2"], ["1", "2"]]


def test_an_estimate_sends_nothing(spec: Path) -> None:
    done = run("sweep", spec, "--estimate")
    assert done.stdout.startswith("4 cells: 4 calls, at most $0.0") and journal() == []


def test_above_the_threshold_with_nobody_to_ask_it_is_refused(spec: Path) -> None:
    done = run("sweep", spec, "--confirm-above", 0)
    assert done.returncode == 2 and "--yes" in done.stderr and journal() == []
    assert run("sweep", spec, "--confirm-above", 0, "--yes").returncode == 0


@pytest.mark.parametrize(("out", "said"), [("a.xls", "none of .csv"), ("no/a.csv", "There is no folder")])
def test_a_table_that_cannot_be_written_is_said_before_a_call_is_paid_for(spec: Path, out: str, said: str) -> None:
    done = run("sweep", spec, "--out", out)
    assert done.returncode == 2 and said in done.stderr and journal() == []


def test_a_wrong_spec_names_file_line_and_field(spec: Path) -> None:
    spec.write_text(SPEC + "temprature = 1\n")
    done = run("sweep", spec)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("labkit: spec.toml, line 7: parameters.temprature is no field")


def test_a_budget_that_ends_a_sweep_is_said_and_is_an_exit_code(spec: Path) -> None:
    spec.write_text("budget = 0.00005\n" + SPEC)
    done = run("sweep", spec)
    assert done.returncode == 1 and "The sweep stopped after" in done.stderr


def test_spending_by_day_and_model(spec: Path) -> None:
    assert run("spend").stdout == "No calls yet.\n"
    run("sweep", spec)
    header, row, total = run("spend").stdout.splitlines()
    assert header.split()[:3] == ["day", "model", "calls"] and row.split()[1:3] == [
        registry.model("openai", "sampling"),
        "4",
    ]
    assert total.startswith("4 calls, $0.0") and "sweep:spec" in run("spend", "--by", "tag").stdout
    assert run("spend", "--live").stdout == "No such calls.\n"
    assert "is no group" in run("spend", "--by", "colour").stderr
