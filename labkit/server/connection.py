"""One client's connection: uvicorn's HTTP with bounds on what may be half sent, and a way to reset it.

A head that is too large is answered with 431. A connection that never asks anything is closed, and so is one whose
head does not arrive in time or whose body stops. What a whole request may hold is the application's business.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from labkit.server.cycle import LabCycle, begin

LARGEST_HEAD = 64 * 1024
"""Bytes of request line and headers together."""
HEAD_SECONDS = 20.0
"""Until the first request, or the rest of a begun one, must have its headers."""
BODY_SECONDS = 60.0
"""Until the next piece of a begun body must come."""
MOST_CONNECTIONS = 2_000
"""More are closed at once: a socket each must be left for everything else."""
TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-type: text/plain\r\n"
    b"content-length: 35\r\n\r\nThe request's headers are too large"
)


class HeadTooLarge(Exception):
    """Raised inside the parser, which then stops."""


class LabHttp(HttpToolsProtocol):
    """See the module. A request that comes in one piece, as nearly all do, costs a few comparisons."""

    head_seconds, body_seconds, most_connections = HEAD_SECONDS, BODY_SECONDS, MOST_CONNECTIONS

    _half = 0
    """Bytes received of a head that is not complete."""
    _large = False
    """The piece at hand is so large that the head in it has to be measured."""
    _refused = False
    _reading = False
    _begun: tuple[RequestResponseCycle, Any] | None = None
    """A request whose head has come, with the application; it begins when all that came with it is read."""
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            transport.abort()
        else:
            self._close_in(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        before = self._half
        self._large = len(data) + before > LARGEST_HEAD
        self._reading = True
        super().data_received(data)
        self._reading = False
        if self._begun is not None:
            (cycle, app), self._begun = self._begun, None
            begin(cycle.run_asgi(app), self._as_task)
        if self._half:  # 1 or more since a message has begun, 0 since its head is complete
            self._half = before + len(data)
            if self._half > LARGEST_HEAD:
                self._refuse_head()
            elif self._deadline is None:
                self._close_in(self.head_seconds)
        elif self.cycle is not None and self.cycle.more_body and not self.cycle.response_complete:
            self._close_in(self.body_seconds)
        elif self._deadline is not None:
            self._forget_deadline()

    def on_message_begin(self) -> None:
        self._half = self._half or 1
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_headers_complete(self) -> None:
        self._half = 0
        if self._large and len(self.url) + sum(len(k) + len(v) + 4 for k, v in self.headers) > LARGEST_HEAD:
            self._refused = True
            raise HeadTooLarge
        url, parser = httptools.parse_url(self.url), self.parser
        path = url.path.decode("ascii")
        self.scope = {  # type: ignore[typeddict-item]  # what the application reads of it
            "type": "http",
            "method": parser.get_method().decode("ascii"),
            "path": unquote(path) if "%" in path else path,
            "query_string": url.query or b"",
            "headers": self.headers,
            "labkit.abort": self._abort,
        }
        before = self.cycle
        self.cycle = LabCycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=parser.get_http_version() != "1.0" and parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:  # pipelined: it waits for the answer before it
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def send_400_response(self, msg: str) -> None:
        """What the parser's refusal leads to, ours among them."""
        if self._refused:
            self._refuse_head()
        else:
            super().send_400_response(msg)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """At once, after this piece; one that had to wait for the answer before it begins as a task."""
        if self._reading and self._begun is None:
            self._begun = cycle, app
        else:
            super()._start_asgi_task(cycle, app)

    def _as_task(self, rest: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(rest)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _refuse_head(self) -> None:
        self._half = 0
        self.transport.write(TOO_LARGE)
        self.transport.close()

    def _close_in(self, seconds: float) -> None:
        """Start the time limit, or start it again."""
        self._forget_deadline()
        self._deadline = self.loop.call_later(seconds, self.transport.close)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _abort(self) -> None:
        """Reset the connection, as a scripted fault asks: a reset, not a polite end."""
        handle = self.transport.get_extra_info("socket")
        with suppress(OSError, AttributeError, NotImplementedError):
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()
