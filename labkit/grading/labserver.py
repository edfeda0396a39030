"""The grader's own lab server: it admits the keys that were made for this run, and its admin key never leaves it."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from labkit import control
from labkit.errors import ServerError
from labkit.grading.closing import Closing
from labkit.grading.journal import Journal
from labkit.grading.scratch import Scratch
from labkit.providers import ALWAYS, PROVIDERS
from labkit.secret import Secret

KEYS = 2_000
"""Keys that one server admits. A submission gets one that nobody can guess, so nobody can open another's tenant."""
READY_SECONDS = 60.0
IDLE_MINUTES = 15
"""A server whose grader was killed ends by itself after so long."""


class KeysUsedUp(Exception):
    """Every key of this server has had its submission: start another one."""


class LabServer(Closing):
    """A lab server for one grader process. Use it in a `with`."""

    def __init__(self) -> None:
        self._scratch = Scratch("server")
        self._folder = self._scratch.path
        self._keys = [f"lab-{secrets.token_hex(16)}" for _ in range(KEYS)]
        (self._folder / "keys").write_text("\n".join(self._keys), encoding="utf-8")
        state = self._folder / "server.json"
        command = [sys.executable, "-P", "-m", "labkit.server", "--port", "0", "--state", str(state)]
        command += ["--keys", str(self._folder / "keys"), "--idle-minutes", str(IDLE_MINUTES)]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder
            )
        self.url, self._admin_key = self._when_ready(state)

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    def new_key(self) -> str:
        """A key that no submission has had.

        Raises:
            KeysUsedUp: there is none left.
        """
        if not self._keys:
            raise KeysUsedUp
        return self._keys.pop()

    def journal(self, key: str) -> Journal:
        """The journal and the knobs of one submission's tenant, with the rights of the admin."""
        return Journal(self.url, self._admin_key.reveal(), tenant=key)

    def environment(self, key: str) -> dict[str, str]:
        """What a submission's process finds in its environment: `lk.start()` and every SDK lead here."""
        variables = {"LABKIT_SERVER_URL": self.url, "LABKIT_KEY": key, "NO_PROXY": "127.0.0.1,localhost", **ALWAYS}
        for provider in PROVIDERS.values():
            variables |= {name: value for name, value in provider.variables(self.url, key).items() if value is not None}
        return variables

    def healthy(self) -> bool:
        """Whether it answers promptly."""
        try:
            return bool(control.call(self.url, "GET", "health", timeout=2.0)["ok"])
        except ServerError:
            return False

    def close(self) -> None:
        """End it and remove its files."""
        self._process.kill()
        self._process.wait()
        self._scratch.close()

    def _when_ready(self, state: Path) -> tuple[str, Secret]:
        deadline = time.monotonic() + READY_SECONDS
        while not state.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                last = (self._folder / "log").read_text(errors="replace").strip().splitlines()[-1:]
                self.close()
                raise ServerError(f"The grader's lab server did not start ({last}).")
            time.sleep(0.02)
        written = json.loads(state.read_text(encoding="utf-8"))
        return str(written["url"]), Secret(str(written["admin_key"]))
