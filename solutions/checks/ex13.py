"""Checks of exercise 13, "Routing and fallback". Read them beside the notebook of the same number.

Providers are broken at the lab server, and its journal says who was asked and what it cost. An outage lasts minutes of
lab time, which a check moves on by itself.
"""

import math
import time
from typing import Any

from labkit import datasets, registry
from labkit.grading import Answer, Exchange, Made, Task, billed, expect, expect_usd, fail
from labkit.grading.answer import NoAnswer

QUESTIONS = ("What is a token?", "What is an API?", "What is a context window?", "What is streaming good for?")
MODELS = {
    "openai": registry.model("openai", "standard"),
    "anthropic": registry.model("anthropic", "standard"),
    "own": registry.model("self-hosted", "standard"),
}
NAMES = tuple(MODELS)
PROVIDERS = {"openai": "openai", "anthropic": "anthropic", "own": "vllm"}
"""What the lab server calls whoever has a name here."""
PATIENCE_S = 2.0
"""The longest that one attempt may take."""
HANGS_S = 4.0
"""A provider that hangs is silent for so long, and stands in the journal only then."""
LITELLM_SECONDS = 20.0
"""Its first call in a process loads more of it."""


def question(answer: Answer) -> str:
    return answer.anew(answer.rng.choice(QUESTIONS))


def name_of(sent: Exchange) -> str:
    """Who was asked, by the path."""
    if "vllm" in sent.path:
        return "own"
    return "anthropic" if sent.path.endswith("/messages") else "openai"


def asked(answer: Answer) -> list[str]:
    """Who was asked in the last call, in order."""
    return [name_of(sent) for sent in answer.requests()]


def text_of(sent: Exchange) -> str:
    if name_of(sent) == "anthropic":
        return "".join(block["text"] for block in sent.reply["content"] if block["type"] == "text")
    return str(sent.reply["choices"][0]["message"]["content"])


def prompt_of(sent: Exchange) -> str:
    """The last message, whether as a text or as parts."""
    content = sent.messages[-1]["content"]
    return content if isinstance(content, str) else "".join(str(part.get("text", "")) for part in content)


def after_a_hang(answer: Answer) -> list[str]:
    """Who was asked in the last call, when the one that hung is in the journal too. Later it would be in the way."""
    until = time.monotonic() + 2 * HANGS_S
    while "openai" not in asked(answer) and time.monotonic() < until:
        time.sleep(0.05)
    return sorted(asked(answer))


def breaks(answer: Answer, kind: str, *names: str, **trigger: Any) -> None:
    """These are in trouble: always, unless the trigger says when."""
    for name in names:
        when = trigger or {"every": 1}
        answer.lab.fault(kind, provider=PROVIDERS[name], **when)


# --- 13.1 ------------------------------------------------------------------------------------------------------------

line = Task(
    "13.1",
    "Where to draw the line",
    points=3,
    hints=(
        "Go through the rows and ask of each: is the small model's answer kept? What is right and paid follows "
        "from that. To choose, try the thresholds from below.",
        "`usd_small` is paid for every row, `usd_standard` for those that are not kept. Thresholds are `n / 20` for "
        "`n` from 0 to 20; compare with `sum(row['standard'] for row in rows) / len(rows)`.",
    ),
)


def history(answer: Answer, standard: float = 0.9) -> list[dict[str, Any]]:
    """Rows in which a surer small model is more often right."""
    rows = []
    for _ in range(80):
        p = answer.rng.randrange(30, 100) / 100
        rows.append(
            {
                "p": p,
                "small": answer.rng.random() < p,
                "standard": answer.rng.random() < standard,
                "usd_small": answer.rng.randrange(100, 200) / 1e7,
                "usd_standard": answer.rng.randrange(1000, 2000) / 1e7,
            }
        )
    return rows


def right_share(rows: list[dict[str, Any]], threshold: float) -> float:
    kept = [row["small"] if row["p"] >= threshold else row["standard"] for row in rows]
    return kept.count(True) / len(rows)


@line.check("`routed` says how often the router is right", points=1)
def counts_right(answer: Answer) -> None:
    rows = history(answer)
    for threshold in (0.7, rows[0]["p"], 1.0):
        seen = answer.call("routed", rows, threshold)
        expect(seen, "what `routed` returned", type_=dict)
        right = right_share(rows, threshold)
        what = f"the accuracy at a threshold of {threshold}"
        expect(seen.get("accuracy"), what, at_least=right - 1e-6, at_most=right + 1e-6)


@line.check("`routed` pays the small model each time", points=1)
def pays_both(answer: Answer) -> None:
    rows, threshold = history(answer), answer.rng.randrange(50, 90) / 100
    asked_on = [row for row in rows if row["p"] < threshold]
    right = sum(row["usd_small"] for row in rows) + sum(row["usd_standard"] for row in asked_on)
    expect_usd(answer.call("routed", rows, threshold).get("usd"), f"the USD at a threshold of {threshold}", right)


### BEGIN HIDDEN TESTS
@line.check("`choose` takes the lowest threshold that loses nothing", points=1)
def chooses(answer: Answer) -> None:
    for standard in (0.7, 0.95):
        rows = history(answer, standard)
        fine = [n / 20 for n in range(21) if right_share(rows, n / 20) >= right_share(rows, 2.0)]
        expect(answer.call("choose", rows), "the threshold", is_=fine[0] if fine else None)
    sure = [{**row, "p": 1.0, "small": False, "standard": True} for row in history(answer)[:9]]
    expect(answer.call("choose", sure), "the threshold for a small model that is sure and always wrong", is_=None)


### END HIDDEN TESTS
# --- 13.2 ------------------------------------------------------------------------------------------------------------

sorter = Task(
    "13.2",
    "Sure, or ask on",
    points=4,
    hints=(
        "Both calls are the same but for the model, so write one and loop over the tiers. Whether to go on is a "
        "question to the first answer's logprobs.",
        "`logprobs=True` gives `choice.logprobs.content`, a list of tokens; `math.exp(sum(token.logprob ...))` is the "
        "probability of all of them. `reasoning_effort='none'` is what makes the temperature possible.",
    ),
)


def ticket(answer: Answer) -> str:
    return str(answer.rng.choice(datasets.records("tickets"))["text"])


def confidence(sent: Exchange) -> float:
    told = sent.reply["choices"][0].get("logprobs") or {}
    if not told.get("content"):
        fail("the small model's answer: expected logprobs in it, saw none")
    return math.exp(sum(token["logprob"] for token in told["content"]))


def tiers(seen: list[Exchange]) -> list[str]:
    """The tiers of the models that were asked."""
    known = {registry.model("openai", tier): tier for tier in ("small", "standard")}
    return [known.get(sent.model, sent.model) for sent in seen]


def sorted_ticket(answer: Answer, threshold: float, text: str = "") -> tuple[dict[str, Any], list[Exchange]]:
    text = text or ticket(answer)
    got, seen = answer.call("sort_ticket", text, threshold), answer.requests()
    expect(got, "what `sort_ticket` returned", type_=dict)
    for sent in seen:
        expect(sent.messages[-1]["content"], "the user message", is_=text)
        dials = [sent.body.get(name) for name in ("temperature", "reasoning_effort")]
        expect(dials, "temperature and reasoning effort", is_=[0, "none"])
    return got, seen


@sorter.check("at a threshold of 0 the small model's answer is kept", points=1)
def keeps_small(answer: Answer) -> None:
    got, seen = sorted_ticket(answer, 0.0)
    expect(tiers(seen), "the tiers that were asked at a threshold of 0", is_=["small"])
    expect([got.get("queue"), got.get("asked")], "queue and tiers", is_=[text_of(seen[0]).strip().lower(), ["small"]])


@sorter.check("at a threshold above 1 the standard model's answer counts", points=1)
def asks_on(answer: Answer) -> None:
    got, seen = sorted_ticket(answer, 1.01)
    expect(tiers(seen), "the tiers that were asked at a threshold above 1", is_=["small", "standard"])
    expect(got.get("queue"), "the queue", is_=text_of(seen[1]).strip().lower())
    expect(got.get("asked"), "the tiers in the result", is_=["small", "standard"])


@sorter.check("in between, the probability of the whole answer decides", points=1)
def decides(answer: Answer) -> None:
    for _ in range(4):
        text = ticket(answer)
        _, seen = sorted_ticket(answer, 0.0, text)
        p = confidence(seen[0])
        for threshold, wanted in ((p - 0.02, ["small"]), (p + 0.02, ["small", "standard"])):
            _, seen = sorted_ticket(answer, threshold, text)
            expect(tiers(seen), f"the tiers asked by {threshold:.2f} with a confidence of {p:.2f}", is_=wanted)


### BEGIN HIDDEN TESTS
@sorter.check("the cost is that of all calls", points=1)
def adds_up(answer: Answer) -> None:
    for threshold in (0.0, 1.01):
        got, seen = sorted_ticket(answer, threshold)
        expect_usd(got.get("usd"), f"the USD at a threshold of {threshold}", billed(seen))


### END HIDDEN TESTS
# --- 13.3 ------------------------------------------------------------------------------------------------------------

standing_in = Task(
    "13.3",
    "Who stands in",
    points=5,
    seconds=10.0,
    hints=(
        "A loop over the names with a `try` inside. All depends on which errors you pass over: ask of each whether it "
        "would be gone at another provider because it is the provider's, or only hidden.",
        "`client.with_options(timeout=2.0, max_retries=0)` makes one attempt. Catch `openai.APIError` and "
        "`anthropic.APIError`; `getattr(error, 'status_code', None)` is None without an answer. Else `raise`.",
    ),
)


def answered_by(answer: Answer, name: str, *, tried: list[str]) -> None:
    """The next answer is that one's, after those."""
    got, seen = answer.call("answer", question(answer)), answer.requests()
    expect([name_of(sent) for sent in seen], "who was asked", is_=[*tried, name])
    expect([got.get("name"), got.get("tried")], "`name` and `tried`", is_=[name, tried])
    expect(got.get("text"), "the text", is_=text_of(seen[-1]))


def lets_through(answer: Answer, what: str) -> None:
    try:
        got = answer.call("answer", question(answer))
    except NoAnswer as none:
        if none.kind not in ("raised", "refused"):
            raise
        return
    fail(f"`answer` is to let the error through {what}; it returned {got!r}")


@standing_in.check("`ask` makes one attempt at whoever is named", points=1)
def asks_one(answer: Answer) -> None:
    for name in answer.rng.sample(NAMES, 3):
        prompt = question(answer)
        got, seen = answer.call("ask", name, prompt), answer.requests()
        expect([name_of(sent) for sent in seen], f"who was asked for {name!r}", is_=[name])
        expect(seen[0].model, f"the model for {name!r}", is_=MODELS[name])
        expect(seen[0].messages, f"the messages to {name!r}", is_=[{"role": "user", "content": prompt}])
        expect(got, f"the text from {name!r}", is_=text_of(seen[0]))


@standing_in.check("the next one answers when those before it are down", points=1)
def stands_in(answer: Answer) -> None:
    answered_by(answer, "openai", tried=[])
    breaks(answer, answer.rng.choice(("overloaded", "server_error", "unavailable")), "openai")
    answered_by(answer, "anthropic", tried=["openai"])
    breaks(answer, answer.rng.choice(("rate_limit", "bad_gateway", "overloaded")), "anthropic")
    answered_by(answer, "own", tried=["openai", "anthropic"])


@standing_in.check("what is wrong with the request or the key is not hidden", points=1)
def hides_nothing(answer: Answer) -> None:
    breaks(answer, answer.rng.choice(("unauthorized", "forbidden", "context_exceeded")), "openai")
    lets_through(answer, "when the key or the request is wrong")
    expect(asked(answer), "who was asked when the first one says that the key or the request is wrong", is_=["openai"])


### BEGIN HIDDEN TESTS
@standing_in.check("a provider that hangs is given two seconds", points=1)
def waits_no_longer(answer: Answer) -> None:
    breaks(answer, "slow_first_token", "openai", next=1, seconds=HANGS_S)
    began = time.monotonic()
    got = answer.call("answer", question(answer))
    took = time.monotonic() - began
    expect(after_a_hang(answer), "who was asked, the one that hung and its stand-in", is_=["anthropic", "openai"])
    expect([got.get("name"), got.get("tried")], "`name` and `tried`", is_=["anthropic", ["openai"]])
    expect(round(took, 1), "the seconds until somebody answered", at_most=PATIENCE_S + 1.5)


@standing_in.check("a lost connection is an outage too, and when nobody answers the error goes through", points=1)
def gives_up(answer: Answer) -> None:
    breaks(answer, "reset", "openai")
    got = answer.call("answer", question(answer))
    expect(
        [got.get("name"), got.get("tried")], "`name` and `tried` without a connection", is_=["anthropic", ["openai"]]
    )
    breaks(answer, "server_error", "anthropic", "own")
    lets_through(answer, "when nobody answers")


### END HIDDEN TESTS
# --- 13.4 ------------------------------------------------------------------------------------------------------------

leaving_alone = Task(
    "13.4",
    "Leave the dead alone",
    points=4,
    hints=(
        "Three states: closed, open until some moment, and a try under way. Write down for each what `allows`, "
        "`failed` and `succeeded` make of it before you write code.",
        "Keep `failures`, `pause`, `open_until` (None while closed) and `trying`. `failed` opens if `trying` or if the "
        "failures have reached `after`; `allows` turns `trying` on when the pause is over.",
    ),
)


def opened(answer: Answer, after: int, pause: float, now: float) -> Made:
    """A breaker that has failed its number of times, last at `now`."""
    breaker = answer.make("Breaker", after, pause)
    for n in range(after):
        breaker.call("failed", now - after + 1 + n)
    return breaker


def allows(breaker: Made, now: float, is_: bool, when: str) -> None:
    expect(breaker.call("allows", now), f"`allows` {when}", is_=is_)


@leaving_alone.check("so many failures in a row open it, others do not", points=1)
def opens(answer: Answer) -> None:
    after = answer.rng.randrange(2, 6)
    breaker = answer.make("Breaker", after, 30)
    allows(breaker, 0, True, "at first")
    for _ in range(2):
        for n in range(after - 1):
            breaker.call("failed", n)
        allows(breaker, 9, True, f"after {after - 1} failures in a row, of {after}")
        breaker.call("succeeded", 9)
    for n in range(after):
        breaker.call("failed", 10 + n)
    allows(breaker, 10 + after, False, f"after {after} failures in a row, of {after}")


@leaving_alone.check("after the pause it allows one try, and waits for what comes of it", points=1)
def tries_once(answer: Answer) -> None:
    pause, now = answer.rng.randrange(20, 200), answer.rng.randrange(100, 1000)
    breaker = opened(answer, 3, pause, now)
    allows(breaker, now + pause - 1, False, "a second before the pause is over")
    allows(breaker, now + pause, True, "when the pause is over")
    allows(breaker, now + pause + 1, False, "while the try is under way")
    breaker.call("succeeded", now + pause + 2)
    for n in range(2):
        allows(breaker, now + pause + 3 + n, True, "after a try that succeeded")


### BEGIN HIDDEN TESTS
@leaving_alone.check("each try that fails doubles the pause, up to eight times the first", points=1)
def doubles(answer: Answer) -> None:
    first, now = answer.rng.randrange(20, 200), 0
    breaker = opened(answer, 2, first, now)
    for pause in (first, 2 * first, 4 * first, 8 * first, 8 * first):
        allows(breaker, now + pause - 1, False, f"{pause - 1} s after a failure, with a first pause of {first} s")
        now += pause
        allows(breaker, now, True, f"{pause} s after a failure, with a first pause of {first} s")
        breaker.call("failed", now)


@leaving_alone.check("after a success everything is as at first", points=1)
def starts_anew(answer: Answer) -> None:
    first = answer.rng.randrange(20, 200)
    breaker = opened(answer, 2, first, 0)
    allows(breaker, first, True, "after the first pause")
    breaker.call("failed", first)
    allows(breaker, 3 * first, True, "after the second pause")
    breaker.call("succeeded", 3 * first)
    breaker.call("failed", 1000)
    allows(breaker, 1001, True, "after a success and one failure, of 2")
    breaker.call("failed", 1001)
    allows(breaker, 1000 + first, False, "a second before the first pause is over")
    allows(breaker, 1001 + first, True, "after the first pause, which a success has brought back")


### END HIDDEN TESTS
# --- 13.5 ------------------------------------------------------------------------------------------------------------

drill = Task(
    "13.5",
    "The drill",
    points=4,
    hints=(
        "`serve` is `answer` with one question before each attempt, and one report after it. Whose trouble it was you "
        "know from 13.3.",
        "`if not breaker.allows(now): continue`, then `try` your `ask`; `failed(now)` for an outage, `succeeded(now)` "
        "and `return name` otherwise. Fall out of the loop and it was lost.",
    ),
)
OUTAGE_MIN = 45


def drilled(
    answer: Answer, minutes: range, down: tuple[int, int], a_minute: int = 1
) -> list[tuple[int, str, list[str]]]:
    """Minute, who served, and who was asked, of each request; OpenAI is down from one minute to the other."""
    service = answer.make("Service")
    start = answer.lab.now()
    window = {"start_s": start + 60 * down[0] - 30, "end_s": start + 60 * down[1] - 30}
    breaks(answer, "overloaded", "openai", **window)
    rows = []
    for minute in minutes:
        for _ in range(a_minute):
            rows.append((minute, service.call("serve", question(answer), start + 60 * minute), asked(answer)))
        answer.lab.set(clock={"advance_s": 60 * minutes.step})
    return rows


@drill.check("an outage of 45 minutes, and nobody is lost", points=1)
def loses_nobody(answer: Answer) -> None:
    rows = drilled(answer, range(0, OUTAGE_MIN + 4, 3), (2, OUTAGE_MIN + 2))
    expect(rows[0][1], "who served before the outage", is_="openai")
    during = {name for minute, name, _ in rows if 2 <= minute < OUTAGE_MIN + 2}
    expect(sorted(during), "who served in the outage", is_=["anthropic"])


@drill.check("the dead provider is left alone, and comes back", points=1)
def spares_the_dead(answer: Answer) -> None:
    rows = drilled(answer, range(20), (0, 16))
    vain = sum("openai" in seen for minute, _, seen in rows if minute < 16)
    expect(vain, "the requests to the dead provider, of 16", at_least=5, at_most=8)
    expect(rows[-1][1], "who served three minutes after the end of the outage", is_="openai")


@drill.check("`summary` counts what was served, lost, and carried by the own server", points=1)
def sums_up(answer: Answer) -> None:
    names = answer.rng.choices([*NAMES, "lost"], k=40) + ["own", "lost", "anthropic"]
    rows = [[minute, name] for minute, name in enumerate(names)]
    lost, own = names.count("lost"), names.count("own")
    share = own / (own + names.count("anthropic"))
    seen = answer.call("summary", rows)
    expect([seen.get("served"), seen.get("lost")], "served and lost", is_=[len(names) - lost, lost])
    expect(seen.get("own"), "the own server's share", at_least=share - 1e-6, at_most=share + 1e-6)
    quiet = answer.call("summary", [[0, "openai"], [1, "openai"]])
    expect(quiet, "the summary of a quiet day", is_={"served": 2, "lost": 0, "own": 0})


### BEGIN HIDDEN TESTS
@drill.check("where the second one's limit is reached, the own server carries the rest", points=1)
def carries_the_rest(answer: Answer) -> None:
    answer.lab.set(limits={"requests_per_minute": 1, "model": MODELS["anthropic"]})
    names = [name for _, name, _ in drilled(answer, range(8), (0, 8), a_minute=2)]
    expect(names.count("lost"), "the number of requests that were lost", is_=0)
    expect(names.count("anthropic"), "those that Anthropic served, of 16", at_least=3)
    expect(names.count("own"), "those that the own server carried, of 16", at_least=5)


### END HIDDEN TESTS
# --- 13.6 ------------------------------------------------------------------------------------------------------------

router = Task(
    "13.6",
    "The same with LiteLLM",
    points=5,
    seconds=LITELLM_SECONDS,
    hints=(
        "Two deployments with names of their own, and `fallbacks` from one to the other. Three defaults are in the "
        "way: retries, a long timeout, and that a group of one is never left alone.",
        '`litellm.Router([...], fallbacks=[{"main": ["spare"]}], num_retries=0, timeout=2.0, allowed_fails=2, '
        "cooldown_time=60)`. Prices are `input_cost_per_token` and `output_cost_per_token` in `litellm_params`.",
    ),
)


def gateway(answer: Answer) -> Made:
    return answer.make("Gateway")


def reached(answer: Answer, made: Made, *names: str) -> list[Exchange]:
    """The requests of one `ask`, which went to these; the last one answered."""
    prompt = question(answer)
    got, seen = made.call("ask", prompt), answer.requests()
    expect([name_of(sent) for sent in seen], "who was asked", is_=list(names))
    expect(seen[-1].status, "the status of the last request", is_=200)
    expect(seen[-1].model, "the model that answered", is_=MODELS[names[-1]])
    expect(prompt_of(seen[-1]), "the prompt", is_=prompt)
    expect(got, "the text", is_=text_of(seen[-1]))
    return seen


@router.check("`main` answers, and `spare` when it is down", points=1)
def falls_back(answer: Answer) -> None:
    made = gateway(answer)
    reached(answer, made, "openai")
    breaks(answer, answer.rng.choice(("server_error", "overloaded")), "openai", next=1)
    reached(answer, made, "openai", "anthropic")


@router.check("after three failures `main` is left alone", points=1)
def cools_down(answer: Answer) -> None:
    made = gateway(answer)
    breaks(answer, "server_error", "openai")
    for _ in range(3):
        reached(answer, made, "openai", "anthropic")
    for _ in range(3):
        reached(answer, made, "anthropic")


@router.check("`spent` is the provider's bill", points=1)
def knows_spending(answer: Answer) -> None:
    made = gateway(answer)
    usd = billed(reached(answer, made, "openai") + reached(answer, made, "openai"))
    breaks(answer, "server_error", "openai", next=1)
    usd += billed(reached(answer, made, "openai", "anthropic"))
    expect_usd(made.call("spent"), "what three answers cost, one of them from `spare`", usd)


### BEGIN HIDDEN TESTS
@router.check("a provider that hangs is given two seconds, once", points=1)
def times_out(answer: Answer) -> None:
    made = gateway(answer)
    reached(answer, made, "openai")
    breaks(answer, "slow_first_token", "openai", every=1, seconds=HANGS_S)
    began = time.monotonic()
    made.call("ask", question(answer))
    took = time.monotonic() - began
    expect(after_a_hang(answer), "who was asked, the one that hung and its stand-in", is_=["anthropic", "openai"])
    expect(round(took, 1), "the seconds until `spare` answered", at_most=PATIENCE_S + 1.5)


@router.check("`spread` gives the next call to whoever has fewer under way", points=1)
def spreads(answer: Answer) -> None:
    prompts, slow = [question(answer) for _ in range(24)], answer.rng.choice(("openai", "anthropic"))
    answer.call("spread", prompts[:2], 0.01)  # loads what LiteLLM loads late
    breaks(answer, "slow_first_token", slow, every=1, seconds=2.5)  # longer than it takes to start all calls
    began = time.monotonic()
    got = answer.call("spread", prompts, 0.06)
    took, seen = time.monotonic() - began, answer.requests()
    texts = {prompt_of(sent): text_of(sent) for sent in seen if sent.status == 200}
    expect(got, "the texts, in the order of the prompts", is_=[texts.get(prompt) for prompt in prompts])
    waited = sum(name_of(sent) == slow for sent in seen)
    expect(waited, f"the calls to {slow}, which is slow, of 24", at_most=6)
    expect(round(took, 1), f"the seconds for 24 calls while {slow} takes 2.5 s", at_most=8)


### END HIDDEN TESTS
