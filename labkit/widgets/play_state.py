"""What the playground does, without a widget: settings, why some cannot be set, and answers that arrive.

One `Side` asks one model; the playground shows one or two of them. Calls go through `LLMClient`, so retries, budgets
and the ledger are the same as everywhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from labkit import adapters, capabilities, registry
from labkit.chat import ChatRequest, ChatResponse, Message
from labkit.client import LLMClient
from labkit.errors import LabkitError, UserError
from labkit.params import Params
from labkit.usage import Usage
from labkit.widgets.sdk_code import SPELLINGS, sdk_code

PROVIDERS = tuple(SPELLINGS)
MAX_TOKENS = 1000
TAG = "playground"
"""Stands in the ledger beside what was spent here."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One side's settings. None and empty mean: not sent, so that the model's own default holds."""

    provider: str = "openai"
    model: str = ""
    """Empty: the course's model for plain sampling."""
    system: str = ""
    temperature: float | None = None
    top_p: float | None = None
    effort: str | None = None
    max_tokens: int = MAX_TOKENS
    stop: tuple[str, ...] = ()
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.provider not in PROVIDERS:
            raise registry.UnknownModel(self.provider, PROVIDERS, wanted="provider", choices=PROVIDERS)
        row = registry.find(self.model or registry.model(self.provider, "sampling"))
        if row.provider != self.provider or row.kind != "chat":
            chat = tuple(m.id for m in registry.models(self.provider, kind="chat"))
            raise registry.UnknownModel(self.model, chat, wanted=f"{self.provider} chat model", choices=chat)
        object.__setattr__(self, "model", row.id)

    @property
    def row(self) -> registry.Model:
        return registry.find(self.model)

    def request(self, prompt: str) -> ChatRequest:
        """The call, complete."""
        asked = (Message("user", prompt),)
        return ChatRequest(self.model, asked, system=self.system or None, **self._asked())

    def params(self, number: int) -> Params:
        """Arguments for `LLMClient`; each sample after the first has a seed of its own."""
        seed = None if self.seed is None else self.seed + number
        return Params(system=self.system or None, tag=TAG, **{**self._asked(), "seed": seed})  # type: ignore[typeddict-item]

    def code(self, prompt: str, samples: int = 1) -> str:
        """The same call in the provider's SDK."""
        return sdk_code(self.provider, self.request(prompt), samples)

    def reasons(self) -> dict[str, str]:
        """Why a parameter cannot be set here, by its name; "" when it can."""
        effort = self.row.efforts[0] if self.row.efforts else "low"
        trials = {"temperature": 0.5, "top_p": 0.5, "effort": effort, "stop": ("x",), "seed": 1}
        return {name: self._reason(name, value) for name, value in trials.items()}

    def usable(self) -> Settings:
        """The same without what cannot be set."""
        nothing: dict[str, Any] = {n: () if n == "stop" else None for n, why in self.reasons().items() if why}
        return replace(self, **nothing)

    def _asked(self) -> dict[str, Any]:
        names = ("temperature", "top_p", "effort", "max_tokens", "stop", "seed")
        return {name: getattr(self, name) for name in names}

    def _reason(self, name: str, trial: object) -> str:
        row, sampling = self.row, name in capabilities.SAMPLING
        if sampling and row.sampling == "ignored":
            return f"{row.id} accepts {name} and ignores it"
        changes: dict[str, Any] = {name: trial}
        request = replace(self.request(""), **changes)
        taken = adapters.adapter(self.provider).parameters
        both = ("top_p",) if sampling and request.top_p is not None else ()
        problems = (capabilities.why_not(n, request, row, taken, self.provider) for n in (name, *both))
        return next(filter(None, problems), "")


@dataclass(slots=True)
class Sample:
    """One answer, as far as it has come."""

    text: str = ""
    response: ChatResponse | None = None
    """There when the answer has ended, also one that was cut."""
    problem: str = ""
    """Why it did not come, or not whole."""
    stopped: bool = False

    async def draw(self, settings: Settings, prompt: str, number: int, changed: Callable[[], None]) -> None:
        """Ask once, and call `changed` at every piece. A refusal becomes `problem`."""
        try:
            stream = LLMClient(settings.provider, settings.model).astream(prompt, **settings.params(number))
            try:
                async for piece in stream:
                    self.text += piece
                    changed()
            finally:
                with suppress(UserError):  # nothing was sent
                    self.response = stream.response if stream.response.raw else None
        except LabkitError as error:
            self.problem = str(error)
        except asyncio.CancelledError:
            self.stopped = True
            raise
        finally:
            changed()


@dataclass(slots=True)
class Side:
    """One column: its settings and the answers of the last run."""

    settings: Settings
    samples: list[Sample] = field(default_factory=list)

    async def prepare(self) -> None:
        """Load the SDK and make its client: seconds in a new kernel, and no part of any answer's time."""
        await LLMClient(self.settings.provider, self.settings.model)._aconnect()

    async def run(self, prompt: str, samples: int, changed: Callable[[], None]) -> None:
        """Ask so often, one after the other, so that a seeded session repeats."""
        self.samples = []
        for number in range(samples):
            self.samples.append(Sample())
            changed()
            await self.samples[-1].draw(self.settings, prompt, number, changed)

    @property
    def bill(self) -> str:
        """What the answers took, in a line; "" before the first one has ended."""
        done = [s.response for s in self.samples if s.response is not None]
        if not done:
            return ""
        usage = sum((r.usage for r in done), Usage())
        costs = [r.cost_usd for r in done if r.cost_usd is not None]
        cost = f"${sum(costs):.6f}" if len(costs) == len(done) else "price unknown"
        hidden = f" (of them {usage.reasoning:,} hidden reasoning)" if usage.reasoning else ""
        counted = " (counted here: the stream ended early)" if any(r.usage_estimated for r in done) else ""
        first = [r.time_to_first_token_s for r in done if r.time_to_first_token_s is not None]
        waited = f"first token {1000 * min(first):,.0f} ms, " if first else ""
        ends = ", ".join(dict.fromkeys(r.finish_reason or "not finished" for r in done))
        answers = f"{done[0].model}: {len(done)} answer{'s'[: len(done) > 1]}"
        return (
            f"{answers}, {usage.prompt:,} tokens in, {usage.output:,} out{hidden}{counted} · {cost} · "
            f"{waited}{1000 * sum(r.latency_s for r in done):,.0f} ms in all · finish: {ends}"
        )
