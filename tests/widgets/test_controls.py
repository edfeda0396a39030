"""What is greyed out, for the models whose rows say so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labkit import registry
from labkit.widgets.controls import controls

PLAIN = registry.find(registry.model("gemini", "sampling"))


def test_model_that_takes_everything_has_nothing_to_explain() -> None:
    assert [(c.enabled, c.reason) for c in controls(PLAIN)] == [(True, "")] * 3


@pytest.mark.parametrize("sampling", ["no", "ignored"])
def test_refused_parameters_are_off_with_a_reason(sampling: str) -> None:
    for control in controls(replace(PLAIN, sampling=sampling)):
        assert not control.enabled
        assert PLAIN.id in control.reason


def test_conditions_are_said_and_leave_the_sliders_on() -> None:
    versioned = controls(replace(PLAIN, sampling="2023-06-01")).temperature
    assert versioned.enabled
    assert "anthropic-version: 2023-06-01" in versioned.reason
    asked = controls(replace(PLAIN, sampling="effort-none", default_effort="medium")).temperature
    assert asked.enabled
    assert 'effort "none"' in asked.reason
    assert controls(replace(PLAIN, sampling="effort-none", default_effort="none")).temperature.reason == ""


def test_highest_temperature_is_the_models() -> None:
    assert controls(replace(PLAIN, max_temperature=1.0)).temperature.most == 1.0


def test_every_reasoning_model_of_the_course_is_off() -> None:
    for provider in ("openai", "anthropic"):
        model = registry.find(registry.model(provider, "reasoning"))
        assert not controls(model).temperature.enabled


def test_openai_has_no_top_k_and_the_control_says_so() -> None:
    top_k = controls(registry.find(registry.model("openai", "sampling"))).top_k
    assert top_k.enabled
    assert "no parameter of OpenAI's API" in top_k.reason
