"""Azure OpenAI: OpenAI's endpoints under `/openai/`, by deployment or as the v1 API, behind a content filter.

    /openai/deployments/{deployment}/chat/completions?api-version=2024-10-21    the deployment is the model
    /openai/{files, batches, models, ...}?api-version=2024-10-21                not bound to a deployment
    /openai/v1/...                                                              as OpenAI's own, no dated version

A deployment has the name of the registry's OpenAI model that it runs. Every endpoint that the lab server serves for
OpenAI is served here. The content filter knows one thing: a prompt that contains `BLOCKED` is refused.

Source: `openai`'s own AzureOpenAI client; error bodies as users of the service report them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from labkit.server.errors import ApiError
from labkit.server.exchange import Exchange
from labkit.server.http import Answer, Handler, Headers, Request, Response, Routes, dump
from labkit.server.protocols.base import header, refuse_unserved, served
from labkit.server.protocols.compatible import CHAT, OPENAI, call, revised
from labkit.server.protocols.openai_request import phrase
from labkit.server.shapes import Violation

BLOCKED = "[lab:blocked]"
"""A prompt with this in it is what the content filter refuses, as "violence" of severity "high"."""

API_VERSION = re.compile(r"20\d\d-[01]\d-[0-3]\d(-preview)?")
FIRST_VERSION = "2022-12-01"
V1_VERSIONS = ("preview", "latest", "v1")

# --- the content filter ----------------------------------------------------------------------------------------------

CATEGORIES = ("hate", "self_harm", "sexual", "violence")


def verdict(*, blocked: bool = False, prompt: bool = True) -> dict[str, Any]:
    """What the filter found: four categories, and for a prompt whether it tries to break out."""
    found: dict[str, Any] = {name: {"filtered": False, "severity": "safe"} for name in CATEGORIES}
    if blocked:
        found["violence"] = {"filtered": True, "severity": "high"}
    if prompt:
        found["jailbreak"] = {"filtered": False, "detected": False}
    return found


def is_blocked(body: dict[str, Any]) -> bool:
    return BLOCKED in dump(body.get("messages") or body.get("input") or "").decode()


PROMPT_FILTER = [{"prompt_index": 0, "content_filter_results": verdict()}]


def filtered(data: dict[str, Any], *, stream: bool) -> dict[str, Any]:
    """A chat completion, or a chunk of one, with the filter's verdict on each choice."""
    for choice in data.get("choices", ()):
        silent = stream and not choice["delta"].get("content")
        choice["content_filter_results"] = {} if silent else verdict(prompt=False)
    return data if stream else {**data, "prompt_filter_results": PROMPT_FILTER}


def prompt_event(model: str) -> bytes:
    """The event that a stream begins with: what the filter says of the prompt, and no choice."""
    first = {
        "id": "",
        "object": "",
        "created": 0,
        "model": model,
        "choices": [],
        "prompt_filter_results": PROMPT_FILTER,
    }
    return b"data: " + dump(first) + b"\n\n"


# --- routes ----------------------------------------------------------------------------------------------------------


class AzureRoutes(Routes):
    """OpenAI's routes, found again under Azure's paths."""

    def __init__(self) -> None:
        super().__init__(())

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for method, pattern in OPENAI:
            yield method, f"/openai{pattern}"
            yield method, f"/openai/deployments/{{deployment}}{pattern.removeprefix('/v1')}"

    def find(self, path: str) -> tuple[Mapping[str, Handler], dict[str, str]]:
        rest = path.removeprefix("/openai")
        deployment = None
        if rest.startswith("/deployments/"):
            deployment, _, operation = rest.removeprefix("/deployments/").partition("/")
            rest = f"/v1/{operation}"
        dated = deployment is not None or not rest.startswith("/v1/")
        rest = rest if rest.startswith("/v1/") else f"/v1{rest}"
        handlers, names = OPENAI.find(rest)
        answer = partial(serve, handlers=handlers, deployment=deployment, dated=dated, chat=rest == CHAT)
        return dict.fromkeys(handlers or ("GET", "POST", "DELETE"), answer), names


async def serve(
    exchange: Exchange,
    *,
    handlers: Mapping[str, Handler],
    deployment: str | None,
    dated: bool,
    chat: bool,
    **names: str,
) -> Answer:
    """One of OpenAI's endpoints, as Azure serves it."""
    request = exchange.request
    check_version(request, dated=dated)
    if not handlers:
        if deployment is None:
            raise not_found()
        raise refuse_unserved(f"{request.path} of Azure OpenAI")
    body = request.json() if request.method == "POST" and is_json(request) else None
    if body is None:
        return await call(exchange, handlers, body=None, **names)
    if deployment is not None:
        body = {**body, "model": deployment}
    if (model := body.get("model")) is not None and not is_deployed(model):
        raise no_deployment()
    if is_blocked(body):
        raise Blocked()
    answer = await call(exchange, handlers, body=body, **names)
    if not chat:
        return answer
    stream = not isinstance(answer, Response)
    return revised(answer, partial(filtered, stream=stream), before=prompt_event(str(model)) if stream else b"")


def is_json(request: Request) -> bool:
    return "json" in request.headers.get("content-type", "json") and bool(request.body)


def is_deployed(model: object) -> bool:
    return isinstance(model, str) and any(served(model, ("openai",), kind) for kind in ("chat", "embedding"))


def check_version(request: Request, *, dated: bool) -> None:
    """The `api-version` of the query: required and a date, except on the v1 API, which takes none or a word.

    Raises:
        ApiError: 404 as the service answers a request without one, 400 for one that cannot be.
    """
    version = request.query.get("api-version")
    if version is None:
        if dated:
            raise not_found()
        return
    if not dated and version in V1_VERSIONS:
        return
    if not dated or not API_VERSION.fullmatch(version) or version < FIRST_VERSION:
        raise ApiError("invalid_request", "API version not supported", code="BadRequest")


# --- errors ----------------------------------------------------------------------------------------------------------


def not_found() -> ApiError:
    return ApiError("not_found", "Resource not found", code="404")


def no_deployment() -> ApiError:
    return ApiError(
        "not_found",
        "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, "
        "please wait a moment and try again.",
        code="DeploymentNotFound",
    )


class Blocked(ApiError):
    """The content filter refuses the prompt."""

    def __init__(self) -> None:
        super().__init__(
            "invalid_request",
            "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. "
            "Please modify your prompt and retry.",
            code="content_filter",
            param="prompt",
        )


def error_body(error: ApiError) -> dict[str, Any]:
    """What the gateway refuses has a code and a message; what the model refuses looks like OpenAI's."""
    if error.kind == "authentication":
        return {"error": {"code": "401", "message": error.message}}
    if error.kind == "rate_limit":
        return {"error": {"code": "429", "message": error.message}}
    if error.code in ("404", "BadRequest", "DeploymentNotFound"):
        return {"error": {"code": error.code, "message": error.message}}
    kind = "server_error" if error.status >= 500 else "invalid_request_error"
    body: dict[str, Any] = {"message": error.message, "type": kind, "param": error.param, "code": error.code}
    if isinstance(error, Blocked):
        inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": verdict(blocked=True)}
        body |= {"type": None, "status": 400, "innererror": inner}
    return {"error": body}


# --- the protocol ----------------------------------------------------------------------------------------------------


class AzureProtocol:
    """An `api-key` header or an Entra token, `api-version` in the query, `apim-request-id` on every answer."""

    name = "azure"

    def __init__(self) -> None:
        self.routes: Routes = AzureRoutes()

    def claims(self, request: Request) -> bool:
        return request.path.startswith("/openai/")

    def key(self, request: Request) -> str:
        """With both, the key counts. An Entra token is not read: any lab key does as one."""
        if key := request.headers.get("api-key") or request.bearer:
            return key
        raise self.refuse_key("")

    def refuse_key(self, key: str) -> ApiError:
        return ApiError(
            "authentication",
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key "
            "for an active subscription and use a correct regional API endpoint for your resource. "
            "(A key for the lab server begins with 'lab-'.)",
        )

    def phrase(self, violation: Violation) -> ApiError:
        return phrase(violation)

    def malformed(self, detail: str) -> ApiError:
        return ApiError("invalid_request", f"We could not parse the JSON body of your request: {detail}.")

    def render_error(self, error: ApiError, request_id: str) -> Response:
        headers: Headers = [header("apim-request-id", request_id), header("x-request-id", request_id)]
        if error.retry_after is not None:
            headers.append(header("retry-after-ms", math.ceil(error.retry_after * 1000)))
            headers.append(header("retry-after", max(1, math.ceil(error.retry_after))))
        return Response.json(error_body(error), status=error.status, headers=headers)

    def error_event(self, error: ApiError, request_id: str) -> bytes:
        return b"data: " + dump(error_body(error)) + b"\n\n"

    def headers(self, exchange: Exchange) -> Headers:
        found = [
            header("apim-request-id", exchange.entry.request_id),
            header("x-request-id", exchange.entry.request_id),
            header("x-ms-region", "lab"),
        ]
        if exchange.entry.model:
            for subject, bucket in exchange.tenant.meter(exchange.entry.model).minute():
                found.append(header(f"x-ratelimit-limit-{subject}", bucket.capacity))
                found.append(header(f"x-ratelimit-remaining-{subject}", bucket.remaining))
        return found
