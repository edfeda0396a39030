"""`labkit sweep`: an experiment from a file to a file."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labkit.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


def sweep(
    spec: Annotated[Path, typer.Argument(help="TOML file: prompts, models, parameters, repeats.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where the table goes: .csv, .jsonl or .parquet.")
    ] = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="Say what it may cost at most; send nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, whatever it may cost.")] = False,
    confirm_above: Annotated[
        float | None, typer.Option(help="Ask when it may cost more than this, in USD; by default 0.50 of live money.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where finished cells are kept; by default labkit's state folder.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of the lab server: answers repeat, also without seeds.")] = None,
) -> None:
    """Run an experiment from a file to a table.

    It asks every prompt of every model with every combination of parameters.

    \b
    A spec, and two ways to use it:
        models = ["openai:sampling", "anthropic:sampling"]
        prompts = ["What is an API?", "What is a token?"]
        repeats = 5
        metrics = ["words", "distinct_2"]
        [parameters]
        temperature = [0.0, 0.5, 1.0]
        max_tokens = 100
    \b
        labkit sweep spec.toml --estimate
        labkit sweep spec.toml --out answers.csv

    Finished cells are kept: after Ctrl-C or a crash, run it again and it asks for what is missing only. Without --out
    a summary by model and parameters is printed. `python -m pydoc labkit.experiments.spec` shows all fields of a spec.

    \b
    To draw the table, in a notebook:
        lk.plots.curve(pd.read_csv("answers.csv"), "temperature", "words")
    """
    from labkit import start
    from labkit.experiments.spec import load_spec

    write = _writer(out)
    with start(quiet=True, seed=seed):
        planned = load_spec(spec, folder=folder)
        if estimate:
            print(f"{len(planned.grid):,} cells: {planned.estimate()}")
            return
        with warnings.catch_warnings():
            warnings.showwarning = _said  # type: ignore[assignment]  # of its arguments only the first is of use
            frame = planned.run(yes=yes, confirm_above=confirm_above)
    if write is not None:
        write(frame)
    else:
        _summary(frame)
    _closing(frame, out)
    raise typer.Exit(1 if frame.attrs["stopped"] else 0)


def _writer(out: Path | None) -> Callable[[pd.DataFrame], object] | None:
    """How to write the table, found before a call is paid for.

    Raises:
        UserError: an ending that is none, or parquet without its library.
    """
    if out is None:
        return None
    if out.suffix == ".parquet":
        from importlib.util import find_spec

        if find_spec("pyarrow") is None:
            raise UserError(f"{out.name} needs the package pyarrow: install it, or write .csv or .jsonl.")
    if out.suffix not in (".csv", ".jsonl", ".parquet"):
        raise UserError(f"{out.name} ends in none of .csv, .jsonl, .parquet.")
    if not out.parent.is_dir():
        raise UserError(f"There is no folder {out.parent} for {out.name}.")

    def write(frame: pd.DataFrame) -> None:
        plain = frame.copy()
        plain.attrs = {}
        if out.suffix == ".csv":
            plain.to_csv(out, index=False)
        elif out.suffix == ".jsonl":
            plain.to_json(out, orient="records", lines=True, force_ascii=False)
        else:
            plain.to_parquet(out, index=False)

    return write


def _summary(frame: pd.DataFrame) -> None:
    """Means by model and parameters."""
    from labkit.cli import tables
    from labkit.experiments.grid import AXES

    groups = ["model", *(axis for axis in AXES if axis in frame and frame[axis].nunique(dropna=False) > 1)]
    named = ("output", "latency_s", "cost_usd")
    after = list(frame.columns).index("time") + 1
    means = [*named, *(c for c in frame.columns[after:] if frame[c].dtype.kind in "biuf")]
    table = frame.assign(answers=frame["error"].isna()).groupby(groups, sort=False, dropna=False)
    found = table[means].mean().assign(answers=table["answers"].sum()).reset_index()
    columns = [*groups, "answers", *means]
    rows = [[_cell(row[column]) for column in columns] for row in found.to_dict("records")]
    tables.show(columns, rows, right=columns[1:])


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _closing(frame: pd.DataFrame, out: Path | None) -> None:
    told = frame.attrs
    failed = f", {told['failed']:,} failed" if told["failed"] else ""
    judged = f", judging ${told['judge_usd']:.4f}" if "judge_usd" in told else ""
    print(f"{told['paid']:,} answers for ${told['spent_usd']:.4f}{judged}, {told['reused']:,} were there{failed}.")
    if told["failed"]:
        print(f"First error: {frame['error'].dropna().iloc[0]}")
    print(f"{'Table: ' + str(out) + '; ' if out else ''}finished cells: {told['file']}")


def _said(message: Warning | str, *_: object) -> None:
    print(f"labkit: {message}", file=sys.stderr)
