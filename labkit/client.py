"""One client for every provider: the same question, the same kind of answer, another provider by configuration.

    client = LLMClient("anthropic")                      # or LLMClient("openai/MODEL"), LLMClient(model=...)
    client.chat("What is an API?").text
    for piece in client.stream("Tell me a story"): ...
    await client.achat("What is an API?")
    client.batch(["What is an API?", ...]).submit().wait()

How a call goes, top to bottom: `_call` completes the request and checks it against the model's row; `calls.chat` holds
the budget, lets the adapter turn the request into the SDK's arguments, sends it, repeats it when that can help, and
books what it took; the adapter turns the reply into our words. Each exists once: `run` drives it plainly, `arun` with
`await` (see `labkit.flow`).

Calls are repeated here and not in the SDKs: one policy for all providers (google-genai does not repeat by itself, nor
read how long to wait), each repetition counted, and no call repeated behind the budget's back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from labkit import adapters, capabilities, connections, ledger, prices, registry
from labkit.calls import Call, Charge, Line, most_usage, sent
from labkit.chat import ChatRequest, ChatResponse, Embeddings, Messages, as_messages
from labkit.choosing import default_model, family, resolved
from labkit.errors import UserError
from labkit.flow import Do, Flow, arun, retries, run
from labkit.pacing.load import Size
from labkit.params import CallParams, Params, ToolParams, checked
from labkit.rounds import ROUNDS, answered, worked
from labkit.streams import AsyncChatStream, ChatStream
from labkit.structured import Shape
from labkit.tools import Tool, functions, spec
from labkit.usage import Usage

if TYPE_CHECKING:
    from tenacity import BaseRetrying

    from labkit.batching import Batch
    from labkit.batching.lines import Rows
    from labkit.budget import Budget
    from labkit.caching.passage import Passage, Use
    from labkit.caching.response_cache import ResponseCache
    from labkit.ledger import Ledger
    from labkit.pacing import Pacer
    from labkit.secret import Secret

MAX_TOKENS = 4096
"""Default cap of an answer. Always sent: Anthropic insists on one, and no budget can hold without one."""
TIMEOUT = 600.0
"""Seconds; the SDKs' own."""


class LLMClient:
    """Chat, streams, embeddings and token counts of one model."""

    def __init__(
        self,
        provider: str | None = None,
        model: str | None = None,
        tier: str = "small",
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        retry: BaseRetrying | int | None = None,
        timeout: float = TIMEOUT,
        drop_unsupported: bool = False,
        budget: Budget | float | None = None,
        ledger: Ledger | None = None,
        price: prices.Price | None = None,
        cache: ResponseCache | Path | str | bool | None = None,
        pacer: Pacer | None = None,
        **defaults: Unpack[Params],
    ) -> None:
        """
        Args:
            provider: "openai", "anthropic", "gemini", "azure", "bedrock", "litellm", "compatible", or "provider/model".
                Left out, the registry knows whose `model` is; without both it is OpenAI.
            model: by default the course's model of this provider and `tier`.
            base_url, api_key: for "compatible": any server that speaks OpenAI's protocol.
            retry: attempts in all, or a tenacity policy.
            timeout: seconds.
            drop_unsupported: leave out parameters that the model does not take, with a note in the response.
            budget: USD or a `Budget`, for the calls of this client; live calls have the session's besides.
            price: for a model that no list has.
            cache: of answers of `chat` and `stream`: True for the user's own, "memory", a path, a Redis address, a
                `ResponseCache` or a `SemanticCache`. Tool loops never use it.
            pacer: lets calls wait where a limit would refuse them; one `Pacer` may serve many clients.
            defaults: parameters of every call; a call's own win.

        Raises:
            UserError: an unknown provider or parameter.
            registry.UnknownModel: no such model or tier.
        """
        from labkit.budget import Budget

        if base_url is not None and provider is None:
            provider = "compatible"
        maker, self._given_model = resolved(provider, model)
        self.adapter = adapters.adapter(maker, base_url=base_url, api_key=api_key)
        self.provider = self.adapter.name
        self.model = self._given_model or default_model(maker, tier)
        self._drop = drop_unsupported
        self._defaults = checked(defaults)
        self._line = Line(
            adapter=self.adapter,
            policy=retries(retry or 1) if isinstance(retry, int) else retry or retries(),
            timeout=timeout,
            budget=Budget(budget) if isinstance(budget, (int, float)) else budget,
            ledger=ledger,
            price=price,
            pacer=pacer,
        )
        self.cache = _cache(cache)

    def __repr__(self) -> str:
        return f"<LLMClient {self.provider}/{self.model}>"

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Parameters of every call that does not say otherwise."""
        return self._defaults

    @property
    def line(self) -> Line:
        """The way to the provider, for what makes calls of its own, such as batches."""
        return self._line

    @property
    def budget(self) -> Budget | None:
        """The budget given to this client; live calls stand under the session's besides."""
        return self._line.budget

    # --- one answer ---

    def chat(self, messages: Messages, **params: Unpack[CallParams]) -> ChatResponse:
        """Ask, and wait for the whole answer. With `schema`, `response.parsed` is the answer as an object.

        Raises:
            UnsupportedParameter: the model does not take one of the parameters; nothing was sent.
            BudgetExceeded: the call could pass a budget; nothing was sent.
            CallError: the call failed, see `labkit.errors` for the kinds; the SDK's error is its cause.
            NotStarted: no session.
        """
        use = params.pop("cache", None)
        call, shape = self._call(messages, params)
        return run(self._remembered(call, shape, self._connect, use))

    async def achat(self, messages: Messages, **params: Unpack[CallParams]) -> ChatResponse:
        """The same as `chat`, with `await`."""
        use = params.pop("cache", None)
        call, shape = self._call(messages, params)
        return await arun(self._remembered(call, shape, self._aconnect, use))

    def stream(self, messages: Messages, **params: Unpack[CallParams]) -> ChatStream:
        """Ask, and iterate over the answer while it is written; then read its `response`.

        The loop raises what `chat` does, and `IncompleteStream` when the stream ends without a finish reason.
        """
        use = params.pop("cache", None)
        call, shape = self._call(messages, params)
        return ChatStream(self._line, call, shape, self._connect, self._passage(call, shape, use, "stream"))

    def astream(self, messages: Messages, **params: Unpack[CallParams]) -> AsyncChatStream:
        """The same as `stream`, with `async for`."""
        use = params.pop("cache", None)
        call, shape = self._call(messages, params)
        return AsyncChatStream(self._line, call, shape, self._aconnect, self._passage(call, shape, use, "stream"))

    # --- tools ---

    def run_tools(
        self, messages: Messages, tools: Sequence[Tool], *, max_rounds: int = ROUNDS, **params: Unpack[ToolParams]
    ) -> ChatResponse:
        """Ask, run the functions that the model asks for, send the results back, until it answers.

        Returns:
            The last answer, with what all rounds took; `transcript` has every turn.

        Raises:
            ToolsUnfinished: the model still asks for tools after `max_rounds`.
        """
        call, shape = self._call(messages, {**params, "tools": tools})
        return run(worked(self._line, call, shape, functions(tools), max_rounds, self._connect))

    async def arun_tools(
        self, messages: Messages, tools: Sequence[Tool], *, max_rounds: int = ROUNDS, **params: Unpack[ToolParams]
    ) -> ChatResponse:
        """The same with `await`; tools may be asynchronous."""
        call, shape = self._call(messages, {**params, "tools": tools})
        return await arun(worked(self._line, call, shape, functions(tools), max_rounds, self._aconnect))

    # --- embeddings and counting ---

    def embed(self, texts: str | Sequence[str], *, dimensions: int | None = None, tag: str = "") -> Embeddings:
        """One vector a text, in order.

        Raises:
            UserError: no text, or a provider without embeddings.
        """
        return run(self._embedded([texts] if isinstance(texts, str) else list(texts), dimensions, tag, self._connect))

    async def aembed(self, texts: str | Sequence[str], *, dimensions: int | None = None, tag: str = "") -> Embeddings:
        """The same as `embed`, with `await`."""
        given = [texts] if isinstance(texts, str) else list(texts)
        return await arun(self._embedded(given, dimensions, tag, self._aconnect))

    def count_tokens(self, messages: Messages, *, system: str | None = None, ask: bool = False) -> int:
        """Tokens of a prompt.

        Args:
            ask: ask the provider's own endpoint, which is exact for its models. Otherwise they are counted here: exact
                for OpenAI's models, an estimate for those whose tokenizer is not public.
        """
        if not ask:
            return ledger.count(messages, self.model, system=system)
        call, _ = self._call(messages, {"system": system})
        return run(self._counted(call.request))

    def prepare(self, messages: Messages, **params: Unpack[Params]) -> Call:
        """The call that `chat` would make, checked against the model's row: its request, and notes. Nothing is sent.

        Raises:
            UserError: it cannot be sent.
        """
        return self._call(messages, params)[0]

    def request(self, messages: Messages, **params: Unpack[Params]) -> ChatRequest:
        """The complete request of that call."""
        return self.prepare(messages, **params).request

    def batch(self, requests: Rows, *, progress: bool = True, **params: Unpack[Params]) -> Batch:
        """Many requests as one job at the batch price. It is built and checked here; `submit()` sends it.

        Args:
            requests: texts, lists of messages, mappings with "prompt" or "messages", or a DataFrame; a mapping may
                have an "id" and parameters of its own.
            progress: show a bar while waiting.
            params: as of `chat`, for all of them.

        Raises:
            InvalidBatch: a request cannot be sent as it is; it names the line.
            UserError: a provider without batches here.
        """
        from labkit.batching import Batch

        return Batch(self, requests, progress=progress, **params)

    def estimate(self, messages: Messages, *, calls: int = 1, **params: Unpack[Params]) -> float:
        """The most that such calls can cost, in USD, before one is made.

        Raises:
            UserError: no price is known.
        """
        request = self.request(messages, **params)
        return calls * self._line.most_usd(request.model, most_usage(request))

    # --- how ---

    def _call(self, messages: Messages, params: Params) -> tuple[Call, Shape | None]:
        """The complete request, checked."""
        merged = {**self._defaults, **checked(params)}
        schema, tools, stop = merged.pop("schema", None), merged.pop("tools", ()), merged.pop("stop", ())
        tag, priority = str(merged.pop("tag", "")), merged.pop("priority", 0)
        shape = None if schema is None else Shape(schema)
        request = ChatRequest(
            model=self.model,
            messages=as_messages(messages),
            max_tokens=merged.pop("max_tokens", MAX_TOKENS),
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
            tools=tuple(spec(tool) for tool in tools),
            schema=shape.schema if shape else None,
            schema_name=shape.name if shape else "answer",
            **merged,
        )
        row, parameters = self._row(), self.adapter.parameters
        request, notes = capabilities.settle(request, row, parameters, self.provider, drop=self._drop)
        return Call(request, tag, notes, priority), shape

    def _passage(self, call: Call, shape: Shape | None, use: Use | None, kind: str) -> Passage | None:
        """The call's way through a cache; None when it takes none."""
        if use is False or (use is None and self.cache is None):
            return None
        from labkit.caching.passage import Passage

        cache = self.cache if self.cache is not None else _cache(True)
        assert cache is not None
        return Passage(cache, self, self._line, call, shape, use=True if use is None else use, kind=kind)

    def _remembered(self, call: Call, shape: Shape | None, connect: Any, use: Use | None) -> Flow[ChatResponse]:
        passage = self._passage(call, shape, use, "chat")
        if passage is None:
            return answered(self._line, call, shape, connect)
        return passage.chat(lambda: answered(self._line, call, shape, connect))

    def _embedded(self, texts: list[str], dimensions: int | None, tag: str, connect: Any) -> Flow[Embeddings]:
        if not texts:
            raise UserError("There is no text to embed.")
        model = self.embedding_model
        sdk = yield Do(connect)

        def send(retry: int) -> Flow[Any]:
            own = sdk if permit.key is None else (yield Do(lambda: connect(permit.key)))
            return (yield Do(lambda: self.adapter.embed(own, model, texts, dimensions=dimensions, retry=retry)))

        def most() -> Usage:
            return Usage(input=sum(ledger.prompt_tokens(text, model) for text in texts))

        with self._line.permit(model, lambda: Size.of_texts(texts)) as permit:
            yield from permit.admission()
            with Charge(self._line, model, "embed", tag=tag, most=most) as bill:
                reply = yield from sent(self._line, model, bill, send, permit)
                vectors, bill.usage = self.adapter.vectors(reply)
            permit.done(bill.usage)
        return Embeddings(
            vectors, bill.usage, bill.cost_usd, bill.seconds, model, self.provider, retries=bill.retries, raw=reply
        )

    def _counted(self, request: ChatRequest) -> Flow[int]:
        sdk = yield Do(self._connect)
        return self.adapter.counted((yield Do(lambda: self.adapter.count(sdk, request))))

    def _connect(self, key: Secret | None = None) -> Any:
        return connections.client(self.adapter, self._line.timeout, key)

    def _aconnect(self, key: Secret | None = None) -> Any:
        return connections.aclient(self.adapter, self._line.timeout, key)

    def _row(self) -> registry.Model | None:
        try:
            return registry.find(self.adapter.origin(self.model)[1])
        except registry.UnknownModel:
            return None

    @property
    def embedding_model(self) -> str:
        """What `embed` asks: the client's own model if it embeds, else the provider's of the course.

        Raises:
            UserError: the provider has no embeddings.
        """
        if not self.adapter.embeds:
            raise UserError(f"{self.provider} has no embeddings: LLMClient('openai') and LLMClient('gemini') have.")
        row = self._row()
        if self._given_model and (row is None or row.kind == "embedding"):
            return self._given_model
        return registry.model(family(self.provider), "embedding")


def _cache(wanted: ResponseCache | Path | str | bool | None) -> ResponseCache | None:
    if wanted is None or wanted is False:
        return None
    if wanted is not True and not isinstance(wanted, (str, Path)):
        return wanted
    from labkit.caching.response_cache import shared

    return shared(None if wanted is True else wanted)
