"""AWS Bedrock's runtime: invoke, converse, both as streams, and count-tokens, as boto3 and AnthropicBedrock call them.

    POST /model/{modelId}/invoke                            the model maker's own body and answer
    POST /model/{modelId}/invoke-with-response-stream       the same as an event stream of base64 chunks
    POST /model/{modelId}/converse, /converse-stream        one shape for every model
    POST /model/{modelId}/count-tokens

An access key id that begins with LAB opens the tenant of the lab key it was made from (`LAB` and the key's own
letters in capitals), a lab key itself does too. **Signatures are not verified**: whoever knows the id is let in, with
any secret, any region and any clock. Source: botocore's service model; error bodies as users of the service report
them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

from labkit.server.errors import ApiError, Kind
from labkit.server.exchange import Exchange
from labkit.server.generation import Generation, GenerationRequest
from labkit.server.http import Answer, EventStream, Handler, Headers, Json, Request, Response, Routes, dump
from labkit.server.protocols.base import header
from labkit.server.protocols.bedrock_answer import (
    claude_answer,
    claude_events,
    converse_answer,
    converse_events,
    llama_answer,
    llama_events,
)
from labkit.server.protocols.bedrock_request import (
    JOURNALED,
    READERS,
    find_model,
    phrase,
    read_converse,
    read_count,
    vendor,
)
from labkit.server.protocols.eventstream import EVENT_STREAM, event, exception
from labkit.server.shapes import Violation

ACCESS_KEY_ID = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/")
METRICS = "amazon-bedrock-invocationMetrics"

ERRORS: dict[Kind, tuple[int, str]] = {
    "invalid_request": (400, "ValidationException"),
    "authentication": (403, "UnrecognizedClientException"),
    "permission": (403, "AccessDeniedException"),
    "not_found": (404, "ResourceNotFoundException"),
    "method_not_allowed": (405, "UnknownOperationException"),
    "timeout": (408, "ModelTimeoutException"),
    "too_large": (413, "ValidationException"),
    "rate_limit": (429, "ThrottlingException"),
    "quota": (400, "ServiceQuotaExceededException"),
    "server": (500, "InternalServerException"),
    "bad_gateway": (424, "ModelErrorException"),
    "unavailable": (503, "ServiceUnavailableException"),
    "gateway_timeout": (408, "ModelTimeoutException"),
    "overloaded": (503, "ServiceUnavailableException"),
}
IN_STREAM = {"ValidationException", "ThrottlingException", "ServiceUnavailableException", "InternalServerException"}
"""What both streams may carry; anything else is said as an internal error."""

# --- the protocol ----------------------------------------------------------------------------------------------------


class BedrockProtocol:
    """Signed requests, `x-amzn-ErrorType` and `{"message"}` for an error, binary event streams."""

    name = "bedrock"

    def __init__(self) -> None:
        self.routes: Routes = ModelRoutes()

    def claims(self, request: Request) -> bool:
        return request.path.startswith("/model/")

    def key(self, request: Request) -> str:
        """The lab key behind an access key id, or a Bedrock API key sent as a bearer token."""
        if request.bearer:
            return request.bearer
        signed = ACCESS_KEY_ID.match(request.headers.get("authorization", ""))
        if signed is None:
            raise ApiError("authentication", "Missing Authentication Token")
        key_id = signed[1]
        return f"lab-{key_id[3:].lower()}" if key_id.startswith("LAB") else key_id

    def refuse_key(self, key: str) -> ApiError:
        return ApiError(
            "authentication",
            "The security token included in the request is invalid. (An access key id for the lab server begins with "
            "'LAB'.)",
        )

    def phrase(self, violation: Violation) -> ApiError:
        return phrase(violation)

    def malformed(self, detail: str) -> ApiError:
        text = f"Malformed input request, please reformat your input and try again. ({detail})"
        return ApiError("invalid_request", text)

    def render_error(self, error: ApiError, request_id: str) -> Response:
        status, name = ERRORS[error.kind]
        headers = [header("x-amzn-ErrorType", name), header("x-amzn-RequestId", request_id)]
        return Response.json({"message": _said(error)}, status=status, headers=headers)

    def error_event(self, error: ApiError, request_id: str) -> bytes:
        name = ERRORS[error.kind][1]
        name = name if name in IN_STREAM else "InternalServerException"
        return exception(name[0].lower() + name[1:], _said(error))

    def headers(self, exchange: Exchange) -> Headers:
        return [header("x-amzn-RequestId", exchange.entry.request_id)]


def _said(error: ApiError) -> str:
    """Bedrock does not say which limit was in the way, nor for how long."""
    if error.kind == "rate_limit":
        return f"Too many {error.subject or 'requests'}, please wait before trying again."
    return error.message


class ModelRoutes(Routes):
    """`/model/{modelId}/{operation}`; a model id may be an ARN, with slashes and colons."""

    def __init__(self) -> None:
        super().__init__(())

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return (("POST", f"/model/{{model_id}}/{operation}") for operation in OPERATIONS)

    def find(self, path: str) -> tuple[Mapping[str, Handler], dict[str, str]]:
        model, _, operation = path.removeprefix("/model/").rpartition("/")
        handler = OPERATIONS.get(operation)
        return ({"POST": handler}, {"model_id": model}) if handler and model else ({}, {})


# --- dialects --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of body is read and answered."""

    read: Callable[..., GenerationRequest]
    answer: Callable[[Generation], dict[str, Any]]
    events: Callable[[Generation], Iterator[dict[str, Any]]]


CONVERSE = Dialect(read_converse, converse_answer, converse_events)
DIALECTS = {
    "anthropic": Dialect(READERS["anthropic"], claude_answer, claude_events),
    "meta": Dialect(READERS["meta"], llama_answer, llama_events),
    "amazon": Dialect(READERS["amazon"], converse_answer, converse_events),
}
"""By the model's maker; Nova's own body and answer are Converse's."""


# --- handlers --------------------------------------------------------------------------------------------------------


async def invoke(exchange: Exchange, model_id: str) -> Answer:
    dialect, generation = _start(exchange, model_id, stream=False)
    await exchange.finish_generation()
    return Response.json(dialect.answer(generation), headers=_invocation_headers(exchange, generation))


async def invoke_stream(exchange: Exchange, model_id: str) -> Answer:
    dialect, generation = _start(exchange, model_id, stream=True)
    events = with_metrics(dialect.events(generation), partial(_metrics, exchange, generation))
    headers = [EVENT_STREAM, header("x-amzn-bedrock-content-type", "application/json")]
    return _stream(exchange, (chunk(data) for data in events), headers)


async def converse(exchange: Exchange, model_id: str) -> Answer:
    dialect, generation = _start(exchange, model_id, stream=False, dialect=CONVERSE)
    await exchange.finish_generation()
    return Response.json({**dialect.answer(generation), "metrics": {"latencyMs": _latency(exchange)}})


async def converse_stream(exchange: Exchange, model_id: str) -> Answer:
    dialect, generation = _start(exchange, model_id, stream=True, dialect=CONVERSE)
    return _stream(exchange, _converse_frames(exchange, dialect.events(generation)), [EVENT_STREAM])


async def count_tokens(exchange: Exchange, model_id: str) -> Answer:
    """The lab counts with one tokenizer: exact for what it bills, an estimate of what the model's own would give."""
    body = exchange.request.json()
    model = find_model(model_id)
    exchange.describe(model, {}, stream=False)
    return Response.json({"inputTokens": read_count(body, model)})


OPERATIONS: dict[str, Handler] = {
    "invoke": invoke,
    "invoke-with-response-stream": invoke_stream,
    "converse": converse,
    "converse-stream": converse_stream,
    "count-tokens": count_tokens,
}


def _start(
    exchange: Exchange, model_id: str, *, stream: bool, dialect: Dialect | None = None
) -> tuple[Dialect, Generation]:
    model = find_model(model_id)
    dialect = dialect or DIALECTS[vendor(model)]
    body = exchange.request.json()
    request = dialect.read(body, model)
    exchange.describe(model, {k: body[k] for k in JOURNALED if body.get(k) is not None}, stream=stream)
    return dialect, exchange.generate(request)


def _stream(exchange: Exchange, frames: Iterator[bytes], headers: Headers) -> EventStream:
    return EventStream(exchange.pace_frames(frames), headers, watch=bool(exchange.tenant.pace))


def _latency(exchange: Exchange) -> int:
    """Milliseconds since the request came in."""
    return round((perf_counter() - exchange.started) * 1000)


def _metrics(exchange: Exchange, generation: Generation) -> dict[str, int]:
    latency = _latency(exchange)
    return {
        "inputTokenCount": generation.usage.input,
        "outputTokenCount": generation.usage.output,
        "invocationLatency": latency,
        "firstByteLatency": round(exchange.entry.timing.get("first_token_ms", latency)),
    }


def _invocation_headers(exchange: Exchange, generation: Generation) -> Headers:
    return [
        header("x-amzn-bedrock-input-token-count", generation.usage.input),
        header("x-amzn-bedrock-output-token-count", generation.usage.output),
        header("x-amzn-bedrock-invocation-latency", _latency(exchange)),
    ]


# --- frames ----------------------------------------------------------------------------------------------------------


def chunk(data: Json) -> bytes:
    """An event of an invoke stream: the model's own event, in base64."""
    return event("chunk", {"bytes": base64.b64encode(dump(data)).decode()})


def with_metrics(events: Iterable[dict[str, Any]], metrics: Callable[[], dict[str, int]]) -> Iterator[dict[str, Any]]:
    """The same events, with Bedrock's counts on the last."""
    held: dict[str, Any] | None = None
    for data in events:
        if held is not None:
            yield held
        held = data
    if held is not None:
        yield {**held, METRICS: metrics()}


def _converse_frames(exchange: Exchange, events: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    for data in events:
        ((name, payload),) = data.items()
        if name == "metadata":
            payload = {**payload, "metrics": {"latencyMs": _latency(exchange)}}
        yield event(name, payload)
