"""What a schema asks of a prompt, and what it gets: the seam between `schema` (no prompts) and `extraction`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from labkit.engine.template import Template
from labkit.engine.validity import Json, Schema


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value that could stand somewhere."""

    value: Json | Template
    """A template (a tuple) stands for a string with alternatives inside it."""
    weight: float


@dataclass(frozen=True, slots=True)
class Field:
    """A place in the text that wants a value."""

    name: str
    """Of the property, or of the array that it is an item of; empty at the top."""
    path: str
    schema: Mapping[str, Any]
    """With references resolved."""
    kind: str
    """"string", "number", "integer", "boolean" or "choice"."""


class Source(Protocol):
    """What is known of the prompt."""

    def assign(self, fields: Sequence[Field]) -> None:
        """These stand side by side in one object: what one of them takes, another should not."""

    def candidates(self, field: Field) -> tuple[list[Candidate], float]:
        """Values for a field, and how sure it is that the prompt holds one (0 to 1)."""

    def options(self, field: Field, values: Sequence[Json]) -> tuple[list[float], float]:
        """A weight for each value of an enumeration, and the evidence."""

    def items(self, field: Field) -> tuple[list[list[Candidate]], float]:
        """The items of an array of plain values, each as its candidates."""

    def records(self, field: Field, properties: Mapping[str, Schema]) -> Sequence[Source]:
        """A source for each item of an array of objects."""

    def entries(self, field: Field) -> Sequence[tuple[str, Source]]:
        """Keys that the schema leaves open, each with a source for its value."""

    def inner(self, field: Field) -> Source:
        """The source for an object inside this one."""
