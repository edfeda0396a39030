"""Why a prompt was not read from the cache: Anthropic compares a request with an earlier one that the client names.

Source: the SDK's `Diagnostics` types. A request opts in with `diagnostics`; the earlier message's id is compared in the
order in which a prompt is laid out: model, tools, system, messages.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labkit.server.generation import Generation
from labkit.server.shapes import Field, check

if TYPE_CHECKING:
    from labkit.server.tenants import Tenant

FIELDS = {"previous_message_id": Field("string")}
MOST_REMEMBERED = 1_000


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a request's prompt was made of, as digests."""

    model: str
    tools: str
    system: str
    messages: tuple[str, ...]
    cacheable: int
    """Tokens up to the last breakpoint: what a matching request would have read."""


class Prompts:
    """The fingerprints of a tenant's last messages, by message id."""

    def __init__(self, tenant: Tenant) -> None:
        self._seen: OrderedDict[str, Fingerprint] = OrderedDict()

    def diagnose(self, body: dict[str, Any], message_id: str, generation: Generation) -> dict[str, Any]:
        """The response's `diagnostics` field, or nothing for a request that did not ask."""
        asked = body.get("diagnostics")
        if asked is None:
            return {}
        check(asked, FIELDS, at="diagnostics.")
        mine = fingerprint(body, generation)
        self._seen[message_id] = mine
        if len(self._seen) > MOST_REMEMBERED:
            self._seen.popitem(last=False)
        previous = asked.get("previous_message_id")
        reason = None if previous is None else miss(mine, self._seen.get(previous))
        return {"diagnostics": {"cache_miss_reason": reason} if reason else None}


def fingerprint(body: dict[str, Any], generation: Generation) -> Fingerprint:
    rendered = generation.request.rendered
    marks = rendered.breakpoints if rendered else ()
    return Fingerprint(
        model=generation.request.model.id,
        tools=_digest(body.get("tools") or []),
        system=_digest(body.get("system") or ""),
        messages=tuple(_digest(message) for message in body["messages"]),
        cacheable=marks[-1][0] if marks else 0,
    )


def miss(mine: Fingerprint, previous: Fingerprint | None) -> dict[str, Any] | None:
    """What stands between this prompt and the earlier one's cached prefix; None when it is a prefix."""
    if previous is None:
        return {"type": "previous_message_not_found"}
    for name in ("model", "tools", "system"):
        if getattr(mine, name) != getattr(previous, name):
            return {"type": f"{name}_changed", "cache_missed_input_tokens": previous.cacheable}
    if mine.messages[: len(previous.messages)] != previous.messages:
        return {"type": "messages_changed", "cache_missed_input_tokens": previous.cacheable}
    return None


def _digest(value: Any) -> str:
    return hashlib.blake2b(json.dumps(_bare(value), sort_keys=True).encode(), digest_size=16).hexdigest()


def _bare(value: Any) -> Any:
    """Without breakpoints, which move from turn to turn and change no token."""
    if isinstance(value, dict):
        return {k: _bare(v) for k, v in value.items() if k != "cache_control"}
    return [_bare(item) for item in value] if isinstance(value, list) else value
