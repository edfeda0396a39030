"""The only way from a check to a student's work.

>>> from random import Random
>>> from labkit.grading.workspace import Workspace
>>> answer = Answer(Workspace({"double": lambda x: 2 * x}), evidence=None, rng=Random(1))
>>> answer.call("double", 21)
42
"""

from __future__ import annotations

from random import Random
from typing import Any, Protocol

from labkit.grading.expectations import Unmet
from labkit.grading.journal import Evidence, Exchange
from labkit.grading.labhand import LabHand
from labkit.grading.refusals import short
from labkit.grading.tasks import SECONDS_PER_CALL
from labkit.grading.workspace import Outcome, Step, Trouble

MOST_ASKED = 20
"""Calls of one check that are kept for its result."""
LONGEST_ASKED = 300
"""Characters of one of them."""


class Work(Protocol):
    """Where a student's work runs: a notebook's own namespace, or a sandboxed process at the end of a pipe."""

    def ready(self) -> None:
        """Be able to run a step. What this takes is over before the evidence for the step begins."""
        ...

    def run(self, step: Step) -> Outcome:
        """Do one step and answer in plain JSON values."""
        ...


class NoAnswer(Unmet):
    """The student's work gave nothing to judge. Its text is the sentence for the student."""

    def __init__(self, trouble: Trouble, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = trouble


class Answer:
    """A student's work as a check sees it."""

    def __init__(
        self,
        work: Work,
        evidence: Evidence | None,
        rng: Random,
        *,
        seconds: float = SECONDS_PER_CALL,
        stuck: dict[str, NoAnswer] | None = None,
    ) -> None:
        self._work = work
        self._evidence = evidence
        self._seconds = seconds
        self._stuck = {} if stuck is None else stuck
        self._mark = 0
        self.calls = 0
        """How often the check ran code of the student's."""
        self.refusals: list[str] = []
        """What servers refused, in all of this check's calls: "401: Incorrect API key provided"."""
        self.asked: list[str] = []
        """The calls, as a person would write them: `post_completion('What is a token? (reader 512)')`."""
        self._lab = LabHand(evidence) if evidence else None
        self.rng = rng
        """Draws probe inputs. Seeded, and the seed is in the result, so that a grade can be repeated."""

    def call(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """What the student's function returns for these plain values.

        Raises:
            NoAnswer: it is missing, not written, raised, ran out of time or returned something that is no plain value.
        """
        return self._run({"do": "call", "name": name, "args": list(args), "kwargs": kwargs}, name)["value"]

    def send(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """As `call`, for a check that judges what was sent: None if what came back is no plain value.

        Raises:
            NoAnswer: it is missing, not written, raised or ran out of time.
        """
        try:
            return self.call(name, *args, **kwargs)
        except NoAnswer as none:
            if none.kind != "not plain":
                raise
            return None

    def make(self, name: str, /, *args: Any, **kwargs: Any) -> Made:
        """An object of the student's class `name`, kept on the student's side.

        Raises:
            NoAnswer: as `call`.
        """
        outcome = self._run({"do": "make", "name": name, "args": list(args), "kwargs": kwargs}, name)
        return Made(self, name, outcome["made"])

    def value(self, name: str) -> Any:
        """The student's variable `name`, as a plain value.

        Raises:
            NoAnswer: it is missing or no plain value.
        """
        return self._run({"do": "value", "name": name}, name)["value"]

    def anew(self, prompt: str) -> str:
        """The prompt in a form that no student has seen: "What is a token? (reader 5120)"."""
        return f"{prompt} (reader {self.rng.randrange(1000, 10_000)})"

    def requests(self) -> list[Exchange]:
        """What reached the lab server since the last `call` or `make` began, oldest first."""
        return self._evidence.since(self._mark) if self._evidence else []

    @property
    def lab(self) -> LabHand:
        """Limits, faults and clock of the tenant that the student's requests belong to, until the check is over."""
        if self._lab is None:
            raise LookupError("this answer has no lab server")
        return self._lab

    def end(self) -> None:
        """The check is over: the lab server is as it was."""
        if self._lab:
            self._lab.undo()

    def _run(self, step: Step, name: str) -> Outcome:
        if step["do"] != "value" and len(self.asked) < MOST_ASKED:
            self.asked.append(_written(name, step))
        if name in self._stuck:  # it ran out of time once in this task; waiting again would teach nothing
            raise self._stuck[name]
        self._work.ready()
        if self._evidence:
            self._mark = self._evidence.last()
        self.calls += step["do"] != "value"
        outcome = self._work.run({**step, "seconds": self._seconds})
        self.refusals += outcome.get("refused", [])
        if "trouble" in outcome:
            error = NoAnswer(outcome["trouble"], outcome["sentence"])
            if error.kind == "time":
                self._stuck[name] = error
            raise error
        return outcome


class Made:
    """An object of a student's class, as a check sees it."""

    def __init__(self, answer: Answer, name: str, number: int) -> None:
        self._answer = answer
        self._name = name
        self._number = number

    def call(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """What its method returns; raises as `Answer.call`."""
        step: Step = {"do": "call", "on": self._number, "name": name, "args": list(args), "kwargs": kwargs}
        return self._answer._run(step, f"{self._name}.{name}")["value"]

    def value(self, name: str) -> Any:
        """Its attribute as a plain value; raises as `Answer.value`."""
        return self._answer._run({"do": "value", "on": self._number, "name": name}, f"{self._name}.{name}")["value"]


def _written(name: str, step: Step) -> str:
    arguments = [repr(value) for value in step.get("args", [])]
    arguments += [f"{key}={value!r}" for key, value in step.get("kwargs", {}).items()]
    return short(f"{name}({', '.join(arguments)})", LONGEST_ASKED)
