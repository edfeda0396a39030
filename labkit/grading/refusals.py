"""What a server said when it refused a request of the student's code.

A request that is refused for its key belongs to no tenant, so the journal that checks read cannot show it. What the
student's function was answered tells: while it runs, HTTP clients are watched for answers of 400 and above.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

LONGEST = 400
"""Characters of a provider's message in a sentence."""
_SENDERS = (("httpx", "Client"), ("httpx", "AsyncClient"), ("requests", "Session"))
"""Modules and classes whose `send` the SDKs and handwritten code go through."""


def short(text: str, longest: int = LONGEST) -> str:
    """A text on one line, cut at the end when long.

    >>> short("one\\n  two three", 12)
    'one two thr…'
    """
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def refusal(response: Any) -> str:
    """Status and the provider's own message of a refused request: "401: Incorrect API key provided"."""
    return f"{response.status_code}: {short(_message(response)).rstrip('.')}"


def refusal_of(error: BaseException) -> str:
    """The same for an exception that an SDK or a client made of a refusal; empty for any other."""
    response = getattr(error, "response", None)
    return refusal(response) if isinstance(getattr(response, "status_code", None), int) else ""


@contextmanager
def watched() -> Iterator[list[str]]:
    """Collects the refusals that arrive meanwhile, oldest first."""
    responses: list[Any] = []
    refused: list[str] = []
    with ExitStack() as stack:
        for module, name in _SENDERS:
            if found := getattr(sys.modules.get(module), name, None):
                stack.callback(setattr, found, "send", found.send)
                found.send = _watch(found.send, responses, wait=name.startswith("Async"))
        try:
            yield refused
        finally:
            refused += map(refusal, responses)


def _watch(send: Callable[..., Any], responses: list[Any], *, wait: bool) -> Callable[..., Any]:
    def note(response: Any) -> Any:
        if response.status_code >= 400:
            responses.append(response)
        return response

    def watching(*args: Any, **kwargs: Any) -> Any:
        return note(send(*args, **kwargs))

    async def watching_async(*args: Any, **kwargs: Any) -> Any:
        return note(await send(*args, **kwargs))

    return watching_async if wait else watching


def _message(response: Any) -> str:
    """`error.message` of the body, or what comes nearest to it."""
    try:
        found = response.json()
    except Exception:  # not JSON, or a stream that nobody read
        try:
            return str(response.text)
        except Exception:
            return "(its text was not read)"
    if isinstance(found, list) and found:  # Gemini's streams
        found = found[0]
    for key in ("error", "message"):
        if isinstance(found, dict) and key in found:
            found = found[key]
    return str(found)
