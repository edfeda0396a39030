"""Checks of exercise 14, "Structured output and tools". Read them beside the notebook of the same number.

A schema is judged by what it says, wherever its parts stand, and by whether it was sent where its
provider looks for it. Of the tool loops the journal shows each turn.
"""

import json
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from labkit import datasets, registry
from labkit.grading import Answer, Exchange, Task, expect, fail
from labkit.grading.answer import NoAnswer

MODELS = {
    "openai": registry.model("openai", "sampling"),
    "anthropic": registry.model("anthropic", "small"),
    "gemini": registry.model("gemini", "sampling"),
}
TASK = "Extract the entities of this notice."
FIELDS = datasets.ENTITIES
CITIES = ("Paris", "London", "Oslo", "Lisbon", "Madrid", "Vienna", "Lima", "Rome")
PLAIN_QUESTIONS = ("What is an API?", "What is a token?", "What is a context window?")

Schema = Mapping[str, Any]


def one(answer: Answer, model: str) -> Exchange:
    """The one request of the last call, which went to that model and succeeded."""
    seen = answer.requests()
    expect(len(seen), "the number of requests in one call", is_=1)
    expect(seen[0].status, "the status of the response", is_=200)
    expect(seen[0].model, "the model", is_=model)
    return seen[0]


def raises(answer: Answer, error: str, when: str, name: str, *args: Any, **kwargs: Any) -> None:
    """The call ends with that exception."""
    try:
        got = answer.call(name, *args, **kwargs)
    except NoAnswer as none:
        if none.kind != "raised":
            raise
        if error not in str(none):
            fail(f"`{name}` {when}: expected {error}, saw this: {none}")
        return
    fail(f"`{name}` {when}: expected {error} to be raised, saw {got!r}")


# --- What a schema says ---


def resolved(part: Any, whole: Schema) -> Schema:
    """A part of a schema, with its reference followed."""
    if not isinstance(part, Mapping):
        return {}
    name = str(part.get("$ref", "")).rpartition("/")[2]
    found = whole.get("$defs", {}).get(name) if name else part
    return found if isinstance(found, Mapping) else {}


def field(schema: Schema, name: str, whole: Schema | None = None) -> Schema:
    return resolved(schema.get("properties", {}).get(name), whole or schema)


def kinds(part: Schema) -> set[str]:
    """The JSON types that a part allows."""
    said = part.get("type")
    found = set(said) if isinstance(said, list) else {said} if said else set()
    return found.union(*(kinds(option) for option in part.get("anyOf", [])))


def closed(schema: Schema, what: str, names: tuple[str, ...]) -> None:
    """An object with these fields, all required, and no others."""
    expect(sorted(schema.get("properties", {})), f"the fields of {what}", is_=sorted(names))
    expect(sorted(schema.get("required", [])), f"the required fields of {what}", is_=sorted(names))
    expect(schema.get("additionalProperties"), f"`additionalProperties` of {what}", is_=False)


# --- 14.1 ------------------------------------------------------------------------------------------------------------

reading = Task(
    "14.1",
    "Whole, cut or broken",
    points=3,
    hints=(
        "The finish reason first: what was cut may look whole. Then the fence, then the parser, then the type of "
        "what came out of it.",
        "`json.loads` raises `ValueError` for what does not parse, and gives a list or a number for other JSON. A "
        "fence is three backticks, perhaps with `json` behind, on a line of its own at each end.",
    ),
)


def drawn_object(answer: Answer) -> dict[str, Any]:
    row = answer.rng.choice(datasets.records("notices"))
    return {name: row[name] for name in answer.rng.sample(FIELDS, 4)}


def fenced(text: str, word: str = "json") -> str:
    return f"```{word}\n{text}\n```"


@reading.check("a whole object is read, with a fence and without", points=1)
def reads_whole(answer: Answer) -> None:
    for wrap in (str, fenced, lambda text: fenced(text, "") + "\n"):
        data = drawn_object(answer)
        text = wrap(json.dumps(data, indent=answer.rng.choice((None, 2))))
        expect(answer.call("data_of", "stop", text), f"the object in {text!r}", is_=data)


@reading.check("what is cut, does not parse or is no object is None", points=1)
def refuses_others(answer: Answer) -> None:
    whole = json.dumps(drawn_object(answer))
    expect(answer.call("data_of", "length", whole), "a reply that was cut, though it parses", is_=None)
    for text in (whole[: len(whole) // 2], f"Here it is: {whole}", "[1, 2]", "null", ""):
        expect(answer.call("data_of", "stop", text), f"the object in {text!r}", is_=None)


### BEGIN HIDDEN TESTS
@reading.check("`sorted_out` tells cut from broken", points=1)
def sorts_out(answer: Answer) -> None:
    counts = {name: answer.rng.randrange(1, 6) for name in ("whole", "cut", "broken")}
    text = json.dumps(drawn_object(answer))
    replies = [["stop", fenced(text)] for _ in range(counts["whole"])]
    replies += [["length", answer.rng.choice((text, text[:20]))] for _ in range(counts["cut"])]
    replies += [["stop", answer.rng.choice((text[:-4], "Sure!", "[]"))] for _ in range(counts["broken"])]
    answer.rng.shuffle(replies)
    expect(answer.call("sorted_out", replies), "the counts", is_=counts)


### END HIDDEN TESTS
# --- 14.2 ------------------------------------------------------------------------------------------------------------

shaping = Task(
    "14.2",
    "One schema, three providers",
    points=4,
    hints=(
        "The three requests differ in the place of the schema and in the way to the text of the reply; the notebook "
        "shows each. In Pydantic, `str | None` without a default is required and may be null.",
        "OpenAI: `response_format` of type `json_schema`, with `name`, `strict` and `schema`. Anthropic: "
        "`output_config={'format': ...}`. Gemini: `response_mime_type` and `response_json_schema` in the config.",
    ),
)


def notice(answer: Answer) -> str:
    return str(answer.rng.choice(datasets.records("notices"))["text"])


def extracted(answer: Answer, provider: str) -> tuple[Any, Exchange]:
    text = notice(answer)
    got, sent = answer.call("extract", provider, text), one(answer, MODELS[provider])
    body = json.dumps(sent.body, ensure_ascii=False).replace('\\"', '"')
    for what, part in (("`TASK`", TASK), ("the notice", text)):
        if part not in body:
            fail(f"the request to {provider}: expected {what} {part!r} in it, did not find it")
    return got, sent


def carries(schema: Any, where: str, got: Any, said: str) -> None:
    """The schema stood in its place, and what came back is what was said."""
    expect(schema, where, type_=dict)
    closed(schema, where, FIELDS)
    expect(got, "what `extract` returned", is_=json.loads(said))


@shaping.check("`notice_schema` has six required fields that may be null, and no others", points=1)
def allows_null(answer: Answer) -> None:
    schema = answer.call("notice_schema")
    expect(schema, "`notice_schema()`", type_=dict)
    closed(schema, "`notice_schema()`", FIELDS)
    for name in FIELDS:
        wanted = {"null", "number"} if name == "amount" else {"null", "string"}
        expect(sorted(kinds(field(schema, name))), f"the types of `{name}`", is_=sorted(wanted))


@shaping.check("OpenAI gets it as a strict response format", points=1)
def asks_openai(answer: Answer) -> None:
    got, sent = extracted(answer, "openai")
    form = (sent.body.get("response_format") or {}).get("json_schema") or {}
    expect(form.get("strict"), "`strict`", is_=True)
    carries(form.get("schema"), "the schema in `response_format`", got, sent.reply["choices"][0]["message"]["content"])


@shaping.check("Anthropic gets it as an output format", points=1)
def asks_anthropic(answer: Answer) -> None:
    got, sent = extracted(answer, "anthropic")
    form = (sent.body.get("output_config") or {}).get("format") or {}
    text = "".join(block["text"] for block in sent.reply["content"] if block["type"] == "text")
    carries(form.get("schema"), "the schema in `output_config.format`", got, text)


### BEGIN HIDDEN TESTS
@shaping.check("Gemini gets it in its generation config", points=1)
def asks_gemini(answer: Answer) -> None:
    got, sent = extracted(answer, "gemini")
    form = sent.body.get("generationConfig") or {}
    schema = form.get("responseJsonSchema") or form.get("responseSchema")
    parts = sent.reply["candidates"][0]["content"]["parts"]
    text = "".join(part.get("text", "") for part in parts if not part.get("thought"))
    carries(schema, "the schema in `generationConfig`", got, text)


### END HIDDEN TESTS
# --- 14.3 ------------------------------------------------------------------------------------------------------------

ruling = Task(
    "14.3",
    "What a schema cannot say",
    points=5,
    hints=(
        "Write the rules first, as a function of the object: it needs no model to be tested. The loop then has three "
        "exits: a cut answer, an answer without problems, and no attempts left.",
        "After an answer with problems, append `{'role': 'assistant', 'content': its text}` and a user message with "
        "the problems, and send the whole conversation again. `choice.finish_reason != 'stop'` means cut.",
    ),
)
GOOD = {"person": None, "organisation": None, "place": None, "date": "2026-03-14", "amount": 60, "currency": "EUR"}
RULES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"currency": None}, "currency"),
    ({"amount": 0, "currency": None}, "currency"),
    ({"amount": None}, "amount"),
    ({"amount": 501}, "amount"),
    ({"date": "14 March 2026"}, "date"),
    ({"date": "2026-3-14"}, "date"),
    ({"date": "2026-03-14, noon"}, "date"),
)
"""Changes that break a rule, with a limit of 500, and the field that a sentence has to name."""


def priced_notice(answer: Answer) -> tuple[str, float]:
    """A notice whose amount and currency the lab's model reads, and the amount."""
    simple = [row for row in datasets.records("notices") if row["amount"] and "€" in row["text"]]
    row = answer.rng.choice(simple)
    return str(row["text"]), float(row["amount"])


LIMIT = 0.01
"""Below every amount, so that a first answer that names one is wrong."""


def obeys(value: dict[str, Any]) -> bool:
    """Whether an answer may stay under this limit; the schema has seen to the date's being a string."""
    amount, date = value["amount"], value["date"]
    return (
        (amount is None) == (value["currency"] is None)
        and (amount is None or amount <= LIMIT)
        and (date is None or re.fullmatch(r"\d{4}-\d\d-\d\d", date) is not None)
    )


def asked_again(answer: Answer, attempts: int) -> list[Exchange]:
    """The requests for a notice whose amount is above the limit: until an answer obeys, and not more than allowed."""
    text, _ = priced_notice(answer)
    got, seen = answer.call("checked", text, LIMIT, attempts=attempts), answer.requests()
    expect(len(seen), f"the number of requests with attempts={attempts}", at_least=1, at_most=attempts)
    values = [json.loads(sent.reply["choices"][0]["message"]["content"]) for sent in seen]
    right = [value for value in values if obeys(value)]
    if not right:
        expect(len(seen), f"the number of requests with attempts={attempts}, if none is right", is_=attempts)
    value = right[0] if right else None
    expect(got, "what `checked` returned", is_={"value": value, "calls": len(seen)})
    expect(len(right), "the number of answers that obey, after which nothing is asked", at_most=1)
    return seen


@ruling.check("`problems` finds each broken rule and names the field", points=1)
def finds_problems(answer: Answer) -> None:
    for fine in ({}, {"amount": None, "currency": None}, {"date": None}, {"amount": 500}, {"amount": 0}):
        expect(answer.call("problems", {**GOOD, **fine}, 500), f"the problems of {GOOD | fine}", is_=[])
    for change, name in RULES:
        found = answer.call("problems", {**GOOD, **change}, 500)
        expect(found, f"the problems of {GOOD | change}", type_=list)
        expect(len(found), f"the number of problems of {GOOD | change}", is_=1)
        expect(str(found[0]).lower(), "the sentence", contains=name)


@ruling.check("an answer that obeys is asked for once", points=1)
def accepts(answer: Answer) -> None:
    text, _ = priced_notice(answer)
    got, sent = answer.call("checked", text, 1e9), one(answer, MODELS["openai"])
    said = sent.reply["choices"][0]["message"]["content"]
    expect(got, "what `checked` returned", is_={"value": json.loads(said), "calls": 1})
    dials = [sent.body.get("temperature"), sent.body.get("max_completion_tokens", sent.body.get("max_tokens"))]
    expect(dials, "temperature and cap", is_=[0, 300])


@ruling.check("it asks again, and gives up after `attempts` requests", points=1)
def gives_up(answer: Answer) -> None:
    for attempts in (1, answer.rng.choice((2, 3, 4))):
        asked_again(answer, attempts)


### BEGIN HIDDEN TESTS
@ruling.check("each new request carries the answer before it, and what was wrong", points=1)
def says_why(answer: Answer) -> None:
    seen = asked_again(answer, 3)
    for _ in range(5):
        if len(seen) > 1:
            break
        seen = asked_again(answer, 3)  # this notice's amount was not found, so that nothing was wrong
    for before, after in pairwise(seen):
        said = before.reply["choices"][0]["message"]["content"]
        turns = after.messages
        expect(turns[: len(before.messages)], "the beginning of the next conversation", is_=before.messages)
        expect([turn["role"] for turn in turns[-2:]], "the two new turns", is_=["assistant", "user"])
        expect(turns[-2]["content"], "the answer in it", is_=said)
        expect(str(turns[-1]["content"]).lower(), "the complaint in it", contains="amount")


@ruling.check("an answer that was cut is not asked for again", points=1)
def stops_when_cut(answer: Answer) -> None:
    text, _ = priced_notice(answer)
    raises(answer, "ValueError", "for an answer that was cut", "checked", text, 1e9, attempts=4, cap=8)
    expect(len(answer.requests()), "the number of requests for an answer that was cut", is_=1)


### END HIDDEN TESTS
# --- 14.4 ------------------------------------------------------------------------------------------------------------

helping = Task(
    "14.4",
    "A schema that helps",
    points=4,
    hints=(
        "Fields are written in the order in which they stand, and each sees those before it. What the world limits, "
        "let the schema limit: choices, smallest and largest values.",
        "In Pydantic: `Literal[...]` gives an enum, `Field(ge=1, le=5)` bounds, and a class in a list its own object. "
        "`extra='forbid'` on both classes closes them.",
    ),
)
TICKET_FIELDS = ("reasoning", "queue", "urgency", "entities")
ENTITY_FIELDS = ("text", "type", "confidence")


def ticket_schema(answer: Answer) -> Schema:
    schema = answer.call("ticket_schema")
    expect(schema, "`ticket_schema()`", type_=dict)
    closed(schema, "`ticket_schema()`", TICKET_FIELDS)
    return schema  # type: ignore[no-any-return]


def bounds(part: Schema) -> list[Any]:
    return [part.get("type"), part.get("minimum"), part.get("maximum")]


@helping.check("what helps the rest stands first, and the queues are named", points=1)
def orders(answer: Answer) -> None:
    schema = ticket_schema(answer)
    expect(next(iter(schema["properties"])), "the first field of a ticket", is_="reasoning")
    queues = sorted(field(schema, "queue").get("enum") or [])
    expect(queues, "the choices for `queue`", is_=sorted(datasets.LABELS["tickets"]))


@helping.check("urgency has its bounds", points=1)
def bounds_urgency(answer: Answer) -> None:
    expect(bounds(field(ticket_schema(answer), "urgency")), "type and bounds of `urgency`", is_=["integer", 1, 5])


@helping.check("an entity has a text, one of five types, and a confidence from 0 to 1", points=1)
def describes_entities(answer: Answer) -> None:
    schema = ticket_schema(answer)
    entities = field(schema, "entities")
    expect(entities.get("type"), "the type of `entities`", is_="array")
    entity = resolved(entities.get("items"), schema)
    closed(entity, "an entity", ENTITY_FIELDS)
    types = ["amount", "date", "organisation", "person", "place"]
    expect(sorted(field(entity, "type", schema).get("enum") or []), "the choices for `type`", is_=types)
    expect(bounds(field(entity, "confidence", schema)), "type and bounds of `confidence`", is_=["number", 0, 1])


### BEGIN HIDDEN TESTS
@helping.check("`read_ticket` sends it, and returns the object", points=1)
def reads_tickets(answer: Answer) -> None:
    text = str(answer.rng.choice(datasets.records("tickets"))["text"])
    got, sent = answer.call("read_ticket", text), one(answer, MODELS["openai"])
    form = (sent.body.get("response_format") or {}).get("json_schema") or {}
    expect(list((form.get("schema") or {}).get("properties", {})), "the fields sent", contains="reasoning")
    expect(str(sent.messages[-1]["content"]), "the prompt", contains=text)
    expect(got, "what `read_ticket` returned", is_=json.loads(sent.reply["choices"][0]["message"]["content"]))


### END HIDDEN TESTS
# --- 14.5 ------------------------------------------------------------------------------------------------------------

looping = Task(
    "14.5",
    "The loop",
    points=6,
    hints=(
        "One request; if the model asks for tools, its turn and one result for each call join the conversation, and "
        "the next request follows. Count the rounds, and let nothing that a city lacks end the loop.",
        "OpenAI: `finish_reason == 'tool_calls'`, then `{'role': 'tool', 'tool_call_id': call.id, 'content': json}`. "
        "Anthropic: `stop_reason == 'tool_use'`, then one user turn with a `tool_result` block a call.",
    ),
)


def asked_for(answer: Answer, known: int, unknown: int = 0) -> tuple[str, dict[str, int]]:
    """A question after the weather in some cities, and the degrees of those that are known."""
    cities = answer.rng.sample(CITIES, known + unknown)
    degrees = {city: answer.rng.randrange(2, 40) for city in cities[:known]}
    answer.rng.shuffle(cities)
    return f"What is the weather in {' and in '.join(cities)}?", degrees


def looped(answer: Answer, name: str, question: str, degrees: dict[str, int]) -> tuple[str, list[Exchange]]:
    """The text, which is that of the last reply, and the requests."""
    got, seen = answer.call(name, question, degrees), answer.requests()
    expect(got, f"what `{name}` returned", type_=str)
    expect(len(seen), f"the number of requests for {question!r}", is_=2)
    return got, seen


def results(seen: list[Exchange]) -> dict[str, str]:
    """OpenAI's tool results by the id of their call; each call has one."""
    calls = seen[0].reply["choices"][0]["message"].get("tool_calls") or []
    found = [(turn.get("tool_call_id"), turn.get("content")) for turn in seen[1].messages if turn.get("role") == "tool"]
    expect(sorted(str(call) for call, _ in found), "the ids of the results", is_=sorted(call["id"] for call in calls))
    return {json.loads(c["function"]["arguments"])["city"]: str(dict(found)[c["id"]]) for c in calls}


def blocks(seen: list[Exchange]) -> dict[str, dict[str, Any]]:
    """Anthropic's `tool_result` blocks by city; each call has one."""
    uses = {block["id"]: block["input"]["city"] for block in seen[0].reply["content"] if block["type"] == "tool_use"}
    last = seen[1].messages[-1]["content"]
    found = [block for block in last if isinstance(block, dict) and block.get("type") == "tool_result"]
    expect(sorted(str(block.get("tool_use_id")) for block in found), "the ids of the results", is_=sorted(uses))
    return {uses[block["tool_use_id"]]: block for block in found}


@looping.check("OpenAI's model asks, is told, and answers", points=1)
def loops_openai(answer: Answer) -> None:
    question, degrees = asked_for(answer, 1)
    got, seen = looped(answer, "with_openai", question, degrees)
    expect(
        json.loads(next(iter(results(seen).values()))),
        "the result",
        is_={"temperature_c": next(iter(degrees.values()))},
    )
    expect(got, "the answer", contains=str(next(iter(degrees.values()))))
    plain = answer.rng.choice(PLAIN_QUESTIONS)
    got, sent = answer.call("with_openai", plain, degrees), one(answer, MODELS["openai"])
    expect(got, f"the answer to {plain!r}", is_=sent.reply["choices"][0]["message"]["content"])


@looping.check("two calls in one turn get a result each", points=1)
def returns_both(answer: Answer) -> None:
    question, degrees = asked_for(answer, 2)
    _, seen = looped(answer, "with_openai", question, degrees)
    told = {city: json.loads(text) for city, text in results(seen).items()}
    expect(told, "the results", is_={city: {"temperature_c": degree} for city, degree in degrees.items()})


@looping.check("Anthropic's model gets its results in one user turn", points=1)
def loops_claude(answer: Answer) -> None:
    question, degrees = asked_for(answer, 2)
    got, seen = looped(answer, "with_claude", question, degrees)
    expect(sorted(blocks(seen)), "the cities with a result", is_=sorted(degrees))
    for degree in degrees.values():
        expect(got, "the answer", contains=str(degree))


@looping.check("a city that is not there does not end the conversation", points=1)
def goes_on(answer: Answer) -> None:
    question, degrees = asked_for(answer, 1, unknown=1)
    _, seen = looped(answer, "with_openai", question, degrees)
    for city, text in results(seen).items():
        if city not in degrees and (len(text.strip('{}"[] ')) < 5 or "temperature_c" in text):
            fail(f"the result for {city}, which is not there: expected what went wrong, saw {text!r}")


### BEGIN HIDDEN TESTS
@looping.check("an error is marked as one for Anthropic", points=1)
def marks_errors(answer: Answer) -> None:
    question, degrees = asked_for(answer, 1, unknown=1)
    _, seen = looped(answer, "with_claude", question, degrees)
    for city, block in blocks(seen).items():
        expect(bool(block.get("is_error")), f"`is_error` of the result for {city}", is_=city not in degrees)


@looping.check("it stops after `rounds` requests", points=1)
def stops(answer: Answer) -> None:
    for name in ("with_openai", "with_claude"):
        question, degrees = asked_for(answer, 1)
        raises(answer, "RuntimeError", "with rounds=1", name, question, degrees, rounds=1)
        expect(len(answer.requests()), "the number of requests with rounds=1", is_=1)


### END HIDDEN TESTS
