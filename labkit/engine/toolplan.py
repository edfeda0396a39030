"""Which calls a request wants: its clauses, the tool of each, and one call for each of several things in a row.

    "weather in Paris and London, and what is 3 * 4?"
    ->  get_weather(Paris), get_weather(London), calculate(3 * 4)

A call whose required values the conversation does not hold is not made; the answer asks for them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.engine import toolfit
from labkit.engine.base import Call, Prompt, Tool, Turn
from labkit.engine.evidence import Field
from labkit.engine.extraction import PromptSource
from labkit.engine.mention import Mention
from labkit.engine.properties import asked_by
from labkit.engine.reading import Reading
from labkit.engine.strict import compiled, parsed
from labkit.engine.template import Template, likeliest

MOST_CALLS = 8
HELD = 0.3
"""Evidence from which a conversation holds a value."""
_CLAUSE = re.compile(
    r"(?<=[.?!])\s+|;\s*|,?\s+(?:and|then)\s+(?:then\s+|also\s+|after that\s+)?|"
    r",\s+(?=(?:what|how|who|where|when|which|also)\b)",
    re.IGNORECASE,
)
_BETWEEN_ITEMS = re.compile(
    r"\s*(?:,|&|and|or|vs\.?|versus|with|to)?\s*(?:,|and|or)?\s*(?:also |then )?(?:in|at|for|of|from|the)?\s*",
    re.IGNORECASE,
)
_SEVERAL = ("place", "organisation", "person", "code", "name", "email")
"""Kinds of which several in a row mean one call each."""
_OPEN_QUESTION = "?"


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call that may be made."""

    tool: int
    arguments: Template
    """JSON."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What may be done next."""

    shares: tuple[tuple[int, float], ...]
    """(tool, probability that the answer begins by calling it); the rest is text."""
    calls: tuple[PlannedCall, ...]
    """In order, those of the likeliest tool first."""
    alternatives: tuple[PlannedCall, ...]
    """One for each other tool that has a share."""


NO_CALLS = Plan((), (), ())


@dataclass(frozen=True, slots=True)
class Missing:
    """Values that a tool needs and the conversation does not hold."""

    tool: Tool
    names: tuple[str, ...]


def results_of(prompt: Prompt) -> tuple[Turn, ...]:
    """Results of tools since the user last spoke."""
    last = max((n for n, turn in enumerate(prompt.turns) if turn.role == "user"), default=-1)
    return tuple(turn for turn in prompt.turns[last + 1 :] if turn.role == "tool")


def _calls_made(prompt: Prompt) -> tuple[Call, ...]:
    last = max((n for n, turn in enumerate(prompt.turns) if turn.role == "user"), default=-1)
    return tuple(call for turn in prompt.turns[last + 1 :] for call in turn.calls)


def make_plan(prompt: Prompt, results: Sequence[Turn]) -> Plan | Missing:
    """The calls that the request wants, in order; or what has to be asked for first."""
    request = _request(prompt)
    forced = prompt.tool_choice not in ("auto", "none")
    segments = _segments(prompt, request)
    made = _calls_made(prompt)
    calls: list[PlannedCall] = []
    missing: Missing | None = None
    for tool, text in segments:
        for item in _items(prompt.tools[tool], text, prompt.tier):
            reading = _reading(prompt, item, request)
            if lacking := _lacking(prompt.tools[tool], reading):
                missing = missing or Missing(prompt.tools[tool], tuple(lacking))
                if not forced:
                    continue
            call = PlannedCall(tool, compiled(prompt.tools[tool].parameters or "{}", reading))
            if not _already(call, prompt.tools, made) and call not in calls:
                calls.append(call)
    if forced:  # also after a result: who forces a call gets one
        calls = calls or _some_call(prompt, request)
        return Plan(((calls[0].tool, 1.0),), tuple(calls), ())
    if missing and not calls and not results:
        return missing
    if not calls:
        return NO_CALLS
    return _auto(prompt, request, calls, bool(results))


def _auto(prompt: Prompt, request: str, calls: list[PlannedCall], again: bool) -> Plan:
    score = max(toolfit.fit(prompt.tools[calls[0].tool], text) for text in (request, *_clauses(request)))
    p = toolfit.probability(score)
    if again:
        p = p if p > 0.5 else 0.0
    shares = [(calls[0].tool, p)] if p else []
    rest: list[PlannedCall] = []
    for n, tool in enumerate(prompt.tools):
        other = toolfit.probability(toolfit.fit(tool, request)) * (1 - p)
        if n not in {c.tool for c in calls} and other > 0.01 and not again:
            reading = _reading(prompt, request, request)
            if not _lacking(tool, reading):
                rest.append(PlannedCall(n, compiled(tool.parameters or "{}", reading)))
                shares.append((n, 0.5 * other))
    kept = calls[:MOST_CALLS] if prompt.parallel_calls else calls[:1]
    return Plan(tuple(shares), tuple(kept), tuple(rest))


def _some_call(prompt: Prompt, request: str) -> list[PlannedCall]:
    """A call although nothing fits: of the named tool, else of the one that fits best."""
    named = [n for n, tool in enumerate(prompt.tools) if tool.name == prompt.tool_choice]
    tool = named[0] if named else max(range(len(prompt.tools)), key=lambda n: toolfit.fit(prompt.tools[n], request))
    return [PlannedCall(tool, compiled(prompt.tools[tool].parameters or "{}", _reading(prompt, request, request)))]


def _request(prompt: Prompt) -> str:
    """The last user turn; with the one before it when it answers a question of ours."""
    turns = [t for t in prompt.turns if t.role in ("user", "assistant") and t.text]
    last = max((n for n, t in enumerate(turns) if t.role == "user"), default=None)
    if last is None:
        return ""
    said = turns[last].text
    asked = last >= 2 and turns[last - 1].role == "assistant" and turns[last - 1].text.rstrip().endswith(_OPEN_QUESTION)
    if asked and len(said) < 80 and all(toolfit.fit(tool, said) < toolfit.FITS for tool in prompt.tools):
        return f"{turns[last - 2].text.rstrip(' ?.!')} {said}" if turns[last - 2].role == "user" else said
    return said


def _clauses(request: str) -> list[str]:
    return [part for part in _CLAUSE.split(request) if part and part.strip()]


def _segments(prompt: Prompt, request: str) -> list[tuple[int, str]]:
    """Stretches of the request, each with the tool that it wants. A clause that wants none goes with the one before."""
    names = [tool.name for tool in prompt.tools]
    if prompt.tool_choice in names:
        return [(names.index(prompt.tool_choice), request)]
    begun: list[tuple[int, int]] = []  # tool, where its stretch begins
    at = 0
    for clause in _clauses(request):
        start = request.index(clause, at)
        at = start + len(clause)
        tool, score = _best(prompt.tools, clause)
        if score >= toolfit.FITS and (not begun or begun[-1][0] != tool or _complete(prompt, tool, clause)):
            begun.append((tool, start if begun else 0))
    if begun:
        ends = [start for _, start in begun[1:]] + [len(request)]
        return [(tool, request[start:end]) for (tool, start), end in zip(begun, ends, strict=True)]
    tool, score = _best(prompt.tools, request)
    return [(tool, request)] if toolfit.probability(score) > 0.01 else []


def _complete(prompt: Prompt, tool: int, clause: str) -> bool:
    """Whether a clause holds all that a tool needs, so that it asks for a call of its own."""
    return not _lacking(prompt.tools[tool], Reading(clause, clause, "", prompt.tier))


def _best(tools: Sequence[Tool], text: str) -> tuple[int, float]:
    scores = [toolfit.fit(tool, text) for tool in tools]
    best = max(range(len(tools)), key=lambda n: scores[n])
    return best, scores[best]


def _items(tool: Tool, text: str, tier: str) -> list[str]:
    """The text once for each of several things in a row that one parameter takes: Paris and London."""
    source = PromptSource(Reading(text, text, "", tier))
    fields = _plain_fields(tool)
    for field in fields:
        kinds = asked_by(field).kinds
        kind = next((k for k in kinds if k in _SEVERAL), None)
        if field.kind != "string" or kind is None:
            continue
        strings = [f for f in fields if f is not field and f.kind == "string"]
        rivals = [f for f in strings if kind in asked_by(f).kinds[:2]]
        row = _in_a_row(text, [m for m in source.found if m.kind == kind])
        if len(row) > 1 and not rivals:
            start, end = row[0].start, row[-1].end
            return [text[:start] + m.text + text[end:] for m in row]
    return [text]


def _in_a_row(text: str, found: Sequence[Mention]) -> list[Mention]:
    row = list(found[:1])
    for m in found[1:]:
        if _BETWEEN_ITEMS.fullmatch(text[row[-1].end : m.start]):
            row.append(m)
        elif len(row) < 2:
            row = [m]
    return row


def _reading(prompt: Prompt, text: str, request: str) -> Reading:
    """A clause as material; what the rest of the conversation says is history."""
    earlier = [t.text for t in prompt.turns if t.role in ("user", "tool") and t.text and t.text != prompt.last_user]
    if text != request:
        earlier = []
    return Reading(document=text, request=text, history="\n".join(earlier), tier=prompt.tier)


def _plain_fields(tool: Tool) -> list[Field]:
    schema = parsed(tool.parameters or "{}")
    properties = schema.get("properties", {}) if isinstance(schema, dict) else {}
    fields = [(name, part, part.get("type", "string")) for name, part in properties.items() if isinstance(part, dict)]
    return [
        Field(name, name, part, "choice" if "enum" in part or "const" in part else kind)
        for name, part, kind in fields
        if kind in ("string", "number", "integer", "boolean")
    ]


def _lacking(tool: Tool, reading: Reading) -> list[str]:
    """Required parameters for which the prompt holds no value."""
    schema = parsed(tool.parameters or "{}")
    required = schema.get("required", []) if isinstance(schema, dict) else []
    source = PromptSource(reading)
    fields = _plain_fields(tool)
    source.assign(fields)
    wanted = [f for f in fields if f.name in required and f.kind in ("string", "number", "integer")]
    return [f.name for f in wanted if "default" not in f.schema and source.candidates(f)[1] < HELD]


def _already(call: PlannedCall, tools: Sequence[Tool], made: Iterable[Call]) -> bool:
    """Whether such a call was made since the user spoke."""
    name, arguments = tools[call.tool].name, json.loads(likeliest(call.arguments))
    return any(c.name == name and _parsed(c.arguments) == arguments for c in made)


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return None
