"""A ceiling on money that is checked before a call is sent, not after.

Before each call the most that it can cost is held back (`hold`); when it is over, what it did cost is taken instead. So
calls that run at the same time cannot pass the ceiling together. Live calls always stand under the session's own
budget, LABKIT_BUDGET_USD; a `Budget` of your own can be given to a client besides.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

from labkit.errors import BudgetExceeded

if TYPE_CHECKING:
    from labkit.ledger import Ledger
    from labkit.session import Session

ALERT_AT = 0.8
"""Share of the budget at which the user is told."""


class BudgetAlert(UserWarning):
    """Most of a budget is spent."""


class Budget:
    """USD that calls may cost together.

    >>> budget = Budget(0.01)
    >>> with budget.hold(0.004) as hold:
    ...     hold.settle(0.001)
    >>> budget
    <budget $0.01: $0.001 spent>
    """

    def __init__(
        self,
        usd: float,
        *,
        alert_at: float = ALERT_AT,
        per: Literal["run", "day"] = "run",
        on_alert: Callable[[Budget], None] | None = None,
        ledger: Ledger | None = None,
        name: str = "The budget",
    ) -> None:
        """
        Args:
            usd: the ceiling.
            alert_at: share of it at which `on_alert` is called, once; a warning by default.
            per: "run" counts from now on; "day" counts the day in UTC, with what the ledger has of it already.
            ledger: for per="day"; by default the user's own.
        """
        self.usd = usd
        self.alert_at = alert_at
        self.per = per
        self.name = name
        self._on_alert = on_alert or _warn
        self._ledger = ledger
        self._lock = Lock()
        self._spent = 0.0
        self._held = 0.0
        self._alerted = False
        self._day = ""
        self._turn_of_the_day()

    @property
    def spent(self) -> float:
        """USD, of finished calls."""
        self._turn_of_the_day()
        return self._spent

    @property
    def left(self) -> float:
        """USD that neither finished calls have taken nor running ones hold."""
        return max(0.0, self.usd - self.spent - self._held)

    def hold(self, most_usd: float) -> Hold:
        """Hold back the most that a call can cost, until its `with` block ends.

        Raises:
            BudgetExceeded: there is not that much left. Nothing is held then, and nothing should be sent.
        """
        with self._lock:
            self._turn_of_the_day()
            if self._spent + self._held + most_usd > self.usd:
                sentence = self._refusal(most_usd)
                raise BudgetExceeded(sentence, budget_usd=self.usd, spent_usd=self._spent, needed_usd=most_usd)
            self._held += most_usd
        return Hold(self, most_usd)

    def __repr__(self) -> str:
        held = f", {_usd(self._held)} held" if self._held else ""
        return f"<budget {_usd(self.usd)}{' a day' if self.per == 'day' else ''}: {_usd(self.spent)} spent{held}>"

    def _settle(self, most_usd: float, cost_usd: float) -> None:
        with self._lock:
            self._held = max(0.0, self._held - most_usd)
            self._spent += cost_usd
            alert = not self._alerted and self._spent >= self.alert_at * self.usd
            self._alerted = self._alerted or alert
        if alert:
            self._on_alert(self)

    def _refusal(self, most_usd: float) -> str:
        others = f", calls that are under way may take {_usd(self._held)}" if self._held else ""
        return (
            f"{self.name} of {_usd(self.usd)} could be passed, so nothing was sent: {_usd(self._spent)} is spent"
            f"{others}, and this call may cost up to {_usd(most_usd)}. "
            "Lower max_tokens, take a cheaper model, or raise the budget."
        )

    def _turn_of_the_day(self) -> None:
        today = datetime.now(UTC).date()
        if self.per == "day" and self._day != today.isoformat():
            from labkit import ledger

            self._day = today.isoformat()
            self._spent = (self._ledger or ledger.current()).total(day=today)
            self._alerted = False


class Hold:
    """One call's share of a budget, until it is settled. Leaving its `with` block settles it at no cost."""

    def __init__(self, budget: Budget, most_usd: float) -> None:
        self._budget = budget
        self.most_usd = most_usd
        self._open = True

    def settle(self, cost_usd: float) -> None:
        """The call is over and has cost this much. The first time counts."""
        if self._open:
            self._open = False
            self._budget._settle(self.most_usd, cost_usd)

    def __enter__(self) -> Hold:
        return self

    def __exit__(self, *_: object) -> None:
        self.settle(0.0)


def of_session(session: Session) -> Budget:
    """The budget that all live calls of a session share."""
    if session not in _of_sessions:
        _of_sessions[session] = Budget(session.budget_usd, name="The live budget (LABKIT_BUDGET_USD)")
    return _of_sessions[session]


_of_sessions: WeakKeyDictionary[Session, Budget] = WeakKeyDictionary()


def _warn(budget: Budget) -> None:
    text = f"{budget.name}: {_usd(budget.spent)} of {_usd(budget.usd)} is spent."
    warnings.warn(text, BudgetAlert, stacklevel=4)


def _usd(amount: float) -> str:
    """Enough digits for what a call costs.

    >>> _usd(1), _usd(0.00012), _usd(0.01)
    ('$1.00', '$0.00012', '$0.01')
    """
    if amount == 0 or amount >= 0.1:
        return f"${amount:.2f}"
    return f"${amount:.6f}".rstrip("0")
