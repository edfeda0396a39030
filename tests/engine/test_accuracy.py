import json

import pytest

from labkit.engine.accuracy import EXTRACT, WORDINGS, accuracy, extracted, packed
from labkit.engine.fields import schema_of

EXPECTED = {"small": (0.75, 0.88), "standard": (0.88, 0.96), "large": (0.95, 1.0)}
"""From what share to what share a tier is right; see `labkit.engine.report --accuracy`."""


@pytest.mark.parametrize("tier", EXPECTED)
@pytest.mark.parametrize("name", ["sentiment", "tickets"])
def test_larger_tiers_are_right_more_often(engine, name, tier):
    right, in_form = accuracy(engine, name, WORDINGS[0], tier)
    assert EXPECTED[tier][0] <= right <= EXPECTED[tier][1]
    assert in_form == 1


@pytest.mark.parametrize("wording", WORDINGS, ids=lambda w: w.name)
def test_wording_hardly_matters(engine, wording):
    assert accuracy(engine, "tickets", wording, "standard")[0] == pytest.approx(0.935, abs=0.03)


@pytest.mark.parametrize("tier", EXPECTED)
def test_larger_tiers_read_more_of_a_notice(engine, tier):
    fields, _ = extracted(engine, "prompt", tier)
    assert EXPECTED[tier][0] <= fields <= EXPECTED[tier][1]


def test_packing_costs_the_small_tier_most(engine):
    lost = {
        tier: packed(engine, "tickets", 1, tier) - packed(engine, "tickets", 20, tier) for tier in ("small", "large")
    }
    assert lost["small"] > 0.05
    assert abs(lost["large"]) < 0.02


@pytest.mark.parametrize(
    ("request_", "keys"),
    [
        (EXTRACT, ["person", "organisation", "place", "date", "amount", "currency"]),
        ('Return JSON with the keys "who" and "when".', ["who", "when"]),
        ('Extract the data as JSON: {"who": null, "amount": 0}', ["who", "amount"]),
    ],
)
def test_keys_of_json_come_from_the_request(conversation, request_, keys):
    schema = json.loads(schema_of(conversation(f"{request_}\n\nDana Reed paid $3 on 4 May 2026.")) or "{}")
    assert list(schema["properties"]) == keys


@pytest.mark.parametrize(
    "prompt", ["How do I parse JSON in Python?", "Give me a JSON object with the name and country of Paris."]
)
def test_other_prompts_about_json_have_no_keys(conversation, prompt):
    assert schema_of(conversation(prompt)) is None
