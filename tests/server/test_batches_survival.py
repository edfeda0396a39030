"""kill -9 in the middle of a batch: a new process on the same folder goes on where the last whole line ended."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import anthropic
import httpx
import openai
import pytest

from labkit import registry
from labkit.server.store import FolderStore, MemoryStore, StoreFull, Stores

MODEL = registry.model("openai", "sampling")
LINES = 1_500
KEY = "lab-survivor"
HEADERS = {"Authorization": f"Bearer {KEY}"}


class Server:
    """A lab server process on a folder, started again as often as a test likes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self) -> str:
        command = [sys.executable, "-m", "labkit.server", "--port", "0", "--store", str(self.folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().split()[-1]
        self.openai = openai.OpenAI(api_key=KEY, base_url=f"{self.url}/v1", max_retries=0, timeout=60)
        return self.url

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.openai.close()

    def advance(self, seconds: float) -> None:
        body = {"clock": {"advance_s": seconds}}
        httpx.post(f"{self.url}/lab/v1/tenant", json=body, headers=HEADERS).raise_for_status()

    def lines_journaled(self) -> list[str]:
        answer = httpx.get(f"{self.url}/lab/v1/journal?limit=9999", headers=HEADERS).json()
        return [e["params"]["line"] for e in answer["entries"] if "/lines/" in e["path"]]


@pytest.fixture
def server(tmp_path):
    running = Server(tmp_path / "store")
    running.start()
    yield running
    running.kill()


def submit(client, count):
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Tell me a story about the sea."}]}
    lines = [
        {"custom_id": f"n{n}", "method": "POST", "url": "/v1/chat/completions", "body": body} for n in range(count)
    ]
    text = "\n".join(map(json.dumps, lines)).encode()
    file = client.files.create(file=("in.jsonl", text), purpose="batch")
    return client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")


def whole_lines(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("*/batches/*.results"))


def kill_in_the_middle(server, batch):
    """Have every line due, and kill the process while it runs them. How many lines it had written."""
    server.advance(86_000)
    look = f"import httpx; httpx.get('{server.url}/v1/batches/{batch.id}', headers={HEADERS})"
    looking = subprocess.Popen([sys.executable, "-c", look], stderr=subprocess.DEVNULL)
    while whole_lines(server.folder) < LINES // 10:
        time.sleep(0.002)
    server.kill()
    assert looking.wait() != 0, "the server was killed before it answered"
    return whole_lines(server.folder)


def finished(server, batch_id):
    deadline = time.monotonic() + 60
    while (batch := server.openai.batches.retrieve(batch_id)).status != "completed":
        assert time.monotonic() < deadline, batch
    return batch


def test_kill_9_loses_no_line_and_bills_none_twice(server):
    batch = submit(server.openai, LINES)
    before = kill_in_the_middle(server, batch)
    assert LINES // 10 <= before < LINES
    server.start()
    done = finished(server, batch.id)
    lines = [json.loads(line) for line in server.openai.files.content(done.output_file_id).read().splitlines()]
    assert Counter(line["custom_id"] for line in lines) == Counter(f"n{n}" for n in range(LINES))
    billed = sum(line["response"]["body"]["usage"]["total_tokens"] for line in lines)
    assert done.usage.total_tokens == billed and done.request_counts.completed == LINES
    assert server.lines_journaled() == [f"n{n}" for n in range(before, LINES)], "what was finished is not run again"


def test_what_was_shown_is_not_undone(server):
    batch = submit(server.openai, 10)
    server.advance(40)
    assert server.openai.batches.retrieve(batch.id).status == "in_progress"
    server.advance(40_000)
    done = server.openai.batches.retrieve(batch.id)
    content = server.openai.files.content(done.output_file_id).read()
    server.kill()
    server.start()
    assert server.openai.batches.retrieve(batch.id) == done
    assert server.openai.files.content(done.output_file_id).read() == content
    assert submit(server.openai, 1).created_at >= done.completed_at, "lab dates go on from where they were"


def test_anthropic_results_survive(server):
    with anthropic.Anthropic(api_key=KEY, base_url=server.url) as client:
        ask = {"model": registry.model("anthropic"), "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        id = client.messages.batches.create(requests=[{"custom_id": "a", "params": ask}]).id
        server.advance(1_000)
        before = list(client.messages.batches.results(id))
    server.kill()
    server.start()
    with anthropic.Anthropic(api_key=KEY, base_url=server.url) as client:
        assert list(client.messages.batches.results(id)) == before


def test_reset_forgets_what_is_on_disk(server):
    submit(server.openai, 3)
    httpx.post(f"{server.url}/lab/v1/reset", headers=HEADERS).raise_for_status()
    server.kill()
    server.start()
    assert server.openai.batches.list().data == [] and server.openai.files.list().data == []


def test_no_key_stands_on_disk(server):
    submit(server.openai, 3)
    paths = [path for path in server.folder.rglob("*") if path.is_file()]
    assert paths and all(KEY not in str(path) and KEY.encode() not in path.read_bytes() for path in paths)


# --- the store itself ------------------------------------------------------------------------------------------------


def test_a_line_cut_in_two_is_dropped(tmp_path):
    store = FolderStore(tmp_path)
    store.append("batches/a.results", b"one")
    with (tmp_path / "batches/a.results").open("ab") as log:
        log.write(b"tw")
    assert list(FolderStore(tmp_path).lines("batches/a.results")) == [b"one"]
    store.append("batches/a.results", b"two")
    assert list(store.lines("batches/a.results")) == [b"one", b"two"]


@pytest.mark.parametrize("name", ["../x.json", "files/../x.json", "/etc/passwd", "files/x", "a/b/c.json", ""])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="no name of a blob"):
        FolderStore(tmp_path).put(name, b"x")


@pytest.mark.parametrize("kind", ["memory", "folder"])
def test_a_full_store_says_so_and_takes_what_must_not_be_lost(tmp_path, kind):
    store = Stores(tmp_path if kind == "folder" else None).open(KEY)
    store.put("files/a.bin", b"x" * store.room)
    with pytest.raises(StoreFull, match="at most 64 MB"):
        store.put("files/b.bin", b"x")
    store.put("files/b.json", b"x", always=True)
    store.delete("files/a.bin")
    store.put("files/c.bin", b"x")
    assert sorted(store.names("files")) == ["files/b.json", "files/c.bin"]


def test_memory_is_bounded_over_all_tenants(monkeypatch):
    monkeypatch.setattr("labkit.server.store.LARGEST_MEMORY", 10)
    stores = Stores()
    first, second = stores.open("a"), stores.open("b")
    first.put("files/a.bin", b"12345678")
    with pytest.raises(StoreFull):
        second.put("files/a.bin", b"123")
    del first
    assert isinstance(second, MemoryStore) and second.room == 10


def test_an_old_tenants_folder_is_forgotten(tmp_path):
    Stores(tmp_path).open("lab-old").put("files/a.bin", b"x")
    for path in tmp_path.rglob("*"):
        os.utime(path, (0, 0))
    Stores(tmp_path).open("lab-new").put("files/a.bin", b"x")
    assert Stores(tmp_path).open("lab-old").get("files/a.bin") is None
    assert Stores(tmp_path).open("lab-new").get("files/a.bin") == b"x"
