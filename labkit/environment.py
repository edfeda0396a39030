"""The process environment, borrowed: what was there is remembered and comes back.

SDKs read their variables when a client is made, so pointing them at the lab means setting variables of this process.
A value that the user sets after that is the user's: it counts as the new original and is not overwritten on the way
back.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from labkit.providers import AWS_PREFIX, LAB_PREFIX
from labkit.secret import Secret

SESSION_URL = "LABKIT_SESSION_URL"
"""Names the lab server to child processes, so that they can tell a lab value that they inherit from a real one."""
KEY_ENDINGS = ("_KEY", "_KEY_ID", "_TOKEN")
LOOPBACK = ("127.0.0.1", "localhost")


class Environment:
    """Variables of `os.environ` that labkit has set, with what they were before."""

    def __init__(self) -> None:
        self._before: dict[str, Secret | None] = {}
        self._set: dict[str, Secret | None] = {}

    def __repr__(self) -> str:
        return f"Environment({len(self._set)} variables borrowed)"

    def original(self, name: str) -> str | None:
        """The user's own value of a variable, whatever it is set to now; None when there is none."""
        if name in self._set and self._current(name) == self._set[name]:
            before = self._before[name]
        else:
            before = self._current(name)
        value = None if before is None else before.reveal()
        return None if value is None or is_lab_value(name, value) else value

    def apply(self, values: Mapping[str, str | None]) -> None:
        """Set each variable, or remove it where the value is None."""
        for name, value in values.items():
            original = self.original(name)
            self._before[name] = None if original is None else Secret(original)
            self._set[name] = None if value is None else Secret(value)
            _put(name, value)

    def restore(self, names: Iterable[str] | None = None) -> None:
        """Give variables back, except those that the user has changed meanwhile."""
        for name in list(self._set) if names is None else [name for name in names if name in self._set]:
            original = self.original(name)
            del self._set[name], self._before[name]
            _put(name, original)

    @staticmethod
    def _current(name: str) -> Secret | None:
        value = os.environ.get(name)
        return None if value is None else Secret(value)


def _put(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def is_lab_value(name: str, value: str) -> bool:
    """Whether a variable holds a session's value, perhaps a parent process's: a lab key, or its server's address."""
    if name.endswith(KEY_ENDINGS):
        return value.startswith((LAB_PREFIX, AWS_PREFIX))
    url = os.environ.get(SESSION_URL)
    return bool(url) and value.startswith(str(url))


def proxy_variables() -> dict[str, str]:
    """Variables that keep a proxy away from loopback and leave everything else as it is.

    The SDKs take their proxies from `urllib.request.getproxies()`. Where that reads the system's settings (macOS,
    Windows), one variable is enough to make it read nothing but variables: so what it found is spelled out too.
    """
    from urllib.request import getproxies

    proxies = getproxies()
    listed = [host.strip() for host in (os.environ.get("no_proxy") or proxies.get("no", "")).split(",") if host.strip()]
    bypass = ",".join(dict.fromkeys([*listed, *LOOPBACK]))
    found = {f"{scheme.upper()}_PROXY": url for scheme, url in proxies.items() if scheme in ("http", "https", "all")}
    variables = {name: url for name, url in found.items() if not {name, name.lower()} & os.environ.keys()}
    lower = {"no_proxy": bypass} if "no_proxy" in os.environ and os.name != "nt" else {}
    return {**variables, "NO_PROXY": bypass, **lower}
