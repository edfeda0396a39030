"""The journal: bounded in memory and on disk, and asked the same way wherever an entry lies."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from labkit.server import journal as rules
from labkit.server.http import Request
from labkit.server.journal import Entry, Journal, Shelf, Wire, bounded
from labkit.server.store import FolderStore, MemoryStore


def entry(number: int, **fields) -> Entry:
    fields = {"provider": "openai", "method": "POST", "path": "/v1/x", "status": 200} | fields
    return Entry(id=number, request_id=f"req_{number}", time="", lab_time=0.0, tenant="lab-…", **fields)


def filled(journal: Journal, count: int, **fields) -> Journal:
    for _ in range(count):
        journal.add(entry(journal.next_id(), **fields))
    return journal


def wire(body: bytes = b"{}") -> Wire:
    return Wire(Request("POST", "/v1/x", b"", [], body))


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "tenant")


@pytest.fixture
def long(store) -> Journal:
    """A journal most of whose entries are on disk."""
    return filled(Journal(store), 3 * rules.IN_MEMORY + 7)


def test_memory_is_bounded_and_nothing_is_lost(long):
    assert len(long._entries) <= rules.IN_MEMORY
    assert [e["id"] for e in long.select(limit=10**6)] == list(range(1, long.last_id + 1))


@pytest.mark.parametrize("after", [0, 499, 500, 501, 2_500, 3_000, 3_006, 3_007, 9_999])
def test_pages_go_on_across_memory_and_disk(long, after):
    page = [e["id"] for e in long.select(after=after, limit=5)]
    assert page == list(range(after + 1, min(after + 6, long.last_id + 1)))


def test_an_entry_reads_the_same_from_disk_as_from_memory(store):
    journal = Journal(store)
    fields = {"params": {"temperature": 0.5, "stop": ["é\n"]}, "usage": {"total": 3}, "error": None, "retry": 2}
    filled(journal, 1, **fields)
    before = journal.select()
    journal.withdraw()
    assert journal.select() == before and not journal._entries


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_filters_find_the_same_in_memory_and_on_disk(store, where):
    journal = Journal(store)
    for path, status, model in (("/a", 200, "m"), ('/"b"', 404, None), ("/é", 429, "m-2")):
        filled(journal, 1, path=path, status=status, model=model)
    if where == "disk":
        journal.withdraw()
    found = [[e["id"] for e in journal.select(**asked)] for asked in (
        {"status": "404"}, {"path": '/"b"'}, {"path": "/é"}, {"model": "m"}, {"model": "None"}, {"status": "20"},
    )]  # fmt: skip
    assert found == [[2], [2], [3], [1], [2], []]


def test_one_entry_is_found_wherever_it_lies(long):
    for number in (1, 1_234, long.last_id):
        assert long.find(number)["request_id"] == f"req_{number}"
    assert long.find(0) is None and long.find(long.last_id + 1) is None


def test_the_oldest_files_go_when_there_are_too_many_bytes(store, monkeypatch):
    monkeypatch.setattr(rules, "BYTES_IN_FILES", 400_000)
    journal = filled(Journal(store), 5_000)
    kept = [e["id"] for e in journal.select(limit=10**6)]
    assert kept == list(range(kept[0], 5_001)) and kept[0] > 1_000
    on_disk = sum(len(store.get(name)) for name in store.names("journal"))
    assert 200_000 < on_disk <= 400_000


def test_without_a_folder_less_is_kept_and_it_is_bounded_too(monkeypatch):
    store = MemoryStore()
    journal = filled(Journal(store), 10_000)
    assert store.size <= rules.BYTES_IN_MEMORY
    assert journal.select(limit=1)[0]["id"] > 1_000 and journal.find(10_000)


def test_a_full_store_drops_entries_and_never_refuses_one(store, monkeypatch):
    monkeypatch.setattr("labkit.server.store.LARGEST_STORE", 300_000)
    journal = filled(Journal(store), 4_000)
    assert store.room >= 0 and journal.find(4_000)


def test_wires_are_bounded_by_number_and_by_bytes(monkeypatch):
    journal = Journal()
    for _ in range(rules.KEPT_WIRES + 5):
        journal.add(entry(journal.next_id()), wire())
    assert journal.find(5)["wire"] is None and journal.find(6)["wire"] is not None
    for _ in range(100):
        journal.add(entry(journal.next_id()), wire(b"x" * 100_000))
    assert journal._wire_bytes <= rules.KEPT_WIRE_BYTES


def test_many_journals_share_one_shelf():
    shelf = Shelf(entries=1_000, wire_bytes=100_000)
    journals = [Journal(MemoryStore(), shelf) for _ in range(50)]
    for journal in journals * 2:
        for _ in range(30):
            journal.add(entry(journal.next_id()), wire(b"x" * 1_000))
    assert shelf.entries == sum(len(j._entries) for j in journals) <= 1_000
    assert shelf.wire_bytes == sum(j._wire_bytes for j in journals) <= 100_000
    assert all(len(journal.select()) == 60 for journal in journals), "what left memory is still found"


def test_all_files_together_are_bounded_the_oldest_of_any_tenant_going_first(tmp_path):
    shelf = Shelf(file_bytes=300_000)
    journals = [filled(Journal(FolderStore(tmp_path / str(n)), shelf), 1_500) for n in range(4)]
    assert shelf.file_bytes == sum(f.size for j in journals for f in j._files) <= 300_000
    assert len(journals[0].select(limit=9_999)) < len(journals[-1].select(limit=9_999)) == 1_500


def test_a_later_process_reads_on_and_reuses_no_id(store):
    filled(Journal(store), 10).withdraw()
    later = Journal(store)
    assert [e["id"] for e in later.select()] == list(range(1, 11))
    assert later.next_id() > 10 + rules.IN_MEMORY


def test_clearing_leaves_nothing_behind(store):
    shelf = Shelf()
    journal = filled(Journal(store, shelf), 2_500)
    journal.clear()
    assert journal.select() == [] and store.names("journal") == []
    assert (shelf.entries, shelf.wire_bytes, shelf.file_bytes) == (0, 0, 0)
    assert journal.next_id() == 2_501


def test_large_parameters_are_named_by_their_size():
    params = {"temperature": 0, "tools": [{"x": "y" * 50_000}], "stop": ["a"]}
    kept = bounded(params)
    assert kept["temperature"] == 0 and kept["stop"] == ["a"] and kept["tools"] == "(50,010 bytes)"
    assert params["tools"][0]["x"], "the request's own are left as they are"


def test_entries_take_little_memory(store):
    filled(journal := Journal(store), 100)
    size = sum(sys.getsizeof(getattr(e, name)) for e in journal._entries for name in rules.ENTRY_FIELDS)
    assert size / 100 < 2_000
