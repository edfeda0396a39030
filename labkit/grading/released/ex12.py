# Made by `labkit release` from solutions/checks/ex12.py. Edit that file, not this one.
"""Checks of exercise 12, "Rate limits and errors". Read them beside the notebook of the same number.

Limits, refusals and outages are scripted at the lab server, whose journal says what was sent. A lab minute lasts a
second there, so that a check of a limit takes no longer than that.
"""

import time
from typing import Any

from labkit import registry
from labkit.grading import Answer, Exchange, Task, expect, fail
from labkit.grading.answer import NoAnswer

MODEL = registry.model("openai", "sampling")
QUESTIONS = ("What is a token?", "What is an API?", "What is a context window?", "What is streaming good for?")
FIRST_S, LONGEST_S = 0.5, 8.0
"""Ceiling of the first wait, and of all."""
MINUTE_S = 1.0
"""Real seconds of a lab minute."""


def question(answer: Answer) -> str:
    return answer.anew(answer.rng.choice(QUESTIONS))


def statuses(answer: Answer) -> list[int]:
    return [sent.status for sent in answer.requests()]


def fails(answer: Answer, *args: Any, **kwargs: Any) -> None:
    """Call `ask`, which is to let the error through."""
    try:
        got = answer.call("ask", *args, **kwargs)
    except NoAnswer as none:
        if none.kind not in ("raised", "refused"):
            raise
        return
    fail(f"`ask` is to let the provider's error through when it gives up; it returned {got!r}")


# --- 12.1 ------------------------------------------------------------------------------------------------------------

levels = Task(
    "12.1",
    "What the headers say",
    points=2,
    hints=(
        "Each provider has a limit and what remains of it, under names of its own. Look for the limit first: where it "
        "is missing, nothing was said.",
        "OpenAI's names are `x-ratelimit-limit-requests` and `x-ratelimit-remaining-requests`, Anthropic's are "
        "`anthropic-ratelimit-requests-limit` and `...-remaining`. The values are texts: `int(...)` them.",
    ),
)


def told(answer: Answer, form: str) -> tuple[dict[str, str], dict[str, float]]:
    """Headers in one provider's form, and the shares that they tell."""
    headers, shares = {"content-type": "application/json"}, {}
    for subject in ("requests", "tokens"):
        limit = answer.rng.randrange(50, 5_000)
        remaining = answer.rng.randrange(limit)
        headers |= {
            form.format(what="limit", of=subject): str(limit),
            form.format(what="remaining", of=subject): str(remaining),
        }
        shares[subject] = remaining / limit
    return headers, shares


@levels.check("`left` reads OpenAI's headers", points=1)
def reads_openai(answer: Answer) -> None:
    headers, shares = told(answer, "x-ratelimit-{what}-{of}")
    expect(answer.call("left", headers), "the shares that are left", is_=shares)


# --- 12.2 ------------------------------------------------------------------------------------------------------------

decisions = Task(
    "12.2",
    "Whether, and when",
    points=4,
    hints=(
        "Ask of each status who has to act: the world, then time helps; you, then it does not. And what the provider "
        "says about waiting counts more than any formula.",
        "408, 429 and everything from 500 on pass; no status at all does too; `insufficient_quota` is a 429 that does "
        "not. Without a header the ceiling is `min(8, 0.5 * 2**attempt)`, of which `draw` takes its share.",
    ),
)


@decisions.check("`worth_retrying` tells passing trouble from lasting trouble", points=1)
def tells_apart(answer: Answer) -> None:
    for status in (408, 429, 500, 502, 503, 504, 529):
        expect(answer.call("worth_retrying", status, None), f"`worth_retrying({status}, None)`", is_=True)
    for status in (400, 401, 403, 404, 422):
        expect(answer.call("worth_retrying", status, None), f"`worth_retrying({status}, None)`", is_=False)


@decisions.check("an empty account is not worth it, a lost connection is", points=1)
def knows_exceptions(answer: Answer) -> None:
    expect(answer.call("worth_retrying", 429, "insufficient_quota"), "an empty account", is_=False)
    expect(answer.call("worth_retrying", 429, "rate_limit_exceeded"), "a rate limit", is_=True)
    expect(answer.call("worth_retrying", None, None), "no answer at all", is_=True)


@decisions.check("`wait_before` draws below a ceiling that doubles up to 8 s", points=1)
def backs_off(answer: Answer) -> None:
    for attempt in range(8):
        draw = round(answer.rng.random(), 3)
        ceiling = min(LONGEST_S, FIRST_S * 2**attempt)
        seen = answer.call("wait_before", attempt, {}, draw)
        what = f"the wait after attempt {attempt} with a draw of {draw}"
        expect(seen, what, at_least=draw * ceiling - 1e-6, at_most=draw * ceiling + 1e-6)


# --- 12.3 ------------------------------------------------------------------------------------------------------------

patience = Task(
    "12.3",
    "Ask, patiently",
    points=6,
    hints=(
        "A loop over the attempts, a `try` inside, and two ways out of it: an answer, or an error that you let "
        "through. Count who else retries: the client that you were given does.",
        "`client.with_options(max_retries=0)` asks once. Catch `openai.APIError`; `getattr(error, 'status_code', "
        "None)` and `error.response.headers`, which an `APIConnectionError` does not have, are what 12.2 needs.",
    ),
)


@patience.check("with no trouble, one request and its text", points=1)
def asks_once(answer: Answer) -> None:
    got = answer.call("ask", question(answer))
    seen = answer.requests()
    expect(len(seen), "the number of requests", is_=1)
    expect(got, "what `ask` returned", is_=seen[0].completion)


@patience.check("passing trouble is passed", points=1)
def gets_through(answer: Answer) -> None:
    answer.lab.fault("unavailable", next=2)
    got = answer.call("ask", question(answer))
    expect(statuses(answer), "the statuses of the requests", is_=[503, 503, 200])
    expect(got, "what `ask` returned", is_=answer.requests()[-1].completion)


@patience.check("it gives up after `attempts` requests, and nobody retries besides", points=1)
def gives_up(answer: Answer) -> None:
    attempts = answer.rng.choice((2, 3))
    answer.lab.set(clock={"rate": 60 / MINUTE_S})
    answer.lab.fault("rate_limit", every=1, seconds=3)  # a wait of 0.05 s: retries upon retries must end in time
    fails(answer, question(answer), attempts=attempts)
    expect(len(statuses(answer)), f"the number of requests with attempts={attempts}", is_=attempts)


@patience.check("lasting trouble is asked once", points=1)
def stops_at_once(answer: Answer) -> None:
    answer.lab.fault(answer.rng.choice(("unauthorized", "forbidden", "context_exceeded")), every=1)
    fails(answer, question(answer))
    expect(len(statuses(answer)), "the number of requests for lasting trouble", is_=1)


# --- 12.4 ------------------------------------------------------------------------------------------------------------

bucket = Task(
    "12.4",
    "A bucket",
    points=4,
    hints=(
        "The bucket remembers a level and the moment of that level. Whoever asks brings it up to date first: time that "
        "passed, times the rate, and never above the capacity.",
        "`level = min(capacity, level + (now - at) * per_second)`; the wait is what is missing, divided by the rate, "
        "and not below 0.",
    ),
)


@bucket.check("a new bucket is full, and what was taken is gone", points=1)
def begins_full(answer: Answer) -> None:
    capacity = answer.rng.randrange(5, 50)
    made = answer.make("TokenBucket", capacity, 1.0, 100.0)
    expect(made.call("wait_for", capacity, 100.0), "the wait for all of a full bucket", at_most=0, at_least=0)
    made.call("take", capacity, 100.0)
    expect(made.call("wait_for", 1, 100.0), "the wait for 1 from an empty one, at 1 a second,", is_=1.0)


@bucket.check("it refills at its rate", points=1)
def refills(answer: Answer) -> None:
    rate = answer.rng.choice((0.5, 2.0, 4.0))
    made = answer.make("TokenBucket", 100, rate, 0.0)
    made.call("take", 100, 0.0)
    wait = made.call("wait_for", 20, 4.0)
    right = (20 - 4 * rate) / rate
    expect(wait, f"the wait for 20 after 4 s at {rate} a second", at_least=right - 1e-6, at_most=right + 1e-6)
    expect(made.call("wait_for", 20, 4.0 + right + 0.001), "the wait after that wait", is_=0)


# --- 12.5 ------------------------------------------------------------------------------------------------------------

rush = Task(
    "12.5",
    "More than the limit, and nobody lost",
    points=6,
    hints=(
        "What arrives twice need be asked once; who is urgent goes first; and a request leaves when your bucket has "
        "room. One loop can do all three, if it starts each call and does not wait for its answer.",
        "Sort the jobs by urgency, skip prompts that you have started, `await asyncio.sleep(bucket.wait_for(...))`, "
        "`take`, then `asyncio.create_task(asyncio.to_thread(ask, prompt))`. Stay a little under the limit.",
    ),
)
LIMIT, JOBS = 20, 50


def jobs(answer: Answer, count: int, urgent: float = 0.2) -> list[dict[str, Any]]:
    """Different prompts, some of them urgent."""
    numbers = answer.rng.sample(range(1000, 10_000), count)
    marked = set(answer.rng.sample(range(count), int(count * urgent)))
    asked = [f"{answer.rng.choice(QUESTIONS)} (reader {number})" for number in numbers]
    return [{"prompt": prompt, "urgent": n in marked} for n, prompt in enumerate(asked)]


def served(answer: Answer, given: list[dict[str, Any]]) -> list[Exchange]:
    """Every job got the text that was sent for its prompt."""
    answer.lab.set(clock={"rate": 60 / MINUTE_S}, limits={"requests_per_minute": LIMIT})
    got = answer.call("serve_all", given, LIMIT, MINUTE_S)
    seen = answer.requests()
    texts = {sent.messages[-1]["content"]: sent.completion for sent in seen if sent.status == 200}
    expect(got, "what `serve_all` returned", type_=list)
    expect(len(got), "the number of answers", is_=len(given))
    lost = sum(not one for one in got)
    expect(lost, "the number of jobs without an answer", is_=0)
    if got != [texts.get(job["prompt"]) for job in given]:
        fail("the answers are not those of the jobs, in the order of the jobs")
    return seen


@rush.check("50 jobs through a limit of 20 a minute: all are answered, in their order", points=2)
def serves_all(answer: Answer) -> None:
    served(answer, jobs(answer, JOBS))


@rush.check("nearly nothing is refused on the way", points=1)
def keeps_the_limit(answer: Answer) -> None:
    refused = [sent for sent in served(answer, jobs(answer, JOBS)) if sent.status == 429]
    expect(len(refused), "the number of refusals among 50 jobs", at_most=2)


@rush.check("the same prompt is sent once", points=1)
def asks_each_once(answer: Answer) -> None:
    given = jobs(answer, 15)
    given += answer.rng.sample(given, 10)
    seen = served(answer, given)
    expect(len(seen), "the number of requests for 15 different prompts in 25 jobs", is_=15)
