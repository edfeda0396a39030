"""`Batch`: one job, from the requests to the table of answers. It outlives the process that submitted it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from labkit.batching import jobfile
from labkit.batching.jobfile import JobFile
from labkit.batching.life import Life
from labkit.batching.lines import OF_THE_BATCH, build, from_row
from labkit.batching.results import SUCCEEDED, Result, merged, table, total
from labkit.batching.waiting import Bar
from labkit.errors import UserError
from labkit.flow import arun, run
from labkit.structured import Shape

if TYPE_CHECKING:
    import pandas as pd

    from labkit.batching.lines import Rows
    from labkit.client import LLMClient
    from labkit.params import Params
    from labkit.structured import Schema


class Batch(Life):
    """Many requests as one job. `LLMClient.batch` makes one, `Batch.load` finds one again."""

    def __init__(self, client: LLMClient, requests: Rows, *, progress: bool = True, **params: Unpack[Params]) -> None:
        """See `LLMClient.batch`."""
        own: dict[str, Any] = {name: client.defaults.get(name) for name in OF_THE_BATCH} | dict(params)
        schema, tag = own.pop("schema"), own.pop("tag")
        shape = None if schema is None else Shape(schema)
        super().__init__(client, shape, tag or "", progress)
        own["schema"] = shape.schema if shape else None  # made once, and not a line
        self._lines, self.notes = build(requests, client.prepare, self._api, own)

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
        batch = cls._bare(client, None if kept is None else Shape(kept), head["tag"], progress)
        batch.id, batch.parent, batch._file = head["job"], head.get("parent"), file
        batch._mode, batch._key = head["mode"], head["lab_key"]
        batch._lines = [from_row(row) for row in said.lines]
        batch._mark = (said.submitting or {}).get("mark")
        batch._is_with(said.remote)
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

    @classmethod
    def _bare(cls, client: LLMClient, shape: Shape | None, tag: str, progress: bool) -> Batch:
        """One whose lines were checked before."""
        batch = cls.__new__(cls)
        Life.__init__(batch, client, shape, tag, progress)
        return batch

    # --- what it is ---

    @property
    def path(self) -> Path | None:
        """The job file; None before `submit`."""
        return self._file.path if self._file else None

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
        run(self._submitted(self._connect))
        return self

    async def asubmit(self) -> Batch:
        """The same as `submit`, with `await`."""
        await arun(self._submitted(self._aconnect))
        return self

    def refresh(self) -> Batch:
        """Look once where it stands; when it has ended, its results are fetched and booked.

        Raises:
            BatchGone: the provider has forgotten it.
        """
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
            BatchGone: the provider has forgotten it.
            CallError: the provider refuses to say, or could not be reached many times in a row.
        """
        with Bar(self, shown=self.progress) as bar:
            run(self._waited(self._connect, bar.show))
        return self.results()

    def __await__(self) -> Generator[Any, None, pd.DataFrame]:
        """`await batch` waits as `wait()` does, and leaves the event loop to others meanwhile."""
        with Bar(self, shown=self.progress) as bar:
            yield from arun(self._waited(self._aconnect, bar.show)).__await__()
        return self.results()

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
        return table(self._family(self._shape), parsed=self._shape is not None)

    def resubmit_failed(self, **changes: Unpack[Params]) -> Batch:
        """A new batch, not submitted, of the lines that have no good answer.

        Args:
            changes: parameters that shall be different this time, such as max_tokens.

        Raises:
            UserError: it has not ended, all lines succeeded, or a change cannot be sent.
        """
        if self._results is None:
            raise UserError(f"{self.id} has not ended: wait() first.")
        failed = {r.id for r in self._results if r.status != SUCCEEDED}
        if not failed:
            raise UserError(f"All {len(self)} lines of {self.id} succeeded: there is nothing to send again.")
        again = self._bare(self.client, self._shape, self.tag, self.progress)
        again.parent = self.id
        for line in self._lines:
            if line.id in failed:
                checked = self.client.prepare(line.request.messages, **changes).request
                changed: dict[str, Any] = {name: getattr(checked, name) for name in changes}
                again._lines.append(replace(line, request=replace(line.request, **changed)))
        return again

    def _rows(self) -> list[Result]:
        return self._results if self._results is not None else [Result(line.id) for line in self._lines]

    def _family(self, shape: Shape | None) -> list[Result]:
        """The lines of the first batch with what all batches since made of them."""
        rows = [row.shaped(shape) for row in self._rows()]
        if self.parent is None:
            return rows
        return merged(type(self).load(self.parent, client=self.client)._family(shape), rows)
