"""What a cache hit costs: `python -m bench.caching`.

Best of some runs, in one process, beside the barest thing that could do it: a dict, and `SELECT` on an open file.
Goals: a hit of the memory cache under 30 microseconds, of the SQLite cache under 300, key included. The last lines are
the whole of `LLMClient.chat`: parameters checked, and a line in the ledger.
"""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
import timeit
from collections.abc import Callable
from pathlib import Path

import numpy as np

import labkit as lk
from labkit.caching import keys
from labkit.caching.stores import MemoryStore, SQLiteStore, VectorRow
from labkit.caching.vectors import VectorIndex
from labkit.chat import ChatRequest, ChatResponse, as_messages

ENTRIES = 10_000
DIMENSIONS = 1536
RUNS, LOOPS = 7, 300
PLACE = keys.Place("openai", "local")
SYSTEM = "You are the assistant of a bookshop. Answer in two sentences, and say so when you do not know. " * 5


def request(n: int) -> ChatRequest:
    return ChatRequest("model", as_messages(f"Where is order {n}, and when will it be here?"), 500, SYSTEM, 0.0, seed=7)


def key(n: int = ENTRIES // 2) -> str:
    return keys.digest(keys.described(request(n), PLACE))


def microseconds(action: Callable[[], object], loops: int = LOOPS) -> float:
    return min(timeit.repeat(action, number=loops, repeat=RUNS)) / loops * 1e6


def lookups(folder: Path) -> dict[str, float]:
    """Microseconds, by what is looked in."""
    stores = {"memory": MemoryStore(2 * ENTRIES), "SQLite": SQLiteStore(folder / "c")}
    caches = {name: lk.ResponseCache(store) for name, store in stores.items()}
    answer = ChatResponse("It left the warehouse this morning and will come tomorrow. " * 4, finish_reason="stop")
    for n in range(ENTRIES):
        found = key(n)
        for cache in caches.values():
            cache.put(found, answer)
    asked, one = request(ENTRIES // 2), key()
    plain = dict.fromkeys((key(n) for n in range(ENTRIES)), answer)
    bare = sqlite3.connect(folder / "c")

    def look(cache: lk.ResponseCache) -> object:
        return cache.get(keys.digest(keys.described(asked, PLACE)))

    return {
        "a dict": microseconds(lambda: plain[one]),
        "the key of a call": microseconds(lambda: keys.digest(keys.described(asked, PLACE))),
        "memory cache, key included": microseconds(lambda: look(caches["memory"])),
        "a bare SELECT and json.loads": microseconds(
            lambda: json.loads(bare.execute("SELECT body FROM records WHERE key = ?", (one,)).fetchone()[0])
        ),
        "SQLite cache, key included": microseconds(lambda: look(caches["SQLite"])),
    }


def nearest() -> dict[str, float]:
    """Microseconds of the exact search among as many questions; the embedding comes on top."""
    rows = np.random.default_rng(7).standard_normal((ENTRIES, DIMENSIONS)).astype("<f4")
    index = VectorIndex()
    index.add([VectorRow(str(n), "", row.tobytes()) for n, row in enumerate(rows)])
    return {f"nearest of {ENTRIES:,} questions": microseconds(lambda: index.nearest(rows[7]), 10)}


def chats(folder: Path) -> dict[str, float]:
    """Microseconds of a whole call."""
    clients = {
        "no cache": lk.LLMClient("openai", temperature=0, tier="sampling"),
        "memory cache": lk.LLMClient("openai", temperature=0, tier="sampling", cache="memory"),
        "SQLite cache": lk.LLMClient("openai", temperature=0, tier="sampling", cache=folder / "chats"),
    }
    took = {}
    for name, client in clients.items():
        client.chat("What is an API?", max_tokens=60)
        ask = lambda client=client: client.chat("What is an API?", max_tokens=60)  # noqa: E731
        took[f"chat, {name}"] = microseconds(ask, 30 if name == "no cache" else LOOPS)
    return took


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["LABKIT_HOME"] = name
        found = lookups(folder) | nearest()
        with lk.start(quiet=True, seed=7):
            lk.lab.limits(requests_per_minute=1_000_000)
            found |= chats(folder)
        from labkit import daemon, settings

        daemon.stop(settings.load())
    for what, us in found.items():
        print(f"{what:30} {us:9.1f} us")
    ratio = found["SQLite cache, key included"] / found["a bare SELECT and json.loads"]
    print(f"the SQLite cache takes {ratio:.1f} x a bare SELECT; a chat from memory "
          f"{found['chat, no cache'] / found['chat, memory cache']:.0f} x less than one that is sent")  # fmt: skip


if __name__ == "__main__":
    main()
