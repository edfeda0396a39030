"""Checks of exercise 07, "Sampling". Read them beside the notebook of the same number.

The arithmetic is compared with that of `shares` below, on distributions drawn at grading time; what was asked, answered
and written is in the lab server's journal.
"""

import math
from typing import Any

from labkit import prices, registry, tokens
from labkit.grading import Answer, Exchange, Task, expect, expect_messages, fail

MODEL = registry.model("openai", "sampling")
OPENINGS = ("Name a colour.", "Name a fruit.", "Name an animal.", "The best thing about Monday mornings is")
ESSAYS = ("Write a guide to streaming for a new colleague.", "Explain what temperature does in an LLM.")
FRUITS, TAGLINE, JOKE = "List five fruits.", "Write a tagline for a coffee shop.", "Tell me a joke."
CODE = ("Write a Python function that adds two numbers.", "Write a Python function that reverses a string.")
TRIES = 3
"""At a temperature of 1 an answer in some fifty loses its way, and with it its code."""
EXACT = 1e-6


def logprobs(answer: Answer, count: int) -> dict[str, float]:
    """Logarithms of probabilities that nearly add up to 1, in no order, with a clear leader."""
    weights = [1.0, *(answer.rng.uniform(0.05, 0.8) for _ in range(count - 1))]
    answer.rng.shuffle(weights)
    names = answer.rng.sample("abcdefghijklmnopqrstuvwxyz", count)
    return {name: round(math.log(0.98 * weight / sum(weights)), 4) for name, weight in zip(names, weights, strict=True)}


def shares(of: dict[str, float], temperature: float) -> dict[str, float]:
    """Softmax of logarithms divided by a temperature above 0, largest first."""
    top = max(of.values())
    powers = {token: math.exp((value - top) / temperature) for token, value in of.items()}
    whole = sum(powers.values())
    return {token: powers[token] / whole for token in sorted(powers, key=lambda token: -powers[token])}


def expect_shares(got: Any, what: str, right: dict[str, float], within: float = EXACT) -> None:
    expect(got, what, type_=dict)
    expect(sorted(got), f"the tokens of {what}", is_=sorted(right))
    for token, share in right.items():
        expect(got[token], f"the share of {token!r} in {what}", at_least=share - within, at_most=share + within)


def only_request(answer: Answer) -> Exchange:
    """What the last call sent, if it was one request that succeeded."""
    seen = answer.requests()
    expect(len(seen), "the number of requests", is_=1)
    expect(seen[0].status, "the status of the response", is_=200)
    return seen[0]


def expect_question(sent: Exchange, prompt: str) -> None:
    turns = [[turn.get("role"), turn.get("content")] for turn in sent.messages]
    expect_messages(turns, "the messages that were sent", is_=[["user", prompt]])


# --- 7.1 -------------------------------------------------------------------------------------------------------------

warmth = Task(
    "7.1",
    "Heat",
    points=3,
    hints=(
        "Temperature divides the logits before the softmax, and a logarithm of a probability is as good as a logit: "
        "divide, then `exp`, then by the sum. 0 is a case of its own.",
        "The softmax does not change when the same number is taken from every logit. Take the largest one: the best "
        "token then has `exp(0)`, the others less, and nothing is too large or all 0.",
    ),
)


@warmth.check("`heat` gives the shares at any temperature above 0", points=1)
def heats(answer: Answer) -> None:
    for temperature in (1.0, round(answer.rng.uniform(0.2, 0.9), 2), round(answer.rng.uniform(1.1, 2.0), 2)):
        given = logprobs(answer, answer.rng.randint(3, 8))
        got = answer.call("heat", given, temperature)
        expect_shares(got, f"`heat` at {temperature}", shares(given, temperature))


@warmth.check("at 0 the likeliest token has everything", points=1)
def freezes(answer: Answer) -> None:
    given = logprobs(answer, answer.rng.randint(3, 8))
    best = max(given, key=lambda token: given[token])
    expect_shares(answer.call("heat", given, 0), "`heat` at 0", {token: float(token == best) for token in given})


### BEGIN HIDDEN TESTS
@warmth.check("it works where powers underflow", points=1)
def stays_finite(answer: Answer) -> None:
    given = {token: value - 20 for token, value in logprobs(answer, 5).items()}
    expect_shares(answer.call("heat", given, 0.01), "`heat` at 0.01 of unlikely tokens", shares(given, 0.01))
    given = {token: value - 2_000 for token, value in logprobs(answer, 5).items()}
    expect_shares(answer.call("heat", given, 1), "`heat` at 1 of tokens near probability 0", shares(given, 1))


### END HIDDEN TESTS
# --- 7.2 -------------------------------------------------------------------------------------------------------------

cut = Task(
    "7.2",
    "What top-p leaves",
    points=4,
    hints=(
        "Sort first. A token stays as long as the mass *before* it has not reached `top_p`; so at least one does. The "
        "sum that you divide by is that of the tokens that stayed.",
        "`logprobs=True, top_logprobs=20, max_completion_tokens=1`; the candidates are in "
        "`answer.choices[0].logprobs.content[0].top_logprobs`, each with a `token` and a `logprob`. Then 7.1, then "
        "`nucleus`.",
    ),
)


def left(of: dict[str, float], top_p: float) -> dict[str, float]:
    kept, mass = {}, 0.0
    for token, share in sorted(of.items(), key=lambda pair: -pair[1]):
        if mass < top_p:
            kept[token] = share
            mass += share
    return {token: share / mass for token, share in kept.items()}


@cut.check("`nucleus` keeps the smallest set that reaches `top_p`, rescaled", points=1)
def cuts(answer: Answer) -> None:
    for _ in range(3):
        given = shares(logprobs(answer, answer.rng.randint(4, 9)), 1)
        mixed = dict(answer.rng.sample(sorted(given.items()), len(given)))
        top_p = answer.rng.randrange(3_001, 9_000, 2) / 10_000
        expect_shares(answer.call("nucleus", mixed, top_p), f"`nucleus` at {top_p}", left(given, top_p))


### BEGIN HIDDEN TESTS
@cut.check("one token stays when it is enough, and all stay at 1", points=1)
def keeps_one_and_all(answer: Answer) -> None:
    given = shares(logprobs(answer, 6), 1)
    leader = next(iter(given))
    expect_shares(answer.call("nucleus", given, 0.01), "`nucleus` at 0.01", {leader: 1.0})
    expect_shares(answer.call("nucleus", given, 1.0), "`nucleus` at 1", given)


### END HIDDEN TESTS
@cut.check("`likely` asks once, for one token and its twenty best candidates", points=1)
def asks_for_candidates(answer: Answer) -> None:
    prompt = answer.rng.choice(OPENINGS)
    answer.send("likely", prompt, 0.5)
    sent = only_request(answer)
    expect_question(sent, prompt)
    expect(sent.cap, "the cap on output tokens", is_=1)
    expect(sent.body.get("logprobs"), "`logprobs`", is_=True)
    expect(sent.body.get("top_logprobs"), "`top_logprobs`", is_=20)


@cut.check("`likely` returns what `top_p` leaves, likeliest first", points=1)
def names_the_likely(answer: Answer) -> None:
    for prompt in answer.rng.sample(OPENINGS, 2):
        top_p = answer.rng.randrange(4_001, 9_000, 2) / 10_000
        got = answer.call("likely", prompt, top_p)
        listed = only_request(answer).reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
        right = left(shares({c["token"]: c["logprob"] for c in listed}, 1), top_p)
        what = f"the tokens that a top_p of {top_p} leaves after {prompt!r}"
        expect(got, what, type_=list)
        expect(sorted(map(str, got)), f"{what}, sorted", is_=sorted(right))
        if [right[token] for token in got] != sorted(right.values(), reverse=True):
            fail(f"{what}: these are the right ones, but a less likely token stands before a likelier one")


# --- 7.3 -------------------------------------------------------------------------------------------------------------

fuse = Task(
    "7.3",
    "A fuse in dollars",
    points=5,
    hints=(
        "What the prompt costs is gone before the first token is written. The rest, divided by a token's price, is "
        "a cap once it is rounded, and the direction in which you round decides whether the promise holds.",
        "`(usd * 1e6 - prompt_tokens * price.input) / price.output`, rounded down and not below 0. An answer that is "
        "whole has the `finish_reason` stop, and its `usage`, times the same two prices, is what it cost.",
    ),
)
SAMPLES = (
    "The meeting has been moved to Thursday at ten, in the small room.",
    '{"id": 1042, "name": "Dana", "email": "dana@example.org", "active": true}',
    "def mean(values):\n    return sum(values) / len(values) if values else None",
    "회의가 목요일 열 시로 옮겨졌습니다. 작은 방에서 만나요.",
    "Where it rains, people talk of the weather. Where it does not, they talk of the rain.",
)


@fuse.check("`room_for` has room for the longest sample, and the margin", points=1)
def makes_room(answer: Answer) -> None:
    for _ in range(3):
        given = [f"{one} {answer.rng.randrange(10_000)}" for one in answer.rng.sample(SAMPLES, 3)]
        margin = answer.rng.choice((0.37, 0.43, 0.61))  # no sample makes a whole number of these
        right = math.ceil(max(tokens.count(one, MODEL) for one in given) * (1 + margin))
        expect(
            answer.call("room_for", given, margin), f"the room for three samples, with a margin of {margin}", is_=right
        )


def spent(prompt: str, output: float) -> float:
    """USD of a call that writes so many tokens."""
    price = prices.price(MODEL)
    return (tokens.count_messages([("user", prompt)], MODEL) * price.input + output * price.output) / 1e6


@fuse.check("`affordable` is the largest cap that keeps below the limit", points=1)
def affords(answer: Answer) -> None:
    for _ in range(4):
        prompt = answer.anew(answer.rng.choice(ESSAYS))
        right = answer.rng.randrange(1, 400)
        usd = round(spent(prompt, right + answer.rng.uniform(0.1, 0.9)), 9)
        expect(answer.call("affordable", prompt, usd), f"the cap for {usd:.9f} USD", is_=right)


@fuse.check("`ask_within` asks once, with that cap, and says what it cost", points=1)
def keeps_within(answer: Answer) -> None:
    prompt, room = answer.anew(ESSAYS[0]), answer.rng.randrange(10, 60)
    usd = round(spent(prompt, room + 0.5), 9)
    got = answer.call("ask_within", prompt, usd)
    sent = only_request(answer)
    expect_question(sent, prompt)
    expect(sent.cap, f"the cap for {usd:.9f} USD", is_=room)
    expect(got, "what `ask_within` returned", type_=dict)
    expect(got.get("text"), "`text`", is_=sent.completion)
    expect(got.get("usd"), "`usd`", at_least=sent.cost_usd - 1e-9, at_most=sent.cost_usd + 1e-9)


### BEGIN HIDDEN TESTS
@fuse.check("`whole` tells an answer that was cut from one that was not", points=1)
def tells_whole(answer: Answer) -> None:
    prompt = answer.anew(ESSAYS[1])
    for room, whole in ((answer.rng.randrange(5, 20), False), (500, True)):
        got = answer.call("ask_within", prompt, round(spent(prompt, room + 0.5), 9))
        expect(got, "what `ask_within` returned", type_=dict)
        expect(got.get("whole"), f"`whole`, where {room} tokens could be afforded,", is_=whole)
        sent = only_request(answer)
        expect(got.get("usd"), "`usd`", at_least=sent.cost_usd - 1e-9, at_most=sent.cost_usd + 1e-9)


@fuse.check("what cannot be afforded is not asked", points=1)
def asks_nothing(answer: Answer) -> None:
    prompt = answer.anew(ESSAYS[0])
    for share in (0.5, 1.0):
        usd = round(share * spent(prompt, 0.4), 9)
        expect(answer.call("affordable", prompt, usd), f"the cap for {usd:.9f} USD, too little,", is_=0)
        got = answer.call("ask_within", prompt, usd)
        expect(len(answer.requests()), "the number of requests that cannot be paid", is_=0)
        expect(got, "what `ask_within` returned", is_={"text": None, "whole": False, "usd": 0})


### END HIDDEN TESTS
# --- 7.4 -------------------------------------------------------------------------------------------------------------

stop = Task(
    "7.4",
    "Stop there",
    points=4,
    hints=(
        "Anthropic's answer has a field for the stop sequence that it met, which is empty when it met none. For the "
        "code: which text ends the block, and stands nowhere before?",
        "`answer.stop_sequence` is the text or `None`. The fence that closes has a line break on either side: stop at "
        "`'\\n```\\n'`, take what comes after '```python\\n', and mind an answer that ends right at its fence.",
    ),
)


def expect_until(answer: Answer, stops: list[str]) -> tuple[Any, str | None]:
    prompt = answer.anew(FRUITS)
    got = answer.call("until", prompt, stops)
    sent = only_request(answer)
    expect_question(sent, prompt)
    expect(sent.body.get("stop_sequences"), "the stop sequences that were sent", is_=stops)
    met = sent.reply["stop_sequence"]
    written = "".join(block["text"] for block in sent.reply["content"])
    expect(got, "what `until` returned", is_={"text": written + (met or ""), "stopped_by": met})
    return got, met


@stop.check("`until` puts the stop sequence back and names it", points=1)
def puts_it_back(answer: Answer) -> None:
    _, met = expect_until(answer, answer.rng.sample(["Banana", "Mango", "Orange", "Lemon"], 4))
    if met is None:
        fail("no stop sequence was met")


### BEGIN HIDDEN TESTS
@stop.check("an answer that ended by itself is left as it is", points=1)
def leaves_it(answer: Answer) -> None:
    expect_until(answer, [f"zebra {answer.rng.randrange(1000)}"])


### END HIDDEN TESTS
def expect_code(answer: Answer, prompt: str) -> tuple[Any, str]:
    """What `code_in` returned, and what the model wrote from the block on."""
    for _ in range(TRIES):
        got = answer.send("code_in", answer.anew(prompt))
        written = only_request(answer).completion.partition("```python\n")[2]
        if "return" in written:
            break
    expect(written, "what was written from the block on", contains="return")
    return got, written


@stop.check("`code_in` returns the code, and no fence", points=1)
def returns_code(answer: Answer) -> None:
    for prompt in CODE:
        got, written = expect_code(answer, prompt)
        expect(got, "what `code_in` returned", type_=str)
        expect(got.strip(), "the code", is_=written.partition("\n```")[0].strip())


@stop.check("talk after the block is not paid for", points=1)
def stops_at_the_fence(answer: Answer) -> None:
    _, written = expect_code(answer, CODE[0])
    expect(written.partition("```")[2].strip(), "what was written after the block", is_="")


# --- 7.5 -------------------------------------------------------------------------------------------------------------

again = Task(
    "7.5",
    "Different, and the same tomorrow",
    points=3,
    hints=(
        "A request for each seed, one after the other; what you have seen already is dropped, and its seed with it. "
        "Two ways out of the loop: enough found, or enough asked.",
        "`for seed in range(first_seed, first_seed + most)`; a dictionary from text to the seed that gave it first "
        "keeps the order and knows what is there. Pass `seed=seed` with each request.",
    ),
)


def expect_variants(answer: Answer, prompt: str, n: int, most: int) -> tuple[Any, list[Exchange]]:
    first = answer.rng.randrange(1_000)
    got = answer.call("variants", prompt, n, first, most)
    seen = answer.requests()
    seeds = [sent.body.get("seed") for sent in seen]
    expect(seeds, "the seeds of the requests", is_=list(range(first, first + len(seen))))
    by_text: dict[str, int] = {}
    for sent in seen:
        by_text.setdefault(sent.completion, sent.body["seed"])
    right = [{"seed": seed, "text": written} for written, seed in by_text.items()][:n]
    expect(got, "what `variants` returned", type_=list)
    expect([one.get("seed") for one in got], "the seeds that it returned", is_=[one["seed"] for one in right])
    expect(got, "what `variants` returned", is_=right)
    return got, seen


@again.check("it returns different answers, each with the seed that makes it", points=1)
def finds_different_ones(answer: Answer) -> None:
    n = answer.rng.randint(3, 6)
    got, seen = expect_variants(answer, answer.anew(TAGLINE), n, 30)
    expect(len(got), "the number of answers", is_=n)
    late = len({sent.completion for sent in seen[:-1]}) == n
    expect(late, "whether it asked on after it had enough", is_=False)


@again.check("the same call gives the same answers", points=1)
def repeats(answer: Answer) -> None:
    prompt, first = answer.anew(JOKE), answer.rng.randrange(1_000)
    once = answer.call("variants", prompt, 3, first, 30)
    expect(len(answer.requests()), "the number of requests of the first call", at_least=3)
    expect(answer.call("variants", prompt, 3, first, 30), "the second call's answers", is_=once)
    expect(len(answer.requests()), "the number of requests of the second call", at_least=3)


### BEGIN HIDDEN TESTS
@again.check("it gives up after `most` requests", points=1)
def gives_up(answer: Answer) -> None:
    most = answer.rng.randint(4, 8)
    _, seen = expect_variants(answer, answer.rng.choice(("Name a fruit.", "Flip a coin.")), 40, most)
    expect(len(seen), f"the number of requests with a most of {most}", is_=most)


### END HIDDEN TESTS
# --- 7.6 -------------------------------------------------------------------------------------------------------------

inverse = Task(
    "7.6",
    "The other way round",
    points=3,
    hints=(
        "Halve the range again and again: if the leader has too much in the middle, the answer lies above, else below. "
        "Look at both ends first.",
        "The leader's share at a temperature is `max(heat(logprobs, temperature).values())`. If the wanted share is "
        "above the one at 0.01 or below the one at 2, return `None`; else bisect until the range is tiny.",
    ),
)


def expect_found(answer: Answer, low: float, high: float) -> None:
    given = logprobs(answer, answer.rng.randint(3, 8))
    share = round(max(shares(given, answer.rng.uniform(low, high)).values()), 3)
    found = answer.call("temperature_for", given, share)
    expect(found, f"the temperature at which the leader has {share}", type_=float)
    expect(found, "the temperature", at_least=0.01 - EXACT, at_most=2 + EXACT)
    seen = round(max(shares(given, found).values()), 4)
    expect(seen, f"the leader's share at {found:.4f}", at_least=share - 0.005, at_most=share + 0.005)


@inverse.check("below 1 it finds the temperature", points=1)
def finds_low(answer: Answer) -> None:
    for _ in range(3):
        expect_found(answer, 0.2, 0.9)


### BEGIN HIDDEN TESTS
@inverse.check("above 1 it does, too", points=1)
def finds_high(answer: Answer) -> None:
    for _ in range(3):
        expect_found(answer, 1.2, 1.9)


@inverse.check("what no temperature gives is `None`", points=1)
def admits_it(answer: Answer) -> None:
    given = logprobs(answer, 4)
    below = round(0.9 * max(shares(given, 2).values()), 3)
    expect(answer.call("temperature_for", given, below), f"the temperature for a share of {below}", is_=None)
    twins = {"a": -0.8, "b": -0.8, "c": round(answer.rng.uniform(-4, -3), 2)}
    expect(answer.call("temperature_for", twins, 0.8), "the temperature for 0.8 where two lead", is_=None)


### END HIDDEN TESTS
