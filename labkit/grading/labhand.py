"""A check's hand on the lab server: limits, faults and the clock for the student's tenant, put back afterwards.

    answer.lab.set(limits={"requests_per_minute": 200}, clock={"rate": 60})
    answer.lab.fault("rate_limit", next=2)
    answer.lab.ledger()["total"]

The same check runs in a student's notebook and in the grader. In the notebook the tenant is the student's own, so what
was set before comes back when the check is over.
"""

from __future__ import annotations

from typing import Any, Protocol


class Controlled(Protocol):
    """Reaches the control API for one tenant."""

    def control(self, method: str, path: str, body: Any = None, **query: object) -> Any:
        """One call below /lab/v1/; the decoded answer. Raises ServerError."""
        ...


class LabHand:
    """What a check may change on the lab server."""

    def __init__(self, server: Controlled) -> None:
        self._server = server
        self._before: dict[str, Any] | None = None
        self._changed: set[str] = set()
        self._models: set[str] = set()
        self._faults: list[int] = []

    def set(self, **settings: Any) -> dict[str, Any]:
        """Change the tenant as the control API's `tenant` takes it: seed, pace, clock, tier, limits, batches.

        Returns:
            The tenant as the server describes it now.
        """
        if self._before is None:
            self._before = self._server.control("GET", "tenant")
        self._changed |= settings.keys()
        if "tier" in settings:  # a tier begins with no limits of its own for any model
            self._models |= self._before["model_limits"].keys()
        if model := settings.get("limits", {}).get("model"):
            self._models.add(model)
        described: dict[str, Any] = self._server.control("POST", "tenant", settings)
        return described

    def fault(self, kind: str, **trigger: Any) -> None:
        """Script a fault: `kind` and one of next, every, rate or start_s, as `lk.lab.faults` takes them."""
        self._faults.append(self._server.control("POST", "faults", {"kind": kind, **trigger})["id"])

    def ledger(self) -> dict[str, Any]:
        """What the tenant spent: totals, by model, by day of lab time."""
        spent: dict[str, Any] = self._server.control("GET", "ledger")
        return spent

    def now(self) -> float:
        """The tenant's lab time, seconds."""
        return float(self._server.control("GET", "tenant")["clock"]["now"])

    def undo(self) -> None:
        """Take every fault back and restore every setting. Lab time that was jumped over stays past."""
        for number in self._faults:
            self._server.control("DELETE", "faults", id=number)
        self._faults.clear()
        if self._before is not None:
            self._server.control("POST", "tenant", self._restoring(self._before))
            for model in self._models:
                limits = self._before["model_limits"].get(model) or self._before["limits"]
                self._server.control("POST", "tenant", {"limits": {"model": model, **_per_model(limits)}})
        self._before, self._changed, self._models = None, set(), set()

    def _restoring(self, before: dict[str, Any]) -> dict[str, Any]:
        settings: dict[str, Any] = {name: before[name] for name in self._changed & {"seed", "pace", "batches"}}
        if "clock" in self._changed:
            settings["clock"] = {"rate": before["clock"]["rate"]}
        if self._changed & {"tier", "limits"}:
            settings["tier"] = before["tier"]
            settings["limits"] = before["limits"]
        return settings


def _per_model(limits: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in limits.items() if name not in ("concurrent", "budget_usd")}
