"""The student's side of a check: run one step on a notebook's namespace and answer in plain JSON values.

`Workspace.run` is the whole contract between checks and a student's work. In a notebook it is called directly; a
grader runs the same class inside a sandboxed process and carries steps and outcomes over a pipe. Either way a check
receives a copy that went through JSON: tuples arrive as lists, keys of dictionaries as strings, and no object of the
student's ever meets the code that judges it. A coroutine is awaited and a generator run to its end, so a check calls
`async def` and `yield` functions like any other; what a generator yields arrives as a list.
"""

from __future__ import annotations

import json
import linecache
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Literal, NotRequired, TypedDict

from labkit.grading.deadline import OutOfTime, within
from labkit.grading.refusals import refusal_of, short, watched
from labkit.grading.settle import settled


class Step(TypedDict):
    """One thing that a check asks of the student's work."""

    do: Literal["call", "make", "value"]
    """Call a function, make an object and keep it, or read a variable."""
    name: str
    """Of the function, class or variable; of a method or attribute when `on` is given."""
    on: NotRequired[int]
    """Number of an object made by an earlier step."""
    args: NotRequired[list[Any]]
    kwargs: NotRequired[dict[str, Any]]
    seconds: NotRequired[float]
    """Time limit of this step."""


Trouble = Literal["missing", "unwritten", "raised", "refused", "time", "not plain"]
"""Why a step gave no value: no such name, still the stub, an exception, an exception that reports a server's refusal,
the time limit, a value JSON cannot carry."""


class Outcome(TypedDict):
    """What came of a step: `value`, or `made`, or `trouble` with a `sentence` for the student."""

    value: NotRequired[Any]
    made: NotRequired[int]
    """Number by which later steps name the object."""
    trouble: NotRequired[Trouble]
    sentence: NotRequired[str]
    refused: NotRequired[list[str]]
    """What servers refused meanwhile, as "401: Incorrect API key provided"; absent if nothing."""


class Workspace:
    """A student's namespace, and the objects that checks had made in it."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self._namespace = namespace
        self._made: list[Any] = []

    def ready(self) -> None:
        """A notebook's own namespace always is."""

    def run(self, step: Step) -> Outcome:
        """Do one step. Never raises for what the student's code does; an interrupt by the user passes through."""
        name, owner = step["name"], step.get("on")
        target: Any
        if owner is None:
            if name not in self._namespace:
                return _trouble("missing", f"There is no `{name}` yet: define it and run its cell.")
            target = self._namespace[name]
        else:
            target = getattr(self._made[owner], name, None)
            if target is None:
                return _trouble("missing", f"A `{type(self._made[owner]).__name__}` has no `{name}` yet.")
        if step["do"] == "value":
            return _plain(f"`{name}`", "is", target)
        if not callable(target):
            return _trouble("missing", f"`{name}` is {_kind(target)}, expected something to call.")
        return self._call(step, target)

    def _call(self, step: Step, function: Callable[..., Any]) -> Outcome:
        with watched() as refused:
            outcome = self._try(step, function)
        return {**outcome, "refused": refused} if refused else outcome

    def _try(self, step: Step, function: Callable[..., Any]) -> Outcome:
        name, seconds = step["name"], step.get("seconds", 5.0)
        args, kwargs = step.get("args", []), step.get("kwargs", {})
        try:
            result = within(seconds, lambda: settled(function(*args, **kwargs)))
        except OutOfTime:
            return _trouble("time", f"`{name}` had not returned after {seconds:g} seconds, so it was stopped.")
        except KeyboardInterrupt:
            raise
        except NotImplementedError:
            return _trouble("unwritten", f"`{name}` is not written yet: it still raises NotImplementedError.")
        except BaseException as error:  # SystemExit too: a student's exit() must not end the kernel
            trouble: Trouble = "refused" if refusal_of(error) else "raised"
            return _trouble(trouble, f"`{name}` raised {_last_line(error)}{self._where(error.__traceback__)}")
        if step["do"] == "make":
            self._made.append(result)
            return {"made": len(self._made) - 1}
        return _plain(f"`{name}`", "returned", result)

    def _where(self, trace: TracebackType | None) -> str:
        """The student's own line that the exception passed through last."""
        found = ""
        while trace is not None:
            frame = trace.tb_frame
            if frame.f_globals is self._namespace:
                source = linecache.getline(frame.f_code.co_filename, trace.tb_lineno).strip()
                found = f", in line {trace.tb_lineno} of that cell" + (f": {source}" if source else "")
            trace = trace.tb_next
        return found


def _plain(what: str, verb: str, value: Any) -> Outcome:
    try:
        return {"value": json.loads(json.dumps(value))}
    except (TypeError, ValueError, RecursionError):
        return _trouble(
            "not plain",
            f"{what} {verb} {_kind(value)}, expected plain values: "
            "strings, numbers, True, False, None, and lists or dictionaries of them.",
        )


def _trouble(trouble: Trouble, sentence: str) -> Outcome:
    return {"trouble": trouble, "sentence": sentence}


def _kind(value: object) -> str:
    name = type(value).__name__
    return f"an object of type {name}" if not isinstance(value, (list, dict)) else f"a {name} with other objects in it"


def _last_line(error: BaseException) -> str:
    """What a traceback ends with, as one short line; of a refused request, what the provider said."""
    name = type(error).__name__
    if refused := refusal_of(error):
        return f"{name}: the server answered {refused}"
    try:
        text = str(error)
    except Exception:
        text = "(its text cannot be shown)"
    first = text.strip().partition("\n")[0]
    return f"{name}: {short(first)}" if first else name
