"""Checks of exercise 06, "One interface". Read them beside the notebook of the same number.

Probe inputs come from `answer.rng`. What counts is what reached the lab server, provider by provider, and what came
back to the caller. Whether a request was made with an SDK, with LiteLLM or by hand is judged nowhere but in its shape.
"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from labkit.grading import Answer, Exchange, Task, expect, fail
from labkit.prices import price
from labkit.registry import model

PROVIDERS = ("openai", "anthropic", "gemini")
QUESTIONS = (
    "What is a token?",
    "What does temperature do?",
    "What is an API?",
    "What is a context window?",
    "What is streaming good for?",
    "Explain what a system prompt is.",
)
SYSTEMS = ("Answer in one sentence.", "Be brief.", "Answer in plain words.", "You are a teacher.")
LITELLM_SECONDS = 20.0
"""Its first call in a process loads more of it."""
DOLLAR_DIGITS = 1e-9
"""Prices are sums of floats."""


def question(answer: Answer) -> str:
    """A question that no student has seen in this form."""
    return f"{answer.rng.choice(QUESTIONS)} (reader {answer.rng.randrange(100, 1000)})"


def system_prompt(answer: Answer) -> str:
    return f"{answer.rng.choice(SYSTEMS)} Class {answer.rng.randrange(100, 1000)}."


def in_any_order(answer: Answer) -> list[str]:
    return answer.rng.sample(PROVIDERS, len(PROVIDERS))


# --- What a request and its answer look like at each provider ---


def endpoint_of(sent: Exchange) -> str:
    """Whose door a request knocked at, by its path."""
    if sent.path.endswith("/chat/completions"):
        return "openai"
    if sent.path.endswith("/messages"):
        return "anthropic"
    return "gemini" if sent.path.endswith(":generateContent") else sent.path


def plain(content: Any) -> str:
    """Text, whether it came as a string or as parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return content if isinstance(content, str) else ""


def either(body: Mapping[str, Any], *names: str) -> Any:
    """The field under the first of its spellings that is there."""
    return next((body[name] for name in names if name in body), None)


def turns(sent: Exchange) -> list[list[str]]:
    """[role, text] of each turn, the system prompt of OpenAI included."""
    body = sent.body or {}
    if endpoint_of(sent) == "gemini":
        return [[str(turn.get("role", "user")), plain(turn.get("parts"))] for turn in body.get("contents", [])]
    return [[str(turn.get("role")), plain(turn.get("content"))] for turn in sent.messages]


def system_of(sent: Exchange) -> str:
    """The system prompt where its provider looks for it; "" without one."""
    body = sent.body or {}
    if endpoint_of(sent) == "openai":
        return "\n".join(text for role, text in turns(sent) if role in ("system", "developer"))
    if endpoint_of(sent) == "anthropic":
        return plain(body.get("system"))
    return plain((either(body, "systemInstruction", "system_instruction") or {}).get("parts"))


def settings_of(sent: Exchange) -> Mapping[str, Any]:
    """The part of the body that holds cap and temperature."""
    body: Mapping[str, Any] = sent.body or {}
    if endpoint_of(sent) == "gemini":
        return either(body, "generationConfig", "generation_config") or {}
    return body


def cap_of(sent: Exchange) -> object:
    return either(settings_of(sent), "max_completion_tokens", "max_tokens", "maxOutputTokens", "max_output_tokens")


def text_of(sent: Exchange) -> str:
    """The text of the answer."""
    reply = sent.reply
    if endpoint_of(sent) == "openai":
        return plain(reply["choices"][0]["message"]["content"])
    parts = reply["content"] if endpoint_of(sent) == "anthropic" else reply["candidates"][0]["content"]["parts"]
    return plain([part for part in parts if not part.get("thought")])


def one(answer: Answer, provider: str) -> Exchange:
    """The one request of the last call, if it went to that provider and succeeded."""
    seen = answer.requests()
    expect(len(seen), f"the number of requests for {provider!r}", is_=1)
    expect(endpoint_of(seen[0]), f"the provider whose endpoint was called for {provider!r}", is_=provider)
    expect(seen[0].status, f"the status of the answer for {provider!r}", is_=200)
    return seen[0]


# --- 6.1 -------------------------------------------------------------------------------------------------------------

prefix = Task(
    "6.1",
    "By prefix",
    points=3,
    seconds=LITELLM_SECONDS,
    hints=(
        "LiteLLM takes the provider and the model in one string, with a slash between. Everything else has the shape "
        "that you know from OpenAI, for all providers.",
        '`litellm.completion(model=f"{provider}/{...}", messages=[...], max_tokens=...)` returns an object with '
        "`choices[0].message.content`, `choices[0].finish_reason` and `usage.completion_tokens`.",
    ),
)


@prefix.check("one request goes to the provider that was named, with the prompt and the course's model", points=1)
def goes_to_the_provider(answer: Answer) -> None:
    for provider in in_any_order(answer):
        prompt = question(answer)
        answer.send("ask_by_prefix", provider, prompt)
        sent = one(answer, provider)
        expect(sent.model, f"the model for {provider!r}", is_=model(provider))
        expect(turns(sent), f"the turns sent to {provider!r}", is_=[["user", prompt]])


@prefix.check("it returns the text, the finish reason and the output tokens", points=1)
def returns_the_three(answer: Answer) -> None:
    for provider in in_any_order(answer):
        got = answer.call("ask_by_prefix", provider, question(answer))
        sent = one(answer, provider)
        expect(got, "what `ask_by_prefix` returned", type_=dict)
        wanted = {"text": text_of(sent), "finish": "stop", "output_tokens": sent.output_tokens}
        for name, value in wanted.items():
            expect(got.get(name), f"`{name}` for {provider!r}", is_=value)


### BEGIN HIDDEN TESTS
@prefix.check("`max_tokens` arrives as the cap of each provider, and a cut answer says `length`", points=1)
def cap_arrives(answer: Answer) -> None:
    for provider in in_any_order(answer):
        cap = answer.rng.randint(3, 9)
        got = answer.call("ask_by_prefix", provider, question(answer), max_tokens=cap)
        sent = one(answer, provider)
        expect(cap_of(sent), f"the cap that {provider!r} was sent", is_=cap)
        expect(got, "what `ask_by_prefix` returned", type_=dict)
        expect(got.get("finish"), f"`finish` of an answer that was cut, for {provider!r}", is_="length")


### END HIDDEN TESTS
# --- 6.2 -------------------------------------------------------------------------------------------------------------

bill = Task(
    "6.2",
    "What did it cost?",
    points=4,
    seconds=LITELLM_SECONDS,
    hints=(
        "`litellm.completion_cost` turns a reply into dollars, but says 0 of a model that is missing from its price "
        "table. A price that is unknown is no price of 0: look the model up in that table first.",
        "`litellm.model_cost` is a dictionary; for Gemini its keys carry the prefix, for the others they do not. So a "
        "model is listed if its name, with or without the prefix, is a key. In `bill`, add up what has a price and "
        "collect the models of the rest.",
    ),
)


def listed(name: str) -> bool:
    """Whether the installed litellm has a price for a model."""
    return price(name).source.startswith(f"litellm {version('litellm')}")


def close(seen: object, what: str, wanted: float) -> None:
    expect(seen, what, type_=float)
    expect(seen, what, at_least=wanted - DOLLAR_DIGITS, at_most=wanted + DOLLAR_DIGITS)


@bill.check("`cost_of` returns what the server billed", points=1)
def costs_what_was_billed(answer: Answer) -> None:
    for provider in in_any_order(answer):
        got = answer.call("cost_of", provider, "small", question(answer))
        close(got, f"the cost for {provider!r}", one(answer, provider).cost_usd)


@bill.check("`bill` adds up the calls that have a price", points=1)
def adds_up(answer: Answer) -> None:
    orders = [[answer.rng.choice(PROVIDERS), "small", question(answer)] for _ in range(answer.rng.randint(2, 4))]
    got = answer.call("bill", orders)
    seen = answer.requests()
    expect(len(seen), f"the number of requests for {len(orders)} orders", is_=len(orders))
    expect(got, "what `bill` returned", type_=dict)
    close(got.get("usd"), "`usd`", sum(sent.cost_usd for sent in seen))
    expect(got.get("unpriced"), "`unpriced` when all models have a price", is_=[])


### BEGIN HIDDEN TESTS
@bill.check("`cost_of` is None for a model without a listed price", points=1)
def unknown_is_none(answer: Answer) -> None:
    young = model("openai", "standard")
    got = answer.call("cost_of", "openai", "standard", question(answer))
    sent = one(answer, "openai")
    if listed(young):
        close(got, f"the cost of {young}", sent.cost_usd)
    else:
        expect(got, f"the cost of {young}, which the installed litellm does not list,", is_=None)


@bill.check("`bill` names the models that it could not price, and prices the rest", points=1)
def names_the_unpriced(answer: Answer) -> None:
    orders = [["openai", "standard", question(answer)], ["anthropic", "small", question(answer)]]
    answer.rng.shuffle(orders)
    got = answer.call("bill", orders)
    seen = answer.requests()
    expect(len(seen), "the number of requests for two orders", is_=2)
    expect(got, "what `bill` returned", type_=dict)
    expect(got.get("unpriced"), "`unpriced`", is_=[sent.model for sent in seen if not listed(sent.model)])
    close(got.get("usd"), "`usd`", sum(sent.cost_usd for sent in seen if listed(sent.model)))


### END HIDDEN TESTS
# --- 6.3 -------------------------------------------------------------------------------------------------------------

client = Task(
    "6.3",
    "One client, three providers",
    points=8,
    hints=(
        "Begin with one function a provider that sends, and one that reads. Then the class only picks the pair and "
        "translates the finish reason; no line of it needs to know which provider it talks to.",
        "OpenAI: the system prompt is the first message, the cap `max_completion_tokens`. Anthropic: `system=` and "
        "`max_tokens=`. Gemini: both in `config`, as `system_instruction` and `max_output_tokens`. Leave the system "
        "prompt out when it is None. Gemini's output tokens are `candidates_token_count` plus `thoughts_token_count`.",
    ),
)


@client.check("each provider gets one request at its own endpoint, with the prompt as the only user turn", points=2)
def asks_each(answer: Answer) -> None:
    for provider in in_any_order(answer):
        prompt = question(answer)
        answer.make("Client", provider).call("ask", prompt)
        sent = one(answer, provider)
        expect(turns(sent), f"the turns sent to {provider!r}", is_=[["user", prompt]])
        expect(system_of(sent), f"the system prompt sent to {provider!r} when none was given", is_="")


@client.check("the system prompt stands where each provider looks for it", points=1)
def system_in_its_place(answer: Answer) -> None:
    for provider in in_any_order(answer):
        system, prompt = system_prompt(answer), question(answer)
        answer.make("Client", provider).call("ask", prompt, system=system)
        sent = one(answer, provider)
        expect(system_of(sent), f"the system prompt where {provider!r} looks for it", is_=system)
        expect(turns(sent)[-1], f"the last turn sent to {provider!r}", is_=["user", prompt])


@client.check("`max_tokens` becomes the cap of each provider", points=1)
def cap_in_its_place(answer: Answer) -> None:
    for provider in in_any_order(answer):
        cap = answer.rng.randint(300, 900)
        answer.make("Client", provider).call("ask", question(answer), max_tokens=cap)
        expect(cap_of(one(answer, provider)), f"the cap that {provider!r} was sent", is_=cap)


@client.check("it returns provider, model and text", points=1)
def returns_the_answer(answer: Answer) -> None:
    for provider in in_any_order(answer):
        got = answer.make("Client", provider).call("ask", question(answer))
        sent = one(answer, provider)
        expect(got, "what `ask` returned", type_=dict)
        wanted = {"provider": provider, "model": sent.model, "text": text_of(sent)}
        for name, value in wanted.items():
            expect(got.get(name), f"`{name}` for {provider!r}", is_=value)


@client.check("`finish` is `stop` for a whole answer and `length` for a cut one, whoever says it", points=1)
def one_vocabulary(answer: Answer) -> None:
    for provider in in_any_order(answer):
        asking = answer.make("Client", provider, "sampling")
        for cap, word in ((answer.rng.randint(3, 8), "length"), (1000, "stop")):
            got = asking.call("ask", question(answer), max_tokens=cap)
            one(answer, provider)
            expect(got, "what `ask` returned", type_=dict)
            expect(got.get("finish"), f"`finish` for {provider!r} with a cap of {cap}", is_=word)


### BEGIN HIDDEN TESTS
@client.check("input and output tokens are those that the server billed", points=1)
def billed_tokens(answer: Answer) -> None:
    for provider in in_any_order(answer):
        got = answer.make("Client", provider).call("ask", question(answer))
        sent = one(answer, provider)
        expect(got, "what `ask` returned", type_=dict)
        expect(got.get("input_tokens"), f"`input_tokens` for {provider!r}", is_=sent.input_tokens)
        expect(got.get("output_tokens"), f"`output_tokens` for {provider!r}", is_=sent.output_tokens)


@client.check("provider and tier are configuration: two clients side by side keep their own", points=1)
def keeps_its_configuration(answer: Answer) -> None:
    pair = answer.rng.sample(PROVIDERS, 2)
    made = [answer.make("Client", provider, tier) for provider, tier in zip(pair, ("sampling", "small"), strict=True)]
    for provider, tier, asking in zip(pair, ("sampling", "small"), made, strict=True):
        asking.call("ask", question(answer))
        expect(one(answer, provider).model, f"the model of {provider!r}, {tier!r}", is_=model(provider, tier))


### END HIDDEN TESTS
# --- 6.4 -------------------------------------------------------------------------------------------------------------

wish = Task(
    "6.4",
    "Never in silence",
    points=4,
    seconds=LITELLM_SECONDS,
    hints=(
        "LiteLLM raises for a temperature that a model does not take, before anything is sent, unless it was told to "
        "drop what does not fit. Let it raise, and decide yourself.",
        "Put the call with `temperature=` in a `try`. On `litellm.UnsupportedParamsError` call again without it and "
        "note `temperature` in the list that you return. Leave `litellm.drop_params` alone.",
    ),
)

TAKEN = [(provider, "sampling") for provider in PROVIDERS]
REFUSED = [("openai", "small"), ("anthropic", "small"), ("anthropic", "standard")]


def asked_at(answer: Answer, provider: str, tier: str) -> tuple[float, dict[str, Any], Exchange]:
    temperature = answer.rng.randint(1, 8) / 10
    got = answer.call("ask_at", provider, tier, question(answer), temperature)
    expect(got, "what `ask_at` returned", type_=dict)
    return temperature, got, one(answer, provider)


@wish.check("a model that takes the temperature gets it, and nothing is said to be dropped", points=1)
def taken(answer: Answer) -> None:
    for provider, tier in answer.rng.sample(TAKEN, 2):
        temperature, got, sent = asked_at(answer, provider, tier)
        expect(settings_of(sent).get("temperature"), f"the temperature sent to {provider!r}", is_=temperature)
        expect(got.get("dropped"), f"`dropped` for {provider!r}, {tier!r}", is_=[])


@wish.check("a model that refuses it is asked without, and the caller is told", points=1)
def refused(answer: Answer) -> None:
    for provider, tier in answer.rng.sample(REFUSED, 2):
        _, got, sent = asked_at(answer, provider, tier)
        if "temperature" in settings_of(sent):
            fail(f"{provider!r} was sent a temperature that its {tier} model does not take")
        expect(got.get("dropped"), f"`dropped` for {provider!r}, {tier!r}", is_=["temperature"])


@wish.check("it returns the text of the answer", points=1)
def returns_text(answer: Answer) -> None:
    for provider, tier in (answer.rng.choice(TAKEN), answer.rng.choice(REFUSED)):
        _, got, sent = asked_at(answer, provider, tier)
        expect(got.get("text"), f"`text` for {provider!r}, {tier!r}", is_=text_of(sent))


### BEGIN HIDDEN TESTS
@wish.check("one refusal does not change the next call", points=1)
def forgets_the_refusal(answer: Answer) -> None:
    for provider, tier in (answer.rng.choice(REFUSED), answer.rng.choice(TAKEN), answer.rng.choice(REFUSED)):
        temperature, got, sent = asked_at(answer, provider, tier)
        told = (provider, tier) in REFUSED
        arrived = settings_of(sent).get("temperature")
        expect(arrived, f"the temperature sent to {provider!r}, {tier!r}", is_=None if told else temperature)
        expect(got.get("dropped"), f"`dropped` for {provider!r}, {tier!r}", is_=["temperature"] if told else [])


### END HIDDEN TESTS
# --- 6.5 -------------------------------------------------------------------------------------------------------------

choice = Task(
    "6.5",
    "Which one?",
    points=3,
    hints=(
        "Bring each criterion to a share of the best candidate's value before you weigh it. For cost and latency less "
        "is better, so the share is the smallest value divided by this one.",
        "For every candidate: sum weight x share over the criteria, divided by the sum of the weights. `sorted` with "
        "`reverse=True` on the scores gives the ranking; round nothing before you sort.",
    ),
)

NAMES = ("alder", "birch", "cedar", "elm", "fir")
LESS_IS_BETTER = ("cost", "latency")
CRITERIA = ("cost", "latency", "context", "features")


def candidates(answer: Answer) -> dict[str, dict[str, float]]:
    drawn = answer.rng.sample(NAMES, answer.rng.randint(3, 5))
    return {name: {criterion: answer.rng.uniform(1, 50) for criterion in CRITERIA} for name in drawn}


def scores(table: Mapping[str, Mapping[str, float]], weights: Mapping[str, float]) -> dict[str, float]:
    """Weighted shares of the best, 0 to 1."""
    found = dict.fromkeys(table, 0.0)
    for criterion, weight in weights.items():
        column = [row[criterion] for row in table.values()]
        for name, row in table.items():
            less = criterion in LESS_IS_BETTER
            found[name] += weight * (min(column) / row[criterion] if less else row[criterion] / max(column))
    return {name: score / sum(weights.values()) for name, score in found.items()}


def ranked(answer: Answer, table: dict[str, dict[str, float]], weights: dict[str, float]) -> None:
    wanted = scores(table, weights)
    got = answer.call("rank", table, weights)
    expect(got, "what `rank` returned", type_=list)
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in got):
        fail("`rank` returned something other than [name, score] pairs")
    best_first = sorted(wanted, key=wanted.__getitem__, reverse=True)
    expect([name for name, _ in got], f"the names, best first, for the weights {weights}", is_=best_first)
    for name, score in got:
        expect(score, f"the score of {name!r}", at_least=wanted[name] - 1e-6, at_most=wanted[name] + 1e-6)


@choice.check("one criterion alone: the cheapest leads, or the one with the largest context", points=1)
def one_criterion(answer: Answer) -> None:
    for criterion in ("cost", answer.rng.choice(("context", "features"))):
        ranked(answer, candidates(answer), {criterion: 1.0})


@choice.check("several criteria are weighed", points=1)
def several(answer: Answer) -> None:
    ranked(answer, candidates(answer), {criterion: float(answer.rng.randint(1, 5)) for criterion in CRITERIA})


### BEGIN HIDDEN TESTS
@choice.check("only the ratio of the weights matters, and a weight of 0 counts for nothing", points=1)
def ratio_of_weights(answer: Answer) -> None:
    table, factor = candidates(answer), answer.rng.randint(2, 9)
    weights = {"cost": 2.0, "latency": 0.0, "context": 1.0}
    for times in (1, factor):
        ranked(answer, table, {criterion: weight * times for criterion, weight in weights.items()})


### END HIDDEN TESTS
