"""What a batch does, as flows: submit, look, cancel, wait. `Batch` drives them, plainly or with `await`.

    not submitted --submit--> queued -> running -> completed | failed | expired | cancelled

What has to survive is in the job file before it is needed: the requests and the intention before the provider is asked,
the provider's id after it, the outcomes before they are booked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

from labkit import connections, ledger
from labkit.adapters.failures import as_call_error
from labkit.batching import books, jobfile
from labkit.batching.jobfile import JobFile
from labkit.batching.lines import BatchLine, as_row, check_size
from labkit.batching.results import Result, result, total
from labkit.batching.waiting import BLIPS, Clock, lab_clock, pauses, slept
from labkit.batching.wire import ENDED, UNRUN, BatchGone, Outcome, Seen, Status, api_of
from labkit.calls import most_usage
from labkit.errors import CallError, LabkitError, ProviderRefused, RateLimited, TransportError, UserError
from labkit.flow import Do, Flow, attempt
from labkit.secret import Secret
from labkit.session import current
from labkit.structured import Shape
from labkit.usage import Usage

if TYPE_CHECKING:
    from labkit.client import LLMClient

DRAFT = "not submitted"
Connect = Callable[[Secret | None], Any]
"""An SDK client, with a key in place of the session's if one is given."""


class Life:
    """One job: its requests, where it stands, and what came of it."""

    def __init__(self, client: LLMClient, shape: Shape | None, tag: str, progress: bool) -> None:
        self.id = jobfile.new_id()
        self.client = client
        self.tag = tag
        self.parent: str | None = None
        """The job whose failed lines these are."""
        self.remote_id: str | None = None
        """The provider's own id of this batch."""
        self.phase: str = DRAFT
        """Where it stood at the last look."""
        self.done = 0
        """Lines that had ended then, as far as the provider says."""
        self.problems: tuple[str, ...] = ()
        """Why the provider refused the batch as a whole."""
        self.notes: tuple[str, ...] = ()
        """What was changed or dropped on the way to the requests, one sentence each."""
        self.progress = progress
        self._api = api_of(client.provider)
        self._shape = shape
        self._lines: list[BatchLine] = []
        self._results: list[Result] | None = None
        self._file: JobFile | None = None
        self._mark: str | None = None
        self._mode = ""
        """"local" or "live", once it is submitted."""
        self._key = ""
        """The lab key whose tenant the batch is with; empty for a live one."""

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def ended(self) -> bool:
        """Its results are here."""
        return self._results is not None

    @property
    def cost_usd(self) -> float | None:
        """What it has cost; None before it has ended, or when no price is known."""
        return None if self._results is None else total(r.cost_usd for r in self._results)

    @property
    def usage(self) -> Usage:
        """Tokens of all lines, once it has ended."""
        return sum((r.usage for r in self._results or ()), Usage())

    def _most(self, *, batch: bool) -> float:
        line, model = self.client.line, self.client.model
        line.most_usd(model, Usage())  # says so when no price is known
        price = line.price_of(model)
        assert price is not None
        return sum(price.cost(most_usage(each.request), batch=batch) for each in self._lines)

    # --- submit ---

    def _submitted(self, connect: Connect) -> Flow[None]:
        if self.remote_id is not None:
            return
        packed = [self._api.pack(line) for line in self._lines]
        check_size(packed, self._lines, self._api)
        resumed = self._file is not None
        sdk = yield from self._sdk(connect)
        books.reserve(self.id, self.client.line, self.client.model, lambda: self._most(batch=True))
        try:
            if not resumed:
                self._mark = yield from self._api.mark(sdk, self._ask)
                self._write_down()

            def once(before: int) -> Flow[str]:
                found = (yield from self._lost(sdk)) if before or resumed else None
                return found or (yield from self._api.submit(sdk, self._ask_once, self.id, self._lines, packed))

            remote = yield from attempt(self.client.line.policy, once)
        except Exception as error:
            books.release(self.id)
            if isinstance(error, (ProviderRefused, RateLimited)) and not resumed:
                self._forget()
            raise
        assert self._file is not None
        self._file.append({"kind": "submitted", "remote": remote, "at": ledger.now()})
        self._is_with(remote)

    def _write_down(self) -> None:
        self._mode = self.client.line.mode(self.client.model)
        self._key = current().key if self._mode == "local" else ""
        head = {
            "job": self.id,
            "made": ledger.now(),
            "provider": self.client.provider,
            "model": self.client.model,
            "mode": self._mode,
            "lab_key": self._key,
            "tag": self.tag,
            "parent": self.parent,
            "schema": self._shape.schema if self._shape else None,
            "lines": len(self),
        }
        self._file = JobFile.make(self.id, head, map(as_row, self._lines))
        self._file.append({"kind": "submitting", "mark": self._mark, "at": ledger.now()})

    def _lost(self, sdk: Any) -> Flow[str | None]:
        """The batch that an earlier attempt made, when its answer did not reach us."""
        found = yield from self._api.find(sdk, self._ask, self.id, self._mark, len(self))
        if len(found) > 1:
            raise LabkitError(f"Any of {', '.join(found)} may be {self.id}: nothing was sent, see the provider's list.")
        return found[0] if found else None

    def _is_with(self, remote: str | None) -> None:
        if remote is not None:
            self.remote_id, self.phase = remote, "submitted"

    def _forget(self) -> None:
        """The provider said no: there is nothing to come back to."""
        if self._file is not None:
            self._file.path.unlink(missing_ok=True)
            self._file = None

    # --- look, wait, cancel ---

    def _looked(self, connect: Connect) -> Flow[None]:
        if not self.ended:
            remote = self._with_provider()
            sdk = yield from self._sdk(connect)
            try:
                seen = yield from self._api.look(sdk, self._ask, remote)
                if seen.phase not in ENDED:
                    self.phase, self.done = seen.phase, seen.done
                    return
                ids = [line.id for line in self._lines]
                self._collect(seen, (yield from self._api.outcomes(sdk, self._ask, seen, ids)))
            except ProviderRefused as error:
                if error.status != 404:
                    raise
                raise BatchGone(f"{self.client.provider} does not know {remote}, or its results, any more.") from error
        self._book()

    def _collect(self, seen: Seen, told: Sequence[Outcome]) -> None:
        """Write down what became of each line, also of those that the provider does not speak of."""
        assert self._file is not None
        by_id = {outcome.id: outcome for outcome in told}
        if strange := by_id.keys() - {line.id for line in self._lines}:
            raise LabkitError(f"{self.remote_id} answers {sorted(strange)[0]!r}, which is no line of {self.id}.")
        price = self.client.line.price_of(self.client.model)
        silent: Status = UNRUN.get(seen.phase, "failed")
        why = " ".join(seen.problems) or f"the provider says nothing of this line; the batch is {seen.phase}"
        rows = [result(by_id.get(line.id) or Outcome(line.id, silent, error=why), price) for line in self._lines]
        ended = {"kind": "ended", "phase": seen.phase, "problems": list(seen.problems), "at": ledger.now()}
        outcomes = ({"kind": "outcome", **row.record()} for row in rows)
        self._file.append({"kind": "fetching"}, *outcomes, ended)
        self._end(ended, rows)

    def _end(self, ended: dict[str, Any], rows: list[Result]) -> None:
        self.phase, self.problems, self.done = ended["phase"], tuple(ended["problems"]), len(rows)
        self._results = [row.shaped(self._shape) for row in rows]

    def _book(self) -> None:
        assert self._file is not None
        cost = self.cost_usd
        entry = ledger.Entry(
            time=ledger.now(),
            provider=self.client.provider,
            model=self.client.model,
            kind="batch",
            mode=self._mode,
            status="ok" if self.phase == "completed" else self.phase,
            tag=self.tag,
            **{name: getattr(self.usage, name) for name in Usage.__dataclass_fields__},
            cost_usd=None if cost is None else round(cost, 12),
            request_id=self.remote_id,
        )
        books.book(self._file, self.id, self.client.line, entry)

    def _waited(self, connect: Connect, show: Callable[[], None]) -> Flow[None]:
        blips = 0
        clock: Clock | None = lab_clock(self._key) if self._key else None
        for pause in pauses(Random()):
            try:
                yield from self._looked(connect)
                blips = 0
            except CallError as error:
                blips += 1
                passing = error.retryable or isinstance(error, TransportError)  # looking costs nothing: look again
                if not passing or blips > BLIPS:
                    raise
            show()
            if self.ended:
                return
            yield from slept(pause, clock)

    def _cancelled(self, connect: Connect) -> Flow[None]:
        if not self.ended:
            remote = self._with_provider()
            sdk = yield from self._sdk(connect)
            try:
                yield from self._api.cancel(sdk, self._ask, remote)
            except ProviderRefused:  # it may have ended since we looked
                yield from self._looked(connect)
                if not self.ended:
                    raise
        yield from self._looked(connect)

    def _with_provider(self) -> str:
        if self.remote_id is None:
            raise UserError(f"{self.id} is not submitted yet: call submit() first.")
        return self.remote_id

    # --- the SDK ---

    def _sdk(self, connect: Connect) -> Flow[Any]:
        """The SDK client, with the key of the tenant that made the batch.

        Raises:
            UserError: the batch is local and this session live for its provider, or the other way round.
        """
        here = self.client.line.mode(self.client.model)
        if self._mode not in ("", here):
            raise UserError(
                f"{self.id} is {self._mode}, and this session is {here} for {self.client.provider}: "
                "start one as it was, lk.start(live=[...]) or without."
            )
        key = Secret(self._key) if self._key not in ("", current().key) else None
        return (yield Do(lambda: connect(key)))

    def _connect(self, key: Secret | None) -> Any:
        return connections.client(self.client.adapter, self.client.line.timeout, key)

    def _aconnect(self, key: Secret | None) -> Any:
        return connections.aclient(self.client.adapter, self.client.line.timeout, key)

    def _ask(self, call: Callable[[], Any]) -> Flow[Any]:
        """Call the SDK, again when that can help."""
        return attempt(self.client.line.policy, lambda _: self._ask_once(call))

    def _ask_once(self, call: Callable[[], Any]) -> Flow[Any]:
        """Call the SDK; its errors become ours."""
        try:
            return (yield Do(call))
        except Exception as error:
            ours = as_call_error(error, self.client.adapter, self.client.model)
            if ours is None:
                raise
            raise ours from error
