"""Constrained decoding: a text that must be JSON, whatever the temperature.

Only branches of the lattice have probability; there is no background and no floor, so that no sampler can leave it. A
token that the lattice does not have (a caller may advance by any) ends the text: after it only `end` can come.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING, Any

from labkit.engine.answers import FALLBACK, Answer
from labkit.engine.base import O200K, Prompt
from labkit.engine.extraction import PromptSource
from labkit.engine.jsontext import inside_quotes
from labkit.engine.lattice import Lattice, State
from labkit.engine.reading import Reading, read
from labkit.engine.schema import compile_schema
from labkit.engine.template import Choice, Template, Text, likeliest, map_text, sample
from labkit.engine.validity import UnsupportedSchema
from labkit.sampling import Distribution

if TYPE_CHECKING:
    from labkit.engine.embedded import EmbeddedEngine

ENDED = Distribution.of({O200K.end: 1.0}, vocab=O200K.size)
PROBED = 40
"""Expansions that are looked at to tell whether a template always makes a JSON object."""


class StrictDecoder:
    """One text being written under a schema."""

    __slots__ = ("_engine", "lattice", "state")

    def __init__(self, engine: EmbeddedEngine, lattice: Lattice, state: State | None) -> None:
        self._engine, self.lattice, self.state = engine, lattice, state

    def distribution(self) -> Distribution:
        """P(next token)."""
        state = self.state
        return ENDED if state is None else state.distribution or self._engine.mix(state, self.lattice)

    def advance(self, token: int) -> None:
        """`token` was generated."""
        if self.state is not None:
            self.state = self.state.next.get(token) or self.lattice.follow(self.state, token)

    def fork(self) -> StrictDecoder:
        """An independent copy."""
        return StrictDecoder(self._engine, self.lattice, self.state)


def open_strict(engine: EmbeddedEngine, prompt: Prompt) -> StrictDecoder:
    """A decoder for a prompt with `schema` or `json`.

    Raises:
        UnsupportedSchema: no text can be written for the schema.
    """
    if prompt.schema:
        template, name = compiled(prompt.schema, reading_of(engine, prompt)), "schema"
    else:
        template, name = object_template(engine, prompt), "json"
    lattice = strict_lattice(engine, template, name)
    prefix = prompt.turns[-1].text if prompt.turns and prompt.turns[-1].role == "assistant" else ""
    return StrictDecoder(engine, lattice, lattice.after_text(prefix) if prefix else lattice.start)


def strict_lattice(engine: EmbeddedEngine, template: Template, name: str) -> Lattice:
    """The automaton of a template that nothing else may come beside."""
    return engine.lattice(Answer(name, template, name, 1.0, "", frozenset(), {}), strict=True)


@lru_cache(maxsize=512)
def compiled(schema: str, reading: Reading) -> Template:
    """A schema filled from a prompt; the last ones are kept.

    Raises:
        UnsupportedSchema: no text can be written.
    """
    return compile_schema(parsed(schema), PromptSource(reading))


def writable(schema: str) -> bool:
    """Whether any text can be written for a schema."""
    try:
        compiled(schema, Reading("", "", ""))
    except UnsupportedSchema:
        return False
    return True


def parsed(schema: str) -> Any:
    """The JSON value of a schema's text."""

    def refuse(name: str) -> None:
        raise UnsupportedSchema("$", f"{name} is not JSON")

    try:
        return json.loads(schema, parse_constant=refuse)
    except RecursionError:
        raise UnsupportedSchema("$", "nested too deeply") from None
    except json.JSONDecodeError as problem:
        raise UnsupportedSchema("$", f"is not JSON: {problem}") from None


def reading_of(engine: EmbeddedEngine, prompt: Prompt) -> Reading:
    """The prompt as material, with what the plain answer knows."""
    plain = engine.answer(replace(prompt, json=False, schema=None, tools=()))
    if plain.intent == FALLBACK:
        return read(prompt)
    answer = None if _is_object(plain.template) else plain.template
    return read(prompt, answer=answer, told=_told(engine, prompt, plain))


def _told(engine: EmbeddedEngine, prompt: Prompt, plain: Answer) -> dict[str, str | float]:
    """What the plain answer knows by name: its slots, and the members of its JSON form."""
    told: dict[str, str | float] = dict(plain.slots)
    shaped = engine.answer(replace(prompt, json=True, schema=None, tools=()))
    if _is_object(shaped.template):
        members = json.loads(likeliest(shaped.template))
        plain_members = {key: value for key, value in members.items() if isinstance(value, str | int | float)}
        told |= {key: value for key, value in plain_members.items() if key != "answer"}
    return told


def object_template(engine: EmbeddedEngine, prompt: Prompt) -> Template:
    """All JSON objects for a prompt without a schema: the answer's own JSON form, else the plain answer in one."""
    shaped = engine.answer(replace(prompt, json=True)).template
    if _is_object(shaped):
        return shaped
    plain = engine.answer(replace(prompt, json=False)).template
    if _is_object(plain):
        return plain
    return (Text('{"answer": "'), *map_text(plain, inside_quotes), Text('"}'))


def _is_object(template: Template) -> bool:
    """Whether every option of a template leads to a JSON object."""
    return all(_object_text(text) for text in _covering(template))


def _object_text(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _covering(template: Template) -> Iterator[str]:
    """Expansions that take every option of every choice once, the others the likeliest, and some at random."""
    yield likeliest(template)
    for n, node in enumerate(template):
        if isinstance(node, Choice):
            for _, option in node.options:
                for text in _covering(option):
                    yield likeliest((*template[:n], Text(text), *template[n + 1 :]))
    if any(isinstance(node, Choice) for node in template):
        rng = Random(0)
        yield from (sample(template, rng) for _ in range(PROBED))
