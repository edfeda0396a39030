"""Run the checks of one task. Pure but for the work and the evidence that it is given: the grader's inner loop."""

from __future__ import annotations

from random import Random

from labkit.errors import ServerError
from labkit.grading.answer import Answer, NoAnswer, Work
from labkit.grading.expectations import Unmet
from labkit.grading.journal import Evidence
from labkit.grading.refusals import short
from labkit.grading.results import CheckResult, TaskResult, wire_of
from labkit.grading.tasks import Check, Task


def run_task(task: Task, work: Work, evidence: Evidence, seed: int) -> TaskResult:
    """Every check of the task, each on its own: one that fails costs its points and no others.

    Args:
        seed: of the probe inputs. A check's own generator depends on the seed, the task and the check's title, so that
            withholding or reordering checks does not change what the others ask.

    Raises:
        ServerError: the evidence cannot be read. Nothing was judged.
    """
    begun = evidence.last()
    stuck: dict[str, NoAnswer] = {}
    results, answers = [], []
    for check in task.checks:
        rng = Random(f"{seed}:{task.id}:{check.title}")
        answers.append(Answer(work, evidence, rng, seconds=task.seconds, stuck=stuck))
        results.append(_run_check(check, answers[-1]))
        answers[-1].end()
    return TaskResult(
        task=task.id,
        title=task.title,
        points=task.points,
        checks=tuple(results),
        seed=seed,
        evidence=wire_of(evidence.since(begun)),
        calls=sum(answer.calls for answer in answers),
        refusals=tuple(refused for answer in answers for refused in answer.refusals),
    )


def _run_check(check: Check, answer: Answer) -> CheckResult:
    message, kind = "", "passed"
    try:
        check.demand(answer)
    except Unmet as unmet:
        message, kind = str(unmet), unmet.kind
    except ServerError:
        raise
    except Exception as error:  # a check that stumbles over an odd answer must not stop the others
        kind = "check"
        message = f"this check could not make sense of the answer ({type(error).__name__}: {short(str(error))})"
    if message and answer.refusals and answer.refusals[-1] not in message:
        message = f"{message.rstrip('.')}. The server had refused its request with {answer.refusals[-1]}"
    return CheckResult(check.title, check.points, message, kind, check.hidden, tuple(answer.asked))
