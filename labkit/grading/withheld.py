"""Results as a student may see them where hidden checks are to stay hidden: for an exercise that is used again."""

from __future__ import annotations

from dataclasses import replace

from labkit.grading.results import CheckResult, SubmissionResult, TaskResult

TITLE = "a check that runs at grading only"
"""In place of what a hidden check demands."""


def without_hidden(result: SubmissionResult) -> SubmissionResult:
    """The result with the points of hidden checks, and nothing of what they ask, say, or had sent and refused."""
    return replace(result, tasks=tuple(_task(task) for task in result.tasks))


def _task(task: TaskResult) -> TaskResult:
    if not any(check.hidden for check in task.checks):
        return task
    # requests and refusals are the task's: those of hidden checks cannot be told from the others'
    return replace(task, checks=tuple(map(_check, task.checks)), evidence=(), refusals=())


def _check(check: CheckResult) -> CheckResult:
    return replace(check, title=TITLE, message="", asked=()) if check.hidden else check
