"""The lab server as one ASGI application.

A request is read (with a limit), given to the protocol that it speaks, matched to a route, opened as an exchange of
its tenant, answered, sent, and written into the journal. Whatever goes wrong on the way leaves in the provider's own
error shape; a traceback of ours goes to the log and never to the client.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any
from uuid import uuid4

from labkit.engine.base import Engine
from labkit.server.clock import Clock
from labkit.server.control import Control
from labkit.server.errors import ApiError
from labkit.server.exchange import Exchange
from labkit.server.faults import TRANSPORT, ConnectionAborted, Fault, disturb_body
from labkit.server.http import Answer, EventStream, Handler, Request, Response
from labkit.server.listeners import Listeners
from labkit.server.protocols.anthropic import AnthropicProtocol
from labkit.server.protocols.azure import AzureProtocol
from labkit.server.protocols.base import Protocol, refusal_of
from labkit.server.protocols.bedrock import BedrockProtocol
from labkit.server.protocols.gemini import GeminiProtocol
from labkit.server.protocols.ollama import OllamaCompatible, OllamaProtocol
from labkit.server.protocols.openai import OpenAIProtocol
from labkit.server.protocols.tgi import TGIProtocol
from labkit.server.protocols.vllm import VLLMProtocol
from labkit.server.tenants import Tenants

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LARGEST_BODY = 20 * 1024 * 1024
LARGEST_DRAIN = 128 * 1024 * 1024
"""A body over the limit is read and dropped up to here, so that the client hears the 413 and not a reset connection."""
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]", "testserver"})

PROTOCOLS: tuple[type[Protocol], ...] = (
    AzureProtocol,
    BedrockProtocol,
    VLLMProtocol,
    OllamaCompatible,
    OllamaProtocol,
    TGIProtocol,
    GeminiProtocol,
    AnthropicProtocol,
    OpenAIProtocol,
)
"""In the order in which they are asked whose request it is; the last takes what nobody claims."""

log = logging.getLogger("labkit.server")


class ClientGone(Exception):
    """The client closed the connection before its request was read."""


@dataclass(slots=True)
class Lab:
    """What the whole server shares."""

    engine: Engine
    tenants: Tenants
    admin_key: str
    engine_name: str = "embedded"
    """By which it was asked for."""
    hosts: frozenset[str] = LOOPBACK_HOSTS
    """Names by which a browser may call this server; anything else is refused, against DNS rebinding."""
    started: float = field(default_factory=time.monotonic)
    last_active: float = field(default_factory=time.monotonic)
    active: int = 0
    requests: int = 0
    stop: Callable[[], None] = lambda: None
    """Ends the server; set by whoever runs it."""
    listeners: Listeners = field(default_factory=Listeners)
    """Ports of their own for the self-hosted servers."""


class App:
    """The ASGI callable."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._control = Control(lab)
        self._protocols: tuple[Any, ...] = (self._control, *(protocol() for protocol in PROTOCOLS))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await _lifespan(receive, send) if scope["type"] == "lifespan" else None
            return
        lab = self.lab
        lab.requests += 1
        lab.active += 1
        try:
            await self._serve(scope, receive, send)
        except ClientGone:
            pass
        finally:
            lab.active -= 1
            lab.last_active = time.monotonic()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        body, whole = await _read_body(receive)
        request = Request(scope["method"], scope["path"], scope["query_string"], scope["headers"], body)
        protocol = self._protocol(request)
        exchange: Exchange | None = None
        request_id = ""
        try:
            self._refuse_foreign_host(request)
            handler, captured = _route(protocol, request)
            if protocol is not self._control:
                exchange = self._open(protocol, request, started)
                request_id = exchange.entry.request_id
                if exchange.fault is not None:
                    _strike_early(exchange.fault, exchange.tenant.clock)
            if not whole:
                raise ApiError("too_large", f"The request body is larger than {LARGEST_BODY // 2**20} MB.")
            answer = await handler(exchange or request, **captured)
            error = None
        except ConnectionAborted:
            self._abort(exchange, scope)
            return
        except Exception as problem:
            refusal = refusal_of(protocol, problem, request)
            answer = protocol.render_error(refusal, request_id or f"req_{uuid4().hex[:24]}")
            error = refusal.code or refusal.kind
            if exchange is not None:
                exchange.entry.retry_after_s = refusal.retry_after
            answer.headers += refusal.headers
        await self._send(protocol, exchange, answer, error, scope, receive, send)

    def _protocol(self, request: Request) -> Any:
        for protocol in self._protocols:
            if protocol.claims(request):
                return protocol
        raise AssertionError("the last protocol takes what nobody claims")

    def _refuse_foreign_host(self, request: Request) -> None:
        host = request.headers.get("host", "")
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        origin = request.headers.get("origin")
        if name not in self.lab.hosts or (origin and origin.split("://")[-1].rsplit(":", 1)[0] not in self.lab.hosts):
            raise ApiError(
                "permission", f"The lab server does not answer as {(origin or host)[:80]!r}: use its own URL."
            )

    def _open(self, protocol: Protocol, request: Request, started: float) -> Exchange:
        key = protocol.key(request)
        tenant = self.lab.tenants.open(key)
        if tenant is None:
            raise protocol.refuse_key(key)
        return Exchange(request, protocol, tenant, self.lab.engine, started)

    async def _send(
        self,
        protocol: Protocol,
        exchange: Exchange | None,
        answer: Answer,
        error: str | None,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        if exchange is not None:
            headers = protocol.headers(exchange)
            if len(answer.headers) > 1:  # more than its type: it may have said something itself
                said = {name for name, _ in answer.headers}
                headers = [h for h in headers if h[0] not in said]
            answer.headers += headers
            exchange.wire.headers = answer.headers
        if isinstance(answer, EventStream):
            try:
                await self._send_stream(exchange, answer, receive, send)
            except ConnectionAborted:
                self._abort(exchange, scope)
        elif exchange is not None and exchange.fault is not None and exchange.fault.kind in TRANSPORT:
            await self._send_disturbed(exchange, exchange.fault, answer, scope, send)
        else:
            if exchange is not None:
                exchange.wire.add(answer.body)
                exchange.close(answer.status, error=error)
            await _send_whole(answer, answer.body, send)

    async def _send_disturbed(
        self, exchange: Exchange, fault: Fault, answer: Response, scope: Scope, send: Send
    ) -> None:
        body, abort = await disturb_body(fault, answer.body, exchange.tenant.clock)
        exchange.wire.add(body)
        if abort:  # announce the whole body, send half of it, then reset
            length = (b"content-length", str(len(answer.body)).encode())
            await send({"type": "http.response.start", "status": answer.status, "headers": [*answer.headers, length]})
            await send({"type": "http.response.body", "body": body, "more_body": True})
            self._abort(exchange, scope)
        else:
            exchange.close(answer.status)
            await _send_whole(answer, body, send)

    def _abort(self, exchange: Exchange | None, scope: Scope) -> None:
        """Reset the connection, as a scripted fault asks."""
        if exchange is not None:
            exchange.close(0, error="connection_reset")
        if abort := scope.get("labkit.abort"):
            abort()

    async def _send_stream(self, exchange: Exchange | None, answer: EventStream, receive: Receive, send: Send) -> None:
        """Send frames as they come; stop generating as soon as the client is gone."""
        assert exchange is not None, "only an open exchange streams"
        if not answer.watch:  # nothing to wait for between the frames: two tasks would cost more than the text
            await self._send_frames(exchange, answer, send)
            exchange.close(200)
            return
        sending = asyncio.create_task(self._send_frames(exchange, answer, send))
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
            complete = sending.done()
            if complete:
                sending.result()
                exchange.close(200)
            else:
                sending.cancel()
                with suppress(asyncio.CancelledError):
                    await sending
                exchange.close(200, error="client_disconnected", disconnected=True)
        finally:
            gone.cancel()

    async def _send_frames(self, exchange: Exchange, answer: EventStream, send: Send) -> None:
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        try:
            async for chunk in answer.frames:
                exchange.wire.add(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except ConnectionAborted:
            raise
        except ApiError as refusal:  # too late for a status: the error goes into the stream
            event = exchange.protocol.error_event(refusal, exchange.entry.request_id)
            await send({"type": "http.response.body", "body": event, "more_body": True})
        except Exception:
            log.exception("the stream of %s failed", exchange.request.path)
            raise ConnectionAborted from None  # the client sees a broken stream, as it must
        await send({"type": "http.response.body", "body": b""})


def _strike_early(fault: Fault, clock: Clock) -> None:
    """The faults that leave the model no chance to answer."""
    if (refusal := fault.refusal(clock)) is not None:
        raise refusal
    if fault.kind == "reset":
        raise ConnectionAborted


async def _send_whole(answer: Response, body: bytes, send: Send) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": answer.status, "headers": [*answer.headers, length]})
    await send({"type": "http.response.body", "body": body})


def _route(protocol: Protocol, request: Request) -> tuple[Handler, dict[str, str]]:
    methods, captured = protocol.routes.find(request.path)
    if not methods:
        raise ApiError("not_found", f"Invalid URL ({request.method} {request.path})", code="unknown_url")
    handler = methods.get(request.method)
    if handler is None:
        allowed = ", ".join(sorted(methods))
        message = (
            f"Not allowed to {request.method} on {request.path}. (HINT: Perhaps you meant to make a {allowed} request?)"
        )
        raise ApiError(
            "method_not_allowed", message, code="method_not_supported", headers=[(b"allow", allowed.encode())]
        )
    return handler, captured


async def _read_body(receive: Receive) -> tuple[bytes, bool]:
    """The body and whether it is whole; one over the limit is dropped as it comes."""
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size <= LARGEST_BODY:
            chunks.append(chunk)
        else:
            chunks.clear()
            if size > LARGEST_DRAIN:
                break
    return b"".join(chunks), size <= LARGEST_BODY


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        event = (await receive())["type"]
        await send({"type": f"{event}.complete"})
        if event == "lifespan.shutdown":
            return
