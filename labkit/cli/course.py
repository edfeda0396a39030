"""`labkit release`, and what else those who write the course need."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def release(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if the exercises are out of date.")
    ] = False,
) -> None:
    """Generate the exercises from solutions/. For whoever writes the course."""
    from labkit.grading.release import main as release_main

    raise typer.Exit(release_main(check=check))


def new_exercise(
    number: Annotated[int, typer.Argument(help="Of the exercise, as of its notebook: 12.")],
    title: Annotated[str, typer.Argument(help="What it is about, in a few words.")],
    free_text: Annotated[bool, typer.Option("--free-text", help="With a question that a person grades.")] = False,
) -> None:
    """Begin an exercise of your own.

    A notebook, its checks and wrong answers, which work as they are, to be written over.

    \b
        labkit new-exercise 12 "Rate limits"
        labkit release
        labkit make-class practice --only 12
        labkit grade practice/submitted --out practice/grades --expected practice/expected.csv

    In labkit's own project `python -m pytest tests/grading/test_exercises.py -k 12` tries every wrong answer.

    For whoever writes a course; run it in its folder, where `solutions/` is.
    """
    from labkit.grading.skeleton import new_exercise as begin

    for path in begin(number, title, free_text=free_text):
        print(f"wrote {path.relative_to(Path.cwd()).as_posix()}")
    print("Write them over, then run `labkit release`.")


def make_class(
    folder: Annotated[Path, typer.Argument(help="A new folder for it.")],
    students: Annotated[int, typer.Option(min=1, help="How many hand something in.")] = 100,
    seed: Annotated[int, typer.Option(help="The same seed makes the same class.")] = 7,
    only: Annotated[
        list[str] | None, typer.Option(help="An exercise, such as 01; may be given several times. By default all.")
    ] = None,
    course: Annotated[
        Path | None, typer.Option(help="The folder with solutions/ in it; by default the current one.")
    ] = None,
) -> None:
    """Make up a class to try the grader on.

    Its submissions are right, partly right, wrong, hostile and odd.

    \b
        labkit make-class practice
        labkit grade practice/submitted --out practice/grades --expected practice/expected.csv

    expected.csv says what each must get and why. The second command grades them and fails if one got anything else.
    """
    from labkit.grading.practice import EXPECTED, SUBMITTED
    from labkit.grading.practice import make_class as make

    made = make(folder, students=students, seed=seed, course=course, only=only or None)
    print(f"{len(made)} submissions in {folder / SUBMITTED}; what they must get is in {folder / EXPECTED}.")
