"""The seam between the lab server and whatever makes the text.

`Engine.open(prompt)` gives a `Decoder`: the model's state after the prompt and what has been generated. Ask it for the
distribution over the next token, tell it which token was drawn, repeat. `next_distribution` is the same contract
without state, for reading and for tests. Sampling is not the engine's business: see `labkit.sampling`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from labkit.sampling import Distribution

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the caller offers."""

    name: str
    description: str
    parameters: str
    """JSON schema of its arguments: JSON text, keys in the caller's order."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool that an assistant turn made."""

    name: str
    arguments: str
    """JSON text."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message, as plain text."""

    role: Role
    text: str
    calls: tuple[Call, ...] = ()
    """What an assistant turn called."""
    tool: str = ""
    """Whose result a tool turn is."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A conversation as the engine sees it, whatever protocol it came in by."""

    turns: tuple[Turn, ...]
    """System turns first if any; the last turn is usually the user's."""
    tier: str = "standard"
    """"small", "standard" or "large": how good a model to be."""
    json: bool = False
    """The caller asked for a JSON object: nothing else may come."""
    schema: str | None = None
    """JSON schema that the whole text must match, as JSON text, keys in the caller's order: nothing else may come."""
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    """"auto", "none", "required", or the name of the one tool that must be called."""
    parallel_calls: bool = True
    """Whether one answer may call more than once."""

    @property
    def system(self) -> str:
        return "\n".join(t.text for t in self.turns if t.role == "system")

    @property
    def last_user(self) -> str:
        return next((t.text for t in reversed(self.turns) if t.role == "user"), "")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Token ids 0 to size - 1 of a tiktoken encoding, the id that ends a text, and ids that begin a tool call.

    A decoder that offers tools may give probability to `call(i)`: from there on, up to the next `call` or `end`, the
    tokens spell the JSON arguments of the i-th tool.
    """

    encoding: str
    size: int
    end: int
    first_call: int

    def call(self, tool: int) -> int:
        """The token that begins a call of the i-th tool of the prompt."""
        return self.first_call + tool

    def called(self, token: int) -> int | None:
        """Which tool a token begins to call; None for any other token."""
        return token - self.first_call if token >= self.first_call else None


O200K = Vocabulary("o200k_base", size=199_998, end=199_999, first_call=200_100)
"""`o200k_base`: 199,998 text tokens, then a gap, then `<|endoftext|>`; call tokens are ours, above all of its own."""


class Decoder(Protocol):
    """The state after a prompt and the tokens generated so far."""

    def distribution(self) -> Distribution:
        """P(next token). The same object may be returned for the same state, so do not change it."""
        ...

    def advance(self, token: int) -> None:
        """`token` was generated. Any id of the vocabulary is legal, however improbable."""
        ...

    def fork(self) -> Decoder:
        """An independent copy, so that n choices share one prompt."""
        ...


class Engine(Protocol):
    """Something that continues a conversation token by token."""

    name: str
    vocabulary: Vocabulary

    def open(self, prompt: Prompt) -> Decoder:
        """Read the prompt. Never raises on content: an engine that knows nothing says so in its text."""
        ...

    def think(self, prompt: Prompt, steps: int) -> Decoder:
        """What is thought before the answer, the longer the more steps; the answer begins where it ends."""
        ...


def next_distribution(engine: Engine, prompt: Prompt, generated: Iterable[int] = ()) -> Distribution:
    """The whole contract in one function: distribution over token ids after `prompt` and `generated`."""
    decoder = engine.open(prompt)
    for token in generated:
        decoder.advance(token)
    return decoder.distribution()
