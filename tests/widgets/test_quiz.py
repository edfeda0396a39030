"""Self-check questions: what is refused, what choosing shows, what stays without a kernel."""

from __future__ import annotations

from typing import Any

import pytest

from labkit.display import WIDGET
from labkit.widgets import Question, quiz

ZERO: dict[str, Any] = {
    "ask": "What does `temperature=0` do?",
    "options": {"takes the best": "It is argmax.", "takes < any >": "That is a high one."},
    "answer": "takes the best",
}
ONE = {**ZERO, "ask": "Which one is second?", "answer": 1}


def changed(**entries: Any) -> dict[str, Any]:
    return {**ZERO, **entries}


def test_choosing_shows_the_verdict_and_the_reason() -> None:
    asked = quiz(ZERO)
    asked.choose(0, 1)
    assert "✗ Not this one." in asked.explanations[0].value
    assert "That is a high one." in asked.explanations[0].value
    asked.choose(0, 0)
    assert "✓ Right." in asked.explanations[0].value
    assert "argmax" in asked.explanations[0].value


def test_verdicts_differ_in_more_than_colour() -> None:
    wrong, right = (Question.of(ZERO).explanation(n) for n in (1, 0))
    assert ("dashed" in wrong, "solid" in right) == (True, True)
    assert "color:" not in wrong + right


def test_score_counts_questions_that_are_right_now() -> None:
    asked = quiz([ZERO, ONE])
    asked.choose(0, 0)
    asked.choose(1, 0)
    assert asked.score == "1 of 2 right"
    asked.choose(1, 1)
    assert asked.score == "2 of 2 right"


def test_nothing_is_chosen_and_nothing_given_away_at_first() -> None:
    asked = quiz([ZERO, ONE])
    assert [c.index for c in asked.choices] == [None, None]
    assert all(e.value == "" for e in asked.explanations)
    assert "argmax" not in str(asked)


def test_page_without_a_kernel_folds_the_answer() -> None:
    bundle = quiz(ZERO)._repr_mimebundle_()
    still = bundle["text/html"]
    assert WIDGET in bundle
    assert still.index("<details>") < still.index("It is argmax.")
    assert "takes &lt; any &gt;" in still
    assert "<code>temperature=0</code>" in still


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (changed(options={"only": "one"}, answer=0), "at least two"),
        (changed(options={"a": "why", "b": " "}, answer=0), "no explanation"),
        (changed(answer="something else"), "none of the options"),
        (changed(answer=2), "none of the options"),
        (changed(hint="more"), "got .*hint"),
        ({"ask": "?"}, "options and answer"),
    ],
)
def test_question_that_cannot_be_answered_is_refused(question: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        quiz(question)


def test_quiz_without_a_question_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a question"):
        quiz([])
