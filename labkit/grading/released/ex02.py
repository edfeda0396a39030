# Made by `labkit release` from solutions/checks/ex02.py. Edit that file, not this one.
"""Checks of exercise 02, "OpenAI". Read them beside the notebook of the same number.

What was sent, and what the server answered, is read in the lab server's journal; what a function returns is held
against that. Filtered and refused answers are scripted there.
"""

import json
import math
from typing import Any

from labkit import registry
from labkit.grading import Answer, Exchange, Task, entry, expect, expect_messages, fail
from labkit.grading.answer import NoAnswer

MODEL = registry.model("openai", "sampling")
SMALL = registry.model("openai", "small")
STANDARD = registry.model("openai", "standard")
CHAT = "/v1/chat/completions"
RULE = "Classify the review. Answer with one word: positive or negative."
QUESTIONS = ("What is a token?", "What is an API?", "What is a prompt?", "What does temperature do?")


def chats(answer: Answer, count: int) -> list[Exchange]:
    """What the last call sent, if it was `count` chat completions that succeeded."""
    seen = answer.requests()
    expect(len(seen), "the number of requests that the lab server saw in one call", is_=count)
    for sent in seen:
        expect(sent.path, "the path of a request", is_=CHAT)
        expect(sent.status, "the status of the response", is_=200)
    return seen


def texts(sent: Exchange) -> list[str]:
    return [choice["message"]["content"] for choice in sent.reply["choices"]]


# --- 2.1 -------------------------------------------------------------------------------------------------------------

dozen = Task(
    "2.1",
    "Paid once, read many times",
    points=3,
    hints=(
        "One parameter asks for several answers to one prompt, another one says at which text an answer ends. Each "
        "answer is a choice of the same completion.",
        '`n=count` and `stop="\\n"`. Take `choice.message.content.strip(\' "\')` of each choice, keep the first of '
        "equal ones (`dict.fromkeys` does), and read `completion.usage`.",
    ),
)
BUSINESSES = ("bakery", "bookshop", "bicycle repair shop", "florist", "coffee shop", "hotel by the sea", "garden")


def proposals(answer: Answer, count: int, temperature: float) -> tuple[dict[str, Any], Exchange, str]:
    """What one call returned and sent, and for which business."""
    business, seed = answer.rng.choice(BUSINESSES), answer.rng.randrange(1, 10_000)
    got = answer.call("taglines", business, count, seed, temperature)
    [sent] = chats(answer, 1)
    expect(sent.parameter("seed"), "the seed of the request", is_=seed)
    return got, sent, business


@dozen.check("one request asks for all answers, at that seed and temperature", points=1)
def asks_once_for_all(answer: Answer) -> None:
    count, temperature = answer.rng.randint(3, 9), answer.rng.choice((0.4, 0.9, 1.1))
    _, sent, business = proposals(answer, count, temperature)
    expect(sent.model, "the model", is_=MODEL)
    expect_messages(sent.turns, "the messages", is_=[["user", f"Write a tagline for a {business}."]])
    expect(sent.parameter("n"), "the number of answers that were asked for", is_=count)
    expect(sent.parameter("temperature"), "the temperature of the request", is_=temperature)
    expect(sent.parameter("stop"), "where an answer is to stop", one_of=["\n", ["\n"]])


@dozen.check("the different taglines come back, bare and in their order", points=1)
def returns_each_once(answer: Answer) -> None:
    got, sent, _ = proposals(answer, 12, 0.4)  # so cold that there are repetitions
    bare = [text.strip(' "') for text in texts(sent)]
    expect(entry(got, "taglines", "taglines"), "the taglines", is_=list(dict.fromkeys(bare)))


# --- 2.2 -------------------------------------------------------------------------------------------------------------

doubt = Task(
    "2.2",
    "Ask again when in doubt",
    points=5,
    hints=(
        "A log-probability becomes a probability with `math.exp`. The second request has the same messages and none of "
        "the parameters of the first: that model thinks, needs room for it, and takes no temperature.",
        "`odds` adds `math.exp(one['logprob'])` to the label that is `one['token'].strip().lower()`. `judge` asks with "
        "`max_completion_tokens=1, temperature=0, logprobs=True, top_logprobs=5`; the list is "
        "`choices[0].logprobs.content[0].top_logprobs`.",
    ),
)
REVIEWS = (
    "Great sound for the price.",
    "It is okay, I guess.",
    "The zipper is stuck.",
    "Arrived broken and nobody answered.",
    "I love it.",
    "Does what it should.",
    "The battery died within a week.",
    "My whole family enjoys it.",
)
LABELS = ("positive", "negative")


def candidate(token: str, probability: float) -> dict[str, object]:
    return {"token": token, "logprob": math.log(probability)}


def expect_odds(seen: object, what: str, right: dict[str, float]) -> None:
    for label, value in right.items():
        share = entry(seen, label, "odds")
        expect(share, f"{what}, of {label!r}", near=value)


def likeliest(sent: Exchange) -> dict[str, float]:
    """The probability of each label, as the server gave it."""
    found = dict.fromkeys(LABELS, 0.0)
    for one in sent.reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"]:
        label = one["token"].strip().lower()
        if label in found:
            found[label] += math.exp(one["logprob"])
    return found


@doubt.check("`odds` turns log-probabilities into probabilities", points=1)
def takes_exponents(answer: Answer) -> None:
    yes = round(answer.rng.uniform(0.1, 0.8), 3)
    top = [candidate("positive", yes), candidate("negative", 0.9 - yes)]
    expect_odds(answer.call("odds", top), "the probability", {"positive": yes, "negative": 0.9 - yes})


@doubt.check("`judge` asks for one token and the five likeliest", points=1)
def asks_for_one_token(answer: Answer) -> None:
    review = answer.rng.choice(REVIEWS)
    answer.call("judge", review, 0.0)
    [sent] = chats(answer, 1)
    expect(sent.model, "the model of the first request", is_=MODEL)
    expect_messages(sent.turns, "the messages", is_=[["system", RULE], ["user", review]])
    expect(sent.parameter("max_completion_tokens"), "the cap on output tokens", is_=1)
    expect(sent.parameter("temperature"), "the temperature", is_=0)
    expect(sent.parameter("top_logprobs"), "`top_logprobs` in the request", is_=5)


@doubt.check("an answer that is sure enough counts, with its odds", points=1)
def trusts_the_sure(answer: Answer) -> None:
    for review in answer.rng.sample(REVIEWS, 3):
        got = answer.call("judge", review, 0.2)
        right = likeliest(chats(answer, 1)[0])
        expect_odds(entry(got, "odds", "judge"), "the odds", right)
        expect(entry(got, "label", "judge"), f"the label of {review!r}", is_=max(LABELS, key=lambda one: right[one]))
        expect(entry(got, "second", "judge"), "`second`, with a threshold of 0.2", is_=False)


# --- 2.3 -------------------------------------------------------------------------------------------------------------

filled = Task(
    "2.3",
    "A form that fills itself in",
    points=4,
    hints=(
        "A strict schema has four things beside its `properties`: a type, all names as `required`, "
        "`additionalProperties` set to false, and `strict` one level above. Before you parse, read how it ended.",
        'The form is `{"type": "json_schema", "json_schema": {"name": ..., "strict": True, "schema": ...}}`; a list of '
        'texts becomes `{"type": "string", "enum": [...]}`. Parse only if `finish_reason` is `"stop"` and '
        "`message.refusal` is empty.",
    ),
)
KINDS = ("string", "integer", "number", "boolean")
KEYS = ("name", "city", "people", "price", "urgent", "day", "product", "stars", "country", "topic")
CHOICES = (["economy", "business"], ["billing", "delivery", "other"], ["low", "middle", "high"])
REQUESTS = (
    "Two seats to Paris in business class, please.",
    "Hello, this is Dana. My parcel has not arrived and I need it today!",
    "Great sound for the price, and it came on Monday.",
    "Four people, from Lisbon, on Friday evening.",
)


def fields(answer: Answer, kinds: list[Any]) -> dict[str, Any]:
    return dict(zip(answer.rng.sample(KEYS, len(kinds)), kinds, strict=True))


def schema(made: object) -> dict[str, Any]:
    """The schema in a `response_format`, if all around it is right."""
    expect(entry(made, "type", "form"), "the type of the format", is_="json_schema")
    around = entry(made, "json_schema", "form")
    expect(entry(around, "strict", "form"), "`strict`", is_=True)
    inside = entry(around, "schema", "form")
    expect(entry(inside, "type", "form"), "the type in the schema", is_="object")
    expect(entry(inside, "additionalProperties", "form"), "`additionalProperties`", is_=False)
    return dict(inside)


def filled_in(answer: Answer) -> tuple[object, Exchange]:
    """One call of `fill`: what it returned, and its request, if that had the form and the text."""
    given, text = fields(answer, ["string", "integer", answer.rng.choice(CHOICES)]), answer.rng.choice(REQUESTS)
    got = answer.call("fill", given, text)
    [sent] = chats(answer, 1)
    expect(sent.model, "the model", is_=MODEL)
    expect_messages(sent.turns, "the messages", is_=[["user", text]])
    inside = schema(sent.parameter("response_format"))
    sent_fields = sorted(entry(inside, "properties", "form"))
    expect(sent_fields, "the fields in the form that was sent, by alphabet", is_=sorted(given))
    return got, sent


@filled.check("`form` has a property for each field, all required, no others allowed", points=1)
def lists_fields(answer: Answer) -> None:
    given = fields(answer, answer.rng.sample(KINDS, 3))
    inside = schema(answer.call("form", given))
    for name, kind in given.items():
        expect(entry(inside.get("properties"), name, "form"), f"the property {name!r}", is_={"type": kind})
    expect(len(inside["properties"]), "the number of properties", is_=len(given))
    required = entry(inside, "required", "form")
    expect(required, "the required fields", type_=list)
    expect(sorted(map(str, required)), "the required fields, by alphabet", is_=sorted(given))


@filled.check("`fill` sends the form and returns the data", points=1)
def returns_data(answer: Answer) -> None:
    got, sent = filled_in(answer)
    expect(sent.finish_reasons[0], "how the answer ended", is_="stop")
    expect(got, "what `fill` returned", is_=json.loads(texts(sent)[0]))


# --- 2.4 -------------------------------------------------------------------------------------------------------------

hidden = Task(
    "2.4",
    "Paid for, and not one word",
    points=6,
    hints=(
        "The finish reason alone is not enough: `length` with a text and `length` without one want different cures. "
        "What was paid is paid: add up the tokens of every request, also of those that failed.",
        "A loop of at most four: send, add `usage.completion_tokens` and "
        "`usage.completion_tokens_details.reasoning_tokens`, `verdict(completion.to_dict())`; then change `effort` or "
        "double `cap`, or leave the loop. The refusal is in `message`, where `finish_reason` is `stop`.",
    ),
)
MOST_REQUESTS = 4


def made_up(finish: str, content: str | None, refusal: str | None = None) -> dict[str, Any]:
    """As much of a completion as a verdict needs."""
    message = {"role": "assistant", "content": content, "refusal": refusal}
    return {"object": "chat.completion", "choices": [{"index": 0, "finish_reason": finish, "message": message}]}


def outcome(sent: Exchange) -> str:
    choice = sent.reply["choices"][0]
    if choice["finish_reason"] == "content_filter" or choice["message"].get("refusal"):
        return "withheld"
    if choice["finish_reason"] != "length":
        return "whole"
    return "cut" if choice["message"]["content"] else "thoughts only"


def asked_through(answer: Answer, cap: int) -> tuple[dict[str, Any], list[Exchange]]:
    """One call of `ask_through`, if each request follows from the answer before it."""
    prompt, effort = answer.rng.choice(QUESTIONS), "low"
    got = answer.call("ask_through", prompt, cap)
    seen = chats(answer, len(answer.requests()))
    expect(len(seen), "the number of requests", at_least=1, at_most=MOST_REQUESTS)
    for number, sent in enumerate(seen, 1):
        expect(sent.model, f"the model of request {number}", is_=SMALL)
        expect_messages(sent.turns, f"the messages of request {number}", is_=[["user", prompt]])
        expect(sent.parameter("reasoning_effort"), f"the effort of request {number}", is_=effort)
        expect(sent.parameter("max_completion_tokens"), f"the cap of request {number}", is_=cap)
        found = outcome(sent)
        effort = "none" if found == "thoughts only" else effort
        cap = 2 * cap if found == "cut" else cap
        if found in ("whole", "withheld") and number < len(seen):
            fail(f"the answer to request {number} was {found}, and yet it asked again")
    last = outcome(seen[-1])
    if last in ("cut", "thoughts only") and len(seen) < MOST_REQUESTS:
        fail(f"it gave up after {len(seen)} requests, the last answer being {last}")
    expect(entry(got, "verdict", "ask_through"), "the verdict", is_=last)
    text = texts(seen[-1])[0] if last == "whole" else None
    expect(entry(got, "text", "ask_through"), f"the text, with the last answer {last},", is_=text)
    return got, seen


@hidden.check("`verdict` tells whole, cut, and thoughts without a word", points=1)
def tells_endings(answer: Answer) -> None:
    text = f"Answer {answer.rng.randrange(1000)}"
    expect(answer.call("verdict", made_up("stop", text)), "the verdict on a finished text", is_="whole")
    expect(answer.call("verdict", made_up("length", text)), "the verdict on a text that hit the cap", is_="cut")
    for empty in ("", None):
        seen = answer.call("verdict", made_up("length", empty))
        expect(seen, f"the verdict on content {empty!r} that hit the cap", is_="thoughts only")


@hidden.check("with room enough, one request at low effort", points=1)
def asks_once(answer: Answer) -> None:
    _, seen = asked_through(answer, 2000)
    expect(len(seen), "the number of requests with a cap of 2,000", is_=1)


@hidden.check("after nothing but thoughts it stops thinking, after a cut it makes room", points=1)
def mends_both(answer: Answer) -> None:
    _, seen = asked_through(answer, answer.rng.randint(20, 28))
    expect(outcome(seen[0]), "what came of the first request", is_="thoughts only")
    asked_through(answer, answer.rng.randint(58, 64))


# --- 2.5 -------------------------------------------------------------------------------------------------------------

old = Task(
    "2.5",
    "Old code, new model",
    points=4,
    hints=(
        "Try, read the refusal, mend one thing, and try again: a loop that ends with an answer or with an error that "
        "you do not know how to mend. Let the server decide what is wrong, not a list of your own.",
        "`except openai.APIStatusError as error`, then three cases by `error.code` and `error.param`; `raise` is the "
        "fourth. Work on a copy of the request: `request.pop(error.param)` takes a parameter out and hands you its "
        "value.",
    ),
)
SAMPLING: dict[str, tuple[float, ...]] = {
    "temperature": (0.2, 0.7),
    "top_p": (0.5, 0.9),
    "presence_penalty": (0.5, 1.0),
    "frequency_penalty": (0.3, 0.8),
}


def mended(answer: Answer, request: dict[str, Any]) -> list[Exchange]:
    """Run an old request: what was sent, if the result agrees with it."""
    got = answer.call("run_old", request)
    seen = answer.requests()
    expect(bool(seen), "that something was sent", is_=True)
    expect([sent.status == 200 for sent in seen[:-1]], "earlier requests that succeeded", is_=[False] * (len(seen) - 1))
    expect(seen[-1].status, "the status of the last answer", is_=200)
    expect(entry(got, "text", "run_old"), "the text", is_=texts(seen[-1])[0])
    refused = [sent.reply["error"]["param"] for sent in seen[:-1]]
    expect(entry(got, "changed", "run_old"), "what was changed, in the order of the refusals", is_=refused)
    return seen


def old_request(answer: Answer, model: str, **parameters: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": answer.rng.choice(QUESTIONS)}], **parameters}


def goes_through(answer: Answer, request: dict[str, Any], what: str) -> None:
    """Run a request with an error that is not to be mended."""
    try:
        got = answer.call("run_old", request)
    except NoAnswer as none:
        if none.kind not in ("raised", "refused"):
            raise
        expect(len(answer.requests()), f"the number of requests with {what}", is_=1)
        return
    fail(f"the error for {what} is to go through to the caller; `run_old` returned {got!r:.100}")


@old.check("what is refused is left out, and `max_tokens` is renamed", points=1)
def mends_parameters(answer: Answer) -> None:
    cap = answer.rng.randrange(400, 900)
    name = answer.rng.choice(list(SAMPLING))
    request = old_request(answer, SMALL, max_tokens=cap, **{name: answer.rng.choice(SAMPLING[name])})
    last = mended(answer, request)[-1]
    expect(last.parameter("max_completion_tokens"), "`max_completion_tokens` in the end", is_=cap)
    expect(name in last.body, f"that {name!r} was still sent in the end", is_=False)


@old.check("what is not refused is not touched", points=1)
def leaves_the_rest(answer: Answer) -> None:
    dials = {name: answer.rng.choice(values) for name, values in SAMPLING.items()}
    request = old_request(answer, MODEL, seed=answer.rng.randrange(1000), max_completion_tokens=200, **dials)
    [sent] = mended(answer, request)
    for name, value in request.items():
        expect(sent.parameter(name), f"{name!r} in the request", is_=value)
