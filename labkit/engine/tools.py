"""Calling tools: which one, with what arguments, how often, and what is said when their results are there.

    request -> clauses -> (tool, arguments) a clause and an item -> call tokens in the first distribution
    results -> a sentence about their values, or a further call for what is still unanswered

`toolfit` tells how well a tool fits, `toolplan` which calls are wanted, `toolcalls` writes them, `toolresults` speaks
of results. This module puts them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from labkit.engine.answers import Answer
from labkit.engine.base import O200K, Prompt, Tool, Turn
from labkit.engine.properties import words_of
from labkit.engine.strict import StrictDecoder, open_strict
from labkit.engine.template import Choice, Template, Text
from labkit.engine.toolcalls import ToolDecoder
from labkit.engine.toolplan import NO_CALLS, Missing, make_plan, results_of
from labkit.engine.toolresults import told_by

if TYPE_CHECKING:
    from labkit.engine.embedded import Decoder as TextDecoder
    from labkit.engine.embedded import EmbeddedEngine


def open_with_tools(engine: EmbeddedEngine, prompt: Prompt) -> ToolDecoder | TextDecoder | StrictDecoder:
    """A decoder for a prompt that offers tools.

    Raises:
        UnsupportedSchema: arguments for a tool that must be called cannot be written.
    """
    results = results_of(prompt)
    plan = NO_CALLS if prompt.tool_choice == "none" else make_plan(prompt, results)
    if isinstance(plan, Missing):
        return _say(engine, prompt, _question(plan.tool, plan.names), "tool-question")
    text = _text(engine, prompt, results)
    return ToolDecoder(engine, plan, text) if plan.shares else text


def _text(engine: EmbeddedEngine, prompt: Prompt, results: Sequence[Turn]) -> TextDecoder | StrictDecoder:
    """What is said if no tool is called."""
    if prompt.schema or prompt.json:
        return open_strict(engine, prompt)
    if results and (said := told_by(prompt, results)):
        return _say(engine, prompt, said, "tool-results")
    return engine.open_plain(prompt)


def _say(engine: EmbeddedEngine, prompt: Prompt, template: Template, name: str) -> TextDecoder:
    from labkit.engine.embedded import Decoder

    lattice = engine.lattice(Answer(name, template, name, 1.0, "", frozenset(), {}))
    prefix = prompt.turns[-1].text if prompt.turns and prompt.turns[-1].role == "assistant" else ""
    return Decoder(engine, lattice, lattice.after_text(prefix) if prefix else lattice.start, (O200K.end, O200K.end))


def _question(tool: Tool, names: Sequence[str]) -> Template:
    """Asks for the values that a tool needs."""
    spoken = [" ".join(words_of(name)) for name in names]
    listed = spoken[0] if len(spoken) == 1 else ", ".join(spoken[:-1]) + " and " + spoken[-1]
    purpose = " ".join(words_of(tool.name))
    one = Choice(((1.0, (Text("Which "),)), (0.5, (Text("What "),))))
    return (
        one if len(spoken) == 1 else Text("I need some more details: which "),
        Text(listed),
        Choice(((1.0, (Text(" should I use"),)), (0.4, (Text(" do you mean"),)))),
        Choice(((1.0, (Text("?"),)), (0.3, (Text(f" for {purpose}?"),)))),
    )
