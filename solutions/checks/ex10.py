"""Checks of exercise 10, "Caching". Read them beside the notebook of the same number.

Probe inputs come from `answer.rng`. What was cached is read from the journal, in the provider's own usage; what a
function returns is held against that.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from labkit.grading import Answer, Exchange, Task, expect, fail

QUESTIONS = (
    "What is a token?",
    "What is an API?",
    "What does temperature do?",
    "What is the capital of France?",
    "What is a context window?",
    "What is streaming good for?",
)
WORDS = ("order", "parcel", "refund", "return", "invoice", "customer", "address", "payment", "delivery", "warranty")
"""Each is one token after a blank."""


def question(answer: Answer) -> str:
    """A question that no student has seen in this form."""
    return f"{answer.rng.choice(QUESTIONS)} (reader {answer.rng.randrange(100, 1000)})"


def handbook(answer: Answer, words: int) -> str:
    """A long text that is in no cache. A check that is run again draws it again, so the caches of that time have to be
    gone: a day of lab time outlives every one of them."""
    answer.lab.set(clock={"advance_s": 86_400})
    return f"Edition {answer.rng.randrange(10**9)}. {' '.join(answer.rng.choices(WORDS, k=words))}."


def the_request(answer: Answer) -> Exchange:
    """What the last call sent, if it was one request that succeeded."""
    seen = answer.requests()
    expect(len(seen), "the number of requests that the lab server saw in one call", is_=1)
    expect(seen[0].status, "the status of the response", is_=200)
    return seen[0]


def no_request(answer: Answer, when: str) -> None:
    expect(len(answer.requests()), f"the number of requests {when}", is_=0)


def texts(content: Any) -> str:
    """All the text of a message, whose content is a string or a list of parts."""
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")


# --- 10.1 ------------------------------------------------------------------------------------------------------------

same = Task(
    "10.1",
    "Which calls are the same?",
    points=4,
    hints=(
        "A dictionary has no order that counts, a list has. A text that writes names always in the same order and "
        "leaves nothing out is what to hash.",
        '`json.dumps(..., sort_keys=True)` sorts the names at every depth; leave out "user" and "timeout" before. A '
        "seed of 0 is a seed: ask whether there is one, not whether it is true. Personal data may be in any message.",
    ),
)


def request(answer: Answer) -> dict[str, Any]:
    """A request as a client would send it."""
    return {
        "model": f"model-{answer.rng.randrange(1000)}",
        "messages": [
            {"role": "system", "content": f"Be brief. Class {answer.rng.randrange(1000)}."},
            {"role": "user", "content": question(answer)},
        ],
        "temperature": 0,
        "max_completion_tokens": answer.rng.randrange(100, 1000),
    }


def backwards(value: Any) -> Any:
    """The same value with the names of every dictionary in the other order."""
    if isinstance(value, dict):
        return {name: backwards(value[name]) for name in reversed(value)}
    return [backwards(item) for item in value] if isinstance(value, list) else value


@same.check("the order of names, `user` and `timeout` make no other key", points=1)
def one_key(answer: Answer) -> None:
    asked = request(answer)
    key = answer.call("cache_key", asked)
    expect(key, "what `cache_key` returned", type_=str)
    if not re.fullmatch(r"[0-9a-f]{64}", key):
        fail(f"`cache_key` returned {key[:80]!r}, expected 64 hexadecimal digits")
    others = {
        "with its names in another order": backwards(asked),
        "with a `user`": {**asked, "user": f"u{answer.rng.randrange(1000)}"},
        "with a `timeout`": {"timeout": answer.rng.randrange(1, 60), **asked},
    }
    for how, other in others.items():
        expect(answer.call("cache_key", other), f"the key of the request {how}", is_=key)


@same.check("whatever can change the answer makes another key", points=1)
def other_keys(answer: Answer) -> None:
    asked = request(answer)
    first, last = asked["messages"]
    key = answer.call("cache_key", asked)
    others = {
        "another model": {**asked, "model": asked["model"] + "-mini"},
        "another temperature": {**asked, "temperature": 1},
        "a seed": {**asked, "seed": answer.rng.randrange(1000)},
        "another limit": {**asked, "max_completion_tokens": asked["max_completion_tokens"] + 1},
        "one blank more": {**asked, "messages": [first, {**last, "content": last["content"] + " "}]},
        "another system prompt": {**asked, "messages": [{**first, "content": "Be long."}, last]},
        "the messages in another order": {**asked, "messages": [last, first]},
        "another role": {**asked, "messages": [first, {**last, "role": "assistant"}]},
    }
    shared = [how for how, other in others.items() if answer.call("cache_key", other) == key]
    if shared:
        fail(f"these requests have the same key as the first one: {', '.join(shared)}")


@same.check("tools, temperature without a seed and cut answers are not kept; plain ones are", points=1)
def keeps_the_plain(answer: Answer) -> None:
    asked = request(answer)
    warm = {**asked, "temperature": answer.rng.choice((0.3, 0.7, 1.2))}
    cases = (
        ("temperature 0", asked, "stop", True),
        ("a temperature and no seed", warm, "stop", False),
        ("a temperature and a seed", {**warm, "seed": answer.rng.randrange(1, 1000)}, "stop", True),
        ("tools", {**asked, "tools": [{"type": "function", "function": {"name": "clock"}}]}, "stop", False),
        ("an answer that met the cap", asked, "length", False),
    )
    for what, sent, finish, wanted in cases:
        expect(answer.call("may_be_kept", sent, finish), f"`may_be_kept` with {what}", is_=wanted)


### BEGIN HIDDEN TESTS
@same.check("personal data in any message, a seed of 0, no temperature, other finish reasons", points=1)
def keeps_nothing_personal(answer: Answer) -> None:
    asked = request(answer)
    person = f"Reply to reader{answer.rng.randrange(1000)}@example.org."
    first, last = asked["messages"]
    plain = {name: value for name, value in asked.items() if name != "temperature"}
    cases = (
        (
            "an e-mail address in the question",
            {**asked, "messages": [first, {**last, "content": person}]},
            "stop",
            False,
        ),
        ("one in the system prompt", {**asked, "messages": [{**first, "content": person}, last]}, "stop", False),
        ("a temperature and the seed 0", {**asked, "temperature": 1, "seed": 0}, "stop", True),
        ("no temperature", plain, "stop", True),
        ("a filtered answer", asked, "content_filter", False),
    )
    for what, sent, finish, wanted in cases:
        expect(answer.call("may_be_kept", sent, finish), f"`may_be_kept` with {what}", is_=wanted)


### END HIDDEN TESTS
# --- 10.2 ------------------------------------------------------------------------------------------------------------

lifetime = Task(
    "10.2",
    "Answers with a lifetime",
    points=4,
    hints=(
        "Beside each text keep the moment at which it came. Whether it is still young enough is asked when it is read.",
        "A dictionary on `self`, made in `__init__`: question and cap to (moment, text). With `now - came < "
        "self.ttl` it is young enough. Write into it only where the answer came, and only if its finish reason is"
        ' `"stop"`.',
    ),
)


def came(answer: Answer, got: object, asked: str, *, cap: int | None = None) -> None:
    """Fails unless the last `ask` sent the question and returned the new answer."""
    sent = the_request(answer)
    expect(sent.body.get("model"), "the model that was asked", is_=answer.value("PLAIN"))
    expect(sent.body.get("temperature"), "the temperature", is_=0)
    expect(sent.body.get("max_completion_tokens"), "the limit on output tokens", is_=cap)
    expect(texts(sent.messages[-1].get("content")), "the question that was sent", is_=asked)
    expect(got, "what `ask` returned", is_={"text": sent.completion, "cached": False})


def was_kept(answer: Answer, got: object, text: str, when: str) -> None:
    """Fails unless the last `ask` sent nothing and returned the kept text."""
    no_request(answer, f"for a question asked {when}")
    expect(got, f"what `ask` returned {when}", is_={"text": text, "cached": True})


@lifetime.check("the second time the answer is the kept one, and nothing is sent", points=1)
def finds_it(answer: Answer) -> None:
    cache, asked, other = answer.make("Answers", 60), question(answer), question(answer) + " Please."
    now = answer.rng.randrange(1000)
    got = cache.call("ask", asked, now)
    came(answer, got, asked)
    was_kept(answer, cache.call("ask", asked, now + 1), got["text"], "again")
    came(answer, cache.call("ask", other, now + 2), other)


@lifetime.check("it lives `ttl` seconds from the moment it came; reading does not make it younger", points=1)
def gets_old(answer: Answer) -> None:
    ttl, now, asked = answer.rng.randrange(50, 500), answer.rng.randrange(1000), question(answer)
    cache = answer.make("Answers", ttl)
    first = cache.call("ask", asked, now)
    came(answer, first, asked)
    was_kept(answer, cache.call("ask", asked, now + ttl - 1), first["text"], "a second before its end")
    came(answer, cache.call("ask", asked, now + ttl + 1), asked)


### BEGIN HIDDEN TESTS
@lifetime.check("a cut answer is returned and not kept", points=1)
def keeps_whole_ones(answer: Answer) -> None:
    cache, asked, cap = answer.make("Answers", 60), question(answer), answer.rng.randrange(2, 5)
    for now in (0, 1):
        got = cache.call("ask", asked, now, cap=cap)
        came(answer, got, asked, cap=cap)
    came(answer, cache.call("ask", asked, 2), asked)


@lifetime.check("a new answer lives as long as the first did, and two caches share nothing", points=1)
def begins_again(answer: Answer) -> None:
    cache, other, asked = answer.make("Answers", 60), answer.make("Answers", 60), question(answer)
    cache.call("ask", asked, 0)
    second = cache.call("ask", asked, 100)
    came(answer, second, asked)
    was_kept(answer, cache.call("ask", asked, 150), second["text"], "50 seconds after it was asked anew")
    came(answer, other.call("ask", asked, 150), asked)


### END HIDDEN TESTS
# --- 10.3 ------------------------------------------------------------------------------------------------------------

threshold_task = Task(
    "10.3",
    "Where to set the threshold",
    points=5,
    hints=(
        "Keep a list of the questions that were asked. A new one is compared with those alone, since a hit leaves no "
        "answer of its own behind.",
        "For each question take the nearest kept one, if there is any; at or above the threshold count a hit, and a "
        "wrong one if the groups differ; else keep the question. For the lowest threshold go through the sorted "
        "thresholds, and skip those without a hit.",
    ),
)

THRESHOLDS = [0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98]
Log = tuple[list[list[float]], list[int]]


def unit(vector: Sequence[float]) -> list[float]:
    length = math.sqrt(sum(x * x for x in vector))
    return [x / length for x in vector]


def log_of(answer: Answer, count: int = 40, groups: int = 6) -> Log:
    """Questions as vectors around the centres of their groups."""
    rng = answer.rng
    centres = [unit([rng.gauss(0, 1) for _ in range(4)]) for _ in range(groups)]
    labels = [rng.randrange(groups) for _ in range(count)]
    return [unit([x + rng.gauss(0, 0.25) for x in centres[label]]) for label in labels], labels


def replayed(log: Log, threshold: float) -> dict[str, int]:
    """What `replay` should return."""
    kept: list[tuple[list[float], int]] = []
    hits = wrong = 0
    for vector, label in zip(*log, strict=True):
        scores = [sum(x * y for x, y in zip(vector, other, strict=True)) for other, _ in kept]
        if scores and max(scores) >= threshold:
            hits += 1
            wrong += kept[scores.index(max(scores))][1] != label
        else:
            kept.append((vector, label))
    return {"hits": hits, "wrong": wrong}


def lowest(log: Log, precision: float) -> float | None:
    """What `lowest_threshold` should return for THRESHOLDS."""
    for threshold in THRESHOLDS:
        found = replayed(log, threshold)
        if found["hits"] and (found["hits"] - found["wrong"]) / found["hits"] >= precision:
            return threshold
    return None


def telling_log(answer: Answer) -> Log:
    """A log in which some hits are wrong and the lowest threshold is not good enough."""
    while True:
        log = log_of(answer)
        if replayed(log, 0.9)["wrong"] and lowest(log, 0.8) not in (None, THRESHOLDS[0]):
            return log


def both_counts(answer: Answer, threshold: float, name: str) -> None:
    log = telling_log(answer)
    got = answer.call("replay", *log, threshold)
    expect(got, "what `replay` returned", type_=dict)
    expect(got.get(name), f"`{name}` of a log of {len(log[0])} at {threshold}", is_=replayed(log, threshold)[name])


@threshold_task.check("`replay` counts the hits", points=1)
def counts_hits(answer: Answer) -> None:
    both_counts(answer, 0.9, "hits")


@threshold_task.check("`replay` counts those that are wrong", points=1)
def counts_wrong(answer: Answer) -> None:
    both_counts(answer, 0.9, "wrong")


@threshold_task.check("`lowest_threshold` finds the lowest one that is right often enough", points=1)
def finds_lowest(answer: Answer) -> None:
    log = telling_log(answer)
    got = answer.call("lowest_threshold", *log, THRESHOLDS, 0.8)
    expect(got, "the lowest threshold for a precision of 0.8", is_=lowest(log, 0.8))


### BEGIN HIDDEN TESTS
@threshold_task.check("it returns None where no threshold does, also where none has a hit", points=1)
def says_none(answer: Answer) -> None:
    far = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    got = answer.call("lowest_threshold", far, [1, 2, 3], THRESHOLDS, 0.5)
    expect(got, "the lowest threshold for questions that have nothing in common", is_=None)
    turned = [unit([1.0, answer.rng.uniform(0.01, 0.02)]) for _ in range(5)]
    got = answer.call("lowest_threshold", turned, [1, 2, 3, 4, 5], THRESHOLDS, 0.5)
    expect(got, "the lowest threshold where every hit is wrong", is_=None)


@threshold_task.check("thresholds may come in any order, and an empty log has no hit", points=1)
def any_order(answer: Answer) -> None:
    log = telling_log(answer)
    mixed = answer.rng.sample(THRESHOLDS, len(THRESHOLDS))
    expect(
        answer.call("lowest_threshold", *log, mixed, 0.8), "the lowest threshold of a mixed list", is_=lowest(log, 0.8)
    )
    expect(answer.call("replay", [], [], 0.9), "what `replay` returned for an empty log", is_={"hits": 0, "wrong": 0})


### END HIDDEN TESTS
# --- 10.4 ------------------------------------------------------------------------------------------------------------

first_things = Task(
    "10.4",
    "The stable part first",
    points=4,
    hints=(
        "What is read from the cache is a prefix: it ends where the first character differs. And on this model it ends "
        "at a breakpoint, which you set.",
        "Send the handbook alone as system prompt, as a list of one text part with `prompt_cache_breakpoint`, and the "
        "date with the question as user message. `prompt_cache_options` in `extra_body` with the mode `explicit` "
        "switches the automatic breakpoint off.",
    ),
)


def day(answer: Answer) -> str:
    return (
        f"2026-{answer.rng.randrange(1, 13):02}-{answer.rng.randrange(1, 29):02} at {answer.rng.randrange(10, 24)}:00"
    )


def details(sent: Exchange) -> dict[str, int]:
    """Tokens read and written, as OpenAI reports them."""
    found = sent.reply["usage"]["prompt_tokens_details"]
    return {"read": found["cached_tokens"], "written": found["cache_write_tokens"]}


def two_days(answer: Answer) -> tuple[dict[str, int], dict[str, int]]:
    """Read and written of two calls with one handbook."""
    book, seen = handbook(answer, 1300), []
    for _ in range(2):
        answer.send("ask_handbook", book, day(answer), question(answer))
        sent = the_request(answer)
        expect(sent.body.get("model"), "the model that was asked", is_=answer.value("MODEL"))
        seen.append(details(sent))
    return seen[0], seen[1]


@first_things.check("the second call reads the handbook from the cache", points=1)
def reads_it(answer: Answer) -> None:
    first, second = two_days(answer)
    expect(first["read"], "the tokens that the first call read from the cache", is_=0)
    expect(second["read"], "the tokens that the second call read, for a handbook of 1,300 tokens,", at_least=1300)


@first_things.check("it returns the answer and the tokens as `usage` reports them", points=1)
def returns_usage(answer: Answer) -> None:
    book = handbook(answer, 1300)
    for _ in range(2):
        got = answer.call("ask_handbook", book, day(answer), question(answer))
        sent = the_request(answer)
        expect(got, "what `ask_handbook` returned", is_={"text": sent.completion, **details(sent)})


### BEGIN HIDDEN TESTS
@first_things.check("the changing part is not written to the cache", points=1)
def writes_once(answer: Answer) -> None:
    first, second = two_days(answer)
    expect(first["written"], "the tokens that the first call wrote", at_least=1300)
    expect(second["written"], "the tokens that the second call wrote", is_=0)


@first_things.check("handbook, date and question arrive word for word", points=1)
def sends_all(answer: Answer) -> None:
    book, today, asked = handbook(answer, 1300), day(answer), question(answer)
    answer.send("ask_handbook", book, today, asked)
    prompt = "\n".join(texts(message.get("content")) for message in the_request(answer).messages)
    missing = [what for what, text in (("handbook", book), ("date", today), ("question", asked)) if text not in prompt]
    if missing:
        fail(f"missing from the prompt: {', '.join(missing)}")


### END HIDDEN TESTS
# --- 10.5 ------------------------------------------------------------------------------------------------------------

pays = Task(
    "10.5",
    "Does it pay?",
    points=5,
    hints=(
        "A breakpoint belongs to a block, so the system prompt has to be a list of blocks. At Anthropic the field"
        " `input_tokens` counts only what was neither written nor read.",
        "The block carries `cache_control` with the type `ephemeral` and the `ttl`. The whole prompt is the sum "
        "of three fields of `usage`. For the calls: n plain ones cost n, n cached ones write + (n - 1) * read; "
        "count n up until the second is *less*, and think of a read that saves nothing.",
    ),
)


def three_fields(sent: Exchange) -> tuple[int, int, int]:
    """At the full rate, written, read."""
    usage = sent.reply["usage"]
    return usage["input_tokens"], usage["cache_creation_input_tokens"], usage["cache_read_input_tokens"]


@pays.check("the first call writes the handbook and the second reads it", points=1)
def writes_then_reads(answer: Answer) -> None:
    book, fields = handbook(answer, 1200), []
    for _ in range(2):
        got = answer.call("ask_claude", book, question(answer))
        sent = the_request(answer)
        expect(sent.body.get("model"), "the model that was asked", is_=answer.value("CLAUDE"))
        fields.append(three_fields(sent))
        expect(got, "what `ask_claude` returned", type_=dict)
        returned = {name: got.get(name) for name in ("written", "read")}
        expect(returned, "`written` and `read`", is_={"written": fields[-1][1], "read": fields[-1][2]})
    expect(fields[0][1], "the tokens that the first call wrote", at_least=1200)
    expect(fields[1][2], "the tokens that the second call read", is_=fields[0][1])


@pays.check("`ttl` says how long the handbook is kept", points=1)
def keeps_for_an_hour(answer: Answer) -> None:
    book = handbook(answer, 1200)
    for ttl, name in (("5m", "ephemeral_5m_input_tokens"), ("1h", "ephemeral_1h_input_tokens")):
        answer.send("ask_claude", f"{ttl} {book}", question(answer), ttl=ttl)
        usage = the_request(answer).reply["usage"]
        expect(usage["cache_creation"][name], f"the tokens written for {ttl}", at_least=1200)


@pays.check("`first_cheaper_call` for usual rates", points=1)
def usual_rates(answer: Answer) -> None:
    for write in answer.rng.sample((1.25, 1.3, 1.6, 2.0, 2.4, 2.7), 3):
        read = answer.rng.choice((0.025, 0.05, 0.1, 0.25, 0.5))
        expect(
            answer.call("first_cheaper_call", write, read),
            f"`first_cheaper_call({write}, {read})`",
            is_=cheaper(write, read),
        )


def cheaper(write: float, read: float) -> int:
    return next(n for n in range(1, 1000) if write + (n - 1) * read < n)


### BEGIN HIDDEN TESTS
@pays.check("`prompt` is the whole prompt, in each case", points=1)
def whole_prompt(answer: Answer) -> None:
    for words in (1200, 20):
        book = handbook(answer, words)
        for _ in range(2):
            got = answer.call("ask_claude", book, question(answer))
            expect(got.get("prompt"), "`prompt`", is_=sum(three_fields(the_request(answer))))


@pays.check("equal is not cheaper, and a read that saves nothing never pays", points=1)
def edges(answer: Answer) -> None:
    for write, read, calls in ((1.5, 0.5, 3), (1.25, 0.75, 3), (1.0, 0.5, 2), (1.25, 1.0, None), (2.0, 1.5, None)):
        expect(answer.call("first_cheaper_call", write, read), f"`first_cheaper_call({write}, {read})`", is_=calls)


### END HIDDEN TESTS
# --- 10.6 ------------------------------------------------------------------------------------------------------------

desk_task = Task(
    "10.6",
    "A cache with a name",
    points=3,
    hints=(
        "Remember the cache's name on `self`. There are two moments at which it has to be made: when there is none "
        "yet, and when the server no longer knows it.",
        '`gemini.caches.create(model=..., config={"system_instruction": ..., "ttl": "300s"})` returns an object with a '
        '`name`, and a question goes with `config={"cached_content": name}`. An expired cache raises '
        "`errors.ClientError` with the code 403: make it again and ask once more.",
    ),
)
BIG = 4500
"""Words: above the least that Gemini caches."""


def creations(seen: Sequence[Exchange]) -> list[Exchange]:
    return [sent for sent in seen if sent.path.endswith("/cachedContents") and sent.method == "POST"]


def answered(seen: Sequence[Exchange]) -> Exchange:
    """The request that was answered with a text."""
    found = [sent for sent in seen if sent.path.endswith(":generateContent") and sent.status == 200]
    expect(len(found), "the number of questions that Gemini answered in one call", is_=1)
    return found[0]


def cached_tokens(sent: Exchange) -> int:
    return int(sent.reply["usageMetadata"].get("cachedContentTokenCount") or 0)


@desk_task.check("one cache serves all questions", points=1)
def one_cache(answer: Answer) -> None:
    book, ttl = handbook(answer, BIG), answer.rng.randrange(300, 900)
    desk, made = answer.make("Desk", book, ttl), []
    no_request(answer, "before the first question")
    for _ in range(3):
        desk.call("ask", question(answer))
        made += creations(answer.requests())
        expect(cached_tokens(answered(answer.requests())), "the tokens that came from the cache", at_least=BIG)
    expect(len(made), "the number of caches made for three questions", is_=1)
    expect(made[0].body.get("ttl"), "the lifetime of the cache", is_=f"{ttl}s")


@desk_task.check("`ask` returns the answer and the tokens from the cache", points=1)
def returns_cached(answer: Answer) -> None:
    desk = answer.make("Desk", handbook(answer, BIG), 300)
    for _ in range(2):
        got = desk.call("ask", question(answer))
        sent = answered(answer.requests())
        parts = sent.reply["candidates"][0]["content"]["parts"]
        text = "".join(part.get("text", "") for part in parts if not part.get("thought"))
        expect(got, "what `ask` returned", is_={"text": text, "cached": cached_tokens(sent)})


### BEGIN HIDDEN TESTS
@desk_task.check("after its lifetime the cache is made again, once, and the question is answered", points=1)
def lives_on(answer: Answer) -> None:
    desk = answer.make("Desk", handbook(answer, BIG), 300)
    desk.call("ask", question(answer))
    answer.lab.set(clock={"advance_s": 301})
    desk.call("ask", question(answer))
    seen = answer.requests()
    expect(len(creations(seen)), "the number of caches made for a question after the lifetime", is_=1)
    expect(cached_tokens(answered(seen)), "the tokens that came from the new cache", at_least=BIG)
    desk.call("ask", question(answer))
    expect(len(creations(answer.requests())), "the number of caches made for the question after that", is_=0)


### END HIDDEN TESTS
