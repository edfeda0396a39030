"""A conversation that remembers: the API itself is stateless, so every call sends all turns again.

    talk = Conversation(LLMClient("openai"))
    talk.say("My name is Ada.")
    talk.say("What is my name?").text
    talk.growth                          prompt tokens of each turn: how the history adds up
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Unpack

from labkit import ledger
from labkit.chat import ChatResponse, Message
from labkit.errors import UserError

if TYPE_CHECKING:
    from labkit.client import LLMClient
    from labkit.params import Params


class Conversation:
    """Turns so far, and a client that continues them. A call that fails leaves the history as it was."""

    def __init__(self, client: LLMClient, *, system: str | None = None, max_prompt_tokens: int | None = None) -> None:
        """
        Args:
            max_prompt_tokens: the oldest turns are left out of a call, question with answer, so that its prompt stays
                below this. `messages` keeps them.
        """
        self.client = client
        self.system = system
        self.max_prompt_tokens = max_prompt_tokens
        self.messages: list[Message] = []
        self.responses: list[ChatResponse] = []

    @property
    def growth(self) -> list[int]:
        """Prompt tokens of each turn so far."""
        return [response.usage.prompt for response in self.responses]

    @property
    def cost_usd(self) -> float:
        """USD of all turns whose price is known."""
        return sum(response.cost_usd or 0.0 for response in self.responses)

    def say(self, text: str, **params: Unpack[Params]) -> ChatResponse:
        """The next turn. Raises what `LLMClient.chat` does."""
        return self._keep(text, self.client.chat(self.next_prompt(text), **self._with_system(params)))

    async def asay(self, text: str, **params: Unpack[Params]) -> ChatResponse:
        """The same as `say`, with `await`."""
        return self._keep(text, await self.client.achat(self.next_prompt(text), **self._with_system(params)))

    def stream(self, text: str, **params: Unpack[Params]) -> Iterator[str]:
        """The next turn, piece by piece. It becomes part of the history when it has come whole."""
        stream = self.client.stream(self.next_prompt(text), **self._with_system(params))
        yield from stream
        self._keep(text, stream.response)

    async def astream(self, text: str, **params: Unpack[Params]) -> AsyncIterator[str]:
        """The same as `stream`, with `async for`."""
        stream = self.client.astream(self.next_prompt(text), **self._with_system(params))
        async for piece in stream:
            yield piece
        self._keep(text, stream.response)

    def next_prompt(self, text: str) -> list[Message]:
        """What would be sent with this as the next turn, trimmed if need be.

        Raises:
            UserError: the turn alone is longer than `max_prompt_tokens`.
        """
        prompt = [*self.messages, Message("user", text)]
        limit = self.max_prompt_tokens
        while limit is not None and self._tokens(prompt) > limit:
            if len(prompt) == 1:
                raise UserError(f"This turn alone has more than max_prompt_tokens={limit} tokens.")
            del prompt[:2]
        return prompt

    def forget(self) -> None:
        """Begin again; the system prompt stays."""
        self.messages.clear()
        self.responses.clear()

    def __len__(self) -> int:
        """Turns of the user."""
        return len(self.responses)

    def __repr__(self) -> str:
        last = f", last prompt {self.growth[-1]} tokens" if self.responses else ""
        return f"<conversation with {self.client.model}: {len(self)} turns{last}>"

    def _tokens(self, prompt: list[Message]) -> int:
        return ledger.count(prompt, self.client.model, system=self.system)

    def _with_system(self, params: Params) -> Params:
        return {"system": self.system, **params} if self.system is not None else params

    def _keep(self, text: str, response: ChatResponse) -> ChatResponse:
        self.messages += [Message("user", text), response.message]
        self.responses.append(response)
        return response
