"""Where labkit keeps what outlives a process: the lab server's state file, lock and log."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import LabkitError, ServerError, SettingsError

LOCK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class StateFolder:
    """A folder that this user can write and nobody else can read."""

    path: Path
    notice: str = ""
    """One sentence for the user when this is not the folder that was wanted."""

    @property
    def server_json(self) -> Path:
        return self.path / "server.json"

    @property
    def server_log(self) -> Path:
        return self.path / "server.log"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes of this user from starting or stopping the lab server meanwhile."""
        from filelock import FileLock, Timeout

        path = self.path / "server.lock"
        try:
            with FileLock(path, timeout=LOCK_SECONDS):
                yield
        except Timeout:
            raise ServerError(
                f"Another process has been starting or stopping the lab server for {LOCK_SECONDS:g} s "
                f"and holds {path}: end it and try again."
            ) from None


def state_folder(wanted: Path | None) -> StateFolder:
    """The folder to use: `wanted` (LABKIT_HOME), else the user's state folder, else one in the temporary folder.

    Raises:
        SettingsError: not even the temporary folder can be used safely.
    """
    from platformdirs import user_state_path

    path = wanted or user_state_path("labkit", appauthor=False)
    try:
        return StateFolder(_usable(path))
    except OSError as error:
        reason = error.strerror or str(error)
    fallback = Path(tempfile.gettempdir()) / f"labkit-{_user()}"
    try:
        notice = f"{path} cannot be written ({reason}), so labkit keeps its state in {fallback}."
        return StateFolder(_private(fallback), notice)
    except (OSError, LabkitError) as error:
        raise SettingsError(
            f"Neither {path} ({reason}) nor {fallback} ({error}) can hold labkit's state: "
            "set LABKIT_HOME to a folder of yours that can be written.",
            name="LABKIT_HOME",
        ) from None


def _usable(path: Path) -> Path:
    """The folder, made if need be and proven writable."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path):
        return path


def _private(path: Path) -> Path:
    """A folder in a place that everybody can write, so it must be ours alone and no link to somewhere else."""
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise LabkitError("not a folder")
    if hasattr(os, "getuid"):
        if found.st_uid != os.getuid():
            raise LabkitError("owned by another user")
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise LabkitError("readable by other users")
    return _usable(path)


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
