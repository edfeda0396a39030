"""An answer while it is written: iterate for the text, then read `response`.

    stream = client.stream("Tell me a story")
    for piece in stream:
        print(piece, end="")
    stream.response.usage

Nothing is sent before the first step. A stream that ends without a finish reason raises `IncompleteStream`, where the
SDKs let it pass in silence; whatever breaks a stream, `error.response` has what had arrived. Leaving the loop early
closes the connection, and `response` then holds the part that came, its tokens counted by labkit.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Mapping
from contextlib import aclosing
from dataclasses import replace
from inspect import isawaitable
from time import perf_counter
from typing import TYPE_CHECKING, Any

from labkit import ledger, tokens
from labkit.adapters.base import Assembly
from labkit.adapters.failures import as_call_error
from labkit.calls import Call, Connect, Line, charge, permitted, request_id_of, response, sent
from labkit.chat import ChatResponse
from labkit.errors import CallError, IncompleteStream, UserError
from labkit.flow import Do, Flow, arun, run
from labkit.usage import Usage

if TYPE_CHECKING:
    from labkit.caching.passage import Passage
    from labkit.structured import Shape

END: Any = object()
"""In place of an event when there are no more."""


class _Reading:
    """A stream's state, the same for both kinds of iteration."""

    def __init__(self, line: Line, call: Call, shape: Shape | None, passage: Passage | None) -> None:
        self.line, self.call, self.shape, self.passage = line, call, shape, passage
        self.bill = charge(line, call, "stream")
        self.permit = permitted(line, call)
        self.begun = False
        self.response: ChatResponse | None = None
        self._assembly = Assembly()
        self._events: list[Any] = []
        self._headers: Mapping[str, str] = {}
        self._first: float | None = None

    def begin(self) -> None:
        if self.begun:
            raise UserError("This stream has been read already: its text is in `stream.response.text`.")
        self.begun = True

    def admitted(self) -> Flow[None]:
        """Wait until a pacer lets it go; what that takes is no latency."""
        yield from self.permit.admission()
        self.bill.began = perf_counter()

    def opened(self, sdk: Any, connect: Connect, step: Callable[[Any], Any]) -> Flow[tuple[Any, Any]]:
        """The events and the first one of them: until it is there, trying again is safe. `step` takes the next."""
        adapter, model = self.line.adapter, self.call.request.model
        wire = adapter.to_wire(self.call.request)

        def send(retry: int) -> Flow[tuple[Any, Any]]:
            own = sdk if self.permit.key is None else (yield Do(lambda: connect(self.permit.key)))
            raw = yield Do(lambda: adapter.send(own, wire, stream=True, retry=retry))
            self._headers = adapter.headers(raw)
            self.permit.heard(self._headers)
            events = yield Do(lambda: adapter.unpack(raw))
            return events, (yield Do(lambda: step(events)))

        return sent(self.line, model, self.bill, send, self.permit)

    def feed(self, event: Any) -> str:
        """Take one event in; the text that it adds."""
        piece = self.line.adapter.piece(event)
        self._assembly.add(piece)
        self._events.append(event)
        if self._first is None and piece.text:
            self._first = self.bill.seconds
        return piece.text

    def settle(self) -> None:
        """What came so far becomes the response, and the bill gets its figures. Once, however the stream ends."""
        if self.response is not None:
            return
        answer = self._assembly.answer(self.line.adapter)
        whole = answer.finish is not None and answer.usage is not None
        usage = answer.usage if whole else self._counted(answer.usage)
        bill = self.bill
        bill.usage, bill.estimated, bill.finish = usage or Usage(), not whole and usage is not None, answer.finish
        bill.request_id = request_id_of(answer, self._headers)
        self.response = response(
            self.line,
            answer,
            bill,
            headers=self._headers,
            notes=self.call.notes,
            time_to_first_token_s=self._first,
            waited_s=self.permit.waited_s,
            raw=self._events,
        )

    def _counted(self, reported: Usage | None) -> Usage | None:
        """What the provider did not come to say, as far as it can be counted here. None when nothing came at all."""
        if not self._events:
            return None
        request = self.call.request
        usage = reported or Usage(input=ledger.count(request.messages, request.model, system=request.system))
        return replace(usage, output=max(usage.output, tokens.count("".join(self._assembly.texts))))

    def broken(self, error: Exception) -> Exception:
        """Our error for one inside the stream, with what had arrived."""
        self.settle()
        if self.passage is not None:
            self.passage.failed(error)
        ours = as_call_error(error, self.line.adapter, self.call.request.model)
        self.permit.failed(ours or error)
        if ours is None:
            return error
        ours.response, ours.retries = self.response if self._events else None, self.bill.retries
        ours.request_id = ours.request_id or self.bill.request_id
        return ours

    def check(self) -> None:
        """At the end of the events: is this an answer?

        Raises:
            IncompleteStream: no finish reason came.
            InvalidOutput: the answer does not fit the schema.
        """
        assert self.response is not None
        if self.response.finish_reason is None:
            provider, model = self.line.adapter.name, self.call.request.model
            raise IncompleteStream(
                f"{provider} ended the stream of {model} without a finish reason, after {self.response.usage.output} "
                "tokens: the answer is not whole. What arrived is in `error.response`.",
                provider=provider,
                model=model,
                request_id=self.bill.request_id,
            )
        if self.shape is not None and not self.response.tool_calls:
            self.response = self.shape.applied(self.response)
        if self.passage is not None:
            self.response = self.passage.keep(self.response)

    def recalled(self) -> Flow[list[str]]:
        """The pieces of a cached answer; none when it has to be asked for."""
        self.response = None if self.passage is None else (yield from self.passage.recalled())
        if self.response is None:
            return []
        from labkit.caching.passage import pieces

        self.response = replace(self.response, time_to_first_token_s=self.response.latency_s)
        return pieces(self.response.text)


class _Stream:
    def __init__(
        self, line: Line, call: Call, shape: Shape | None, connect: Callable[[], Any], passage: Passage | None = None
    ) -> None:
        """
        Args:
            passage: through a cache, when there is one.
        """
        self._reading = _Reading(line, call, shape, passage)
        self._connect = connect

    @property
    def response(self) -> ChatResponse:
        """The answer: whole after the loop, the part that came when the loop was left early.

        Raises:
            UserError: the stream has not been read yet.
        """
        if self._reading.response is None:
            raise UserError("The stream has not been read yet: iterate over it first, `for piece in stream: ...`.")
        return self._reading.response

    def __repr__(self) -> str:
        done = self._reading.response
        state = repr(done) if done else "being read" if self._reading.begun else "nothing sent yet"
        return f"<stream of {self._reading.call.request.model}: {state}>"


class ChatStream(_Stream):
    """Pieces of text as they come. Made by `LLMClient.stream`."""

    def __iter__(self) -> Generator[str, None, None]:
        reading = self._reading
        reading.begin()
        yield from run(reading.recalled())
        if reading.response is not None:
            return
        sdk = self._connect()
        with reading.permit:
            run(reading.admitted())
            yield from self._asked(reading, sdk)

    def _asked(self, reading: _Reading, sdk: Any) -> Generator[str, None, None]:
        with reading.bill:
            events: Any = None
            try:
                events, event = run(reading.opened(sdk, self._connect, _next))
                while event is not END:
                    if text := reading.feed(event):
                        yield text
                    event = _next(events)
            except Exception as error:
                ours = reading.broken(error)
                if ours is error:
                    raise
                raise ours from error
            finally:
                reading.settle()  # also when the loop was left early
                reading.permit.done(reading.bill.usage)
                close = getattr(events, "close", None)  # LiteLLM's streams have none
                if close is not None:
                    close()
            _checked(reading)

    def read(self) -> ChatResponse:
        """All of it at once."""
        for _ in self:
            pass
        return self.response


class AsyncChatStream(_Stream):
    """Pieces of text as they come. Made by `LLMClient.astream`."""

    def __aiter__(self) -> AsyncIterator[str]:
        return self._pieces()

    async def _pieces(self) -> AsyncIterator[str]:
        reading = self._reading
        reading.begin()
        for piece in await arun(reading.recalled()):
            yield piece
        if reading.response is not None:
            return
        sdk = await self._connect()
        with reading.permit:
            await arun(reading.admitted())
            asked = self._asked(reading, sdk)
            async with aclosing(asked):
                async for piece in asked:
                    yield piece

    async def _asked(self, reading: _Reading, sdk: Any) -> AsyncGenerator[str, None]:
        with reading.bill:
            events: Any = None
            try:
                events, event = await arun(reading.opened(sdk, self._connect, _anext))
                while event is not END:
                    if text := reading.feed(event):
                        yield text
                    event = await _anext(events)
            except Exception as error:
                ours = reading.broken(error)
                if ours is error:
                    raise
                raise ours from error
            finally:
                reading.settle()  # also when the loop was left early
                reading.permit.done(reading.bill.usage)
                close = getattr(events, "close", None) or getattr(events, "aclose", None)
                if close is not None and isawaitable(closing := close()):
                    await closing
            _checked(reading)

    async def read(self) -> ChatResponse:
        """All of it at once."""
        async for _ in self:
            pass
        return self.response


def _next(source: Any) -> Any:
    return next(source, END)


def _anext(source: Any) -> Awaitable[Any]:
    return anext(source, END)


def _checked(reading: _Reading) -> None:
    try:
        reading.check()
    except CallError as error:
        error.response, error.retries = reading.response, reading.bill.retries
        if reading.passage is not None:
            reading.passage.failed(error)
        raise
