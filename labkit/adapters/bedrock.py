"""AWS Bedrock's Converse through `boto3`: one shape for the models of every maker.

boto3 has no asynchronous half. `AsyncRuntime` runs its calls in threads, `Events` the steps of a stream: an awaiting
caller blocks nobody, but one who is cancelled leaves a thread behind that ends with the answer.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Any

from labkit.adapters.base import RETRY_HEADER, Answer, Failure, NoEmbeddings, Piece, ToolFragment, given
from labkit.adapters.failures import retry_after
from labkit.chat import ChatRequest, Finish, Message, ToolCall, ToolSpec, joined
from labkit.errors import MalformedAnswer, UserError
from labkit.secret import Secret
from labkit.usage import Usage

FINISH: dict[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
TOOL_CHOICE = {"auto": "auto", "required": "any"}
_retry: ContextVar[int] = ContextVar("labkit_bedrock_retry", default=0)
"""Of the call under way: boto3's methods take no headers, a handler of its events adds this one."""


class BedrockAdapter(NoEmbeddings):
    """Content is a list of one-member unions; the key is a signature, the address a region."""

    name = "bedrock"
    parameters = frozenset({"temperature", "top_p", "top_k", "stop", "effort", "tools", "tool_choice", "schema"})

    def origin(self, model: str) -> tuple[str, str]:
        return self.name, model

    def connect(self, *, asynchronous: bool, timeout: float, key: Secret | None = None) -> Any:
        if key is not None:
            raise UserError("Bedrock signs with AWS credentials, not with an API key: a pacer with keys is not for it.")
        from boto3.session import Session  # the default session is not made for threads
        from botocore.config import Config

        once = Config(retries={"total_max_attempts": 1}, read_timeout=timeout)
        # AWS_REGION is what every other tool of AWS reads; boto3 knows the older name only.
        runtime = Session().client("bedrock-runtime", config=once, region_name=os.environ.get("AWS_REGION"))
        runtime.meta.events.register("before-sign.bedrock-runtime", _say_retry)
        return AsyncRuntime(runtime) if asynchronous else runtime

    # --- ours to wire ---

    def to_wire(self, request: ChatRequest) -> dict[str, Any]:
        system, turns = request.split_system()
        inference = given(
            maxTokens=request.max_tokens,
            temperature=request.temperature,
            topP=request.top_p,
            stopSequences=list(request.stop),
        )
        return {
            "modelId": request.model,
            "messages": _turns(turns),
            "inferenceConfig": inference,
            **given(
                system=[{"text": system}] if system else None,
                toolConfig=_tool_config(request),
                outputConfig=_output_config(request),
                # Converse has no word for it: the model's own goes through.
                additionalModelRequestFields=None if request.top_k is None else {"top_k": request.top_k},
            ),
            **request.extra,
        }

    # --- the call ---

    def send(self, sdk: Any, wire: Mapping[str, Any], *, stream: bool, retry: int) -> Any:
        _retry.set(retry)
        return sdk.converse_stream(**wire) if stream else sdk.converse(**wire)

    def unpack(self, reply: Any) -> Any:
        """
        Raises:
            MalformedAnswer: botocore makes an empty answer of a body that is no JSON, in silence.
        """
        if "stream" in reply:
            return Events(reply["stream"])
        if "output" not in reply or "usage" not in reply:
            raise MalformedAnswer(f"{self.name}: what came is no whole answer.", provider=self.name) from ValueError(
                "no output in the body"
            )
        return reply

    def headers(self, reply: Any) -> Mapping[str, str]:
        found: Mapping[str, str] = reply["ResponseMetadata"]["HTTPHeaders"]
        return found

    # --- wire to ours ---

    def from_wire(self, reply: Any) -> Answer:
        content = reply["output"]["message"]["content"]
        asked = [block["toolUse"] for block in content if "toolUse" in block]
        calls = tuple(ToolCall(call["toolUseId"], call["name"], call.get("input") or {}) for call in asked)
        word = reply.get("stopReason")
        return Answer(
            text=joined(block.get("text") for block in content),
            tool_calls=calls,
            finish=self.finish(word, has_tool_calls=bool(calls)),
            provider_finish=word,
            usage=_usage(reply["usage"]),
            request_id=reply["ResponseMetadata"].get("RequestId"),
            native=content,
        )

    def piece(self, event: Any) -> Piece:
        ((name, data),) = event.items()
        if name == "contentBlockStart" and "toolUse" in data.get("start", {}):
            asked = data["start"]["toolUse"]
            return Piece(tools=(ToolFragment(data["contentBlockIndex"], asked["toolUseId"], asked["name"]),))
        if name == "contentBlockDelta":
            delta = data["delta"]
            if "toolUse" in delta:
                fragment = ToolFragment(data["contentBlockIndex"], arguments=delta["toolUse"]["input"])
                return Piece(tools=(fragment,))
            return Piece(text=delta.get("text", ""))
        if name == "messageStop":
            return Piece(provider_finish=data["stopReason"])
        return Piece(usage=_usage(data["usage"]) if name == "metadata" else None)

    def finish(self, word: str | None, *, has_tool_calls: bool, refused: bool = False) -> Finish | None:
        return None if word is None else FINISH.get(word, "other")

    def failure(self, error: Exception) -> Failure | None:
        from botocore.exceptions import ClientError

        if not isinstance(error, ClientError):
            return None
        said, meta = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
        return Failure(
            message=str(said.get("Message") or error),
            status=meta.get("HTTPStatusCode"),  # none inside a stream
            code=said.get("Code"),
            request_id=meta.get("RequestId"),
            retry_after=retry_after(meta.get("HTTPHeaders") or {}),
        )

    # --- counting ---

    def count(self, sdk: Any, request: ChatRequest) -> Any:
        wire = self.to_wire(request)
        told = {name: wire[name] for name in ("messages", "system", "toolConfig") if name in wire}
        return sdk.count_tokens(modelId=request.model, input={"converse": told})

    def counted(self, reply: Any) -> int:
        return int(reply["inputTokens"])


def _say_retry(request: Any, **_: Any) -> None:
    if tried := _retry.get():
        request.headers[RETRY_HEADER] = str(tried)


def _tool_config(request: ChatRequest) -> dict[str, Any] | None:
    """Converse cannot say "none": the tools are left out then."""
    choice = request.tool_choice
    if not request.tools or choice == "none":
        return None
    told = {TOOL_CHOICE[choice]: {}} if choice in TOOL_CHOICE else {"tool": {"name": choice}}
    return {"tools": [_tool(t) for t in request.tools], **({"toolChoice": told} if choice else {})}


def _tool(tool: ToolSpec) -> dict[str, Any]:
    spec = {"name": tool.name, "inputSchema": {"json": dict(tool.parameters)}}
    return {"toolSpec": spec | ({"description": tool.description} if tool.description else {})}


def _output_config(request: ChatRequest) -> dict[str, Any] | None:
    told = given(effort=request.effort)
    if request.schema is not None:
        from anthropic import transform_schema  # moves bounds that the API does not take into descriptions

        schema = {"name": request.schema_name, "schema": json.dumps(transform_schema(dict(request.schema)))}
        told["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": schema}}
    return told or None


def _turns(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Tool results are blocks of a user's turn; all results of one round must lie in the same turn."""
    turns: list[dict[str, Any]] = []
    results: list[dict[str, Any]] | None = None
    for message in messages:
        if message.role != "tool":
            turns.append({"role": message.role, "content": _content(message)})
            results = None
            continue
        if results is None:
            results = []
            turns.append({"role": "user", "content": results})
        result = {"toolUseId": message.tool_call_id, "content": [{"text": message.text}]}
        results.append({"toolResult": result | ({"status": "error"} if message.failed else {})})
    return turns


def _content(message: Message) -> Any:
    native = message.native_to("bedrock")
    if native is not None:
        return native
    asked = [{"toolUseId": c.id, "name": c.name, "input": dict(c.arguments)} for c in message.tool_calls]
    text = [{"text": message.text}] if message.text or not asked else []
    return text + [{"toolUse": call} for call in asked]


def _usage(usage: Mapping[str, Any]) -> Usage:
    """`inputTokens` excludes what a cache held and what was written to it. Reasoning is not told apart."""
    written = usage.get("cacheWriteInputTokens") or 0
    long = sum(part["inputTokens"] for part in usage.get("cacheDetails") or () if part["ttl"] == "1h")
    return Usage(
        input=usage["inputTokens"],
        cached=usage.get("cacheReadInputTokens") or 0,
        cache_write=written - long,
        cache_write_long=long,
        output=usage["outputTokens"],
    )


# --- boto3 with await ---


class AsyncRuntime:
    """The calls of a boto3 client that labkit makes, each in a thread."""

    def __init__(self, runtime: Any) -> None:
        self._runtime = runtime

    async def converse(self, **wire: Any) -> Any:
        return await asyncio.to_thread(self._runtime.converse, **wire)

    async def converse_stream(self, **wire: Any) -> Any:
        return await asyncio.to_thread(self._runtime.converse_stream, **wire)

    async def count_tokens(self, **wire: Any) -> Any:
        return await asyncio.to_thread(self._runtime.count_tokens, **wire)

    async def close(self) -> None:
        self._runtime.close()


class Events:
    """A stream of boto3's, to iterate over plainly or with await: then a thread takes each step."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._events = iter(source)

    def __iter__(self) -> Events:
        return self

    def __next__(self) -> Any:
        return next(self._events)

    def __aiter__(self) -> Events:
        return self

    async def __anext__(self) -> Any:
        event = await asyncio.to_thread(next, self._events, None)
        if event is None:
            raise StopAsyncIteration
        return event

    def close(self) -> None:
        self._source.close()
