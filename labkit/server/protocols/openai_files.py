"""OpenAI: files. Upload, list with paging, get, content, delete.

A file lives on the tenant's clock: one for a batch is gone after 30 lab days. The real API takes 512 MB a file; here
the whole request must fit into the server's limit for a body.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from labkit.server.errors import ApiError
from labkit.server.exchange import Exchange
from labkit.server.files import Files, StoredFile
from labkit.server.http import Answer, Response, Route
from labkit.server.multipart import MalformedForm, Part, read_form
from labkit.server.shapes import Field, Violation, check, check_value

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
THIRTY_DAYS = 30 * 86_400.0
EXPIRY = {
    "anchor": Field("string", required=True, choices=("created_at",)),
    "seconds": Field("integer", required=True, low=3_600, high=2_592_000),
}


# --- handlers --------------------------------------------------------------------------------------------------------


async def upload(exchange: Exchange) -> Answer:
    request = exchange.request
    try:
        form = {part.name: part for part in read_form(request.headers.get("content-type", ""), request.body)}
    except MalformedForm as problem:
        raise ApiError("invalid_request", f"Could not parse multipart form: {problem}.") from None
    for name in ("file", "purpose"):
        if name not in form:
            raise Violation(name, "missing")
    file, purpose = form["file"], form["purpose"].text
    check_value(purpose, Field("string", choices=PURPOSES), "purpose")
    if not file.content:
        raise ApiError("invalid_request", "The uploaded file is empty.", param="file")
    name = (file.filename or "upload")[:255]
    if purpose == "batch" and not name.endswith(".jsonl"):
        message = f"Invalid file format for Batch API. Must be .jsonl, got {name!r}."
        raise ApiError("invalid_request", message, param="file")
    kept = exchange.tenant.part(Files).add(
        exchange.protocol.name,
        file.content,
        id=new_file_id(),
        name=name,
        purpose=purpose,
        mime=file.mime,
        expires_after=_expiry(form, purpose),
    )
    return Response.json(file_object(kept))


def new_file_id() -> str:
    return f"file-{uuid4().hex[:24]}"


def _expiry(form: dict[str, Part], purpose: str) -> float | None:
    """Lab seconds that the file is kept, None for ever."""
    given: dict[str, Any] = {}
    for name in EXPIRY:
        if part := form.get(f"expires_after[{name}]"):
            given[name] = int(part.text) if part.text.isdecimal() and len(part.text) < 12 else part.text
    if given:
        check(given, EXPIRY, at="expires_after.")
        return float(given["seconds"])
    return THIRTY_DAYS if purpose == "batch" else None


async def list_files(exchange: Exchange) -> Answer:
    files = exchange.tenant.part(Files).all_of(exchange.protocol.name)
    if purpose := exchange.request.query.get("purpose"):
        files = [file for file in files if file.purpose == purpose]
    return Response.json(page([file_object(file) for file in files], exchange.request.query, most=10_000, usual=10_000))


async def get_file(exchange: Exchange, file: str) -> Answer:
    return Response.json(file_object(find_file(exchange, file)))


async def file_content(exchange: Exchange, file: str) -> Answer:
    found = find_file(exchange, file)
    kind = (b"content-type", b"application/octet-stream")
    return Response(200, exchange.tenant.part(Files).content(found), [kind])


async def delete_file(exchange: Exchange, file: str) -> Answer:
    found = find_file(exchange, file)
    exchange.tenant.part(Files).delete(found)
    return Response.json({"id": found.id, "object": "file", "deleted": True})


def find_file(exchange: Exchange, id: str) -> StoredFile:
    found = exchange.tenant.part(Files).find(exchange.protocol.name, id)
    if found is None:
        raise ApiError("not_found", f"No such File object: {id[:100]}", param="id")
    return found


# --- rendering -------------------------------------------------------------------------------------------------------


def file_object(file: StoredFile) -> dict[str, Any]:
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.size,
        "created_at": int(file.created),
        "expires_at": int(file.expires) if file.expires is not None else None,
        "filename": file.name,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
    }


def page(rows: list[dict[str, Any]], query: dict[str, str], *, most: int, usual: int) -> dict[str, Any]:
    """A page of rows that come newest first, as `after`, `limit` and `order` ask for it."""
    check_value(query.get("order", "desc"), Field("string", choices=("asc", "desc")), "order")
    limit = query.get("limit", str(usual))
    number = int(limit) if limit.isdecimal() and len(limit) < 9 else limit
    check_value(number, Field("integer", low=1, high=most), "limit")
    if query.get("order") == "asc":
        rows = rows[::-1]
    if after := query.get("after"):
        places = [n for n, row in enumerate(rows) if row["id"] == after]
        if not places:
            raise ApiError("not_found", f"No object found with id '{after[:100]}'.", param="after")
        rows = rows[places[0] + 1 :]
    shown = rows[: int(limit)]
    ends = {"first_id": shown[0]["id"] if shown else None, "last_id": shown[-1]["id"] if shown else None}
    return {"object": "list", "data": shown, **ends, "has_more": len(rows) > len(shown)}


ROUTES = [
    Route("POST", "/v1/files", upload),
    Route("GET", "/v1/files", list_files),
    Route("GET", "/v1/files/{file}", get_file),
    Route("DELETE", "/v1/files/{file}", delete_file),
    Route("GET", "/v1/files/{file}/content", file_content),
]
