"""Each widget as a reader uses it in JupyterLab: by keyboard, with names for who cannot see it, in a steady place."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Locator, expect
from test_lab_notebook import SCREENSHOTS, notebook

from labkit import registry

START = "import labkit as lk\nlk.start(seed=7, quiet=True)\n"
NAMELESS = re.compile(r"^\s*- (?:button|checkbox|combobox|spinbutton|textbox|radio|meter)(?::|$| \[)", re.M)
"""A control in Playwright's accessibility snapshot that has no name after its role."""
SCREENFUL = 1_400
"""Pixels: a window in which a whole widget is in sight."""

PATIENCE, USUAL = 30_000, 5_000
"""Milliseconds: the first click of a kernel loads SDKs, which takes long on a busy machine; and the default."""

pytestmark = pytest.mark.timeout(400)
Show = Callable[[str, str], tuple[Any, Locator]]


@pytest.fixture
def show(jupyter: Any) -> Show:
    """Run a cell in a notebook of its own; the page, and the output that holds the widget."""

    def run(name: str, source: str) -> tuple[Any, Locator]:
        nbformat.write(notebook(START + source), Path(jupyter.folder) / f"{name}.ipynb")
        opened = jupyter.open(f"{name}.ipynb", height=SCREENFUL)
        opened.run_all()
        output = opened.page.locator(".jp-OutputArea-output:has(.widget-vbox)").first
        expect(output).to_be_visible()
        assert opened.errors() == []
        return opened, output

    expect.set_options(timeout=PATIENCE)
    yield run
    expect.set_options(timeout=USUAL)
    assert jupyter.outside == []


def height(output: Locator) -> float:
    box = output.bounding_box()
    assert box is not None
    return round(box["height"])


def nameless(output: Locator) -> list[str]:
    """Controls that a screen reader could not name. Not sliders: ipywidgets gives theirs no name, only the words before
    them, and nothing in Python can."""
    return [line for line in output.aria_snapshot().splitlines() if NAMELESS.match(line)]


def test_playground_asks_two_models_by_keyboard(show: Show) -> None:
    opened, output = show("playground", 'lk.playground("What is an API?", compare={"provider": "anthropic"})')
    before = height(output)
    output.get_by_role("button", name="Ask").focus()
    opened.page.keyboard.press("Enter")
    bills = output.get_by_role("status").filter(has_text="tokens in")
    expect(bills).to_have_count(2)
    expect(output.get_by_role("button", name="Ask")).to_be_enabled()
    assert height(output) == before
    opened.shoot(SCREENSHOTS / "playground.png")
    assert nameless(output) == []


def test_playground_greys_out_what_a_model_refuses(show: Show) -> None:
    opened, output = show("greyed", 'lk.playground("Hi")\n')
    before = height(output)
    output.get_by_label("model", exact=True).first.select_option(label=registry.model("openai", "reasoning"))
    expect(output.get_by_role("status").filter(has_text="refuses temperature").first).to_be_visible()
    assert height(output) == before
    opened.shoot(SCREENSHOTS / "playground-greyed.png")


def test_playground_stops_a_stream_that_runs(show: Show) -> None:
    _, output = show("stopped", 'lk.lab.pace(20)\nlk.playground("What is an API?")')
    output.get_by_role("button", name="Ask").click()
    expect(output).to_contain_text("▏")  # an answer is being written
    output.get_by_role("button", name="Stop").click()
    expect(output).to_contain_text("the streams were closed")
    expect(output).to_contain_text("■ stopped")


def test_code_of_the_playground_can_be_selected_by_keyboard(show: Show) -> None:
    opened, output = show("code", 'lk.playground("What is an API?")')
    output.get_by_role("button", name="SDK code").click()
    code = output.locator(".labkit-code textarea").first
    expect(code).to_have_value(re.compile("client.chat.completions.create"))
    code.focus()
    opened.page.keyboard.press("Control+A")
    selected = code.evaluate("e => e.value.slice(e.selectionStart, e.selectionEnd)")
    assert selected == code.input_value()


def test_cost_calculator_follows_a_slider(show: Show) -> None:
    opened, output = show("cost", "lk.cost_calculator(input=3000, cached=0.6, batch=0.5)")
    before, finding = height(output), output.get_by_role("status").first
    said = finding.inner_text()
    output.get_by_role("slider").last.focus()
    for _ in range(4):
        opened.page.keyboard.press("ArrowRight")
    expect(finding).not_to_have_text(said)
    expect(output).to_contain_text("80% and 20%")
    opened.shoot(SCREENSHOTS / "cost-calculator.png")
    assert height(output) >= before


def test_limits_gauge_watches_while_calls_are_made(show: Show) -> None:
    source = (
        "lk.lab.limits(requests_per_minute=10)\nlk.lab.clock(minute=6000)\n"
        "client = lk.LLMClient('openai', tier='sampling')\nclient.chat('Hi', max_tokens=5)\nlk.limits_gauge()"
    )
    opened, output = show("gauge", source)
    expect(output.get_by_role("meter").first).to_have_attribute("aria-valuenow", "9")
    watch = output.get_by_role("button", name="Watch")
    watch.focus()
    opened.page.keyboard.press("Space")
    expect(watch).to_have_class(re.compile("mod-active"))
    opened.shoot(SCREENSHOTS / "limits-gauge.png")
    assert nameless(output) == []


def test_stream_viewer_shows_frames_and_text(show: Show) -> None:
    opened, output = show("streams", 'lk.stream_viewer("What is an API?", max_tokens=20)')
    before = height(output)
    output.get_by_role("button", name="Stream").focus()
    opened.page.keyboard.press("Enter")
    expect(output.get_by_role("status").filter(has_text="finish: length")).to_have_count(2)
    expect(output.get_by_role("region", name=re.compile("Frames of anthropic"))).to_contain_text("event: message_stop")
    assert height(output) == before
    opened.shoot(SCREENSHOTS / "stream-viewer.png")
    assert nameless(output) == []


def test_progress_knows_the_open_lesson_and_links_to_the_others(jupyter: Any) -> None:
    path = Path(jupyter.folder) / "notebooks" / "99_map.ipynb"
    nbformat.write(notebook(START + "lk.progress()"), path)
    opened = jupyter.open("notebooks/99_map.ipynb")
    opened.run_all()
    opened.shoot(SCREENSHOTS / "progress.png")
    row = opened.page.get_by_role("row").filter(has=opened.page.locator("td", has_text="99"))
    expect(row.get_by_role("img")).to_have_attribute("title", re.compile("begun|finished"))
    opened.page.get_by_role("link", name="Who picks the words").click()
    expect(opened.page.get_by_role("tab", name=re.compile("07_sampling")).first).to_be_visible(timeout=30_000)
