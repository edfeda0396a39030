"""Gemini: uploaded files in a prompt. A `fileData` part becomes what it stands for: an inline image, or text.

A file is named by the `uri` that its upload returned, or as `files/ID`. What a file holds beyond images and text
(sound, film, PDF) the lab's model cannot read; it is refused by name.
"""

from __future__ import annotations

import base64
from typing import Any

from labkit.server.errors import ApiError
from labkit.server.files import Files, StoredFile
from labkit.server.images import KINDS
from labkit.server.protocols.base import refuse_unserved
from labkit.server.shapes import Field, check, check_value
from labkit.server.tenants import Tenant

FILE_DATA = {
    "fileUri": Field("string", required=True, nullable=False),
    "mimeType": Field("string"),
    "displayName": Field("string"),
}
TEXTS = ("text/", "application/json", "application/xml", "application/x-javascript")


def with_files(body: dict[str, Any], tenant: Tenant) -> dict[str, Any]:
    """A request, keys in camelCase, whose `contents` and `systemInstruction` hold no `fileData` any more.

    Raises:
        ApiError: no such file of this tenant; or one that the lab cannot read.
        Violation: a part of a wrong shape.
    """
    changed = dict(body)
    for name in ("contents", "systemInstruction"):
        if name in body:
            changed[name] = _in_content(body[name], tenant, name)
    return changed


def _in_content(value: Any, tenant: Tenant, at: str) -> Any:
    if isinstance(value, list):
        return [_in_content(item, tenant, f"{at}[{n}]") for n, item in enumerate(value)]
    if not isinstance(value, dict) or "parts" not in value:
        return value
    parts = value["parts"] if isinstance(value["parts"], list) else [value["parts"]]
    return value | {"parts": [_in_part(part, tenant, f"{at}.parts[{n}]") for n, part in enumerate(parts)]}


def _in_part(part: Any, tenant: Tenant, at: str) -> Any:
    if not isinstance(part, dict) or part.get("fileData") is None:
        return part
    data, at = part["fileData"], f"{at}.fileData"
    check_value(data, Field("object"), at)
    check(data, FILE_DATA, at=f"{at}.")
    file = _find(data["fileUri"], tenant, at)
    kind = data.get("mimeType") or file.mime
    content = tenant.part(Files).content(file)
    if kind in KINDS:
        return {"inlineData": {"mimeType": kind, "data": base64.b64encode(content).decode()}}
    if kind.startswith(TEXTS):
        return {"text": content.decode("utf-8", "replace")}
    raise refuse_unserved(f"files of type {kind[:40]!r} in a prompt")


def _find(uri: str, tenant: Tenant, at: str) -> StoredFile:
    head, _, id = uri.rpartition("files/")
    found = tenant.part(Files).find("gemini", id) if head == "" or head.endswith("/") else None
    if found is None:  # Google does not tell a file of others from none
        message = f"You do not have permission to access the File {id[:60]} or it may not exist."
        raise ApiError("permission", message, param=f"{at}.fileUri")
    return found
