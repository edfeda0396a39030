"""A reader in JupyterLab: runs lesson 07 from the menu, moves a slider by keyboard, answers a quiz by keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest
from playwright.sync_api import Locator, expect

from labkit.display import still

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"

LESSON = "notebooks/07_sampling.ipynb"
QUIZ = """
import labkit as lk
lk.quiz({"ask": "What does T = 0 do?", "answer": 1,
         "options": {"draws from all": "That is T = 1.", "takes the most probable token": "It is argmax."}})
"""
LENS = """
import labkit as lk
lk.start(seed=7, quiet=True)
lk.sampling_lens("What is an API?")
"""

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(autouse=True)
def _nothing_leaves_the_machine(jupyter: Any) -> Iterator[None]:
    yield
    assert jupyter.outside == []


def notebook(source: str) -> nbformat.NotebookNode:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [nbformat.v4.new_code_cell(source.strip())]
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def lens(opened: Any) -> Locator:
    """The output that holds the sampling lens."""
    return opened.page.locator(".jp-OutputArea-output", has=opened.page.get_by_role("button", name="Sample 20")).first


def picture(shown: Locator) -> str:
    return shown.locator("img.widget-image").get_attribute("src") or ""


def test_lesson_runs_from_the_menu_and_the_lens_follows_the_keyboard(jupyter: Any) -> None:
    opened = jupyter.open(LESSON)
    opened.run_all()
    shown = lens(opened)
    finding = shown.get_by_role("status").first
    expect(finding).to_contain_text("T = 1.00")
    before = picture(shown)
    shown.scroll_into_view_if_needed()
    opened.shoot(SCREENSHOTS / "07-lens-before.png")

    shown.get_by_role("slider").first.focus()
    for _ in range(6):
        opened.page.keyboard.press("ArrowRight")
    expect(finding).to_contain_text("T = 1.30")
    assert picture(shown) != before

    shown.get_by_role("button", name="Sample 20").focus()
    opened.page.keyboard.press("Enter")
    expect(shown).to_contain_text("of 20 in all")
    opened.shoot(SCREENSHOTS / "07-lens-after.png")


def test_quiz_is_answered_by_keyboard(jupyter: Any) -> None:
    nbformat.write(notebook(QUIZ), Path(jupyter.folder) / "quiz.ipynb")
    opened = jupyter.open("quiz.ipynb")
    opened.run_all()
    opened.page.get_by_role("radio").first.focus()
    opened.page.keyboard.press("Space")
    verdict = opened.page.get_by_role("status").first
    expect(verdict).to_have_text(re.compile("Not this one. That is T = 1."))
    opened.page.keyboard.press("Tab")  # the arrow keys are JupyterLab's
    opened.page.keyboard.press("Space")
    expect(verdict).to_have_text(re.compile("Right. It is argmax."))
    opened.shoot(SCREENSHOTS / "quiz.png")


def test_saved_lens_is_a_picture_where_no_kernel_ran(jupyter: Any) -> None:
    saved = nbclient.execute(notebook(LENS))
    assert still(saved) == 1
    nbformat.write(saved, Path(jupyter.folder) / "saved.ipynb")
    opened = jupyter.open("saved.ipynb")
    expect(opened.page.locator(".jp-RenderedImage img")).to_be_visible()
    opened.shoot(SCREENSHOTS / "lens-saved.png")


def test_a_request_to_elsewhere_would_be_noticed(jupyter: Any) -> None:
    page = jupyter.page()
    with page.expect_request("http://127.0.0.2:9/"):
        page.evaluate("fetch('http://127.0.0.2:9/').catch(() => 0)")
    assert jupyter.outside == ["http://127.0.0.2:9/"]
    jupyter.outside.clear()
