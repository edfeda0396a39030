"""The pattern of a lesson, and what a saved page must not hold. Reads the files; runs nothing."""

from __future__ import annotations

import json
import re
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from labkit import registry

Cell = dict[str, Any]

FOLDER = Path(__file__).parent
IDS = set((FOLDER / "curriculum_ids.txt").read_text().split())
CLAIMED = {
    "00": {"J1", "J2", "J3", "J4"},
    "01": {f"A{n}" for n in range(1, 10)},
    "02": {"A9", "B1", "B2", "B9"},
    "03": {"A9", "B3", "B9"},
    "04": {"A9", "B4", "B9"},
    "05": {"B5", "B6", "B7"},
    "06": {"B8", "B10", "H8", "H12"},
    "07": {f"C{n}" for n in range(1, 9)},
    "08": {*(f"D{n}" for n in range(1, 9)), "E8"},
    "09": {f"E{n}" for n in range(1, 8)},
    "10": {f"F{n}" for n in range(1, 7)},
    "11": {f"G{n}" for n in range(1, 6)},
    "12": {*(f"H{n}" for n in range(1, 8)), "H13", "J1"},
    "13": {"E5", "H9", "H10", "H11"},
    "14": {"A9", "I1", "I2", "I3", "I4"},
    "15": {"E6", "K"},
}
"""Curriculum ids that a lesson must claim, by its number."""
OTHER_TAGS = {"raises-exception", "nbval-ignore-output"}

SETUP = "import labkit as lk\n\nlk.start(seed=7)"
CODE_MEDIAN, CODE_MAX, DEFINITION_MAX = 5, 12, 25
CODE_WIDTH = 100
"""Characters that fit into a cell of JupyterLab on a laptop, beside the file browser."""
PROSE_MEDIAN, PROSE_MAX = 60, 110
CODE_IN_A_ROW = 2


def cells(lesson: Path, kind: str | None = None) -> list[Cell]:
    found = json.loads(lesson.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if kind in (None, cell["cell_type"])]


def source(cell: Cell) -> str:
    return "".join(cell["source"])


def tags(cell: Cell) -> list[str]:
    found: list[str] = cell["metadata"].get("tags", [])
    return found


def read_as_code(lesson: Path) -> list[Cell]:
    """Code cells, but for quizzes: those are data, and nobody reads them."""
    return [cell for cell in cells(lesson, "code") if not source(cell).startswith("lk.quiz(")]


def lines(cell: Cell) -> int:
    """Lines of code, blank ones left out."""
    return sum(bool(line.strip()) for line in source(cell).splitlines())


def prose(cell: Cell) -> int:
    """Words of running text: no headings, tables, diagrams or list of goals."""
    text = re.sub(r"```.*?```", "", source(cell), flags=re.DOTALL)
    kept = [line for line in text.splitlines() if not re.match(r"\s*(#|\||- |\d\. )", line)]
    return len(" ".join(kept).split())


def bullets(cell: Cell) -> list[str]:
    return re.findall(r"^- (.+)$", source(cell), flags=re.MULTILINE)


# --- The frame: opening, setup, closing ---


def test_opening_asks_promises_and_says_how_long(lesson: Path) -> None:
    opening = cells(lesson)[0]
    title, *_ = source(opening).splitlines()
    assert re.fullmatch(r"# .+\?", title)
    assert "You will be able to:" in source(opening)
    assert 3 <= len(bullets(opening)) <= 5
    assert re.search(r"\*\*You need\*\*.*\*\*Time\*\*: (about )?\d+ minutes", source(opening))
    assert prose(opening) + sum(len(goal.split()) for goal in bullets(opening)) < 120


def test_first_code_cell_starts_the_lab_and_does_nothing_else(lesson: Path) -> None:
    first, *others = cells(lesson, "code")
    assert source(first) == SETUP
    assert not any("lk.start(" in source(cell) for cell in others)


def test_closing_answers_the_goals_one_for_one(lesson: Path) -> None:
    opening, closing = cells(lesson)[0], cells(lesson)[-1]
    assert source(closing).startswith("## In this notebook")
    assert len(bullets(closing)) == len(bullets(opening))
    assert "../exercises/" in source(closing)
    assert "**Next**" in source(closing)


def test_page_has_quiz_experiment_picture_and_something_to_move(lesson: Path) -> None:
    code = "\n".join(source(cell) for cell in cells(lesson, "code"))
    headings = [
        line for cell in cells(lesson, "markdown") for line in source(cell).splitlines() if line.startswith("## ")
    ]
    assert "lk.quiz(" in code
    assert "lk.sampling_lens(" in code or "interact" in code
    assert "## Modify and observe" in headings and "## Check yourself" in headings
    assert "image/png" in lesson.read_text(encoding="utf-8")


# --- The beats ---


def test_code_cells_are_small(lesson: Path) -> None:
    code = read_as_code(lesson)
    assert median(lines(cell) for cell in code) <= CODE_MEDIAN
    too_long = {source(c).splitlines()[0]: lines(c) for c in code if lines(c) > longest_allowed(c)}
    assert too_long == {}


def test_code_lines_fit_the_screen(lesson: Path) -> None:
    wide = [line for cell in read_as_code(lesson) for line in source(cell).splitlines() if len(line) > CODE_WIDTH]
    assert wide == []


def test_quizzes_are_folded_so_that_nobody_reads_the_answers_first(lesson: Path) -> None:
    quizzes = [cell for cell in cells(lesson, "code") if source(cell).startswith("lk.quiz(")]
    assert all(cell["metadata"].get("jupyter", {}).get("source_hidden") for cell in quizzes)


def longest_allowed(cell: Cell) -> int:
    """A definition that is being taught may be longer."""
    return DEFINITION_MAX if re.search(r"^(class|(async )?def) ", source(cell), flags=re.MULTILINE) else CODE_MAX


def test_prose_cells_are_short(lesson: Path) -> None:
    written = [cell for cell in cells(lesson, "markdown") if prose(cell)]
    assert median(prose(cell) for cell in written) <= PROSE_MEDIAN
    assert {source(c)[:40]: prose(c) for c in written if prose(c) > PROSE_MAX} == {}


def test_no_more_than_two_code_cells_in_a_row(lesson: Path) -> None:
    runs = [len(list(group)) for kind, group in groupby(cells(lesson), lambda c: c["cell_type"]) if kind == "code"]
    assert max(runs) <= CODE_IN_A_ROW


def test_something_fails_on_purpose_and_prose_comes_before_it(lesson: Path) -> None:
    page = cells(lesson)
    planned = [n for n, cell in enumerate(page) if "raises-exception" in tags(cell)]
    assert planned
    for n in planned:
        assert page[n - 1]["cell_type"] == "markdown" and re.search(r"fails", source(page[n - 1]))
        assert page[n + 1]["cell_type"] == "markdown"


# --- What is saved ---


def test_every_cell_was_run_once_in_order(lesson: Path) -> None:
    code = cells(lesson, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))


def test_only_planned_failures_are_saved(lesson: Path) -> None:
    for cell in cells(lesson, "code"):
        failed = any(output["output_type"] == "error" for output in cell["outputs"])
        assert failed == ("raises-exception" in tags(cell)), source(cell)


def test_saved_page_needs_no_kernel(lesson: Path) -> None:
    text = lesson.read_text(encoding="utf-8")
    assert "application/vnd.jupyter.widget" not in text
    widgets = [cell for cell in cells(lesson, "code") if re.search(r"lk\.(quiz|sampling_lens)\(", source(cell))]
    assert widgets and all(readable(cell) for cell in widgets)


def test_every_plot_left_a_picture(lesson: Path) -> None:
    drawing = re.compile(r"lk\.plots\.(bars|lines|heatmap|diversity|waterfall)\(|\.plot\.")
    drawn = [cell for cell in cells(lesson, "code") if drawing.search(source(cell))]
    assert drawn
    assert [source(cell) for cell in drawn if not has(cell, "image/png")] == []


def has(cell: Cell, kind: str) -> bool:
    return any(kind in output.get("data", {}) for output in cell["outputs"])


def readable(cell: Cell) -> bool:
    return has(cell, "image/png") or has(cell, "text/html")


def test_file_is_small_enough_to_open_on_a_hosting_site(lesson: Path) -> None:
    assert lesson.stat().st_size < 1_000_000


# --- What no page may hold ---

FORBIDDEN = {
    "a price": r"(?:\$|USD )\s?\d",
    "a port or an address": r"localhost|\b\d+\.\d+\.\d+\.\d+\b|:\d{4,5}\b",
    "somebody's path": r"(?<![\w.~$}/:])/(?:root|work|home|Users)/\w",
    "a key": r"\b(?:sk-[A-Za-z0-9_-]{16,}|AIza\w{20,}|AKIA[A-Z0-9]{16}|lab-[0-9a-f]{8,})",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_sources_hold_no(what: str, lesson: Path) -> None:
    assert [source(cell) for cell in cells(lesson) if re.search(FORBIDDEN[what], source(cell))] == []


@pytest.mark.parametrize("what", ["somebody's path", "a key"])
def test_outputs_hold_no(what: str, lesson: Path) -> None:
    saved = [json.dumps(cell["outputs"], ensure_ascii=False) for cell in cells(lesson, "code")]
    assert [match[0] for text in saved for match in re.finditer(FORBIDDEN[what], text)] == []


def test_sources_name_no_model(lesson: Path) -> None:
    names = {name for m in registry.models(include_retired=True) for name in (m.id, *m.aliases)}
    typed = re.compile(r"(?<![\w.-])(" + "|".join(map(re.escape, names)) + r")(?![\w-])")
    assert [m[1] for cell in cells(lesson) for m in typed.finditer(source(cell))] == []


@pytest.mark.parametrize(
    ("what", "sample"),
    [
        ("a price", "it costs $" + "3 a month"),
        ("a port or an address", "http://127.0.0.1:" + "8000/v1"),
        ("somebody's path", "see /ho" + "me/ada/notes"),
        ("a key", "sk-" + "proj-" + "a1" * 12),
    ],
)
def test_the_patterns_find_what_they_are_for(what: str, sample: str) -> None:
    assert re.search(FORBIDDEN[what], sample)


# --- Links and the curriculum ---


def test_links_inside_the_repository_lead_somewhere(lesson: Path) -> None:
    text = "\n".join(source(cell) for cell in cells(lesson, "markdown"))
    targets = [t for t in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if "://" not in t]
    assert targets
    assert [target for target in targets if not (lesson.parent / target).is_file()] == []


def test_tags_are_curriculum_ids(lesson: Path) -> None:
    used = {tag for cell in cells(lesson) for tag in tags(cell)}
    assert used <= IDS | OTHER_TAGS


def test_lesson_claims_its_rows_of_the_curriculum(lesson: Path) -> None:
    claimed = {tag for cell in cells(lesson, "code") for tag in tags(cell)}
    assert claimed >= CLAIMED.get(lesson.stem[:2], set())
    assert claimed & IDS


def test_prose_names_only_what_labkit_has(lesson: Path) -> None:
    import labkit

    named = re.findall(r"`lk\.(\w+)", "\n".join(source(cell) for cell in cells(lesson, "markdown")))
    assert [name for name in named if name not in labkit.__all__] == []
