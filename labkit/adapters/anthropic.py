"""Anthropic's Messages through the `anthropic` SDK."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from labkit.adapters.base import RETRY_HEADER, Answer, Failure, NoEmbeddings, Piece, ToolFragment, given, keyed
from labkit.adapters.failures import stainless_failure
from labkit.chat import ChatRequest, Finish, Message, ToolCall, ToolSpec, joined
from labkit.secret import Secret
from labkit.usage import Usage

FINISH: dict[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
TOOL_CHOICE = {"auto": "auto", "required": "any", "none": "none"}
SAMPLING_VERSION = "2023-06-01"
"""The last version of the API that knows temperature, top_p and top_k."""


class AnthropicAdapter(NoEmbeddings):
    """The system prompt stands apart from the turns, max_tokens is required, content is a list of blocks."""

    name = "anthropic"
    parameters = frozenset({"temperature", "top_p", "top_k", "stop", "effort", "tools", "tool_choice", "schema"})

    def origin(self, model: str) -> tuple[str, str]:
        return self.name, model

    def connect(self, *, asynchronous: bool, timeout: float, key: Secret | None = None) -> Any:
        import anthropic

        make = anthropic.AsyncAnthropic if asynchronous else anthropic.Anthropic
        return make(max_retries=0, timeout=timeout, **keyed(key))

    # --- ours to wire ---

    def to_wire(self, request: ChatRequest) -> dict[str, Any]:
        system, turns = request.split_system()
        return {
            "model": request.model,
            "max_tokens": request.max_tokens,
            "messages": _turns(turns),
            **given(
                system=system,
                stop_sequences=list(request.stop),
                tools=[_tool(t) for t in request.tools],
                tool_choice=_tool_choice(request.tool_choice),
                output_config=_output_config(request) or None,
            ),
            **_sampling(request),
            **request.extra,
        }

    # --- the call ---

    def send(self, sdk: Any, wire: Mapping[str, Any], *, stream: bool, retry: int) -> Any:
        headers = {**(wire.get("extra_headers") or {}), **({RETRY_HEADER: str(retry)} if retry else {})}
        more = given(stream=stream or None) | ({"extra_headers": headers} if headers else {})
        return sdk.messages.with_raw_response.create(**{**wire, **more})

    def unpack(self, reply: Any) -> Any:
        return reply.parse()

    def headers(self, reply: Any) -> Mapping[str, str]:
        found: Mapping[str, str] = reply.headers
        return found

    # --- wire to ours ---

    def from_wire(self, reply: Any) -> Answer:
        calls = tuple(ToolCall(b.id, b.name, b.input) for b in reply.content if b.type == "tool_use")
        return Answer(
            text=joined(block.text for block in reply.content if block.type == "text"),
            tool_calls=calls,
            finish=self.finish(reply.stop_reason, has_tool_calls=bool(calls)),
            provider_finish=reply.stop_reason,
            usage=_usage(reply.usage),
            model=reply.model,
            request_id=getattr(reply, "_request_id", None),  # in a batch's results there is none
            native=[block.model_dump(exclude_none=True) for block in reply.content],
        )

    def piece(self, event: Any) -> Piece:
        reader = _EVENTS.get(event.type)
        return reader(event) if reader else Piece()

    def finish(self, word: str | None, *, has_tool_calls: bool, refused: bool = False) -> Finish | None:
        return None if word is None else FINISH.get(word, "other")

    def failure(self, error: Exception) -> Failure | None:
        import anthropic

        return stainless_failure(error, base=anthropic.APIError, id_header="request-id")

    # --- counting ---

    def count(self, sdk: Any, request: ChatRequest) -> Any:
        wire = self.to_wire(request)
        known = ("model", "messages", "system", "tools", "tool_choice")
        return sdk.messages.count_tokens(**{name: wire[name] for name in known if name in wire})

    def counted(self, reply: Any) -> int:
        return int(reply.input_tokens)


def _sampling(request: ChatRequest) -> dict[str, Any]:
    """Under the SDK's own version these parameters are gone from the API and from the method's arguments."""
    asked = given(temperature=request.temperature, top_p=request.top_p, top_k=request.top_k)
    return {"extra_headers": {"anthropic-version": SAMPLING_VERSION}, "extra_body": asked} if asked else {}


def _output_config(request: ChatRequest) -> dict[str, Any]:
    if request.schema is None:
        return given(effort=request.effort)
    from anthropic import transform_schema  # moves bounds that the API does not take into descriptions

    schema = transform_schema(dict(request.schema))
    return given(effort=request.effort, format={"type": "json_schema", "schema": schema})


def _tool(tool: ToolSpec) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "input_schema": dict(tool.parameters)}


def _tool_choice(choice: str | None) -> dict[str, Any] | None:
    if choice is None:
        return None
    return {"type": TOOL_CHOICE[choice]} if choice in TOOL_CHOICE else {"type": "tool", "name": choice}


def _turns(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Tool results are blocks of a user's turn; all results of one round must lie in the same turn."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.role != "tool":
            turns.append({"role": message.role, "content": _content(message)})
            continue
        if not (turns and turns[-1]["role"] == "user" and isinstance(turns[-1]["content"], list)):
            turns.append({"role": "user", "content": []})
        result = {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": message.text}
        turns[-1]["content"].append(result | ({"is_error": True} if message.failed else {}))
    return turns


def _content(message: Message) -> Any:
    native = message.native_to("anthropic")
    if native is not None:
        return native
    if not message.tool_calls:
        return message.text
    calls = [{"type": "tool_use", "id": c.id, "name": c.name, "input": dict(c.arguments)} for c in message.tool_calls]
    return ([{"type": "text", "text": message.text}] if message.text else []) + calls


def _usage(usage: Any) -> Usage:
    """`input_tokens` excludes what a cache held and what was written to it."""
    created = getattr(usage, "cache_creation", None)
    long = getattr(created, "ephemeral_1h_input_tokens", None) or 0
    return Usage(
        input=usage.input_tokens or 0,
        cached=usage.cache_read_input_tokens or 0,
        cache_write=(usage.cache_creation_input_tokens or 0) - long,
        cache_write_long=long,
        output=usage.output_tokens or 0,
        reasoning=getattr(getattr(usage, "output_tokens_details", None), "thinking_tokens", None) or 0,
    )


def _on_start(event: Any) -> Piece:
    return Piece(usage=_usage(event.message.usage), model=event.message.model)


def _on_block_start(event: Any) -> Piece:
    block = event.content_block
    if block.type != "tool_use":
        return Piece(text=getattr(block, "text", "") or "")
    arguments = json.dumps(block.input) if block.input else ""  # empty as a rule: they follow in pieces
    return Piece(tools=(ToolFragment(event.index, block.id, block.name, arguments),))


def _on_block_delta(event: Any) -> Piece:
    if event.delta.type == "input_json_delta":
        return Piece(tools=(ToolFragment(event.index, arguments=event.delta.partial_json),))
    return Piece(text=event.delta.text if event.delta.type == "text_delta" else "")


def _on_message_delta(event: Any) -> Piece:
    return Piece(provider_finish=event.delta.stop_reason, usage=_usage(event.usage))


_EVENTS = {
    "message_start": _on_start,
    "content_block_start": _on_block_start,
    "content_block_delta": _on_block_delta,
    "message_delta": _on_message_delta,
}
