"""One call on its way through a cache: what is kept is returned and booked, what is not is asked for and kept.

    chat      recalled() or lead or wait for the leader     (a flow, see `labkit.flow`)
    streams   recalled(), else the stream itself, then keep()

Streams wait for nobody: a stream moves at the pace of its reader, and one who stops reading would hold up the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

from labkit import ledger as ledgers
from labkit.caching import keys, rules
from labkit.caching.flights import OWN, Flight, Outcome, again
from labkit.caching.statistics import Event
from labkit.errors import CallError, InvalidOutput, UserError
from labkit.flow import Either, Flow
from labkit.usage import Usage

if TYPE_CHECKING:
    from labkit.caching.records import Record
    from labkit.caching.response_cache import ResponseCache
    from labkit.caching.statistics import Outcome as Kind
    from labkit.caching.stores import VectorRow
    from labkit.calls import Call, Line
    from labkit.chat import ChatResponse
    from labkit.client import LLMClient
    from labkit.structured import Shape

Use = bool | Literal["force", "refresh"]
"""What a call says about its cache: True, use it; False, do not; "force", also where the rules refuse; "refresh", ask
anew and replace what is kept."""
USES = (True, False, "force", "refresh")
_PIECE = re.compile(r"\S+\s*|\s+")


class Passage:
    def __init__(
        self,
        cache: ResponseCache,
        client: LLMClient,
        line: Line,
        call: Call,
        shape: Shape | None,
        *,
        use: Use = True,
        kind: str = "chat",
    ) -> None:
        """
        Args:
            client: whose call it is, for a semantic cache to embed with.
            kind: "chat" or "stream", for the ledger.

        Raises:
            UserError: `use` is none of `USES`.
        """
        if use not in USES:
            raise UserError(f"cache={use!r} of a call is none of {', '.join(map(repr, USES))}.")
        self.cache, self.client, self.line, self.call, self.shape = cache, client, line, call, shape
        self.kind = kind
        self.forced, self.fresh = use == "force", use == "refresh"
        self.similarity: float | None = None
        """Of the nearest kept question, once a semantic cache has looked."""
        self.vector: tuple[str, VectorRow] | None = None
        """Namespace and row of this question, for a semantic cache to keep."""
        self.began = perf_counter()
        self.place = keys.Place.of(line, call.request.model)
        self.key, self.refusal = self._admitted()

    def _admitted(self) -> tuple[str, str]:
        """The key, or why there is none."""
        reason = "" if self.forced else rules.against_request(self.call.request)
        if reason:
            return "", reason
        try:
            description = keys.described(self.call.request, self.place)
            return keys.digest({**description, "salt": self.cache.salt} if self.cache.salt else description), ""
        except (TypeError, ValueError) as error:
            return "", f"its parameters have no JSON form ({error})"

    # --- chat ---

    def chat(self, ask: Callable[[], Flow[ChatResponse]]) -> Flow[ChatResponse]:
        """The answer: kept, or of the one call that all who ask the same now share."""
        found = self._exact()
        if found is not None:
            return found
        if self.refusal or self.fresh:
            return self.keep((yield from self._asked(ask)))
        while True:
            flight, leads = self.cache.flights.board(self.key)
            if leads:
                return (yield from self._led(flight, ask))
            outcome = yield Either(flight.wait, flight.wait_async)
            if outcome is OWN:
                return self.keep((yield from self._asked(ask)))
            if isinstance(outcome, CallError):
                self.failed(outcome)
                raise again(outcome)
            if outcome is not None:
                return self._shared(outcome)

    def recalled(self) -> Flow[ChatResponse | None]:
        """The kept answer, booked as one that costs nothing; None: it has to be asked for."""
        found = self._exact()
        if found is not None or self.refusal or self.fresh:
            return found
        return (yield from self._near())

    def _exact(self) -> ChatResponse | None:
        """The answer to this very call. A miss is the moment to see whether the prompt may lie in a cache at all."""
        if self.refusal:
            return None
        found = None if self.fresh else self._hit("hit", self.cache.get(self.key))
        if found is None and not self.forced:
            self.refusal = rules.against_prompt(self.call.request)
        return found

    def _near(self) -> Flow[ChatResponse | None]:
        found = yield from self.cache.similar(self)
        return None if found is None else self._hit("near", *found)

    def _led(self, flight: Flight, ask: Callable[[], Flow[ChatResponse]]) -> Flow[ChatResponse]:
        """The call that others wait for."""
        landed: Outcome = None
        try:
            found = self._exact()  # another flight may have landed between our look and our boarding
            if found is None:
                found = yield from self._near()
            if found is None:
                found = self.keep((yield from self._asked(ask)))
            landed = found
            return found
        except CallError as error:
            landed = error
            raise
        finally:  # also when cancelled or closed: then nobody gets anything, and the next one leads
            self.cache.flights.land(self.key, flight, landed)

    def keep(self, response: ChatResponse) -> ChatResponse:
        """Count an answer that was asked for, and keep it if it may be; its notes say why not."""
        why = self.refusal or rules.against_answer(response) or ("" if self.forced else rules.against_text(response))
        outcome: Kind = "refused" if self.refusal else "refresh" if self.fresh else "miss"
        self._count(outcome, cost_usd=response.cost_usd or 0.0, reason=why)
        if why:
            return replace(response, notes=(*response.notes, f"Not cached: {why}."))
        self.cache.put(self.key, response)
        self.cache.kept(self)
        return response

    def failed(self, error: BaseException) -> None:
        """Count a call that brought no whole answer."""
        self._count("failed", reason=type(error).__name__)

    def _asked(self, ask: Callable[[], Flow[ChatResponse]]) -> Flow[ChatResponse]:
        try:
            return (yield from ask())
        except BaseException as error:
            self.failed(error)
            raise

    # --- hits ---

    def _hit(self, kind: Kind, record: Record | None, note: str = "") -> ChatResponse | None:
        if record is None:
            return None
        notes = (*self.call.notes, note) if note else self.call.notes
        response = record.response(latency_s=perf_counter() - self.began, notes=notes)
        if self.shape is not None and not response.tool_calls:
            try:
                response = self.shape.applied(response)
            except InvalidOutput:  # the schema has checks of its own, and they have changed: ask again
                return None
        return self._booked(kind, response, record.latency_s)

    def _shared(self, answer: ChatResponse) -> ChatResponse:
        """The leader's answer as one of ours."""
        response = replace(
            answer,
            usage=Usage(),
            usage_estimated=False,
            cost_usd=0.0,
            retries=0,
            reasks=0,
            headers={},
            raw=None,
            latency_s=perf_counter() - self.began,
            saved_usd=answer.saved_usd if answer.cached else answer.cost_usd,
            cached=True,
        )
        if self.shape is not None and not response.tool_calls:
            response = self.shape.applied(response)  # a parsed object of our own
        return self._booked("shared", response, response.latency_s)

    def _booked(self, kind: Kind, response: ChatResponse, before_s: float) -> ChatResponse:
        saved_s = max(0.0, before_s - response.latency_s)
        self._count(kind, saved_usd=response.saved_usd or 0.0, saved_s=saved_s)
        entry = ledgers.Entry(
            time=ledgers.now(),
            provider=self.line.adapter.name,
            model=self.call.request.model,
            kind=self.kind,
            mode=self.line.mode(self.call.request.model),
            status="cache",
            tag=self.call.tag,
            cost_usd=0.0,
            saved_usd=response.saved_usd,
            latency_s=round(response.latency_s, 6),
            finish=response.finish_reason,
            request_id=response.request_id,
        )
        (self.line.ledger or ledgers.current()).append(entry)
        return response

    def _count(self, outcome: Kind, **figures: Any) -> None:
        self.cache.statistics.add(Event(outcome, similarity=self.similarity, **figures))


def pieces(text: str) -> list[str]:
    """A kept answer as a stream gives it: word by word, nothing lost.

    >>> pieces("An API is ...")
    ['An ', 'API ', 'is ', '...']
    """
    return _PIECE.findall(text)
