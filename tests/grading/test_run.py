from __future__ import annotations

import os
from typing import Any

import httpx
import pytest

from labkit.errors import ServerError
from labkit.grading import Answer, Task, expect
from labkit.grading.journal import Journal
from labkit.grading.run import run_task
from labkit.grading.workspace import Workspace


def list_models() -> int:
    headers = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
    return len(httpx.get(f"{os.environ['OPENAI_BASE_URL']}/models", headers=headers).json()["data"])


def task_of(*demands: Any, seconds: float = 5) -> Task:
    task = Task("9.1", "A task", points=len(demands), hints=("a", "b"), seconds=seconds)
    for number, demand in enumerate(demands):
        task.check(f"check {number}", points=1)(demand)
    return task


def passes(answer: Answer) -> None:
    expect(answer.call("double", 2), "twice two", is_=4)


def fails(answer: Answer) -> None:
    expect(answer.call("double", 2), "twice two", is_=5)


def breaks(answer: Answer) -> None:
    answer.call("double", 2)["text"]


def test_each_check_earns_its_own_points(run: Any) -> None:
    result = run(task_of(passes, fails, breaks, passes), {"double": lambda x: 2 * x})
    assert [check.kind for check in result.checks] == ["passed", "unmet", "check", "passed"]
    assert (result.earned, result.offered, result.passed) == (2, 4, False)
    assert result.message == "twice two: expected 5, saw 4"


def test_a_check_that_stumbles_says_so(run: Any) -> None:
    result = run(task_of(breaks), {"double": lambda x: 2 * x})
    assert result.message.startswith("this check could not make sense of the answer (TypeError: ")


def test_requests_are_those_of_the_last_call(run: Any, openai_environment: None) -> None:
    seen: list[int] = []

    def demand(answer: Answer) -> None:
        for _ in range(2):
            answer.call("list_models")
            seen.append(len(answer.requests()))

    result = run(task_of(demand), {"list_models": list_models})
    assert seen == [1, 1]
    assert [(wire.method, wire.path, wire.status) for wire in result.evidence] == [("GET", "/v1/models", 200)] * 2


def test_probes_repeat_with_the_seed_and_differ_by_check(journal: Journal) -> None:
    drawn: list[float] = []
    task = task_of(*[lambda answer: drawn.append(answer.rng.random())] * 2)
    for seed in (1, 1, 2):
        run_task(task, Workspace({}), journal, seed)
    assert drawn[:2] == drawn[2:4]
    assert len(set(drawn)) == 4


def test_withholding_a_check_leaves_the_probes_of_the_others(journal: Journal) -> None:
    drawn: dict[int, list[float]] = {1: [], 2: []}
    for size, numbers in drawn.items():
        task = task_of(*[lambda answer, numbers=numbers: numbers.append(answer.rng.random())] * 2)
        task.checks = task.checks[2 - size :]
        run_task(task, Workspace({}), journal, seed=5)
    assert drawn[1] == drawn[2][1:]


def test_a_function_that_hangs_is_waited_for_once(run: Any) -> None:
    calls: list[int] = []

    def hang(_: int) -> None:
        calls.append(1)
        while True:
            pass

    result = run(task_of(passes, fails, passes, seconds=0.1), {"double": hang})
    assert [check.kind for check in result.checks] == ["time"] * 3
    assert len(calls) == 1


@pytest.mark.parametrize(("namespace", "attempted"), [({}, False), ({"double": lambda x: 0}, True)])
def test_nothing_there_is_no_attempt(run: Any, namespace: dict[str, Any], attempted: bool) -> None:
    assert run(task_of(passes, fails), namespace).attempted is attempted


def test_a_lost_server_is_not_the_students_fault(free_port: int) -> None:
    gone = Journal(f"http://127.0.0.1:{free_port}", "lab-1")
    with pytest.raises(ServerError):
        run_task(task_of(passes), Workspace({"double": lambda x: 2 * x}), gone, seed=1)


def test_a_result_is_plain_data(run: Any) -> None:
    row = run(task_of(passes, fails), {"double": lambda x: 2 * x}).as_dict()
    assert (row["task"], row["earned"], row["points"], row["seed"], row["passed"]) == ("9.1", 1, 2, 7, False)
    assert row["checks"][1]["message"] == "twice two: expected 5, saw 4"
