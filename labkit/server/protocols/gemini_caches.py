"""Gemini's explicit context cache: `cachedContents`, a prefix that lives for its own TTL on the lab's clock.

Reading from it is billed at the cached rate. The real API also bills storage by the token-hour; the price file has no
rate for that, so the lab's ledger leaves it out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from labkit.registry import Model
from labkit.server.errors import ApiError
from labkit.server.exchange import Exchange
from labkit.server.http import Answer, Response, Route
from labkit.server.prompt import render
from labkit.server.protocols.gemini_contents import Contents, read_contents
from labkit.server.protocols.gemini_file_parts import with_files
from labkit.server.protocols.gemini_request import camel, find_model
from labkit.server.shapes import Field, check

if TYPE_CHECKING:
    from labkit.server.tenants import Tenant

DEFAULT_TTL_S = 3_600.0
MOST_CACHED = 1_000
DURATION = re.compile(r"(\d+(?:\.\d+)?)s")
FIELDS = {
    "model": Field("string", required=True),
    "contents": Field("any"),
    "systemInstruction": Field("any"),
    "tools": Field("array"),
    "toolConfig": Field("object"),
    "displayName": Field("string"),
    "ttl": Field("string"),
    "expireTime": Field("string"),
    "name": Field("string"),
}
CHANGES = {"ttl": Field("string"), "expireTime": Field("string"), "name": Field("string")}


@dataclass(slots=True)
class Cached:
    """One cached content."""

    name: str
    model: Model
    display_name: str
    contents: Contents
    created: datetime
    updated: datetime
    expires: float
    """Lab time."""


class CachedContents:
    """The cached contents of one tenant."""

    def __init__(self, tenant: Tenant) -> None:
        self._clock = tenant.clock
        self._kept: dict[str, Cached] = {}

    def now(self) -> float:
        return self._clock.now()

    def keep(self, cached: Cached) -> None:
        if len(self._kept) >= MOST_CACHED:
            raise ApiError("invalid_request", f"At most {MOST_CACHED} cached contents may be kept: delete some.")
        self._kept[cached.name] = cached

    def find(self, name: str) -> Cached:
        """A cached content that has not expired."""
        cached = self._kept.get(name)
        if cached is None or cached.expires <= self.now():
            self._kept.pop(name, None)
            raise ApiError("permission", "CachedContent not found (or permission denied)")
        return cached

    def use(self, name: str, model: Model) -> Contents:
        """The prefix for a request to `model`."""
        cached = self.find(str(name))
        if cached.model.id != model.id:
            message = f"Model used by GenerateContent request (models/{model.id}) and CachedContent "
            raise ApiError("invalid_request", message + f"(models/{cached.model.id}) has to be the same.")
        return cached.contents

    def alive(self) -> Iterator[Cached]:
        return (cached for cached in list(self._kept.values()) if cached.expires > self.now())

    def delete(self, name: str) -> None:
        self.find(name)
        del self._kept[name]


async def create(exchange: Exchange) -> Answer:
    body = camel(exchange.request.json())
    check(body, FIELDS)
    model = find_model(body["model"].removeprefix("models/"))
    exchange.describe(model, {"ttl": body.get("ttl")}, stream=False)
    contents = read_contents(with_files(body, exchange.tenant), model, required=False)
    tokens = len(render(contents.blocks, model))
    if tokens < (least := model.min_cache_tokens or 0):
        message = f"Cached content is too small. total_token_count={tokens}, min_total_token_count={least}"
        raise ApiError("invalid_request", message)
    kept, now = exchange.tenant.part(CachedContents), datetime.now(UTC)
    name = f"cachedContents/{uuid4().hex[:20]}"
    expires = kept.now() + read_ttl(body, now)
    cached = Cached(name, model, body.get("displayName") or "", replace(contents, tokens=tokens), now, now, expires)
    kept.keep(cached)
    return Response.json(cached_object(cached, kept.now()))


async def get(exchange: Exchange, cached: str) -> Answer:
    kept = exchange.tenant.part(CachedContents)
    return Response.json(cached_object(kept.find(f"cachedContents/{cached}"), kept.now()))


async def list_cached(exchange: Exchange) -> Answer:
    kept = exchange.tenant.part(CachedContents)
    return Response.json({"cachedContents": [cached_object(cached, kept.now()) for cached in kept.alive()]})


async def update(exchange: Exchange, cached: str) -> Answer:
    """Only the time to live may change."""
    body = camel(exchange.request.json())
    check(body, CHANGES)
    kept = exchange.tenant.part(CachedContents)
    found = kept.find(f"cachedContents/{cached}")
    found.updated = datetime.now(UTC)
    found.expires = kept.now() + read_ttl(body, found.updated)
    return Response.json(cached_object(found, kept.now()))


async def delete(exchange: Exchange, cached: str) -> Answer:
    exchange.tenant.part(CachedContents).delete(f"cachedContents/{cached}")
    return Response.json({})


def read_ttl(body: dict[str, Any], now: datetime) -> float:
    """Lab seconds to live, from `ttl` ("300s") or `expireTime`."""
    if (ttl := body.get("ttl")) is not None:
        match = DURATION.fullmatch(ttl)
        if match is None:
            raise ApiError("invalid_request", f"Invalid value at 'ttl' (Duration), \"{ttl}\"", param="ttl")
        return float(match[1])
    if (moment := body.get("expireTime")) is not None:
        try:
            expires = datetime.fromisoformat(moment)
        except ValueError:
            raise ApiError("invalid_request", f"Invalid value at 'expire_time' (Timestamp), \"{moment}\"") from None
        return (expires.astimezone(UTC) - now).total_seconds()
    return DEFAULT_TTL_S


def cached_object(cached: Cached, now: float) -> dict[str, Any]:
    def stamp(moment: datetime) -> str:
        return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")

    return {
        "name": cached.name,
        "model": f"models/{cached.model.id}",
        "displayName": cached.display_name,
        "createTime": stamp(cached.created),
        "updateTime": stamp(cached.updated),
        "expireTime": stamp(datetime.now(UTC) + timedelta(seconds=cached.expires - now)),
        "usageMetadata": {"totalTokenCount": cached.contents.tokens},
    }


ROUTES = [
    route
    for version in ("/v1", "/v1beta", "/v1alpha", "")
    for route in (
        Route("POST", version + "/cachedContents", create),
        Route("GET", version + "/cachedContents", list_cached),
        Route("GET", version + "/cachedContents/{cached}", get),
        Route("PATCH", version + "/cachedContents/{cached}", update),
        Route("DELETE", version + "/cachedContents/{cached}", delete),
    )
]
