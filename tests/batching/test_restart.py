"""What a kill, a lost answer or another process can do to a batch: nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit import Batch, LLMClient
from labkit.batching import BatchGone, jobfile
from labkit.errors import CallError, UserError
from labkit.session import Session

pytestmark = pytest.mark.usefixtures("session")

PROVIDERS = ("openai", "anthropic", "gemini")
QUESTIONS = ["What is an API?", "What is a token?", "Hi"]
KILLED = """
import os, signal, sys
import labkit as lk
lk.start(quiet=True, seed=3)
lk.lab.clock(minute=0.06)
batch = lk.LLMClient(sys.argv[1], tier="sampling", max_tokens=60).batch(sys.argv[2:], progress=False, tag="k").submit()
print(batch.id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def batches_made() -> int:
    return sum(e["method"] == "POST" and e["path"].endswith(("/batches", "GenerateContent")) for e in lk.lab.entries())


def booked() -> list[dict[str, Any]]:
    return [row for row in lk.ledger.entries() if row["kind"] == "batch"]


def made(provider: str = "openai", **options: Any) -> Batch:
    client = LLMClient(provider, tier="sampling", max_tokens=60, **options)
    return client.batch(QUESTIONS, progress=False)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_killed_process_loses_no_batch(provider: str) -> None:
    command = [sys.executable, "-c", KILLED, provider, *QUESTIONS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == -9, done.stderr
    batch = Batch.load(done.stdout.strip(), progress=False)
    assert batch.phase == "submitted" and lk.ledger.entries() == []
    table = batch.wait()  # in another session, with another key
    assert list(table["status"]) == ["succeeded"] * 3 and all(table["text"])
    (row,) = booked()
    assert (row["tag"], row["cost_usd"]) == ("k", pytest.approx(batch.cost_usd))


async def test_the_same_with_await() -> None:
    command = [sys.executable, "-c", KILLED, "gemini", *QUESTIONS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    table = await Batch.load(done.stdout.strip(), progress=False)
    assert list(table["status"]) == ["succeeded"] * 3


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("kind", ["reset_inside", "truncated_json"])
def test_a_batch_whose_answer_was_lost_is_not_made_twice(provider: str, kind: str) -> None:
    first = made(provider).submit()  # one more, that must not be taken for ours
    batch = made(provider, retry=1)
    lose_the_answer(provider, kind)
    with pytest.raises(CallError):
        batch.submit()
    lk.lab.clear_faults()
    again = Batch.load(batch.id, progress=False).submit()
    assert again.remote_id not in (None, first.remote_id) and batches_made() == 2
    assert len(again.wait()) == 3


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_lost_answer_is_found_within_the_same_call(provider: str) -> None:
    batch = made(provider, retry=3)
    lose_the_answer(provider, "reset_inside")
    await batch.asubmit()
    lk.lab.clear_faults()
    assert batches_made() == 1 and len(await batch) == 3


def lose_the_answer(provider: str, kind: str) -> None:
    """Of the call that makes a batch; at Anthropic another call, for the newest batch, comes before it."""
    trigger = {"every": 2} if provider == "anthropic" else {"next": 1}
    lk.lab.faults(kind, path="GenerateContent" if provider == "gemini" else "/batches", **trigger)


def test_a_job_killed_before_the_provider_was_asked_is_submitted_by_the_next_process() -> None:
    batch = made()
    batch._write_down()
    again = Batch.load(batch.id, progress=False)
    assert again.remote_id is None and again.submit().wait()["status"].eq("succeeded").all()


# --- results and books ---


def test_results_survive_the_provider() -> None:
    batch = made().submit()
    table = batch.wait()
    lk.lab.reset()
    assert Batch.load(batch.id).results().equals(table)


def test_two_that_see_the_end_book_it_once() -> None:
    batch = made().submit()
    others = [Batch.load(batch.id, progress=False) for _ in range(3)]
    for each in (batch, *others):
        each.wait()
    assert len(booked()) == 1


def test_a_kill_between_the_ledger_and_the_job_file_books_nothing_twice() -> None:
    batch = made().submit()
    batch.wait()
    drop(batch, "booked")
    Batch.load(batch.id, progress=False).wait()
    assert len(booked()) == 1


def test_a_kill_while_the_outcomes_are_written_fetches_them_again() -> None:
    batch = made().submit()
    table = batch.wait()
    drop(batch, "booked", "ended")
    assert batch.path is not None
    with batch.path.open("ab") as file:
        file.write(b'{"kind": "ended", "ph')
    again = Batch.load(batch.id, progress=False)
    assert not again.ended and again.wait().equals(table)
    assert Batch.load(batch.id).results().equals(table) and len(booked()) == 1


def drop(batch: Batch, *kinds: str) -> None:
    """As if the process had been killed before it wrote records of these kinds."""
    assert batch.path is not None
    lines = batch.path.read_text().splitlines(keepends=True)
    dropped = tuple(f'{{"kind": "{kind}"' for kind in kinds)
    batch.path.write_text("".join(line for line in lines if not line.startswith(dropped)))


def test_a_job_is_there_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = made()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        batch.submit()
    assert Batch.jobs().empty and batches_made() == 0


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_batch_that_the_provider_has_forgotten_keeps_its_requests(provider: str) -> None:
    batch = made(provider).submit()
    lk.lab.reset()
    with pytest.raises(BatchGone, match="does not know"):
        batch.wait()
    assert [line.request.messages[0].text for line in Batch.load(batch.id)._lines] == QUESTIONS


def test_archived_results_are_said() -> None:
    batch = made("anthropic").submit()
    lk.lab.clock(advance=30 * 86_400)
    with pytest.raises(BatchGone, match="archived"):
        batch.wait()
    assert not batch.ended and booked() == []


# --- found again ---


def test_jobs_lists_what_there_is(session: Session) -> None:
    done, under_way = made().submit(), made("anthropic").submit()
    done.wait()
    table = Batch.jobs().set_index("job")
    assert table["phase"].to_dict() == {done.id: "completed", under_way.id: "submitted"}
    assert table["cost_usd"][done.id] == pytest.approx(done.cost_usd) and table["lines"][under_way.id] == 3


def test_a_job_is_loaded_by_path_too() -> None:
    batch = made().submit()
    assert batch.path is not None and Batch.load(batch.path).remote_id == batch.remote_id


def test_what_is_no_job_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"lk\.Batch\.jobs"):
        Batch.load("batch-nowhere")
    stray = tmp_path / "stray.jsonl"
    stray.write_text('{"kind": "line"}\n[1]\nnot json\n')
    with pytest.raises(UserError, match="no whole job"):
        Batch.load(stray)


def test_a_job_file_is_for_its_user_alone() -> None:
    batch = made().submit()
    assert batch.path is not None and batch.path.stat().st_mode & 0o077 == 0
    assert jobfile.folder().stat().st_mode & 0o077 == 0
