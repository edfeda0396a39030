"""`labkit serve, status, stop`: the lab server by hand."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class UsualPorts(StrEnum):
    """Whether the self-hosted servers also listen where their clients expect them."""

    auto = "auto"
    off = "off"


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
    engine: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What answers: embedded, or one that a package brings. Also LABKIT_ENGINE."),
    ] = None,
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
    given |= {"--engine": engine or (None if relay else chosen.engine)}
    arguments += [part for name, value in given.items() if value for part in (name, str(value))]
    running = daemon.status(chosen)
    if keys is None and running is None:  # with listed keys, a notebook's fresh one would be refused
        arguments += ["--state", str(state_folder(chosen.home).server_json)]
    if elsewhere := chosen.server_url or (running and running.url):
        how = "LABKIT_SERVER_URL, and a listed key as LABKIT_KEY" if keys else "LABKIT_SERVER_URL"
        print(f"labkit serve: notebooks use the lab server at {elsewhere}; ", end="", file=sys.stderr)
        print(f"for this one, give them its address as {how}.", file=sys.stderr, flush=True)
    raise typer.Exit(serve_main(arguments))


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


def stop() -> None:
    """End your lab server. The next labkit.start() starts a new one."""
    from labkit import daemon, settings

    info = daemon.stop(settings.load())
    print(f"Stopped the lab server at {info.url}." if info else "No lab server was running.")
