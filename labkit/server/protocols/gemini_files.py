"""Gemini: files. A resumable upload in two steps, then get, list, download and delete.

    POST /upload/v1/files   x-goog-upload-command: start     -> x-goog-upload-url
    POST that URL           upload, then upload, finalize    -> x-goog-upload-status: final and {"file": {...}}

The second request carries no key: like Google's, the upload URL is itself the permission. A file is gone after 48 lab
hours. Files that batches wrote can be downloaded, uploaded ones cannot.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from labkit.server.errors import ApiError
from labkit.server.exchange import Exchange
from labkit.server.files import Files, StoredFile
from labkit.server.http import Answer, Request, Response, Route
from labkit.server.labdates import rfc3339
from labkit.server.protocols.base import header
from labkit.server.protocols.gemini_request import camel
from labkit.server.shapes import Field, check, check_value
from labkit.server.store import LARGEST_STORE
from labkit.server.tenants import Tenant

PROVIDER = "gemini"
KEPT_S = 48 * 3_600.0
MOST_UPLOADS = 50
"""Uploads that a tenant may have open; the oldest is dropped for a new one."""
MOST_KEYS = 10_000
FILE = {
    "name": Field("string"),
    "displayName": Field("string"),
    "mimeType": Field("string"),
    "sizeBytes": Field("any"),
}
_NAME = re.compile(r"files/([a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?)")


# --- uploads under way -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Upload:
    """A file that is still coming in."""

    name: str
    display_name: str
    mime: str
    size: int | None
    """Announced bytes, if any."""
    content: bytearray = field(default_factory=bytearray)


class Uploads:
    """The uploads of one tenant. They do not outlive the process."""

    def __init__(self, tenant: Tenant) -> None:
        self.open: OrderedDict[str, Upload] = OrderedDict()

    def start(self, upload: Upload) -> str:
        id = secrets.token_urlsafe(24)
        self.open[id] = upload
        while len(self.open) > MOST_UPLOADS:
            self.open.popitem(last=False)
        return id

    @property
    def size(self) -> int:
        return sum(len(upload.content) for upload in self.open.values())


_keys: OrderedDict[str, str] = OrderedDict()
"""Which key an upload id stands for. Of the whole process: the id is all that the second request brings."""


def upload_key(request: Request) -> str | None:
    """The key of the tenant whose upload URL this is."""
    return _keys.get(request.query.get("upload_id", "")) if request.path.startswith("/upload/") else None


# --- handlers --------------------------------------------------------------------------------------------------------


async def upload(exchange: Exchange) -> Answer:
    """Both steps: the command header says which."""
    command = exchange.request.headers.get("x-goog-upload-command", "")
    if "upload_id" in exchange.request.query:
        return _receive(exchange, {word.strip() for word in command.split(",")})
    if exchange.request.headers.get("x-goog-upload-protocol") != "resumable" or command != "start":
        message = "The lab server takes resumable uploads: x-goog-upload-protocol: resumable, command: start."
        raise ApiError("invalid_request", message)
    return _start(exchange)


def _start(exchange: Exchange) -> Answer:
    headers = exchange.request.headers
    body = camel(exchange.request.json()) if exchange.request.body else {}
    file = body.get("file") or {}
    check_value(file, Field("object"), "file")
    check(file, FILE, at="file.")
    size = headers.get("x-goog-upload-header-content-length", "")
    mime = headers.get("x-goog-upload-header-content-type") or file.get("mimeType") or "application/octet-stream"
    name = file.get("name") or f"files/{secrets.token_hex(6)}"
    if not (match := _NAME.fullmatch(name)):
        message = f"Invalid file name {name[:60]!r}: 'files/' and up to 40 small letters, digits and inner dashes."
        raise ApiError("invalid_request", message, param="file.name")
    if exchange.tenant.part(Files).find(PROVIDER, match[1]):
        raise ApiError("invalid_request", f"Resource {name} already exists.", param="file.name")
    announced = int(size) if size.isdecimal() and len(size) < 15 else None
    _refuse_too_large(exchange, announced or 0)
    id = exchange.tenant.part(Uploads).start(Upload(match[1], file.get("displayName") or "", mime, announced))
    _keys[id] = exchange.tenant.key
    while len(_keys) > MOST_KEYS:
        _keys.popitem(last=False)
    host = headers.get("host", "127.0.0.1")
    url = f"http://{host}{exchange.request.path}?upload_id={id}&upload_protocol=resumable"
    return Response(200, b"", [header("x-goog-upload-url", url), header("x-goog-upload-status", "active")])


def _receive(exchange: Exchange, commands: set[str]) -> Answer:
    id, headers = exchange.request.query["upload_id"], exchange.request.headers
    uploads = exchange.tenant.part(Uploads)
    under_way = uploads.open.get(id)
    if under_way is None:
        raise ApiError("not_found", "No such upload: it was finished, or it was started before the server was.")
    offset = headers.get("x-goog-upload-offset", str(len(under_way.content)))
    if "query" in commands:
        received = header("x-goog-upload-size-received", len(under_way.content))
        return Response(200, b"", [header("x-goog-upload-status", "active"), received])
    if offset != str(len(under_way.content)):
        message = f"The upload has {len(under_way.content)} bytes so far, the request is for offset {offset[:20]}."
        raise ApiError("invalid_request", message, param="x-goog-upload-offset")
    _refuse_too_large(exchange, uploads.size + len(exchange.request.body))
    under_way.content += exchange.request.body
    if "finalize" not in commands:
        return Response(200, b"", [header("x-goog-upload-status", "active")])
    return _finish(exchange, id, under_way)


def _finish(exchange: Exchange, id: str, done: Upload) -> Answer:
    if done.size is not None and done.size != len(done.content):
        message = f"{done.size} bytes were announced and {len(done.content)} came."
        raise ApiError("invalid_request", message)
    content = bytes(done.content)
    extra = {"sha256": base64.b64encode(sha256(content).digest()).decode(), "source": "UPLOADED"}
    file = exchange.tenant.part(Files).add(
        PROVIDER, content, id=done.name, name=done.display_name, mime=done.mime, expires_after=KEPT_S, extra=extra
    )
    del exchange.tenant.part(Uploads).open[id]
    _keys.pop(id, None)
    return Response.json({"file": file_object(exchange, file)}, headers=[header("x-goog-upload-status", "final")])


def _refuse_too_large(exchange: Exchange, size: int) -> None:
    if size > exchange.tenant.store.room:
        limit = LARGEST_STORE // 2**20
        message = f"The lab server keeps at most {limit} MB of files and batches for a key: delete some first."
        raise ApiError("too_large", message)


async def list_files(exchange: Exchange) -> Answer:
    files = exchange.tenant.part(Files).all_of(PROVIDER)
    shown, token = page(exchange.request.query, files, most=100, usual=10)
    rows = {"files": [file_object(exchange, file) for file in shown]} if shown else {}
    return Response.json({**rows, **token})


def page(query: dict[str, str], rows: list[Any], *, most: int, usual: int) -> tuple[list[Any], dict[str, str]]:
    """One page of rows, and the token of the next as `{"nextPageToken": ...}` if there is one."""
    size, token = query.get("pageSize", str(usual)), query.get("pageToken", "0")
    number = int(size) if size.isdecimal() and len(size) < 9 else size
    check_value(number, Field("integer", low=0), "pageSize")
    if not (token.isdecimal() and len(token) < 9):
        raise ApiError("invalid_request", "The page token is not valid.", param="pageToken")
    start, count = int(token), min(int(size), most) or usual
    more = {"nextPageToken": str(start + count)} if len(rows) > start + count else {}
    return rows[start : start + count], more


async def get_file(exchange: Exchange, file: str) -> Answer:
    return Response.json(file_object(exchange, find_file(exchange, file)))


async def delete_file(exchange: Exchange, file: str) -> Answer:
    exchange.tenant.part(Files).delete(find_file(exchange, file))
    return Response.json({})


async def download_file(exchange: Exchange, file: str) -> Answer:
    found = find_file(exchange, file)
    if found.extra.get("source") != "GENERATED":
        raise ApiError("invalid_request", "Only generated files can be downloaded.", param="name")
    return Response(200, exchange.tenant.part(Files).content(found), [header("content-type", found.mime)])


def find_file(exchange: Exchange, id: str) -> StoredFile:
    found = exchange.tenant.part(Files).find(PROVIDER, id)
    if found is None:  # Google does not tell a file of others from none
        message = f"You do not have permission to access the File {id[:60]} or it may not exist."
        raise ApiError("permission", message)
    return found


# --- rendering -------------------------------------------------------------------------------------------------------


def file_object(exchange: Exchange, file: StoredFile) -> dict[str, Any]:
    host = exchange.request.headers.get("host", "127.0.0.1")
    uri = f"http://{host}/v1beta/files/{file.id}"
    generated = file.extra.get("source") == "GENERATED"
    return {
        "name": f"files/{file.id}",
        **({"displayName": file.name} if file.name else {}),
        "mimeType": file.mime,
        "sizeBytes": str(file.size),
        "createTime": rfc3339(file.created),
        "updateTime": rfc3339(file.created),
        "expirationTime": rfc3339(file.expires or file.created + KEPT_S),
        "sha256Hash": file.extra.get("sha256", ""),
        "uri": uri,
        "state": "ACTIVE",
        "source": file.extra.get("source", "UPLOADED"),
        **({"downloadUri": f"{uri}:download?alt=media"} if generated else {}),
    }


ROUTES = [
    route
    for version in ("/v1", "/v1beta", "/v1alpha", "")
    for route in (
        Route("POST", "/upload" + version + "/files", upload),
        Route("GET", version + "/files", list_files),
        Route("GET", version + "/files/{file}:download", download_file),
        Route("GET", version + "/files/{file}", get_file),
        Route("DELETE", version + "/files/{file}", delete_file),
    )
]
