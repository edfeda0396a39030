"""The ledger: sums that stay right when the journal has long dropped the entries."""

from __future__ import annotations

import pytest

from labkit import registry
from labkit.server.ledger import DAY_S, MOST_DAYS, Ledger
from labkit.server.store import FolderStore
from labkit.server.tenants import Tenant as ServerTenant
from labkit.usage import Usage


@pytest.fixture
def opened(tmp_path) -> ServerTenant:
    return ServerTenant("lab-ledger-test", store=FolderStore(tmp_path / "tenant"))


def book(tenant: ServerTenant, model: str | None = "m", cost: float = 0.25, **fields) -> None:
    booked = {"usage": Usage(input=10, cached=5, output=3), "failed": False, "retry": False} | fields
    tenant.ledger.book(model, booked["usage"], cost, failed=booked["failed"], retry=booked["retry"])


def test_totals_are_the_sum_of_what_was_booked(opened):
    book(opened), book(opened, "n", retry=True), book(opened, None, usage=None, failed=True)
    shown = opened.ledger.shown()
    expected = {"requests": 3, "errors": 1, "retries": 1, "input": 20, "cached": 10, "output": 6}
    assert shown["total"] | expected == shown["total"]
    assert shown["total"]["cost_usd"] == opened.ledger.cost_usd == 0.5
    assert {model: row["requests"] for model, row in shown["by_model"].items()} == {"": 1, "m": 1, "n": 1}


def test_days_are_those_of_lab_time(opened):
    book(opened)
    opened.clock.advance(DAY_S)
    book(opened), book(opened)
    days = opened.ledger.shown()["by_day"]
    assert [day["requests"] for day in days] == [1, 2] and days[0]["day"] < days[1]["day"]
    assert days[1]["by_model"]["m"]["cost_usd"] == 0.5


def test_a_clock_that_leaps_cannot_fill_the_memory(opened):
    for _ in range(MOST_DAYS + 50):
        book(opened)
        opened.clock.advance(DAY_S)
    shown = opened.ledger.shown()
    assert len(shown["by_day"]) == MOST_DAYS and shown["earlier"]["m"]["requests"] == 50
    assert shown["total"]["requests"] == MOST_DAYS + 50


def test_a_later_process_goes_on_from_what_was_written_down(opened):
    book(opened)
    opened.withdraw()
    later = ServerTenant(opened.key, store=opened.store)
    book(later)
    assert later.ledger.shown()["total"]["requests"] == 2 and later.ledger.cost_usd == 0.5


@pytest.mark.parametrize("kept", [b"", b"nonsense", b"[1, 2]", b'[{}, {"x": {}}]', b'[{"m": {"no": 1}}, {}]'])
def test_what_cannot_be_read_is_begun_anew(opened, kept):
    opened.store.put("ledger/rows.json", kept)
    assert Ledger(opened).shown()["total"]["requests"] == 0


def test_reset_begins_a_new_ledger(opened):
    book(opened)
    opened.reset()
    assert opened.ledger.shown()["by_day"] == [] and opened.ledger.cost_usd == 0


def test_ledger_agrees_with_the_journal_over_the_wire(tenant):
    model = registry.model("openai", "sampling")
    tenant.chat(), tenant.chat("Write a haiku about tea", seed=3)
    with pytest.raises(Exception, match="does not exist"):
        tenant.chat(model="no-such-model")
    entries, ledger = tenant.lab("journal")["entries"], tenant.lab("ledger")
    assert (ledger["total"]["requests"], ledger["total"]["errors"]) == (3, 1)
    assert ledger["total"]["cost_usd"] == pytest.approx(sum(e["cost_usd"] for e in entries))
    assert ledger["by_model"][model]["output"] == sum(e["usage"]["output"] for e in entries[:2])
    assert ledger["by_day"][0]["by_model"][model]["requests"] == 2


def test_one_tenant_sees_only_its_own_ledger(tenant, lab_server):
    tenant.chat()
    assert tenant.lab("ledger", key=lab_server.key())["total"]["requests"] == 0
