from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labkit.grading import Answer, Task, expect
from labkit.grading.journal import Journal

RunTask = Callable[..., Any]


def task_of(demand: Callable[[Answer], None]) -> Task:
    task = Task("9.1", "A task", points=1, hints=("a", "b"))
    task.check("a check", points=1)(demand)
    return task


def settings(journal: Journal) -> dict[str, Any]:
    described: dict[str, Any] = journal.control("GET", "tenant")
    return {**described, "clock": described["clock"]["rate"]}


def test_a_check_turns_the_knobs_and_leaves_them_as_they_were(run: RunTask, journal: Journal) -> None:
    journal.control("POST", "tenant", {"pace": 0.5, "limits": {"requests_per_minute": 77}})
    before = settings(journal)

    def demand(answer: Answer) -> None:
        now = answer.lab.set(limits={"requests_per_minute": 3, "concurrent": 2}, pace=0.0, clock={"rate": 60})
        expect(now["limits"]["requests_per_minute"], "the limit", is_=3)
        answer.lab.fault("rate_limit", next=2)

    assert run(task_of(demand), {}).passed
    assert settings(journal) == before
    assert journal.control("GET", "faults")["faults"] == []


def test_a_limit_of_one_model_is_lifted_again(run: RunTask, journal: Journal) -> None:
    from labkit import registry

    model = registry.model("openai", "small")

    def demand(answer: Answer) -> None:
        answer.lab.set(limits={"model": model, "requests_per_minute": 3})

    assert run(task_of(demand), {}).passed
    described = journal.control("GET", "tenant")
    assert described["model_limits"][model]["requests_per_minute"] == described["limits"]["requests_per_minute"]


def test_the_knobs_come_back_when_the_check_fails(run: RunTask, journal: Journal) -> None:
    before = settings(journal)

    def demand(answer: Answer) -> None:
        answer.lab.set(seed=3, tier="1")
        expect(1, "a number", is_=2)

    assert not run(task_of(demand), {}).passed
    assert settings(journal) == before


def test_what_was_asked_is_in_the_result(run: RunTask) -> None:
    result = run(task_of(lambda answer: answer.call("double", 2, by=[1])), {"double": lambda x, by: x})
    assert result.checks[0].asked == ("double(2, by=[1])",)
