"""Anthropic: message batches. Create, get, list, cancel, delete, and the results as JSONL under `results_url`.

The batch is checked as a whole when it is made; the params of a request only when its turn comes, and an error in them
is that request's result. All requests count as processing until the batch has ended. Results are kept for 29 lab days.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from labkit.server.batches import Batch, Batches, Line, Result
from labkit.server.errors import ApiError
from labkit.server.exchange import Exchange
from labkit.server.http import Answer, Response, Route, dump
from labkit.server.labdates import rfc3339
from labkit.server.schedule import ENDED
from labkit.server.shapes import Field, check, check_value

PROVIDER = "anthropic"
MESSAGES = "/v1/messages"
COLLECTION = "/v1/messages/batches"
MOST_REQUESTS = 100_000
WINDOW_S = 86_400.0
RESULTS_KEPT_S = 29 * 86_400.0
FIELDS = {"requests": Field("array", required=True, nullable=False, low=1, high=MOST_REQUESTS)}
REQUEST = {
    "custom_id": Field("string", required=True, nullable=False),
    "params": Field("object", required=True, nullable=False),
}
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


# --- reading ---------------------------------------------------------------------------------------------------------


def read_requests(body: dict[str, Any]) -> list[Line]:
    """The requests of a batch. Their params are read when they are run."""
    check(body, FIELDS)
    lines: list[Line] = []
    seen: set[str] = set()
    for n, request in enumerate(body["requests"]):
        at = f"requests.{n}"
        check_value(request, Field("object"), at)
        check(request, REQUEST, at=f"{at}.")
        key = request["custom_id"]
        if not _CUSTOM_ID.fullmatch(key):
            message = f"{at}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'"
            raise ApiError("invalid_request", message)
        if key in seen:
            raise ApiError("invalid_request", f"{at}.custom_id: `{key}` is not unique within the batch")
        seen.add(key)
        lines.append(Line(key, MESSAGES, request["params"]))
    return lines


# --- handlers --------------------------------------------------------------------------------------------------------


async def create_batch(exchange: Exchange) -> Answer:
    lines = read_requests(exchange.request.json())
    headers = exchange.request.headers
    kept = {name: value for name, value in headers.items() if name in ("anthropic-version", "anthropic-beta")}
    batches = exchange.tenant.part(Batches)
    batch = batches.create(
        exchange.protocol, lines, prefix="msgbatch_", path=COLLECTION, window_s=WINDOW_S, headers=kept
    )
    return Response.json(batch_object(exchange, batch))


async def get_batch(exchange: Exchange, batch: str) -> Answer:
    found = find_batch(exchange, batch)
    await exchange.tenant.part(Batches).look(exchange, found)
    return Response.json(batch_object(exchange, found))


async def list_batches(exchange: Exchange) -> Answer:
    batches, query = exchange.tenant.part(Batches), exchange.request.query
    limit = query.get("limit", "20")
    number = int(limit) if limit.isdecimal() and len(limit) < 9 else limit
    check_value(number, Field("integer", low=1, high=1_000), "limit")
    found = batches.all_of(PROVIDER)
    if after := query.get("after_id"):
        found = found[_place(found, after) + 1 :]
        shown, more = found[: int(limit)], len(found) > int(limit)
    elif before := query.get("before_id"):
        found = found[: _place(found, before)]
        shown, more = found[-int(limit) :], len(found) > int(limit)
    else:
        shown, more = found[: int(limit)], len(found) > int(limit)
    await batches.look(exchange, *shown)
    ends = {"first_id": shown[0].id if shown else None, "last_id": shown[-1].id if shown else None}
    return Response.json({"data": [batch_object(exchange, b) for b in shown], "has_more": more, **ends})


def _place(batches: list[Batch], id: str) -> int:
    for n, batch in enumerate(batches):
        if batch.id == id:
            return n
    raise _not_found(id)


async def cancel_batch(exchange: Exchange, batch: str) -> Answer:
    batches, found = exchange.tenant.part(Batches), find_batch(exchange, batch)
    await batches.look(exchange, found)
    if batches.phase(found) in ENDED:
        raise ApiError("invalid_request", f"Batch {found.id} cannot be canceled because it has already ended.")
    batches.cancel(found)
    return Response.json(batch_object(exchange, found))


async def delete_batch(exchange: Exchange, batch: str) -> Answer:
    batches, found = exchange.tenant.part(Batches), find_batch(exchange, batch)
    await batches.look(exchange, found)
    if batches.phase(found) not in ENDED:
        message = f"Batch {found.id} cannot be deleted because it is still processing: cancel it first."
        raise ApiError("invalid_request", message)
    batches.delete(found)
    return Response.json({"id": found.id, "type": "message_batch_deleted"})


async def batch_results(exchange: Exchange, batch: str) -> Answer:
    batches, found = exchange.tenant.part(Batches), find_batch(exchange, batch)
    await batches.look(exchange, found)
    if batches.phase(found) not in ENDED or _archived_at(batches, found):
        raise ApiError("not_found", f"Results of batch {found.id} are not available.")
    lines = (dump({"custom_id": r.key, "result": result_object(found, r)}) for r in batches.finished(found))
    body = b"\n".join(lines) + b"\n"
    return Response(200, body, [(b"content-type", b"application/x-jsonl")])


def find_batch(exchange: Exchange, id: str) -> Batch:
    found = exchange.tenant.part(Batches).find(PROVIDER, id)
    if found is None:
        raise _not_found(id)
    return found


def _not_found(id: str) -> ApiError:
    return ApiError("not_found", f"No message batch found with id `{id[:100]}`.")


# --- rendering -------------------------------------------------------------------------------------------------------


def result_object(batch: Batch, result: Result) -> dict[str, Any]:
    if result.status == 200:
        return {"type": "succeeded", "message": result.body}
    if result.status:
        return {"type": "errored", "error": result.body}
    return {"type": "expired" if batch.cancelled_at is None else "canceled"}


def batch_object(exchange: Exchange, batch: Batch) -> dict[str, Any]:
    batches = exchange.tenant.part(Batches)
    phase, schedule = batches.phase(batch), batch.schedule
    ended = phase in ENDED
    archived = _archived_at(batches, batch) if ended else None
    status = "ended" if ended else "canceling" if phase == "cancelling" else "in_progress"
    host = exchange.request.headers.get("host", "127.0.0.1")
    results = f"http://{host}{COLLECTION}/{batch.id}/results" if ended and archived is None else None
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": status,
        "request_counts": _counts(batch, ended),
        "created_at": rfc3339(batch.created),
        "expires_at": rfc3339(schedule.expires),
        "ended_at": rfc3339(schedule.end[0]) if ended else None,
        "cancel_initiated_at": rfc3339(batch.cancelled_at) if batch.cancelled_at is not None else None,
        "archived_at": rfc3339(archived) if archived is not None else None,
        "results_url": results,
    }


def _counts(batch: Batch, ended: bool) -> dict[str, int]:
    counts = Counter(processing=0, succeeded=0, errored=0, canceled=0, expired=0)
    if not ended:
        counts["processing"] = batch.lines
        return dict(counts)
    counts["succeeded"], counts["errored"] = batch.succeeded, batch.failed
    unrun = batch.lines - batch.succeeded - batch.failed
    counts["expired" if batch.cancelled_at is None else "canceled"] = unrun
    return dict(counts)


def _archived_at(batches: Batches, batch: Batch) -> float | None:
    """When the results went away; None while they are there."""
    at = batch.created + RESULTS_KEPT_S
    return at if at <= batches.dates.now() else None


ROUTES = [
    Route("POST", COLLECTION, create_batch),
    Route("GET", COLLECTION, list_batches),
    Route("GET", COLLECTION + "/{batch}", get_batch),
    Route("DELETE", COLLECTION + "/{batch}", delete_batch),
    Route("POST", COLLECTION + "/{batch}/cancel", cancel_batch),
    Route("GET", COLLECTION + "/{batch}/results", batch_results),
]
