"""The tables that labkit makes are drawn as they come: the server's journal and ledger, the user's own ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit import plots
from labkit.errors import Overloaded


@pytest.fixture
def calls(lab_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A session in which three answers were streamed, three came whole and one was refused."""
    monkeypatch.setenv("LABKIT_SERVER_URL", lab_server.url)
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with lk.start(quiet=True, seed=7):
        client = lk.LLMClient("openai", retry=1)
        for _ in range(3):
            list(client.stream("Say hello."))
            client.chat("Say hello.")
        with lk.lab.faults("server_error", next=1), pytest.raises(Overloaded):
            client.chat("Say hello.")
        yield


def test_streams_of_the_journal_make_a_timeline(calls: None) -> None:
    waiting, _ = plots.timeline(lk.lab.journal()).containers
    assert len(waiting) == 3


def test_latency_of_the_journal_and_of_the_ledger(calls: None) -> None:
    names = [label.get_text() for label in plots.latency(lk.lab.journal(), "total_ms").get_yticklabels()]
    assert [name.partition("\n")[2] for name in names] == ["6 calls", "1 call"]
    assert names[1].startswith("(none)")  # refused before it named a model
    assert plots.latency(lk.ledger.table(), by="provider").get_title(loc="left").startswith("Half of the calls")


def test_cache_hits_of_the_journal(calls: None) -> None:
    assert "prompt tokens" in plots.cache_hits(lk.lab.journal()).get_title(loc="left")


def test_spending_by_the_servers_ledger_is_that_by_the_users(calls: None) -> None:
    billed = plots.spend(lk.lab.ledger(by=("day", "model")))
    heights = [[bar.get_height() for group in ax.containers for bar in group] for ax in (billed, lk.ledger.plot())]
    assert sum(heights[0]) == pytest.approx(sum(heights[1]))
    assert sum(heights[0]) > 0


def test_gauge_of_a_pacer_falls_to_what_the_server_has_left(calls: None) -> None:
    lk.lab.limits(requests_per_minute=12)
    lk.lab.pace(0.2)  # a pacer notes 50 moments a second at most
    pacer = lk.Pacer()
    client = lk.LLMClient("openai", pacer=pacer)
    for _ in range(4):
        client.chat("Say hello.")
    ax = plots.gauge(pacer.gauge(), left=["requests_left"], limits={"requests_left": 12}, refused=lk.lab.journal())
    shares = ax.get_lines()[0].get_data()[1]
    assert 0 <= min(shares) <= 100 * 9 / 12
    assert max(shares) <= 100
    assert ax.get_title(loc="left").replace("\n", " ").endswith("no call refused")
