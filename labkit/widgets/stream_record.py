"""One streamed answer with the time of every frame on the wire, taken while the provider's own SDK reads it.

A hook of the SDK's HTTP client sees the bytes as they arrive and hands them on unchanged; the SDK and `LLMClient` work
as always, so errors, budget and ledger are the usual ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, NamedTuple

from labkit.chat import ChatResponse
from labkit.client import LLMClient
from labkit.errors import LabkitError, UserError

TAG = "stream viewer"
BLANK = re.compile(rb"\r?\n\r?\n")
"""Ends a frame of server-sent events."""


class Frame(NamedTuple):
    """One frame of server-sent events."""

    seconds: float
    """After the request left, when the frame's last byte came."""
    raw: str


@dataclass(slots=True)
class StreamRecord:
    """A stream as far as it has come."""

    provider: str
    model: str
    frames: list[Frame] = field(default_factory=list)
    texts: list[tuple[float, str]] = field(default_factory=list)
    """Seconds, and what the SDK's event added."""
    response: ChatResponse | None = None
    problem: str = ""
    ended: float | None = None
    """Seconds; None while it runs."""
    stopped: bool = False
    _client: _Heard | None = None
    _rest: bytes = b""
    _sent: float | None = None

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.texts)

    @property
    def first_text(self) -> float | None:
        """Seconds to the first visible word."""
        return self.texts[0][0] if self.texts else None

    @property
    def seconds(self) -> float:
        """Length of the timeline."""
        return self.ended or (self.frames[-1].seconds if self.frames else 0.0)

    def client(self) -> _Heard:
        """The client of this stream. Make those of streams that are compared first: an SDK takes a second to load."""
        if self._client is None:
            self._client = _Heard(self.provider, self.model, self)
        return self._client

    def draw(self, prompt: str, max_tokens: int, changed: Callable[[], None], wanted: Callable[[], bool]) -> None:
        """Ask, read to the end, and call `changed` at every piece. A refusal or a break becomes `problem`.

        Args:
            wanted: asked between pieces; False closes the connection.
        """
        client = self.client()
        stream = client.stream(prompt, max_tokens=max_tokens, tag=TAG)
        pieces = iter(stream)
        try:
            for piece in pieces:
                self.texts.append((self._now(), piece))
                changed()
                if not wanted():
                    self.stopped = True
                    break
        except LabkitError as error:
            self.problem = str(error)
        finally:
            pieces.close()
            client.close()
            self._flush()
            self.ended = self._now()
            with suppress(UserError):
                self.response = stream.response if stream.response.raw else None
            changed()

    @property
    def waiting(self) -> bool:
        """The request is under way, and nothing of the answer has come."""
        return self._sent is not None and self.ended is None and not self.frames

    def sent(self) -> None:
        """The request leaves: time begins. A request that is repeated began with its first attempt."""
        self._sent = self._sent or perf_counter()

    def heard(self, chunk: bytes) -> None:
        """Bytes came."""
        *whole, self._rest = BLANK.split(self._rest + chunk)
        self.frames += [Frame(self._now(), raw.decode("utf-8", "replace")) for raw in whole if raw]

    def _now(self) -> float:
        return perf_counter() - (self._sent or perf_counter())

    def _flush(self) -> None:
        """A stream that was cut ends in the middle of a frame."""
        if self._rest.strip():
            self.frames.append(Frame(self._now(), self._rest.decode("utf-8", "replace")))
        self._rest = b""


class _Heard(LLMClient):
    """A client with a connection of its own, whose bytes are heard."""

    def __init__(self, provider: str, model: str, record: StreamRecord) -> None:
        super().__init__(provider, model)
        hooks = {
            "request": [lambda request: record.sent()],
            "response": [lambda response: _tap(response, record.heard)],
        }
        self._sdk = MAKERS[provider](hooks)

    def close(self) -> None:
        self._sdk.close()

    def _connect(self, key: object = None) -> Any:
        return self._sdk


def _openai(hooks: Any) -> Any:
    import openai

    return openai.OpenAI(max_retries=0, http_client=openai.DefaultHttpxClient(event_hooks=hooks))


def _anthropic(hooks: Any) -> Any:
    import anthropic

    return anthropic.Anthropic(max_retries=0, http_client=anthropic.DefaultHttpxClient(event_hooks=hooks))


def _gemini(hooks: Any) -> Any:
    from google import genai

    return genai.Client(http_options={"client_args": {"event_hooks": hooks}, "retry_options": {"attempts": 1}})


MAKERS: dict[str, Callable[[Any], Any]] = {"openai": _openai, "anthropic": _anthropic, "gemini": _gemini}
"""An SDK client whose HTTP client has these event hooks."""


def _tap(response: Any, heard: Callable[[bytes], None]) -> None:
    """Let `heard` see the bytes of a streamed response. The stream stays of the HTTP client's own class: it checks."""
    original = response.stream

    class Tapped(type(original)):  # type: ignore[misc]
        def __init__(self) -> None:
            """Nothing of its own: everything is the original's."""

        def __iter__(self) -> Iterator[bytes]:
            for chunk in original:
                heard(chunk)
                yield chunk

        def close(self) -> None:
            original.close()

    if "text/event-stream" in response.headers.get("content-type", ""):
        response.stream = Tapped()
