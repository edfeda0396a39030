"""Settings of one user: LABKIT_* variables, then the nearest `.env`, then defaults.

    LABKIT_LIVE=openai,anthropic     providers that go to the real service; none by default
    LABKIT_BUDGET_USD=1.00           what live calls of one session may cost, in US dollars
    LABKIT_SEED=7                    makes a whole notebook repeat on the lab server
    LABKIT_HOME=~/labkit-state       where the lab server's state and log lie
    LABKIT_PORT=8765                 port of the lab server; a free one by default
    LABKIT_IDLE_MINUTES=30           the lab server ends after this long without a request
    LABKIT_ENGINE=embedded           what answers on the lab server; `labkit serve --help` lists the engines
    LABKIT_SERVER_URL=http://...     a lab server that somebody else runs, for instance for a class
    LABKIT_KEY=lab-...               the lab key to use there; a fresh one by default
    LABKIT_REDIS_URL=redis://...     a Redis for the caching lessons; none by default

A `.env` line `NAME=value` counts when the environment does not have NAME. Providers' keys are read from the same file
(`key("OPENAI_API_KEY")`), and never leave it unless their provider is live.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from labkit.errors import SettingsError
from labkit.providers import LAB_PREFIX, PROVIDERS
from labkit.secret import Secret

PREFIX = "LABKIT_"
ELSEWHERE = ("CHECKS", "DEBUG", "GRADING", "SESSION_URL", "SOLUTION_AFTER")
"""Names after the prefix that other parts of labkit read from the environment by themselves."""
EXPECTED = {
    "live": f"names out of {', '.join(PROVIDERS)}, with commas between them",
    "budget_usd": "an amount in US dollars, zero or more, such as 1 or 0.25",
    "seed": "a whole number, zero or more",
    "idle_minutes": "a number of minutes above zero, such as 30",
    "home": "a folder",
    "port": "a port number from 1 to 65535, or leave it out to have a free one chosen",
    "engine": "the name of an engine that is installed, such as embedded",
    "server_url": "an address such as http://127.0.0.1:8765",
    "key": f"a key that begins with {LAB_PREFIX}",
    "redis_url": "an address such as redis://127.0.0.1:6379/0",
}
"""What each setting must be, in the words that an error ends with."""


class Settings(BaseSettings):
    """Checked settings. `load()` reads them: it knows where `.env` is and turns a bad value into one sentence."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    live: Annotated[tuple[str, ...], NoDecode] = ()
    """Providers that go to the real service."""
    budget_usd: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    """Ceiling on what live calls of one session may cost. US dollars."""
    seed: int | None = Field(default=None, ge=0)
    idle_minutes: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    home: Path | None = None
    """State folder asked for; `labkit.daemon.state_folder` says which one is used."""
    port: int | None = Field(default=None, ge=1, le=65535)
    engine: str | None = Field(default=None, pattern=r"^[\w.-]+$")
    """What answers on the lab server; None keeps the one that runs, or takes the default."""
    server_url: str | None = None
    key: SecretStr | None = None
    redis_url: SecretStr | None = None
    """A Redis address may carry a password."""

    _dotenv: dict[str, Secret] = PrivateAttr(default_factory=dict)
    _dotenv_path: Path | None = PrivateAttr(default=None)
    _notices: tuple[str, ...] = PrivateAttr(default=())

    @field_validator("live", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        names = value.split(",") if isinstance(value, str) else value
        if not isinstance(names, (list, tuple)):
            return names
        return tuple(dict.fromkeys(_known(str(name).strip().lower()) for name in names if str(name).strip()))

    @field_validator("home")
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    @field_validator("server_url")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("no address")
        return value.rstrip("/")

    @field_validator("key")
    @classmethod
    def _is_lab_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not is_lab_key(value.get_secret_value()):
            raise ValueError("no lab key")
        return value

    @property
    def dotenv_path(self) -> Path | None:
        """The `.env` that was read, if there is one."""
        return self._dotenv_path

    @property
    def notices(self) -> tuple[str, ...]:
        """A sentence for each LABKIT_ name in the environment or `.env` that nothing reads: mostly a misspelled one."""
        return self._notices

    def from_dotenv(self, name: str) -> Secret | None:
        """A value of `.env`, such as a provider's key. Empty counts as absent."""
        return self._dotenv.get(name) or None


def is_lab_key(key: str) -> bool:
    """Whether the lab server would open a tenant for this key.

    >>> is_lab_key("lab-0123456789ab3f2a"), is_lab_key("lab-"), is_lab_key("sk-123")
    (True, False, False)
    """
    return re.fullmatch(rf"{LAB_PREFIX}[\w.\-]{{1,120}}", key, re.ASCII) is not None


def _known(name: str) -> str:
    if name not in PROVIDERS:
        raise ValueError(f"{name!r} is not a provider")
    return name


def load(**overrides: Any) -> Settings:
    """Read the settings of this process; `overrides` are arguments of a call and win over everything.

    Raises:
        SettingsError: a value that cannot be used, or a `.env` line that cannot be read.
    """
    path = find_dotenv(Path.cwd())
    values = read_dotenv(path) if path else {}
    prefixed = {name[len(PREFIX) :].lower(): text for name, text in values.items() if name.startswith(PREFIX) and text}
    absent = {name: text for name, text in prefixed.items() if not os.environ.get(f"{PREFIX}{name.upper()}")}
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = Settings(**{**absent, **given})
    except ValidationError as error:
        raise _as_sentence(error, given, absent, path) from None
    settings._dotenv = {name: Secret(text) for name, text in values.items()}
    settings._dotenv_path = path
    settings._notices = tuple(_unread(values, path))
    return settings


def find_dotenv(folder: Path) -> Path | None:
    """The nearest `.env`, looked for from `folder` upward."""
    return next((f / ".env" for f in (folder, *folder.parents) if (f / ".env").is_file()), None)


def read_dotenv(path: Path) -> dict[str, str]:
    """The `NAME=value` lines of a `.env`. Values never appear in an error: they may be keys.

    Raises:
        SettingsError: unreadable, not UTF-8, or a line that is no `NAME=value`.
    """
    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    try:
        with path.open(encoding="utf-8-sig") as stream:
            bindings = list(parse_stream(stream))
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8 text: save it again as UTF-8.", name=".env") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}): mend its permissions.", name=".env") from None
    for binding in bindings:
        text = binding.original.string
        if binding.error or (binding.key and binding.value is None):
            line = binding.original.line + len(text) - len(text.lstrip("\n"))
            message = f"{path}, line {line} is not NAME=value: mend it, or begin the line with # to switch it off."
            raise SettingsError(message, name=".env")
    read = dotenv_values(path, encoding="utf-8-sig")
    return {name: value for name, value in read.items() if value is not None}


def _unread(dotenv: dict[str, str], path: Path | None) -> Iterator[str]:
    from difflib import get_close_matches

    known = [f"{PREFIX}{name.upper()}" for name in (*Settings.model_fields, *ELSEWHERE)]
    places = [(name, "the environment") for name in os.environ] + [(name, str(path)) for name in dotenv]
    for name, place in places:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            close = get_close_matches(name.upper(), known, n=1, cutoff=0.75)
            meant = f"did you mean {close[0]}?" if close else f"settings are {', '.join(known)}."
            yield f"{name} in {place} is no setting of labkit, so it changes nothing: {meant}"


def _as_sentence(
    error: ValidationError, given: dict[str, Any], dotenv: dict[str, str], path: Path | None
) -> SettingsError:
    """The first problem of a validation error, as: what, where, the fix."""
    problem = error.errors(include_url=False, include_context=False)[0]
    field = str(problem["loc"][0]) if problem["loc"] else ""
    name = f"{PREFIX}{field.upper()}"
    if field in given:
        where, value = f"start({field}=...)", given[field]
    elif field in dotenv:
        where, value = f"{name} in {path}", dotenv[field]
    else:
        where, value = f"{name} in the environment", os.environ.get(name, "")
    shown = "" if field in ("key", "redis_url") else f" is {value!r}"
    return SettingsError(f"{where}{shown}{_suggestion(field, value)}: it must be {EXPECTED[field]}.", name=name)


def _suggestion(field: str, value: object) -> str:
    """For an unknown provider, which name is meant."""
    from difflib import get_close_matches

    if field != "live":
        return ""
    names = value.split(",") if isinstance(value, str) else list(value) if isinstance(value, (list, tuple)) else []
    unknown = [str(n).strip() for n in names if str(n).strip().lower() not in PROVIDERS and str(n).strip()]
    if not unknown:
        return ""
    close = get_close_matches(unknown[0].lower(), PROVIDERS, n=1, cutoff=0.5)
    meant = f" (did you mean {close[0]!r}?)" if close else ""
    return f", and {unknown[0]!r} is not a provider{meant}"
