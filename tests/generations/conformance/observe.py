"""What the conformance scripts share. Standard library only: it runs beside any SDK.

A script is a list of parts. Each makes calls as an application would, with clients that take no argument, and returns
what it saw as JSON values. A part that breaks is reported with its traceback and the others go on. Nothing is judged
here: that is left to the tests, which read the one JSON document that a script prints.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
import traceback
import urllib.request
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

URL, KEY = os.environ["LAB_URL"], os.environ["LAB_KEY"]
MODELS: dict[str, str] = json.loads(os.environ["LAB_MODELS"])
"""The course's models of this provider by tier ("small", "sampling", ...); of all of them as "openai.small"."""
WRONG_KEY = "not-a-lab-key-at-all"
QUESTION = "What is an API?"
WEATHER = "What is the weather in Paris?"
DAY = 86_400

PARTS: dict[str, Callable[[], Any]] = {}


def part(function: Callable[[], Any]) -> Callable[[], Any]:
    """Put a function on the list, under its name."""
    PARTS[function.__name__] = function
    return function


def lab(path: str, body: dict[str, Any] | None = None) -> Any:
    """A call of the lab's control API."""
    request = urllib.request.Request(f"{URL}/lab/v1/{path}", headers={"Authorization": f"Bearer {KEY}"})
    if body is not None:
        request.data = json.dumps(body).encode()
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def a_day_later() -> None:
    """Jump ahead, to where every batch is done."""
    lab("tenant", {"clock": {"advance_s": DAY - 100}})


def one_request_a_minute(model: str) -> None:
    """The next request for the model passes and the one after it does not. The lab's minute lasts half a second."""
    lab("tenant", {"limits": {"model": model, "requests_per_minute": 1}, "clock": {"rate": 120}})


def refusal(call: Callable[[], Any]) -> dict[str, Any]:
    """How a call is refused.

    Raises:
        AssertionError: it is not.
    """
    try:
        got = call()
    except Exception as error:
        status = getattr(error, "status_code", None) or getattr(error, "code", None)
        names = [base.__name__ for base in type(error).__mro__]
        return {"classes": names, "status": status, "message": str(error), "body": getattr(error, "body", None)}
    raise AssertionError(f"not refused: {got!r:.200}")


def main(version: str) -> None:
    """Run the parts, or those named on the command line, and print what they saw."""
    seen: dict[str, Any] = {}
    with redirect_stdout(sys.stderr):
        for name, function in PARTS.items():
            if sys.argv[1:] and name not in sys.argv[1:]:
                continue
            lab("tenant", {"seed": 7})  # each part draws the same, whatever ran before it
            try:
                found = function()
                seen[name] = {"saw": asyncio.run(found) if inspect.iscoroutine(found) else found}
            except Exception:
                seen[name] = {"broke": traceback.format_exc()}
    json.dump({"version": version, "parts": seen}, sys.stdout)
