"""An answer as it lies in a store: one line of JSON, readable with any tool, and never a pickle.

    {"text":"An API is ...","finish":"stop","model":"...","cost_usd":0.00012,"latency_s":0.8,"created":1795...}
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from labkit.chat import ChatResponse, Message, ToolCall

if TYPE_CHECKING:
    from labkit.chat import Finish


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept of an answer, with what it took to get it."""

    text: str
    finish: Finish
    provider: str
    model: str
    created: float
    """On the cache's clock, in seconds."""
    expires: float | None = None
    """On the same clock; None: never."""
    provider_finish: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    """Of answers whose caching was forced."""
    cost_usd: float | None = None
    latency_s: float = 0.0
    request_id: str | None = None

    @classmethod
    def of(cls, response: ChatResponse, *, created: float, ttl: float | None) -> Record:
        assert response.finish_reason is not None
        return cls(
            text=response.text,
            finish=response.finish_reason,
            provider=response.provider,
            model=response.model,
            created=created,
            expires=None if ttl is None else created + ttl,
            provider_finish=response.provider_finish_reason,
            tool_calls=response.tool_calls,
            cost_usd=response.cost_usd,
            latency_s=round(response.latency_s, 6),
            request_id=response.request_id,
        )

    def response(self, *, latency_s: float, notes: tuple[str, ...]) -> ChatResponse:
        """The answer again: no tokens used, nothing to pay."""
        return ChatResponse(
            text=self.text,
            tool_calls=self.tool_calls,
            finish_reason=self.finish,
            provider_finish_reason=self.provider_finish,
            cost_usd=0.0,
            latency_s=latency_s,
            request_id=self.request_id,
            model=self.model,
            provider=self.provider,
            notes=notes,
            message=Message("assistant", self.text, self.tool_calls),
            cached=True,
            saved_usd=self.cost_usd,
        )

    def to_json(self) -> str:
        row = asdict(self)
        return json.dumps({name: value for name, value in row.items() if value is not None}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Record:
        """
        Raises:
            ValueError: no record.
        """
        try:
            row: dict[str, Any] = json.loads(text)
            row["tool_calls"] = tuple(ToolCall(**call) for call in row.get("tool_calls", ()))
            return cls(**row)
        except (TypeError, AttributeError, KeyError) as error:
            raise ValueError(f"no cache record: {error}") from None
