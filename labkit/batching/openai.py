"""OpenAI: a JSONL file goes up, an output file and an error file come down."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from labkit.adapters.openai import OpenAIAdapter
from labkit.batching.lines import BatchLine
from labkit.batching.wire import UNRUN, Ask, Outcome, Phase, Seen
from labkit.errors import UserError
from labkit.flow import Flow

ENDPOINT = "/v1/chat/completions"
WINDOW = "24h"
MARK = "labkit_job"
"""Key in the batch's metadata, by which a batch is found whose answer was lost."""
PHASES: dict[str, Phase] = {
    "validating": "queued",
    "in_progress": "running",
    "finalizing": "running",
    "completed": "completed",
    "failed": "failed",
    "expired": "expired",
    "cancelling": "cancelling",
    "cancelled": "cancelled",
}


class OpenAIBatches:
    name = "openai"
    most_lines = 50_000
    most_bytes = 200_000_000
    id_pattern = ".+"

    def __init__(self) -> None:
        self._adapter = OpenAIAdapter()

    def pack(self, line: BatchLine) -> bytes:
        wire = self._adapter.to_wire(line.request)
        if "extra_headers" in wire or "extra_query" in wire:
            raise UserError("a line of OpenAI's batches has a body and no headers of its own: leave extra_headers out.")
        body = wire | wire.pop("extra_body", {})
        told = {"custom_id": line.id, "method": "POST", "url": ENDPOINT, "body": body}
        return json.dumps(told, ensure_ascii=False).encode()

    def submit(self, sdk: Any, ask: Ask, job: str, lines: Sequence[BatchLine], packed: Sequence[bytes]) -> Flow[str]:
        content = b"\n".join(packed) + b"\n"
        file = yield from ask(lambda: sdk.files.create(file=(f"{job}.jsonl", content), purpose="batch"))
        made = yield from ask(
            lambda: sdk.batches.create(
                input_file_id=file.id, endpoint=ENDPOINT, completion_window=WINDOW, metadata={MARK: job}
            )
        )
        return str(made.id)

    def mark(self, sdk: Any, ask: Ask) -> Flow[str | None]:
        yield from ()
        return None

    def find(self, sdk: Any, ask: Ask, job: str, mark: str | None, lines: int) -> Flow[list[str]]:
        newest = yield from ask(lambda: sdk.batches.list(limit=100))
        return [batch.id for batch in newest.data if (batch.metadata or {}).get(MARK) == job]

    def look(self, sdk: Any, ask: Ask, remote: str) -> Flow[Seen]:
        batch = yield from ask(lambda: sdk.batches.retrieve(remote))
        counts = batch.request_counts
        told = (batch.errors.data or []) if batch.errors else []
        problems = tuple(f"line {e.line}: {e.message}" if e.line is not None else str(e.message) for e in told)
        return Seen(PHASES[batch.status], counts.completed + counts.failed if counts else 0, problems, batch)

    def outcomes(self, sdk: Any, ask: Ask, seen: Seen, ids: Sequence[str]) -> Flow[list[Outcome]]:
        found: list[Outcome] = []
        for file in filter(None, (seen.raw.output_file_id, seen.raw.error_file_id)):
            content = yield from ask(lambda file=file: sdk.files.content(file))  # type: ignore[misc]
            found += [self._outcome(json.loads(text), seen) for text in content.text.splitlines() if text.strip()]
        return found

    def cancel(self, sdk: Any, ask: Ask, remote: str) -> Flow[None]:
        yield from ask(lambda: sdk.batches.cancel(remote))

    def _outcome(self, line: dict[str, Any], seen: Seen) -> Outcome:
        key, response, error = line["custom_id"], line.get("response"), line.get("error")
        if response is None:
            said = error or {}
            return Outcome(key, UNRUN.get(seen.phase, "failed"), error=str(said.get("message") or said.get("code")))
        body = response["body"]
        if response["status_code"] != 200:
            said = body.get("error", {})
            return Outcome(key, "failed", error=f"{response['status_code']}: {said.get('message')}")
        from openai.types.chat import ChatCompletion

        answer = self._adapter.from_wire(ChatCompletion.model_validate(body))
        return Outcome(key, "succeeded", replace(answer, request_id=response.get("request_id")))
