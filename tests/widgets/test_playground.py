"""The playground: settings and their refusals, answers that arrive, and code that sends what the playground sent."""

from __future__ import annotations

import asyncio
import contextlib
import io
from typing import Any

import pytest

import labkit as lk
from labkit import registry
from labkit.display import WIDGET
from labkit.widgets import playground
from labkit.widgets.play_state import PROVIDERS, Sample, Settings, Side
from labkit.widgets.sdk_code import literal

PROMPT = 'What is an "API"?\nIn one line.'


def bodies(calls: int) -> list[Any]:
    return [lk.lab.entry(entry["id"])["wire"]["request"]["body"] for entry in lk.lab.entries()[-calls:]]


def printed(code: str) -> str:
    """Run it as a reader would, in a module of its own."""
    shown, names = io.StringIO(), dict[str, Any]()
    with contextlib.redirect_stdout(shown):
        exec(code, names)
    names["client"].close()
    return shown.getvalue()


def asked(settings: Settings, samples: int = 1, prompt: str = PROMPT) -> Side:
    side = Side(settings)
    asyncio.run(side.run(prompt, samples, lambda: None))
    return side


# --- state -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", PROVIDERS)
def test_code_sends_what_the_playground_sent(session: Any, provider: str) -> None:
    everything = Settings(provider, "", "Be “brief”.\t{x}", 0.4, 0.9, "low", 60, ("zz", "END"), 5).usable()
    side = asked(everything, 2)
    shown = printed(everything.code(PROMPT, 2))
    by_playground, by_code = bodies(4)[:2], bodies(4)[2:]
    assert by_playground == by_code
    assert len(shown.strip().split("\n")) >= 2
    assert all(s.response is not None for s in side.samples)


def test_code_of_one_sample_prints_one_answer(session: Any) -> None:
    settings = Settings("openai", temperature=0.0)
    answer = asked(settings, prompt="What is an API?").samples[0].text
    assert printed(settings.code("What is an API?")) == f"{answer}\n"


@pytest.mark.parametrize("value", ["", 'a"b\\c\n', "é漢\u2028🙂", {"a": [1, None, True]}, {"k": ["x" * 60] * 3}, []])
def test_literal_reads_back_as_the_same_value(value: Any) -> None:
    assert eval(literal(value)) == value


def test_reasons_follow_the_capability_row(session: Any) -> None:
    reasoning = Settings("openai", registry.model("openai", "reasoning")).reasons()
    assert "refuses temperature" in reasoning["temperature"]
    assert reasoning["effort"] == ""
    assert "no such parameter" in Settings("anthropic").reasons()["seed"]
    assert "ignores it" in Settings("gemini", registry.model("gemini", "small")).reasons()["top_p"]
    assert set(Settings("openai").reasons().values()) == {""}


def test_one_of_temperature_and_top_p_turns_the_other_off(session: Any) -> None:
    assert "not both" in Settings("anthropic", temperature=0.5).reasons()["top_p"]
    assert "not both" in Settings("anthropic", top_p=0.5).reasons()["temperature"]


def test_effort_none_gives_the_dials_back(session: Any) -> None:
    small = registry.model("openai", "small")
    assert Settings("openai", small).reasons()["temperature"] != ""
    assert Settings("openai", small, effort="none").reasons()["temperature"] == ""


def test_what_a_model_refuses_is_left_out(session: Any) -> None:
    given = Settings("anthropic", temperature=0.5, top_p=0.5, seed=3, effort="low").usable()
    assert (given.seed, given.effort) == (None, None)
    assert None in (given.temperature, given.top_p)
    assert asked(given).samples[0].problem == ""


@pytest.mark.parametrize(("provider", "model"), [("nobody", ""), ("openai", "no-such"), ("openai", "claude")])
def test_unknown_provider_or_model_is_refused(session: Any, provider: str, model: str) -> None:
    name = registry.model("anthropic") if model == "claude" else model
    with pytest.raises(registry.UnknownModel):
        Settings(provider, name)


def test_samples_of_a_seed_differ_and_repeat(session: Any) -> None:
    settings = Settings("openai", seed=11, max_tokens=40)
    first, again = asked(settings, 3), asked(settings, 3)
    assert [s.text for s in first.samples] == [s.text for s in again.samples]
    assert [body["seed"] for body in bodies(3)] == [11, 12, 13]


def test_refusal_of_the_provider_is_said_with_the_answer(session: Any) -> None:
    lk.lab.faults("unauthorized", next=1)
    side = asked(Settings("openai"))
    assert side.samples[0].problem
    assert side.samples[0].response is None
    assert side.bill == ""


def test_cut_stream_keeps_what_came_and_says_so(session: Any) -> None:
    lk.lab.faults("cut", next=1, after=6)
    sample = asked(Settings("openai")).samples[0]
    assert sample.text
    assert "not whole" in sample.problem or "broke" in sample.problem


def test_bill_adds_up_tokens_and_money(session: Any) -> None:
    side = asked(Settings("openai", max_tokens=5), 2)
    responses = [s.response for s in side.samples]
    assert f"${sum(r.cost_usd for r in responses if r and r.cost_usd):.6f}" in side.bill
    assert "2 answers" in side.bill
    assert "finish: length" in side.bill


def test_stopping_closes_the_stream_and_keeps_the_text(session: Any) -> None:
    lk.lab.pace(1.0)
    sample = Sample()

    async def stop_at_first_piece() -> None:
        task = asyncio.ensure_future(sample.draw(Settings("openai"), PROMPT, 0, lambda: sample.text and task.cancel()))
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(stop_at_first_piece())
    assert sample.stopped
    assert sample.response is not None
    assert sample.response.finish_reason is None
    lk.lab.pace(0)


# --- widget ----------------------------------------------------------------------------------------------------------


def test_asking_fills_both_columns(session: Any) -> None:
    widget = playground("What is an API?", compare={"provider": "anthropic"}, samples=2)
    widget.ask.click()
    for column in (widget.a, widget.b):
        assert len(column.side.samples) == 2
        assert column.side.samples[0].text[:20] in column.answers.value
        assert column.side.settings.model in column.bill.value
    assert (widget.ask.disabled, widget.stop.disabled) == (False, True)


def test_one_column_asks_one_model(session: Any) -> None:
    widget = playground("What is an API?").run()
    assert widget.b.side.samples == []
    assert widget.b.layout.display == "none"
    widget.compared.value = True
    assert widget.b.layout.display == ""


def test_empty_prompt_sends_nothing(session: Any) -> None:
    before = lk.lab.mark()
    widget = playground()
    widget.ask.click()
    assert "Write a prompt" in widget._note.value
    assert lk.lab.mark() == before


def test_choosing_a_model_greys_its_dials_out_and_back(session: Any) -> None:
    column = playground("Hi", temperature=0.3, seed=2).a
    column.model.value = registry.model("openai", "reasoning")
    assert column.dials["temperature"].disabled
    assert "refuses temperature" in column.reasons.value
    assert column.side.settings.temperature is None
    column.provider.value = "anthropic"
    assert column.dials["seed"].disabled
    assert column.dials["temperature"].max == 1.0
    column.provider.value = "openai"
    assert not column.dials["temperature"].disabled


def test_dials_reach_settings_and_code(session: Any) -> None:
    widget = playground("Hi")
    dials = widget.a.dials
    dials["temperature"].value, dials["max_tokens"].value, dials["seed"].value = 0.25, 33, "9"
    dials["stop"].value = r"END|\n\n"
    assert widget.a.side.settings.stop == ("END", "\n\n")
    widget.prompt.value = "Ho"
    for part in ("temperature=0.25", "max_completion_tokens=33", "seed=9", '"content": "Ho"'):
        assert part in widget.a.code.value


def test_seed_that_is_no_number_is_said_and_not_sent(session: Any) -> None:
    column = playground("Hi").a
    column.dials["seed"].value = "seven"
    assert column.side.settings.seed is None
    assert "no whole number" in column.reasons.value


def test_what_differs_in_b_is_all_that_differs(session: Any) -> None:
    widget = playground("Hi", compare={"temperature": 1.5}, temperature=0.2, max_tokens=50)
    a, b = widget.a.side.settings, widget.b.side.settings
    assert (a.temperature, b.temperature) == (0.2, 1.5)
    assert (a.model, a.max_tokens) == (b.model, b.max_tokens)


def test_parameters_that_a_cannot_take_still_reach_b(session: Any) -> None:
    widget = playground("Hi", provider="anthropic", seed=4, compare={"provider": "openai"})
    assert (widget.a.side.settings.seed, widget.b.side.settings.seed) == (None, 4)


def test_saved_page_has_settings_answers_and_code(session: Any) -> None:
    bundle = playground("What is <an> API?", samples=2).run()._repr_mimebundle_()
    assert WIDGET in bundle
    assert "What is &lt;an&gt; API?" in bundle["text/html"]
    assert "client.chat.completions.create" in bundle["text/html"]
    assert "2 answers" in bundle["text/plain"]


def test_answers_are_shown_as_text_and_not_as_markup(session: Any) -> None:
    widget = playground("Hi")
    widget.a.side.samples = [Sample("<img src=x>", problem="<b>no</b>")]
    widget.a.show()
    assert "<img" not in widget.a.answers.value
    assert "<b>no</b>" not in widget.a.answers.value


def test_closed_session_is_said_and_the_button_comes_back(session: Any) -> None:
    widget = playground("Hi")
    session.close()
    widget.ask.click()
    assert "lk.start()" in widget._note.value
    assert not widget.ask.disabled
