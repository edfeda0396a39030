"""One request and its answer on a connection: uvicorn's cycle with two short cuts for what nearly all requests are.

    begun at once   a request that came in one piece is answered where it was read, without a task of its own; the
                    first thing that has to be waited for turns it into one
    sent at once    the head leaves together with the first piece of the body, in one write

Both halve what a short answer costs outside the model. Everything else, from chunked bodies to flow control, is
uvicorn's. Python 3.12 has the first as `asyncio.eager_task_factory`; this one runs on 3.11 too.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

Message = Any
"""An ASGI event."""


def begin(work: Coroutine[Any, Any, None], as_task: Callable[[Coroutine[Any, Any, None]], object]) -> None:
    """Run up to where it has to wait; what is left then goes on as a task.

    Until then there is no current task: who needs one (`asyncio.timeout`) waits once before.
    """
    try:
        first = work.send(None)
    except StopIteration:
        return
    as_task(_rest(work, first))


async def _rest(work: Coroutine[Any, Any, None], first: Any) -> None:
    await _go_on(work, first)


@types.coroutine
def _go_on(work: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """What `yield from` would do, from the second step on."""
    while True:
        try:
            value = yield waits_for
        except BaseException as error:
            go_on: Callable[[], Any] = partial(work.throw, error)
        else:
            go_on = partial(work.send, value)
        try:
            waits_for = go_on()
        except StopIteration:
            return


class LabCycle(RequestResponseCycle):
    """See the module. Headers are the server's own: a line break in one is looked for in the whole head, once."""

    _head = b""
    """Status line and headers that have not left yet."""

    async def send(self, message: Message) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if self.response_started:
            self._send_body(message["body"], more=message.get("more_body", False))
        else:
            self._begin(message["status"], message["headers"])

    def _begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.response_started = True
        self.waiting_for_100_continue = False
        rows = [STATUS_LINE[status][:-2]]
        for name, value in [*self.default_headers, *headers]:
            if name == b"content-length":
                self.expected_content_length, self.chunked_encoding = int(value), False
            elif name == b"connection" and value == b"close":
                self.keep_alive = False
                continue
            rows.append(name + b": " + value)
        if not self.keep_alive:
            rows.append(b"connection: close")
        if self.chunked_encoding is None and self.scope["method"] != "HEAD" and status not in (204, 304):
            self.chunked_encoding = True
            rows.append(b"transfer-encoding: chunked")
        rows += (b"", b"")
        self._head = b"\r\n".join(rows)
        if self._head.count(b"\n") >= len(rows):
            raise RuntimeError("a header holds a line break")
        if self.chunked_encoding:  # the first piece may be long in coming, the head may not
            asyncio.get_running_loop().call_soon(self._send_head)

    def _send_head(self) -> None:
        if self._head and not self.transport.is_closing():
            self.transport.write(self._head)
            self._head = b""

    def _send_body(self, body: bytes, *, more: bool) -> None:
        if self.response_complete:
            raise RuntimeError("the answer is complete already")
        head, self._head = self._head, b""
        if self.scope["method"] == "HEAD":
            self.expected_content_length = 0
            body = b""
        elif self.chunked_encoding:
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (b"" if more else b"0\r\n\r\n")
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0 or (self.expected_content_length and not more):
                raise RuntimeError("the body is not as long as its content-length says")
        self.transport.write(head + body)
        if not more:
            self._complete()

    def _complete(self) -> None:
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
