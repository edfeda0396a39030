"""The lens: the state without a widget, then the widget without a browser."""

from __future__ import annotations

from base64 import b64decode
from random import Random
from typing import Any

import pytest

from labkit import registry, tokens
from labkit.display import WIDGET
from labkit.errors import ServerError
from labkit.lab import NextToken
from labkit.sampling import Distribution, SamplingParams
from labkit.widgets import sampling_lens
from labkit.widgets.lens_state import Lens
from labkit.widgets.picture import LensPicture

MODEL = registry.model("openai", "sampling")
END = 199_999
"""The end of text in o200k_base."""


def step(*ids: int) -> NextToken:
    peaks = {token: 1.0 / 2**n for n, token in enumerate(ids)}
    return NextToken(MODEL, (), Distribution.of(peaks, vocab=199_998), END)


def lens(*ids: int, seed: int = 1, written: str = "") -> Lens:
    return Lens(lambda _: step(*ids), written, Random(seed))


def png_size(picture: bytes) -> tuple[int, int]:
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24])


# --- state -----------------------------------------------------------------------------------------------------------


def test_draws_repeat_with_a_seed_and_add_up() -> None:
    one, other = lens(5, 6, 7), lens(5, 6, 7)
    for each in (one, other):
        each.draw(SamplingParams(), 20)
        each.draw(SamplingParams())
    assert one.counts == other.counts
    assert one.counts.total() == 21
    assert len(one.counts) > 1


def test_what_was_cut_is_never_drawn() -> None:
    tried = lens(5, 6, 7)
    tried.draw(SamplingParams(top_k=1), 50)
    assert set(tried.counts) == {5}


def test_writing_moves_on_and_forgets_the_draws() -> None:
    asked: list[str] = []
    tried = Lens(lambda text: asked.append(text) or step(24912), "Say: ", Random(0))  # type: ignore[func-returns-value]
    tried.draw(SamplingParams())
    tried.write()
    assert asked == ["Say: ", "Say: hello"]
    assert (tried.drawn, tried.counts.total()) == (None, 0)
    tried.restart()
    assert tried.written == "Say: "


def test_half_a_character_waits_for_the_other_half() -> None:
    first, second = (tokens.encoding().encode_single_token(half) for half in (b"\xc3", b"\xa9"))
    steps = {"": step(first)}
    tried = Lens(lambda text: steps[text], "", Random(0))
    tried.draw(SamplingParams())
    steps[""], steps["é"] = step(second), step(END)
    tried.write()
    assert tried.written == ""
    tried.draw(SamplingParams())
    tried.write()
    assert tried.written == "é"


def test_nothing_follows_the_end_of_text() -> None:
    tried = lens(END)
    tried.draw(SamplingParams())
    assert tried.finished
    assert tried.shown(END) == "⟨end⟩"
    with pytest.raises(ValueError, match="not the end of text"):
        tried.write()


def test_refused_step_leaves_the_lens_where_it_was() -> None:
    def gone(text: str) -> NextToken:
        if text:
            raise ServerError("gone")
        return step(24912)

    tried = Lens(gone, "", Random(0))
    tried.draw(SamplingParams())
    with pytest.raises(ServerError):
        tried.write()
    assert (tried.written, tried.drawn) == ("", 24912)


# --- widget ----------------------------------------------------------------------------------------------------------


def test_moving_a_slider_changes_picture_and_finding(session: Any) -> None:
    widget = sampling_lens("What is an API?")
    before = widget.image.value, widget.finding.value
    widget.temperature.value = 1.5
    widget.top_p.value = 0.5
    assert widget.image.value != before[0]
    assert "T = 1.50, top_p = 0.50 keeps" in widget.finding.value != before[1]
    assert widget.view.params == SamplingParams(1.5, 0.5, 0)


def test_pictures_of_short_and_long_views_line_up() -> None:
    picture, sizes, rows = LensPicture(16), set(), set()
    for ids in [(1, 2), tuple(range(1, 16))]:
        sizes.add(png_size(picture.png(lens(*ids).view(SamplingParams(), 15), {})))
        rows.add(picture.figure.axes[0].get_ylim())
    assert (len(sizes), len(rows)) == (1, 1)


def test_buttons_draw_and_write_a_real_answer(session: Any) -> None:
    widget = sampling_lens("What is an API?")
    widget.temperature.value = 0
    assert widget.buttons["write"].disabled
    for _ in range(8):
        widget.buttons["sample"].click()
        widget.buttons["write"].click()
    assert len(widget.lens.written.split()) > 3
    assert widget.lens.written in widget.text.value
    widget.buttons["restart"].click()
    assert widget.lens.written == ""


def test_sample_many_shows_counts_until_a_slider_moves(session: Any) -> None:
    widget = sampling_lens("What is an API?", seed=3)
    widget.buttons["many"].click()
    assert "of 20 in all" in widget.note.value
    widget.top_k.value = 5
    assert widget.lens.counts.total() == 0


def test_sliders_are_off_where_the_model_refuses(session: Any) -> None:
    widget = sampling_lens("What is an API?", registry.model("openai", "reasoning"))
    assert [s.disabled for s in (widget.temperature, widget.top_p, widget.top_k)] == [True] * 3
    assert "refused by" in widget.temperature.tooltip


def test_sliders_start_where_they_are_told_within_what_the_model_takes(session: Any) -> None:
    begin = SamplingParams(temperature=1.5, top_p=0.9, top_k=40)
    assert sampling_lens("What is an API?", start=begin).params == begin
    cooler = sampling_lens("What is an API?", registry.model("anthropic", "sampling"), start=begin)
    assert cooler.params.temperature == 1.0
    refused = sampling_lens("What is an API?", registry.model("openai", "reasoning"), start=begin)
    assert refused.params == SamplingParams()


def test_one_of_two_sliders_locks_where_a_model_takes_one(session: Any) -> None:
    widget = sampling_lens("What is an API?", registry.model("anthropic", "sampling"))
    assert widget.temperature.max == 1.0
    widget.temperature.value = 0.5
    assert widget.top_p.disabled
    widget.temperature.value = 1.0
    assert not widget.top_p.disabled


def test_lost_server_is_said_in_the_widget(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    widget = sampling_lens("What is an API?")
    widget.buttons["sample"].click()

    def gone(text: str) -> NextToken:
        raise ServerError("The lab server does not answer: run `lk.start()` again.")

    monkeypatch.setattr(widget.lens, "_source", gone)
    widget.buttons["write"].click()
    assert "does not answer" in widget.note.value


def test_saved_page_has_a_picture_and_the_numbers(session: Any) -> None:
    bundle = sampling_lens("What is an API?")._repr_mimebundle_()
    assert WIDGET in bundle
    width, height = png_size(b64decode(bundle["image/png"]))
    assert width > height
    assert "keeps all" in bundle["text/plain"]


def test_prompt_is_shown_as_text_and_not_as_markup(session: Any) -> None:
    widget = sampling_lens("<img src=x onerror=alert(1)> & more")
    assert "<img" not in widget.text.value
    assert "&lt;img" in widget.text.value


def test_unknown_model_is_refused_by_name(session: Any) -> None:
    with pytest.raises(registry.UnknownModel, match="no-such-model"):
        sampling_lens("Hi", "no-such-model")
