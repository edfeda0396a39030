"""`Batch`: one job, from the requests to the table of answers. It outlives the process that submitted it.

    not submitted --submit--> queued -> running -> completed | failed | expired | cancelled

What has to survive is in the job file before it is needed: the requests before the upload, the intention before the
provider is asked, the provider's id after it, the outcomes before they are booked. The ledger gets one line a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from labkit import connections, ledger
from labkit.adapters.failures import as_call_error
from labkit.batching import jobfile
from labkit.batching.jobfile import JobFile
from labkit.batching.lines import BatchLine, as_row, build, check_size, from_row
from labkit.batching.results import SUCCEEDED, Result, merged, result, table, total
from labkit.batching.waiting import BLIPS, Bar, Clock, lab_clock, pauses, slept
from labkit.batching.wire import ENDED, UNRUN, Outcome, Seen, Status, api_of
from labkit.budget import Hold
from labkit.calls import hold, most_usage
from labkit.errors import CallError, LabkitError, ProviderRefused, RateLimited, UserError
from labkit.flow import Do, Flow, arun, attempt, run
from labkit.session import current
from labkit.structured import Shape
from labkit.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import pandas as pd

    from labkit.batching.lines import Rows
    from labkit.client import LLMClient, Params
    from labkit.structured import Schema

T = TypeVar("T")
DRAFT = "not submitted"


class Batch:
    """Many requests as one job. `LLMClient.batch` makes one, `Batch.load` finds one again."""

    def __init__(self, client: LLMClient, requests: Rows, *, progress: bool = True, **params: Unpack[Params]) -> None:
        """See `LLMClient.batch`."""
        rest: dict[str, Any] = dict(params)
        schema, tag = rest.get("schema"), str(rest.pop("tag", ""))
        self._set_up(client, None if schema is None else Shape(schema), tag, progress)
        self._lines[:] = build(requests, client.request, self._api, rest)

    def _set_up(self, client: LLMClient, shape: Shape | None, tag: str, progress: bool) -> None:
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
        self.progress = progress
        self._api = api_of(client.provider)
        self._shape = shape
        self._lines: list[BatchLine] = []
        self._results: list[Result] | None = None
        self._file: JobFile | None = None
        self._holds: list[Hold] = []
        self._mark: str | None = None
        self._key = ""
        self._booked = False

    # --- found again ---

    @classmethod
    def load(
        cls,
        job: str | Path,
        *,
        client: LLMClient | None = None,
        schema: Schema | None = None,
        progress: bool = True,
    ) -> Batch:
        """A job from its file, wherever it stood.

        Args:
            job: its id, or the path of its file.
            client: with a ledger, budget or price of its own; otherwise one is made.
            schema: the Pydantic model that `parsed` shall be; a file keeps only the JSON schema.

        Raises:
            UserError: no such job.
        """
        file = JobFile.find(job)
        said = file.read()
        head = said.batch
        if client is None:
            from labkit.client import LLMClient

            client = LLMClient(head["provider"], head["model"])
        kept = schema if schema is not None else head.get("schema")
        batch = cls.__new__(cls)
        batch._set_up(client, None if kept is None else Shape(kept), head["tag"], progress)
        batch.id, batch.parent, batch._key, batch._file = head["job"], head.get("parent"), head["lab_key"], file
        batch._lines = [from_row(row) for row in said.lines]
        batch._mark = (said.submitting or {}).get("mark")
        batch._remember(said.remote, said.booked)
        if said.ended is not None:
            batch._end(said.ended, [Result.of_record(row) for row in said.outcomes])
        return batch

    @classmethod
    def jobs(cls) -> pd.DataFrame:
        """Every job on this machine, oldest first."""
        import pandas as pd

        rows = []
        for file in jobfile.all_jobs():
            with suppress(UserError):
                said = file.read()
                phase = said.ended["phase"] if said.ended else "submitted" if said.remote else "submitting"
                spent = total(r["cost_usd"] for r in said.outcomes) if said.ended else None
                names = ("job", "provider", "model", "lines", "tag", "parent", "made")
                rows.append({name: said.batch.get(name) for name in names} | {"phase": phase, "cost_usd": spent})
        columns = ["job", "provider", "model", "lines", "phase", "cost_usd", "tag", "parent", "made"]
        return pd.DataFrame(rows, columns=columns)

    # --- what it is ---

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def path(self) -> Path | None:
        """The job file; None before `submit`."""
        return self._file.path if self._file else None

    @property
    def ended(self) -> bool:
        """Its results are here."""
        return self._results is not None

    @cached_property
    def most_usd(self) -> float:
        """The most that it can cost: every token of each answer used, at the batch price.

        Raises:
            UserError: no price is known.
        """
        return self._most(batch=True)

    @cached_property
    def most_usd_live(self) -> float:
        """The most that the same requests can cost one by one."""
        return self._most(batch=False)

    @property
    def cost_usd(self) -> float | None:
        """What it has cost; None before it has ended, or when no price is known."""
        return None if self._results is None else total(r.cost_usd for r in self._results)

    @property
    def usage(self) -> Usage:
        """Tokens of all lines, once it has ended."""
        return sum((r.usage for r in self._results or ()), Usage())

    @property
    def money(self) -> str:
        """What it has cost, or can cost at most."""
        if self.ended:
            return "price unknown" if self.cost_usd is None else f"cost ${self.cost_usd:.6f}"
        try:
            return f"at most ${self.most_usd:.6f}"
        except UserError:
            return "price unknown"

    def __repr__(self) -> str:
        lines = f"{len(self)} line{'s' if len(self) != 1 else ''}"
        if self._results is not None:
            failed = len(self) - sum(r.status == SUCCEEDED for r in self._results)
            lines += f", {failed} not succeeded" if failed else ", all succeeded"
        return f"<{self.id} {self.client.provider}/{self.client.model} {self.phase}: {lines}, {self.money}>"

    # --- its life ---

    def submit(self) -> Batch:
        """Upload and start it, once: on a job that is with the provider already, this does nothing.

        Raises:
            BudgetExceeded: it could pass a budget; nothing was sent.
            InvalidBatch: it is too large.
            CallError: it could not be made. Calling `submit` again is safe: a batch whose answer was lost is found.
        """
        return run(self._submitted(self._connect))

    async def asubmit(self) -> Batch:
        """The same as `submit`, with `await`."""
        return await arun(self._submitted(self._aconnect))

    def refresh(self) -> Batch:
        """Look once where it stands; when it has ended, its results are fetched and booked."""
        run(self._looked(self._connect))
        return self

    async def arefresh(self) -> Batch:
        """The same as `refresh`, with `await`."""
        await arun(self._looked(self._aconnect))
        return self

    def wait(self) -> pd.DataFrame:
        """Wait until it has ended. It may be left with Ctrl-C, and waited for again, also in another process.

        Returns:
            `results()`.

        Raises:
            CallError: the provider refuses to say, or could not be reached many times in a row.
        """
        return run(self._waited(self._connect))

    def __await__(self) -> Generator[Any, None, pd.DataFrame]:
        """`await batch` waits as `wait()` does, and leaves the event loop to others meanwhile."""
        return arun(self._waited(self._aconnect)).__await__()

    def cancel(self) -> Batch:
        """Ask the provider to stop. What is done by then is kept and charged; `wait()` for its end."""
        run(self._cancelled(self._connect))
        return self

    async def acancel(self) -> Batch:
        """The same as `cancel`, with `await`."""
        await arun(self._cancelled(self._aconnect))
        return self

    # --- what came of it ---

    def results(self) -> pd.DataFrame:
        """One row a line, in the order of the requests; "pending" while the batch has not ended."""
        return table(self._rows(), parsed=self._shape is not None)

    def whole(self) -> pd.DataFrame:
        """After `resubmit_failed`: the lines of the first batch, each with its newest result and the cost of all."""
        return table(self._family(), parsed=self._shape is not None)

    def resubmit_failed(self, **changes: Unpack[Params]) -> Batch:
        """A new batch, not submitted, of the lines that have no good answer.

        Args:
            changes: parameters that shall be different this time, such as max_tokens.

        Raises:
            UserError: it has not ended, or all lines succeeded.
        """
        if self._results is None:
            raise UserError(f"{self.id} has not ended: wait() first.")
        failed = {r.id for r in self._results if r.status != SUCCEEDED}
        if not failed:
            raise UserError(f"All {len(self)} lines of {self.id} succeeded: there is nothing to send again.")
        again = type(self).__new__(type(self))
        again._set_up(self.client, self._shape, self.tag, self.progress)
        again.parent = self.id
        again._lines = [self._changed(line, changes) for line in self._lines if line.id in failed]
        return again

    # --- how ---

    def _most(self, *, batch: bool) -> float:
        line, model = self.client.line, self.client.model
        line.most_usd(model, Usage())  # says so when no price is known
        price = line.price_of(model)
        assert price is not None
        return sum(price.cost(most_usage(each.request), batch=batch) for each in self._lines)

    def _changed(self, line: BatchLine, changes: Any) -> BatchLine:
        checked = self.client.request(line.request.messages, **changes)
        return replace(line, request=replace(line.request, **{name: getattr(checked, name) for name in changes}))

    def _submitted(self, connect: Callable[[], Any]) -> Flow[Batch]:
        if self.remote_id is not None:
            return self
        packed = [self._api.pack(line) for line in self._lines]
        check_size(packed, self._lines, self._api)
        sdk = yield from self._sdk(connect)
        resumed = self._file is not None
        self._holds = self._holds or hold(self.client.line, self.client.model, lambda: self.most_usd)
        try:
            if not resumed:
                self._mark = yield from self._api.mark(sdk, self._ask)
                self._write_down()

            def once(before: int) -> Flow[str]:
                found = yield from self._lost(sdk) if before or resumed else _nothing()
                return found or (yield from self._api.submit(sdk, self._ask_once, self.id, self._lines, packed))

            remote = yield from attempt(self.client.line.policy, once)
        except Exception as error:
            self._let_go()
            if isinstance(error, (ProviderRefused, RateLimited)) and not resumed:
                self._forget()
            raise
        assert self._file is not None
        self._file.append({"kind": "submitted", "remote": remote, "at": ledger.now()})
        self._remember(remote, booked=False)
        return self

    def _write_down(self) -> None:
        model, mode = self.client.model, self.client.line.mode(self.client.model)
        self._key = current().key if mode == "local" else ""
        head = {
            "job": self.id,
            "made": ledger.now(),
            "provider": self.client.provider,
            "model": model,
            "mode": mode,
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

    def _looked(self, connect: Callable[[], Any]) -> Flow[None]:
        if self.ended:
            self._book()
            return
        if self.remote_id is None:
            raise UserError(f"{self.id} is not submitted yet: call submit() first.")
        sdk, remote = (yield from self._sdk(connect)), self.remote_id
        seen = yield from self._api.look(sdk, self._ask, remote)
        if seen.phase not in ENDED:
            self.phase, self.done = seen.phase, seen.done
            return
        told = yield from self._api.outcomes(sdk, self._ask, seen, [line.id for line in self._lines])
        self._collect(seen, told)
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
        rows = [
            result(by_id.get(line.id) or Outcome(line.id, silent, error=why), price) for line in self._lines
        ]
        ended = {"kind": "ended", "phase": seen.phase, "problems": list(seen.problems), "at": ledger.now()}
        outcomes = ({"kind": "outcome", **row.record()} for row in rows)
        self._file.append({"kind": "fetching"}, *outcomes, ended)
        self._end(ended, rows)

    def _end(self, ended: dict[str, Any], rows: list[Result]) -> None:
        self.phase, self.problems, self.done = ended["phase"], tuple(ended["problems"]), len(rows)
        self._results = [row.shaped(self._shape) for row in rows]

    def _book(self) -> None:
        """One line in the ledger, once, whoever sees the end first."""
        if self._booked or self._file is None:
            return
        line = self.client.line
        books, cost = line.ledger or ledger.current(), self.cost_usd
        with self._file.lock():
            known = self._file.read().booked or any(
                entry.kind == "batch" and entry.request_id == self.remote_id for entry in books.entries()
            )
            if not known:
                books.append(self._entry(cost))
            self._file.append({"kind": "booked", "at": ledger.now()})
        self._booked = True
        for held in self._holds or ([Hold(line.budget, 0.0)] if line.budget and not known else []):
            held.settle(cost or 0.0)

    def _entry(self, cost: float | None) -> ledger.Entry:
        return ledger.Entry(
            time=ledger.now(),
            provider=self.client.provider,
            model=self.client.model,
            kind="batch",
            mode="local" if self._key else "live",
            status="ok" if self.phase == "completed" else self.phase,
            tag=self.tag,
            **{name: getattr(self.usage, name) for name in Usage.__dataclass_fields__},
            cost_usd=None if cost is None else round(cost, 12),
            request_id=self.remote_id,
        )

    def _waited(self, connect: Callable[[], Any]) -> Flow[pd.DataFrame]:
        blips = 0
        clock: Clock | None = lab_clock(self._key) if self._key else None
        with Bar(self, shown=self.progress) as bar:
            for pause in pauses(Random()):
                try:
                    yield from self._looked(connect)
                    blips = 0
                except CallError as error:
                    blips += 1
                    if not error.retryable or blips > BLIPS:
                        raise
                bar.show()
                if self.ended:
                    break
                yield from slept(pause, clock)
        return self.results()

    def _cancelled(self, connect: Callable[[], Any]) -> Flow[None]:
        if self.remote_id is None:
            raise UserError(f"{self.id} is not submitted: there is nothing to cancel.")
        if not self.ended:
            sdk, remote = (yield from self._sdk(connect)), self.remote_id
            yield from self._api.cancel(sdk, self._ask, remote)
            yield from self._looked(connect)

    # --- the parts ---

    def _rows(self) -> list[Result]:
        return self._results if self._results is not None else [Result(line.id) for line in self._lines]

    def _family(self) -> list[Result]:
        if self.parent is None:
            return self._rows()
        return merged(type(self).load(self.parent, client=self.client)._with(self._shape)._family(), self._rows())

    def _with(self, shape: Shape | None) -> Batch:
        self._shape = shape
        if self._results is not None:
            self._results = [row.shaped(shape) for row in self._results]
        return self

    def _remember(self, remote: str | None, booked: bool) -> None:
        self.remote_id, self._booked = remote, booked
        if remote is not None:
            self.phase = "submitted"

    def _forget(self) -> None:
        if self._file is not None:
            self._file.path.unlink(missing_ok=True)
            self._file = None

    def _let_go(self) -> None:
        for held in self._holds:
            held.settle(0.0)
        self._holds = []

    def _sdk(self, connect: Callable[[], Any]) -> Flow[Any]:
        """The SDK client, with the key of the tenant that made the batch."""
        sdk = yield Do(connect)
        return self._api.rekeyed(sdk, self._key) if self._key and self._key != current().key else sdk

    def _connect(self) -> Any:
        return connections.client(self.client.adapter, self.client.line.timeout)

    def _aconnect(self) -> Any:
        return connections.aclient(self.client.adapter, self.client.line.timeout)

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


def _nothing() -> Flow[None]:
    yield from ()
