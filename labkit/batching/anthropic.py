"""Anthropic: the requests go up in one body, the results come down as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from labkit.adapters.anthropic import AnthropicAdapter
from labkit.batching.lines import BatchLine
from labkit.batching.wire import Ask, BatchGone, Outcome, Phase, Seen, Status, each
from labkit.flow import Flow

STATUS: dict[str, Status] = {"canceled": "cancelled", "expired": "expired"}
NOT_RUN = {"canceled": "cancelled before its turn came", "expired": "not run within 24 hours"}


class AnthropicBatches:
    name = "anthropic"
    most_lines = 100_000
    most_bytes = 256_000_000
    id_pattern = "[a-zA-Z0-9_-]{1,64}"

    def __init__(self) -> None:
        self._adapter = AnthropicAdapter()

    def pack(self, line: BatchLine) -> bytes:
        return json.dumps({"custom_id": line.id, "params": self._params(line)}, ensure_ascii=False).encode()

    def _params(self, line: BatchLine) -> dict[str, Any]:
        wire = self._adapter.to_wire(line.request)
        body: dict[str, Any] = wire.pop("extra_body", {})
        wire.pop("extra_headers", None)
        return wire | body

    def submit(self, sdk: Any, ask: Ask, job: str, lines: Sequence[BatchLine], packed: Sequence[bytes]) -> Flow[str]:
        """The API's version is the batch's: sampling parameters in one line bring all lines to the older one."""
        headers: dict[str, str] = {}
        for line in lines:
            headers |= self._adapter.to_wire(line.request).get("extra_headers", {})
        requests = [{"custom_id": line.id, "params": self._params(line)} for line in lines]
        made = yield from ask(lambda: sdk.messages.batches.create(requests=requests, extra_headers=headers))
        return str(made.id)

    def mark(self, sdk: Any, ask: Ask) -> Flow[str | None]:
        """The newest batch before ours: the API lets us write no mark of our own on a batch."""
        newest = yield from ask(lambda: sdk.messages.batches.list(limit=1))
        return newest.data[0].id if newest.data else None

    def find(self, sdk: Any, ask: Ask, job: str, mark: str | None, lines: int) -> Flow[list[str]]:
        since = {"before_id": mark} if mark else {}
        page = yield from ask(lambda: sdk.messages.batches.list(limit=100, **since))
        return [batch.id for batch in page.data if _total(batch.request_counts) == lines]

    def look(self, sdk: Any, ask: Ask, remote: str) -> Flow[Seen]:
        batch = yield from ask(lambda: sdk.messages.batches.retrieve(remote))
        counts = batch.request_counts
        return Seen(_phase(batch), _total(counts) - counts.processing, (), batch)

    def outcomes(self, sdk: Any, ask: Ask, seen: Seen, ids: Sequence[str]) -> Flow[list[Outcome]]:
        if seen.raw.results_url is None:
            raise BatchGone(f"The results of {seen.raw.id} are archived.")
        results = yield from ask(lambda: sdk.messages.batches.results(seen.raw.id))
        return [self._outcome(row.custom_id, row.result) for row in (yield from each(results))]

    def cancel(self, sdk: Any, ask: Ask, remote: str) -> Flow[None]:
        yield from ask(lambda: sdk.messages.batches.cancel(remote))

    def _outcome(self, key: str, result: Any) -> Outcome:
        if result.type == "succeeded":
            return Outcome(key, "succeeded", self._adapter.from_wire(result.message))
        if result.type == "errored":
            error = result.error.error
            return Outcome(key, "failed", error=f"{error.type}: {error.message}")
        return Outcome(key, STATUS[result.type], error=NOT_RUN[result.type])


def _total(counts: Any) -> int:
    return int(counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired)


def _phase(batch: Any) -> Phase:
    """An ended batch is one word here; which lines ran is in the results."""
    if batch.processing_status != "ended":
        return "cancelling" if batch.processing_status == "canceling" else "running"
    if batch.cancel_initiated_at is not None:
        return "cancelled"
    return "expired" if batch.request_counts.expired else "completed"
