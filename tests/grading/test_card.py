from __future__ import annotations

from html.parser import HTMLParser

import pytest

from labkit.grading.card import LINES_SHOWN, card, hint_card, prose
from labkit.grading.results import CheckResult, TaskResult, Wire

PASSED = CheckResult("`ask` asks", 2)
FAILED = CheckResult("it answers", 1, "the answer: expected 1, saw '<b>'", "unmet")
ABSENT = CheckResult("it answers", 1, "There is no `ask` yet.", "missing")


def wires(count: int, status: int = 200) -> tuple[Wire, ...]:
    return tuple(Wire("POST", f"/v1/{n}", status, "m", 10, 5, "stop", retry=n % 2) for n in range(count))


def result(*checks: CheckResult, points: float = 3, evidence: tuple[Wire, ...] = (), hint: str = "") -> TaskResult:
    return TaskResult("1.1", "A <title>", points, checks, 7, evidence, hint, hint_number=1 if hint else 0)


class Balance(HTMLParser):
    """Fails on a tag that is not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize(
    "shown",
    [
        card(result(PASSED)),
        card(result(PASSED, FAILED, evidence=wires(20), hint="try `x` < 1")),
        card(result(ABSENT, points=9)),
        hint_card("1.1", 2, "a < b & `c`"),
    ],
)
def test_cards_are_well_formed(shown: str) -> None:
    balance = Balance()
    balance.feed(shown)
    assert balance.open == []
    assert "<title>" not in shown and "<b>'" not in shown


@pytest.mark.parametrize(
    ("checks", "words"),
    [
        ((PASSED,), "✓ Task 1.1: passed"),
        ((PASSED, FAILED), "✗ Task 1.1: not yet"),
        ((ABSENT,), "✗ Task 1.1: not started"),
    ],
)
def test_the_state_is_said_in_words(checks: tuple[CheckResult, ...], words: str) -> None:
    assert words in card(result(*checks))


def test_many_requests_are_counted_and_few_are_listed() -> None:
    text = card(result(PASSED, evidence=wires(LINES_SHOWN) + wires(3, status=429)))
    assert f"{LINES_SHOWN + 3} requests (status {LINES_SHOWN} × 200, 3 × 429), {15 * (LINES_SHOWN + 3)} tokens" in text
    assert text.count("<tr>") == LINES_SHOWN + 1
    assert "… and 3 more" in text and "(retry 1)" in text


def test_every_failure_has_its_sentence_and_the_hint_is_shown() -> None:
    other = CheckResult("it ends", 1, "the end: expected 'stop'", "unmet")
    text = card(result(PASSED, FAILED, other, points=4, hint="look there"))
    assert "The answer: expected 1, saw '&lt;b&gt;'" in text and "The end: expected 'stop'" in text
    assert "<b>Hint 1 of 2.</b> look there" in text


def test_a_sentence_is_not_repeated() -> None:
    text = card(result(ABSENT, ABSENT, ABSENT))
    assert text.count("There is no") == 1 and text.count("For the same reason.") == 2


def test_the_number_of_calls_explains_the_number_of_requests() -> None:
    shown = card(TaskResult("1.1", "A", 2, (PASSED,), 7, wires(2), calls=2))
    assert "2 requests (status 2 × 200), 30 tokens; the checks called your code 2 times, each anew" in shown


def test_a_refusal_is_told_unless_the_journal_lists_it() -> None:
    told = TaskResult("1.1", "A", 1, (FAILED,), 7, wires(1, 404), refusals=("404: no model", "401: no key"))
    assert "Refused, so not listed: 401: no key" in card(told) and "no model" not in card(told)


def test_prose_marks_code_after_escaping() -> None:
    assert prose("`a<b` & c") == "<code>a&lt;b</code> &amp; c"
