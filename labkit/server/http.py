"""The little HTTP that every protocol file needs: a request, a response, an event stream, a route table.

ASGI underneath and nothing in between: a framework's routing and response objects cost more than a T = 0 answer.
Nothing here knows a provider.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from typing import Any
from urllib.parse import parse_qs, unquote

Json = Any
Headers = list[tuple[bytes, bytes]]

JSON_TYPE = (b"content-type", b"application/json")
EVENT_STREAM_TYPE = (b"content-type", b"text/event-stream; charset=utf-8")
NO_CACHE = (b"cache-control", b"no-cache")


MODEL_IN_PATH = re.compile(r"/models/([^/:]+)|/model/([^/]+)")
"""As Gemini names it, up to the method's colon; as Bedrock does, whose ids have colons of their own."""


class MalformedJson(ValueError):
    """The body is not a JSON object. `detail` says where it stops being one."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Request:
    """One HTTP request, its body already read."""

    def __init__(self, method: str, path: str, raw_query: bytes, headers: Iterable[tuple[bytes, bytes]], body: bytes):
        self.method = method
        self.path = path
        self.raw_query = raw_query
        self.body = body
        self.headers: dict[str, str] = {k.decode("latin-1"): v.decode("latin-1") for k, v in headers}
        """Names in lower case, as ASGI gives them; of a repeated header the last."""

    @property
    def query(self) -> dict[str, str]:
        if not self.raw_query:
            return {}
        return {k: v[-1] for k, v in parse_qs(self.raw_query.decode("latin-1"), keep_blank_values=True).items()}

    @property
    def bearer(self) -> str | None:
        """The token of `Authorization: Bearer`, or None."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() or None if scheme.lower() == "bearer" else None

    @property
    def named_model(self) -> str | None:
        """The model that a request names, in its path or its body, whether or not it is otherwise valid."""
        if match := MODEL_IN_PATH.search(self.path):
            return unquote(match[1] or match[2])
        try:
            named = self.json().get("model")
        except MalformedJson:
            return None
        return named if isinstance(named, str) else None

    def json(self) -> dict[str, Json]:
        """The body as a JSON object.

        Raises:
            MalformedJson: empty, not UTF-8, not JSON, nested too deeply, or not an object.
        """
        try:
            value = json.loads(self.body)
        except UnicodeDecodeError as error:
            raise MalformedJson(f"the body is not UTF-8: byte {error.start}") from None
        except json.JSONDecodeError as error:
            raise MalformedJson(f"{error.msg}: line {error.lineno} column {error.colno}") from None
        except RecursionError:
            raise MalformedJson("the JSON is nested too deeply") from None
        if not isinstance(value, dict):
            raise MalformedJson("the body must be a JSON object")
        return value


@dataclass(slots=True)
class Response:
    """A whole answer."""

    status: int
    body: bytes
    headers: Headers = field(default_factory=list)

    @classmethod
    def json(cls, value: Json, *, status: int = 200, headers: Iterable[tuple[bytes, bytes]] = ()) -> Response:
        return cls(status, dump(value), [JSON_TYPE, *headers])


@dataclass(slots=True)
class EventStream:
    """An answer that arrives in pieces. Status is 200 by the time anything can go wrong."""

    frames: AsyncIterator[bytes]
    headers: Headers = field(default_factory=list)
    watch: bool = True
    """Watch for the client going away. Off where the whole stream leaves in one write."""
    status: int = 200


Answer = Response | EventStream
Handler = Callable[..., Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Route:
    """`pattern` is a path with `{name}` for one segment; a name may be followed by a literal such as `:countTokens`."""

    method: str
    pattern: str
    handler: Handler


class Routes:
    """A route table. Plain paths are found in a dict, patterns one after the other."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._plain: dict[str, dict[str, Handler]] = {}
        self._patterns: list[tuple[re.Pattern[str], dict[str, Handler]]] = []
        self._by_pattern: dict[str, dict[str, Handler]] = {}
        for route in routes:
            self._by_pattern.setdefault(route.pattern, {})[route.method] = route.handler
        for pattern, methods in self._by_pattern.items():
            if "{" in pattern:
                self._patterns.append((_compile(pattern), methods))
            else:
                self._plain[pattern] = methods

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Method and pattern of every route."""
        for pattern, methods in self._by_pattern.items():
            for method in methods:
                yield method, pattern

    def find(self, path: str) -> tuple[Mapping[str, Handler], dict[str, str]]:
        """The handlers by method at a path, and what its `{names}` matched; no handlers when the path is unknown."""
        if methods := self._plain.get(path):
            return methods, {}
        for pattern, methods in self._patterns:
            if match := pattern.fullmatch(path):
                return methods, {name: unquote(value) for name, value in match.groupdict().items()}
        return {}, {}


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+?)", re.escape(pattern)))


def dump(value: Json) -> bytes:
    """Compact JSON, UTF-8, characters as they are."""
    return "".join(_encode(value, 0)).encode("utf-8", "replace")


def _encoder() -> Callable[[Json, int], Iterable[str]]:
    """The C encoder that `json` would build anew for each call; a third of the time of a small answer."""
    encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # not CPython
        return lambda value, _indent: encoder.iterencode(value)
    encode: Callable[[Json, int], Iterable[str]] = make(
        None, encoder.default, encode_basestring, None, ":", ",", False, False, True
    )
    return encode


_encode = _encoder()


def dump_text(text: str) -> bytes:
    """A JSON string literal: the hot part of every stream event."""
    return encode_basestring(text).encode("utf-8", "replace")
