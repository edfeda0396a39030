"""A real model behind every protocol: any OpenAI-compatible server as the lab's engine.

`labkit serve --relay URL` sends each prompt on to `URL/chat/completions` (Ollama, vLLM, llama.cpp, or another lab
server) and gives what comes back the shape of whatever protocol was asked. Limits, caches, faults, journal and prices
stay the lab's; the words and the token ids are the upstream's.

What an upstream cannot tell is not made up: there is no exact distribution, log-probabilities are refused, and tokens
are counted with the lab's own tokenizer unless the upstream reports them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from labkit import tokens
from labkit.engine.base import O200K, Call, Decoder, Prompt, Turn, Vocabulary
from labkit.server.errors import ApiError, Kind
from labkit.server.generation import Choice, Finish, Generation, GenerationRequest, Part, Piece
from labkit.server.prompt_cache import UNCACHED, CacheUse

FINISH: dict[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}
CONNECT_S, READ_S = 5.0, 120.0


class RelayEngine:
    """Stands where the embedded engine stands, and has no distribution of its own."""

    name = "relay"
    vocabulary: Vocabulary = O200K

    def __init__(self, url: str, model: str, key: str = "") -> None:
        """`url` ends in the version, as for OpenAI's SDK; `model` is the upstream's own name of its model."""
        import httpx  # 8 MB and a tenth of a second, for those who relay

        self.url = url.rstrip("/")
        self.model = model
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        timeout = httpx.Timeout(READ_S, connect=CONNECT_S)
        # The address is the operator's own, and mostly a neighbour: no proxy of the environment comes between.
        self._client = httpx.Client(headers=headers, timeout=timeout, trust_env=False)

    def open(self, prompt: Prompt) -> Decoder:
        raise ApiError(
            "invalid_request", "The relay to another server has no distribution to show.", code="lab_not_served"
        )

    def think(self, prompt: Prompt, steps: int) -> Decoder:
        return self.open(prompt)

    def events(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The upstream's chunks.

        Raises:
            ApiError: it cannot be reached, or refuses.
        """
        import httpx

        try:
            with self._client.stream("POST", f"{self.url}/chat/completions", json=body) as answer:
                if answer.status_code != 200:
                    raise _refused(answer.status_code, answer.read())
                for line in answer.iter_lines():
                    if line.startswith("data: ") and line != "data: [DONE]":
                        yield json.loads(line.removeprefix("data: "))
        except (httpx.HTTPError, json.JSONDecodeError) as problem:
            message = f"The server behind the relay, {self.url}, cannot be used: {problem}. Is it running?"
            raise ApiError("bad_gateway", message, code="relay_failed") from None


def _refused(status: int, body: bytes) -> ApiError:
    try:
        message = json.loads(body)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = body[:200].decode("utf-8", "replace")
    kind: Kind = "rate_limit" if status == 429 else "invalid_request" if 400 <= status < 500 else "bad_gateway"
    return ApiError(kind, f"The server behind the relay answered {status}: {message}", code="relay_failed")


class RelayedGeneration(Generation):
    """Answers that are made elsewhere."""

    blocking = True

    def __init__(self, request: GenerationRequest, relay: RelayEngine, seed: int, cache: CacheUse = UNCACHED) -> None:
        if request.top_logprobs is not None:
            raise ApiError("invalid_request", "The relay does not serve log-probabilities.", code="lab_not_served")
        super().__init__(request, [Choice(i) for i in range(request.n)], cache)
        self._events = relay.events(body_of(request, relay.model, seed))

    def pieces(self) -> Iterator[tuple[Choice, Piece]]:
        for event in self._events:
            for chunk in event.get("choices") or []:
                choice = self.choices[chunk.get("index", 0)]
                yield from ((choice, piece) for piece in self._read(choice, chunk.get("delta") or {}))
                if reason := chunk.get("finish_reason"):
                    choice.finish = FINISH.get(reason, "stop")
            self._count(event.get("usage") or {})
        for choice in self.choices:
            choice.finish = choice.finish or "stop"

    def _read(self, choice: Choice, delta: dict[str, Any]) -> Iterator[Piece]:
        if text := delta.get("content"):
            part = choice.parts[-1]
            if part.tool is not None:
                choice.parts.append(part := Part(len(choice.parts)))
            yield self._show(choice, part, text)
        for call in delta.get("tool_calls") or []:
            function = call.get("function") or {}
            if name := function.get("name"):
                tool = next((t for t in self.request.tools if t.name == name), None)
                if tool is None:
                    continue
                call_id = str(call.get("id") or len(choice.parts)).removeprefix("call_")
                choice.parts.append(Part(len(choice.parts), tool, call_id=call_id))
                yield Piece("", choice.parts[-1])
            if arguments := function.get("arguments"):
                yield self._show(choice, choice.parts[-1], arguments)

    def _show(self, choice: Choice, part: Part, text: str) -> Piece:
        part.shown.append(text)
        choice.tokens += tokens.count(text)
        return Piece(text, part)

    def _count(self, usage: dict[str, Any]) -> None:
        """The upstream's own count of output, where it gives one and it is for one answer."""
        if len(self.choices) == 1 and isinstance(usage.get("completion_tokens"), int):
            self.choices[0].tokens = usage["completion_tokens"]


def body_of(request: GenerationRequest, model: str, seed: int) -> dict[str, Any]:
    """The request as a chat completion. Only what differs from the defaults is sent: small servers know few fields."""
    sampling, prompt = request.sampling, request.prompt
    body: dict[str, Any] = {
        "model": model,
        "messages": list(messages_of(prompt.turns)),
        "max_tokens": request.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": seed % 2**31,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    optional: dict[str, Any] = {
        "stop": list(request.stop),
        "n": request.n if request.n > 1 else None,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "logit_bias": {str(token): bias for token, bias in sampling.logit_bias},
        "tools": [_function(t.name, t.description, t.parameters) for t in prompt.tools],
        "response_format": _format(prompt),
    }
    if prompt.tools:
        named = {"type": "function", "function": {"name": prompt.tool_choice}}
        optional["tool_choice"] = prompt.tool_choice if prompt.tool_choice in ("auto", "none", "required") else named
    return body | {name: value for name, value in optional.items() if value}


def _function(name: str, description: str, parameters: str) -> dict[str, Any]:
    spec = {"name": name, "description": description, "parameters": json.loads(parameters)}
    return {"type": "function", "function": spec}


def _format(prompt: Prompt) -> dict[str, Any] | None:
    if prompt.schema:
        return {"type": "json_schema", "json_schema": {"name": "answer", "schema": json.loads(prompt.schema)}}
    return {"type": "json_object"} if prompt.json else None


def messages_of(turns: tuple[Turn, ...]) -> Iterator[dict[str, Any]]:
    """Turns as messages; calls get ids of their own, which their results then name in order."""
    waiting: list[str] = []
    made = 0
    for turn in turns:
        if turn.role == "tool":
            yield {"role": "tool", "tool_call_id": waiting.pop(0) if waiting else "call_0", "content": turn.text}
            continue
        message: dict[str, Any] = {"role": turn.role, "content": turn.text}
        if turn.calls:
            waiting = [f"call_{made + n}" for n in range(len(turn.calls))]
            made += len(waiting)
            message["tool_calls"] = [_call(i, c) for i, c in zip(waiting, turn.calls, strict=True)]
        yield message


def _call(call_id: str, call: Call) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
