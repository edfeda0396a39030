"""What a sweep asks: prompts x models x parameters x repeats, one `Cell` each, and the key that names it for ever.

A parameter given as a list is an axis of the grid; given as one value, it holds for every cell. The order is repeats
first, then prompts, parameters and models: a sweep that is stopped early has seen a bit of everything, and providers
take turns.

The key of a cell is the SHA-256 of all that can change its answer: the request as it is sent, the provider and whether
that is the lab or the real one, the seed, the repeat and the epoch. What does not change the answer, such as names,
metrics and concurrency, is not in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from itertools import product
from typing import TYPE_CHECKING, Any

from labkit.chat import ChatRequest, Messages, as_messages
from labkit.errors import UserError

if TYPE_CHECKING:
    from labkit.client import LLMClient

AXES = ("system", "temperature", "top_p", "top_k", "max_tokens", "effort")
"""Parameters that may be lists. Each becomes a column."""
FIXED = ("stop", "schema", "extra")
"""Parameters that are the same in every cell."""
KEY_VERSION = 1
"""Raised when the same cell gets another key: what is on disk is then asked again."""

Prompts = str | Sequence[Messages] | Mapping[str, Messages]
"""One prompt, several, or several by name. A prompt is what `LLMClient.chat` takes."""


@dataclass(frozen=True, slots=True)
class Prompt:
    id: str
    """The name it was given, or its number: "1", "2", ..."""
    messages: Messages
    text: str
    """The last turn, for the table."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One call of a sweep."""

    key: str
    prompt: Prompt
    client: LLMClient
    params: Mapping[str, Any]
    """As they will be sent; those that the model refuses are left out if the client drops them."""
    asked: Mapping[str, Any]
    """The values of `AXES` that the sweep names, for the table."""
    repeat: int
    """From 1."""
    seed: int | None
    """None: no seed was asked for, or the provider has none."""
    shared: bool = False
    """A parameter was dropped, so other cells ask the same: one answer serves them all."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A cell that cannot be sent, and why."""

    cell: Cell
    error: UserError


@dataclass(frozen=True, slots=True)
class Grid:
    """All cells of a sweep. Iterating makes them one by one: a grid of a million takes no memory."""

    prompts: tuple[Prompt, ...]
    clients: tuple[LLMClient, ...]
    axes: Mapping[str, tuple[Any, ...]]
    """Parameter: its values, one or more."""
    fixed: Mapping[str, Any]
    repeats: int
    seed: int | None
    epoch: int
    stream: bool

    def __len__(self) -> int:
        sizes = [len(values) for values in self.axes.values()]
        total = self.repeats * len(self.prompts) * len(self.clients)
        for size in sizes:
            total *= size
        return total

    def __iter__(self) -> Iterator[Cell | Refused]:
        for repeat in range(1, self.repeats + 1):
            for prompt, *values, client in product(self.prompts, *self.axes.values(), self.clients):
                yield self._cell(prompt, client, dict(zip(self.axes, values, strict=True)), repeat)

    def _cell(self, prompt: Prompt, client: LLMClient, asked: dict[str, Any], repeat: int) -> Cell | Refused:
        takes_seed = self.seed is not None and "seed" in client.adapter.parameters
        seed = seed_of(self.seed, repeat) if self.seed is not None and takes_seed else None
        params = {**self.fixed, **asked, **({"seed": seed} if seed is not None else {})}
        try:
            request = client.request(prompt.messages, **params)
        except UserError as error:
            return Refused(Cell("", prompt, client, params, asked, repeat, seed), error)
        key = key_of(client, request, repeat=repeat, epoch=self.epoch, stream=self.stream)
        shared = any(getattr(request, name) != value for name, value in asked.items())
        return Cell(key, prompt, client, params, asked, repeat, seed, shared)


def grid(
    prompts: Prompts,
    clients: Sequence[LLMClient],
    params: Mapping[str, Any],
    *,
    repeats: int = 1,
    seed: int | None = 0,
    epoch: int = 0,
    stream: bool = False,
) -> Grid:
    """The grid of what a user gave.

    Raises:
        UserError: nothing to ask, no model, an unknown parameter, an empty axis.
    """
    if repeats < 1:
        raise UserError(f"A sweep asks at least once, and this says repeats={repeats}.")
    if not clients:
        raise UserError("A sweep needs at least one model.")
    unknown = [name for name in params if name not in (*AXES, *FIXED)]
    if unknown:
        raise UserError(f"{unknown[0]!r} is no parameter of a sweep: use {', '.join((*AXES, *FIXED))}.")
    axes = {name: _values(name, params[name]) for name in AXES if params.get(name) is not None}
    fixed = {name: params[name] for name in FIXED if params.get(name) is not None}
    return Grid(named(prompts), tuple(clients), axes, fixed, repeats, seed, epoch, stream)


def named(prompts: Prompts) -> tuple[Prompt, ...]:
    """Prompts with their names.

    >>> [(p.id, p.text) for p in named(["Hi", [("system", "Be brief."), ("user", "Hello")]])]
    [('1', 'Hi'), ('2', 'Hello')]

    Raises:
        UserError: there is none, or one that is no prompt.
    """
    if isinstance(prompts, str):
        prompts = [prompts]
    pairs = prompts.items() if isinstance(prompts, Mapping) else enumerate(prompts, 1)
    found = tuple(Prompt(str(name), given, as_messages(given)[-1].text) for name, given in pairs)
    if not found:
        raise UserError("A sweep needs at least one prompt.")
    if len({repr(prompt.messages) for prompt in found}) < len(found):
        raise UserError("A prompt is there twice; for more answers to it, use repeats.")
    return found


def _values(name: str, given: Any) -> tuple[Any, ...]:
    if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__"):
        return (given,)
    values = tuple(value.item() if hasattr(value, "item") else value for value in given)  # numpy's numbers are not JSON
    if not values:
        raise UserError(f"{name}=[] leaves nothing to ask: give at least one value.")
    if len(set(values)) < len(values):
        raise UserError(f"{name} names a value twice; for more answers of a kind, use repeats.")
    return values


@cache
def seed_of(seed: int, repeat: int) -> int:
    """The seed of a repeat, 31 bits wide, as the narrowest provider has it.

    The same repeat has the same seed under every prompt, model and parameter, so that what differs between two cells
    of a repeat is not the draw ("common random numbers").
    """
    return int.from_bytes(sha256(f"{seed}/{repeat}".encode()).digest()[:4], "big") >> 1


def key_of(client: LLMClient, request: ChatRequest, *, repeat: int, epoch: int, stream: bool) -> str:
    """What names a cell: equal for equal questions in any sweep, process and year, until `KEY_VERSION` changes."""
    said = {name: getattr(request, name) for name in _IN_KEY}
    turns = [[m.role, m.text] for m in request.messages]
    where = getattr(client.adapter, "base_url", None) or client.line.mode(request.model)
    whole = [KEY_VERSION, client.provider, where, said, turns, repeat, epoch, stream]
    return sha256(_canonical(whole).encode()).hexdigest()[:32]


_IN_KEY = (
    *("model", "max_tokens", "system", "temperature", "top_p", "top_k", "stop", "seed", "effort"),
    *("schema", "extra"),
)
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=repr).encode
