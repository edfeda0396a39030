"""Calling tools: which one, with what arguments, how often, and what is said when their results are there.

    request -> clauses -> (tool, arguments) a clause and an item -> call tokens in the first distribution
    results -> a sentence about their values, or a further call for what is still unanswered

The first distribution mixes calls with text in the proportion of how well the tools fit, so a request that hardly needs a tool
gets a call sometimes. Arguments are constrained by the tool's schema. See `toolfit` for the fit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from labkit.engine import toolfit
from labkit.engine.answers import Answer
from labkit.engine.base import O200K, Call, Prompt, Tool, Turn
from labkit.engine.extraction import PromptSource
from labkit.engine.lattice import Lattice, State
from labkit.engine.mentions import Mention, mentions
from labkit.engine.properties import words_of
from labkit.engine.reading import Reading
from labkit.engine.schema import Field, likeliest
from labkit.engine.strict import StrictDecoder, compiled, open_strict, parsed, strict_lattice
from labkit.engine.template import Choice, Template, Text
from labkit.engine.toolresults import told_by
from labkit.sampling import Distribution

if TYPE_CHECKING:
    from labkit.engine.embedded import EmbeddedEngine
    from labkit.engine.embedded import Decoder as TextDecoder

STOPS_EARLY = 0.02
"""Probability that an answer ends although a further call was planned."""
MOST_CALLS = 8
_CLAUSE = re.compile(r"(?<=[.?!])\s+|;\s*|,?\s+(?:and|then)\s+(?:then\s+|also\s+|after that\s+)?|,\s+(?=(?:what|how|who|where|when|which|also)\b)", re.IGNORECASE)
_BETWEEN_ITEMS = re.compile(r"\s*(?:,|&|and|or|vs\.?|versus|with|to)?\s*(?:,|and|or)?\s*(?:also |then )?(?:in|at|for|of|from|the)?\s*", re.IGNORECASE)
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


class ToolDecoder:
    """An answer that may call tools."""

    __slots__ = ("_begun", "_engine", "_first", "_inner", "_plan", "_queue")

    def __init__(self, engine: EmbeddedEngine, plan: Plan, text: TextDecoder | StrictDecoder) -> None:
        self._engine, self._plan = engine, plan
        self._inner: TextDecoder | StrictDecoder = text
        self._queue: tuple[PlannedCall, ...] = ()
        """Calls that may still follow."""
        self._begun = False
        self._first: Distribution | None = None

    @property
    def lattice(self) -> Lattice:
        return self._inner.lattice

    @property
    def state(self) -> State | None:
        """Of the text or the arguments that are being written."""
        return self._inner.state

    def distribution(self) -> Distribution:
        """P(next token)."""
        inner = self._inner.distribution()
        if not self._begun:
            if self._first is None:
                self._first = _with_calls(inner, self._plan.shares)
            return self._first
        if self._queue and inner.best == O200K.end and inner.prob(O200K.end) > 0.5:
            return _instead_of_end(inner, self._queue[0].tool)
        return inner

    def advance(self, token: int) -> None:
        """`token` was generated."""
        tool = O200K.called(token)
        if tool is None:
            self._begun = True
            self._inner.advance(token)
            return
        call = self._next_call(tool)
        self._begun = True
        if call is None:
            self._inner = StrictDecoder(self._engine, self._inner.lattice, None)
            return
        lattice = strict_lattice(self._engine, call.arguments, "arguments")
        self._inner = StrictDecoder(self._engine, lattice, lattice.start)

    def _next_call(self, tool: int) -> PlannedCall | None:
        """The planned call of a tool; what is planned behind it becomes the queue."""
        calls = self._queue if self._begun else self._plan.calls
        place = next((n for n, call in enumerate(calls) if call.tool == tool), None)
        if place is not None:
            self._queue = calls[place + 1 :]
            return calls[place]
        self._queue = ()
        return next((call for call in self._plan.alternatives if call.tool == tool), None)

    def fork(self) -> ToolDecoder:
        """An independent copy."""
        copy = ToolDecoder(self._engine, self._plan, self._inner.fork())
        copy._queue, copy._begun, copy._first = self._queue, self._begun, self._first
        return copy


def _with_calls(text: Distribution, shares: Iterable[tuple[int, float]]) -> Distribution:
    """The text's distribution with a share for each tool's call."""
    calls = {O200K.call(tool): p for tool, p in shares}
    left = max(0.0, 1 - sum(calls.values()))
    if left < 1e-9:
        return Distribution.of(calls, vocab=O200K.size)
    peaks = {token: left * p for token, p in zip(text.ids, text.probs, strict=True)}
    return Distribution.of(peaks | calls, floor=left * text.floor, vocab=O200K.size, tail=text.tail)


def _instead_of_end(inner: Distribution, tool: int) -> Distribution:
    """At the end of a call's arguments: the next call, or hardly ever the end."""
    peaks = dict(zip(inner.ids, inner.probs, strict=True))
    end = peaks[O200K.end]
    return Distribution.of(peaks | {O200K.end: end * STOPS_EARLY, O200K.call(tool): end * (1 - STOPS_EARLY)}, vocab=O200K.size)


def open_with_tools(engine: EmbeddedEngine, prompt: Prompt) -> ToolDecoder | TextDecoder | StrictDecoder:
    """A decoder for a prompt that offers tools.

    Raises:
        UnsupportedSchema: arguments for a tool that must be called cannot be written.
    """
    results = results_of(prompt)
    plan = Plan((), (), ()) if prompt.tool_choice == "none" else make_plan(prompt, results)
    if not isinstance(plan, Plan):
        return _say(engine, prompt, plan, "tool-question")
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


def results_of(prompt: Prompt) -> tuple[Turn, ...]:
    """Results of tools since the user last spoke."""
    last = max((n for n, turn in enumerate(prompt.turns) if turn.role == "user"), default=-1)
    return tuple(turn for turn in prompt.turns[last + 1 :] if turn.role == "tool")


def _calls_made(prompt: Prompt) -> tuple[Call, ...]:
    last = max((n for n, turn in enumerate(prompt.turns) if turn.role == "user"), default=-1)
    return tuple(call for turn in prompt.turns[last + 1 :] for call in turn.calls)


def make_plan(prompt: Prompt, results: Sequence[Turn]) -> Plan | Template:
    """The calls that the request wants, in order; or the question to ask when a value is missing."""
    request = _request(prompt)
    forced = prompt.tool_choice not in ("auto", "none")
    segments = _segments(prompt, request)
    made = _calls_made(prompt)
    calls: list[PlannedCall] = []
    missing: tuple[Tool, list[str]] | None = None
    for tool, text in segments:
        for item in _items(prompt.tools[tool], text, prompt.tier):
            reading = _reading(prompt, item, request)
            if lacking := _lacking(prompt.tools[tool], reading):
                missing = missing or (prompt.tools[tool], lacking)
                if not forced:
                    continue
            call = PlannedCall(tool, compiled(prompt.tools[tool].parameters or "{}", reading))
            if not _already(call, prompt.tools, made) and call not in calls:
                calls.append(call)
    if forced and not results:
        calls = calls or _some_call(prompt, request)
        shares = _forced_shares(prompt, request, calls)
        return Plan(shares, tuple(calls), ())
    if missing and not calls and not results:
        return _question(*missing)
    if not calls:
        return Plan((), (), ())
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


def _forced_shares(prompt: Prompt, request: str, calls: list[PlannedCall]) -> tuple[tuple[int, float], ...]:
    """All of the probability on calls; the named tool's alone when one is named."""
    return ((calls[0].tool, 1.0),)


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
    segments: list[tuple[int, str]] = []
    at = 0
    lead = ""
    for clause in _clauses(request):
        start = request.index(clause, at)
        between, at = request[at:start], start + len(clause)
        tool, score = _best(prompt.tools, clause)
        if score >= toolfit.FITS and (not segments or segments[-1][0] != tool):
            segments.append((tool, lead + clause))
            lead = ""
        elif segments:
            segments[-1] = (segments[-1][0], segments[-1][1] + between + clause)
        else:
            lead += between + clause + " "
    if segments:
        return segments
    tool, score = _best(prompt.tools, request)
    return [(tool, request)] if toolfit.probability(score) > 0.01 else []


def _best(tools: Sequence[Tool], text: str) -> tuple[int, float]:
    scores = [toolfit.fit(tool, text) for tool in tools]
    best = max(range(len(tools)), key=lambda n: scores[n])
    return best, scores[best]


def _items(tool: Tool, text: str, tier: str) -> list[str]:
    """The text once for each of several things in a row that one parameter takes: Paris and London."""
    source = PromptSource(Reading(text, text, "", tier))
    fields = _plain_fields(tool)
    for field in fields:
        kinds = source.wanted(field).kinds
        kind = next((k for k in kinds if k in _SEVERAL), None)
        if field.kind != "string" or kind is None:
            continue
        strings = [f for f in fields if f is not field and f.kind == "string"]
        rivals = [f for f in strings if kind in source.wanted(f).kinds[:2]]
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
    return [
        f.name
        for f in fields
        if f.name in required and f.kind in ("string", "number", "integer") and "default" not in f.schema and source.candidates(f)[1] < 0.3
    ]


def _already(call: PlannedCall, tools: Sequence[Tool], made: Iterable[Call]) -> bool:
    """Whether such a call was made since the user spoke."""
    name, arguments = tools[call.tool].name, json.loads(likeliest(call.arguments))
    return any(c.name == name and _parsed(c.arguments) == arguments for c in made)


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return None


def _question(tool: Tool, names: Sequence[str]) -> Template:
    """Asks for the values that a tool needs."""
    spoken = [" ".join(words_of(name)) for name in names]
    listed = spoken[0] if len(spoken) == 1 else ", ".join(spoken[:-1]) + " and " + spoken[-1]
    purpose = " ".join(words_of(tool.name))
    return (
        Choice(((1.0, (Text("Which "),)), (0.5, (Text("What "),)))) if len(spoken) == 1 else Text("I need some more details: which "),
        Text(listed),
        Choice(((1.0, (Text(" should I use"),)), (0.4, (Text(" do you mean"),)))),
        Choice(((1.0, (Text("?"),)), (0.3, (Text(f" for {purpose}?"),)))),
    )
