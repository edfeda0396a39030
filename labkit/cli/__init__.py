"""`labkit`: the lab server by hand, a model at the prompt, and what is true on this machine.

One file a group of commands; `COMMANDS` is what `labkit --help` lists. Every command prints what the library returns
and nothing more; a mistake is answered with one sentence and an exit code: 1 for something broken, 2 for something to
mend in the call or the settings.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from labkit import __version__
from labkit.cli import chat, course, facts, grading, server, spend, sweep
from labkit.errors import LabkitError
from labkit.registry import UnknownModel

COMMANDS: dict[str, Callable[..., None]] = {
    "serve": server.serve,
    "status": server.status,
    "stop": server.stop,
    "doctor": facts.doctor,
    "models": facts.models,
    "prices": facts.prices,
    "chat": chat.chat,
    "sweep": sweep.sweep,
    "spend": spend.spend,
    "grade": grading.grade,
    "release": course.release,
    "new-exercise": course.new_exercise,
    "make-class": course.make_class,
}

app = typer.Typer(
    name="labkit",
    help="A course and an experiment bench for LLM APIs that runs on a laptop.\n\n"
    "Notebooks need none of these commands: `labkit.start()` finds the lab server or starts it. Use `labkit doctor` "
    "when something does not work, and `labkit serve` to run the server where you can watch it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        print(f"labkit {__version__}")
        raise typer.Exit


for _name, _command in COMMANDS.items():
    app.command(_name)(_command)


def main() -> None:
    """Entry point of the command line: runs a command, and says what is wrong in one sentence when it cannot."""
    try:
        app()
    except LabkitError as error:
        print(f"labkit: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except UnknownModel as unknown:
        print(f"labkit: {unknown}", file=sys.stderr)
        sys.exit(2)
    except Exception as fault:
        if os.environ.get("LABKIT_DEBUG"):
            raise
        print(f"labkit: a fault of labkit's own, {type(fault).__name__}: {fault}", file=sys.stderr)
        print("Set LABKIT_DEBUG=1 and run it again to see where.", file=sys.stderr)
        sys.exit(1)
