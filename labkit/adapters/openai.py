"""OpenAI's Chat Completions through the `openai` SDK, and everybody who speaks the same protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from labkit.adapters.base import RETRY_HEADER, Answer, Failure, Piece, ToolFragment, given, keyed
from labkit.adapters.failures import stainless_failure
from labkit.chat import ChatRequest, Finish, Message, ToolCall, ToolSpec
from labkit.secret import Secret
from labkit.usage import Usage

FINISH: dict[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


class OpenAIAdapter:
    """Chat Completions, not Responses: it is the protocol that all compatible servers share."""

    name = "openai"
    max_tokens_field = "max_completion_tokens"
    """Every OpenAI model takes this one; `max_tokens` is refused by those that reason."""
    parameters = frozenset({"temperature", "top_p", "stop", "seed", "effort", "tools", "tool_choice", "schema"})

    embeds = True

    def origin(self, model: str) -> tuple[str, str]:
        return self.name, model

    def connect(self, *, asynchronous: bool, timeout: float, key: Secret | None = None) -> Any:
        import openai

        make = openai.AsyncOpenAI if asynchronous else openai.OpenAI
        return make(max_retries=0, timeout=timeout, **(self.address() | keyed(key)))

    def address(self) -> dict[str, Any]:
        """Where to, and with which key; empty: what the session's variables say."""
        return {}

    # --- ours to wire ---

    def to_wire(self, request: ChatRequest) -> dict[str, Any]:
        system = [{"role": "system", "content": request.system}] if request.system else []
        return {
            "model": request.model,
            "messages": system + [_message(m) for m in request.messages],
            self.max_tokens_field: request.max_tokens,
            **given(
                temperature=request.temperature,
                top_p=request.top_p,
                stop=list(request.stop),
                seed=request.seed,
                reasoning_effort=request.effort,
                tools=[_tool(t) for t in request.tools],
                tool_choice=_tool_choice(request.tool_choice),
                response_format=_response_format(request),
            ),
            **request.extra,
        }

    # --- the call ---

    def send(self, sdk: Any, wire: Mapping[str, Any], *, stream: bool, retry: int) -> Any:
        more = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
        return sdk.chat.completions.with_raw_response.create(**{**wire, **more, **_retry_header(wire, retry)})

    def unpack(self, reply: Any) -> Any:
        return reply.parse()

    def headers(self, reply: Any) -> Mapping[str, str]:
        found: Mapping[str, str] = reply.headers
        return found

    # --- wire to ours ---

    def from_wire(self, reply: Any) -> Answer:
        choice = reply.choices[0]
        message, refusal = choice.message, getattr(choice.message, "refusal", None)
        calls = tuple(
            ToolCall.from_json(call.id, call.function.name, call.function.arguments)
            for call in message.tool_calls or ()
            if call.type == "function"
        )
        return Answer(
            text=message.content or refusal or "",
            tool_calls=calls,
            finish=self.finish(choice.finish_reason, has_tool_calls=bool(calls), refused=bool(refusal)),
            provider_finish=choice.finish_reason,
            usage=_usage(reply.usage),
            model=reply.model,
            request_id=getattr(reply, "_request_id", None),
        )

    def piece(self, event: Any) -> Piece:
        usage = _usage(getattr(event, "usage", None))
        if not event.choices:
            return Piece(usage=usage, model=event.model)
        choice = event.choices[0]
        refusal = getattr(choice.delta, "refusal", None)
        return Piece(
            text=choice.delta.content or refusal or "",
            tools=tuple(_fragment(call) for call in choice.delta.tool_calls or ()),
            provider_finish=choice.finish_reason,
            refused=bool(refusal),
            usage=usage,
            model=event.model,
        )

    def finish(self, word: str | None, *, has_tool_calls: bool, refused: bool = False) -> Finish | None:
        """A refusal ends with "stop" and stands in a field of its own."""
        if word is None:
            return None
        return "content_filter" if refused else FINISH.get(word, "other")

    def failure(self, error: Exception) -> Failure | None:
        import openai

        return stainless_failure(error, base=openai.APIError, id_header="x-request-id")

    # --- embeddings and counting ---

    def embed(self, sdk: Any, model: str, texts: Sequence[str], *, dimensions: int | None, retry: int) -> Any:
        shape = given(dimensions=dimensions)
        return sdk.embeddings.create(model=model, input=list(texts), **shape, **_retry_header({}, retry))

    def vectors(self, reply: Any) -> tuple[list[list[float]], Usage]:
        ordered = sorted(reply.data, key=lambda row: row.index)
        return [row.embedding for row in ordered], Usage(input=reply.usage.prompt_tokens)

    def count(self, sdk: Any, request: ChatRequest) -> Any:
        turns = [{"role": m.role, "content": m.text} for m in request.messages]
        return sdk.responses.input_tokens.count(model=request.model, input=turns, **given(instructions=request.system))

    def counted(self, reply: Any) -> int:
        return int(reply.input_tokens)


def _message(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": message.text}
    calls = [
        {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": json.dumps(dict(c.arguments))}}
        for c in message.tool_calls
    ]
    return {"role": message.role, "content": message.text, **given(tool_calls=calls)}


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}


def _tool_choice(choice: str | None) -> Any:
    if choice in (None, "auto", "required", "none"):
        return choice
    return {"type": "function", "function": {"name": choice}}


def _response_format(request: ChatRequest) -> dict[str, Any] | None:
    if request.schema is None:
        return None
    schema = {"name": request.schema_name, "schema": dict(request.schema), "strict": True}
    return {"type": "json_schema", "json_schema": schema}


def _fragment(call: Any) -> ToolFragment:
    function = call.function
    name, arguments = (function.name, function.arguments) if function else (None, None)
    return ToolFragment(call.index, call.id or "", name or "", arguments or "")


def _usage(usage: Any) -> Usage | None:
    """`prompt_tokens` includes what a cache held and what was written to it."""
    if usage is None:
        return None
    prompt = getattr(usage, "prompt_tokens_details", None)
    completion = getattr(usage, "completion_tokens_details", None)
    cached = getattr(prompt, "cached_tokens", None) or 0
    written = getattr(prompt, "cache_write_tokens", None) or 0
    return Usage(
        input=usage.prompt_tokens - cached - written,
        cached=cached,
        cache_write=written,
        output=usage.completion_tokens,
        reasoning=getattr(completion, "reasoning_tokens", None) or 0,
    )


def _retry_header(wire: Mapping[str, Any], retry: int) -> dict[str, Any]:
    return {"extra_headers": {**(wire.get("extra_headers") or {}), RETRY_HEADER: str(retry)}} if retry else {}
