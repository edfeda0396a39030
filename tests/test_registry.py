"""The registry against its sources: the installed SDKs, the price file, and its own promises to the course."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import typing
from datetime import date, datetime
from pathlib import Path

import pytest

from labkit import registry
from labkit.registry import Model, UnknownModel, find, model, models, retiring

EVERY = registry.models(include_retired=True)
CHECKED = registry.checked()


@pytest.fixture(scope="module")
def price_file() -> dict[str, dict[str, object]]:
    spec = importlib.util.find_spec("litellm")
    assert spec and spec.origin
    path = Path(spec.origin).parent / "model_prices_and_context_window_backup.json"
    return typing.cast("dict[str, dict[str, object]]", json.loads(path.read_text()))


# --- Lookup ---


def test_find_takes_aliases_prefixes_and_regions() -> None:
    assert find("gpt-4o-mini-2024-07-18").id == "gpt-4o-mini"
    assert find("models/gemini-3.8-flash").id == "gemini-3.8-flash"
    assert find("us.anthropic.claude-haiku-5-5").id == "anthropic.claude-haiku-5-5"
    assert find("global.anthropic.claude-haiku-4-5-20251001-v1:0").provider == "bedrock"


def test_a_dot_in_a_name_is_not_a_region() -> None:
    with pytest.raises(UnknownModel):
        find("xx.anthropic.claude-haiku-5-5")
    assert find("gpt-6.1-sol").id == "gpt-6.1-sol"


def test_an_unknown_name_offers_close_ones() -> None:
    with pytest.raises(KeyError) as caught:
        find("gpt-6-lunar")
    assert "gpt-6-luna" in str(caught.value) and "gpt-6-lunar" in str(caught.value)
    assert isinstance(caught.value, UnknownModel) and caught.value.close[0] == "gpt-6-luna"


@pytest.mark.parametrize("name", ["", "models/", "us.", "🙂", "gpt-4o-mini "])
def test_awkward_names_are_unknown(name: str) -> None:
    with pytest.raises(UnknownModel):
        find(name)


def test_no_name_means_two_models() -> None:
    names = [name for m in EVERY for name in (m.id, *m.aliases)]
    assert len(names) == len(set(names))


def test_models_filters_by_provider_kind_and_day() -> None:
    before, after = date(2026, 12, 10), date(2026, 12, 11)
    gone = {m.id for m in models("openai", today=before)} - {m.id for m in models("openai", today=after)}
    assert gone == {"gpt-5", "gpt-5-mini", "gpt-5-nano", "o3"}
    assert {m.kind for m in models("gemini", kind="embedding")} == {"embedding"}
    assert len(models(today=after, include_retired=True)) == len(EVERY)


# --- What the course leans on ---


@pytest.mark.parametrize("provider", registry.PROVIDERS)
@pytest.mark.parametrize("tier", ["small", "standard", "large", "sampling"])
def test_every_provider_has_a_default_of_each_size(provider: str, tier: str) -> None:
    row = find(model(provider, tier))
    assert row.provider == provider and row.kind == "chat" and not row.retired(date.today())


def test_no_course_default_is_retired() -> None:
    assert [m.id for m in retiring(within_days=0)] == []


def test_the_openai_sampling_model_obeys_a_plain_call() -> None:
    row = find(model("openai", "sampling"))
    assert row.samples_by_default and row.logprobs


def test_the_anthropic_sampling_model_needs_the_old_version() -> None:
    assert find(model("anthropic", "sampling")).sampling == "2023-06-01"


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini", "bedrock"])
def test_the_reasoning_model_refuses_temperature_and_the_retired_one_is_gone(provider: str) -> None:
    assert find(model(provider, "reasoning")).sampling == "no"
    assert find(model(provider, "retired")).retired(CHECKED)


def test_a_retired_default_gives_way_to_its_successor(monkeypatch: pytest.MonkeyPatch) -> None:
    course = registry._load().course
    monkeypatch.setitem(course["openai"], "small", "gpt-5-nano")
    assert model("openai", "small", today=date(2026, 12, 10)) == "gpt-5-nano"
    assert model("openai", "small", today=date(2026, 12, 11)) == "gpt-5.6-luna"


def test_retiring_warns_before_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._load().course["openai"], "small", "gpt-5-nano")
    assert "gpt-5-nano" not in {m.id for m in retiring(date(2026, 9, 1), within_days=90)}
    assert "gpt-5-nano" in {m.id for m in retiring(date(2026, 11, 21), within_days=90)}


def test_asking_for_what_is_not_there_names_what_is() -> None:
    with pytest.raises(UnknownModel, match="anthropic"):
        model("antropic")
    with pytest.raises(UnknownModel, match="standard"):
        model("openai", "standart")
    with pytest.raises(UnknownModel, match="has small, standard, large, sampling, reasoning, retired"):
        model("anthropic", "embedding")


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini"])
def test_an_id_like_no_other_names_models_of_the_provider_that_it_sounds_like(provider: str) -> None:
    begin = model(provider).partition("-")[0]
    with pytest.raises(UnknownModel) as caught:
        find(f"{begin}-{'xyz' * 20}")
    assert caught.value.close == ()
    assert f"; it has {', '.join(m.id for m in models(provider, kind='chat'))}" in str(caught.value)


def test_an_id_that_sounds_like_nobody_names_a_model_of_each_provider() -> None:
    with pytest.raises(UnknownModel) as caught:
        find("§§§")
    assert all(model(provider) in str(caught.value) for provider in registry.PROVIDERS)


# --- Each row makes sense ---


@pytest.mark.parametrize("row", EVERY, ids=lambda m: m.id)
def test_row_values_are_of_the_documented_kinds(row: Model) -> None:
    assert row.provider in registry.PROVIDERS and row.kind in ("chat", "embedding")
    assert row.tier in (("small", "standard", "large") if row.kind == "chat" else ("",))
    assert row.sampling in ("yes", "effort-none", "2023-06-01", "ignored", "no")
    assert row.thinking in ("no", "optional", "always") and row.chat_tools in ("yes", "effort-none", "no")
    assert row.encoding in ("o200k_base", "cl100k_base") and row.max_temperature in (1.0, 2.0)
    assert row.context > 0 and min(row.ttft_ms, row.prefill_tps, row.output_tps) > 0
    assert (row.max_output > 0) == (row.kind == "chat") and (row.dimensions is not None) == (row.kind == "embedding")


@pytest.mark.parametrize("row", EVERY, ids=lambda m: m.id)
def test_row_agrees_with_itself(row: Model) -> None:
    assert (row.default_effort is None) == (not row.efforts) and (not row.efforts or row.default_effort in row.efforts)
    assert (row.sampling == "effort-none") <= ("none" in row.efforts)
    assert (row.thinking == "always") <= ("none" not in row.efforts)
    assert not (row.logprobs and row.sampling == "no")
    assert not (row.released and row.retires) or row.released < row.retires


@pytest.mark.parametrize("row", [m for m in EVERY if m.retires], ids=lambda m: m.id)
def test_what_retires_has_a_successor_that_lasts(row: Model) -> None:
    seen = [row.id]
    while row.retires:
        assert row.successor and row.successor not in seen
        row = find(row.successor)
        seen.append(row.id)


def test_a_family_passes_its_values_down_and_a_model_overrides_them() -> None:
    assert find("gpt-6-luna").efforts == find("gpt-6-sol").efforts != find("gpt-6-astra").efforts
    assert find("anthropic.claude-haiku-4-5-20251001-v1:0").default_effort is None


def test_a_misspelt_key_is_refused() -> None:
    with pytest.raises(ValueError, match="temprature"):
        registry._row("m", {"provider": "openai", "name": "M", "context": 1, "temprature": 1}, {"none": {}})


# --- Against the sources ---

FLAGS = {
    "vision": "supports_vision",
    "tools": "supports_function_calling",
    "schema": "supports_response_schema",
    "prefill": "supports_assistant_prefill",
    "min_cache_tokens": "prompt_cache_min_tokens",
    "default_effort": "default_reasoning_effort",
    "context": "max_input_tokens",
    "max_output": "max_output_tokens",
    "dimensions": "output_vector_size",
}


@pytest.mark.parametrize("row", models(include_retired=True), ids=lambda m: m.id)
def test_row_agrees_with_the_price_file(row: Model, price_file: dict[str, dict[str, object]]) -> None:
    listed = price_file.get(row.price_key or "", {})
    compared = {ours: listed[theirs] for ours, theirs in FLAGS.items() if theirs in listed}
    if row.kind == "embedding":
        compared.pop("vision", None)  # Gemini Embedding 2 takes images; the lab embeds text
    assert {ours: getattr(row, ours) for ours in compared} == compared


EFFORTS = ("none", "minimal", "xhigh", "max")


@pytest.mark.parametrize("row", models(kind="chat", include_retired=True), ids=lambda m: m.id)
def test_efforts_and_sampling_agree_with_the_price_file(row: Model, price_file: dict[str, dict[str, object]]) -> None:
    listed = price_file.get(row.price_key or "", {})
    flags = {e: listed[f"supports_{e}_reasoning_effort"] for e in EFFORTS if f"supports_{e}_reasoning_effort" in listed}
    if listed.get("bedrock_output_config_effort_ceiling") == "xhigh":
        flags.pop("max", None)
    assert {e: e in row.efforts for e in flags} == flags
    if "supports_sampling_params" in listed:
        assert row.sampling in ("no", "ignored")
    if "thinking_always_on" in listed:
        assert (row.thinking == "always") == listed["thinking_always_on"]


@pytest.mark.parametrize("row", models("openai", include_retired=True), ids=lambda m: m.id)
def test_openai_dates_agree_with_the_price_file(row: Model, price_file: dict[str, dict[str, object]]) -> None:
    days = {price_file.get(name, {}).get("deprecation_date") for name in (row.id, *row.aliases)} - {None}
    if days:  # a bare name and its snapshot may be listed apart, the bare one without a day
        assert row.retires and row.retires.isoformat() in days


def test_anthropic_dates_agree_with_the_sdk() -> None:
    from anthropic.resources.messages.messages import DEPRECATED_MODELS

    ours = {name: m.retires for m in EVERY for name in (m.id, *m.aliases) if name in DEPRECATED_MODELS}
    theirs = {name: _spoken_day(DEPRECATED_MODELS[name]) for name in ours}
    assert len(ours) >= 8 and ours == theirs


def test_live_anthropic_models_are_in_the_sdk_list() -> None:
    from anthropic.types import model as sdk

    listed = set(typing.get_args(typing.get_args(sdk.Model)[0]))
    assert {m.id for m in models("anthropic", today=CHECKED)} <= listed


def test_tiktoken_agrees_on_the_encoding_where_it_knows_the_model() -> None:
    from tiktoken.model import encoding_name_for_model

    known = {}
    for row in models("openai", include_retired=True):
        try:
            known[row.id] = encoding_name_for_model(row.id)
        except KeyError:  # GPT-6
            continue
    assert len(known) > 10 and known == {i: find(i).encoding for i in known}


def _spoken_day(text: str) -> date:
    month, day, year = text.replace(",", "").split()
    return datetime.strptime(f"{month} {day.rstrip('stndrh')} {year}", "%B %d %Y").date()


# --- Cost of having it ---


def test_reading_the_registry_is_quick_and_loads_nothing_heavy() -> None:
    code = (
        "import sys, time, tomllib, dataclasses; import labkit.registry as r; start = time.perf_counter();"
        "r.find('gpt-4o'); print(time.perf_counter() - start);"
        "print(*{'httpx', 'pydantic', 'tiktoken', 'litellm', 'openai', 'numpy'} & set(sys.modules))"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(5)]
    seconds, heavy = zip(*(run.stdout.split("\n")[:2] for run in runs), strict=True)
    assert min(map(float, seconds)) < 0.015 and set(heavy) == {""}
