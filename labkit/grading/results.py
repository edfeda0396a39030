"""What came of checking a task, as data: for the notebook's card, for grade files, for feedback pages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from labkit.grading.journal import Exchange


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check: met or not, and the sentence that says why not."""

    title: str
    points: float
    """What it is worth."""
    message: str = ""
    """Empty if it passed."""
    kind: str = "passed"
    """"passed", "unmet", one of the troubles of a workspace, or "check" when the check itself broke on the answer."""
    hidden: bool = False

    @property
    def passed(self) -> bool:
        return self.kind == "passed"

    @property
    def earned(self) -> float:
        return self.points if self.passed else 0.0


@dataclass(frozen=True, slots=True)
class Wire:
    """One line of evidence: a request that the lab server saw while the task was checked."""

    method: str
    path: str
    status: int
    model: str
    input_tokens: int
    output_tokens: int
    finish_reason: str
    retry: int


def wire_of(exchanges: Iterable[Exchange]) -> tuple[Wire, ...]:
    """The evidence of a check, without bodies and headers."""
    return tuple(
        Wire(
            method=e.method,
            path=e.path,
            status=e.status,
            model=e.model,
            input_tokens=e.input_tokens,
            output_tokens=e.output_tokens,
            finish_reason=", ".join(e.finish_reasons),
            retry=e.retry,
        )
        for e in exchanges
    )


@dataclass(frozen=True, slots=True)
class TaskResult:
    """One task: points, every check, and what was seen."""

    task: str
    title: str
    points: float
    """What the whole task is worth, withheld checks included."""
    checks: tuple[CheckResult, ...]
    seed: int
    """Of the probe inputs: the same seed asks the same questions."""
    evidence: tuple[Wire, ...] = ()
    hint: str = ""
    hint_number: int = 0
    """1 or 2; 0 without a hint."""
    calls: int = 0
    """How often the checks ran the student's functions: each check does so anew."""
    refusals: tuple[str, ...] = ()
    """What servers refused, as the student's code got it: the journal lacks requests that no key admitted."""

    @property
    def earned(self) -> float:
        return sum(check.earned for check in self.checks)

    @property
    def offered(self) -> float:
        """Points of the checks that ran; the rest of `points` is withheld until grading."""
        return sum(check.points for check in self.checks)

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def attempted(self) -> bool:
        """False as long as nothing but the stub, or nothing at all, was found."""
        return not all(check.kind in ("missing", "unwritten") for check in self.checks)

    @property
    def message(self) -> str:
        """The sentence of the first check that failed; empty if none did."""
        return next((check.message for check in self.checks if not check.passed), "")

    @property
    def tokens(self) -> int:
        return sum(wire.input_tokens + wire.output_tokens for wire in self.evidence)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with the derived ones that a reader of a grade file wants."""
        return {**asdict(self), "earned": self.earned, "passed": self.passed, "message": self.message}

    def __repr__(self) -> str:
        state = "passed" if self.passed else "not yet"
        return f"<task {self.task}: {state}, {self.earned:g} of {self.offered:g} points>"

    def _repr_html_(self) -> str:
        from labkit.grading.card import card

        return card(self)
