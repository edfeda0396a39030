"""What a provider's batch API is, in words that no provider owns.

    lines --pack--> bytes --submit--> the provider's id --look--> Seen ... --outcomes--> one Outcome a line

Everything that talks is a flow (see `labkit.flow`). It calls the SDK through `ask`, which repeats what may be repeated.
Making a batch may not: when an answer is lost, `find` says whether the batch was made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, Protocol

from labkit.adapters.base import Answer
from labkit.batching.lines import BatchLine
from labkit.errors import UserError
from labkit.flow import Do, Flow

Phase = Literal["queued", "running", "cancelling", "completed", "failed", "expired", "cancelled"]
ENDED: frozenset[Phase] = frozenset({"completed", "failed", "expired", "cancelled"})
Status = Literal["succeeded", "failed", "expired", "cancelled"]
UNRUN: dict[Phase, Status] = {"failed": "failed", "expired": "expired", "cancelled": "cancelled"}
"""What a line is that the provider says nothing of, by how the batch ended."""
Ask = Callable[[Callable[[], Any]], Flow[Any]]
END: Any = object()

APIS = {
    "openai": "openai:OpenAIBatches",
    "anthropic": "anthropic:AnthropicBatches",
    "gemini": "gemini:GeminiBatches",
}
"""Provider: module and class."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A batch as the provider shows it."""

    phase: Phase
    done: int
    """Lines that have ended, well or not, as far as the provider says while it works."""
    problems: tuple[str, ...] = ()
    """Why the whole batch failed."""
    raw: Any = None
    """The SDK's object."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a line."""

    id: str
    status: Status
    answer: Answer | None = None
    error: str = ""


class BatchGone(UserError):
    """The provider has forgotten a batch or its results; the requests are still in the job file."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} Providers keep results for about a month; a reset of the lab forgets batches too.")


class BatchApi(Protocol):
    """One provider's."""

    name: str
    most_lines: int
    most_bytes: int
    id_pattern: str
    """Of a line's id, as a regular expression."""

    def pack(self, line: BatchLine) -> bytes:
        """A line as it is sent: its size counts. Pure."""

    def submit(self, sdk: Any, ask: Ask, job: str, lines: Sequence[BatchLine], packed: Sequence[bytes]) -> Flow[str]:
        """Upload and make the batch, once.

        Returns:
            The provider's id of it.
        """

    def mark(self, sdk: Any, ask: Ask) -> Flow[str | None]:
        """What `find` needs to know of the time before `submit`."""

    def find(self, sdk: Any, ask: Ask, job: str, mark: str | None, lines: int) -> Flow[list[str]]:
        """Batches that may be the one of this job, when the answer to `submit` was lost."""

    def look(self, sdk: Any, ask: Ask, remote: str) -> Flow[Seen]:
        """Where it stands."""

    def outcomes(self, sdk: Any, ask: Ask, seen: Seen, ids: Sequence[str]) -> Flow[list[Outcome]]:
        """What the provider says of the lines of a batch that has ended: any order, and perhaps not of all."""

    def cancel(self, sdk: Any, ask: Ask, remote: str) -> Flow[None]:
        """Stop it. What is done by then is kept, and charged."""


def api_of(provider: str) -> BatchApi:
    """The batch API of a provider.

    Raises:
        UserError: it has none here.
    """
    if provider not in APIS:
        raise UserError(f"{provider} has no batches here: {', '.join(APIS)} have. Several calls at once do it as well.")
    module, _, cls = APIS[provider].partition(":")
    found: BatchApi = getattr(import_module(f"labkit.batching.{module}"), cls)()
    return found


def each(source: Any) -> Flow[list[Any]]:
    """All that an SDK's iterator has, plain or asynchronous."""
    items = source if hasattr(source, "__anext__") or hasattr(source, "__next__") else _iterated(source)
    found: list[Any] = []
    while (item := (yield Do(lambda: _step(items)))) is not END:
        found.append(item)
    return found


def _iterated(source: Any) -> Iterator[Any]:
    return aiter(source) if hasattr(source, "__aiter__") else iter(source)


def _step(items: Any) -> Any:
    return anext(items, END) if hasattr(items, "__anext__") else next(items, END)
