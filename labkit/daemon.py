"""Find the user's lab server, or start one: a process of its own, one per user.

    state folder/
      server.json    address, process id, admin key, version and start time; written by the server once it is ready
      server.lock    held while somebody starts or stops the server, so that two notebooks get the same one
      server.log     what the server printed

The server is started through a short-lived launcher, so that it is nobody's child: it outlives the kernel, and a kill
leaves no zombie. Whether it lives is decided by what it answers, never by its process id alone, since a process id may
be somebody else's by now.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from labkit import __version__, control
from labkit.errors import ControlError, ServerError
from labkit.providers import PROVIDERS
from labkit.secret import Secret
from labkit.state import StateFolder, state_folder

if TYPE_CHECKING:
    from labkit.settings import Settings

START_SECONDS = 20.0
STOP_SECONDS = 5.0
PROMPT_SECONDS, PATIENCE_SECONDS = 1.0, 5.0
"""How long a server may take to say that it is well: at first, and once its process is known to live."""
IDLE_SECONDS = 60.0
"""A server of another version is replaced when it has had no request for this long."""
POLL_SECONDS = 0.01
ENGINE_CHANGED = "The lab server was started again with the engine {!r}: its journals and limits begin anew."
LOG_BYTES = 1_000_000

_LAUNCHER = """
import subprocess, sys
log, cwd, flags = sys.argv[1], sys.argv[2], int(sys.argv[3])
with open(log, "ab") as out:
    child = subprocess.Popen(sys.argv[4:], cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=out, close_fds=True,
                             start_new_session=True, creationflags=flags)
print(child.pid)
child.returncode = 0  # nobody waits for it here: no warning about that
"""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """A lab server as its state file describes it."""

    url: str
    pid: int
    admin_key: Secret
    version: str
    started: Any
    """When it started, as the server wrote it; None for a server that somebody else runs."""
    engine: str = ""
    """What answers there, by name; empty if it does not say."""
    state_file: Path | None = None
    """Where this was read; None for a server that somebody else runs."""
    notices: tuple[str, ...] = field(default=(), compare=False)
    """Sentences that the user should read once."""

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "127.0.0.1", parts.port or (443 if parts.scheme == "https" else 80)


def ensure_running(settings: Settings, *, port: int | None = None) -> ServerInfo:
    """The running lab server of this user; started first if there is none.

    Two processes that call this at once get the same server.

    Args:
        port: ask for this port rather than `settings.port`, to come back where clients expect a server that died.

    Raises:
        ServerError: it does not start, or `settings.server_url` does not answer.
    """
    if settings.server_url:
        return _of_somebody_else(settings.server_url, settings.engine)
    folder = state_folder(settings.home)
    info = read_state(folder)
    running = _well(info)
    if running is None or running.version != __version__ or _other_engine(running, settings):
        with folder.lock():
            running = _replace_or_start(folder, settings, port, unwell=None if running else info)
    notices = tuple(n for n in (folder.notice, *running.notices) if n)
    return replace(running, notices=notices)


def status(settings: Settings) -> ServerInfo | None:
    """The user's running lab server, or None. Starts nothing."""
    return _well(read_state(state_folder(settings.home)))


def recorded(known: ServerInfo) -> ServerInfo | None:
    """What the state file says now about the server at the address of `known`. Asks nobody, so it costs little."""
    info = _read(known.state_file) if known.state_file else None
    return info if info is not None and info.url == known.url else None


def stop(settings: Settings) -> ServerInfo | None:
    """End the user's lab server and wait until it is gone. Returns what it was, or None if none ran."""
    folder = state_folder(settings.home)
    with folder.lock():
        info = read_state(folder)
        if info is None:
            return None
        stopped = _is_ours(info)
        _end(info)
        folder.server_json.unlink(missing_ok=True)
        return info if stopped else None


def read_state(folder: StateFolder) -> ServerInfo | None:
    """What the state file says; None when there is none or it makes no sense."""
    return _read(folder.server_json)


def _read(path: Path) -> ServerInfo | None:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        admin_key = Secret(str(raw["admin_key"]))
        info = ServerInfo(str(raw["url"]), int(raw["pid"]), admin_key, str(raw["version"]), raw.get("started"))
        info = replace(info, engine=str(raw.get("engine", "")), state_file=path)
        return info if info.address[1] and info.pid > 0 else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def health(info: ServerInfo, *, timeout: float = control.ANSWER_SECONDS) -> dict[str, Any] | None:
    """What the server answers about itself; None when another process answers in its place, or nobody in time."""
    try:
        answer = control.call(info.url, "GET", "health", timeout=timeout)
    except (ServerError, ControlError):
        return None
    ours = isinstance(answer, dict) and answer.get("ok") is True and (info.pid == 0 or answer.get("pid") == info.pid)
    return answer if ours else None


def _other_engine(info: ServerInfo, settings: Settings) -> bool:
    """Whether an engine is asked for that is not the running one."""
    return settings.engine is not None and info.engine != settings.engine


def _of_somebody_else(url: str, engine: str | None) -> ServerInfo:
    info = ServerInfo(url, 0, Secret(""), "", None)
    answer = health(info)
    if answer is None:
        raise ServerError(
            f"No lab server answers at {url} (LABKIT_SERVER_URL): ask whoever runs it, "
            "or unset LABKIT_SERVER_URL to have one of your own."
        )
    if engine and answer.get("engine") != engine:
        raise ServerError(
            f"The lab server at {url} (LABKIT_SERVER_URL) runs the engine {answer.get('engine')!r}, not {engine!r}: "
            "ask whoever runs it, or leave the engine out."
        )
    return replace(info, version=str(answer.get("version", "")), engine=str(answer.get("engine", "")))


def _well(info: ServerInfo | None) -> ServerInfo | None:
    """The server if it answers for itself. A slow one gets more time, provided that its process lives."""
    if info is None:
        return None
    well = health(info, timeout=PROMPT_SECONDS) or (_is_ours(info) and health(info, timeout=PATIENCE_SECONDS))
    return info if well else None


def _replace_or_start(
    folder: StateFolder, settings: Settings, port: int | None, *, unwell: ServerInfo | None
) -> ServerInfo:
    """With the lock held: keep the server that answers, replace one that is hung or outdated, else start one.

    Args:
        unwell: a server that was found not to answer before the lock was had, and is not asked again.
    """
    info = read_state(folder)
    if info is None or info == unwell or _well(info) is None:
        if info is not None and _is_ours(info):
            _kill(info.pid)
        return _start(folder, settings, port)
    if info.version == __version__:
        if not _other_engine(info, settings):
            return info
        _end(info)
        started = _start(folder, settings, port or info.address[1])
        return replace(started, notices=(ENGINE_CHANGED.format(settings.engine),))
    if float((health(info) or {}).get("idle_s", 0.0)) >= IDLE_SECONDS:
        _end(info)
        return _start(folder, settings, port or info.address[1])
    notice = (
        f"The running lab server is labkit {info.version}, this is labkit {__version__}: when no notebook "
        "needs it, run `labkit stop`, then `lk.start()` again."
    )
    return replace(info, notices=(notice,))


def _start(folder: StateFolder, settings: Settings, port: int | None) -> ServerInfo:
    """Start a server and wait until it is ready; on any free port if the one it had is taken meanwhile."""
    folder.server_json.unlink(missing_ok=True)
    wanted = port or settings.port or 0
    pid = _launch(folder, settings, wanted)
    info = _when_ready(folder, pid)
    if info is None and port and not settings.port:
        info = _when_ready(folder, _launch(folder, settings, 0))
    if info is None:
        raise ServerError(_why_not(folder, wanted), log=str(folder.server_log))
    return info


def _launch(folder: StateFolder, settings: Settings, port: int) -> int:
    """Start the server process, detached, and return its process id."""
    if folder.server_log.exists() and folder.server_log.stat().st_size > LOG_BYTES:
        folder.server_log.replace(folder.server_log.with_suffix(".log.1"))
    server = [sys.executable, "-P", "-m", "labkit.server", "--port", str(port), "--state", str(folder.server_json)]
    server += ["--idle-minutes", f"{settings.idle_minutes:g}"]
    server += ["--engine", settings.engine] if settings.engine else []
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    command = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(folder.server_log), str(folder.path), str(flags)]
    done = subprocess.run([*command, *server], env=_server_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServerError(f"The lab server could not be launched: {done.stderr.strip().splitlines()[-1:]}.")
    return int(done.stdout)


def _server_environment() -> dict[str, str]:
    """This environment without any provider's variables: the lab server has no use for a real key."""
    withheld = {name for provider in PROVIDERS.values() for name in provider.local}
    environment = {name: value for name, value in os.environ.items() if name not in withheld}
    package_parent = str(Path(__file__).resolve().parent.parent)
    if "site-packages" not in package_parent:  # run from a checkout that is not installed
        paths = [package_parent, *filter(None, [environment.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    return environment


def _when_ready(folder: StateFolder, pid: int) -> ServerInfo | None:
    """Wait for the state file and a healthy answer; None when the process ends first."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if (info := read_state(folder)) is not None and health(info, timeout=PROMPT_SECONDS) is not None:
            return info
        if not runs(pid):
            return None
        time.sleep(POLL_SECONDS)
    _kill(pid)
    return None


def _why_not(folder: StateFolder, port: int) -> str:
    """The sentence for a server that did not start, from the end of its log."""
    with suppress(OSError):
        lines = folder.server_log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        if lines:
            return f"The lab server did not start: {lines[-1].strip()} (log: {folder.server_log})"
    asked = f" on port {port}" if port else ""
    return f"The lab server did not start{asked} and printed nothing: run `labkit serve` to watch it."


def runs(pid: int) -> bool:
    """Whether a process lives. One that is dead and not yet collected by its parent does not."""
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True


def _is_ours(info: ServerInfo) -> bool:
    """Whether the process with that id is a lab server, and not something that was given the id later."""
    import psutil

    try:
        command = psutil.Process(info.pid).cmdline()
    except psutil.Error:
        return False
    by_hand = "serve" in command and any(Path(part).stem == "labkit" for part in command)
    return by_hand or "labkit.server" in command


def _end(info: ServerInfo) -> None:
    """Ask the server to end; make it end when it does not, provided that it is ours."""
    if not _is_ours(info):
        return
    with suppress(ServerError, ControlError):
        control.call(info.url, "POST", "shutdown", key=info.admin_key, timeout=PROMPT_SECONDS)
        _wait_until_gone(info.pid)
    if _is_ours(info):
        _kill(info.pid)


def _kill(pid: int) -> None:
    import psutil

    with suppress(psutil.Error):
        psutil.Process(pid).kill()
    _wait_until_gone(pid)


def _wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    while runs(pid) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
