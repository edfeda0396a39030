"""The course home, its table, picture and routes, says what the notebooks say themselves."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest

from labkit import course, record

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "notebooks"
PAGE = (HOME / "README.md").read_text(encoding="utf-8")
PICTURE = ElementTree.parse(HOME / "images" / "path.svg")
SVG = "{http://www.w3.org/2000/svg}"
LESSONS = {lesson.number: lesson for lesson in course.lessons(ROOT)}

LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)\)")
LONGEST = {"Two hours": 120, "One day": 480}
"""Minutes that a route may take."""


def opening(notebook: Path) -> str:
    """The first cell."""
    return "".join(json.loads(notebook.read_text(encoding="utf-8"))["cells"][0]["source"])


@cache
def needs(number: str) -> tuple[str, ...]:
    """Numbers of the lessons that a lesson says it needs."""
    said = opening(LESSONS[number].path).partition("**You need**")[2]
    return tuple(Path(link).name[:2] for link in LINK.findall(said))


def exercise_minutes(exercise: Path) -> int:
    said = re.search(r"about (\d+) minutes", opening(exercise))
    assert said, f"{exercise.name} does not say how long it takes"
    return int(said[1])


def table(heading: str) -> list[list[str]]:
    """Cells of the first table below a heading, without its head."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| *(.*?) *\|$", section, re.MULTILINE)
    return [re.split(r" *\| *", row) for row in rows[2:]]


ROUTES = {name: (LINK.findall(way), int(minutes)) for name, way, minutes in table("Three routes")}


def minutes_of(link: str) -> int:
    name = Path(link).name
    return exercise_minutes(HOME / link) if "exercises" in link else LESSONS[name[:2]].minutes


def route_lessons(name: str) -> list[str]:
    return [Path(link).name[:2] for link in ROUTES[name][0] if "exercises" not in link]


def all_before(arrows: dict[str, set[str]], number: str) -> set[str]:
    """What one has to have read before a lesson, by the way of any arrows."""
    return {earlier for near in arrows[number] for earlier in {near} | all_before(arrows, near)}


def expected_row(number: str) -> list[str]:
    lesson = LESSONS[number]
    needed = ", ".join(f"[{n}]({LESSONS[n].path.name})" for n in needs(number)) or "nothing"
    exercise = ""
    if lesson.exercise:
        minutes = exercise_minutes(lesson.exercise)
        exercise = f"[{number}](../exercises/{lesson.exercise.name}), {minutes} minutes"
    return [f"[{number}]({lesson.path.name})", lesson.title, str(lesson.minutes), needed, exercise]


def test_every_lesson_has_its_row_and_there_are_no_others() -> None:
    assert [row[0][1:3] for row in table("Lessons")] == list(LESSONS)


@pytest.mark.parametrize("row", table("Lessons"), ids=lambda row: row[0][1:3])
def test_a_row_says_what_the_notebook_says(row: list[str]) -> None:
    assert row == expected_row(row[0][1:3])


def test_lessons_said_to_be_missing_are() -> None:
    missing = re.findall(r"Lesson (\d\d)\b.* not written yet", PAGE)
    assert not set(missing) & set(LESSONS)
    assert {*LESSONS, *missing} == {f"{n:02}" for n in range(16)}


@pytest.mark.parametrize("link", sorted(set(LINK.findall(PAGE))))
def test_links_lead_somewhere(link: str) -> None:
    assert (HOME / link).is_file()


# --- Routes ---


@pytest.mark.parametrize("name", LONGEST)
def test_a_routes_minutes_are_those_of_its_parts(name: str) -> None:
    links, minutes = ROUTES[name]
    assert minutes == sum(map(minutes_of, links)) <= LONGEST[name]


def test_the_whole_is_every_lesson_and_exercise() -> None:
    lessons = list(LESSONS.values())
    exercises = [exercise_minutes(lesson.exercise) for lesson in lessons if lesson.exercise]
    assert ROUTES["The whole"][1] == sum(lesson.minutes for lesson in lessons) + sum(exercises)


@pytest.mark.parametrize("name", LONGEST)
def test_a_route_has_what_each_lesson_needs_before_it(name: str) -> None:
    way = route_lessons(name)
    assert len(way) > 2
    assert [n for place, n in enumerate(way) if not set(needs(n)) <= set(way[:place])] == []


def test_lessons_by_number_have_what_they_need_before_them() -> None:
    assert [n for n in LESSONS if any(needed >= n for needed in needs(n))] == []


# --- The picture ---


def boxes() -> dict[str, ElementTree.Element]:
    found = PICTURE.iterfind(f".//{SVG}g[@id]")
    return {box.attrib["id"].removeprefix("lesson-"): box for box in found}


def arrows() -> dict[str, set[str]]:
    """Lessons with an arrow to a lesson, by that lesson."""
    into: dict[str, set[str]] = {number: set() for number in boxes()}
    for path in PICTURE.iterfind(f".//{SVG}path[@data-from]"):
        into[path.attrib["data-to"]].add(path.attrib["data-from"])
    return into


def test_the_picture_has_a_box_with_minutes_for_each_lesson() -> None:
    drawn = {n: [str(text.text) for text in box.iterfind(f"{SVG}text")] for n, box in boxes().items()}
    assert {n: (words[0][:2], words[1]) for n, words in drawn.items()} == {
        n: (n, f"{lesson.minutes} minutes") for n, lesson in LESSONS.items()
    }


def test_arrows_lead_from_what_is_needed() -> None:
    said = {n: set(needs(n)) for n in LESSONS}
    assert {n: all_before(arrows(), n) for n in LESSONS} == {n: all_before(said, n) for n in LESSONS}


def test_arrows_touch_their_boxes() -> None:
    def edges(number: str) -> set[float]:
        box = boxes()[number].find(f"{SVG}rect")
        assert box is not None
        x, y, width, height = (float(box.attrib[name]) for name in ("x", "y", "width", "height"))
        return {x - 1, x + width, y - 1, y + height}

    for path in PICTURE.iterfind(f".//{SVG}path[@data-from]"):
        points = [float(number) for number in re.findall(r"[\d.]+", path.attrib["d"])]
        assert edges(path.attrib["data-from"]) & set(points[:2]), path.attrib
        assert edges(path.attrib["data-to"]) & set(points[-2:]), path.attrib


def test_the_colours_are_those_of_the_routes() -> None:
    drawn = {n: box.attrib["class"] for n, box in boxes().items()}
    short, day = set(route_lessons("Two hours")), set(route_lessons("One day"))
    assert short <= day
    assert drawn == {n: "hours" if n in short else "day" if n in day else "whole" for n in LESSONS}


# --- Progress ---


def test_the_signs_are_those_of_the_progress_map() -> None:
    assert {meaning.partition(":")[0]: sign for sign, meaning in table("Where you are")} == record.SIGNS
