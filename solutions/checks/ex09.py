"""Checks of exercise 09, "Tokens and cost". Read them beside the notebook of the same number.

What a function says of tokens and dollars is held against the lab server's ledger, which bills each request by the
usage that it reported. Prices are read from the course's table, so a new price list changes no check.
"""

import time
from typing import Any

from labkit import datasets, prices, registry, tokens
from labkit.grading import Answer, Exchange, Made, Task, billed, expect, expect_usd, fail
from labkit.grading.answer import NoAnswer
from labkit.usage import Usage

MODEL = registry.model("openai", "sampling")
TIERS = ("small", "standard", "large")
QUESTIONS = ("What is a token?", "What is an API?", "What is a context window?", "What is streaming good for?")
TURNS = (
    "안녕하세요, 회의는 목요일 열 시입니다.",
    'move(meeting, day="Thursday")',
    "The meeting was moved to Thursday at ten.",
    "Unbelievably, 1,000,000 of them!",
    "Thanks.",
    "{'event': 'meeting', 'hour': 10}",
    "Is the report printed?",
)
WORDS = ("order", "parcel", "refund", "return", "invoice", "customer", "address", "payment", "delivery", "warranty")
"""Each is one token after a blank."""
USD = 1e-10
"""Dollars are sums of floats; a token costs more than this."""
HANGUP_S = 3.0
"""Within this, the server has noticed that nobody reads on."""


def question(answer: Answer) -> str:
    return answer.anew(answer.rng.choice(QUESTIONS))


def counted(messages: list[dict[str, str]]) -> int:
    """Prompt tokens by OpenAI's rule, which the lab server bills by."""
    turns = [(m["role"], m["content"], *([m["name"]] if "name" in m else [])) for m in messages]
    return tokens.count_messages(turns)  # type: ignore[arg-type]


def forget(answer: Answer) -> None:
    """No prompt is in a cache: a check that is run again draws the same, and a day of lab time outlives every cache."""
    answer.lab.set(clock={"advance_s": 86_400})


# --- 9.1 -------------------------------------------------------------------------------------------------------------

counting = Task(
    "9.1",
    "Count before you send",
    points=3,
    hints=(
        "Go through the messages and add up; the 3 for the answer come once. To trim, drop turns from the old end and "
        "count again. Each SDK has a method that counts, beside the one that generates.",
        "`3 + count(role) + count(content)` a message. The methods are `responses.input_tokens.count(model=..., input="
        "...)`, `messages.count_tokens(model=..., messages=...)`, `models.count_tokens(model=..., contents=...)`.",
    ),
)


def talk(answer: Answer, turns: int, name: bool = False) -> list[dict[str, str]]:
    """A system prompt and some turns."""
    said = [{"role": "system", "content": f"Be brief. Class {answer.rng.randrange(1000)}."}]
    for n in range(turns):
        text = f"{answer.rng.choice(TURNS)} {answer.rng.randrange(10_000)}"
        said.append({"role": ("user", "assistant")[n % 2], "content": text})
    if name:
        said[-1]["name"] = answer.rng.choice(("dana", "noor", "xiaoming"))
    return said


@counting.check("`prompt_tokens` counts text and frame, and sends nothing", points=1)
def counts_frame(answer: Answer) -> None:
    for name in (False, True):
        said = talk(answer, answer.rng.randrange(1, 6), name)
        seen = answer.call("prompt_tokens", said)
        expect(len(answer.requests()), "the number of requests while counting", is_=0)
        what = f"the prompt tokens of {len(said)} messages{', one with a name' if name else ''}"
        expect(seen, what, is_=counted(said))


@counting.check("`counted_by` asks each provider's endpoint for counting, at no cost", points=1)
def asks_endpoints(answer: Answer) -> None:
    for provider, ending in (("openai", "/input_tokens"), ("anthropic", "/count_tokens"), ("gemini", ":countTokens")):
        got = answer.call("counted_by", provider, f"{answer.rng.choice(TURNS)} {answer.rng.randrange(10_000)}")
        sent = answer.requests()
        expect(len(sent), f"the number of requests for {provider!r}", is_=1)
        if not sent[0].path.endswith(ending):
            fail(f"the request for {provider!r}: expected one that counts (...{ending}), saw {sent[0].path}")
        expect(got, f"the count for {provider!r}", one_of=list(sent[0].reply.values()))
        expect(billed(sent), f"the bill for counting at {provider!r}", is_=0)


### BEGIN HIDDEN TESTS
@counting.check("`trimmed` keeps the system prompt and the newest turns that fit", points=1)
def trims(answer: Answer) -> None:
    said = talk(answer, 7)
    for kept in (answer.rng.randrange(2, 6), 0, 7):
        wanted = said[:1] + said[len(said) - kept :]
        spare = counted(said[:1] + said[len(said) - kept - 1 :]) - counted(wanted) if kept < 7 else 2
        most = counted(wanted) + answer.rng.randrange(spare)
        expect(answer.call("trimmed", said, most), f"what is left of 8 messages within {most} tokens", is_=wanted)


### END HIDDEN TESTS
# --- 9.2 -------------------------------------------------------------------------------------------------------------

pricing = Task(
    "9.2",
    "The price of a call, before and after",
    points=5,
    hints=(
        "One multiplication for each class of tokens, and a million to divide by. For the bill, make sure that no "
        "prompt token is in two classes: OpenAI's `prompt_tokens` is the whole prompt.",
        "`rates.get(kind)` may be `None`, then `rates['input']` holds. Fresh input is `prompt_tokens - cached_tokens - "
        "cache_write_tokens`; hidden tokens are in `usage.completion_tokens_details.reasoning_tokens`.",
    ),
)


def drawn_rates(answer: Answer, *left_out: str) -> dict[str, float]:
    base = answer.rng.randrange(1, 40) / 10
    rates = {"input": base, "cached": base / 10, "cache_write": base * 1.25, "output": base * 5}
    return {kind: rate for kind, rate in rates.items() if kind not in left_out}


def drawn_tokens(answer: Answer) -> dict[str, int]:
    return {kind: answer.rng.randrange(1, 5000) for kind in ("input", "cached", "cache_write", "output")}


def three(answer: Answer, prompt: str, guess: int) -> list[tuple[dict[str, Any], Exchange]]:
    """The rows of `before_and_after`, each beside its request."""
    rows, sent = answer.call("before_and_after", prompt, guess), answer.requests()
    expect([one.model for one in sent], "the models that were asked", is_=[registry.model("openai", t) for t in TIERS])
    for one in sent:
        wanted = [{"role": "user", "content": prompt}]
        expect(one.messages, f"the messages to {one.model}", is_=wanted)
    expect(rows, "what `before_and_after` returned", type_=list)
    expect([row.get("model") for row in rows], "the models in the result", is_=[one.model for one in sent])
    return list(zip(rows, sent, strict=True))


@pricing.check("`cost` prices each class of tokens at its own rate", points=1)
def prices_classes(answer: Answer) -> None:
    counts, rates = drawn_tokens(answer), drawn_rates(answer)
    right = sum(counts[kind] * rates[kind] for kind in counts) / 1e6
    expect_usd(answer.call("cost", counts, rates), "the cost of all four classes", right)
    few = {"input": counts["input"], "output": counts["output"]}
    right = sum(few[kind] * rates[kind] for kind in few) / 1e6
    expect_usd(answer.call("cost", few, rates), "the cost of input and output alone", right)


@pricing.check("three models, and an estimate for each that was made before the call", points=1)
def estimates(answer: Answer) -> None:
    prompt, guess = question(answer), answer.rng.randrange(20, 200)
    for row, sent in three(answer, prompt, guess):
        usage = Usage(input=counted([{"role": "user", "content": prompt}]), output=guess)
        right = prices.cost(sent.model, usage)
        expect_usd(row.get("estimate"), f"the estimate for {sent.model} with a guess of {guess}", right)


@pricing.check("the bill is the provider's, hidden tokens included", points=1)
def bills(answer: Answer) -> None:
    for row, sent in three(answer, question(answer), 60):
        expect_usd(row.get("bill"), f"the bill of {sent.model}", sent.cost_usd)
        hidden = sent.reply["usage"]["completion_tokens_details"]["reasoning_tokens"]
        expect(row.get("hidden"), f"the hidden tokens of {sent.model}", is_=hidden)


### BEGIN HIDDEN TESTS
@pricing.check("a rate that is missing or None is that of input", points=1)
def fills_gaps(answer: Answer) -> None:
    counts, rates = drawn_tokens(answer), drawn_rates(answer, "cached", "cache_write")
    right = sum(counts[kind] * rates.get(kind, rates["input"]) for kind in counts) / 1e6
    expect_usd(answer.call("cost", counts, rates), "the cost without rates for a cache", right)
    nothing = {**rates, "cached": None, "cache_write": None}
    expect_usd(answer.call("cost", counts, nothing), "the cost with None for the rates of a cache", right)


@pricing.check("a prompt that is written to a cache, and read from it, is billed so", points=1)
def bills_caches(answer: Answer) -> None:
    forget(answer)
    prompt = f"Edition {answer.rng.randrange(10**9)}. {' '.join(answer.rng.choices(WORDS, k=1500))}. What is an API?"
    for when in ("written to a cache", "read from it"):
        for row, sent in three(answer, prompt, 60):
            expect_usd(row.get("bill"), f"the bill of {sent.model} for a prompt that is {when}", sent.cost_usd)


### END HIDDEN TESTS
# --- 9.3 -------------------------------------------------------------------------------------------------------------

month = Task(
    "9.3",
    "A month",
    points=3,
    hints=(
        "Write the worked case of the notebook down, 810 dollars, and replace its numbers by names. Then ask of each "
        "design who pays for the cheap model: some requests, or all.",
        "A cascade pays `cheap` in full and `(1 - share) * dear`. Set that equal to `dear` and solve for the share.",
    ),
)


@month.check("`monthly` gives the worked case, and others", points=1)
def works_the_case(answer: Answer) -> None:
    expect_usd(answer.call("monthly", 10_000, 500, 200, 0.003, 0.006), "10,000 a day, 500 in, 200 out", 810.0)
    a_day, inputs, outputs = answer.rng.randrange(100, 9000), answer.rng.randrange(2000), answer.rng.randrange(900)
    per_in = answer.rng.randrange(1, 50) / 1e4
    right = 30 * a_day * (inputs * per_in + outputs * 4 * per_in) / 1000
    seen = answer.call("monthly", a_day, inputs, outputs, per_in, 4 * per_in)
    expect_usd(seen, f"{a_day} a day, {inputs} in, {outputs} out", right)


@month.check("router and cascade differ by the cheap calls that settled nothing", points=1)
def tells_designs(answer: Answer) -> None:
    dear, times, share = (
        answer.rng.randrange(100, 9000),
        answer.rng.randrange(4, 40),
        answer.rng.randrange(1, 100) / 100,
    )
    cheap = dear / times
    router = share * cheap + (1 - share) * dear
    expect_usd(answer.call("mixed", dear, cheap, share, "router"), f"a router that moves {share:.0%}", router)
    cascade = cheap + (1 - share) * dear
    expect_usd(answer.call("mixed", dear, cheap, share, "cascade"), f"a cascade that settles {share:.0%}", cascade)


### BEGIN HIDDEN TESTS
@month.check("`least_share` is where a cascade begins to save", points=1)
def finds_break_even(answer: Answer) -> None:
    dear, times = answer.rng.randrange(100, 9000), answer.rng.randrange(2, 40)
    expect_usd(answer.call("least_share", dear, dear / times), f"the least share at 1/{times} of the price", 1 / times)


### END HIDDEN TESTS
# --- 9.4 -------------------------------------------------------------------------------------------------------------

saving = Task(
    "9.4",
    "The same labels for a tenth",
    points=6,
    seconds=20.0,
    hints=(
        "Measure first: the model, the handbook and the effort, one at a time, on reviews with known labels. Look for "
        "what costs much and changes little.",
        "`label(review, next(NUMBERS), **change)` is one request, with `NUMBERS = itertools.count()`. The handbook is "
        "much longer than a review, and hidden thinking is output: see what is left of the accuracy without them.",
    ),
)
FOR_FRUGAL, SAMPLED = 150, 10
"""Reviews that `frugal` labels, and those of them that `as_it_is` shows its price with."""
GOOD = 0.8
"""The standard model is right for nine in ten of these reviews, the small one for seven."""
CHANGES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "smaller": {"tier": "small"},
    "no handbook": {"handbook": False},
    "no thinking": {"effort": "none"},
}


def reviews(answer: Answer, count: int) -> tuple[list[str], list[str]]:
    """Reviews that are in no prompt of the course, and their labels."""
    rows = answer.rng.sample(datasets.records("sentiment"), count)
    return [row["text"] for row in rows], [row["label"] for row in rows]


def said(sent: Exchange) -> str:
    return str(sent.reply["choices"][0]["message"]["content"]).strip()


def share(labels: list[Any], truth: list[str]) -> float:
    right = [a == b for a, b in zip(labels, truth, strict=True)]
    return right.count(True) / len(right)


def measured(answer: Answer) -> list[tuple[str, dict[str, float], list[Exchange], list[str]]]:
    """Each change: its name, what `measure` says of it, the requests that were made for it, and the truth."""
    forget(answer)
    texts, truth = reviews(answer, 6)
    names = answer.rng.sample(list(CHANGES), 3)
    found, sent = answer.call("measure", texts, truth, {name: CHANGES[name] for name in names}), answer.requests()
    expect(len(sent), "the number of requests for 6 reviews and 3 changes", is_=18)
    expect(found, "what `measure` returned", type_=dict)
    expect(sorted(found), "the names in it", is_=sorted(names))
    of = {name: [one for one in sent if is_of(one, name)] for name in names}
    for name in names:
        expect(len(of[name]), f"the number of requests with the change {name!r}", is_=6)
    return [(name, found[name], of[name], truth) for name in names]


def is_of(sent: Exchange, name: str) -> bool:
    """Whether a request was made under a change, by its body."""
    change = CHANGES[name]
    return (
        sent.model == registry.model("openai", change.get("tier", "standard"))
        and sent.body.get("reasoning_effort") == change.get("effort", "medium")
        and ("\n" in sent.messages[0]["content"].partition("\n")[2]) == change.get("handbook", True)
    )


def labelled(answer: Answer, most: float) -> None:
    """`frugal` labels reviews drawn now well enough, and for at most this share of what `as_it_is` costs."""
    forget(answer)
    texts, truth = reviews(answer, FOR_FRUGAL)
    answer.call("as_it_is", texts[:SAMPLED])
    before = answer.requests()
    expect(len(before), f"the number of requests of `as_it_is` for {SAMPLED} reviews", is_=SAMPLED)
    expect(min(sent.input_tokens for sent in before), "the prompt of `as_it_is`, which is to stay", at_least=1000)
    got = answer.call("frugal", texts)
    expect(got, "what `frugal` returned", type_=list)
    expect(len(got), f"the number of labels for {FOR_FRUGAL} reviews", is_=FOR_FRUGAL)
    expect(share(got, truth), "the share of its labels that are right", at_least=GOOD)
    spent = (billed(answer.requests()) / FOR_FRUGAL) / (billed(before) / SAMPLED)
    if not 0 < spent <= most:
        fail(f"the bill of `frugal`: expected at most {most:.0%} of what `as_it_is` costs, saw {spent:.1%}")


@saving.check("`measure` says what each change costs", points=1)
def measures_usd(answer: Answer) -> None:
    for name, found, sent, _ in measured(answer):
        expect_usd(found.get("usd"), f"the cost of {name!r}", billed(sent))


### BEGIN HIDDEN TESTS
@saving.check("no prompt that `measure` sends was sent before, and is read from the cache", points=1)
def measures_fresh(answer: Answer) -> None:
    for name, _, sent, _ in measured(answer):
        cached = sum(one.reply["usage"]["prompt_tokens_details"]["cached_tokens"] for one in sent)
        expect(cached, f"the tokens that requests with the change {name!r} read from a cache", is_=0)


### END HIDDEN TESTS


@saving.check("`measure` says how often each is right", points=1)
def measures_accuracy(answer: Answer) -> None:
    for name, found, sent, truth in measured(answer):
        right = share([said(one) for one in sent], truth)
        expect(found.get("accuracy"), f"the accuracy of {name!r}", at_least=right - 1e-6, at_most=right + 1e-6)


@saving.check("`front` drops what is beaten, ties included", points=1)
def finds_front(answer: Answer) -> None:
    usd = sorted(answer.rng.sample(range(1, 1000), 5))
    low = answer.rng.randrange(40, 60) / 100
    heights = dict(zip("abcde", (low, low + 0.2, low + 0.1, low + 0.2, low + 0.3), strict=True))
    points = {name: {"usd": usd[n] / 1e6, "accuracy": heights[name]} for n, name in enumerate(heights)}
    mixed = {name: points[name] for name in answer.rng.sample("abcde", 5)}
    expect(answer.call("front", mixed), f"the front of {mixed}", is_=["a", "b", "e"])


@saving.check("`frugal` is right often enough, for half the money (a tenth at grading)", points=1)
def costs_half(answer: Answer) -> None:
    labelled(answer, 0.5)


### BEGIN HIDDEN TESTS
@saving.check("`frugal` is right often enough, for a tenth", points=1)
def costs_a_tenth(answer: Answer) -> None:
    labelled(answer, 0.1)


### END HIDDEN TESTS
# --- 9.5 -------------------------------------------------------------------------------------------------------------

metering = Task(
    "9.5",
    "The meter",
    points=5,
    hints=(
        "Two sums: what the day has cost so far, and what this call costs at worst. The cap makes the second one a "
        "number. Compare before you send, and write the row after the answer, from its usage.",
        "`worst = cost({'input': prompt_tokens(messages), 'output': cap}, ...)`; raise `OverBudget` if the day's `usd` "
        "in the log plus `worst` is more than the budget. Then send with `max_completion_tokens=cap`.",
    ),
)
CAP = 20
MOST_CALLS = 40
"""More than any budget here allows."""


def day(answer: Answer) -> str:
    return f"20{answer.rng.randrange(26, 40)}-{answer.rng.randrange(1, 13):02}-{answer.rng.randrange(1, 28):02}"


def worst_of(prompt: str, cap: int) -> float:
    return prices.cost(MODEL, Usage(input=counted([{"role": "user", "content": prompt}]), output=cap))


def asked(meter: Made, answer: Answer, prompt: str, today: str, cap: int) -> list[Exchange] | None:
    """The requests of one `ask`; None if it raised, which is to happen before anything is sent."""
    try:
        meter.call("ask", prompt, today, cap=cap)
    except NoAnswer as none:
        if none.kind != "raised" or "OverBudget" not in str(none):
            raise
        expect(len(answer.requests()), "the number of requests of a call that raised `OverBudget`", is_=0)
        return None
    return answer.requests()


def until_refused(meter: Made, answer: Answer, today: str, budget: float, prompt: str = "", cap: int = CAP) -> float:
    """Ask until the meter refuses: what was spent. It may not refuse what would surely fit."""
    spent = 0.0
    for _ in range(MOST_CALLS):
        text = prompt or question(answer)
        sent = asked(meter, answer, text, today, cap)
        if sent is None:
            if spent + worst_of(text, cap) < budget - USD:
                fail(f"`ask` raised with {spent:.6f} of {budget:.6f} USD spent, though a call at its worst would fit")
            return spent
        expect(len(sent), "the number of requests of one `ask`", is_=1)
        spent += billed(sent)
        if spent > budget + USD:
            fail(f"the day's budget of {budget:.6f} USD was passed: {spent:.6f} USD were spent")
    fail(f"`ask` never raised `OverBudget` in {MOST_CALLS} calls, with {spent:.6f} of {budget:.6f} USD spent")


@metering.check("each call is logged as it was billed", points=1)
def keeps_a_log(answer: Answer) -> None:
    meter, today, rows = answer.make("Meter", 1.0), day(answer), []
    for _ in range(3):
        prompt, cap = question(answer), answer.rng.randrange(5, 80)
        got = meter.call("ask", prompt, today, cap=cap)
        sent = answer.requests()
        expect(len(sent), "the number of requests of one `ask`", is_=1)
        expect(got, "what `ask` returned", is_=sent[0].reply["choices"][0]["message"]["content"])
        rows.append((sent[0].model, sent[0].input_tokens + sent[0].output_tokens, sent[0].cost_usd))
    log = meter.value("log")
    expect(len(log), "the number of rows in the log after 3 calls", is_=3)
    for row, (model, count, usd) in zip(log, rows, strict=True):
        seen = [row.get("day"), row.get("model"), row.get("tokens")]
        expect(seen, "day, model and tokens of a row", is_=[today, model, count])
        expect_usd(row.get("usd"), "the dollars of a row", usd)


@metering.check("the budget stops it, before and not after", points=1)
def stops(answer: Answer) -> None:
    budget = answer.rng.uniform(3.5, 6.5) * worst_of(question(answer), CAP)
    until_refused(answer.make("Meter", budget), answer, day(answer), budget)


@metering.check("the alert comes once, when the share is reached", points=1)
def alerts_once(answer: Answer) -> None:
    budget, alert_at = 8 * worst_of(question(answer), CAP), answer.rng.choice((0.4, 0.5, 0.6))
    meter, today, spent = answer.make("Meter", budget, alert_at=alert_at), day(answer), 0.0
    for _ in range(6):
        spent += billed(asked(meter, answer, question(answer), today, CAP) or [])
        what = f"the alerts after {spent / budget:.0%} of the budget, with alert_at={alert_at}"
        expect(meter.value("alerts"), what, is_=[today] if spent >= alert_at * budget else [])


### BEGIN HIDDEN TESTS
@metering.check("a long prompt and a large cap count before they are sent", points=1)
def counts_the_worst(answer: Answer) -> None:
    long = f"{' '.join(answer.rng.choices(WORDS, k=400))}. {question(answer)}"
    budget = 3.5 * worst_of(long, 5)
    until_refused(answer.make("Meter", budget), answer, day(answer), budget, long, 5)
    short = question(answer)
    if asked(answer.make("Meter", 0.9 * worst_of(short, 2000)), answer, short, day(answer), 2000) is not None:
        fail("a cap of 2,000 tokens costs more than the budget if it is used up, and the call was made")


@metering.check("a new day begins at 0", points=1)
def begins_anew(answer: Answer) -> None:
    budget = answer.rng.uniform(2.5, 3.5) * worst_of(question(answer), CAP)
    meter, days = (
        answer.make("Meter", budget, alert_at=0.5),
        [f"2031-03-{n:02}" for n in answer.rng.sample(range(1, 29), 2)],
    )
    for today in days:
        until_refused(meter, answer, today, budget)
    expect(meter.value("alerts"), "the alerts of two days that were spent", is_=days)


### END HIDDEN TESTS
# --- 9.6 -------------------------------------------------------------------------------------------------------------

streaming = Task(
    "9.6",
    "Stop inside an answer",
    points=3,
    seconds=10.0,
    hints=(
        "Two ends: you break out of the loop, or the stream ends by itself. Only in the second case has the provider "
        "told you what it was; the chunk that does has no choices.",
        "Count `lk.count_tokens(text)` after each chunk and compare `cost(...)`, with one token more, to `usd`. Use "
        "the stream in a `with`, so that leaving it hangs up. `chunk.usage` is `None` until the last chunk.",
    ),
)
LONG = "Write a guide to streaming for a new colleague."


TOKEN_USD = prices.price(MODEL).output / 1e6
"""What one more token of an answer costs."""


def afforded(answer: Answer) -> tuple[dict[str, Any], str, float]:
    """What `within` returned for too little money, the prompt, and that money."""
    answer.lab.set(pace=0.5)  # an answer that is there at once cannot be left
    for _ in range(3):  # one answer in some 250 is so short that the money buys it
        prompt = f"{LONG} (reader {answer.rng.randrange(1000, 10_000)})"
        usd = worst_of(prompt, answer.rng.randrange(20, 50)) + USD
        got = answer.call("within", "sampling", prompt, usd)
        expect(got, "what `within` returned", type_=dict)
        if got.get("complete") is not True or only_request(answer).cost_usd > usd:
            break
    expect(got.get("complete"), "`complete` of an answer that the money did not buy", is_=False)
    return got, prompt, usd


def only_request(answer: Answer) -> Exchange:
    """The one request of the last call, as soon as the server has closed its books."""
    until = time.monotonic() + HANGUP_S
    while not (sent := answer.requests()) and time.monotonic() < until:
        time.sleep(0.02)
    expect(len(sent), "the number of requests in one call", is_=1)
    return sent[0]


@streaming.check("an answer that ends by itself costs what its usage says, hidden tokens included", points=1)
def reconciles(answer: Answer) -> None:
    for tier in ("sampling", "small"):
        got = answer.call("within", tier, question(answer), 1.0)
        sent = only_request(answer)
        expect(sent.body.get("stream"), "`stream` in the request", is_=True)
        expect(got.get("complete"), "`complete` of an answer that came to its end", is_=True)
        expect_usd(got.get("usd"), f"the cost of a whole answer of the {tier} model", sent.cost_usd)


@streaming.check("too little money buys a part of the answer, and nearly all of the money is used", points=1)
def stops_inside(answer: Answer) -> None:
    got, prompt, usd = afforded(answer)
    expect(got.get("text"), "the text", type_=str)
    bought = worst_of(prompt, tokens.count(got["text"]))
    expect_usd(got.get("usd"), "the cost of the prompt and of the text that was returned", bought)
    expect(bought, "that cost", at_most=usd, at_least=usd - 2.5 * TOKEN_USD)


### BEGIN HIDDEN TESTS
@streaming.check("hanging up stops the model", points=1)
def hangs_up(answer: Answer) -> None:
    _, _, usd = afforded(answer)
    over = (only_request(answer).cost_usd - usd) / TOKEN_USD
    if over > 100:
        fail(f"the model wrote {over:.0f} tokens more than you could pay, so nobody hung up; its answer has some 300")


### END HIDDEN TESTS
