"""Prices against the price file and against figures written down by hand from the providers' pages."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from labkit import prices, registry
from labkit.prices import Rates, UnknownPrice, cost, price
from labkit.usage import Usage

MILLION = 1_000_000

# Copied by hand from the providers' price pages on 2026-11-20: input, output, cache read, short write, long write.
LIST = {
    "gpt-6-astra": (10, 50, 1.00, 12.5, 25),
    "gpt-6-sol": (2, 10, 0.20, 2.5, 5),
    "gpt-6.1-sol": (2, 10, 0.10, 2.5, 5),
    "gpt-6.1-terra": (1, 5, 0.05, 1.25, 2.5),
    "gpt-6-luna": (0.10, 0.50, 0.01, 0.125, 0.25),
    "gpt-5.6": (4, 20, 0.4, 5, 10),
    "gpt-5.6-terra": (2, 12, 0.2, 2.5, 5),
    "gpt-5.6-luna": (0.2, 1.2, 0.02, 0.25, 0.5),
    "gpt-5.4-mini": (0.75, 4.5, 0.075, None, None),
    "gpt-4o-mini": (0.15, 0.60, 0.075, None, None),
    "text-embedding-3-small": (0.02, 0, None, None, None),
    "text-embedding-3-large": (0.13, 0, None, None, None),
    "claude-opus-5-5": (4, 20, 0.20, 5, 8),
    "claude-sonnet-5-5": (2, 10, 0.10, 2.5, 4),
    "claude-haiku-5-5": (0.10, 0.50, 0.01, 0.125, 0.20),
    "claude-fable-5-1": (10, 50, 0.25, 12.5, 20),
    "claude-sonnet-4-6": (3, 15, 0.30, 3.75, 6),
    "claude-haiku-4-5": (1, 5, 0.10, 1.25, 2),
    "gemini-4-argon": (2, 10, 0.10, None, None),
    "gemini-3.8-flash": (0.75, 3.75, 0.075, None, None),
    "gemini-2.5-flash": (0.30, 2.5, 0.03, None, None),
    "gemini-2.5-flash-lite": (0.10, 0.4, 0.01, None, None),
}


@pytest.mark.parametrize("model_id", LIST)
def test_price_agrees_with_the_providers_page(model_id: str) -> None:
    p = price(model_id)
    assert (p.input, p.output, p.cache_read, p.cache_write, p.cache_write_long) == LIST[model_id]


@pytest.mark.parametrize("row", registry.models(), ids=lambda m: m.id)
def test_every_living_model_has_a_price(row: registry.Model) -> None:
    assert price(row.id).source and (price(row.id).input > 0 or row.provider == "self-hosted")


# --- Which rate a token pays ---


def test_each_kind_of_token_pays_its_own_rate() -> None:
    kinds = {kind: cost("claude-haiku-4-5", Usage(**{kind: MILLION // 2})) for kind in Usage.__slots__}
    expected = {"input": 0.5, "cached": 0.05, "cache_write": 0.625, "cache_write_long": 1.0, "output": 2.5}
    assert kinds == pytest.approx(expected | {"reasoning": 0.0})  # reasoning is part of output


def test_a_long_prompt_pays_more_for_all_of_it() -> None:
    at, above = Usage(input=100_000, output=1000), Usage(input=100_001, output=1000)
    assert cost("claude-haiku-5-5", at) == pytest.approx(0.0105)
    assert cost("claude-haiku-5-5", above) == pytest.approx(0.0525005)


def test_cached_and_written_tokens_count_towards_the_length_of_a_prompt() -> None:
    long = Usage(input=1, cached=272_000, cache_write=0)
    assert cost("gpt-6-luna", long) == pytest.approx((1 * 0.2 + 272_000 * 0.02) / MILLION)


def test_batch_rates_are_the_rows_own() -> None:
    usage = Usage(input=1000, cached=1000, output=1000)
    assert cost("gpt-6-sol", usage, batch=True) == pytest.approx(cost("gpt-6-sol", usage) / 2)
    reading = Usage(cached=MILLION)  # Google lists no discount on a cached token
    assert cost("gemini-2.5-flash", reading, batch=True) == cost("gemini-2.5-flash", reading) == pytest.approx(0.03)


def test_a_long_batch_pays_the_long_batch_rate() -> None:
    usage = Usage(input=300_000, output=1000)
    assert cost("gpt-6-luna", usage, batch=True) == pytest.approx((300_000 * 0.1 + 1000 * 0.375) / MILLION)
    assert cost("gemini-2.5-pro", usage, batch=True) == cost("gemini-2.5-pro", usage)  # none is listed


def test_writing_is_free_where_no_rate_is_listed() -> None:
    assert cost("gpt-4o-mini", Usage(cache_write=1000)) == cost("gpt-4o-mini", Usage(input=1000))


def test_no_tokens_cost_nothing() -> None:
    assert cost("claude-fable-5-1", Usage()) == 0


# --- Where the row comes from ---


def test_a_gap_filler_does_not_hide_the_price_file() -> None:
    listed = {"input": 1.0, "batch": {"input": 0.5}}
    filled = prices._fill(listed, {"input": 9.0, "output": 3.0, "batch": {"input": 9.0, "output": 1.5}})
    assert filled == {"input": 1.0, "output": 3.0, "batch": {"input": 0.5, "output": 1.5}}


def test_a_row_that_the_price_file_lacks_comes_from_models_toml() -> None:
    assert "gpt-6.1-terra" not in prices._rows()
    p = price("gpt-6.1-terra")
    assert "2026-10-26" in p.source and p.long_context_above == 272_000
    assert p.rates(300_000) == Rates(2.0, 7.5, 0.1, 2.5, 2.5)


def test_a_regional_profile_has_its_own_price() -> None:
    assert price("us.anthropic.claude-haiku-5-5").input == 0.11
    assert price("global.anthropic.claude-haiku-5-5").input == price("anthropic.claude-haiku-5-5").input == 0.10


def test_an_alias_costs_what_its_model_costs() -> None:
    assert price("gpt-4o-mini-2024-07-18") == price("gpt-4o-mini")
    assert price("models/gemini-3.8-flash") == price("gemini-3.8-flash")


def test_self_hosted_tokens_are_free_and_say_why() -> None:
    p = price(registry.model("self-hosted"))
    assert p.cost(Usage(input=MILLION, output=MILLION)) == 0 and "self-hosted" in p.source


def test_an_unknown_model_is_told_from_an_unknown_price() -> None:
    with pytest.raises(registry.UnknownModel, match="gpt-6-luna"):
        price("gpt-6-lunar")
    with pytest.raises(UnknownPrice, match="claude-3-5-sonnet"):
        price("claude-3-5-sonnet-20241022")


def test_source_names_the_release_of_the_price_file() -> None:
    from importlib.metadata import version

    assert version("litellm") in prices.source() and "models.toml" in prices.source()


def test_rates_equal_the_price_file_in_its_own_unit() -> None:
    spec = importlib.util.find_spec("litellm")
    assert spec and spec.origin
    rows = json.loads((Path(spec.origin).parent / prices.PRICE_FILE).read_text())
    for row in registry.models():
        if row.price_key in rows:
            assert price(row.id).input == pytest.approx(rows[row.price_key]["input_cost_per_token"] * MILLION)


def test_prices_do_not_import_litellm() -> None:
    code = "import sys; from labkit import prices; prices.price('gpt-6-luna'); print('litellm' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


# --- Usage ---


def test_usages_add_up_field_by_field() -> None:
    parts = [Usage(1, 2, 3, 4, 5, 6), Usage(10, 20, 30, 40, 50, 60)]
    assert sum(parts, Usage()) == sum(parts) == Usage(11, 22, 33, 44, 55, 66)
    assert Usage(1, 2, 3, 4, 5, 6).prompt == 10 and Usage(1, 2, 3, 4, 5, 6).total == 15


def test_a_usage_adds_to_nothing_else() -> None:
    with pytest.raises(TypeError):
        Usage(1) + 1  # type: ignore[operator]
