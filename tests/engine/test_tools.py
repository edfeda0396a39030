"""Which tools are called with what, when a value is asked for instead, and what is said about results."""

import json
from random import Random

import pytest
from jsonschema import Draft202012Validator

from labkit.engine.base import O200K, Call, Prompt, Tool, Turn
from labkit.sampling import Sampler, SamplingParams
from labkit.tokens import encoding


def tool(name, description, required=None, **properties):
    schema = {"type": "object", "properties": properties, "required": required or list(properties)}
    return Tool(name, description, json.dumps(schema))


STRING, NUMBER = {"type": "string"}, {"type": "number"}
WEATHER = tool("get_weather", "Current weather of a city", ["city"], city=STRING, unit={"enum": ["C", "F"]})
CALCULATE = tool("calculate", "Evaluate an arithmetic expression", expression=STRING)
CONVERT = tool(
    "convert_currency", "Convert between currencies", amount=NUMBER, from_currency=STRING, to_currency=STRING
)
EMAIL = tool("send_email", "Send an e-mail", to=STRING | {"format": "email"}, subject=STRING, body=STRING)
FLIGHT = tool("book_flight", "Book a flight", origin=STRING, destination=STRING)
TOOLS = (WEATHER, CALCULATE, CONVERT, EMAIL, FLIGHT)


def write(engine, prompt, *, temperature=0.0, seed=0):
    """Text, and calls as (name, arguments)."""
    decoder, sampler = engine.open(prompt), Sampler(SamplingParams(temperature=temperature), Random(seed))
    parts = [("", [])]
    while (token := sampler.pick(decoder.distribution())) != O200K.end:
        decoder.advance(token)
        if (called := O200K.called(token)) is not None:
            parts.append((prompt.tools[called].name, []))
        else:
            parts[-1][1].append(token)
    texts = [(name, encoding(O200K.encoding).decode(tokens)) for name, tokens in parts]
    return texts[0][1], [(name, json.loads(text)) for name, text in texts[1:]]


def asked(engine, *said, choice="auto", parallel=True, tier="large", tools=TOOLS, **sampling):
    turns = tuple(Turn("assistant" if n % 2 else "user", text) for n, text in enumerate(said))
    prompt = Prompt(turns, tier, tools=tools, tool_choice=choice, parallel_calls=parallel)
    return write(engine, prompt, **sampling)


LATE = "I will be late and that dinner is at 8."


def weather(*cities):
    return [("get_weather", {"city": city}) for city in cities]


def calculated(*expressions):
    return [("calculate", {"expression": expression}) for expression in expressions]


REQUESTS = {
    "What is the weather in Paris?": weather("Paris"),
    "Weather in Paris and London?": weather("Paris", "London"),
    "what is the weather in Paris and what is the weather in London": weather("Paris", "London"),
    "Compare Paris, London and Rome weather": weather("Paris", "London", "Rome"),
    "Will I need an umbrella in tokyo?": weather("Tokyo"),
    "What is the weather in Paris and will it rain?": weather("Paris"),
    "What is 3*4 and what is 5*6?": calculated("3 * 4", "5 * 6"),
    "What is 15% of 80, and what is the weather in Berlin?": calculated("15 / 100 * 80") + weather("Berlin"),
    "Convert 50 dollars to euros": [
        ("convert_currency", {"amount": 50, "from_currency": "USD", "to_currency": "EUR"}),
    ],
    "Send an email to a@b.example saying that I will be late and that dinner is at 8": [
        ("send_email", {"to": "a@b.example", "subject": "I will be late", "body": LATE}),
    ],
    "Book a flight from Oslo to Rome and a flight from Rome to Oslo": [
        ("book_flight", {"origin": "Oslo", "destination": "Rome"}),
        ("book_flight", {"origin": "Rome", "destination": "Oslo"}),
    ],
}


@pytest.mark.parametrize("request_", REQUESTS)
def test_the_calls_that_a_request_wants(engine, request_):
    assert asked(engine, request_) == ("", REQUESTS[request_])


@pytest.mark.parametrize("said", ["Hello!", "Write a haiku about Oslo.", "What is a token?", "Thank you!"])
def test_no_call_where_no_tool_serves(engine, said):
    text, calls = asked(engine, said)
    assert text and not calls


def test_a_value_that_is_missing_is_asked_for_and_then_used(engine):
    question, calls = asked(engine, "What is the weather?")
    assert question == "Which city should I use?" and not calls
    assert asked(engine, "What is the weather?", question, "Oslo") == ("", weather("Oslo"))


def test_one_call_when_parallel_calls_are_off(engine):
    assert asked(engine, "Weather in Paris and London?", parallel=False)[1] == weather("Paris")


CHOICES = [("none", []), ("required", ["get_weather"]), ("calculate", ["calculate"])]


@pytest.mark.parametrize(("choice", "names"), CHOICES)
def test_tool_choice_is_kept_at_any_temperature(engine, choice, names):
    for seed in range(6):
        _, calls = asked(engine, "What is the weather in Paris?", choice=choice, temperature=2.0, seed=seed)
        assert [name for name, _ in calls] == names


def test_arguments_fit_their_schema_at_any_temperature(engine):
    for said in REQUESTS:
        for seed in range(4):
            for name, arguments in asked(engine, said, choice="required", temperature=2.0, seed=seed)[1]:
                schema = next(json.loads(tool.parameters) for tool in TOOLS if tool.name == name)
                Draft202012Validator(schema).validate(arguments)


def test_a_call_is_less_certain_where_the_tool_hardly_fits(engine):
    prompts = [Prompt((Turn("user", said),), "large", tools=(WEATHER,)) for said in ("Weather in Oslo?", "Oslo?")]
    decoders = [engine.open(prompt) for prompt in prompts]
    certain, doubtful = (decoder.distribution().prob(O200K.call(0)) for decoder in decoders)
    assert certain > 0.95 > doubtful


def after(engine, result, said="What is the weather in Paris?"):
    turns = (
        Turn("user", said),
        Turn("assistant", "", (Call("get_weather", '{"city": "Paris"}'),)),
        Turn("tool", result, tool="get_weather"),
    )
    return write(engine, Prompt(turns, "large", tools=TOOLS))


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ('{"temperature": 18, "unit": "celsius"}', "In Paris, the temperature is 18 °C."),
        ('{"result": {"temp_c": 18, "sky": "clear"}}', "In Paris, the temp is 18 °C and the sky is clear."),
        ('{"result": 84}', "The result is 84."),
        ("84", "The result is 84."),
        ('{"results": []}', "The tool found nothing."),
        ("[1, 2]", "I found 2: 1, 2."),
        ('{"error": "no such city"}', 'I could not get that: the tool get_weather answered "no such city".'),
        ("Error: timeout", 'I could not get that: the tool get_weather answered "Error: timeout".'),
    ],
)
def test_results_are_told_in_a_sentence(engine, result, said):
    assert after(engine, result) == (said, [])


def test_a_call_that_is_still_missing_follows_the_first_result(engine):
    _, calls = after(engine, '{"temp_c": 18}', "Weather in Paris and London?")
    assert calls == weather("London")
