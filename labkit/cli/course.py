"""`labkit release`, and what else those who write the course need."""

from __future__ import annotations

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
) -> None:
    """Begin an exercise: notebook, checks and wrong answers that pass their tests, to be written over.

    \b
        labkit new-exercise 12 "Rate limits"
        labkit release
        python -m pytest tests/grading/test_exercises.py -k "12"

    For whoever writes the course; run it in the project's folder.
    """
    from pathlib import Path

    from labkit.grading.skeleton import new_exercise as begin

    for path in begin(number, title):
        print(f"wrote {path.relative_to(Path.cwd()).as_posix()}")
    print("Write them over, then run `labkit release` and the tests of tests/grading/test_exercises.py.")
