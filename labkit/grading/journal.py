"""What the lab server saw: the evidence that checks judge and that a result shows.

Reads the journal of one tenant over the control API with nothing but the standard library, so that a check starts as
fast as Python does. A grader passes the admin key and the submission's tenant; a notebook its own key.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self
from urllib.parse import urlencode, urlsplit

from labkit.errors import ServerError

_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request that reached the lab server, and its answer."""

    id: int
    method: str
    path: str
    """Without the query."""
    status: int
    model: str
    """"" for a request that names none."""
    headers: Mapping[str, str] = field(repr=False)
    """Of the request; names in lower case, keys masked."""
    body: Any = field(repr=False)
    """Of the request, as JSON; None without a body."""
    reply: Any = field(repr=False)
    """Body of the response: a JSON value, or the text of an event stream."""
    input_tokens: int = 0
    """The whole prompt, cached part included."""
    output_tokens: int = 0
    finish_reasons: tuple[str, ...] = ()
    retry: int = 0
    """0 for a first attempt, then as the SDK counts its own retries."""
    cost_usd: float = 0.0

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages of a chat request; empty if it has none or they have another shape."""
        found = self.body.get("messages") if isinstance(self.body, dict) else None
        return [m for m in found if isinstance(m, dict)] if isinstance(found, list) else []

    @property
    def turns(self) -> list[list[object]]:
        """The messages as [role, content] pairs."""
        return [[message.get("role"), message.get("content")] for message in self.messages]

    @property
    def cap(self) -> object:
        """The limit on output tokens of a chat completion, under either of its names; None without one."""
        return self.parameter("max_completion_tokens") or self.parameter("max_tokens")

    @property
    def completion(self) -> str:
        """The text of a chat completion that succeeded: its first choice."""
        return str(self.reply["choices"][0]["message"]["content"])

    def parameter(self, name: str) -> Any:
        """One entry of the body; None if there is none."""
        return self.body.get(name) if isinstance(self.body, dict) else None


def billed(seen: Sequence[Exchange]) -> float:
    """USD of these requests, as the server's ledger has them."""
    return sum(sent.cost_usd for sent in seen)


class Evidence(Protocol):
    """Where checks read what happened."""

    def last(self) -> int:
        """Id of the newest entry, 0 if there is none."""
        ...

    def since(self, entry: int) -> list[Exchange]:
        """Everything newer than `entry`, oldest first."""
        ...

    def control(self, method: str, path: str, body: Any = None, **query: object) -> Any:
        """A call of the control API for the same tenant."""
        ...


class Journal:
    """The journal of one tenant of a running lab server. Holds a connection: use it in a `with`.

    Args:
        url: of the server, without a path.
        key: the tenant's own, or the admin key together with `tenant`.

    Raises:
        ServerError: from every method, if the lab server does not answer. Never the fault of a student's work.
    """

    def __init__(self, url: str, key: str, tenant: str | None = None) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_SECONDS)
        self._headers = {"authorization": f"Bearer {key}"}
        self._tenant = {"tenant": tenant} if tenant else {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def last(self) -> int:
        """Id of the newest entry, 0 if there is none."""
        return int(self.control("GET", "journal", limit=1)["last"] or 0)

    def since(self, entry: int) -> list[Exchange]:
        """Everything newer than `entry`, oldest first, with what went over the wire."""
        entries = self.control("GET", "journal", after=entry, limit=1000, wire="true")["entries"]
        return [_exchange(e) for e in sorted(entries, key=lambda e: e["id"])]

    def control(self, method: str, path: str, body: Any = None, **query: object) -> Any:
        """A call of the control API for this tenant; `path` is below /lab/v1/."""
        given = {**query, **self._tenant}
        address = f"/lab/v1/{path}" + (f"?{urlencode(given)}" if given else "")
        payload = None if body is None else json.dumps(body)
        try:
            return self._fetch(method, address, payload)
        except (OSError, http.client.HTTPException):
            self._connection.close()  # perhaps only idle for too long: once more on a new connection
        try:
            return self._fetch(method, address, payload)
        except (OSError, http.client.HTTPException) as error:
            raise ServerError(f"The lab server does not answer ({error}). `lk.start()` brings it back.") from None

    def _fetch(self, method: str, address: str, payload: str | None) -> Any:
        self._connection.request(method, address, payload, headers=self._headers)
        response = self._connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise ServerError(f"The lab server answered {response.status} to {address}: {body[:200]!r}")
        return json.loads(body)


def _exchange(entry: Mapping[str, Any]) -> Exchange:
    wire = entry.get("wire") or {}
    request, response = wire.get("request") or {}, wire.get("response") or {}
    usage = entry.get("usage") or {}
    return Exchange(
        id=entry["id"],
        method=entry["method"],
        path=str(entry["path"]).partition("?")[0],
        status=entry["status"],
        model=entry.get("model") or "",
        headers={str(name).lower(): str(value) for name, value in (request.get("headers") or {}).items()},
        body=request.get("body"),
        reply=response.get("body"),
        input_tokens=sum(usage.get(part) or 0 for part in ("input", "cached", "cache_write")),
        output_tokens=usage.get("output") or 0,
        finish_reasons=tuple(entry.get("finish_reasons") or ()),
        retry=entry.get("retry") or 0,
        cost_usd=entry.get("cost_usd") or 0.0,
    )
