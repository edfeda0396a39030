"""`labkit.start()`: point the SDKs of this process at the lab server, or at the real services for those named live.

    read settings -> check live keys -> find or start the lab server -> borrow the environment -> show the status table

Local is the default: a real key in the environment is set aside while its provider is local, and comes back when the
provider goes live or the session is closed. One session a process; `start()` again replaces it.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

from labkit import __version__
from labkit.environment import SESSION_URL, Environment, is_lab_value, proxy_variables
from labkit.errors import ControlError, LabkitError, MissingKey, NotStarted, SettingsError
from labkit.notebook import Watch, show
from labkit.providers import ALWAYS, LAB_PREFIX, PROVIDERS, Provider
from labkit.secret import Secret, mask

if TYPE_CHECKING:
    from labkit.daemon import ServerInfo
    from labkit.settings import Settings
    from labkit.status import ProviderStatus, StatusTable

CONNECT_SECONDS = 0.25

_environment = Environment()
"""What this process had before; outlives a session, so that `start()` after `start()` still knows the user's values."""
_current: Session | None = None


def start(
    live: Iterable[str] | str | None = None,
    *,
    seed: int | None = None,
    key: str | None = None,
    engine: str | None = None,
    quiet: bool = False,
) -> Session:
    """Begin a session: from here on `OpenAI()`, `Anthropic()` and `genai.Client()` need no argument.

    Args:
        live: providers that go to the real service and cost money, such as ["openai"]; by default what LABKIT_LIVE
            says, which is none unless set.
        seed: makes the lab server's answers repeat, request by request, from here on.
        key: a lab key, to share a tenant between processes; by default a fresh one a process. A second `start()` keeps
            key and address, so that clients made before it go on, and begins with an empty journal and no limits set.
        engine: what answers on the lab server, such as "embedded" (the default) or the name that an installed package
            gives; a server that runs with another one is started again.
        quiet: do not show the status table.

    Raises:
        SettingsError: a setting that cannot be used; it names the variable and the fix.
        MissingKey: a provider in `live` has no key.
        ServerError: the lab server does not start.
    """
    global _current
    from labkit import record
    from labkit import settings as reader

    live_names = None if live is None else [live] if isinstance(live, str) else list(live)
    settings = reader.load(live=live_names, seed=seed, key=key, engine=engine)
    live_values = {name: _live_values(PROVIDERS[name], settings) for name in settings.live}
    session = Session(settings, live_values, before=_current)
    if _current is not None:
        _current._retire()
    session._begin()
    _current = session
    record.opened()
    if not quiet:
        session.show()
    return session


def current() -> Session:
    """The session of this process.

    Raises:
        NotStarted: `start()` has not run, or the session was closed.
    """
    if _current is None:
        raise NotStarted
    return _current


class Session:
    """What this process talks to. Made by `start()`; usable in a `with`, which closes it."""

    def __init__(
        self, settings: Settings, live_values: dict[str, dict[str, Secret]], *, before: Session | None = None
    ) -> None:
        from labkit import daemon

        self.settings = settings
        self._live_values = live_values
        self._server: ServerInfo = daemon.ensure_running(settings, port=before._server.address[1] if before else None)
        given = settings.key
        if given is None and before is not None and before._server.url == self._server.url:
            self._key: Secret = before._key
        else:
            self._key = Secret(given.get_secret_value() if given else LAB_PREFIX + os.urandom(8).hex())
        self._tuned: dict[tuple[str, object], dict[str, Any]] = {}
        self._watch = Watch(self.heal)
        self._shown_in_cell: object = None
        if before is not None and self._key is before._key:
            self.control("POST", "reset", body={"settings": True})
        self.configure(seed=settings.seed)

    @property
    def url(self) -> str:
        """Address of the lab server."""
        return self._server.url

    @property
    def key(self) -> str:
        """The lab key in clear text. It opens this session's tenant on the lab server and nothing else."""
        return self._key.reveal()

    @property
    def admin_key(self) -> Secret:
        """The admin key of the lab server, empty where somebody else runs it."""
        return self._server.admin_key

    @property
    def seed(self) -> int | None:
        """What the lab server's answers repeat from; None when they differ each time."""
        return cast("int | None", self._tuned.get(("seed", None), {}).get("seed"))

    @property
    def lab_minute_s(self) -> float:
        """Seconds that a minute of the lab's clock takes, as this session has set it."""
        clock = self._tuned.get(("clock", None), {}).get("clock", {})
        return 60.0 / (clock.get("rate") or 1.0)

    @property
    def live(self) -> tuple[str, ...]:
        """Providers that go to the real service."""
        return self.settings.live

    @property
    def budget_usd(self) -> float:
        """Ceiling on what live calls of this session may cost."""
        return self.settings.budget_usd

    @property
    def status(self) -> StatusTable:
        """The status table, as `start()` showed it."""
        from labkit import prices
        from labkit.status import StatusTable

        seed = "no seed" if self.seed is None else f"seed {self.seed}"
        budget = [f"live budget ${self.budget_usd:.2f}"] if self.live else []
        price_source = prices.source().partition(",")[0]
        footer = " · ".join(
            [f"lab server {self.url}", seed, *budget, f"labkit {__version__}", f"prices: {price_source}"]
        )
        notices = (*self.settings.notices, *self._server.notices)
        return StatusTable([self._row(provider) for provider in PROVIDERS.values()], footer, notices)

    def show(self) -> None:
        """Show the status table: displayed in a notebook, printed in a script."""
        self._shown_in_cell = _cell()
        show(self.status)

    def control(self, method: str, path: str, *, query: Mapping[str, object] | None = None, body: object = None) -> Any:
        """A call of the lab server's control API as this tenant; `labkit.lab` has the usual ones by name.

        Raises:
            ControlError: the server refuses.
            SettingsError: the server does not know this key.
            ServerError: the server does not answer.
        """
        from labkit import control

        try:
            return control.call(self.url, method, path, key=self._key, query=query, body=body)
        except ControlError as error:
            if error.status != 401:
                raise
            raise SettingsError(
                f"The lab server at {self.url} does not admit the key {self._key}: put one that you were given into "
                "LABKIT_KEY, or unset LABKIT_SERVER_URL to have a server of your own.",
                name="LABKIT_KEY",
            ) from None

    def configure(self, **changes: Any) -> dict[str, Any]:
        """Change this tenant on the lab server (seed, pace, clock, limits) and remember it for a restart.

        Returns:
            The tenant as the server describes it now. Raises what `control` raises.
        """
        described: dict[str, Any] = self.control("POST", "tenant", body=changes)
        for name, value in changes.items():
            self._remember(name, value)
        return described

    def heal(self, *, thorough: bool = False) -> str:
        """Make the lab server answer again if it is gone. Returns one sentence on what was done, or "".

        Args:
            thorough: ask the server for its health, and do not only knock at its port.
        """
        from labkit import daemon

        before = self._server
        try:
            if not _listens(before) or (thorough and daemon.health(before) is None):
                self._server = daemon.ensure_running(self.settings, port=before.address[1])
            elif (now := daemon.recorded(before)) is not None and now.pid != before.pid:
                self._server = now  # another notebook has restarted it
            else:
                return ""
            self._restore_tenant()
        except LabkitError as error:
            return str(error)
        if self.url == before.url:
            return "The lab server was gone and has been started again at the same address, with an empty journal."
        self._begin_environment()
        return f"The lab server was gone and is now at {self.url}: make your clients again, they hold the old address."

    def close(self) -> None:
        """End the session: the environment is as it was before `start()`. The lab server goes on until idle."""
        global _current
        self._retire()
        _environment.restore()
        if _current is self:
            _current = None

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        live = f", live={list(self.live)}" if self.live else ""
        return f"<labkit session at {self.url}, key {self._key}, seed {self.seed}{live}>"

    def _ipython_display_(self) -> None:
        """As the last value of a cell: the table, unless `start()` has just shown it in that cell."""
        if self._shown_in_cell is None or self._shown_in_cell != _cell():
            show(self.status)

    def _begin(self) -> None:
        self._begin_environment()
        self._watch.install()

    def _begin_environment(self) -> None:
        """Local providers to the lab server, live ones back to the user's own values."""
        from labkit import tokens

        for provider in PROVIDERS.values():
            from_dotenv = self._live_values.get(provider.name)
            if from_dotenv is None:
                _environment.apply(provider.variables(self.url, self.key))
            else:
                own = {name: _environment.original(name) for name in provider.local}
                _environment.apply({**own, **{name: value.reveal() for name, value in from_dotenv.items()}})
        _environment.apply({**ALWAYS, **proxy_variables(), SESSION_URL: self.url})
        tokens.use_shipped_ranks()
        if "bedrock" not in self.live:
            _renew_aws_session()

    def _retire(self) -> None:
        self._watch.remove()

    def _remember(self, name: str, value: Any) -> None:
        part = value.get("model") if name == "limits" and isinstance(value, dict) else None
        if name == "tier":  # what was limited before it is forgotten, by the server too
            self._tuned = {at: known for at, known in self._tuned.items() if at[0] not in ("limits", "tier")}
        if name == "clock":
            value = {k: v for k, v in value.items() if k != "advance_s"}
        known = self._tuned.get((name, part), {}).get(name)
        merged = {**known, **value} if isinstance(known, dict) and isinstance(value, dict) else value
        self._tuned[(name, part)] = {name: merged}

    def _restore_tenant(self) -> None:
        for changes in list(self._tuned.values()):
            self.configure(**changes)

    def _row(self, provider: Provider) -> ProviderStatus:
        from labkit.status import ProviderStatus

        if provider.name not in self.live:
            base_url = provider.variables(self.url, self.key)[provider.base_url] or ""
            return ProviderStatus(provider.title, False, base_url, _default_model(provider), str(self._key))
        sdk_default = provider.live_url.format(region=os.environ.get("AWS_REGION", "…"))
        base_url = os.environ.get(provider.base_url) or sdk_default
        key = next((os.environ[name] for name in provider.keys if os.environ.get(name)), "")
        return ProviderStatus(provider.title, True, base_url, _default_model(provider), mask(key))


def _live_values(provider: Provider, settings: Settings) -> dict[str, Secret]:
    """What a live provider needs from `.env`, on top of what the environment has.

    Raises:
        MissingKey: neither has a key.
    """
    found = {}
    for name in dict.fromkeys((*provider.keys, *provider.local)):
        value = settings.from_dotenv(name)
        if value and _environment.original(name) is None and not is_lab_value(name, value.reveal()):
            found[name] = value
    if not any(name in found or _environment.original(name) for name in provider.keys):
        name = provider.keys[0]
        raise MissingKey(
            f"{provider.title} is to go live and {name} is not set: add the line {name}=... to "
            f"{settings.dotenv_path or '.env'}, or take {provider.name!r} out of `live` and LABKIT_LIVE "
            "to stay local at no cost.",
            name=name,
        )
    return found


def _default_model(provider: Provider) -> str:
    from labkit import registry

    return registry.model("openai" if provider.name == "azure" else provider.name, "small")


def _renew_aws_session() -> None:
    """`boto3.client` keeps the credentials that it read first: another session's, if boto3 has been used before."""
    boto3 = sys.modules.get("boto3")
    if boto3 is not None and boto3.DEFAULT_SESSION is not None:
        boto3.setup_default_session()


def _listens(server: ServerInfo) -> bool:
    """Whether anything accepts connections there: well under a millisecond when it does."""
    try:
        with socket.create_connection(server.address, timeout=CONNECT_SECONDS):
            return True
    except OSError:
        return False


def _cell() -> object:
    """Identity of the running notebook cell, or None in a script."""
    from labkit.notebook import shell

    running = shell()
    return None if running is None else running.execution_count
