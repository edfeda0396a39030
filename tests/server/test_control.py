"""The control API: tenants are apart, and what they are told is true."""

import httpx
import pytest

from labkit import prices, registry
from labkit.usage import Usage


def test_health_needs_no_key(tenant):
    health = tenant.http.get("/lab/v1/health").json()
    assert health["ok"] and health["pid"] > 0


def test_journal_tells_what_was_asked_and_what_it_cost(tenant):
    answer = tenant.chat(temperature=0.5, seed=1)
    entry = tenant.last()
    usage = answer.usage
    assert (entry["provider"], entry["status"], entry["model"]) == ("openai", 200, registry.model("openai", "sampling"))
    assert entry["params"] == {"temperature": 0.5, "seed": 1}
    assert entry["usage"]["total"] == usage.total_tokens
    spent = Usage(input=usage.prompt_tokens, output=usage.completion_tokens)
    assert entry["cost_usd"] == pytest.approx(prices.cost(entry["model"], spent)) and entry["cost_usd"] > 0
    assert entry["timing"]["total_ms"] >= entry["timing"]["infer_ms"] > 0


def test_journal_shows_the_wire_with_the_key_masked(tenant):
    tenant.chat("hello wire")
    wire = tenant.lab(f"journal/{tenant.last()['id']}")["wire"]
    assert wire["request"]["body"]["messages"][0]["content"] == "hello wire"
    assert wire["response"]["body"]["object"] == "chat.completion"
    assert tenant.key not in str(wire) and "…" in wire["request"]["headers"]["authorization"]


def test_journal_filters_and_pages(tenant):
    for n in range(3):
        tenant.chat(f"hello {n}")
    with pytest.raises(Exception, match="does not exist"):
        tenant.chat(model="no-such-model")
    assert [e["status"] for e in tenant.lab("journal")["entries"]] == [200, 200, 200, 404]
    assert len(tenant.lab("journal?status=404")["entries"]) == 1
    assert [e["id"] for e in tenant.lab("journal?after=1&limit=2")["entries"]] == [2, 3]


def test_journal_with_the_wire_is_the_entries_one_by_one(tenant):
    tenant.chat("one")
    tenant.chat("two")
    assert tenant.lab("journal?wire=true")["entries"] == [tenant.lab("journal/1"), tenant.lab("journal/2")]


def test_a_tenant_sees_its_own_journal_only(tenant, lab_server):
    tenant.chat("mine")
    other = lab_server.key()
    assert tenant.lab("journal", key=other)["entries"] == []
    assert tenant.lab(f"journal?tenant={tenant.key}", key=other)["entries"] == []
    assert len(tenant.lab(f"journal?tenant={tenant.key}", key=lab_server.admin_key)["entries"]) == 1


def test_a_lab_key_may_not_stop_the_server(tenant):
    with pytest.raises(httpx.HTTPStatusError, match="403"):
        tenant.lab("shutdown", {})


CHANGES = [
    ("tenant", {"pace": 1}),
    ("tenant", {"locked": False}),
    ("reset", {}),
    ("faults", {"kind": "rate_limit", "next": 1}),
]


@pytest.mark.parametrize(("path", "body"), CHANGES)
def test_a_locked_tenant_is_changed_by_the_admin_alone(tenant, lab_server, path, body):
    admin = {"key": lab_server.admin_key}
    tenant.lab(f"tenant?tenant={tenant.key}", {"locked": True}, **admin)
    with pytest.raises(httpx.HTTPStatusError, match="403"):
        tenant.lab(path, body)
    tenant.chat("requests go on")
    assert tenant.lab("journal")["last"] == 1
    tenant.lab(f"{path}?tenant={tenant.key}", body, **admin)


def test_a_lab_key_may_not_lock_its_tenant(tenant):
    with pytest.raises(httpx.HTTPStatusError, match="403"):
        tenant.lab("tenant", {"locked": True})


def test_seed_of_the_tenant_repeats_a_whole_session(tenant):
    def session() -> list[str]:
        tenant.lab("tenant", {"seed": 5})
        return [tenant.chat("Write a haiku about rain.").choices[0].message.content for _ in range(4)]

    first = session()
    assert session() == first and len(set(first)) > 1


def test_reset_forgets_the_journal_and_keeps_the_settings(tenant):
    tenant.lab("tenant", {"pace": 0.5, "limits": {"requests_per_minute": 7}})
    tenant.chat()
    described = tenant.lab("reset", {})
    assert tenant.lab("journal")["entries"] == []
    assert described["pace"] == 0.5 and described["limits"]["requests_per_minute"] == 7


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"pace": -1}, "pace"),
        ({"pace": "fast"}, "pace"),
        ({"clock": {"rate": 0}}, "clock.rate"),
        ({"limits": {"requests_per_minute": 0}}, "limits.requests_per_minute"),
        ({"limits": {"model": "nope", "requests_per_minute": 1}}, "model"),
        ({"sed": 1}, "sed"),
    ],
)
def test_bad_settings_are_refused_by_name(tenant, body, path):
    answer = tenant.http.post("/lab/v1/tenant", json=body, headers={"Authorization": f"Bearer {tenant.key}"})
    assert answer.status_code in (400, 404) and answer.json()["error"]["param"] == path
