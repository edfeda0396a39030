from __future__ import annotations

import pytest

from labkit.pacing.buckets import Bucket, Level


def bucket(capacity: float = 60, level: float | None = None) -> Bucket:
    made = Bucket("requests", capacity, 60.0, now=0.0)
    made.level = made.capacity if level is None else level
    return made


def test_a_bucket_refills_to_its_capacity_and_no_further() -> None:
    held = bucket(level=0)
    assert [held.refill(now) for now in (0, 10, 5, 1000)] == [0, 10, 10, 60]


def test_a_wait_ends_when_there_is_room_and_not_before() -> None:
    held = bucket(level=0)
    wait = held.wait_for(1, 0.0)
    assert wait == pytest.approx(1 + held.kept_back)
    assert held.wait_for(1, wait * 0.99) > 0 and held.wait_for(1, wait) == 0


def test_more_than_the_capacity_waits_for_a_full_bucket() -> None:
    held = bucket(level=30)
    assert held.wait_for(1000, 0.0) == pytest.approx(30.0)
    assert held.wait_for(1000, 30.0) == 0


def test_little_is_kept_back_of_a_small_limit() -> None:
    held = bucket(capacity=3)
    taken = 0
    while held.wait_for(1, 0.0) == 0:
        held.take(1)
        taken += 1
    assert taken == 2  # the third stays for what arrives unevenly


@pytest.mark.parametrize(
    ("level", "remaining", "unseen", "then"),
    [
        (30, 30, 0, 30),  # nothing new
        (30, 50, 10, 40),  # the provider holds at least 40
        (30, 10, 5, 12),  # at most 10, one for rounding, one that refilled in a second
        (30, 35, 20, 30),  # anything from 15 to 37 would do
    ],
)
def test_a_header_moves_the_level_only_into_what_it_allows(
    level: float, remaining: float, unseen: float, then: float
) -> None:
    held = bucket(level=level)
    held.heard(Level("requests", 60, remaining), unseen=unseen, seconds=1.0, now=0.0)
    assert held.level == then


def test_a_changed_limit_changes_the_bucket() -> None:
    held = bucket(level=60)
    held.heard(Level("requests", 20, 19), unseen=0, seconds=0.0, now=0.0)
    assert (held.capacity, held.level) == (20, 20)


def test_the_window_is_learnt_from_reset_times() -> None:
    held = bucket(capacity=500)
    held.heard(Level("requests", 500, 399, reset_s=0.402, resolution_s=0.001), unseen=0, seconds=0, now=0)
    assert held.window == pytest.approx(2.0, rel=0.01)


def test_a_reset_time_in_whole_seconds_says_nothing_of_a_short_window() -> None:
    held = bucket(capacity=500)
    held.heard(Level("requests", 500, 399, reset_s=1.0), unseen=0, seconds=0, now=0)
    assert held.window == 60


def test_after_a_refusal_there_is_room_when_the_provider_said() -> None:
    held = bucket()
    held.refused(1, 10.0, 0.0)
    assert held.level == 1 - 10
    assert held.refill(10.0) == pytest.approx(1.0)


def test_a_full_bucket_refills_only_once_an_answer_has_come() -> None:
    held = bucket()
    held.take(10)  # under way for 5 seconds: the provider's bucket is still full, and gains nothing
    assert held.refill(5.0) == 50
    held.answered(5.0)
    assert held.refill(7.0) == 52
