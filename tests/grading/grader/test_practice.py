"""The made-up class: the same every time, of every kind, and graded to exactly the points that it must get."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from graded import submission, task

from labkit.errors import UserError
from labkit.grading.exercise import NoExercise
from labkit.grading.grade import grade
from labkit.grading.practice import EXPECTED, RECIPES, SUBMITTED, make_class
from labkit.grading.practice.expected import Expected, differences, read_expected
from labkit.grading.sandbox.limits import Limits

ROOT = Path(__file__).parents[3]
LIMITS = Limits(cell_seconds=10, total_seconds=60)
"""Shorter than usual, since some of the class never end."""


def contents(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("sandbox")
def test_a_class_is_graded_to_exactly_the_expected_points(tmp_path: Path) -> None:
    made = make_class(tmp_path, students=30, seed=3, course=ROOT, only=["01"])
    run = grade(tmp_path / SUBMITTED, tmp_path / "grades", course=ROOT, limits=LIMITS)
    assert differences(made, run.results) == []
    assert {one.kind for one in made} == set(RECIPES) and len(run.results) == 30
    points = [result.earned for result in run.results]
    assert 0 in points and 20 in points and any(0 < got < 20 for got in points)


def test_the_same_seed_makes_the_same_class(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        make_class(tmp_path / name, students=40, seed=seed, course=ROOT)
    one, two, three = (contents(tmp_path / name) for name in ("one", "two", "three"))
    assert one == two != three


def test_a_hundred_hold_every_recipe_and_every_exercise(tmp_path: Path) -> None:
    made = make_class(tmp_path, course=ROOT)
    found = {(one.kind, one.what) for one in made}
    for kind, recipes in RECIPES.items():
        wanted = {" ".join(str(recipe.__doc__).split()) for recipe in recipes}
        assert kind == "partly" or {what for k, what in found if k == kind} == wanted
    assert len(made) == 100 and len({one.file for one in made}) == 100
    solutions = {path.name[:2] for path in (ROOT / "solutions").glob("*.ipynb")}
    assert {one.exercise for one in made} <= solutions and len({one.exercise for one in made}) > 3


def test_partly_right_ones_are_neither_empty_nor_full(tmp_path: Path) -> None:
    made = [one for one in make_class(tmp_path, course=ROOT, only=["1"]) if one.kind == "partly"]
    assert all(0 < sum(one.earned.values()) < 20 for one in made)
    assert len(Counter(tuple(one.earned.values()) for one in made)) > 10


def test_names_that_differ_by_case_only(tmp_path: Path) -> None:
    names = [one.student for one in make_class(tmp_path, students=10, course=ROOT)]
    assert len(set(names)) == 10 > len({name.casefold() for name in names})


def test_the_table_reads_back_as_it_was_written(tmp_path: Path) -> None:
    made = make_class(tmp_path, students=30, course=ROOT)
    assert read_expected(tmp_path / EXPECTED) == sorted(made, key=lambda one: one.file)


def test_a_difference_names_file_task_and_points() -> None:
    must = Expected("ada.ipynb", "ada", "01", "odd", "x", {"1.1": 4.0, "1.2": 1.0}, note="is missing")
    result = submission("ada", tasks=(task("1.1", True, False),))
    [line] = differences([must], [result])
    assert line == (
        "ada.ipynb (odd: x): task 1.1 got 2, expected 4; task 1.2 got 0, expected 1; its notes do not say 'is missing'"
    )
    assert differences([must], []) == ["ada.ipynb (odd: x): no result"]
    assert differences([], [result]) == ["ada.ipynb: nothing was expected of it"]
    [line] = differences([replace(must, refusal="no JSON", earned={}, note="")], [result])
    assert "refused with '', expected 'no JSON'" in line


@pytest.mark.parametrize("students", [0, 10_000])
def test_a_class_that_cannot_be(tmp_path: Path, students: int) -> None:
    with pytest.raises(UserError, match="A class has 1 to"):
        make_class(tmp_path, students=students, course=ROOT)


def test_nothing_is_written_over(tmp_path: Path) -> None:
    make_class(tmp_path, students=1, course=ROOT)
    with pytest.raises(UserError, match="is there already"):
        make_class(tmp_path, students=1, course=ROOT)
    with pytest.raises(NoExercise, match="no exercise 99; those here: 01"):
        make_class(tmp_path / "other", course=ROOT, only=["99"])
