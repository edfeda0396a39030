"""Gemini: requests inline while they are small, in a JSONL file when they are not; results come back the same way.

A batch that is cancelled or expires gives out no results at all, though lines that had run may be charged: the
provider's bill may then be above the ledger.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

from labkit.adapters.gemini import GeminiAdapter
from labkit.batching.lines import BatchLine
from labkit.batching.wire import Ask, Outcome, Phase, Seen, each
from labkit.errors import UserError
from labkit.flow import Flow

INLINE_BYTES = 18_000_000
"""Google's limit for inline requests is 20 MB a request; the SDK writes a little more than we count."""
MIME = "application/jsonl"
TOP = ("system_instruction", "tools", "tool_config", "safety_settings", "cached_content")
"""What the SDK has in its config and the API beside `generation_config`."""
OF_THE_SDK = ("automatic_function_calling", "http_options")
PHASES: dict[str, Phase] = {
    "JOB_STATE_QUEUED": "queued",
    "JOB_STATE_PENDING": "queued",
    "JOB_STATE_RUNNING": "running",
    "JOB_STATE_CANCELLING": "cancelling",
    "JOB_STATE_SUCCEEDED": "completed",
    "JOB_STATE_PARTIALLY_SUCCEEDED": "completed",
    "JOB_STATE_FAILED": "failed",
    "JOB_STATE_CANCELLED": "cancelled",
    "JOB_STATE_EXPIRED": "expired",
}


class GeminiBatches:
    name = "gemini"
    most_lines = 200_000
    most_bytes = 2_000_000_000
    id_pattern = ".+"

    def __init__(self, *, inline_bytes: int = INLINE_BYTES) -> None:
        self._adapter = GeminiAdapter()
        self._inline_bytes = inline_bytes

    def pack(self, line: BatchLine) -> bytes:
        wire = self._adapter.to_wire(line.request)
        if any(not isinstance(content, dict) for content in wire["contents"]):
            raise UserError("a turn of an earlier answer cannot be sent in a batch: write it as text.")
        config = wire["config"]
        request = {"contents": wire["contents"], **{name: config[name] for name in TOP if name in config}}
        if isinstance(request.get("system_instruction"), str):
            request["system_instruction"] = {"parts": [{"text": request["system_instruction"]}]}
        rest = {name: value for name, value in config.items() if name not in (*TOP, *OF_THE_SDK)}
        return json.dumps({"key": line.id, "request": request | {"generation_config": rest}}).encode()

    def submit(self, sdk: Any, ask: Ask, job: str, lines: Sequence[BatchLine], packed: Sequence[bytes]) -> Flow[str]:
        model = lines[0].request.model
        source: Any
        if sum(map(len, packed)) > self._inline_bytes:
            content = b"\n".join(packed) + b"\n"
            config = {"mime_type": MIME, "display_name": job}
            file = yield from ask(lambda: sdk.files.upload(file=io.BytesIO(content), config=config))
            source = file.name
        else:
            source = [self._inlined(line) for line in lines]
        made = yield from ask(lambda: sdk.batches.create(model=model, src=source, config={"display_name": job}))
        return str(made.name)

    def _inlined(self, line: BatchLine) -> dict[str, Any]:
        wire = self._adapter.to_wire(line.request)
        config = {name: value for name, value in wire["config"].items() if name not in OF_THE_SDK}
        return {"contents": wire["contents"], "config": config, "metadata": {"key": line.id}}

    def mark(self, sdk: Any, ask: Ask) -> Flow[str | None]:
        yield from ()
        return None

    def find(self, sdk: Any, ask: Ask, job: str, mark: str | None, lines: int) -> Flow[list[str]]:
        newest = yield from ask(lambda: sdk.batches.list(config={"page_size": 50}))
        page = getattr(newest, "page", None)
        jobs = page if page is not None else (yield from each(newest))
        return [str(batch.name) for batch in jobs if batch.display_name == job]

    def look(self, sdk: Any, ask: Ask, remote: str) -> Flow[Seen]:
        batch = yield from ask(lambda: sdk.batches.get(name=remote))
        stats = batch.completion_stats
        done = (stats.successful_count or 0) + (stats.failed_count or 0) if stats else 0
        problems = (str(batch.error.message),) if batch.error and batch.error.message else ()
        return Seen(PHASES.get(batch.state.name, "running"), done, problems, batch)

    def outcomes(self, sdk: Any, ask: Ask, seen: Seen, ids: Sequence[str]) -> Flow[list[Outcome]]:
        dest = seen.raw.dest
        if dest is None:
            return []
        if dest.file_name:
            from google.genai import types

            content = yield from ask(lambda: sdk.files.download(file=dest.file_name))
            rows = [json.loads(text) for text in content.decode().splitlines() if text.strip()]
            read = types.GenerateContentResponse.model_validate
            told = [(r["key"], read(r["response"]) if "response" in r else None, r.get("error")) for r in rows]
            return [self._outcome(key, reply, (error or {}).get("message")) for key, reply, error in told]
        found = []
        for place, row in enumerate(dest.inlined_responses or ()):
            key = (row.metadata or {}).get("key", ids[place])  # in the order of the requests
            found.append(self._outcome(key, row.response, row.error.message if row.error else None))
        return found

    def cancel(self, sdk: Any, ask: Ask, remote: str) -> Flow[None]:
        yield from ask(lambda: sdk.batches.cancel(name=remote))

    def _outcome(self, key: str, reply: Any, error: str | None) -> Outcome:
        if reply is None:
            return Outcome(key, "failed", error=error or "no answer")
        return Outcome(key, "succeeded", self._adapter.from_wire(reply))
