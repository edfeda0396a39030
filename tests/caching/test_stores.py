"""One contract on every store, and what each does when the world does not hold."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import timeit
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit import LLMClient, ResponseCache
from labkit.caching import CacheWarning
from labkit.caching.records import Record
from labkit.caching.stores import MemoryStore, SQLiteStore, Store, VectorRow, opened
from labkit.caching.stores.redis import RedisStore
from labkit.chat import ChatResponse, ToolCall
from labkit.errors import SettingsError

CALLED = (ToolCall("c", "f", {"a": 1}),)
RECORD = Record("naïve 🙂", "stop", "openai", "m", created=1000.0, cost_usd=0.1, tool_calls=CALLED)
KINDS = ("memory", "sqlite", "redis")


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "redis":
        return RedisStore(request.getfixturevalue("redis").url)
    return MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "folder" / "cache.sqlite3")


def test_records_come_back_as_they_were(store: Store) -> None:
    assert store.get("k") is None and len(store) == 0
    store.put("k", RECORD)
    store.put("k", RECORD)
    store.put("other", Record("", "stop", "p", "m", created=time.time(), expires=time.time() + 60))
    assert store.get("k") == RECORD and len(store) == 2
    store.delete("k")
    store.delete("k")
    assert store.get("k") is None and len(store) == 1
    store.clear()
    assert len(store) == 0
    store.close()
    assert store.get("other") is None  # the next use opens it again


def test_vectors_come_in_order_and_only_the_new_ones(store: Store) -> None:
    rows = [VectorRow(f"k{n}", f"Frage {n} 🙂", bytes([n] * 8)) for n in range(5)]
    for row in rows[:3]:
        store.add_vector("space", row)
    store.add_vector("elsewhere", rows[4])
    position, found = store.vectors("space", 0)
    assert found == rows[:3]
    store.add_vector("space", rows[3])
    position, found = store.vectors("space", position)
    assert found == rows[3:4]
    assert store.vectors("space", position) == (position, [])


def test_many_threads_write_and_read(store: Store) -> None:
    def work(n: int) -> bool:
        store.put(str(n % 20), RECORD)
        return store.get(str(n % 20)) == RECORD

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(200)))
    assert len(store) == 20


@pytest.mark.parametrize("kind", KINDS[:2])
def test_the_number_of_records_is_bounded(kind: str, tmp_path: Path) -> None:
    store = MemoryStore(100) if kind == "memory" else SQLiteStore(tmp_path / "c", 100)
    for n in range(1000):
        store.put(str(n), Record("x", "stop", "p", "m", created=float(n)))
        store.add_vector("space", VectorRow(str(n), "q", b"1234"))
    assert len(store) <= 100 and store.get("999") is not None and store.get("0") is None
    assert len(store.vectors("space", 0)[1]) <= 200


def test_a_record_is_json_that_anybody_can_read(tmp_path: Path) -> None:
    assert json.loads(RECORD.to_json())["text"] == "naïve 🙂"
    for broken in ("", "[]", "{}", '{"text": 1, "tool_calls": 3}', "null"):
        with pytest.raises(ValueError):
            Record.from_json(broken)


def test_a_place_is_found_by_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    assert opened(None).label == str(tmp_path / "cache.sqlite3")
    monkeypatch.setenv("LABKIT_REDIS_URL", "redis://ada:" + "secret@127.0.0.1:1/0")
    assert opened(None).label == "redis://127.0.0.1:1/0"
    with pytest.raises(SettingsError, match="no store"):
        opened("postgres://127.0.0.1/x")


# --- SQLite ---


@pytest.mark.parametrize("content", [b"no database at all, and long enough " * 50, b"SQLite format 3\0" * 300])
def test_a_broken_file_is_moved_aside_and_said_once(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cache.sqlite3"
    path.write_bytes(content)
    cache = ResponseCache(path)
    with pytest.warns(CacheWarning, match="damaged: it was moved to cache.sqlite3.broken-1") as said:
        for _ in range(3):
            cache.get("k")
    assert len(said) == 1 and (tmp_path / "cache.sqlite3.broken-1").read_bytes() == content
    cache.store.put("k", RECORD)
    assert ResponseCache(path).get("k") == RECORD


def test_a_file_that_is_damaged_inside_is_replaced_while_in_use(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite3"
    store = SQLiteStore(path)
    for n in range(400):
        store.put(str(n), RECORD)
    store.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))
    cache = ResponseCache(path, pause=0)
    with pytest.warns(CacheWarning, match="damaged"):
        found = [cache.get(str(n)) for n in range(400)]
    assert None in found
    cache.store.put("new", RECORD)
    assert cache.get("new") == RECORD


def test_a_folder_that_cannot_be_made_is_said_once_and_calls_go_on(session: object, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    client = LLMClient("openai", cache=tmp_path / "file" / "cache.sqlite3")
    with pytest.warns(CacheWarning, match="cannot be read .*: calls go on without it") as said:
        answers = [client.chat("Hi") for _ in range(3)]
    assert not any(answer.cached for answer in answers) and len(said) == 1


@pytest.mark.parametrize(
    ("statement", "reason"),
    [("PRAGMA user_version = 99", "later labkit"), ("CREATE TABLE savings (usd)", "another program's database")],
)
def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path, statement: str, reason: str) -> None:
    path = tmp_path / "cache.sqlite3"
    with sqlite3.connect(path) as theirs:
        theirs.execute(statement)
    theirs.close()
    content = path.read_bytes()
    with pytest.warns(CacheWarning, match=reason):
        assert ResponseCache(path).get("k") is None
    assert list(tmp_path.iterdir()) == [path] and path.read_bytes() == content


FULL = """
import resource, signal, sys, warnings
from labkit import ResponseCache
from labkit.chat import ChatResponse
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
cache = ResponseCache(sys.argv[1], pause=0)
cache.put("before", ChatResponse("x", finish_reason="stop"))
cache.close()
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    for n in range(300):
        cache.put(f"{n}", ChatResponse("y" * 2000, finish_reason="stop"))
    assert cache.get("before").text == "x"
print(len(said), said[0].message)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on file sizes is POSIX's")
def test_a_full_disk_is_said_once_and_what_is_there_is_read(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "c")], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.startswith("1 ") and "new answers are not kept" in done.stdout
    assert ResponseCache(tmp_path / "c").get("before") is not None


WRITER = """
import sys, itertools
from labkit.caching.stores import SQLiteStore
from labkit.caching.records import Record
store = SQLiteStore(sys.argv[1])
for n in itertools.count():
    store.put(f"{sys.argv[2]}-{n}", Record("x" * 500, "stop", "p", "m", created=float(n)))
    print(n, flush=True)
"""


def writer(path: Path, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(path), name], stdout=subprocess.PIPE, text=True)


def test_a_kill_loses_no_kept_answer(tmp_path: Path) -> None:
    path = tmp_path / "c"
    for name, lines in (("a", 3), ("b", 50), ("c", 120)):
        with writer(path, name) as process:
            assert process.stdout is not None
            for _ in range(lines):
                last = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
        store = SQLiteStore(path)
        assert all(store.get(f"{name}-{n}") is not None for n in range(last + 1))
        store.close()


def test_two_processes_share_one_file(tmp_path: Path) -> None:
    path = tmp_path / "c"
    store = SQLiteStore(path)
    with writer(path, "a") as one, writer(path, "b") as two:
        assert one.stdout is not None and two.stdout is not None
        for n in range(100):
            store.put(f"here-{n}", RECORD)
            for process in (one, two):
                process.stdout.readline()
        for process in (one, two):
            process.kill()
    assert all(store.get(f"{name}-{n}") is not None for name in ("a", "b", "here") for n in range(100))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is POSIX's")
def test_a_forked_process_opens_the_file_anew(tmp_path: Path) -> None:
    code = (
        "import os, sys; from labkit.caching.stores import SQLiteStore; from labkit.caching.records import Record\n"
        "store = SQLiteStore(sys.argv[1]); put = lambda k: store.put(k, Record('x', 'stop', 'p', 'm', created=0.0))\n"
        "put('parent')\n"
        "pid = os.fork()\n"
        "if pid == 0: put('child'); os._exit(0)\n"
        "assert os.waitpid(pid, 0)[1] == 0 and store.get('child') and store.get('parent')\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "c")], timeout=60, check=True)


# --- Redis ---


def test_redis_goes_away_and_comes_back(session: object, redis: Any) -> None:
    client = LLMClient("openai", cache=ResponseCache(redis.url, pause=0))
    client.chat("Hi")
    assert client.chat("Hi").cached
    redis.stop()
    with pytest.warns(CacheWarning, match="Redis at .* cannot be") as said:
        answers = [client.chat("Hi") for _ in range(3)]
    assert not any(answer.cached for answer in answers) and all(answer.text for answer in answers)
    assert len(said) == 1
    redis.start()
    client.chat("Hi")
    assert client.chat("Hi").cached


def test_a_redis_that_is_down_is_left_alone_for_a_moment(redis: Any) -> None:
    redis.stop()
    cache = ResponseCache(redis.url, pause=60)
    with pytest.warns(CacheWarning):
        cache.get("k")
    redis.start()
    cache.store.put("k", RECORD)
    assert cache.get("k") is None and cache.store.get("k") == RECORD


def test_a_redis_that_hangs_holds_up_one_call_for_a_moment() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        cache = ResponseCache(f"redis://127.0.0.1:{mute.getsockname()[1]}/0", pause=60)
        with pytest.warns(CacheWarning, match="Timeout"):
            took = timeit.timeit(lambda: cache.get("k"), number=1)
        assert 0.4 < took < 5 and timeit.timeit(lambda: cache.get("k"), number=100) < 0.1


def test_redis_forgets_by_itself(redis: Any) -> None:
    import redis as client

    cache = ResponseCache(redis.url, ttl=100)
    cache.put("k", ChatResponse("x", finish_reason="stop"))
    raw = client.Redis.from_url(redis.url)
    assert 90_000 < raw.pttl("labkit:cache:v1:k") <= 100_000
    assert json.loads(raw.get("labkit:cache:v1:k"))["text"] == "x"
    raw.close()


def test_redis_by_the_setting(session: object, redis: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LABKIT_REDIS_URL", redis.url)
    monkeypatch.setenv("LABKIT_SERVER_URL", lk.current().url)
    with lk.start(quiet=True):
        client = LLMClient("openai", cache=True)
        client.chat("Hi")
        assert client.chat("Hi").cached and str(redis.port) in repr(client.cache)
    assert not (tmp_path / "cache.sqlite3").exists()


def test_what_is_no_redis_address_is_said() -> None:
    with pytest.raises(SettingsError, match="no Redis address"):
        RedisStore("redis://127.0.0.1:notaport/0")
