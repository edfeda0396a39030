"""What goes into a chat call and what comes out of it, in words that no provider owns.

    Message, ToolCall          a conversation
    ChatRequest                one call, complete: what an adapter turns into a provider's own request
    ChatResponse               one answer: what an adapter's reading of the reply becomes
    Embeddings                 vectors, with what they cost

Finish reasons are five words; each provider's own word stays in `provider_finish_reason`:

    stop             the model was done, or met a stop sequence
    length           cut at max_tokens or at the end of the context: `response.truncated`
    tool_calls       the model asks for tools
    content_filter   the provider or the model refused
    other            anything else that ends an answer
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from labkit.errors import UserError
from labkit.usage import Usage

Role = Literal["system", "user", "assistant", "tool"]
Finish = Literal["stop", "length", "tool_calls", "content_filter", "other"]
ROLES = ("system", "user", "assistant", "tool")
SHOWN = 60
"""Characters of an answer in a repr."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks for one function to be run."""

    id: str
    name: str
    arguments: Mapping[str, Any]
    """Empty when what the model wrote is no JSON object: then `error` says so."""
    error: str = ""

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in self.arguments.items())})"

    @classmethod
    def from_json(cls, call_id: str, name: str, text: str) -> ToolCall:
        """From arguments that a provider sends as JSON text; models do write broken JSON.

        >>> ToolCall.from_json("c1", "add", '{"a": 1}').arguments
        {'a': 1}
        """
        try:
            arguments = json.loads(text or "{}")
        except ValueError as error:
            return cls(call_id, name, {}, f"the arguments are not JSON ({error}): {text}")
        if not isinstance(arguments, dict):
            return cls(call_id, name, {}, f"the arguments are no JSON object: {text}")
        return cls(call_id, name, arguments)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn."""

    role: Role
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    """Of an assistant's turn."""
    tool_call_id: str = ""
    """Of a tool's turn: which call this is the result of."""
    name: str = ""
    """Of a tool's turn: the function that ran."""
    failed: bool = False
    """Of a tool's turn: the function raised, and `text` says what."""
    native: tuple[str, Any] | None = field(default=None, repr=False, compare=False)
    """Provider and its own form of this turn, sent back to that provider as it came: thinking blocks and signatures
    must return unchanged after a tool call."""

    def native_to(self, provider: str) -> Any:
        """The turn in the provider's own form, when it came from there; else None."""
        return self.native[1] if self.native is not None and self.native[0] == provider else None


Messages = str | Message | Mapping[str, Any] | Sequence[Message | Mapping[str, Any] | tuple[str, str]]
"""What `chat` takes: a text, or turns as `Message`, {"role", "content"} or (role, text)."""


def as_messages(given: Messages) -> tuple[Message, ...]:
    """Turns out of anything that `chat` takes.

    >>> as_messages("Hi")
    (Message(role='user', text='Hi', tool_calls=(), tool_call_id='', name='', failed=False),)

    Raises:
        UserError: no message, an unknown role, or content that is no text.
    """
    if isinstance(given, str):
        return (Message("user", given),)
    turns = [given] if isinstance(given, (Message, Mapping)) else list(given)
    if not turns:
        raise UserError("There is no message to send: pass a text, or a list with at least one message.")
    return tuple(_as_message(turn) for turn in turns)


def _as_message(turn: Message | Mapping[str, Any] | tuple[str, str]) -> Message:
    if isinstance(turn, Message):
        return turn
    if isinstance(turn, Mapping):
        role, text = turn.get("role"), turn.get("content")
    elif isinstance(turn, tuple) and len(turn) == 2:
        role, text = turn
    else:
        raise UserError(f'{turn!r} is no message: write {{"role": "user", "content": "..."}} or ("user", "...").')
    if role not in ROLES:
        raise UserError(f"{role!r} is no role: use one of {', '.join(ROLES)}.")
    if not isinstance(text, str):
        raise UserError(f"The content of a message is text here, and this is {type(text).__name__}.")
    said = turn if isinstance(turn, Mapping) else {}
    return Message(role, text, tool_call_id=str(said.get("tool_call_id", "")), name=str(said.get("name", "")))


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A function as the model sees it."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    """JSON schema of its arguments, an object."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One call, complete. None means: not asked for, the provider's default holds."""

    model: str
    messages: tuple[Message, ...]
    max_tokens: int
    """Most tokens of the answer, reasoning included. Always sent, so that a budget can be a hard stop."""
    system: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    effort: str | None = None
    """How much to reason: "none", "low", "medium", "high", ..., as the model's row lists them."""
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str | None = None
    """"auto", "required", "none", or the name of one tool."""
    schema: Mapping[str, Any] | None = None
    """JSON schema that the answer must fit."""
    schema_name: str = "answer"
    extra: Mapping[str, Any] = field(default_factory=dict)
    """More arguments for the SDK's call, in the SDK's words."""

    def split_system(self) -> tuple[str | None, tuple[Message, ...]]:
        """The system prompt with all system turns joined to it, and the other turns: for APIs that keep them apart."""
        system = [self.system] if self.system else []
        system += [m.text for m in self.messages if m.role == "system"]
        return "\n\n".join(system) or None, tuple(m for m in self.messages if m.role != "system")


@dataclass(frozen=True, slots=True)
class ChatResponse:
    """One answer, with what it took."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    parsed: Any = None
    """The answer as an object, when a schema was asked for."""
    finish_reason: Finish | None = None
    """None only on the part of a stream that did not arrive whole."""
    provider_finish_reason: str | None = None
    usage: Usage = Usage()
    """All calls that this answer took, asking again included."""
    usage_estimated: bool = False
    """The provider's count did not arrive, so labkit counted what it saw."""
    cost_usd: float | None = None
    """None: nobody lists a price for this model."""
    latency_s: float = 0.0
    """From sending to the whole answer, retries and their waits included."""
    waited_s: float = 0.0
    """In a pacer's queue before it was sent. Not part of `latency_s`, but for the waits of a repetition."""
    time_to_first_token_s: float | None = None
    """Streams only."""
    request_id: str | None = None
    model: str = ""
    """As the provider names it in its answer; where it names none, as it was asked for."""
    provider: str = ""
    retries: int = 0
    """Attempts that failed before this one."""
    reasks: int = 0
    """Times the model was asked again because its answer did not fit the schema."""
    notes: tuple[str, ...] = ()
    """What was changed or dropped on the way, one sentence each."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Response headers, names in lower case."""
    message: Message = field(default_factory=lambda: Message("assistant", ""), repr=False)
    """The same answer as a turn, to send back in the next call."""
    transcript: tuple[Message, ...] = field(default=(), repr=False)
    """After `run_tools`: every turn from the question to the answer."""
    tried: tuple[str, ...] = ()
    """Clients of a `Fallback` that were asked before this one, with what came of it, one sentence each."""
    cached: bool = False
    """Kept from an earlier call, or shared with one at the same time: no usage, no cost, no `raw` and no headers."""
    saved_usd: float | None = None
    """Of a cached answer: what it cost when it was asked for."""
    raw: Any = field(default=None, repr=False, compare=False)
    """The SDK's own object; of a stream, the list of its events."""

    @property
    def truncated(self) -> bool:
        """Cut at max_tokens or at the end of the context: the text is not all that the model had to say."""
        return self.finish_reason == "length"

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        """One line with what to look at first."""
        text = self.text if len(self.text) <= SHOWN else self.text[:SHOWN] + "…"
        shown = [repr(text)] if text or not self.tool_calls else []
        shown += [str(call) for call in self.tool_calls]
        cost = "price unknown" if self.cost_usd is None else f"${self.cost_usd:.6f}"
        finish = "TRUNCATED" if self.truncated else self.finish_reason or "INCOMPLETE"
        tokens = f"{self.usage.prompt}+{self.usage.output} tokens{' (estimated)' if self.usage_estimated else ''}"
        took = "from the cache" if self.cached else f"{tokens}, {cost}"
        tried = f", {self.retries} retries" if self.retries else ""
        return f"<{self.model} {finish}: {' '.join(shown)} · {took}, {self.latency_s * 1000:.0f} ms{tried}>"


@dataclass(frozen=True, slots=True)
class Embeddings(Sequence[list[float]]):
    """One vector a text, in the order of the texts. A list of lists for whoever reads it."""

    vectors: list[list[float]] = field(repr=False)
    usage: Usage = Usage()
    cost_usd: float | None = None
    latency_s: float = 0.0
    model: str = ""
    provider: str = ""
    retries: int = 0
    raw: Any = field(default=None, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.vectors)

    def __iter__(self) -> Iterator[list[float]]:
        return iter(self.vectors)

    def __getitem__(self, index: Any) -> Any:
        return self.vectors[index]


def joined(texts: Iterable[str | None]) -> str:
    """The texts that are there, one after the other."""
    return "".join(text for text in texts if text)
