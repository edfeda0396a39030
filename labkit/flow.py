"""One flow for both worlds: a call is written once, as a generator, and driven with or without `await`.

The generator yields what has to be done next, `Do` (call this), `Either` (call or await) or `Wait` (this many
seconds), and is sent what came of it, an exception included. It never blocks and never awaits, so the code of a call
exists once:

    def flow():
        reply = yield Do(lambda: sdk.chat.completions.create(...))
        return reply.text

    run(flow())             with a plain SDK client
    await arun(flow())      the same flow with an asynchronous one
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from labkit.errors import CallError

if TYPE_CHECKING:
    from tenacity import BaseRetrying

ATTEMPTS = 3
"""As the SDKs do: a call and two more."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0
"""Seconds; doubled at each attempt and spread at random, so that what failed together does not return together."""
LONGEST_RETRY_AFTER = 120.0
"""A provider that says to wait longer than this is taken at its word: the error goes to the caller at once."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Do:
    """Call this, and await it if it can be awaited."""

    call: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Either:
    """Call `plain`, or await `awaited`: for what a thread and a coroutine have to do differently."""

    plain: Callable[[], Any]
    awaited: Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Wait:
    """Let so many seconds pass."""

    seconds: float


Flow = Generator[Do | Either | Wait, Any, T]


def run(flow: Flow[T]) -> T:
    """Drive a flow in this thread."""
    try:
        step = next(flow)
        while True:
            try:
                value = _now(step)
            except Exception as error:
                step = flow.throw(error)
            else:
                step = flow.send(value)
    except StopIteration as done:
        return cast("T", done.value)
    finally:
        flow.close()  # Ctrl-C while waiting: the flow's own `finally` runs now, not at some collection


async def arun(flow: Flow[T]) -> T:
    """Drive a flow on the running event loop."""
    try:
        step = next(flow)
        while True:
            try:
                value = _soon(step)
                if inspect.isawaitable(value):
                    value = await value
            except Exception as error:
                step = flow.throw(error)
            else:
                step = flow.send(value)
    except StopIteration as done:
        return cast("T", done.value)
    finally:
        flow.close()


def _now(step: Do | Either | Wait) -> Any:
    """What a step comes to in this thread."""
    if isinstance(step, Wait):
        time.sleep(step.seconds)
        return None
    return step.call() if isinstance(step, Do) else step.plain()


def _soon(step: Do | Either | Wait) -> Any:
    """The same for an event loop: a value, or what to await."""
    if isinstance(step, Wait):
        return asyncio.sleep(step.seconds)
    return step.call() if isinstance(step, Do) else step.awaited()


def retries(attempts: int = ATTEMPTS) -> BaseRetrying:
    """The retry policy of `LLMClient`: which errors, how often, how long to wait. Any of tenacity's may replace it."""
    from tenacity import Retrying, retry_if_exception, stop_after_attempt

    return Retrying(
        stop=stop_after_attempt(attempts), wait=_patience(), retry=retry_if_exception(worth_repeating), reraise=True
    )


def worth_repeating(error: BaseException) -> bool:
    """Whether the same call may succeed soon."""
    return isinstance(error, CallError) and error.retryable and (error.retry_after or 0.0) <= LONGEST_RETRY_AFTER


def _patience() -> Callable[[Any], float]:
    """As long as the provider says and a little more, else an exponential wait with jitter."""
    from tenacity import wait_exponential_jitter, wait_random

    backoff = wait_exponential_jitter(initial=FIRST_WAIT, max=LONGEST_WAIT, jitter=FIRST_WAIT)
    spread = wait_random(0, 1)

    def patience(state: Any) -> float:
        told = getattr(state.outcome.exception(), "retry_after", None)
        return float(backoff(state)) if told is None else told + 0.1 * min(told, 5.0) * float(spread(state))

    return patience


def attempt(policy: BaseRetrying, once: Callable[[int], Flow[T]]) -> Flow[T]:
    """Repeat the flow `once(attempts before)` as the policy says. tenacity decides; waiting is left to the driver."""
    from tenacity import DoAttempt, DoSleep, RetryCallState

    state = RetryCallState(policy, None, (), {})
    policy.begin()
    while True:
        decision = policy.iter(retry_state=state)
        if isinstance(decision, DoAttempt):
            try:
                value = yield from once(state.attempt_number - 1)
            except Exception as error:
                if isinstance(error, CallError):
                    error.retries = state.attempt_number - 1
                state.set_exception((type(error), error, error.__traceback__))
            else:
                return value
        elif isinstance(decision, DoSleep):
            state.prepare_for_next_attempt()
            yield Wait(float(decision))
        else:
            return cast("T", decision)  # a policy's own `retry_error_callback` may answer in place of the call
