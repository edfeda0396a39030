"""What a model takes, checked before a call is sent: the registry's row decides, not a failed request.

`settle` either returns the request, perhaps with a parameter dropped and a sentence about it, or raises
`UnsupportedParameter`, which names the model, the parameter and a model that takes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from labkit import registry
from labkit.chat import ChatRequest
from labkit.errors import UnsupportedParameter
from labkit.registry import Model

SAMPLING = ("temperature", "top_p", "top_k")
EMPTY: dict[str, Any] = {"stop": (), "tools": ()}
"""What "not asked for" is, where it is not None."""


def settle(
    request: ChatRequest, row: Model | None, parameters: frozenset[str], provider: str, *, drop: bool
) -> tuple[ChatRequest, tuple[str, ...]]:
    """The request as it can be sent, and a sentence on each change.

    Args:
        row: None for a model that the registry does not know; then the server is to decide.
        parameters: what the provider's API has at all.
        drop: leave out what is not taken, instead of refusing.

    Raises:
        UnsupportedParameter: something is not taken, and `drop` is False.
    """
    notes = []
    if row is not None and provider == "openai":
        request, note = _quiet_for_tools(request, row)
        notes += [note] if note else []
    for name in (*CHECKS, "stop", "seed"):
        if getattr(request, name) == EMPTY.get(name):
            continue
        problem = why_not(name, request, row, parameters, provider)
        if not problem:
            continue
        if not drop:
            raise _refusal(name, problem, request, row, parameters, provider)
        nothing: dict[str, Any] = {name: EMPTY.get(name)}
        request = replace(request, **nothing)
        notes.append(f"{name} was left out: {problem}.")
    return request, (*notes, *_without_effect(request, row))


def why_not(
    name: str, request: ChatRequest, row: Model | None, parameters: frozenset[str], provider: str
) -> str:
    """Why this parameter is not taken; "" when it is."""
    if name not in parameters:
        return f"the API of {provider} has no such parameter"
    return CHECKS[name](name, request, row) if row is not None and name in CHECKS else ""


def _sampling(name: str, request: ChatRequest, row: Model) -> str:
    if row.sampling == "no":
        return f"{row.id} samples as its maker set it and refuses {name}"
    if row.sampling == "effort-none" and (request.effort or row.default_effort) != "none":
        return f"{row.id} takes {name} only while it does not reason: pass effort='none' with it"
    if name == "temperature" and request.temperature is not None and request.temperature > row.max_temperature:
        return f"{row.id} takes at most {row.max_temperature:g}"
    if name == "top_p" and request.temperature is not None and not row.temperature_with_top_p:
        return f"{row.id} takes temperature or top_p, not both"
    return ""


def _effort(name: str, request: ChatRequest, row: Model) -> str:
    if not row.efforts:
        return f"{row.id} has no levels of effort"
    return "" if request.effort in row.efforts else f"{row.id} knows {', '.join(row.efforts)}"


def _tools(name: str, request: ChatRequest, row: Model) -> str:
    if not row.tools:
        return f"{row.id} calls no tools"
    if row.provider != "openai" or row.chat_tools == "yes":
        return ""
    if row.chat_tools == "no":
        return f"{row.id} calls tools through OpenAI's Responses API only"
    return "" if request.effort == "none" else f"{row.id} calls tools only while it does not reason: effort='none'"


def _schema(name: str, request: ChatRequest, row: Model) -> str:
    return "" if row.schema else f"{row.id} has no constrained output"


CHECKS: dict[str, Callable[[str, ChatRequest, Model], str]] = {
    **dict.fromkeys(SAMPLING, _sampling),
    "effort": _effort,
    "tools": _tools,
    "schema": _schema,
}


def _quiet_for_tools(request: ChatRequest, row: Model) -> tuple[ChatRequest, str]:
    """OpenAI's newer models call tools on Chat Completions only at effort "none": set it where none was asked for."""
    if request.tools and row.chat_tools == "effort-none" and request.effort is None and row.default_effort != "none":
        return replace(request, effort="none"), f"effort was set to 'none': {row.id} calls tools only so."
    return request, ""


def _without_effect(request: ChatRequest, row: Model | None) -> tuple[str, ...]:
    asked = [name for name in SAMPLING if getattr(request, name) is not None]
    if row is None or row.sampling != "ignored" or not asked:
        return ()
    return (f"{row.id} accepts {' and '.join(asked)} without any effect.",)


def _refusal(
    name: str, problem: str, request: ChatRequest, row: Model | None, parameters: frozenset[str], provider: str
) -> UnsupportedParameter:
    instead = _one_that_takes(name, request, parameters, provider) if row is not None else None
    offer = f" {instead} takes it." if instead else ""
    value = f"={getattr(request, name)!r}" if name not in ("tools", "schema") else ""
    return UnsupportedParameter(
        f"{name}{value} cannot be sent to {request.model}: {problem}.{offer} "
        "(LLMClient(drop_unsupported=True) leaves out what a model does not take.)",
        parameter=name,
        model=request.model,
        instead=instead,
    )


def _one_that_takes(name: str, request: ChatRequest, parameters: frozenset[str], provider: str) -> str | None:
    """The course's own models first: they are current."""
    if name not in parameters:
        return None
    tiers = ("small", "sampling", "standard", "large")
    course = [registry.find(registry.model(provider, tier)) for tier in tiers] if provider in registry.PROVIDERS else []
    others = registry.models(provider, kind="chat")
    return next((row.id for row in (*course, *others) if not why_not(name, request, row, parameters, provider)), None)
