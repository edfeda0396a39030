"""One call, written once: check, hold the budget, send, repeat if that can help, read, book.

Everything here is a flow (see `labkit.flow`) or pure. `LLMClient` drives the flows, plainly or with `await`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from labkit import budget as budgets
from labkit import ledger as ledgers
from labkit import prices, registry
from labkit.adapters.base import Adapter, Answer, turn
from labkit.adapters.failures import as_call_error
from labkit.chat import ChatRequest, ChatResponse
from labkit.errors import CallError, TransportError, UserError
from labkit.flow import Do, Flow, attempt
from labkit.pacing.load import Size
from labkit.pacing.permit import FREE, Free, Permit
from labkit.session import current
from labkit.usage import Usage

if TYPE_CHECKING:
    from tenacity import BaseRetrying

    from labkit.budget import Budget, Hold
    from labkit.ledger import Ledger
    from labkit.pacing import Pacer

T = TypeVar("T")
Connect = Callable[..., Any]
"""The SDK's client, or of an asynchronous one what to await; takes a key in place of the session's."""
ID_HEADERS = ("x-request-id", "request-id", "x-amzn-requestid")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Line:
    """The way from a client to its provider: what all calls of one `LLMClient` share."""

    adapter: Adapter
    policy: BaseRetrying
    timeout: float
    budget: Budget | None
    ledger: Ledger | None
    """None: the user's own."""
    price: prices.Price | None
    """None: the list price."""
    pacer: Pacer | None = None
    """None: calls are sent at once."""

    def permit(self, model: str, size: Callable[[], Size], *, priority: int = 0) -> Permit | Free:
        """A call's permission to be sent; without a pacer it is always there."""
        if self.pacer is None:
            return FREE
        live = self.mode(model) == "live"
        return self.pacer.permit(self.adapter.name, model, size(), priority=priority, live=live)

    def mode(self, model: str) -> str:
        """"live" when this goes to a real service and may cost money, else "local"."""
        address = getattr(self.adapter, "base_url", None)
        if address is not None:
            return "local" if urlsplit(address).hostname in LOOPBACK else "live"
        return "live" if self.adapter.origin(model)[0] in current().live else "local"

    def price_of(self, model: str) -> prices.Price | None:
        if self.price is not None:
            return self.price
        try:
            return prices.price(self.adapter.origin(model)[1])
        except (registry.UnknownModel, prices.UnknownPrice):
            return None

    def most_usd(self, model: str, most: Usage) -> float:
        """USD for the largest usage that a call can have.

        Raises:
            UserError: no price is known.
        """
        price = self.price_of(model)
        if price is None:
            raise UserError(
                f"No price is known for {model}, so no estimate and no budget can be kept: "
                "give the client one, LLMClient(..., price=prices.Price(...))."
            )
        return price.cost(most)


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it will be sent, and what labkit needs to know besides."""

    request: ChatRequest
    tag: str = ""
    notes: tuple[str, ...] = ()
    priority: int = 0
    """Before which others it goes, when a pacer lets calls wait."""


class Charge:
    """The money of one call: budgets are held before it, its line goes to the ledger after it, also when it fails."""

    def __init__(self, line: Line, model: str, kind: str, *, tag: str, most: Callable[[], Usage]) -> None:
        """
        Args:
            most: the largest usage that the call can have; asked only when a budget needs it.
        """
        self._line, self.model, self._kind, self._tag, self._most = line, model, kind, tag, most
        self._mode = line.mode(model)
        self._price = line.price_of(model)
        self._holds: list[Hold] = []
        self.began = perf_counter()
        self.usage = Usage()
        self.estimated = False
        self.finish: str | None = None
        self.request_id: str | None = None
        self.retries = 0

    @property
    def cost_usd(self) -> float | None:
        """USD, of the usage so far; None when no price is known."""
        return None if self._price is None else self._price.cost(self.usage)

    @property
    def seconds(self) -> float:
        return perf_counter() - self.began

    def __enter__(self) -> Charge:
        self._holds = hold(self._line, self.model, lambda: self._line.most_usd(self.model, self._most()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cost = self.cost_usd
        # A call that broke on the way may have been charged: its hold stays taken, so that the ceiling holds.
        unknown = isinstance(error, TransportError) and self.usage == Usage()
        for hold in self._holds:
            hold.settle(hold.most_usd if unknown else cost or 0.0)
        if isinstance(error, CallError):
            self.retries, self.request_id = error.retries, self.request_id or error.request_id
        self._book(type(error).__name__ if error else "ok", cost)

    def _book(self, status: str, cost: float | None) -> None:
        usage = self.usage
        entry = ledgers.Entry(
            time=ledgers.now(),
            provider=self._line.adapter.name,
            model=self.model,
            kind=self._kind,
            mode=self._mode,
            status="closed" if status == "GeneratorExit" else status,
            tag=self._tag,
            **{name: getattr(usage, name) for name in Usage.__dataclass_fields__},
            estimated=self.estimated,
            cost_usd=None if cost is None else round(cost, 12),
            retries=self.retries,
            latency_s=round(self.seconds, 6),
            finish=self.finish,
            request_id=self.request_id,
        )
        (self._line.ledger or ledgers.current()).append(entry)


def limits(line: Line, model: str) -> list[Budget]:
    """The budgets that a call stands under: the client's own, and live the session's."""
    found = [line.budget] if line.budget else []
    return found + ([budgets.of_session(current())] if line.mode(model) == "live" else [])


def hold(line: Line, model: str, most_usd: Callable[[], float]) -> list[Hold]:
    """Hold back the most that something can cost, from the client's budget and, live, from the session's.

    Args:
        most_usd: asked only when there is a budget.

    Raises:
        BudgetExceeded: one of them has not that much left. Nothing is held then.
    """
    ceilings = limits(line, model)
    if not ceilings:
        return []
    most = most_usd()
    with ExitStack() as opening:  # when the second budget refuses, the first one gets its hold back
        holds = [opening.enter_context(limit.hold(most)) for limit in ceilings]
        opening.pop_all()
        return holds


def charge(line: Line, call: Call, kind: str) -> Charge:
    """The charge of a chat call."""
    return Charge(line, call.request.model, kind, tag=call.tag, most=lambda: most_usage(call.request))


def most_usage(request: ChatRequest) -> Usage:
    """The largest usage of a request: the whole prompt written to a cache, the whole answer used."""
    more = "".join(f"{t.name}{t.description}{dict(t.parameters)}" for t in request.tools) + str(request.schema or "")
    prompt = ledgers.prompt_tokens(request.messages, request.model, system=request.system, more=more)
    return Usage(cache_write=prompt, output=request.max_tokens)


def permitted(line: Line, call: Call) -> Permit | Free:
    """The permit of a chat call."""
    request = call.request
    return line.permit(request.model, lambda: Size.of_request(request), priority=call.priority)


def chat(line: Line, call: Call, connect: Connect) -> Flow[ChatResponse]:
    """One question, one whole answer."""
    adapter, request = line.adapter, call.request
    sdk = yield Do(connect)
    wire = adapter.to_wire(request)

    def send(retry: int) -> Flow[tuple[Any, Mapping[str, str]]]:
        own = sdk if permit.key is None else (yield Do(lambda: connect(permit.key)))
        raw = yield Do(lambda: adapter.send(own, wire, stream=False, retry=retry))
        return (yield Do(lambda: adapter.unpack(raw))), adapter.headers(raw)

    with permitted(line, call) as permit:
        yield from permit.admission()  # before the budget is held: what waits in a queue holds none
        with charge(line, call, "chat") as bill:
            reply, headers = yield from sent(line, request.model, bill, send, permit)
            permit.heard(headers)
            answer = adapter.from_wire(reply)
            bill.usage, bill.finish = answer.usage or Usage(), answer.finish
            bill.request_id = request_id_of(answer, headers)
        permit.done(bill.usage)
    waited = permit.waited_s
    return response(line, answer, bill, waited_s=waited, headers=headers, notes=call.notes, raw=reply)


def request_id_of(answer: Answer, headers: Mapping[str, str]) -> str | None:
    """The provider's name for a request, to quote when asking its support."""
    return answer.request_id or next((headers[name] for name in ID_HEADERS if name in headers), None)


def sent(
    line: Line, model: str, bill: Charge, send: Callable[[int], Flow[T]], permit: Permit | Free = FREE
) -> Flow[T]:
    """Send as often as the policy says. Errors are ours from here on.

    Args:
        permit: admitted already; each repetition waits for it again.
    """

    def once(before: int) -> Flow[T]:
        bill.retries = before
        if before:
            yield from permit.admission(again=True)
        while True:
            try:
                return (yield from send(before))
            except Exception as error:
                ours = as_call_error(error, line.adapter, model)
                if not permit.failed(ours or error):
                    if ours is None:
                        raise  # not about the call: an argument that the SDK does not know, for instance
                    raise ours from error
            yield from permit.admission(again=True)  # the key was refused, and another one is there

    return attempt(line.policy, once)


def response(line: Line, answer: Answer, bill: Charge, **more: Any) -> ChatResponse:
    """An answer with what it took."""
    return ChatResponse(
        text=answer.text,
        tool_calls=answer.tool_calls,
        finish_reason=answer.finish,
        provider_finish_reason=answer.provider_finish,
        usage=bill.usage,
        usage_estimated=bill.estimated,
        cost_usd=bill.cost_usd,
        latency_s=bill.seconds,
        request_id=bill.request_id,
        model=answer.model or bill.model,  # Bedrock's answers name none
        provider=line.adapter.name,
        retries=bill.retries,
        message=turn(line.adapter.name, answer),
        **more,
    )


def together(before: ChatResponse | None, after: ChatResponse, *, reasks: int = 0) -> ChatResponse:
    """The later answer, with what both took."""
    if before is None:
        return after
    costs = [before.cost_usd, after.cost_usd]
    return replace(
        after,
        usage=before.usage + after.usage,
        cost_usd=None if None in costs else sum(c for c in costs if c is not None),
        latency_s=before.latency_s + after.latency_s,
        waited_s=before.waited_s + after.waited_s,
        retries=before.retries + after.retries,
        reasks=reasks or before.reasks + after.reasks,
        notes=tuple(dict.fromkeys(before.notes + after.notes)),
    )
