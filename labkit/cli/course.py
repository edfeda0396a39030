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
