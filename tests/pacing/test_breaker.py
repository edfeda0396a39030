from __future__ import annotations

import pytest

from labkit.errors import UserError
from labkit.pacing import Breaker

NAME = "provider/model"


class Hand:
    """A clock that is moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hand() -> Hand:
    return Hand()


def opened(hand: Hand) -> Breaker:
    breaker = Breaker(failures=3, cool_down_s=10, clock=hand)
    for _ in range(3):
        assert breaker.allows(NAME)
        breaker.failed(NAME)
    return breaker


def test_failures_in_a_row_open_a_circuit(hand: Hand) -> None:
    breaker = opened(hand)
    assert breaker.state(NAME) == "open" and not breaker.allows(NAME)
    assert breaker.closed_for(NAME) == 10 and breaker.state("another") == "closed"


def test_a_success_in_between_keeps_it_closed(hand: Hand) -> None:
    breaker = Breaker(failures=2, clock=hand)
    for _ in range(5):
        breaker.failed(NAME)
        breaker.succeeded(NAME)
    assert breaker.state(NAME) == "closed"


def test_after_the_cool_down_one_call_tries(hand: Hand) -> None:
    breaker = opened(hand)
    hand.now = 10
    assert breaker.state(NAME) == "half-open"
    assert [breaker.allows(NAME) for _ in range(3)] == [True, False, False]
    breaker.succeeded(NAME)
    assert breaker.state(NAME) == "closed" and breaker.allows(NAME)


def test_a_trial_that_fails_doubles_the_cool_down(hand: Hand) -> None:
    breaker = opened(hand)
    for cool_down in (20, 40, 80, 80):
        hand.now += breaker.closed_for(NAME)
        assert breaker.allows(NAME)
        breaker.failed(NAME)
        assert breaker.closed_for(NAME) == cool_down


def test_a_trial_that_is_cancelled_lets_another_one_try(hand: Hand) -> None:
    breaker = opened(hand)
    hand.now = 10
    assert breaker.allows(NAME)
    breaker.unknown(NAME)
    assert breaker.state(NAME) == "half-open" and breaker.allows(NAME)


@pytest.mark.parametrize("wrong", [{"failures": 0}, {"cool_down_s": 0}])
def test_a_breaker_that_makes_no_sense_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UserError):
        Breaker(**wrong)  # type: ignore[arg-type]
