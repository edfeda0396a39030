"""`labkit chat`: a model at the prompt."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labkit.errors import LabkitError

if TYPE_CHECKING:
    from labkit.chat import ChatResponse
    from labkit.conversation import Conversation

COMMANDS = """\
/model MODEL     go on with another model: an id, provider/id or provider:tier; alone, say which it is
/system TEXT     set the system prompt; alone, take it away
/clear           forget the conversation
/cost            what it has cost so far
/help            this list
/quit            end it, as Ctrl-D does
"""


def chat(
    prompt: Annotated[list[str] | None, typer.Argument(help="One question; without it, a conversation.")] = None,
    model: Annotated[
        str, typer.Option("--model", "-m", help="An id, provider/id, or provider:tier such as anthropic:small.")
    ] = "openai:sampling",
    system: Annotated[str | None, typer.Option("--system", "-s", help="System prompt.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0, help="0 is always the most probable token.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Most tokens of an answer.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the lab server: answers repeat.")] = None,
) -> None:
    """Talk to a model, at the prompt or once.

    Answers are streamed, and each one's tokens and cost stand under it.

    \b
        labkit chat "What is an API?"
        labkit chat --model anthropic:small --system "Answer in one sentence."
        git diff | labkit chat "Write a commit message for this."

    What is piped in goes before the question. The lab server answers unless LABKIT_LIVE names the provider.
    """
    from labkit import start

    given = {"temperature": temperature, "max_tokens": max_tokens}
    params = {name: value for name, value in given.items() if value is not None}
    piped = "" if sys.stdin.isatty() else sys.stdin.read()
    question = "\n\n".join(part for part in (piped.strip() if prompt else "", " ".join(prompt or ())) if part)
    with start(quiet=True, seed=seed):
        talk = Talk(model, system, params)
        if question:
            talk.ask(question)
            return
        lines = iter(piped.splitlines()) if piped else None
        talk.go_on(_typed if lines is None else lambda: next(lines, None))


@dataclass
class Talk:
    """A conversation at the prompt."""

    model: str
    system: str | None
    params: dict[str, Any]
    talk: Conversation = field(init=False)
    spent_usd: float = 0.0

    def __post_init__(self) -> None:
        self.talk = self._begun()

    def go_on(self, read: Callable[[], str | None]) -> None:
        """Answer line by line until there is none; what goes wrong is said, and the conversation goes on."""
        print(f"{self.talk.client.model}. /help lists the commands.")
        while (line := read()) is not None and line.strip() not in ("/quit", "/exit"):
            try:
                self._take(line.strip())
            except LabkitError as error:
                print(f"{error}", file=sys.stderr)
            except KeyboardInterrupt:
                print("\n(interrupted; the question is not part of the conversation)")
        print(self._bill())

    def ask(self, question: str) -> None:
        """Stream one answer, with its bill under it."""
        for piece in self.talk.stream(question, **self.params):
            print(piece, end="", flush=True)
        response = self.talk.responses[-1]
        self.spent_usd += response.cost_usd or 0.0
        print(f"\n{_foot(response)}", file=sys.stderr)

    def _take(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        if not line.startswith("/"):
            if line:
                self.ask(line)
        elif word in self._commands:
            self._commands[word](self, rest.strip())
        else:
            raise LabkitError(f"{word} is no command; /help lists them.")

    def _switch(self, model: str) -> None:
        """Another model goes on with the same conversation."""
        if model:
            before = self.talk.messages
            self.model, kept = model, self.model
            try:
                self.talk = self._begun()
            except (LabkitError, KeyError) as error:
                self.model = kept
                raise LabkitError(str(error)) from None
            self.talk.messages = before
        print(self.talk.client.model)

    def _instruct(self, system: str) -> None:
        self.system = self.talk.system = system or None
        print("System prompt set." if system else "No system prompt.")

    def _clear(self, _: str) -> None:
        self.talk.forget()
        print("Forgotten.")

    def _cost(self, _: str) -> None:
        print(self._bill())

    def _help(self, _: str) -> None:
        print(COMMANDS, end="")

    _commands = {"/model": _switch, "/system": _instruct, "/clear": _clear, "/cost": _cost, "/help": _help}

    def _begun(self) -> Conversation:
        from labkit.client import LLMClient
        from labkit.conversation import Conversation
        from labkit.experiments.models import resolved

        return Conversation(LLMClient(*resolved(self.model)), system=self.system)

    def _bill(self) -> str:
        return f"${self.spent_usd:.6f} so far."


def _typed() -> str | None:
    try:
        return input("> ")
    except EOFError:
        print()
        return None
    except KeyboardInterrupt:
        print()
        return ""


def _foot(response: ChatResponse) -> str:
    cost = "price unknown" if response.cost_usd is None else f"${response.cost_usd:.6f}"
    cut = ", cut at max_tokens" if response.truncated else ""
    usage, first = response.usage, response.time_to_first_token_s or 0.0
    return (
        f"[{response.model}: {usage.prompt} + {usage.output} tokens, {cost}, "
        f"first token after {first * 1000:.0f} ms, all after {response.latency_s * 1000:.0f} ms{cut}]"
    )
