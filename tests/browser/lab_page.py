"""JupyterLab in a headless Chromium, as a reader uses it: opens a notebook, runs all from the menu, moves things.

One server and one browser, each with settings of its own; every request that leaves the machine is written down.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
READY_SECONDS = 60.0
RUN_SECONDS = 240.0
STOPPED_SECONDS = 8.0
"""A kernel that is idle so long while cells are left has stopped at an error."""
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    # All cells stay in the page, so that a test finds those that are out of sight and a screenshot shows them.
    "notebook-extension/tracker": {"windowingMode": "none", "scrollPastEnd": False},
}


def chromium() -> str | None:
    """The browser to drive, if this machine has one."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


@dataclass
class Lab:
    """A running JupyterLab and a browser."""

    folder: Path
    """What JupyterLab shows as its root."""
    url: str
    token: str
    browser: Browser
    outside: list[str] = field(default_factory=list)
    """Addresses beyond this machine that any page asked for."""

    def page(self, *, width: int = 1300, height: int = 1000) -> Page:
        """An empty page that is watched."""
        page = self.browser.new_page(viewport={"width": width, "height": height})
        page.on("request", lambda request: self._watch(request.url))
        return page

    def open(self, notebook: str, *, width: int = 1300, height: int = 1000) -> OpenNotebook:
        """Open a notebook by its path below the root, and wait for an idle kernel."""
        page = self.page(width=width, height=height)
        page.goto(f"{self.url}/lab/tree/{notebook}?reset&token={self.token}")
        page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=1000 * READY_SECONDS)
        opened = OpenNotebook(page)
        expect(opened.idle).to_be_visible(timeout=1000 * READY_SECONDS)
        return opened

    def _watch(self, url: str) -> None:
        if not url.startswith((self.url, "data:", "blob:", self.url.replace("http", "ws", 1))):
            self.outside.append(url)


@dataclass
class OpenNotebook:
    """One notebook in the page."""

    page: Page

    @property
    def idle(self) -> Locator:
        """The kernel's indicator when nothing runs."""
        return self.page.get_by_role("button", name=re.compile(r"\| Idle$")).first

    def run_all(self) -> None:
        """Clear all outputs, then Run > Run All Cells, by the menus; returns when the last cell has run.

        Raises:
            AssertionError: a cell failed that is not meant to, so that the cells after it do not run.
        """
        self._choose("Edit", "editmenu:clear-all")  # a notebook may have been saved with its numbers
        prompts = self.page.locator(".jp-CodeCell .jp-InputPrompt", has_text="[")  # a folded cell has an empty one
        expect(prompts.last).to_have_text("[ ]:")
        self._choose("Run", "runmenu:run-all")
        deadline, busy = time.monotonic() + RUN_SECONDS, time.monotonic()
        while not re.fullmatch(r"\[\d+\]:", prompts.last.inner_text()):
            now = time.monotonic()
            busy = busy if self.idle.is_visible() else now
            assert now - busy < STOPPED_SECONDS and now < deadline, f"stopped before the end: {self.errors()[-1:]}"
            self.page.wait_for_timeout(100)
        expect(self.idle).to_be_visible(timeout=1000 * RUN_SECONDS)

    def _choose(self, menu: str, command: str) -> None:
        self.page.get_by_role("menuitem", name=menu, exact=True).click()
        self.page.locator(f"li[data-command='{command}']").first.click()

    def errors(self) -> list[str]:
        """What the page shows in red: tracebacks and standard error, which JupyterLab does not tell apart."""
        shown = self.page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']")
        return shown.all_inner_texts()

    def shoot(self, to: Path) -> Path:
        """What the window shows, as a PNG."""
        to.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(to))
        return to


@contextmanager
def running(folder: Path, *, home: Path, browser: str, dark: bool = False) -> Iterator[Lab]:
    """JupyterLab on `folder`, with all its own files below `home`."""
    port, token = _free_port(), secrets.token_hex(16)
    log = home / "jupyter.log"
    _write_settings(home, dark=dark)
    with log.open("w") as out, _ended(subprocess.Popen(
        _command(folder, port, token), env=_environment(home), stdout=out, stderr=out, cwd=folder
    )) as server:  # fmt: skip
        _wait(f"http://127.0.0.1:{port}/api?token={token}", server, log)
        with sync_playwright() as playwright:
            chrome = playwright.chromium.launch(executable_path=browser, headless=True, args=FLAGS)
            yield Lab(folder, f"http://127.0.0.1:{port}", token, chrome)
            chrome.close()


def _command(folder: Path, port: int, token: str) -> list[str]:
    options = {
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.root_dir": folder,
        "IdentityProvider.token": token,
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    }
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "jupyter", "lab", "--no-browser", *flags, *root]


def _environment(home: Path) -> dict[str, str]:
    own = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTERLAB_SETTINGS_DIR": "settings",
           "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "IPYTHONDIR": "ipython"}  # fmt: skip
    return {**os.environ, **{name: str(home / folder) for name, folder in own.items()}}


def _write_settings(home: Path, *, dark: bool) -> None:
    theme = {"theme": "JupyterLab Dark" if dark else "JupyterLab Light"}
    for name, settings in {**SETTINGS, "apputils-extension/themes": theme}.items():
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(url: str, server: subprocess.Popen[Any], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(url, timeout=2):
            return
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


@contextmanager
def _ended(server: subprocess.Popen[Any]) -> Iterator[subprocess.Popen[Any]]:
    """End the server, and with it its kernels, whatever happens."""
    try:
        yield server
    finally:
        server.terminate()
        try:
            server.wait(timeout=15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(timeout=15)
