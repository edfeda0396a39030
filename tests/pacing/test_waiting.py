from __future__ import annotations

from typing import Any, cast

from labkit.pacing.waiting import FAIR_TURN, Queue, Ticket

NOBODY = cast("Any", None)


def drained(queue: Queue) -> list[Ticket]:
    order = []
    while (ticket := queue.head()) is not None:
        if queue.call(ticket):
            order.append(ticket)
    return order


def test_within_one_priority_who_came_first_goes_first() -> None:
    queue = Queue()
    tickets = [queue.join(NOBODY, 0, again=False) for _ in range(20)]
    assert drained(queue) == tickets and queue.waiting == 0


def test_a_higher_priority_goes_first() -> None:
    queue = Queue()
    low, high = queue.join(NOBODY, 0, again=False), queue.join(NOBODY, 5, again=False)
    assert drained(queue) == [high, low]


def test_a_repeated_call_goes_to_the_front() -> None:
    queue = Queue()
    first, again = queue.join(NOBODY, 0, again=False), queue.join(NOBODY, 0, again=True)
    assert drained(queue) == [again, first]


def test_nobody_waits_for_ever() -> None:
    queue = Queue()
    low = queue.join(NOBODY, 0, again=False)
    for _ in range(100):
        queue.join(NOBODY, 9, again=False)
    assert drained(queue).index(low) == FAIR_TURN - 1


def test_who_was_cancelled_is_passed_over() -> None:
    queue = Queue()
    gone, there = queue.join(NOBODY, 0, again=False), queue.join(NOBODY, 0, again=False)
    gone.called.cancel()
    queue.waiting -= 1
    assert drained(queue) == [there] and queue.waiting == 0
