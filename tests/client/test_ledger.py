"""The ledger file: what survives, what is said, and what it adds up to."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

import labkit as lk
from labkit import LLMClient, prices
from labkit.ledger import Entry, Ledger, LedgerWarning, estimate
from labkit.usage import Usage

ROW = Entry(time="2026-11-21T10:00:00.000+00:00", provider="openai", model="m", kind="chat", mode="local")


def row(**fields: object) -> Entry:
    return Entry(**{**{name: getattr(ROW, name) for name in Entry.__dataclass_fields__}, **fields})  # type: ignore[arg-type]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl")


def test_an_empty_ledger_is_an_empty_table(ledger: Ledger) -> None:
    assert len(ledger.table()) == 0 and ledger.total() == 0
    assert {"cost_usd", "model", "retries"} <= set(ledger.table().columns)
    assert len(ledger.spend()) == 0


def test_entries_come_back_as_they_were(ledger: Ledger) -> None:
    written = row(tag="naïve", input=3, cached=2, output=9, cost_usd=0.0, retries=1, estimated=True)
    ledger.append(written)
    ledger.append(row(cost_usd=None))
    assert list(ledger.entries()) == [written, row(cost_usd=None)]
    assert written.usage == Usage(input=3, cached=2, output=9)
    assert ledger.path.stat().st_mode & 0o077 == 0


def test_spending_by_any_group(ledger: Ledger) -> None:
    ledger.append(row(cost_usd=0.25, tag="a", input=5, cached=5, output=2))
    ledger.append(row(cost_usd=0.5, tag="b", time="2026-11-22T00:00:00.000+00:00"))
    ledger.append(row(cost_usd=None, tag="b", model="n"))
    by_tag = ledger.spend(by="tag")
    assert by_tag["cost_usd"].to_dict() == {"a": 0.25, "b": 0.5}
    assert by_tag["calls"].to_dict() == {"a": 1, "b": 2} and by_tag["prompt"]["a"] == 10
    assert ledger.spend()["cost_usd"][(date(2026, 11, 22), "m")] == 0.5
    with pytest.raises(ValueError, match="no group"):
        ledger.spend(by="colour")


def test_spending_of_live_calls_and_since_a_day(ledger: Ledger) -> None:
    ledger.append(row(cost_usd=0.25, mode="live"))
    ledger.append(row(cost_usd=0.5, time="2026-11-22T00:00:00.000+00:00"))
    assert ledger.spend(by="mode", mode="live")["cost_usd"].to_dict() == {"live": 0.25}
    assert ledger.spend(by="mode", since=date(2026, 11, 22))["cost_usd"].to_dict() == {"local": 0.5}


def test_totals_can_be_narrowed(ledger: Ledger) -> None:
    ledger.append(row(cost_usd=0.25, mode="live"))
    ledger.append(row(cost_usd=0.5, tag="b"))
    assert ledger.total() == 0.75
    assert (ledger.total(mode="live"), ledger.total(tag="b")) == (0.25, 0.5)
    assert ledger.total(day=date(2026, 11, 21)) == 0.75 and ledger.total(day=date(2026, 11, 20)) == 0


def test_a_cut_last_line_is_left_out_and_said_once(ledger: Ledger) -> None:
    ledger.append(row(cost_usd=0.25))
    with ledger.path.open("ab") as file:
        file.write(b'{"time":"2026-11-')
    again = Ledger(ledger.path)
    again.append(row(cost_usd=0.5))
    with pytest.warns(LedgerWarning, match="one line that is no entry was left out") as said:
        assert again.total() == 0.75
    assert again.total() == 0.75 and len(said) == 1


@pytest.mark.parametrize("line", [b"[1]\n", b"\xff\xfe\n", b'{"time": "x"}\n', b"\n"])
def test_lines_that_are_no_entries_do_no_harm(ledger: Ledger, line: bytes) -> None:
    ledger.path.write_bytes(line)
    ledger.append(row(cost_usd=0.5))
    if line.strip():
        with pytest.warns(LedgerWarning):
            assert ledger.total() == 0.5
    else:
        assert ledger.total() == 0.5


def test_lines_of_a_later_version_are_read(ledger: Ledger) -> None:
    ledger.path.write_text(json.dumps(row(cost_usd=0.5).told() | {"carbon_g": 3}) + "\n")
    assert ledger.total() == 0.5


def test_a_folder_that_cannot_be_written_is_said_once_and_work_goes_on(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "gone" / "ledger.jsonl")
    with pytest.warns(LedgerWarning, match="kept in memory") as said:
        ledger.append(row(cost_usd=0.25))
        ledger.append(row(cost_usd=0.5))
    assert len(said) == 1 and ledger.total() == 0.75


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_a_full_disk_is_said_and_work_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.symlink_to("/dev/full")
    ledger = Ledger(path)
    with pytest.warns(LedgerWarning, match="No space left"):
        ledger.append(row(cost_usd=0.25))
    assert ledger._lost == [row(cost_usd=0.25)]


def test_threads_write_whole_lines(ledger: Ledger) -> None:
    def write() -> None:
        for _ in range(50):
            ledger.append(row(tag="x" * 200, cost_usd=0.01))

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(1 for _ in ledger.entries()) == 400


KILLED = """
import os, signal, sys
from pathlib import Path
from labkit.ledger import Entry, Ledger
ledger = Ledger(Path(sys.argv[1]))
for n in range(1000):
    ledger.append(Entry("2026-11-21T10:00:00+00:00", "openai", "m", "chat", "local", cost_usd=1.0))
    if n == 700:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_loses_no_finished_call(ledger: Ledger) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(ledger.path)])
    assert done.returncode == -9
    assert ledger.total() == 701


def test_the_plot_stacks_models_by_day(ledger: Ledger) -> None:
    import matplotlib.pyplot as plt

    ledger.append(row(cost_usd=0.25))
    ledger.append(row(cost_usd=0.5, model="n"))
    axes = ledger.plot()
    heights = [bar.get_height() for bar in axes.patches]
    assert heights == [0.5, 0.25]  # the dearest below
    assert axes.get_ylabel() == "cost (USD)"
    plt.close(axes.figure)


def test_an_estimate_takes_the_dearest_course() -> None:
    model = lk.model("openai")
    most = estimate("Hi", model=model, max_tokens=100)
    prompt = lk.tokens.count_messages([("user", "Hi")], model)
    assert most >= prices.cost(model, Usage(input=prompt, output=100))
    assert estimate("Hi", model=model, max_tokens=100, calls=3) == pytest.approx(3 * most)


# --- With calls ---


@pytest.mark.usefixtures("session")
def test_calls_are_in_the_users_ledger_and_agree_with_the_server() -> None:
    for provider in ("openai", "anthropic", "gemini", "bedrock"):
        LLMClient(provider, tag="lesson").chat("Hi")
    LLMClient("openai").embed("Hi")
    mine, theirs = lk.ledger.table(), lk.lab.journal()
    assert list(mine["kind"]) == ["chat"] * 4 + ["embed"]
    assert list(mine["cost_usd"]) == pytest.approx(list(theirs["cost_usd"]))
    for name in ("input", "cached", "cache_write", "output", "reasoning"):
        assert list(mine[name]) == list(theirs[name])
    assert list(mine["tag"]) == ["lesson"] * 4 + [""] and set(mine["mode"]) == {"local"}
    assert (pd.Timestamp(datetime.now(UTC)) - mine["time"]).max() < pd.Timedelta(minutes=1)


@pytest.mark.usefixtures("session")
def test_a_cached_prompt_is_cheaper_in_the_ledger_too() -> None:
    client, prompt = LLMClient("openai", max_tokens=16), "The same words again. " * 600
    first, second = client.chat(prompt), client.chat(prompt)
    assert second.usage.cached > 1000 and second.cost_usd < first.cost_usd  # type: ignore[operator]
    assert lk.ledger.entries()[-1]["cached"] == second.usage.cached
