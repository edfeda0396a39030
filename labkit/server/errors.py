"""What can go wrong with a request, in words that no provider owns. Each protocol file turns one into its own body."""

from __future__ import annotations

from typing import Literal

from labkit.server.http import Headers

Kind = Literal[
    "invalid_request",
    "authentication",
    "permission",
    "not_found",
    "method_not_allowed",
    "timeout",
    "too_large",
    "rate_limit",
    "quota",
    "server",
    "bad_gateway",
    "unavailable",
    "gateway_timeout",
    "overloaded",
]

STATUS: dict[Kind, int] = {
    "invalid_request": 400,
    "authentication": 401,
    "permission": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "timeout": 408,
    "too_large": 413,
    "rate_limit": 429,
    "quota": 429,
    "server": 500,
    "bad_gateway": 502,
    "unavailable": 503,
    "gateway_timeout": 504,
    "overloaded": 529,
}


class ApiError(Exception):
    """A refusal. `code` and `param` are the provider's own where it has them."""

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        headers: Headers | None = None,
        retry_after: float | None = None,
        subject: str = "",
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = STATUS[kind]
        self.message = message
        self.code = code
        self.param = param
        self.headers: Headers = headers or []
        self.retry_after = retry_after
        """Seconds on the client's own clock until a retry can succeed."""
        self.subject = subject
        """What ran out: "requests" or "tokens" for a rate limit."""
