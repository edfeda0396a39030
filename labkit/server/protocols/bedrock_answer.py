"""What Bedrock answers: Claude's own events, Llama's, and Converse's for every model.

Claude's come from the Anthropic protocol's rendering, Converse's are those in other words, so that whatever that
protocol can say is said here too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from labkit.server.generation import Generation
from labkit.server.protocols import anthropic

# --- invoke ----------------------------------------------------------------------------------------------------------


def claude_answer(generation: Generation) -> dict[str, Any]:
    return _unbranded(anthropic.message(generation))


def claude_events(generation: Generation) -> Iterator[dict[str, Any]]:
    """Anthropic's events as JSON: Bedrock's framing stands in for the `event:` line, and it sends no ping."""
    for frame in anthropic.message_frames(generation):
        data = json.loads(frame.partition(b"\ndata: ")[2])
        if data["type"] == "message_start":
            data["message"] = _unbranded(data["message"])
        if data["type"] != "ping":
            yield data


def _unbranded(message: dict[str, Any]) -> dict[str, Any]:
    """Anthropic's answer names the model without its maker."""
    return {**message, "model": message["model"].removeprefix("anthropic.")}


LLAMA_STOP = {"length": "length"}


def llama_answer(generation: Generation) -> dict[str, Any]:
    choice = generation.choices[0]
    return {
        "generation": choice.text,
        "prompt_token_count": generation.usage.prompt,
        "generation_token_count": generation.usage.output,
        "stop_reason": LLAMA_STOP.get(choice.finish or "stop", "stop"),
    }


def llama_events(generation: Generation) -> Iterator[dict[str, Any]]:
    """A piece of text each; only the first says how long the prompt was, only the last why the text ended."""
    prompt: int | None = generation.usage.prompt
    for _, piece in generation.pieces():
        yield {
            "generation": piece.text,
            "prompt_token_count": prompt,
            "generation_token_count": generation.tokens,
            "stop_reason": None,
        }
        prompt = None
    yield {**llama_answer(generation), "generation": "", "prompt_token_count": prompt}


# --- Converse --------------------------------------------------------------------------------------------------------

STOP_REASONS = {"refusal": "content_filtered"}
"""Anthropic's stop reasons that Converse calls something else."""


def converse_answer(generation: Generation) -> dict[str, Any]:
    said = anthropic.message(generation)
    content = [block for part in said["content"] if (block := _converse_block(part))]
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": STOP_REASONS.get(said["stop_reason"], said["stop_reason"]),
        "usage": converse_usage(generation),
    }


def _converse_block(part: dict[str, Any]) -> dict[str, Any] | None:
    kind = part["type"]
    if kind == "text":
        return {"text": part["text"]}
    if kind == "tool_use":
        return {"toolUse": {"toolUseId": part["id"], "name": part["name"], "input": part["input"]}}
    if kind == "thinking":
        return {"reasoningContent": {"reasoningText": {"text": part["thinking"], "signature": part["signature"]}}}
    return None


def converse_usage(generation: Generation) -> dict[str, int]:
    usage = generation.usage
    return {
        "inputTokens": usage.input,
        "outputTokens": usage.output,
        "totalTokens": usage.total,
        "cacheReadInputTokens": usage.cached,
        "cacheWriteInputTokens": usage.cache_write + usage.cache_write_long,
    }


def converse_events(generation: Generation) -> Iterator[dict[str, Any]]:
    """`{event name: payload}`, in the documented order: Anthropic's events in Converse's words."""
    for data in claude_events(generation):
        if data["type"] == "message_delta":
            reason = data["delta"]["stop_reason"]
            stop = {"stopReason": STOP_REASONS.get(reason, reason)}
        elif data["type"] == "message_stop":
            yield {"messageStop": stop}
        elif translate := CONVERSE_EVENTS.get(data["type"]):
            yield from translate(data)
    yield {"metadata": {"usage": converse_usage(generation)}}


def _message_start(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"messageStart": {"role": data["message"]["role"]}}


def _block_start(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Only a tool call is announced."""
    block = data["content_block"]
    if block["type"] == "tool_use":
        start = {"toolUse": {"toolUseId": block["id"], "name": block["name"]}}
        yield {"contentBlockStart": {"start": start, "contentBlockIndex": data["index"]}}


def _block_delta(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    delta = data["delta"]
    if told := DELTAS.get(delta["type"]):
        yield {"contentBlockDelta": {"delta": told(delta), "contentBlockIndex": data["index"]}}


def _block_stop(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"contentBlockStop": {"contentBlockIndex": data["index"]}}


DELTAS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "text_delta": lambda delta: {"text": delta["text"]},
    "input_json_delta": lambda delta: {"toolUse": {"input": delta["partial_json"]}},
    "thinking_delta": lambda delta: {"reasoningContent": {"text": delta["thinking"]}},
    "signature_delta": lambda delta: {"reasoningContent": {"signature": delta["signature"]}},
}
CONVERSE_EVENTS: dict[str, Callable[[dict[str, Any]], Iterator[dict[str, Any]]]] = {
    "message_start": _message_start,
    "content_block_start": _block_start,
    "content_block_delta": _block_delta,
    "content_block_stop": _block_stop,
}
