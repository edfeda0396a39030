"""`Fallback`: several clients that stand in for one another when a provider is out.

    client = Fallback([LLMClient("openai"), LLMClient("anthropic")])
    answer = client.chat("What is an API?")
    answer.provider, answer.tried            who answered, and what came of those before

The next client is asked after an outage (`OUTAGE`): no connection, a timeout, an answer that broke, the provider's own
trouble, a rate limit that waiting did not mend. What is wrong with the request or the key (400, 401, 404), a spent
quota and a refused answer would come back from anybody or are the user's to decide: they are raised, unless `on` or
`on_finish` names them.

Each client repeats a call by its own policy first; `retry=1` makes it give way at once. A circuit breaker leaves
whoever keeps failing alone for a while.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Generator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import replace
from typing import Any, Unpack

from labkit.chat import ChatResponse, Messages
from labkit.client import LLMClient
from labkit.errors import CallError, Overloaded, RateLimited, TransportError, UserError
from labkit.flow import Do, Flow, arun, run
from labkit.pacing.breaker import Breaker
from labkit.params import CallParams
from labkit.streams import AsyncChatStream, ChatStream

OUTAGE: tuple[type[CallError], ...] = (TransportError, Overloaded, RateLimited)
"""After these the next client is asked."""


class AllFailed(CallError):
    """No client answered. `tried` says in a sentence each what came of them, `errors` are their errors."""

    def __init__(self, tried: Sequence[str], errors: Sequence[CallError]) -> None:
        super().__init__("No client answered. " + " ".join(tried))
        self.tried = tuple(tried)
        self.errors = tuple(errors)


class Fallback:
    """The surface of `LLMClient`, over several of them in order of preference."""

    def __init__(
        self,
        clients: Sequence[LLMClient],
        *,
        on: Collection[type[CallError]] = OUTAGE,
        on_finish: Collection[str] = (),
        breaker: Breaker | None = None,
    ) -> None:
        """
        Args:
            clients: first choice first.
            on: errors after which the next one is asked.
            on_finish: finish reasons that are no answer, such as "content_filter"; the last client's stands. Of a whole
                answer only: a stream has been shown by then.
            breaker: to share with others; by default one of its own.

        Raises:
            UserError: no client.
        """
        if not clients:
            raise UserError("Fallback needs at least one client: Fallback([LLMClient('openai'), ...]).")
        self.clients = tuple(clients)
        self.breaker = breaker or Breaker()
        self._on, self._on_finish = tuple(on), frozenset(on_finish)

    def __repr__(self) -> str:
        return f"<Fallback {', then '.join(_name(client) for client in self.clients)}>"

    def chat(self, messages: Messages, **params: Unpack[CallParams]) -> ChatResponse:
        """As `LLMClient.chat`, by the first client that answers.

        Raises:
            AllFailed: none did.
            CallError: one that is no outage.
        """
        return run(self._answered(lambda client: client.chat(messages, **params)))

    async def achat(self, messages: Messages, **params: Unpack[CallParams]) -> ChatResponse:
        """The same as `chat`, with `await`."""
        return await arun(self._answered(lambda client: client.achat(messages, **params)))

    def stream(self, messages: Messages, *, restart: bool = False, **params: Unpack[CallParams]) -> FallbackStream:
        """As `LLMClient.stream`. Another client takes over before the first piece only.

        Args:
            restart: also later. Its answer begins anew, and `stream.restarts` counts: forget the text shown so far.
        """
        return FallbackStream(self, lambda client: client.stream(messages, **params), restart=restart)

    def astream(
        self, messages: Messages, *, restart: bool = False, **params: Unpack[CallParams]
    ) -> AsyncFallbackStream:
        """The same as `stream`, with `async for`."""
        return AsyncFallbackStream(self, lambda client: client.astream(messages, **params), restart=restart)

    def _answered(self, ask: Callable[[LLMClient], Any]) -> Flow[ChatResponse]:
        trial = Trial(self)
        answer: ChatResponse | None = None
        for client in trial.candidates():
            with trial.of(client):
                answer = yield Do(lambda: ask(client))  # noqa: B023 - called before the loop goes on
                if answer.finish_reason not in self._on_finish:
                    return replace(answer, tried=tuple(trial.tried))
                trial.note(client, f"ended with {answer.finish_reason}.")
        if answer is not None:
            return replace(answer, tried=tuple(trial.tried[:-1]))
        raise trial.failure()


class Trial:
    """One call's way through the clients."""

    def __init__(self, fallback: Fallback) -> None:
        self._fallback = fallback
        self.tried: list[str] = []
        self.errors: list[CallError] = []
        self.shown = False
        """A piece of a stream has been shown, and another client must not take over."""

    def candidates(self) -> Iterator[LLMClient]:
        """Who may be asked, one after the other; whose circuit is open is passed over."""
        breaker = self._fallback.breaker
        for client in self._fallback.clients:
            if breaker.allows(_name(client)):
                yield client
            else:
                self.note(client, f"left alone for another {breaker.closed_for(_name(client)):.1f} s.")

    @contextmanager
    def of(self, client: LLMClient) -> Generator[None]:
        """Try one: an outage is noted and passes, so that the loop goes on."""
        breaker, name = self._fallback.breaker, _name(client)
        try:
            yield
        except self._fallback._on as error:
            breaker.failed(name)
            self.note(client, f"{type(error).__name__}: {error}")
            self.errors.append(error)
            if self.shown:
                raise
        except BaseException:
            breaker.unknown(name)
            raise
        else:
            breaker.succeeded(name)

    def note(self, client: LLMClient, what: str) -> None:
        self.tried.append(f"{_name(client)}: {what}")

    def failure(self) -> AllFailed:
        return AllFailed(self.tried, self.errors)


class _Stream:
    def __init__(self, fallback: Fallback, ask: Callable[[LLMClient], Any], *, restart: bool) -> None:
        self._ask, self._restart = ask, restart
        self._trial = Trial(fallback)
        self._stream: ChatStream | AsyncChatStream | None = None
        self._begun = False
        self.restarts = 0
        """How often the answer began anew after a piece had been shown."""

    @property
    def response(self) -> ChatResponse:
        """The answer of the client that was asked last, as of `ChatStream.response`.

        Raises:
            UserError: the stream has not been read yet.
        """
        if self._stream is None:
            raise UserError("The stream has not been read yet: iterate over it first, `for piece in stream: ...`.")
        return replace(self._stream.response, tried=tuple(self._trial.tried))

    def _begin(self, client: LLMClient) -> Any:
        self.restarts += self._begun
        self._begun = False
        self._stream = self._ask(client)
        return self._stream

    def _shown(self) -> None:
        self._begun = True
        self._trial.shown = not self._restart


class FallbackStream(_Stream):
    """Pieces of text as they come. Made by `Fallback.stream`."""

    def __iter__(self) -> Generator[str, None, None]:
        for client in self._trial.candidates():
            with self._trial.of(client):
                for piece in self._begin(client):
                    self._shown()
                    yield piece
                return
        raise self._trial.failure()

    def read(self) -> ChatResponse:
        """All of it at once."""
        for _ in self:
            pass
        return self.response


class AsyncFallbackStream(_Stream):
    """Pieces of text as they come. Made by `Fallback.astream`."""

    async def __aiter__(self) -> AsyncIterator[str]:
        for client in self._trial.candidates():
            with self._trial.of(client):
                async with aclosing(self._begin(client).__aiter__()) as pieces:
                    async for piece in pieces:
                        self._shown()
                        yield piece
                return
        raise self._trial.failure()

    async def read(self) -> ChatResponse:
        """All of it at once."""
        async for _ in self:
            pass
        return self.response


def _name(client: LLMClient) -> str:
    return f"{client.provider}/{client.model}"
