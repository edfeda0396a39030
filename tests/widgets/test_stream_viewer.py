"""The stream viewer: frames as they stand on the wire, times that make sense, breaks that are said."""

from __future__ import annotations

import re
from typing import Any

import pytest

import labkit as lk
from labkit import registry
from labkit.display import WIDGET
from labkit.widgets import stream_viewer
from labkit.widgets.stream_record import MAKERS, Frame, StreamRecord
from labkit.widgets.stream_view import records_html, summary

PROMPT = "What is an API?"
JOIN_SECONDS = 30.0


def drawn(provider: str = "openai", *, pieces: int | None = None, max_tokens: int = 12) -> StreamRecord:
    record = StreamRecord(provider, registry.model(provider, "sampling"))
    record.draw(PROMPT, max_tokens, lambda: None, lambda: pieces is None or len(record.texts) < pieces)
    return record


# --- record ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", list(MAKERS))
def test_frames_are_the_bytes_of_the_wire(session: Any, provider: str) -> None:
    record = drawn(provider)
    sent = lk.lab.last()["wire"]["response"]["body"]
    assert "".join(f"{frame.raw}\n\n" for frame in record.frames).split() == str(sent).split()
    assert record.response is not None
    assert record.text == record.response.text != ""


def test_times_rise_and_end_after_the_last_frame(session: Any) -> None:
    record = drawn()
    times = [frame.seconds for frame in record.frames]
    assert times == sorted(times)
    assert record.first_text is not None
    assert times[0] <= record.first_text <= record.seconds


def test_frames_are_cut_at_blank_lines_wherever_the_network_cuts(session: Any) -> None:
    record = StreamRecord("openai", registry.model("openai", "sampling"))
    for byte in b"data: a\n\nevent: b\r\ndata: \xc3\xa9\r\n\r\ndata: rest":
        record.heard(bytes([byte]))
    assert [frame.raw for frame in record.frames] == ["data: a", "event: b\r\ndata: é"]


def test_pace_of_the_lab_shows_on_the_timeline(session: Any) -> None:
    lk.lab.pace(1.0)
    record = drawn(max_tokens=8)
    model = registry.find(record.model)
    assert record.first_text is not None
    assert record.first_text > model.ttft_ms / 1000 * 0.8
    assert record.frames[-1].seconds > record.first_text


def test_stream_that_is_cut_keeps_its_frames_and_says_so(session: Any) -> None:
    lk.lab.faults("cut", next=1, after=4)
    record = drawn()
    assert len(record.frames) >= 4
    assert "not whole" in record.problem
    assert record.response is not None
    assert record.response.finish_reason is None


def test_refusal_is_said_and_has_no_frames(session: Any) -> None:
    lk.lab.faults("unauthorized", next=1)
    record = drawn()
    assert (record.frames, record.response) == ([], None)
    assert "refused" in record.problem


def test_leaving_closes_the_connection(session: Any) -> None:
    lk.lab.pace(1.0)
    record = drawn(pieces=2, max_tokens=200)
    assert record.stopped
    assert len(record.texts) == 2


def test_viewer_books_in_the_ledger(session: Any) -> None:
    record = drawn()
    assert record.response is not None
    booked = [entry for entry in lk.ledger.entries() if entry["tag"] == "stream viewer"]
    assert booked[-1]["output"] == record.response.usage.output


# --- widget ----------------------------------------------------------------------------------------------------------


def test_two_providers_stream_side_by_side(session: Any) -> None:
    viewer = stream_viewer(PROMPT, max_tokens=10, real_pace=False).run()
    assert [record.provider for record in viewer.records] == ["openai", "anthropic"]
    for record in viewer.records:
        assert f"Frames of {record.provider}" in viewer.pane.value
        assert record.text.splitlines()[0][:20] in viewer.pane.value
    assert "event: content_block_delta" in viewer.pane.value
    assert "data: [DONE]" in viewer.pane.value


def test_pace_is_given_back(session: Any) -> None:
    lk.lab.pace(0.0)
    stream_viewer(PROMPT, "gemini", max_tokens=4).run()
    assert lk.lab.pace() == 0.0


def test_stop_ends_all_streams(session: Any) -> None:
    viewer = stream_viewer(PROMPT, max_tokens=500)
    viewer.start.click()
    viewer.halt.click()
    assert viewer._runner is not None
    viewer._runner.join(JOIN_SECONDS)
    assert not viewer._runner.is_alive()
    assert all(record.stopped or record.ended is not None for record in viewer.records)
    assert (viewer.start.disabled, viewer.halt.disabled) == (False, True)


def test_second_click_while_it_runs_changes_nothing(session: Any) -> None:
    viewer = stream_viewer(PROMPT, "openai", max_tokens=30)
    viewer.start.click()
    first = viewer._runner
    viewer.start.click()
    assert viewer._runner is first
    viewer.run()


def test_empty_prompt_sends_nothing(session: Any) -> None:
    before = lk.lab.mark()
    viewer = stream_viewer().run()
    assert "Write a prompt" in viewer.note.value
    assert lk.lab.mark() == before


def test_sources_may_be_models(session: Any) -> None:
    model = registry.model("openai", "standard")
    assert stream_viewer(PROMPT, [model]).records[0].provider == "openai"
    with pytest.raises(registry.UnknownModel):
        stream_viewer(PROMPT, registry.model("bedrock"))


def test_frames_are_shown_as_text_and_long_ones_cut() -> None:
    record = StreamRecord("openai", "m", [Frame(0.1, "<img src=x>" + "y" * 5_000)], ended=0.2)
    html = records_html([record])
    assert "<img" not in html
    assert "y…" in html
    assert len(html) < 4_000


def test_streams_share_one_scale_of_time() -> None:
    short, long = (StreamRecord("openai", "m", [Frame(s, "data: x")], ended=2 * s) for s in (0.1, 1.0))
    html = records_html([short, long])
    assert html.count("<span>2,000 ms</span>") == 2
    half, whole = (int(n) for n in re.findall(r"flex: (\d+) 1 0; \"", html)[::2])
    assert (half, whole) == (10, 100)


def test_summary_of_a_stream_that_was_not_asked() -> None:
    assert summary(StreamRecord("openai", "m")) == "not asked yet"


def test_saved_page_has_frames_and_text(session: Any) -> None:
    bundle = stream_viewer(PROMPT, "openai", max_tokens=5, real_pace=False).run()._repr_mimebundle_()
    assert WIDGET in bundle
    assert "data: [DONE]" in bundle["text/html"]
    assert "finish: length" in bundle["text/plain"]


def test_closed_session_is_said_and_the_button_comes_back(session: Any) -> None:
    viewer = stream_viewer(PROMPT)
    session.close()
    viewer.run()
    assert "lk.start()" in viewer.note.value
    assert not viewer.start.disabled
