"""`lk.check` and `lk.hint` in a kernel, as a student meets them: one notebook is run, its outputs are looked at."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

SETUP = """
import os, time, httpx
import labkit as lk
lk.start(seed=7, quiet=True)
"""
GOOD_LIST = """
def list_models():
    response = httpx.get(os.environ["OPENAI_BASE_URL"] + "/models",
                         headers={"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]})
    return sorted(model["id"] for model in response.json()["data"])
"""
REFUSED_LIST = """
def list_models():
    headers = {"Authorization": "Bearer sk-wrong"}
    return httpx.get(os.environ["OPENAI_BASE_URL"] + "/models", headers=headers).json()["data"]
"""
ANOTHER = GOOD_LIST.replace("return sorted(", "return [] and sorted(")
CELLS = {
    "not started": "import labkit as lk; lk.check('1.1')",
    "setup": SETUP,
    "unknown task": "lk.check('1.9')",
    "unknown exercise": "lk.check('77.1')",
    "missing": "lk.check('1.1')",
    "first failure": "def list_models():\n    return []\nlk.check('1.1')",
    "same mistake": "lk.check('1.1')",
    "exception": "def list_models():\n    return undefined_name\nlk.check('1.1')",
    "refused": REFUSED_LIST + "lk.check('1.1')",
    "another mistake": ANOTHER + "lk.check('1.1')",
    "partly right": GOOD_LIST + "lk.check('1.1')",
    "noted": "from labkit import record\n'1.1' in {n.get('task') for n in record._read(record._file())[0]}",
    "loop": "def few_shot(*a):\n    while True: pass\nbegun = time.monotonic()\nlk.check('1.3')",
    "loop time": "round(time.monotonic() - begun) <= 7",
    "markup": "def few_shot(*a):\n    return ['<script>alert(1)</script>']\nlk.check('1.3')",
    "hint": "lk.hint('1.4')",
    "hint again": "lk.hint('1.4')",
    "hint for ever": "lk.hint('1.4')",
    "hidden": "lk.check('1.1', hidden=True)",
    "live": "lk.start(live=['openai'], quiet=True)\nlk.check('1.1')",
    "points": "lk.start(seed=7, quiet=True)\nos.environ['LABKIT_GRADING'] = 'points'\nlk.check('1.1')",
    "raise": "os.environ['LABKIT_GRADING'] = 'raise'\nlk.check('1.1')",
    "light": "import sys; sorted({'nbformat', 'pandas', 'labkit.server'} & sys.modules.keys())",
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each cell left, run in an empty folder, so with the released checks only."""
    folder = tmp_path_factory.mktemp("student")
    cells = [nbformat.v4.new_code_cell(text) for text in CELLS.values()]
    notebook = nbformat.v4.new_notebook(cells=cells)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "sk-for-the-live-cell")
        NotebookClient(notebook, timeout=60, allow_errors=True, resources={"metadata": {"path": str(folder)}}).execute()
    return {name: cell.outputs[0] if cell.outputs else None for name, cell in zip(CELLS, notebook.cells, strict=True)}


def card(output: Any) -> str:
    """The text of a card, tags removed."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", "", output.data["text/html"])))


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        ("not started", "NotStarted: No session yet"),
        ("unknown task", "UnknownTask: There is no task '1.9'. Tasks of this exercise: 1.1, 1.2, 1.3, 1.4, 1.5."),
        ("unknown exercise", "UnknownTask: There is no task '77.1': no exercise with that number. Exercises here: "),
        ("hidden", "NoHiddenChecks: Hidden checks are with the instructor"),
        ("live", "NoJournal: Checks read what the lab server saw."),
    ],
)
def test_a_call_that_cannot_work_is_one_sentence(outputs: dict[str, Any], cell: str, error: str) -> None:
    assert outputs[cell].output_type == "error"
    assert len(outputs[cell].traceback) == 1
    assert outputs[cell].traceback[0].startswith(error)


def test_nothing_written_yet_gives_no_hint(outputs: dict[str, Any]) -> None:
    text = card(outputs["missing"])
    assert "✗ Task 1.1: not started" in text
    assert "There is no list_models yet: define it and run its cell." in text
    assert "Hint" not in text


def test_the_first_failure_brings_the_first_hint(outputs: dict[str, Any]) -> None:
    text = card(outputs["first failure"])
    assert "The number of requests that the lab server saw in one call: expected 1, saw 0" in text
    assert "Hint 1 of 2." in text
    assert "the lab server saw no request" in text


def test_the_same_mistake_again_brings_the_second_hint_and_another_one_the_first(outputs: dict[str, Any]) -> None:
    assert "Hint 2 of 2." in card(outputs["same mistake"])
    assert "Hint 1 of 2." in card(outputs["another mistake"])


def test_a_refusal_that_no_journal_holds_is_told(outputs: dict[str, Any]) -> None:
    text = card(outputs["refused"])
    assert "list_models raised KeyError: 'data'" in text
    assert "The server had refused its request with 401: Incorrect API key" in text
    assert "the lab server admitted no request.Refused, so not listed: 401: " in text


def test_an_exception_brings_the_students_line_and_no_hint(outputs: dict[str, Any]) -> None:
    text = card(outputs["exception"])
    assert "list_models raised NameError: name 'undefined_name' is not defined, in line 2 of that cell" in text
    assert ": return undefined_name" in text
    assert "Hint" not in text


def test_points_are_partial_and_say_what_is_withheld(outputs: dict[str, Any]) -> None:
    text = card(outputs["partly right"])
    assert "1 of 3 points" in text
    assert "1 more point comes from checks that run at grading." in text
    assert "On the wire: 1 request (status 1 × 200), 0 tokens" in text
    assert outputs["partly right"].data["text/plain"] == "<task 1.1: not yet, 1 of 3 points>"


def test_an_endless_loop_is_stopped(outputs: dict[str, Any]) -> None:
    assert "few_shot had not returned after 5 seconds, so it was stopped." in card(outputs["loop"])
    assert outputs["loop time"].data["text/plain"] == "True"


def test_what_a_student_returns_is_escaped(outputs: dict[str, Any]) -> None:
    assert "<script" not in outputs["markup"].data["text/html"]


def test_hints_rise_and_stop_at_the_second(outputs: dict[str, Any]) -> None:
    plain = [outputs[name].data["text/plain"] for name in ("hint", "hint again", "hint for ever")]
    assert plain[0].startswith("Hint 1 of 2 for task 1.4: ")
    assert plain[1].startswith("Hint 2 of 2 for task 1.4: ") and plain[2] == plain[1]


def test_machines_get_points_or_an_assertion(outputs: dict[str, Any]) -> None:
    assert outputs["points"].data["text/plain"] == "1.0"
    assert outputs["raise"].ename == "CheckFailed"
    assert "task 1.1, 1 of 3 points: " in outputs["raise"].evalue


def test_a_check_loads_nothing_heavy(outputs: dict[str, Any]) -> None:
    assert outputs["light"].data["text/plain"] == "[]"


def test_check_is_noted_for_the_progress(outputs: dict[str, Any]) -> None:
    assert outputs["noted"].data["text/plain"] == "True"
