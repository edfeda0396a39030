"""`labkit doctor`: what is wrong on this machine, and the exact command or line that mends it.

Each check looks at one thing and returns findings. "broken" stops lessons from working, "warning" may, "ok" does not.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.request import getproxies

from labkit import __version__
from labkit.environment import LOOPBACK, is_lab_value
from labkit.errors import LabkitError
from labkit.providers import PROVIDERS
from labkit.settings import Settings, load
from labkit.state import state_folder

Level = Literal["ok", "warning", "broken"]

LOWEST_PYTHON = (3, 11)
SDKS = ("openai", "anthropic", "google-genai")
NOTEBOOK_PARTS = ("jupyterlab", "ipykernel", "ipywidgets", "matplotlib", "pandas", "numpy")
RETIRING_DAYS = 90
PIP_CHECK_SECONDS = 60
INSTALL = f"{sys.executable} -m pip install"


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check."""

    subject: str
    level: Level
    detail: str
    fix: str = ""
    """A command to run or a line to paste; for "ok" there is none."""

    def __str__(self) -> str:
        line = f"{self.level:8} {self.subject}: {self.detail}"
        return f"{line}\n         fix: {self.fix}" if self.fix else line


def examine(settings: Settings | None = None) -> list[Finding]:
    """All findings on this machine. Settings that cannot be read are one, and the rest is checked all the same."""
    findings: list[Finding] = []
    try:
        settings = settings or load()
        findings.append(Finding("settings", "ok", f"{settings.dotenv_path or 'no .env'}"))
        for notice in settings.notices:
            findings.append(Finding("settings", "warning", notice, "correct the name, or remove it"))
    except LabkitError as error:
        findings.append(Finding("settings", "broken", str(error), "change that line, then run `labkit doctor` again"))
        settings = Settings.model_construct()
    for check in CHECKS:
        try:
            findings += check(settings)
        except (LabkitError, OSError) as error:
            findings.append(Finding(check.__name__.replace("_", " "), "broken", str(error), "see `labkit status`"))
    return findings


def report(findings: list[Finding]) -> str:
    """All findings as text, the worst last, where a reader of a terminal looks first."""
    order = {"ok": 0, "warning": 1, "broken": 2}
    lines = [str(finding) for finding in sorted(findings, key=lambda f: order[f.level])]
    counts = {level: sum(f.level == level for f in findings) for level in order}
    warnings = f"{counts['warning']} warning{'' if counts['warning'] == 1 else 's'}"
    return "\n".join([*lines, f"{counts['broken']} broken, {warnings}, {counts['ok']} ok"])


def python_version(settings: Settings) -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < LOWEST_PYTHON:
        lowest = ".".join(map(str, LOWEST_PYTHON))
        yield Finding("Python", "broken", f"{found} is too old", f"install Python {lowest} or newer, then `make lab`")
    else:
        yield Finding("Python", "ok", f"{found}, {sys.executable}")


def packages(settings: Settings) -> Iterator[Finding]:
    """Whether installed packages agree with each other, and whether the SDKs are there."""
    absent = [name for name in SDKS if _version(name) is None]
    if absent:
        yield Finding("SDKs", "broken", f"{', '.join(absent)} not installed", f"{INSTALL} {' '.join(absent)}")
    else:
        yield Finding("SDKs", "ok", ", ".join(f"{name} {_version(name)}" for name in SDKS))
    if find_spec("pip") is None:
        yield Finding("packages", "ok", "no pip here to check them with")
        return
    command = [sys.executable, "-m", "pip", "check", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_CHECK_SECONDS, check=False)
    if done.returncode:
        lines = done.stdout.strip().splitlines() or done.stderr.strip().splitlines()
        yield Finding("packages", "broken", "; ".join(lines[:5]), f"{INSTALL} {_course_install()}")
    else:
        yield Finding("packages", "ok", "no conflicts")


def constrained_versions(settings: Settings) -> Iterator[Finding]:
    """How far this environment is from the one that the tests ran in."""
    constraints = Path(__file__).resolve().parent.parent / "constraints.txt"
    if not constraints.is_file():
        return
    tested: dict[str, set[str]] = {}
    for line in constraints.read_text(encoding="utf-8").splitlines():
        name, equals, version = line.partition(";")[0].partition("==")
        if equals and not line.startswith("#"):
            tested.setdefault(name.strip(), set()).add(version.strip())
    different = [f"{n} {_version(n)}" for n, versions in tested.items() if _version(n) not in {None, *versions}]
    if different:
        shown = ", ".join(different[:6]) + (f" and {len(different) - 6} more" if len(different) > 6 else "")
        yield Finding("tested versions", "warning", f"other than tested: {shown}", f"{INSTALL} {_course_install()}")
    else:
        yield Finding("tested versions", "ok", "as in constraints.txt")


def tokenizer(settings: Settings) -> Iterator[Finding]:
    from labkit import tokens

    reinstall = f"unset TIKTOKEN_CACHE_DIR, then {INSTALL} --force-reinstall --no-deps litellm"
    try:
        count = tokens.count("hello world")
    except Exception as error:  # tiktoken tries a download when a rank file is missing: whatever that ends in
        yield Finding("tokenizer", "broken", f"no o200k_base ranks ({type(error).__name__})", reinstall)
        return
    ranks = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR", "tiktoken's default cache")
    yield Finding("tokenizer", "ok", f"o200k_base from {ranks}; 'hello world' is {count} tokens")


def writable_state(settings: Settings) -> Iterator[Finding]:
    folder = state_folder(settings.home)
    if folder.notice:
        yield Finding("state folder", "warning", folder.notice, _another_home(settings))
    else:
        yield Finding("state folder", "ok", str(folder.path))


def _another_home(settings: Settings) -> str:
    """Where to name another state folder: the environment wins over `.env`, so a line there would not help."""
    folder = "LABKIT_HOME=/a/folder/of/yours"
    if os.environ.get("LABKIT_HOME"):
        return f"export {folder}, or unset LABKIT_HOME (it is set in the environment, which wins over .env)"
    if settings.from_dotenv("LABKIT_HOME"):
        return f"change the line to {folder} in {settings.dotenv_path}"
    return f"put {folder} into .env"


def lab_server(settings: Settings) -> Iterator[Finding]:
    from labkit import daemon

    if settings.server_url:
        info = daemon.ensure_running(settings)
        yield Finding("lab server", "ok", f"{info.url} (LABKIT_SERVER_URL)")
        return
    info_or_none = daemon.read_state(state_folder(settings.home))
    if info_or_none is None:
        yield Finding("lab server", "ok", "none running; labkit.start() starts one")
    elif daemon.health(info_or_none) is None:
        yield Finding("lab server", "broken", f"{info_or_none.url} does not answer", "labkit stop")
    elif info_or_none.version != __version__:
        detail = f"{info_or_none.url} runs labkit {info_or_none.version}, installed is {__version__}"
        yield Finding("lab server", "warning", detail, "labkit stop")
    else:
        yield Finding("lab server", "ok", f"{info_or_none.url} answers; notebooks use it")


def port(settings: Settings) -> Iterator[Finding]:
    """Whether a server can listen: on the port asked for, or on any."""
    from labkit import daemon

    if settings.server_url or daemon.status(settings) is not None:
        return
    wanted = settings.port or 0
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", wanted))
    except OSError as error:
        what = f"port {wanted} cannot be used ({error.strerror})"
        yield Finding("port", "broken", what, "remove LABKIT_PORT, or set it to a free port")
    else:
        yield Finding("port", "ok", f"{wanted} is free" if wanted else "a free one can be had")


def keys(settings: Settings) -> Iterator[Finding]:
    """Where real keys are, and whether those that are wanted are there. Never their values."""
    for provider in PROVIDERS.values():
        found = [n for n in provider.keys if settings.from_dotenv(n) or _real(n)]
        if provider.name in settings.live:
            if found:
                detail = f"live, {found[0]} is set; a session may cost up to ${settings.budget_usd:.2f}"
                yield Finding(provider.title, "ok", detail)
            else:
                line = f"add {provider.keys[0]}=... to .env, or take {provider.name} out of LABKIT_LIVE"
                yield Finding(provider.title, "broken", "live, but no key is set", line)
        else:
            yield Finding(provider.title, "ok", f"local; {found[0]} is set and stays unused" if found else "local")


def course_models(settings: Settings) -> Iterator[Finding]:
    from labkit import registry

    soon = registry.retiring(within_days=RETIRING_DAYS)
    for model in soon:
        gone = "retired" if model.retired(date.today()) else "retires"
        fix = f"update labkit; until then the course uses {model.successor} from that day on"
        yield Finding("course models", "warning", f"{model.id} {gone} on {model.retires}", fix)
    if not soon:
        yield Finding("course models", "ok", f"none retires within {RETIRING_DAYS} days")


def jupyter(settings: Settings) -> Iterator[Finding]:
    absent = [name for name in NOTEBOOK_PARTS if _version(name) is None]
    if absent:
        yield Finding("Jupyter", "broken", f"{', '.join(absent)} not installed", f"{INSTALL} {' '.join(absent)}")
        return
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    repair = f"{sys.executable} -m ipykernel install --sys-prefix"
    try:
        program = KernelSpecManager().get_kernel_spec("python3").argv[0]
    except NoSuchKernel:
        yield Finding("Jupyter", "broken", "there is no kernel named python3", repair)
        return
    if Path(program).is_absolute() and not Path(program).exists():
        yield Finding("Jupyter", "broken", f"the kernel python3 points at {program}, which is gone", repair)
    elif Path(program).is_absolute() and Path(program).parent.resolve() != Path(sys.executable).parent.resolve():
        yield Finding("Jupyter", "warning", f"the kernel python3 runs another Python, {program}", repair)
    else:
        yield Finding("Jupyter", "ok", f"jupyterlab {_version('jupyterlab')}, kernel python3 in this environment")


def proxies(settings: Settings) -> Iterator[Finding]:
    """A proxy that is asked for 127.0.0.1 answers with an error page. `start()` sees to it in its own process only."""
    found = getproxies()
    used = [scheme for scheme in ("http", "https", "all") if scheme in found]
    bypassed = {host.strip() for host in found.get("no", "").split(",")}
    if used and not bypassed & {*LOOPBACK, "*"}:
        paste = f"export NO_PROXY={','.join(filter(None, [found.get('no', ''), *LOOPBACK]))}"
        yield Finding("proxies", "warning", f"{', '.join(used)} proxy without an exception for this machine", paste)
    else:
        yield Finding("proxies", "ok", "with an exception for this machine" if used else "none")


def grading(settings: Settings) -> Iterator[Finding]:
    """The kind of sandbox that `labkit grade` would use. Nobody but an instructor needs one."""
    from labkit.grading.sandbox import tiers

    tier = tiers.best()
    weak = "" if tier.strong else "; to grade work that nobody has read, use Linux with bubblewrap or Landlock"
    yield Finding("grading", "ok", f"sandbox: {tier}, {tier.sentence}{weak}")


CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    python_version,
    packages,
    constrained_versions,
    tokenizer,
    writable_state,
    lab_server,
    port,
    keys,
    course_models,
    jupyter,
    proxies,
    grading,
)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _real(name: str) -> bool:
    value = os.environ.get(name)
    return bool(value) and not is_lab_value(name, str(value))


def _course_install() -> str:
    """What `pip install` needs to bring back the course's own set of packages."""
    root = Path(__file__).resolve().parent.parent
    if (root / "constraints.txt").is_file():
        return f"-c {root / 'constraints.txt'} -e '{root}[course]'"
    return "--upgrade 'labkit[course]'"
