"""Scripted trouble for this tenant's requests: refusals, answers that end early, connections that break."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from labkit.session import current


class Script(list[dict[str, Any]]):
    """What is scripted, the oldest first. As a context manager it takes back, at the end, what its call scripted.

    "seen" in a row is how many requests the fault has looked at, "struck" how many it hit.
    """

    def __init__(self, rows: list[dict[str, Any]], added: int | None = None) -> None:
        super().__init__(rows)
        self._added = added

    def __enter__(self) -> Script:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._added is not None:
            current().control("DELETE", "faults", query={"id": self._added})


def faults(
    kind: str | None = None,
    *,
    next: int | None = None,
    every: int | None = None,
    rate: float | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    seed: int = 0,
    provider: str | None = None,
    model: str | None = None,
    path: str | None = None,
    after: int | None = None,
    seconds: float | None = None,
) -> Script:
    """Script trouble for this tenant's requests, and return what is scripted. Without arguments, only return it.

        with lk.lab.faults("overloaded", every=3):
            ...                                     # afterwards this fault is gone, and others are still there

    Args:
        kind: "rate_limit", "overloaded", "server_error", "timeout", "unauthorized", "quota" (the money is gone),
            "content_filter", "cut", "stall", "reset", "error_event" and others; `fault_kinds()` lists them.
        next, every, rate, start_s: one of them: the next so many requests, each so manieth, a share drawn from `seed`,
            or all from a lab time on, until `end_s`. None of them: every request.
        provider, model, path: only requests to this provider or model, or whose path contains this.
        after: events of a stream, or tokens of an answer, that still get through.
        seconds: lab seconds that a delay takes, or that a refusal asks to wait.

    Raises:
        ControlError: an unknown kind, or more than one trigger.
    """
    added = None
    if next is every is rate is start_s is None:
        every = 1
    if kind is not None:
        from labkit import registry

        given: dict[str, object] = {"next": next, "every": every, "rate": rate, "start_s": start_s, "end_s": end_s}
        given |= {"seed": seed, "provider": provider, "model": registry.find(model).id if model else None, "path": path}
        given |= {"after": after, "seconds": seconds}
        body = {"kind": kind, **{name: value for name, value in given.items() if value is not None}}
        added = int(current().control("POST", "faults", body=body)["id"])
    return Script(current().control("GET", "faults")["faults"], added)


def fault_kinds() -> list[str]:
    """Every kind of trouble that can be scripted."""
    return list(current().control("GET", "faults")["kinds"])


def clear_faults() -> None:
    """Nothing is scripted any more."""
    current().control("DELETE", "faults")
