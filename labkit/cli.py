"""`labkit`: the lab server by hand, and what is true on this machine.

Every command prints what the library returns and nothing more; a mistake is answered with one sentence and an exit
code: 1 for something broken, 2 for something to mend in the call or the settings.
"""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labkit import __version__
from labkit.errors import LabkitError

if TYPE_CHECKING:
    from rich.table import Table

PIPED_WIDTH = 160
"""Columns of a table that goes to a file or a pipe."""

SAMPLING = {
    "yes": "they are",
    "effort-none": 'only while the reasoning effort is "none"',
    "2023-06-01": "only under that anthropic-version",
    "ignored": "accepted without effect",
    "no": "refused",
}
"""What the column "sampling" says of a model, as `labkit.registry.Model.sampling` has it."""


class UsualPorts(StrEnum):
    """Whether the self-hosted servers also listen where their clients expect them."""

    auto = "auto"
    off = "off"


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


@app.command()
def serve(
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port; 0 takes a free one. By default LABKIT_PORT or a free one."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 opens it to the network.")] = "127.0.0.1",
    idle_minutes: Annotated[
        float, typer.Option(min=0, help="End after so many minutes without a request; 0 means never.")
    ] = 0.0,
    keys: Annotated[
        Path | None, typer.Option(help="Admit only the lab keys in this file, one a line. By default any lab key.")
    ] = None,
    self_hosted: Annotated[
        UsualPorts, typer.Option(help="auto: vLLM, Ollama and TGI also on their usual ports, where free.")
    ] = UsualPorts.off,
    relay: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Let an OpenAI-compatible server answer, such as .../v1 of Ollama."),
    ] = None,
    relay_model: Annotated[
        str | None, typer.Option(help="What the server behind the relay calls its model; needed with --relay.")
    ] = None,
    relay_key: Annotated[
        str | None, typer.Option(help="The key that the server behind the relay wants, if any.")
    ] = None,
) -> None:
    """Run the lab server here, until Ctrl-C.

    Prints one line with its URL when it is ready. Notebooks of this user find it, unless one is running already.
    Point other machines or tools at it with LABKIT_SERVER_URL, or with any SDK's own base URL: URL/v1 for OpenAI, URL
    for Anthropic and Gemini.
    """
    from labkit import daemon, settings
    from labkit.server.main import main as serve_main
    from labkit.state import state_folder

    chosen = settings.load()
    arguments = ["--host", host, "--port", str(chosen.port or 0 if port is None else port)]
    arguments += ["--idle-minutes", f"{idle_minutes:g}", "--self-hosted", self_hosted.value]
    given = {"--keys": keys, "--relay": relay, "--relay-model": relay_model, "--relay-key": relay_key}
    arguments += [part for name, value in given.items() if value for part in (name, str(value))]
    running = daemon.status(chosen)
    if keys is None and running is None:  # with listed keys, a notebook's fresh one would be refused
        arguments += ["--state", str(state_folder(chosen.home).server_json)]
    if elsewhere := chosen.server_url or (running and running.url):
        how = "LABKIT_SERVER_URL, and a listed key as LABKIT_KEY" if keys else "LABKIT_SERVER_URL"
        print(f"labkit serve: notebooks use the lab server at {elsewhere}; ", end="", file=sys.stderr)
        print(f"for this one, give them its address as {how}.", file=sys.stderr, flush=True)
    raise typer.Exit(serve_main(arguments))


@app.command()
def status() -> None:
    """Say whether your lab server runs, and where.

    Exit code 1 when none runs.
    """
    from labkit import daemon, settings
    from labkit.state import state_folder

    chosen = settings.load()
    folder = state_folder(chosen.home)
    info = daemon.status(chosen)
    if info is None:
        print("No lab server is running: labkit.start() in a notebook starts one, and so does `labkit serve`.")
        raise typer.Exit(1)
    health = daemon.health(info) or {}
    print(f"lab server {info.url}, process {info.pid}, labkit {info.version}, since {info.started}")
    print(f"{health.get('requests', 0):,} requests from {health.get('tenants', 0)} keys; log: {folder.server_log}")


@app.command()
def stop() -> None:
    """End your lab server. The next labkit.start() starts a new one."""
    from labkit import daemon, settings

    info = daemon.stop(settings.load())
    print(f"Stopped the lab server at {info.url}." if info else "No lab server was running.")


@app.command()
def doctor() -> None:
    """Check this machine; name the fix of each problem.

    Exit code 1 when something is broken.
    """
    from labkit.doctor import examine, report

    findings = examine()
    print(report(findings))
    raise typer.Exit(1 if any(finding.level == "broken" for finding in findings) else 0)


@app.command()
def models(
    provider: Annotated[str | None, typer.Argument(help="openai, anthropic, gemini, bedrock or self-hosted.")] = None,
    retired: Annotated[bool, typer.Option("--retired", help="With those that no longer answer.")] = False,
) -> None:
    """List the models, and what each one takes."""
    from labkit import registry

    if provider is not None and provider not in registry.PROVIDERS:
        raise LabkitError(f"There is no provider {provider!r}: use one of {', '.join(registry.PROVIDERS)}.")
    rows = registry.models(provider, include_retired=retired)
    table = _table("model", "provider", "tier", "context", "max output", "sampling", "retires")
    for m in rows:
        output = f"{m.max_output:,}" if m.max_output else ""
        retires = f"{m.retires}, then {m.successor}" if m.retires else ""
        table.add_row(m.id, m.provider, m.tier or m.kind, f"{m.context:,}", output, m.sampling, retires)
    _print(table)
    print("\nsampling: whether temperature, top_p and top_k are taken")
    print("\n".join(f"  {value:12}{meaning}" for value, meaning in SAMPLING.items()))


@app.command()
def prices(
    model: Annotated[list[str] | None, typer.Argument(help="Model ids; by default all that have a price.")] = None,
) -> None:
    """List prices, in US dollars per million tokens."""
    from labkit import prices as price_table
    from labkit import registry

    ids = model or [m.id for m in registry.models() if m.price_key]
    table = _table("model", "input", "output", "cache read", "cache write", "batch in", "batch out")
    for model_id in ids:
        try:
            price = price_table.price(model_id)
        except (registry.UnknownModel, price_table.UnknownPrice) as unknown:
            if model:
                raise LabkitError(str(unknown)) from None
            continue
        batch = price.batch
        rates = (price.input, price.output, price.cache_read, price.cache_write)
        table.add_row(price.model, *map(_dollars, (*rates, batch and batch.input, batch and batch.output)))
    _print(table)
    print(f"USD per million tokens. {price_table.source()}")


@app.command()
def release(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if the exercises are out of date.")
    ] = False,
) -> None:
    """Generate the exercises from solutions/. For whoever writes the course."""
    from labkit.grading.release import main as release_main

    raise typer.Exit(release_main(check=check))


def main() -> None:
    """Entry point of the command line: runs a command, and says what is wrong in one sentence when it cannot."""
    try:
        app()
    except LabkitError as error:
        print(f"labkit: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except Exception as fault:
        if os.environ.get("LABKIT_DEBUG"):
            raise
        print(f"labkit: a fault of labkit's own, {type(fault).__name__}: {fault}", file=sys.stderr)
        print("Set LABKIT_DEBUG=1 and run it again to see where.", file=sys.stderr)
        sys.exit(1)


def _table(*columns: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        numeric = column in ("context", "max output", "input", "output") or column.startswith(("cache", "batch"))
        table.add_column(column, justify="right" if numeric else "left", no_wrap=True)
    return table


def _print(table: Table) -> None:
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)
    with console.capture() as text:
        console.print(table)
    print("\n".join(line.rstrip() for line in text.get().splitlines()))


def _dollars(rate: Any) -> str:
    return "" if rate is None else f"{rate:.4g}"
