"""Google's Gemini through the `google-genai` SDK."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labkit.adapters.base import RETRY_HEADER, Answer, Failure, Piece, ToolFragment, given, keyed
from labkit.adapters.failures import retry_after
from labkit.chat import ChatRequest, Finish, Message, ToolCall, joined
from labkit.secret import Secret
from labkit.usage import Usage

FINISH: dict[str, Finish] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(
        ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "MODEL_ARMOR"), "content_filter"
    ),
}
BLOCKED_PROMPT = "SAFETY"
TOOL_MODE = {"auto": "AUTO", "required": "ANY", "none": "NONE"}
QUOTA = "insufficient_quota"


class GeminiAdapter:
    """The assistant is called "model", content is a list of parts, and parameters lie in one config."""

    name = "gemini"
    parameters = frozenset(
        {"temperature", "top_p", "top_k", "stop", "seed", "effort", "tools", "tool_choice", "schema"}
    )

    embeds = True

    def origin(self, model: str) -> tuple[str, str]:
        return self.name, model

    def connect(self, *, asynchronous: bool, timeout: float, key: Secret | None = None) -> Any:
        from google import genai

        # One attempt: left out, the asynchronous half repeats by itself after a broken connection. Milliseconds.
        once: Any = {"timeout": int(timeout * 1000), "retry_options": {"attempts": 1}}
        return genai.Client(http_options=once, **keyed(key))

    # --- ours to wire ---

    def to_wire(self, request: ChatRequest) -> dict[str, Any]:
        system, turns = request.split_system()
        config = given(
            system_instruction=system,
            max_output_tokens=request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            top_k=request.top_k,
            stop_sequences=list(request.stop),
            seed=request.seed,
            thinking_config={"thinking_level": request.effort.upper()} if request.effort else None,
            response_mime_type="application/json" if request.schema is not None else None,
            response_json_schema=None if request.schema is None else dict(request.schema),
        )
        config |= _tools(request) | dict(request.extra)
        return {"model": request.model, "contents": _contents(turns), "config": config}

    # --- the call ---

    def send(self, sdk: Any, wire: Mapping[str, Any], *, stream: bool, retry: int) -> Any:
        if retry:
            wire = {**wire, "config": {**wire["config"], "http_options": {"headers": {RETRY_HEADER: str(retry)}}}}
        models = sdk.models
        return models.generate_content_stream(**wire) if stream else models.generate_content(**wire)

    def unpack(self, reply: Any) -> Any:
        return reply

    def headers(self, reply: Any) -> Mapping[str, str]:
        http = getattr(reply, "sdk_http_response", None)
        return (http.headers or {}) if http else {}  # of a stream, the SDK has them on each event only

    # --- wire to ours ---

    def from_wire(self, reply: Any) -> Answer:
        parts = _parts(reply)
        calls = tuple(
            ToolCall(c.id or f"call_{n}", c.name, c.args or {}) for n, c in enumerate(_function_calls(parts))
        )
        word = _finish_word(reply)
        return Answer(
            text=_text(parts),
            tool_calls=calls,
            finish=self.finish(word, has_tool_calls=bool(calls)),
            provider_finish=word,
            usage=_usage(reply.usage_metadata),
            model=reply.model_version or "",
            request_id=reply.response_id,
            native=reply.candidates[0].content if reply.candidates else None,
        )

    def piece(self, event: Any) -> Piece:
        parts = _parts(event)
        return Piece(
            text=_text(parts),
            tools=tuple(
                ToolFragment(None, c.id or "", c.name, json.dumps(c.args or {})) for c in _function_calls(parts)
            ),
            provider_finish=_finish_word(event),
            usage=_usage(event.usage_metadata),
            model=event.model_version or "",
            request_id=event.response_id,
        )

    def finish(self, word: str | None, *, has_tool_calls: bool, refused: bool = False) -> Finish | None:
        """Gemini ends with STOP also when it asks for tools."""
        if word is None:
            return None
        return "tool_calls" if has_tool_calls and word == "STOP" else FINISH.get(word, "other")

    def failure(self, error: Exception) -> Failure | None:
        from google.genai import errors

        if not isinstance(error, errors.APIError) or not isinstance(error.code, int):
            return None
        headers = getattr(error.response, "headers", None) or {}
        wait = retry_after(headers) if retry_after(headers) is not None else _retry_info(error.details)
        used_up = error.code == 429 and wait is None  # a limit that refills says when
        code = QUOTA if used_up else error.status
        return Failure(str(error.message or error), status=error.code, code=code, retry_after=wait)

    # --- embeddings and counting ---

    def embed(self, sdk: Any, model: str, texts: Sequence[str], *, dimensions: int | None, retry: int) -> Any:
        """One content a text: the newest embedding model would merge a plain list of strings into one."""
        contents = [{"parts": [{"text": text}]} for text in texts]
        headers = {"headers": {RETRY_HEADER: str(retry)}} if retry else None
        config = given(output_dimensionality=dimensions, http_options=headers)
        return sdk.models.embed_content(model=model, contents=contents, config=config)

    def vectors(self, reply: Any) -> tuple[list[list[float]], Usage]:
        usage = getattr(reply, "usage_metadata", None)
        return [list(e.values) for e in reply.embeddings], Usage(input=getattr(usage, "prompt_token_count", None) or 0)

    def count(self, sdk: Any, request: ChatRequest) -> Any:
        """The Developer API counts contents only: a system prompt counts as a turn before them."""
        system, turns = request.split_system()
        first = (Message("user", system),) if system else ()
        return sdk.models.count_tokens(model=request.model, contents=_contents(first + turns))

    def counted(self, reply: Any) -> int:
        return int(reply.total_tokens)


def _contents(messages: Iterable[Message]) -> list[Any]:
    contents: list[Any] = []
    for message in messages:
        native = message.native_to("gemini")
        if native is not None:
            contents.append(native)
        elif message.role == "tool" and contents and _is_results(contents[-1]):
            contents[-1]["parts"] += _parts_of(message)
        else:
            role = "model" if message.role == "assistant" else "user"
            contents.append({"role": role, "parts": _parts_of(message)})
    return contents


def _is_results(content: Any) -> bool:
    return isinstance(content, dict) and "function_response" in content["parts"][0]


def _parts_of(message: Message) -> list[dict[str, Any]]:
    if message.role == "tool":
        outcome = {"error" if message.failed else "result": message.text}
        return [{"function_response": {"id": message.tool_call_id, "name": message.name, "response": outcome}}]
    calls = [{"function_call": {"id": c.id, "name": c.name, "args": dict(c.arguments)}} for c in message.tool_calls]
    return ([{"text": message.text}] if message.text or not calls else []) + calls


def _tools(request: ChatRequest) -> dict[str, Any]:
    if not request.tools:
        return {}
    declared = [
        {"name": t.name, "description": t.description, "parameters_json_schema": dict(t.parameters)}
        for t in request.tools
    ]
    choice = request.tool_choice
    calling = None
    if choice is not None:
        one = choice not in TOOL_MODE
        calling = {"mode": "ANY" if one else TOOL_MODE[choice], **given(allowed_function_names=[choice] if one else [])}
    return {
        "tools": [{"function_declarations": declared}],
        "automatic_function_calling": {"disable": True},  # the loop is labkit's, the same for all providers
        **({"tool_config": {"function_calling_config": calling}} if calling else {}),
    }


def _parts(reply: Any) -> list[Any]:
    content = reply.candidates[0].content if reply.candidates else None
    return list(content.parts or ()) if content else []


def _text(parts: Iterable[Any]) -> str:
    return joined(part.text for part in parts if not part.thought)


def _function_calls(parts: Iterable[Any]) -> list[Any]:
    return [part.function_call for part in parts if part.function_call]


def _finish_word(reply: Any) -> str | None:
    """A blocked prompt has no candidate at all."""
    if reply.candidates:
        reason = reply.candidates[0].finish_reason
        return None if reason is None else reason.name
    feedback = reply.prompt_feedback
    return BLOCKED_PROMPT if feedback and feedback.block_reason else None


def _usage(usage: Any) -> Usage | None:
    """`prompt_token_count` includes cached tokens; thoughts are charged as output and counted apart."""
    if usage is None:
        return None
    cached, thoughts = usage.cached_content_token_count or 0, usage.thoughts_token_count or 0
    prompt = (usage.prompt_token_count or 0) + (usage.tool_use_prompt_token_count or 0)
    return Usage(
        input=prompt - cached,
        cached=cached,
        output=(usage.candidates_token_count or 0) + thoughts,
        reasoning=thoughts,
    )


def _retry_info(details: Any) -> float | None:
    """Seconds, from google.rpc.RetryInfo: {"retryDelay": "41s"}."""
    error = details.get("error", details) if isinstance(details, dict) else {}
    for detail in error.get("details") or () if isinstance(error, dict) else ():
        if isinstance(detail, dict) and "retryDelay" in detail:
            return float(str(detail["retryDelay"]).removesuffix("s"))
    return None
