"""The cost calculator: the sum against prices worked out here, the savings, and what the widget shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from labkit import prices, registry
from labkit.display import WIDGET
from labkit.widgets import cost_calculator
from labkit.widgets.cost_plan import Plan, money

LARGE, SMALL = (registry.model("openai", tier) for tier in ("large", "small"))
PLAN = Plan(LARGE, SMALL, requests=10_000, input=3_000, output=200)


def by_hand(model: str, fresh: int, read: int, written: int, *, batch: bool = False) -> float:
    rates = prices.price(model).batch if batch else prices.price(model).standard
    assert rates is not None
    assert rates.cache_read is not None
    return (fresh * rates.input + read * rates.cache_read + written * rates.output) / 1_000_000


def test_month_without_savings_is_requests_times_tokens_times_rates() -> None:
    assert PLAN.month == pytest.approx(300_000 * by_hand(LARGE, 3_000, 0, 200))


def test_month_mixes_models_batches_and_cached_tokens() -> None:
    plan = replace(PLAN, cached=0.6, batch=0.25, moved=0.8)
    expected = sum(
        300_000 * share * part * by_hand(model, 1_200, 1_800, 200, batch=batch)
        for model, share in ((LARGE, 0.2), (SMALL, 0.8))
        for batch, part in ((False, 0.75), (True, 0.25))
    )
    assert plan.month == pytest.approx(expected)


def test_worked_case_of_a_model_ten_times_cheaper() -> None:
    """10,000 requests a day, 80 % of them moved: 0.2 + 0.8 / 10 = 28 % of the bill is left."""
    plan = replace(PLAN, moved=0.8)
    tenth = plan.month_of(SMALL) / plan.month_of(LARGE)
    assert plan.month / PLAN.month == pytest.approx(0.2 + 0.8 * tenth)


def test_steps_go_from_the_bare_bill_to_the_month() -> None:
    plan = replace(PLAN, cached=0.6, batch=0.5, moved=0.5)
    usd = [line.usd for line in plan.steps()]
    assert (usd[0], usd[-1]) == (PLAN.month, plan.month)
    assert usd == sorted(usd, reverse=True)


def test_prefix_too_short_for_the_cache_saves_nothing_and_says_so() -> None:
    short = replace(PLAN, input=500, cached=0.9)
    assert short.month == replace(short, cached=0.0).month
    assert any("450 stay uncached" in note for note in short.notes())


def test_model_without_batch_price_pays_the_full_one_and_says_so() -> None:
    missing = next(m.id for m in registry.models("self-hosted", kind="chat"))
    plan = Plan(missing, missing, batch=0.5)
    assert any("No batch price" in note for note in plan.notes())


def test_formula_names_every_part_that_is_paid() -> None:
    text = replace(PLAN, cached=0.6, batch=0.5, moved=0.75).formula()
    assert text.count("1,800 x $") == 4
    assert "12.5% of the requests" in text
    assert text.endswith(money(replace(PLAN, cached=0.6, batch=0.5, moved=0.75).month))


@pytest.mark.parametrize("wrong", [{"cached": 1.2}, {"moved": -0.1}, {"requests": -1}])
def test_impossible_assumption_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(PLAN, **wrong)


def test_unknown_model_is_refused_by_name() -> None:
    with pytest.raises(registry.UnknownModel, match="no-such"):
        cost_calculator("no-such")


def test_moving_a_slider_changes_the_bill() -> None:
    widget = cost_calculator(input=3_000)
    before = widget.result.value
    widget.controls["moved"].value = 80
    assert widget.plan.moved == 0.8
    assert widget.result.value != before
    assert "% less" in widget.result.value


def test_values_between_the_sliders_stops_are_kept() -> None:
    widget = cost_calculator(requests=1_234, output=77, cached=0.33)
    assert (widget.plan.requests, widget.plan.output, widget.plan.cached) == (1_234, 77, 0.33)
    assert widget.controls["requests"].value == 1_234


def test_model_that_is_compared_can_be_of_another_provider() -> None:
    widget = cost_calculator(cheaper=registry.model("gemini", "small"), moved=1.0)
    widget.controls["cheaper"].value = registry.model("anthropic", "small")
    assert f"all on {registry.model('anthropic', 'small')}" in widget.result.value


def test_dearer_model_is_said_to_cost_more() -> None:
    assert "% more" in cost_calculator(SMALL, LARGE, moved=0.5).result.value


def test_saved_page_has_figures_formula_and_source() -> None:
    bundle = cost_calculator(moved=0.5)._repr_mimebundle_()
    assert WIDGET in bundle
    for part in ("a month", "/ 1,000,000 =", prices.source()):
        assert part in bundle["text/html"]
        assert part in bundle["text/plain"]
