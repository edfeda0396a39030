"""A response as OpenAI writes it: the object, its output items, and the named events of its stream.

Pure rendering: nothing here reads a request or keeps a response.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

from labkit.server.generation import Generation, Part
from labkit.server.http import dump
from labkit.server.protocols.openai_scores import scored_tokens


def new_response(body: dict[str, Any], generation: Generation) -> dict[str, Any]:
    """A response before its first token."""
    model, sampling = generation.request.model, generation.request.sampling
    return {
        "id": f"resp_{uuid4().hex}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": model.id,
        "output": [],
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
        "previous_response_id": body.get("previous_response_id"),
        "reasoning": {"effort": (body.get("reasoning") or {}).get("effort") or model.default_effort, "summary": None},
        "service_tier": "default",
        "store": body.get("store") is not False,
        "temperature": sampling.temperature,
        "text": {"format": {"type": "text"}, **(body.get("text") or {})},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "top_p": sampling.top_p,
        "truncation": body.get("truncation") or "disabled",
        "usage": None,
        "user": body.get("user"),
        "metadata": body.get("metadata") or {},
    }


INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


def finished(generation: Generation, response: dict[str, Any]) -> dict[str, Any]:
    """The response after its last token."""
    choice = generation.choices[0]
    reason = INCOMPLETE.get(choice.finish or "stop")
    return {
        **response,
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "output": [
            item(part, generation, response["id"]) for part in choice.parts if part.text or part.tool or part.thinking
        ],
        "usage": usage_object(generation),
    }


def item(part: Part, generation: Generation, response_id: str) -> dict[str, Any]:
    """An output item: a message with its text, or a function call."""
    finish = generation.choices[0].finish
    status = "incomplete" if finish in INCOMPLETE else "completed" if finish else "in_progress"
    if part.thinking:
        return {"type": "reasoning", "id": item_id(part, response_id), "summary": [], "status": status}
    if part.tool is not None:
        call = {"call_id": f"call_{part.call_id}", "name": part.tool.name, "arguments": part.text}
        return {"type": "function_call", "id": f"fc_{part.call_id}", **call, "status": status}
    message = {"type": "message", "id": item_id(part, response_id), "role": "assistant", "status": status}
    return {**message, "content": [said(part, generation)] if part.text else []}


def item_id(part: Part, response_id: str) -> str:
    return f"fc_{part.call_id}" if part.tool else f"{'rs' if part.thinking else 'msg'}_{response_id[5:]}{part.index}"


def said(part: Part, generation: Generation) -> dict[str, Any]:
    """The text as a content part: an answer, or a refusal to give one."""
    if generation.request.refused:
        return {"type": "refusal", "refusal": part.text}
    scores = generation.choices[0].scores
    logged = scored_tokens(scores) if scores else []
    return {"type": "output_text", "text": part.text, "annotations": [], "logprobs": logged}


def usage_object(generation: Generation) -> dict[str, Any]:
    usage = generation.usage
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }


def response_frames(
    generation: Generation, response: dict[str, Any], keep: Callable[[dict[str, Any]], None]
) -> Iterator[bytes]:
    """The named events in the documented order, numbered from 0. `keep` gets the finished response before its event."""
    events = _Events()
    yield events("response.created", response=response)
    yield events("response.in_progress", response=response)
    yield from _item_frames(events, generation, response["id"])
    whole = finished(generation, response)
    keep(whole)
    yield events(f"response.{whole['status']}", response=whole)


def _item_frames(events: _Events, generation: Generation, response_id: str) -> Iterator[bytes]:
    """Each part is an item: added, filled by deltas, done."""
    open_part: Part | None = None
    output = -1
    for _, piece in generation.pieces():
        if piece.part is not open_part:
            if open_part is not None:
                yield from _close(events, open_part, generation, output, response_id)
            open_part, output = piece.part, output + 1
            yield from _open(events, open_part, generation, output, response_id)
        if piece.text and not piece.part.thinking:
            where = {"item_id": item_id(piece.part, response_id), "output_index": output, "delta": piece.text}
            if piece.part.tool is None and generation.request.refused:
                yield events("response.refusal.delta", content_index=0, **where)
            elif piece.part.tool is None:
                yield events("response.output_text.delta", content_index=0, logprobs=[], **where)
            else:
                yield events("response.function_call_arguments.delta", **where)
    if open_part is not None:
        yield from _close(events, open_part, generation, output, response_id)


class _Events:
    """Numbers events as it writes them."""

    def __init__(self) -> None:
        self._next = 0

    def __call__(self, kind: str, **data: Any) -> bytes:
        body = dump({"type": kind, "sequence_number": self._next, **data})
        self._next += 1
        return b"event: %s\ndata: %s\n\n" % (kind.encode(), body)


def _open(events: _Events, part: Part, generation: Generation, output: int, response_id: str) -> Iterator[bytes]:
    empty = item(part, generation, response_id) | {"status": "in_progress"}
    yield events("response.output_item.added", output_index=output, item=empty)
    if part.tool is None and not part.thinking:
        where = {"item_id": item_id(part, response_id), "output_index": output, "content_index": 0}
        blank = {"refusal": ""} if generation.request.refused else {"text": "", "logprobs": []}
        yield events("response.content_part.added", **where, part={**said(part, generation), **blank})


def _close(events: _Events, part: Part, generation: Generation, output: int, response_id: str) -> Iterator[bytes]:
    where = {"item_id": item_id(part, response_id), "output_index": output}
    if part.thinking:
        pass
    elif part.tool is None:
        if generation.request.refused:
            yield events("response.refusal.done", **where, content_index=0, refusal=part.text)
        else:
            yield events("response.output_text.done", **where, content_index=0, text=part.text, logprobs=[])
        yield events("response.content_part.done", **where, content_index=0, part=said(part, generation))
    else:
        yield events("response.function_call_arguments.done", **where, name=part.tool.name, arguments=part.text)
    status = "incomplete" if generation.choices[0].finish in INCOMPLETE else "completed"
    done = item(part, generation, response_id) | {"status": status}
    yield events("response.output_item.done", output_index=output, item=done)
