"""Every lesson in JupyterLab: run from the menu, then each control in it moved, with a picture of each state.

The pictures go to build/screenshots/lessons, for people to look at.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator

ROOT = Path(__file__).parents[2]
LESSONS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
SCREENSHOTS = ROOT / "build" / "screenshots" / "lessons"

WIDGETS = ".jp-OutputArea-output.lm-Panel:has(.jupyter-widgets)"
TICK_MS, STILL = 60, 3
"""Milliseconds between two looks at a widget, and how many looks alike make it still."""
STEADY = 40
"""Pixels: two printed lines, by which a widget may grow or shrink. A button may unfold more."""
WHAT_IS_SHOWN = """output => {
    const copy = output.cloneNode(true);
    copy.querySelectorAll('.slider, .widget-readout, select, input').forEach(control => control.remove());
    return copy.innerHTML;
}"""
"""What stands under the controls, without the controls."""

Move = Callable[[Any, Locator], None]


def key(name: str) -> Move:
    def press(opened: Any, control: Locator) -> None:
        control.focus()
        opened.page.keyboard.press(name)

    return press


def click(opened: Any, control: Locator) -> None:
    control.click()


def option(which: int) -> Move:
    def choose(opened: Any, control: Locator) -> None:
        control.select_option(index=which % control.locator("option").count())

    return choose


CONTROLS: dict[str, dict[str, Move]] = {
    "slider": {"least": key("Home"), "most": key("End")},
    "combobox": {"first": option(0), "last": option(-1)},
    "checkbox": {"once": click, "twice": click},
    "radio": {"chosen": click},
    "button": {"pressed": click},
}
"""What there is to move, by role, and how to bring it from one end to the other."""

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize("lesson", LESSONS, ids=[path.stem for path in LESSONS])
def test_lesson_runs_from_the_menu_and_every_widget_moves(jupyter: Any, lesson: Path) -> None:
    opened = jupyter.open(f"notebooks/{lesson.name}", height=1_400)
    opened.run_all()
    assert len(opened.errors()) == planned_failures(lesson)
    assert opened.page.locator(WIDGETS).count() > 0
    seen = list(states(opened, lesson.stem[:2]))
    alive = {widget for widget, _, shown, _ in seen if len(shown) > 1}
    assert alive == {widget for widget, _, _, _ in seen}
    jumping = [(widget, name, h) for widget, name, _, h in seen if "button" not in name and max(h) - min(h) > STEADY]
    assert jumping == []
    opened.page.close()
    assert jupyter.outside == []


def planned_failures(lesson: Path) -> int:
    cells = json.loads(lesson.read_text(encoding="utf-8"))["cells"]
    return sum("raises-exception" in cell["metadata"].get("tags", []) for cell in cells)


def states(opened: Any, lesson: str) -> Iterator[tuple[int, str, set[str], list[float]]]:
    """Each control of each widget at each of its ends: which they are, what the widget showed, and how high it was."""
    widgets = opened.page.locator(WIDGETS)
    for n in range(widgets.count()):
        widget = widgets.nth(n)
        widget.scroll_into_view_if_needed()
        widget.screenshot(path=SCREENSHOTS / f"{lesson}-{n + 1}.png")
        for role, ends in CONTROLS.items():
            for k in range(widget.get_by_role(role).count()):
                control = widget.get_by_role(role).nth(k)
                if not control.is_enabled():
                    continue
                shown, heights = [widget.evaluate(WHAT_IS_SHOWN)], [height(widget)]
                for end, move in ends.items():
                    move(opened, control)
                    settle(opened, widget)
                    shown.append(widget.evaluate(WHAT_IS_SHOWN))
                    heights.append(height(widget))
                    widget.screenshot(path=SCREENSHOTS / f"{lesson}-{n + 1}-{role}{k + 1}-{end}.png")
                yield n + 1, f"{role} {k + 1}", set(shown), heights


def height(widget: Locator) -> float:
    box = widget.bounding_box()
    assert box is not None
    return box["height"]


def settle(opened: Any, widget: Locator) -> None:
    """Wait until the kernel is idle and the widget shows the same for a while."""
    same, before = 0, ""
    while same < STILL:
        opened.page.wait_for_timeout(TICK_MS)
        now = widget.evaluate(WHAT_IS_SHOWN)
        streaming = widget.get_by_role("button", name="Stop", disabled=False).count()
        same = same + 1 if now == before and opened.idle.is_visible() and not streaming else 0
        before = now
