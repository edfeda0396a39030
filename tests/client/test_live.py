"""Live mode, with a lab server that poses as the real host: its keys are no lab keys."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import labkit as lk
from labkit import LLMClient
from labkit.errors import BudgetExceeded, ProviderRefused, UserError
from labkit.experiments import NotConfirmed, SweepStopped

KEY = "real-" + "0" * 16
LONG = "Explain recursion in three sentences. " * 100


@pytest.fixture(scope="module")
def real_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that admits one key, and that key is not ours to give away."""
    keys = tmp_path_factory.mktemp("real-host") / "keys"
    keys.write_text(KEY)
    command = [sys.executable, "-m", "labkit.server", "--port", "0", "--keys", str(keys)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


@pytest.fixture(params=["openai", "anthropic", "gemini"])
def live(
    request: pytest.FixtureRequest, real_host: str, lab_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    addresses = {
        "OPENAI_BASE_URL": f"{real_host}/v1",
        "ANTHROPIC_BASE_URL": real_host,
        "GOOGLE_GEMINI_BASE_URL": real_host,
        "LABKIT_SERVER_URL": lab_server.url,
        "LABKIT_HOME": str(tmp_path),
        "LABKIT_BUDGET_USD": "0.004",
    }
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.setenv(name, KEY)
    for name, value in addresses.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    with lk.start(live=[request.param], quiet=True):
        yield request.param


def test_live_calls_go_to_the_real_host_and_local_ones_do_not(live: str) -> None:
    LLMClient(live, max_tokens=100).chat("Hi")
    assert lk.lab.entries() == []
    local = "anthropic" if live == "openai" else "openai"
    LLMClient(local).chat("Hi")
    assert len(lk.lab.entries()) == 1
    assert list(lk.ledger.table()["mode"]) == ["live", "local"]


@pytest.mark.filterwarnings("ignore::labkit.budget.BudgetAlert")
def test_the_sessions_budget_stops_live_calls_before_they_are_sent(live: str) -> None:
    client, deadline = LLMClient(live, max_tokens=200), time.monotonic() + 60
    with pytest.raises(BudgetExceeded, match="LABKIT_BUDGET_USD"):
        while time.monotonic() < deadline:
            client.chat(LONG)
    assert 0.002 < lk.ledger.total(mode="live") <= 0.004
    with pytest.raises(BudgetExceeded):  # another client of the same session has no budget of its own
        LLMClient(live, max_tokens=200).chat(LONG)
    assert LLMClient("openai" if live != "openai" else "gemini").chat("Hi").text


def test_no_key_shows_in_an_error_or_in_the_ledger(
    live: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = "wrong-" + "1" * 16
    monkeypatch.setenv(f"{live.upper()}_API_KEY", wrong)
    with pytest.raises(ProviderRefused) as refused:
        LLMClient(live, max_tokens=10).chat("Hi")
    assert refused.value.status in (400, 401)
    assert wrong not in str(refused.value) + repr(refused.value.__dict__) + (tmp_path / "ledger.jsonl").read_text()


def test_a_live_batch_stands_under_the_sessions_budget_too(live: str, real_host: str) -> None:
    client = LLMClient(live, max_tokens=50)
    batch = client.batch(["Hi", "Hello"], progress=False).submit()
    later = {"clock": {"advance_s": 3_600}}
    httpx.post(f"{real_host}/lab/v1/tenant", json=later, headers={"Authorization": f"Bearer {KEY}"}).raise_for_status()
    assert set(batch.refresh().results()["status"]) == {"succeeded"}
    (row,) = lk.ledger.entries()
    assert (row["kind"], row["mode"], row["cost_usd"]) == ("batch", "live", pytest.approx(batch.cost_usd))
    assert batch.path is not None and KEY not in batch.path.read_text()
    with pytest.raises(BudgetExceeded, match="LABKIT_BUDGET_USD"):
        client.batch([LONG] * 500, progress=False).submit()


def test_a_live_batch_is_not_asked_for_at_the_lab_server(live: str) -> None:
    batch = LLMClient(live, max_tokens=50).batch(["Hi"], progress=False).submit()
    with lk.start(quiet=True):
        found = lk.Batch.load(batch.id, progress=False)
        with pytest.raises(UserError, match="is live, and this session is local"):
            found.wait()
        assert lk.lab.entries() == []


def test_a_live_sweep_asks_before_it_may_cost_much(live: str) -> None:
    with pytest.raises(NotConfirmed, match=r"at most \$.*above \$0.5 and nobody is there to ask"):
        lk.sweep("Hi", f"{live}:small", repeats=1_000, max_tokens=4_096)


@pytest.mark.filterwarnings("ignore::labkit.budget.BudgetAlert")
def test_a_live_sweep_stops_at_the_sessions_budget_and_keeps_what_it_paid_for(live: str) -> None:
    with pytest.warns(SweepStopped, match="budget"):
        frame = lk.sweep("Hi", f"{live}:small", repeats=1_000, max_tokens=300, yes=True)
    assert 0 < len(frame) < 1_000 and frame["error"].isna().all()
    assert frame["cost_usd"].sum() <= 0.004 and lk.lab.entries() == []
