"""OpenAI: batches. A JSONL file of requests in, an output file and an error file out, within 24 lab hours.

What is wrong with the file as a whole fails the batch while it validates; what is wrong with one request stands in the
error file with the body that the live endpoint would have sent. The messages of `errors` are from observed batches
where there were any, else worded alike.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from labkit.server.batches import Batch, Batches, Line, Result
from labkit.server.errors import ApiError
from labkit.server.exchange import Exchange
from labkit.server.files import Files
from labkit.server.http import Answer, Response, Route, dump
from labkit.server.protocols.base import refuse_unserved
from labkit.server.protocols.openai_files import THIRTY_DAYS, find_file, new_file_id, page
from labkit.server.shapes import Field, check, check_value

ENDPOINTS = (
    "/v1/responses",
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/completions",
    "/v1/moderations",
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/videos",
)
FIELDS = {
    "input_file_id": Field("string", required=True, nullable=False),
    "endpoint": Field("string", required=True, nullable=False, choices=ENDPOINTS),
    "completion_window": Field("string", required=True, nullable=False, choices=("24h",)),
    "metadata": Field("object"),
    "output_expires_after": Field("object"),
}
EXPIRY = {
    "anchor": Field("string", required=True, choices=("created_at",)),
    "seconds": Field("integer", required=True, low=3_600, high=2_592_000),
}
WINDOW_S = 86_400.0
MOST_LINES = 50_000
MOST_ERRORS = 100
"""Reported of one file."""
PHASES = {"running": "in_progress"}
"""Where OpenAI's word for a phase is not ours."""


# --- reading ---------------------------------------------------------------------------------------------------------


def read_lines(content: bytes, endpoint: str) -> tuple[list[Line], list[dict[str, Any]]]:
    """The requests of an input file, and what is wrong with it."""
    lines: list[Line] = []
    errors: list[dict[str, Any]] = []
    seen: set[str] = set()
    model = None
    for number, text in enumerate(content.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        if not text.strip():
            continue
        problem, line = _read_line(text, endpoint)
        if line is not None:
            model = model or line.body.get("model")
            problem = _misfit(line, seen, model)
            seen.add(line.key)
            lines.append(line)
        if problem is not None:
            errors.append({**problem, "line": number})
        if len(errors) >= MOST_ERRORS:
            break
    if not lines and not errors:
        errors.append(_error("empty_file", "The batch input file is empty.", None) | {"line": None})
    if len(lines) > MOST_LINES:
        message = f"The batch input file has more than {MOST_LINES} requests."
        errors.append(_error("too_many_tasks", message, None) | {"line": None})
    return lines, errors


def _error(code: str, message: str, param: str | None) -> dict[str, Any]:
    return {"code": code, "message": message, "param": param}


def _read_line(text: bytes, endpoint: str) -> tuple[dict[str, Any] | None, Line | None]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return _error("invalid_json_line", "This line is not parseable as valid JSON.", None), None
    if not isinstance(value, dict):
        return _error("invalid_request", "This line is not a JSON object.", None), None
    for name, kind in (("custom_id", str), ("method", str), ("url", str), ("body", dict)):
        if value.get(name) is None:
            return _error("missing_required_parameter", f"Missing required parameter: '{name}'.", name), None
        if not isinstance(value[name], kind):
            return _error("invalid_type", f"Invalid type for '{name}'.", name), None
    if value["method"] != "POST":
        return _error("invalid_method", "The method of a batch request must be 'POST'.", "method"), None
    if value["url"] != endpoint:
        message = f"The URL provided for this request does not match the batch endpoint '{endpoint}'."
        return _error("url_mismatch", message, "url"), None
    return None, Line(value["custom_id"], endpoint, value["body"])


def _misfit(line: Line, seen: set[str], model: Any) -> dict[str, Any] | None:
    """What is wrong with a line beside the lines before it."""
    if line.key in seen:
        message = f"The custom_id '{line.key[:100]}' is used more than once. It must be unique within a batch."
        return _error("duplicate_custom_id", message, "custom_id")
    if line.body.get("model") != model:
        message = "All requests of a batch must be for the same model."
        return _error("model_mismatch", message, "body.model")
    return None


def read_metadata(metadata: dict[str, Any]) -> dict[str, str]:
    """Up to 16 pairs of a key of 64 and a value of 512 characters."""
    if len(metadata) > 16:
        message = f"Invalid 'metadata': too many properties. Expected an object with at most 16, got {len(metadata)}."
        raise ApiError("invalid_request", message, code="object_above_max_properties", param="metadata")
    for key, value in metadata.items():
        check_value(value, Field("string"), f"metadata.{key[:64]}")
        if len(key) > 64 or len(value) > 512:
            message = f"Invalid 'metadata.{key[:64]}': string too long (keys up to 64, values up to 512 characters)."
            raise ApiError("invalid_request", message, code="string_above_max_length", param="metadata")
    return metadata


# --- handlers --------------------------------------------------------------------------------------------------------


async def create_batch(exchange: Exchange) -> Answer:
    body = exchange.request.json()
    check(body, FIELDS)
    expiry = body.get("output_expires_after")
    if expiry is not None:
        check(expiry, EXPIRY, at="output_expires_after.")
    metadata = read_metadata(body.get("metadata") or {})
    endpoint = body["endpoint"]
    if "POST" not in exchange.protocol.routes.find(endpoint)[0]:
        raise refuse_unserved(f"batches for {endpoint}")
    file = find_file(exchange, body["input_file_id"])
    if file.purpose != "batch":
        message = f"The file {file.id} has purpose '{file.purpose}', a batch needs one with purpose 'batch'."
        raise ApiError("invalid_request", message, param="input_file_id")
    lines, errors = read_lines(exchange.tenant.part(Files).content(file), endpoint)
    batch = exchange.tenant.part(Batches).create(
        exchange.protocol,
        [] if errors else lines,
        prefix="batch_",
        path="/v1/batches",
        window_s=WINDOW_S,
        errors=errors,
        model=named if lines and isinstance(named := lines[0].body.get("model"), str) else None,
        details={
            "endpoint": endpoint,
            "input_file_id": file.id,
            "metadata": metadata or None,
            "output_file_id": new_file_id(),
            "error_file_id": new_file_id(),
            "output_expires_after": (expiry or {}).get("seconds"),
        },
    )
    return Response.json(batch_object(exchange.tenant.part(Batches), batch))


async def get_batch(exchange: Exchange, batch: str) -> Answer:
    return Response.json(await _looked_at(exchange, find_batch(exchange, batch)))


async def cancel_batch(exchange: Exchange, batch: str) -> Answer:
    batches, found = exchange.tenant.part(Batches), find_batch(exchange, batch)
    state = (await _looked_at(exchange, found))["status"]
    if state in ("completed", "failed", "expired", "cancelled"):
        raise ApiError("invalid_request", f"Cannot cancel a batch with status '{state}'.")
    batches.cancel(found)
    return Response.json(batch_object(batches, found))


async def list_batches(exchange: Exchange) -> Answer:
    batches = exchange.tenant.part(Batches)
    found = batches.all_of(exchange.protocol.name)
    await batches.look(exchange, *found, finish=write_files)
    return Response.json(page([batch_object(batches, b) for b in found], exchange.request.query, most=100, usual=20))


def find_batch(exchange: Exchange, id: str) -> Batch:
    found = exchange.tenant.part(Batches).find(exchange.protocol.name, id)
    if found is None:
        raise ApiError("not_found", f"No batch found with id '{id[:100]}'.")
    return found


async def _looked_at(exchange: Exchange, batch: Batch) -> dict[str, Any]:
    batches = exchange.tenant.part(Batches)
    await batches.look(exchange, batch, finish=write_files)
    return batch_object(batches, batch)


# --- rendering -------------------------------------------------------------------------------------------------------


def write_files(batches: Batches, batch: Batch) -> None:
    """The output file and the error file of a batch that has ended. Each is there only if it has a line."""
    good: list[bytes] = []
    bad: list[bytes] = []
    for result in batches.finished(batch):
        if (line := _output_line(batch, result)) is not None:
            (good if result.status == 200 else bad).append(dump(line))
    for name, lines in (("output", good), ("error", bad)):
        if not lines:
            batch.details[f"{name}_file_id"] = None
            continue
        batches.tenant.part(Files).add(
            batch.provider,
            b"\n".join(lines) + b"\n",
            id=batch.details[f"{name}_file_id"],
            name=f"{batch.id}_{name}.jsonl",
            purpose="batch_output",
            expires_after=batch.details["output_expires_after"] or THIRTY_DAYS,
            by_server=True,
        )


def _output_line(batch: Batch, result: Result) -> dict[str, Any] | None:
    line: dict[str, Any] = {"id": f"batch_req_{uuid4().hex[:24]}", "custom_id": result.key, "response": None}
    if result.status:
        response = {"status_code": result.status, "request_id": result.request_id, "body": result.body}
        return {**line, "response": response, "error": None}
    if batch.cancelled_at is not None:
        return None  # a cancelled batch says nothing of what it did not run
    message = "This request could not be executed before the completion window expired."
    return {**line, "error": {"code": "batch_expired", "message": message}}


def batch_object(batches: Batches, batch: Batch) -> dict[str, Any]:
    phase = batches.phase(batch)
    schedule, details, settled = batch.schedule, batch.details, batch.settled
    unrun = batch.lines - batch.succeeded - batch.failed if phase == "expired" else 0
    counts = {"total": batch.lines, "completed": batch.succeeded, "failed": batch.failed + unrun}
    if phase == "validating":
        counts = {"total": 0, "completed": 0, "failed": 0}
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": details["endpoint"],
        "model": batch.model,
        "errors": {"object": "list", "data": batch.errors} if phase == "failed" else None,
        "input_file_id": details["input_file_id"],
        "completion_window": "24h",
        "status": PHASES.get(phase, phase),
        "output_file_id": details["output_file_id"] if settled and batch.lines else None,
        "error_file_id": details["error_file_id"] if settled and batch.lines else None,
        "created_at": int(batch.created),
        "expires_at": int(schedule.expires),
        **dict(_dates(batches, batch, phase)),
        "request_counts": counts,
        "usage": usage_object(batch),
        "metadata": details["metadata"],
    }


def _dates(batches: Batches, batch: Batch, phase: str) -> Iterator[tuple[str, int | None]]:
    """When it reached which status; None for those that it has not, or never will."""
    schedule, now = batch.schedule, batches.dates.now()
    until = schedule.cancelled_at if schedule.cancelled_at is not None else now
    reached = {
        "in_progress_at": not batch.errors and schedule.started <= until and schedule.started,
        "finalizing_at": phase in ("finalizing", "completed") and schedule.lines_done,
        "cancelling_at": phase in ("cancelling", "cancelled") and schedule.cancelled_at,
        "completed_at": phase == "completed" and schedule.end[0],
        "failed_at": phase == "failed" and schedule.end[0],
        "expired_at": phase == "expired" and schedule.end[0],
        "cancelled_at": phase == "cancelled" and schedule.end[0],
    }
    return ((name, int(at) if at else None) for name, at in reached.items())


def usage_object(batch: Batch) -> dict[str, Any]:
    usage = batch.usage
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }


ROUTES = [
    Route("POST", "/v1/batches", create_batch),
    Route("GET", "/v1/batches", list_batches),
    Route("GET", "/v1/batches/{batch}", get_batch),
    Route("POST", "/v1/batches/{batch}/cancel", cancel_batch),
]
