"""The requests of a batch: built from what the user has, and checked before anything is uploaded.

A row is a text, a list of messages, a `Message`, or a mapping with "prompt" or "messages" and, if you like, "id" and
parameters of its own ("system", "temperature", ...). A DataFrame is such mappings, an empty cell is a missing one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from labkit.chat import ChatRequest, Message, Messages, ToolCall, ToolSpec
from labkit.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from labkit.batching.wire import BatchApi
    from labkit.calls import Call

    Rows: TypeAlias = Sequence[Messages | Mapping[str, Any]] | pd.DataFrame

SHOWN_PROBLEMS = 5
ROW = ("id", "prompt", "messages", "model")
"""What a row may have besides parameters."""
OF_THE_BATCH = ("schema", "tag")
"""Parameters that hold for all lines."""


class InvalidBatch(UserError):
    """Requests that cannot be sent as they are. `problems` has one sentence for each, with its line."""

    def __init__(self, problems: Sequence[str]) -> None:
        more = len(problems) - SHOWN_PROBLEMS
        shown = "\n".join([*problems[:SHOWN_PROBLEMS], *([f"and {more} more in `problems`"] if more > 0 else [])])
        super().__init__(f"Nothing was uploaded: {shown}")
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class BatchLine:
    """One request with the caller's name for it."""

    id: str
    request: ChatRequest


def build(
    rows: Rows, prepare: Callable[..., Call], api: BatchApi, params: Mapping[str, Any]
) -> tuple[list[BatchLine], tuple[str, ...]]:
    """The lines, in the order of the rows, and a sentence on each thing that was changed.

    Args:
        prepare: makes a complete call of messages and parameters, or raises UserError.
        params: of all lines; a row's own win.

    Raises:
        InvalidBatch: at least one row cannot be sent.
    """
    lines: list[BatchLine] = []
    problems: list[str] = []
    seen: set[str] = set()
    notes: dict[str, None] = {}
    for number, row in enumerate(_rows(rows), 1):
        key, where = f"line-{number}", f"line {number}"
        try:
            given, messages, own = _read(row)
            key = given if given is not None else key
            where = f"line {number} (id {key!r})"
            _check_id(key, seen, api)
            call = _prepared(prepare, messages, own, params)
            lines.append(BatchLine(key, call.request))
            notes |= dict.fromkeys(call.notes)
        except UserError as error:
            problems.append(f"{where}: {error}")
        seen.add(key)
    if not lines and not problems:
        problems.append("there are no requests.")
    if len(lines) > api.most_lines:
        problems.append(f"{len(lines):,} requests, and {api.name} takes at most {api.most_lines:,} in a batch.")
    if problems:
        raise InvalidBatch(problems)
    return lines, tuple(notes)


def check_size(packed: Sequence[bytes], lines: Sequence[BatchLine], api: BatchApi) -> None:
    """
    Raises:
        InvalidBatch: more bytes than the provider takes; it names the line that is too much.
    """
    size = 0
    for number, (text, line) in enumerate(zip(packed, lines, strict=True), 1):
        size += len(text) + 1
        if size > api.most_bytes:
            limit = f"{api.most_bytes / 1e6:.0f} MB"
            said = f"line {number} (id {line.id!r}): with it the batch passes the {limit} that {api.name} takes."
            raise InvalidBatch([f"{said} Split it."])


def _rows(rows: Any) -> Iterable[Any]:
    if hasattr(rows, "to_dict") and hasattr(rows, "columns"):
        _check_columns([str(name) for name in rows.columns])
        return _records(rows)
    if isinstance(rows, (str, Mapping, Message)):
        raise UserError("A batch takes a list of requests, and this is a single one: put it into [...].")
    return rows  # type: ignore[no-any-return]


def _check_columns(names: Sequence[str]) -> None:
    """A column of something else is said once, and not once a line."""
    from labkit.params import Params

    known = {*ROW, *Params.__annotations__} - {*OF_THE_BATCH}
    if strange := [name for name in names if name not in known]:
        said = ", ".join(map(repr, strange))
        fine = [name for name in names if name in known]
        raise InvalidBatch([f"the table has columns that are no parameters, {said}: pass df[{fine!r}]."])


def _records(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    import pandas as pd

    for record in frame.to_dict("records"):
        yield {str(k): v for k, v in record.items() if isinstance(v, (list, tuple, dict)) or not pd.isna(v)}


def _read(row: Any) -> tuple[str | None, Any, dict[str, Any]]:
    """Id, messages, and parameters of the row's own."""
    if not isinstance(row, Mapping) or "role" in row:
        return None, row, {}
    own = dict(row)
    key, prompt, messages = own.pop("id", None), own.pop("prompt", None), own.pop("messages", None)
    if (prompt is None) == (messages is None):
        raise UserError("give either 'prompt' or 'messages'.")
    for name in OF_THE_BATCH:
        if name in own:
            raise UserError(f"{name!r} holds for a whole batch: client.batch(rows, {name}=...).")
    return None if key is None else str(key), messages if prompt is None else prompt, own


def _check_id(key: str, seen: set[str], api: BatchApi) -> None:
    if key in seen:
        raise UserError("this id stands on an earlier line too, and answers are matched by id.")
    if not re.fullmatch(api.id_pattern, key, re.DOTALL):
        raise UserError(f"{api.name} takes ids that match {api.id_pattern}.")


def _prepared(
    prepare: Callable[..., Call], messages: Any, own: dict[str, Any], params: Mapping[str, Any]
) -> Call:
    model = own.pop("model", None)
    call = prepare(messages, **{**params, **own})
    if model not in (None, call.request.model):
        raise UserError(f"it is for {model}, and all lines go to the client's model, {call.request.model}.")
    return call


# --- On disk ---


def as_row(line: BatchLine) -> dict[str, Any]:
    """A line as plain JSON.

    Raises:
        UserError: a turn in a provider's own form, which no file can hold.
    """
    if any(message.native is not None for message in line.request.messages):
        plain = tuple(replace(message, native=None) for message in line.request.messages)
        line = replace(line, request=replace(line.request, messages=plain))
    return asdict(line)


def from_row(row: Mapping[str, Any]) -> BatchLine:
    """The line of a row that `as_row` made."""
    request = dict(row["request"])
    request["messages"] = tuple(_message(turn) for turn in request["messages"])
    request["tools"] = tuple(ToolSpec(**tool) for tool in request["tools"])
    return BatchLine(row["id"], ChatRequest(**{**request, "stop": tuple(request["stop"])}))


def _message(turn: Mapping[str, Any]) -> Message:
    return Message(**{**turn, "tool_calls": tuple(ToolCall(**call) for call in turn["tool_calls"])})
