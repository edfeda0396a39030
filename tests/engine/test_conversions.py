import json
from random import Random

import pytest

from labkit.engine.base import O200K, Prompt, Tool, Turn
from labkit.engine.conversions import conversion
from labkit.engine.toolfit import FITS, fit
from labkit.sampling import Sampler, SamplingParams
from labkit.tokens import encoding


def tool(name, description, *strings):
    properties = {"value": {"type": "number"}, **{s: {"type": "string"} for s in strings}}
    return Tool(name, description, json.dumps({"type": "object", "properties": properties, "required": [*properties]}))


UNITS = tool("convert", "Convert a value from one unit to another", "from_unit", "to_unit")
MONEY = tool("convert_currency", "Convert between currencies", "from", "to")


@pytest.mark.parametrize(
    ("said", "tools", "arguments"),
    [
        ("Convert 5 miles to kilometres", [UNITS], {"value": 5, "from_unit": "miles", "to_unit": "kilometres"}),
        ("How many pounds are 70 kg?", [UNITS], {"value": 70, "from_unit": "kg", "to_unit": "pounds"}),
        ("what is 40 °C in Fahrenheit", [UNITS], {"value": 40, "from_unit": "C", "to_unit": "Fahrenheit"}),
        ("GBP 75 to euros please", [UNITS, MONEY], {"value": 75, "from": "GBP", "to": "EUR"}),
        ("What's $40 in yen?", [MONEY, UNITS], {"value": 40, "from": "USD", "to": "JPY"}),
    ],
)
def test_a_conversion_is_called_with_both_sides(engine, said, tools, arguments):
    decoder = engine.open(Prompt((Turn("user", said),), tools=tuple(tools)))
    sampler = Sampler(SamplingParams(temperature=0), Random(0))
    drawn = []
    while (token := sampler.pick(decoder.distribution())) != O200K.end:
        decoder.advance(token)
        drawn.append(token)
    assert O200K.called(drawn[0]) is not None
    assert json.loads(encoding(O200K.encoding).decode(drawn[1:])) == arguments


@pytest.mark.parametrize(
    "said", ["I ran 5 miles", "Is 3 m in a day much?", "It cost 40 euros", "5 miles in 2 hours", "Convert this to JSON"]
)
def test_no_conversion_is_read_into_other_sentences(said):
    assert conversion(said) is None


def test_a_tool_for_money_is_not_called_for_miles():
    assert fit(MONEY, "Convert 5 miles to kilometres") < FITS < fit(UNITS, "Convert 5 miles to kilometres")
