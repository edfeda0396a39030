"""Gemini: batches, inline or from a file, of generateContent and of embedContent.

A batch is a long-running operation `batches/ID` whose metadata hold its state; what is inline comes back inline, what
came from a JSONL file (`{"key": ..., "request": {...}}` a line) goes to a JSONL file. A batch that ends with failed
requests has succeeded: each failed request has its own error. After 48 lab hours a batch expires.
"""

from __future__ import annotations

import base64
import json
import secrets
from hashlib import sha256
from typing import Any

from labkit.registry import Model
from labkit.server.batches import Batch, Batches, Line, Result
from labkit.server.errors import ApiError
from labkit.server.exchange import Exchange
from labkit.server.files import Files
from labkit.server.http import Answer, Response, Route, dump
from labkit.server.labdates import rfc3339
from labkit.server.protocols import gemini_embeddings
from labkit.server.protocols.gemini_files import KEPT_S, PROVIDER, find_file, page
from labkit.server.protocols.gemini_request import camel, find_model
from labkit.server.schedule import ENDED, Phase
from labkit.server.shapes import Field, check, check_value

WINDOW_S = 48 * 3_600.0
BATCH = {
    "displayName": Field("string"),
    "inputConfig": Field("object", required=True, nullable=False),
    "priority": Field("any"),
    "model": Field("string"),
    "name": Field("string"),
    "webhookConfig": Field("any"),
}
INPUT = {"requests": Field("object"), "fileName": Field("string")}
ITEM = {"request": Field("object", required=True, nullable=False), "metadata": Field("object")}
STATES: dict[Phase, str] = {
    "validating": "PENDING",
    "running": "RUNNING",
    "finalizing": "RUNNING",
    "cancelling": "RUNNING",
    "completed": "SUCCEEDED",
    "failed": "FAILED",
    "expired": "EXPIRED",
    "cancelled": "CANCELLED",
}
RPC_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 408: 4, 413: 3, 429: 8, 500: 13, 503: 14, 504: 4}
"""google.rpc.Code of an HTTP status."""
TYPE = "type.googleapis.com/google.ai.generativelanguage.v1main."


# --- reading ---------------------------------------------------------------------------------------------------------


def read_batch(exchange: Exchange, path: str) -> tuple[dict[str, Any], list[Line], list[Any], list[dict[str, Any]]]:
    """The batch, its lines, the metadata of each line, and what is wrong with an input file."""
    body = camel(exchange.request.json())
    check(body, {"batch": Field("object", required=True, nullable=False)})
    batch = body["batch"]
    check(batch, BATCH, at="batch.")
    source = batch["inputConfig"]
    check(source, INPUT, at="batch.inputConfig.")
    if (source.get("requests") is None) == (source.get("fileName") is None):
        message = "batch.inputConfig: give either requests or fileName."
        raise ApiError("invalid_request", message, param="batch.inputConfig")
    if source.get("fileName") is not None:
        lines, errors = _read_file(exchange, source["fileName"], path)
        return batch, lines, [None] * len(lines), errors
    at = "batch.inputConfig.requests.requests"
    items = source["requests"].get("requests")
    check_value(items, Field("array", low=1), at)
    lines, extras = [], []
    for n, (item, as_sent) in enumerate(zip(items, _items_as_sent(exchange), strict=True)):
        check_value(item, Field("object"), f"{at}[{n}]")
        check(item, ITEM, at=f"{at}[{n}].")
        lines.append(Line(str(n), path, _bare(item["request"])))
        extras.append(as_sent.get("metadata"))
    return batch, lines, extras, []


def _items_as_sent(exchange: Exchange) -> list[dict[str, Any]]:
    """The inline requests before their keys were brought to camelCase: the keys of their metadata are the caller's."""
    batch = exchange.request.json()["batch"]
    source = batch.get("inputConfig") or batch["input_config"]
    items: list[dict[str, Any]] = source["requests"]["requests"]
    return items


def _bare(request: dict[str, Any]) -> dict[str, Any]:
    """A request without its model: the batch has one for all."""
    return {name: value for name, value in request.items() if name != "model"}


def _read_file(exchange: Exchange, name: str, path: str) -> tuple[list[Line], list[dict[str, Any]]]:
    file = find_file(exchange, name.removeprefix("files/"))
    lines: list[Line] = []
    for number, text in enumerate(exchange.tenant.part(Files).content(file).splitlines(), 1):
        if not text.strip():
            continue
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict) or not isinstance(value.get("request"), dict):
            message = f'Line {number} of the input file is not {{"key": ..., "request": {{...}}}}.'
            return [], [{"code": 3, "message": message}]
        lines.append(Line(str(value.get("key", number - 1)), path, _bare(value["request"])))
    return lines, [] if lines else [{"code": 3, "message": "The input file has no requests."}]


# --- handlers --------------------------------------------------------------------------------------------------------


async def create_batch(exchange: Exchange, model: str) -> Answer:
    return _create(exchange, find_model(model), "generateContent")


async def create_embedding_batch(exchange: Exchange, model: str) -> Answer:
    return _create(exchange, gemini_embeddings.find_model(model, "asyncBatchEmbedContent"), "embedContent")


def _create(exchange: Exchange, model: Model, method: str) -> Answer:
    batch, lines, extras, errors = read_batch(exchange, f"/v1beta/models/{model.id}:{method}")
    batches = exchange.tenant.part(Batches)
    made = batches.create(
        exchange.protocol,
        lines,
        prefix="",
        path="/v1beta/batches",
        window_s=WINDOW_S,
        errors=errors,
        extras=extras,
        model=model.id,
        details={
            "method": method,
            "display_name": batch.get("displayName") or "",
            "input_file": batch["inputConfig"].get("fileName"),
            "output_file": f"batch-{secrets.token_hex(8)}",
        },
    )
    return Response.json(operation(batches, made))


async def get_batch(exchange: Exchange, batch: str) -> Answer:
    batches, found = exchange.tenant.part(Batches), find_batch(exchange, batch)
    await batches.look(exchange, found, finish=write_file)
    return Response.json(operation(batches, found))


async def list_batches(exchange: Exchange) -> Answer:
    batches = exchange.tenant.part(Batches)
    shown, token = page(exchange.request.query, batches.all_of(PROVIDER), most=100, usual=50)
    await batches.look(exchange, *shown, finish=write_file)
    rows = {"operations": [operation(batches, batch) for batch in shown]} if shown else {}
    return Response.json({**rows, **token})


async def cancel_batch(exchange: Exchange, batch: str) -> Answer:
    batches, found = exchange.tenant.part(Batches), find_batch(exchange, batch)
    await batches.look(exchange, found, finish=write_file)
    batches.cancel(found)
    return Response.json({})


async def delete_batch(exchange: Exchange, batch: str) -> Answer:
    exchange.tenant.part(Batches).delete(find_batch(exchange, batch))
    return Response.json({})


def find_batch(exchange: Exchange, id: str) -> Batch:
    found = exchange.tenant.part(Batches).find(PROVIDER, id)
    if found is None:
        raise ApiError("not_found", f"Requested entity was not found: batches/{id[:60]}")
    return found


# --- rendering -------------------------------------------------------------------------------------------------------


def write_file(batches: Batches, batch: Batch) -> None:
    """The output file of a batch that came from a file, once it has succeeded."""
    if batch.details["input_file"] is None or batches.phase_at_end(batch) != "completed":
        return
    lines = (dump({"key": result.key, **_outcome(result)}) for result in batches.results(batch))
    content = b"\n".join(lines) + b"\n"
    batches.tenant.part(Files).add(
        PROVIDER,
        content,
        id=batch.details["output_file"],
        name=f"{batch.details['display_name'] or batch.id}.jsonl",
        mime="application/jsonl",
        expires_after=KEPT_S,
        extra={"source": "GENERATED", "sha256": base64.b64encode(sha256(content).digest()).decode()},
        by_server=True,
    )


def _outcome(result: Result) -> dict[str, Any]:
    if result.status == 200:
        return {"response": result.body}
    error = (result.body or {}).get("error", {})
    code = RPC_CODES.get(result.status, 2)
    return {"error": {"code": code, "message": error.get("message", "The request was not run.")}}


def _output(batches: Batches, batch: Batch) -> dict[str, Any]:
    if batch.details["input_file"] is not None:
        return {"responsesFile": f"files/{batch.details['output_file']}"}
    rows = []
    for result in batches.results(batch):
        rows.append({**_outcome(result), **({"metadata": result.extra} if result.extra is not None else {})})
    return {"inlinedResponses": {"inlinedResponses": rows}}


def operation(batches: Batches, batch: Batch) -> dict[str, Any]:
    """The long-running operation that a batch is."""
    phase, schedule = batches.phase(batch), batch.schedule
    ended = phase in ENDED
    kind = "GenerateContentBatch" if batch.details["method"] == "generateContent" else "EmbedContentBatch"
    name = f"batches/{batch.id}"
    updated = min(batches.dates.now(), schedule.end[0])
    metadata: dict[str, Any] = {
        "@type": TYPE + kind,
        "name": name,
        "model": f"models/{batch.model}",
        "displayName": batch.details["display_name"],
        "state": f"BATCH_STATE_{STATES[phase]}",
        "createTime": rfc3339(batch.created),
        "updateTime": rfc3339(updated),
        "batchStats": {
            "requestCount": str(batch.lines),
            "successfulRequestCount": str(batch.succeeded),
            "failedRequestCount": str(batch.failed),
            "pendingRequestCount": str(0 if ended else batch.lines - batch.succeeded - batch.failed),
        },
    }
    if batch.details["input_file"] is not None:
        metadata["inputConfig"] = {"fileName": batch.details["input_file"]}
    made: dict[str, Any] = {"name": name, "metadata": metadata}
    if not ended:
        return made
    metadata["endTime"] = rfc3339(schedule.end[0])
    if phase == "completed":
        metadata["output"] = _output(batches, batch)
        return {**made, "done": True, "response": {"@type": f"{TYPE}{kind}Output", **metadata["output"]}}
    reasons = {"failed": batch.errors[0] if batch.errors else {}, "cancelled": {"code": 1, "message": "Cancelled."}}
    return {**made, "done": True, "error": reasons.get(phase) or {"code": 4, "message": "The batch has expired."}}


ROUTES = [
    route
    for version in ("/v1", "/v1beta", "/v1alpha", "")
    for route in (
        Route("POST", version + "/models/{model}:batchGenerateContent", create_batch),
        Route("POST", version + "/models/{model}:asyncBatchEmbedContent", create_embedding_batch),
        Route("POST", version + "/batches/{batch}:cancel", cancel_batch),
        Route("GET", version + "/batches", list_batches),
        Route("GET", version + "/batches/{batch}", get_batch),
        Route("DELETE", version + "/batches/{batch}", delete_batch),
    )
]
