"""What a call may be told, by name. Every method that makes calls takes the same parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from labkit.errors import UserError

if TYPE_CHECKING:
    from labkit.caching.passage import Use
    from labkit.structured import Schema
    from labkit.tools import Tool


class ToolParams(TypedDict, total=False):
    """What `run_tools` takes besides the tools; see `labkit.chat.ChatRequest` for each."""

    system: str | None
    temperature: float | None
    top_p: float | None
    top_k: int | None
    max_tokens: int
    stop: str | Sequence[str] | None
    seed: int | None
    effort: str | None
    tool_choice: str | None
    schema: Schema | None
    extra: dict[str, Any]
    tag: str
    """Stands in the ledger: which experiment, which user."""
    priority: int
    """With a pacer: where calls wait, a higher one goes first. 0 by default."""


class Params(ToolParams, total=False):
    """What `chat`, `stream` and the constructor take."""

    tools: Sequence[Tool]


class CallParams(Params, total=False):
    """What only `chat` and `stream` take."""

    cache: Use
    """False: do not look and do not keep; "refresh": ask anew; "force": keep it although the rules say no."""


def checked(params: Params) -> dict[str, Any]:
    """The parameters that say something.

    Raises:
        UserError: a name that is no parameter; it offers a close one.
    """
    for name in params.keys() - Params.__annotations__.keys():
        from difflib import get_close_matches

        close = get_close_matches(name, CallParams.__annotations__, n=1)
        raise UserError(
            f"{name!r} is no parameter of LLMClient{f'; did you mean {close[0]!r}?' if close else '.'} "
            "What only one provider knows goes into extra={...}, in the words of its SDK."
        )
    return {name: value for name, value in params.items() if value is not None}
