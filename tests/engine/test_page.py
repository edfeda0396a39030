"""The page on the engine: its picture is what the engine draws, its tables name what is there."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import labkit.engine
from labkit import datasets
from labkit.engine.accuracy import HOT, TIERS, WORDINGS, accuracy, summary_row
from labkit.engine.embedded import FAR, NEAR
from labkit.engine.finding import PROMPTS, found
from labkit.engine.page import TABLES, rows
from labkit.engine.report import SAMPLES, SETTINGS, varied, variety
from labkit.engine.transcript import SEEDS, transcript

HERE = Path(labkit.engine.__file__).parent
PAGE = (HERE / "README.md").read_text(encoding="utf-8")
PARAPHRASES = tomllib.loads(PROMPTS.read_text(encoding="utf-8"))
SCRIPT = HERE.parent.parent / "scripts" / "engine-picture"


def test_the_picture_is_the_one_that_the_engine_draws(tmp_path):
    drawn = tmp_path / "drawn.svg"
    subprocess.run([sys.executable, SCRIPT, drawn], check=True, timeout=60)
    assert drawn.read_bytes() == (HERE / "how-it-works.svg").read_bytes(), "run scripts/engine-picture"


def test_the_page_names_files_that_exist_and_the_background_as_it_is():
    named = re.findall(r"`([a-z_]+\.(?:py|md))`", PAGE)
    assert len(named) > 15 and [name for name in named if not (HERE / name).exists()] == []
    assert f"{NEAR + FAR:.2%}" in PAGE


def test_the_tables_are_in_the_page():
    lengths = {name: len(rows(name, PAGE)) for name in TABLES}
    assert lengths == {"variety": 2 + len(SETTINGS), "accuracy": 10, "finding": 4}


@pytest.mark.parametrize("params", [p for p in SETTINGS if p.temperature <= 1], ids=lambda p: f"T={p.temperature}")
def test_the_variety_in_the_page_is_what_is_measured(engine, params):
    """The hotter rows take most of a minute; `labkit.engine.report --page` writes all of them."""
    assert variety(engine, varied(), params).row(params, SAMPLES) in rows("variety", PAGE), "run --page of the report"


@pytest.mark.parametrize("temperature", [0.0, HOT])
@pytest.mark.parametrize("name", ["sentiment", "tickets"])
def test_the_accuracy_in_the_page_is_what_is_measured(engine, name, temperature):
    right = [accuracy(engine, name, WORDINGS[0], tier, temperature)[0] for tier in TIERS]
    row = summary_row(f"`{name}`, {len(datasets.records(name))} texts, T = {temperature:g}", right)
    assert row in rows("accuracy", PAGE), "run --page of the report"


def test_the_finding_in_the_page_is_what_is_measured(engine):
    foreign = len(PARAPHRASES["outside"]["prompts"])
    assert found(engine).row("words", foreign) in rows("finding", PAGE), "run --page of the report"


def test_variety_rises_with_temperature_and_fluency_falls():
    cells = [[cell.split(" ")[0].rstrip("%") for cell in row.strip("| ").split(" | ")] for row in rows("variety", PAGE)]
    plain = [[float(cell) for cell in row] for row in cells[2:] if row[1] == "1.0"]
    assert [row[2] for row in plain] == sorted(row[2] for row in plain)
    assert [row[3] for row in plain] == sorted((row[3] for row in plain), reverse=True)


def test_the_transcript_has_forty_prompts_and_every_answer_says_something(engine):
    lines = list(transcript(engine))
    assert sum(line.startswith("\n## ") for line in lines) == 40
    answers = [line for line in lines if line.startswith("[T=")]
    assert len(answers) == 40 * sum(SEEDS.values()) and all(len(line.split("] ", 1)[1]) > 1 for line in answers)


def test_what_is_measured_with_is_no_example_of_the_texts(engine):
    examples = {example.text.lower().rstrip(".?!") for i in engine.library.intents.values() for example in i.examples}
    asked = [said.lower().rstrip(".?!,") for said in varied()]
    asked += [said.lower().rstrip(".?!,") for several in PARAPHRASES["within"].values() for said in several]
    assert len(varied()) == 50 and len(asked) == 50 + 96
    assert [said for said in asked if said in examples] == []
