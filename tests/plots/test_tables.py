"""What the pictures draw from a table, what they say of it, and what they do with one that holds nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from labkit import plots
from labkit.plots.tidy import interval, moments

from .samples import BILLS, MISSING, NOTHING, REFUSALS, levels, measurements, prompts, streams


def title(ax: Any) -> str:
    return str(ax.get_title(loc="left")).replace("\n", " ")


def written(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.texts]


def data(line: Any) -> tuple[list[float], list[float]]:
    x, y = line.get_data()
    return list(x), list(y)


# --- tables ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [[], [MISSING]], ids=["empty", "unmeasured"])
@pytest.mark.parametrize("name", NOTHING)
def test_table_with_nothing_in_it_is_said_in_a_sentence(name: str, rows: list[Any]) -> None:
    ax = NOTHING[name](rows)
    (said,) = written(ax)
    assert said.endswith(".")
    assert not ax.axison


def test_column_that_is_not_there_is_an_error_that_lists_the_others() -> None:
    with pytest.raises(ValueError, match="no column 'top_k'; it has model, temperature"):
        plots.curve(measurements(), "top_k", "distinct_2")


def test_rows_without_a_value_are_left_out_and_counted_on_the_axis() -> None:
    table = measurements(1)
    table.loc[[0, 7], "distinct_2"] = [np.nan, np.inf]
    ax = plots.curve(table, "temperature", "distinct_2")
    assert "[2 of 18 rows have no value]" in ax.get_xlabel()
    assert np.isfinite(data(ax.get_lines()[0])[1]).all()


def test_one_point_is_drawn_and_named() -> None:
    ax = plots.curve([{"model": "m", "t": 0.5, "latency_s": 1.25}], "t", "latency_s")
    assert data(ax.get_lines()[0]) == ([0.5], [1.25])
    assert title(ax) == "Latency is 1.25 s at t = 0.5"


def test_times_of_any_kind_are_seconds_on_one_scale() -> None:
    text = pd.Series(["2026-11-21T10:00:00Z", "2026-11-21T10:00:01.500+00:00"])
    for values in (text, pd.to_datetime(text, format="ISO8601", utc=True), pd.Series([5.0, 6.5])):
        begin, end = moments(values)
        assert end - begin == pytest.approx(1.5)


# --- curve and heat map ----------------------------------------------------------------------------------------------


def test_curve_is_the_mean_and_its_band_holds_it() -> None:
    table = measurements(1)
    mean, low, high = (data(line)[1] for line in plots.curve(table, "temperature", "distinct_2").get_lines())
    assert mean == pytest.approx(list(table.groupby("temperature")["distinct_2"].mean()))
    assert all(a < b < c for a, b, c in zip(low, mean, high, strict=True))


def test_interval_of_the_mean_covers_it_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(1)
    spans = [interval(pd.Series(rng.normal(3, 1, 40))) for _ in range(200)]
    assert 0.90 < np.mean([span.low < 3 < span.high for span in spans]) < 0.99


def test_interval_counts_prompts_where_there_are_several() -> None:
    values, prompts = pd.Series([1.0, 2, 3, 4, 5, 6] * 10), pd.Series(["a", "b", "c", "d", "e", "f"] * 10)
    alone, together = interval(values), interval(values, clusters=prompts)
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_few_repeats_show_their_range_and_say_so() -> None:
    ax = plots.curve(measurements(1, repeats=3), "temperature", "distinct_2")
    low, high = data(ax.get_lines()[1])[1], data(ax.get_lines()[2])[1]
    ends = measurements(1, repeats=3).groupby("temperature")["distinct_2"].agg(["min", "max"])
    assert (low, high) == (list(ends["min"]), list(ends["max"]))
    assert ax.get_xlabel().endswith("band: smallest to largest")


def test_band_of_the_callers_is_drawn_as_it_is() -> None:
    table = [{"t": t, "share": 0.5, "from": 0.4, "to": 0.9} for t in (0, 1)]
    ax = plots.curve(table, "t", "share", by=None, low="from", high="to")
    assert [data(line)[1] for line in ax.get_lines()] == [[0.5, 0.5], [0.4, 0.4], [0.9, 0.9]]


def test_change_within_the_uncertainty_is_called_none() -> None:
    rising = plots.curve(measurements(1), "temperature", "distinct_2", by=None)
    flat = plots.curve(measurements(1), "temperature", "accuracy", by=None)
    assert title(rising).startswith("Distinct_2 rises from 0.39")
    assert title(flat).startswith("Accuracy shows no clear change")


def test_curve_over_named_steps_keeps_their_order() -> None:
    rows = [{"effort": e, "accuracy": a} for e, a in (("none", 0.5), ("low", 0.7), ("high", 0.9))]
    ax = plots.curve(rows, "effort", "accuracy", by=None)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["none", "low", "high"]
    assert data(ax.get_lines()[0]) == ([0, 1, 2], [0.5, 0.7, 0.9])
    assert title(ax) == "Accuracy rises from 0.5 to 0.9 as effort goes from none to high"


def test_heatmap_takes_models_for_a_parameter() -> None:
    rows = [{"model": m, "temperature": t, "share": t / 2} for m in ("z", "a") for t in (1.0, 0.0)]
    ax = plots.heatmap(pd.DataFrame(rows), "share", y="model")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["z", "a"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "1"]


def test_heatmap_of_a_table_averages_repeats_and_names_its_columns() -> None:
    rows = [{"cap": 10, "top_k": 1, "share": v} for v in (0.2, 0.4)] + [{"cap": 20, "top_k": 1, "share": 0.9}]
    ax = plots.heatmap(pd.DataFrame(rows), "share", x="cap", y="top_k")
    assert written(ax) == ["0.30", "0.90"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("cap", "top_k")
    assert title(ax) == "Share is highest, 0.90, at cap = 20 and top_k = 1"


# --- waiting ---------------------------------------------------------------------------------------------------------


def test_latency_writes_median_and_95th_percentile() -> None:
    table = [{"model": "m", "latency_s": n / 100} for n in range(1, 101)]
    ax = plots.latency(table)
    assert written(ax) == ["median 0.505, 95th percentile 0.95"]
    assert ax.get_yticklabels()[0].get_text() == "m\n100 calls"


def test_latency_counts_in_powers_of_ten_where_the_spread_asks_for_it() -> None:
    close, wide = ([{"latency_ms": v} for v in values] for values in ((10, 20), (1, 900)))
    assert plots.latency(close, "latency_ms", by=None).get_xscale() == "linear"
    assert plots.latency(wide, "latency_ms", by=None).get_xscale() == "log"


def test_latency_says_by_how_much_the_slowest_is_slower() -> None:
    table = [{"model": m, "latency_s": s} for m, s in (("quick", 0.5), ("slow", 2.0))]
    assert title(plots.latency(table)) == "slow takes 4 times as long as quick: 2 s at the median"


def test_timeline_begins_at_the_first_request_and_turns_milliseconds_to_seconds() -> None:
    waiting, writing = plots.timeline(streams(2)).containers
    assert [bar.get_x() for bar in waiting] == pytest.approx([0, 0.3])
    assert [bar.get_width() for bar in waiting] == pytest.approx([0.2, 0.22])
    assert [bar.get_width() for bar in writing] == pytest.approx([0.7, 0.73])


def test_timeline_leaves_out_calls_that_did_not_stream() -> None:
    ax = plots.timeline([*streams(3), {**streams(1)[0], "first_token_ms": None}])
    assert len(ax.containers[0]) == 3


def test_timeline_marks_each_arrival() -> None:
    row = {"begin": 2.0, "first_s": 0.1, "all_s": 0.5, "at": [0.1, 0.3, 0.5]}
    ax = plots.timeline([row], start="begin", first="first_s", total="all_s", label=None, arrivals="at")
    (ticks,) = ax.collections
    assert [segment[0][0] for segment in ticks.get_segments()] == [0.1, 0.3, 0.5]


# --- money -----------------------------------------------------------------------------------------------------------


def test_pareto_draws_the_front_and_sets_the_beaten_back() -> None:
    rows = [("a", 1.0, 0.5), ("b", 2.0, 0.4), ("c", 3.0, 0.9)]
    ax = plots.pareto([{"model": m, "cost_usd": c, "accuracy": q} for m, c, q in rows])
    assert data(ax.get_lines()[0]) == ([1.0, 3.0, 3.0], [0.5, 0.5, 0.9])
    assert [box.lines[0].get_marker() for box in ax.containers] == ["o", "X", "o"]
    assert title(ax) == "2 of 3 are worth their price; 3 times the price takes accuracy from 0.5 to 0.9"


def test_pareto_names_no_point_upon_another() -> None:
    ax = plots.pareto(measurements(8))
    ax.figure.draw_without_rendering()
    from matplotlib.text import Text

    places = [ax.transData.transform(label.xy) for label in ax.texts]
    boxes = [Text.get_window_extent(label) for label in ax.texts]
    assert [label.get_text() for label, box in zip(ax.texts, boxes, strict=True) if box.count_contains(places)] == []


def test_pareto_keeps_names_off_the_uncertainty() -> None:
    from matplotlib.text import Text

    ax = plots.pareto(measurements(2))
    ax.figure.draw_without_rendering()
    boxes = [Text.get_window_extent(label) for label in ax.texts]
    bars = [ax.transData.transform_path(path) for lines in ax.collections for path in lines.get_paths()]
    assert [path for path in bars if any(path.intersects_bbox(box) for box in boxes)] == []


def test_waterfall_goes_down_by_the_savings_to_what_is_left() -> None:
    ax = plots.waterfall(BILLS)
    bars = [bar for group in ax.containers for bar in group]
    assert [round(bar.get_height(), 2) for bar in bars] == [3.1, 1.1, 0.2, 1.95, 0.25]
    assert [round(bar.get_y(), 2) for bar in bars] == [0, 2.0, 2.0, 0.25, 0]
    assert title(ax) == "12.4 times cheaper: from 3.1 USD to 0.25 USD in 3 steps"
    assert "−1.1\n−35 %" in written(ax) and "+0.2\n+10 %" in written(ax)


def test_waterfall_that_climbs_says_so_and_takes_a_table() -> None:
    ax = plots.waterfall(pd.DataFrame({"step": ["begin", "more retries"], "bill_usd": [1.0, 2.0]}))
    assert title(ax).startswith("2 times dearer")
    assert len(plots.waterfall({"begin": 1.0}).texts) == 1


def test_spend_stacks_the_dearest_lowest_and_sums_the_rest() -> None:
    table = pd.DataFrame([{"day": "2026-11-20", "model": f"m{n}", "cost_usd": 1.0 + n} for n in range(9)])
    ax = plots.spend(table)
    heights = [group[0].get_height() for group in ax.containers]
    assert heights == [9, 8, 7, 6, 5, 4, 1 + 2 + 3]
    assert {"45", "all others: 6", "m8: 9"} <= set(written(ax))
    assert title(ax) == "m8 took 20 % of 45 USD in 1 day"


# --- state -----------------------------------------------------------------------------------------------------------


def test_gauge_is_what_is_left_of_the_limit_and_marks_what_was_refused() -> None:
    ax = plots.gauge(levels(), limits={"requests_left": 120}, refused=REFUSALS)
    requests, tokens = (line for line in ax.get_lines() if line.get_drawstyle() == "steps-post")
    assert data(requests)[1][:2] == pytest.approx([50, 55 / 1.2])
    assert data(tokens)[1][0] == 100
    (crosses,) = (line for line in ax.get_lines() if line.get_marker() == "x")
    assert data(crosses)[0] == [20, 55]
    assert title(ax) == "Requests get tightest: 4 % left at the lowest point, and 2 calls refused"


def test_gauge_takes_a_table_with_one_of_its_columns() -> None:
    ax = plots.gauge(levels().drop(columns=["tokens_left", "model"]))
    assert len(ax.get_lines()) == 1
    assert title(ax).endswith("left at the lowest point")  # nobody said whether any call was refused
    assert title(plots.gauge(levels(), refused=REFUSALS[2:])).endswith("and no call refused")


def test_gauge_tells_models_and_keys_apart_where_they_differ() -> None:
    rows = [{"time": t, "model": m, "key": k, "requests_left": 5 - t} for m in "ab" for k in "xy" for t in range(3)]
    ax = plots.gauge(rows)
    names = [text.partition("\n")[0] for text in written(ax)]
    assert sorted(names) == ["requests, a, x", "requests, a, y", "requests, b, x", "requests, b, y"]


def test_cache_hits_are_the_share_of_prompt_tokens_so_far() -> None:
    ax = plots.cache_hits([{"input": 100, "cached": 0}, {"input": 20, "cached": 80}])
    single, so_far = ax.get_lines()
    assert data(single)[1] == [0, 80]
    assert data(so_far)[1] == [0, 40]
    assert title(ax) == "40 % of the prompt tokens were read from the cache in 2 calls"


def test_cache_that_never_answered_is_said_so() -> None:
    ax = plots.cache_hits([{"input": 10, "cached": 0}] * 3)
    assert title(ax) == "None of the prompt tokens were read from the cache in 3 calls"


def test_cache_hits_of_whole_answers_count_calls() -> None:
    ax = plots.cache_hits([{"hit": hit} for hit in (False, True, True, True)], hit="hit")
    assert title(ax) == "75 % of the calls were answered from the cache in 4 calls"


def test_cache_hits_of_two_runs_are_set_side_by_side() -> None:
    assert title(plots.cache_hits(prompts(), by="run")).startswith("Prompt tokens read from the cache: same 76 %")
