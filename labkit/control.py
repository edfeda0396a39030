"""Calls of the lab server's control API (`/lab/v1/...`), with nothing but the standard library.

No proxy is asked, no SDK is involved, and importing this costs next to nothing: the session checks the server's health
with it before every cell that might need it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from labkit.errors import ControlError, ServerError
from labkit.secret import Secret

ANSWER_SECONDS = 5.0


def call(
    url: str,
    method: str,
    path: str,
    *,
    key: Secret | None = None,
    query: Mapping[str, object] | None = None,
    body: object = None,
    timeout: float = ANSWER_SECONDS,
) -> Any:
    """One call; the decoded JSON of its answer.

    Args:
        path: below /lab/v1/, such as "journal/17".
        query: parameters; those that are None are left out.

    Raises:
        ServerError: no connection, no answer in time, or an answer that is not JSON.
        ControlError: the server refused.
    """
    import http.client

    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "127.0.0.1", parts.port, timeout=timeout)
    given = {name: value for name, value in (query or {}).items() if value is not None}
    target = f"{parts.path}/lab/v1/{path}" + (f"?{urlencode(given)}" if given else "")
    payload = None if body is None else json.dumps(body).encode()
    try:
        connection.request(method, target, payload, _headers(key))
        answer = connection.getresponse()
        status, decoded = answer.status, json.loads(answer.read() or b"null")
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = str(error) or type(error).__name__
        message = f"The lab server at {url} does not answer ({reason}): run `lk.start()` again."
        raise ServerError(message) from None  # the frames of http.client hold the key in clear text
    finally:
        connection.close()
    if status >= 400:
        raise ControlError(_refusal(decoded, status), status=status, body=decoded)
    return decoded


def _headers(key: Secret | None) -> dict[str, str]:
    """Made in a call and kept in no variable, so that a traceback which prints locals does not print the key."""
    authorization = {"Authorization": f"Bearer {key.reveal()}"} if key else {}
    return {"Content-Type": "application/json", **authorization}


def _refusal(body: object, status: int) -> str:
    """The message of a refusal, wherever its shape keeps it."""
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return str(message or f"The lab server answered {status}.")
