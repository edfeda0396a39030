"""Several calls for one answer: asked again until it fits its schema, and round after round while tools are wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from labkit.calls import Call, Line, chat, together
from labkit.errors import LabkitError
from labkit.flow import Flow
from labkit.structured import REASKS, Shape, asking_again, invalid
from labkit.tools import ran

if TYPE_CHECKING:
    from labkit.chat import ChatResponse, Message

ROUNDS = 8
"""How often a model may ask for tools before an answer is due."""

Connect = Callable[..., Any]
"""Makes the SDK's client, of a key if one is given."""


def answered(line: Line, call: Call, shape: Shape | None, connect: Connect) -> Flow[ChatResponse]:
    """One answer; one that does not fit its schema is sent back with the error, a few times.

    Raises:
        InvalidOutput: it still does not fit, or was cut.
    """
    so_far: ChatResponse | None = None
    for reasks in range(REASKS + 1):
        so_far = together(so_far, (yield from chat(line, call, connect)), reasks=reasks)
        if shape is None or so_far.tool_calls:
            return so_far
        try:
            return replace(so_far, parsed=shape.parse(so_far.text))
        except ValueError as error:
            if reasks == REASKS or so_far.finish_reason != "stop":
                raise invalid(so_far, error) from error
            more = asking_again(so_far, error)
        call = replace(call, request=replace(call.request, messages=call.request.messages + more))
    raise AssertionError("the loop returns or raises")


def worked(
    line: Line, call: Call, shape: Shape | None, tools: dict[str, Any], max_rounds: int, connect: Connect
) -> Flow[ChatResponse]:
    """Ask, run what the model asks for, send the results back, until it answers.

    Raises:
        ToolsUnfinished: it still asks for tools after `max_rounds`.
    """
    so_far: ChatResponse | None = None
    for _ in range(max_rounds):
        so_far = together(so_far, (yield from answered(line, call, shape, connect)))
        messages = (*call.request.messages, so_far.message)
        if not so_far.tool_calls:
            return replace(so_far, transcript=messages)
        results: list[Message] = []
        for asked in so_far.tool_calls:
            results.append((yield from ran(tools.get(asked.name), asked)))
        # A call that was forced has been made: forced again, the model could never answer.
        call = replace(call, request=replace(call.request, messages=(*messages, *results), tool_choice=None))
    raise ToolsUnfinished(max_rounds, so_far, call.request.messages)


class ToolsUnfinished(LabkitError):
    """The model still asked for tools when its rounds were up. `response` is its last, `transcript` every turn."""

    def __init__(self, rounds: int, response: ChatResponse | None, transcript: tuple[Message, ...]) -> None:
        super().__init__(f"The model still asks for tools after {rounds} rounds: see `transcript`, or allow more.")
        self.response = response
        self.transcript = transcript
