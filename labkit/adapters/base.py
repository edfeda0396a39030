"""What an adapter is: two pure functions, ours to wire and wire to ours, and one call.

An adapter knows one SDK. It holds no state of a call, and the same code serves the plain and the asynchronous client
of the SDK: `send` returns what the SDK's method returns, and whoever drives the call awaits it or not.

    request (ours) --to_wire--> arguments --send--> reply --from_wire--> Answer (ours)
                                                  \\-> events --piece--> Piece (ours), gathered by `Assembly`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from labkit.chat import ChatRequest, Finish, Message, ToolCall, joined
from labkit.secret import Secret
from labkit.usage import Usage

RETRY_HEADER = "x-stainless-retry-count"
"""OpenAI's and Anthropic's SDKs say with it how often they have tried. labkit repeats calls itself, and says so too."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole reply in our words."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    finish: Finish | None = None
    provider_finish: str | None = None
    usage: Usage | None = None
    """None: the reply did not say."""
    model: str = ""
    request_id: str | None = None
    native: Any = None
    """The assistant's turn in the provider's form, to send back as it came."""


@dataclass(frozen=True, slots=True)
class ToolFragment:
    """A part of a tool call in a stream; fragments of one `index` belong together."""

    index: int | None
    """None: the call came whole, in this fragment."""
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """What one event of a stream adds."""

    text: str = ""
    tools: tuple[ToolFragment, ...] = ()
    provider_finish: str | None = None
    refused: bool = False
    """The text is a refusal."""
    usage: Usage | None = None
    """Cumulative: a later count replaces an earlier one where it is larger."""
    model: str = ""
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """What an SDK's exception says, in one form."""

    message: str
    status: int | None = None
    code: str | None = None
    """The provider's own word, such as "insufficient_quota"."""
    request_id: str | None = None
    retry_after: float | None = None
    """Seconds."""


class Adapter(Protocol):
    """One provider."""

    name: str
    parameters: frozenset[str]
    """Fields of `ChatRequest` that this API has at all; which of them a model takes is the registry's to say."""

    embeds: bool
    """Whether the provider has embeddings."""

    def origin(self, model: str) -> tuple[str, str]:
        """Under which name the session knows the provider of this model, and its id in the registry."""

    def connect(self, *, asynchronous: bool, timeout: float, key: Secret | None = None) -> Any:
        """An SDK client that does not retry by itself, from the variables that the session has set.

        Args:
            key: in place of the session's.

        Raises:
            UserError: a provider that takes no single key.
        """

    def to_wire(self, request: ChatRequest) -> dict[str, Any]:
        """Arguments of the SDK's call. Pure."""

    def send(self, sdk: Any, wire: Mapping[str, Any], *, stream: bool, retry: int) -> Any:
        """The one call. Of an asynchronous client: what to await."""

    def unpack(self, reply: Any) -> Any:
        """The SDK's object, or its iterator of events; of an asynchronous client perhaps: what to await."""

    def headers(self, reply: Any) -> Mapping[str, str]:
        """The response headers, as far as the SDK gives them out."""

    def from_wire(self, reply: Any) -> Answer:
        """A whole reply in our words. Pure."""

    def piece(self, event: Any) -> Piece:
        """One event of a stream in our words. Pure."""

    def finish(self, word: str | None, *, has_tool_calls: bool, refused: bool = False) -> Finish | None:
        """The provider's finish reason in our vocabulary. Pure."""

    def failure(self, error: Exception) -> Failure | None:
        """What a refusal says; None when the exception is no answer of the provider. Pure."""

    def embed(self, sdk: Any, model: str, texts: Sequence[str], *, dimensions: int | None, retry: int) -> Any:
        """Ask for one vector a text."""

    def vectors(self, reply: Any) -> tuple[list[list[float]], Usage]:
        """The vectors in the order of the texts. Pure."""

    def count(self, sdk: Any, request: ChatRequest) -> Any:
        """Ask the provider's own endpoint how many tokens a request has."""

    def counted(self, reply: Any) -> int:
        """The number in that reply. Pure."""


class NoEmbeddings:
    """The part of an adapter for a provider that has none."""

    embeds = False

    def embed(self, sdk: Any, model: str, texts: Sequence[str], *, dimensions: int | None, retry: int) -> Any:
        raise NotImplementedError("there are no embeddings; `embeds` says so")

    def vectors(self, reply: Any) -> tuple[list[list[float]], Usage]:
        raise NotImplementedError("there are no embeddings; `embeds` says so")


@dataclass(slots=True)
class Assembly:
    """A stream as far as it has come. `add` piece by piece, then `answer`."""

    texts: list[str] = field(default_factory=list)
    tools: dict[int, list[ToolFragment]] = field(default_factory=dict)
    provider_finish: str | None = None
    refused: bool = False
    usage: Usage | None = None
    model: str = ""
    request_id: str | None = None

    def add(self, piece: Piece) -> None:
        if piece.text:
            self.texts.append(piece.text)
        for fragment in piece.tools:
            place = len(self.tools) if fragment.index is None else fragment.index
            self.tools.setdefault(place, []).append(fragment)
        if piece.usage is not None:
            self.usage = piece.usage if self.usage is None else _latest(self.usage, piece.usage)
        self.refused = self.refused or piece.refused
        self.provider_finish = piece.provider_finish or self.provider_finish
        self.model = piece.model or self.model
        self.request_id = piece.request_id or self.request_id

    def answer(self, adapter: Adapter) -> Answer:
        calls = tuple(_call(place, fragments) for place, fragments in sorted(self.tools.items()))
        finish = adapter.finish(self.provider_finish, has_tool_calls=bool(calls), refused=self.refused)
        text = "".join(self.texts)
        return Answer(text, calls, finish, self.provider_finish, self.usage, self.model, self.request_id)


def _latest(before: Usage, now: Usage) -> Usage:
    """Anthropic sends the prompt's count first and the output's last; each is cumulative, so the larger one holds."""
    names = Usage.__dataclass_fields__
    return Usage(**{name: max(getattr(before, name), getattr(now, name)) for name in names})


def _call(place: int, fragments: Sequence[ToolFragment]) -> ToolCall:
    name, arguments = joined(f.name for f in fragments), joined(f.arguments for f in fragments)
    return ToolCall.from_json(joined(f.id for f in fragments) or f"call_{place}", name, arguments)


def turn(provider: str, answer: Answer) -> Message:
    """An answer as a turn to send back."""
    native = None if answer.native is None else (provider, answer.native)
    return Message("assistant", answer.text, answer.tool_calls, native=native)


def keyed(key: Secret | None) -> dict[str, Any]:
    """The argument of an SDK's client for a key of one's own."""
    return {} if key is None else {"api_key": key.reveal()}


def given(**arguments: Any) -> dict[str, Any]:
    """The arguments that say something: not None, not empty."""
    return {name: value for name, value in arguments.items() if value is not None and value != () and value != []}
