import ast
from pathlib import Path

import pytest

import labkit as lk
from labkit import datasets

ROOT = Path(datasets.__file__).parent.parent


@pytest.mark.parametrize("name", ["sentiment", "tickets"])
def test_labelled_sets_are_large_and_balanced(name):
    table = lk.datasets.load(name)
    counts = table["label"].value_counts()
    assert len(table) >= 200
    assert set(counts.index) == set(lk.datasets.LABELS[name])
    assert counts.min() == counts.max()
    assert list(table.columns) == ["label", "text"]


def test_notices_say_what_they_mention():
    rows = lk.datasets.records("notices")
    assert len(rows) >= 200
    for row in rows:
        for kind in ("person", "organisation", "place"):
            assert row[kind] is None or row[kind] in row["text"]
        assert (row["amount"] is None) == (row["currency"] is None)


def test_query_log_has_paraphrases():
    log = lk.datasets.load("queries")
    sizes = log.groupby("same_as").size()
    assert len(log) >= 400
    assert log["text"].is_unique
    assert (sizes >= 2).mean() > 0.9
    assert log["same_as"].dtype == int


@pytest.mark.parametrize("name", datasets.names())
def test_no_text_stands_in_two_splits(name):
    texts = [row["text"] for row in datasets.records(name, split=None)]
    assert len(texts) == len(set(texts))


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="tickets"):
        lk.datasets.load("ticket")
    with pytest.raises(ValueError, match="held_out"):
        lk.datasets.load("tickets", split="test")


def test_the_engine_was_made_without_the_sets():
    importers = {
        path.name
        for path in (ROOT / "engine").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and any(alias.name == "datasets" for alias in node.names)
    }
    knowledge = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "engine").rglob("*.md"))
    held_out = [row["text"] for name in ("sentiment", "tickets", "notices") for row in datasets.records(name)]
    assert importers == {"accuracy.py"}
    assert not [text for text in held_out if text in knowledge]


def test_the_handbook_holds_what_sorts_and_much_that_does_not() -> None:
    sections = datasets.handbook()
    size = {heading: lk.count_tokens(text) for heading, text in sections.items()}
    needed = sum(size.pop(heading) for heading in datasets.HANDBOOK_NEEDED)
    assert needed > 1024  # long enough for a prompt cache
    assert 750 < sum(size.values()) < 850
    assert all(f"- {label}: " in sections["Queues"] for label in datasets.LABELS["tickets"])
