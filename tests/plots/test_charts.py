"""The pictures: what is computed, what is drawn from it, and that no token or label can break them."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit import plots
from labkit.plots.labels import drawable, visible
from labkit.plots.theme import glyphs
from labkit.plots.view import LensView, lens_view, percent
from labkit.sampling import Distribution, SamplingParams

ODD = {
    0: " the",
    1: "\n\n",
    2: "$x$ and $y$",
    3: "한국",
    4: "🙂",
    5: b"\xed\x95",
    6: "\u200b",
    7: "_a",
    8: "-" * 40,
    9: "$\\bad{$",
}
SMALL = Distribution.of({0: 0.5, 1: 0.3, 2: 0.15}, floor=0.05 / 97, vocab=100)


def view(distribution: Distribution = SMALL, top: int = 15, **params: Any) -> LensView:
    return lens_view(distribution, SamplingParams(**params), top, texts=ODD)


def widths(ax: Any, group: int) -> list[float]:
    """Lengths of the bars of one group: 0 drawn from, 1 cut, 2 the model's own."""
    return [patch.get_width() for patch in ax.containers[group]]


# --- compute ---------------------------------------------------------------------------------------------------------


def test_title_states_how_many_tokens_and_how_much_mass_stay() -> None:
    assert view(top_p=0.8).title == "T = 1.00, top_p = 0.80 keeps 2 of 100 tokens; 80.0 % of the mass"
    assert view(temperature=0.7, top_k=1).title.startswith("T = 0.70, top_k = 1 keeps 1 of 100 tokens;")
    assert view().title == "T = 1.00 keeps all 100 tokens; nothing is cut"


def test_title_at_zero_names_the_token_and_what_the_model_gives_it() -> None:
    assert view(temperature=0).title == "T = 0 always takes ␣the; the model gives it 50.0 %"


def test_bars_keep_the_models_order_and_tell_kept_from_cut() -> None:
    bars = view(temperature=1.5, top_k=2).bars
    assert [b.id for b in bars] == [0, 1, 2]
    assert [b.kept for b in bars] == [True, True, False]
    assert bars[2].cut == bars[2].heated > 0


def test_tokens_at_the_floor_have_no_row_of_their_own() -> None:
    seen = view()
    assert len(seen.bars) == 3
    assert seen.rest.label == "97 others"
    assert seen.rest.model == pytest.approx(0.05)


def test_cut_that_goes_through_the_floor_shows_as_a_part_of_the_rest() -> None:
    rest = view(top_p=0.97).rest
    assert rest.kept
    assert 0 < rest.cut < rest.heated


@given(
    st.lists(st.floats(0.001, 1), min_size=1, max_size=30),
    st.floats(0, 1),
    st.floats(0, 2),
    st.floats(0.05, 1),
    st.integers(0, 40),
)
def test_rows_add_up_to_the_whole(peaks: list[float], tail: float, t: float, p: float, k: int) -> None:
    whole = Distribution.of(dict(enumerate(peaks)), floor=tail / 1000, vocab=1000)
    seen = lens_view(whole, SamplingParams(t, p, k), 5, texts={})
    rows = [*seen.bars, seen.rest]
    for part in ("model", "heated", "final"):
        assert sum(getattr(row, part) for row in rows) == pytest.approx(1, abs=1e-9)
    assert sum(row.cut for row in rows) == pytest.approx(seen.cut_mass, abs=1e-9)
    assert 1 <= seen.kept <= seen.tokens


@pytest.mark.parametrize("share", [0.0, 1e-9, 0.0009, 0.01, 0.5, 0.99999, 1.0])
def test_percent_never_rounds_something_to_nothing(share: float) -> None:
    assert (percent(share) == "0 %") == (share == 0)
    assert (percent(share) == "100 %") == (share == 1)


# --- labels ----------------------------------------------------------------------------------------------------------


@given(st.text())
def test_label_has_nothing_invisible_in_it(text: str) -> None:
    label = visible(text, limit=1000)
    assert label.isprintable()
    assert " " not in label
    assert (label == "") == (text == "")


@given(st.text())
def test_drawable_holds_only_what_the_fonts_have(text: str) -> None:
    assert {ord(c) for c in drawable(text, known=glyphs())} <= glyphs()


def test_combining_mark_alone_gets_something_to_sit_on() -> None:
    assert visible("\u0301") == "◌\u0301"


# --- draw ------------------------------------------------------------------------------------------------------------


def test_drawn_bars_are_the_view() -> None:
    seen = view(temperature=0.8, top_k=2)
    ax = plots.next_token(seen)
    rows = [*seen.bars, seen.rest]
    assert widths(ax, 0) == [r.final for r in rows]
    assert widths(ax, 1) == [r.cut for r in rows]
    assert widths(ax, 2) == [r.model for r in rows]
    assert ax.get_title(loc="left") == seen.title


def test_cut_and_kept_differ_without_colour() -> None:
    ax = plots.next_token(view(top_k=1))
    assert [group[0].get_hatch() for group in ax.containers] == [None, "////", None]


def test_scale_stays_whatever_the_sliders_say() -> None:
    scales = {plots.next_token(view(temperature=t, top_p=p)).get_xlim() for t in (0, 0.5, 2) for p in (0.1, 1)}
    assert len(scales) == 1


def test_odd_tokens_are_drawn_without_a_warning() -> None:
    odd = Distribution.of({i: 0.5 / (i + 1) for i in ODD}, vocab=100)
    ax = plots.next_token(view(odd), counts={0: 3, 4: 1})
    ax.figure.canvas.draw()  # a missing glyph or broken mathtext would warn or raise here
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names[:3] == ["␣the", "↵↵", "$x$␣and␣$y$"]
    assert names[5] == "\\xed\\x95"


def test_counts_are_marked_as_shares_and_unlisted_tokens_count_for_the_rest() -> None:
    ax = plots.next_token(view(), counts={0: 6, 50: 2, 60: 2})
    (marks,) = ax.get_lines()
    assert list(zip(*marks.get_data(), strict=True)) == [(0.6, 0), (0.4, 3)]
    assert {"6×", "4×"} <= {text.get_text() for text in ax.texts}


@pytest.mark.parametrize("counts", [None, {0: 9, 1: 1}, {0: 1, 1: 1}])
def test_no_number_of_a_row_is_written_on_its_bar(counts: dict[int, int] | None) -> None:
    ax = plots.next_token(view(Distribution.of({i: 0.5**i for i in range(1, 9)}, vocab=100)), counts=counts)
    numbers = [text for text in ax.texts if not text.get_text().endswith("×")]
    longest = [max(ends) for ends in zip(widths(ax, 0), widths(ax, 2), strict=True)]
    assert len(numbers) == len(longest)
    assert all(text.get_position()[0] > end for text, end in zip(numbers, longest, strict=True))


def test_next_token_draws_on_the_axes_that_it_is_given() -> None:
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    assert plots.next_token(view(), ax) is ax


def test_diversity_shows_mean_and_range_and_says_the_rise() -> None:
    ax = plots.diversity({"A": {1.0: [0.6, 0.8], 0.0: [0.2, 0.2]}, "B": {0.0: [0.4], 1.0: [0.5]}})
    first, second = ax.get_lines()
    assert list(first.get_data()[0]) == [0.0, 1.0]
    assert list(first.get_data()[1]) == pytest.approx([0.2, 0.7])
    assert first.get_marker() != second.get_marker()
    assert first.get_linestyle() != second.get_linestyle()
    assert ax.get_title(loc="left") == "Distinct share rises from 0.27 at T = 0 to 0.63 at T = 1"


def test_heatmap_leaves_a_refused_pair_blank() -> None:
    ax = plots.heatmap({(0.0, 0.5): 0.1, (1.0, 0.5): 0.4, (1.0, 1.0): 0.9})
    assert sorted(text.get_text() for text in ax.texts) == ["0.10", "0.40", "0.90"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("temperature", "top_p")
    assert ax.get_title(loc="left") == "Distinct share is highest, 0.90, at T = 1 and top_p = 1"


def test_lines_begin_at_zero_and_whole_steps_get_whole_ticks() -> None:
    ax = plots.lines({"sent": {1: 40, 2: 90, 3: 150}}, x="turn", y="tokens", title="It grows")
    assert ax.get_ylim()[0] == 0
    assert all(float(tick).is_integer() for tick in ax.get_xticks())
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title(loc="left")) == ("turn", "tokens", "It grows")


def test_bars_carry_their_numbers() -> None:
    ax = plots.bars({"cap of 10": 0.0001, "no cap": 0.0042}, "cost (USD)", form=".4f")
    assert [text.get_text() for text in ax.texts] == ["0.0001", "0.0042"]
    assert ax.get_xlabel() == "cost (USD)"


def test_importing_the_packages_draws_in_neither_matplotlib_nor_ipywidgets() -> None:
    script = (
        "import sys, labkit.plots, labkit.metrics, labkit.widgets, labkit.plots.view\n"
        "print(sorted({'matplotlib', 'ipywidgets', 'numpy', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    assert {name for name in plots.__all__ if getattr(plots, name, None) is None} == set()
    assert callable(plots.next_token)
