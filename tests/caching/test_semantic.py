"""Near questions: by the provider's embeddings, by a function, and by words as the last resort."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import labkit as lk
from labkit import LLMClient, ResponseCache, SemanticCache
from labkit.caching import CacheWarning, LexicalEmbedder, replay, sweep_thresholds
from labkit.errors import UserError

QUESTION, NEAR, FAR = "What is an API?", "What's an API?", "What is an SDK?"
PAIRS = [
    ("How do I reset my password?", "How can I reset my password?", True),
    (QUESTION, "Explain what an API is.", True),
    ("Is the shop open on Sunday?", "Is the shop open on Monday?", False),
    (QUESTION, "How do I reset my password?", False),
]

pytestmark = pytest.mark.usefixtures("session")


def semantic(provider: str = "openai", **options: object) -> LLMClient:
    return LLMClient(provider, cache=SemanticCache("memory", **{"threshold": 0.75, **options}))  # type: ignore[arg-type]


def calls(kind: str) -> int:
    table = lk.ledger.table()
    return int(((table["kind"] == kind) & (table["status"] == "ok")).sum())


@pytest.mark.parametrize("provider", ["openai", "gemini", "azure"])
def test_a_paraphrase_hits_and_another_question_does_not(provider: str) -> None:
    client = semantic(provider)
    first, near, far = (client.chat(asked) for asked in (QUESTION, NEAR, FAR))
    assert (first.cached, near.cached, far.cached) == (False, True, False)
    assert near.text == first.text and repr(QUESTION) in near.notes[-1]
    assert calls("chat") == 2 and calls("embed") == 3
    assert provider in repr(client.cache)


async def test_the_same_with_await_and_in_streams() -> None:
    client = semantic()
    await client.achat(QUESTION)
    assert (await client.achat(NEAR)).cached
    stream = client.astream(NEAR)
    assert "".join([piece async for piece in stream]) == client.chat(QUESTION).text
    assert client.stream("what is an api").read().cached and calls("chat") == 1


async def test_ten_equal_questions_at_once_are_embedded_and_asked_once() -> None:
    client = semantic()
    answers = await asyncio.gather(*(client.achat(QUESTION) for _ in range(10)))
    assert sum(answer.cached for answer in answers) == 9
    assert (calls("embed"), calls("chat")) == (1, 1)


def test_an_equal_call_needs_no_embedding() -> None:
    client = semantic()
    client.chat(QUESTION)
    client.chat(QUESTION)
    assert calls("embed") == 1


@pytest.mark.parametrize("change", [{"system": "Be brief."}, {"max_tokens": 50}, {"temperature": 0}])
def test_namespaces_do_not_mix(change: dict[str, object]) -> None:
    client = LLMClient("openai", tier="sampling", cache=SemanticCache("memory", threshold=0.5))
    client.chat(QUESTION)
    assert not client.chat(NEAR, **change).cached  # type: ignore[arg-type]
    assert client.chat(NEAR).cached


def test_earlier_turns_are_part_of_the_namespace() -> None:
    client = semantic(threshold=0.5)
    client.chat([("user", "Hi"), ("assistant", "Hello"), ("user", QUESTION)])
    assert not client.chat(NEAR).cached
    assert client.chat([("user", "Hi"), ("assistant", "Hello"), ("user", NEAR)]).cached


def test_a_higher_threshold_asks_more() -> None:
    strict, loose = semantic(threshold=0.99), semantic(threshold=0.75)
    for client in (strict, loose):
        client.chat(QUESTION)
    asked = "Explain what an API is."
    assert (strict.chat(asked).cached, loose.chat(asked).cached) == (False, True)


def test_without_embeddings_words_are_compared_and_that_is_said() -> None:
    client = semantic("anthropic", threshold=0.6)
    with pytest.warns(CacheWarning, match="anthropic has no embeddings"):
        client.chat(QUESTION)
    near = client.chat(NEAR)
    assert near.cached and "similar by its words" in near.notes[-1]
    assert "lexical: words, not meanings" in repr(client.cache) and calls("embed") == 0


def test_any_function_of_texts_embeds() -> None:
    def lengths(texts: list[str]) -> list[list[float]]:
        return [[len(text), 1.0] for text in texts]

    client = semantic(embedder=lengths, threshold=0.99)
    client.chat(QUESTION)
    assert client.chat("Soup of the day").cached  # as long as the question, and that is all it looks at


def test_embeddings_that_fail_are_said_once_and_equal_calls_still_hit() -> None:
    client = semantic(embedder=LLMClient("openai", retry=1))
    lk.lab.faults("unavailable", start_s=0, path="embeddings")
    with pytest.warns(CacheWarning, match="only equal calls are found") as said:
        answers = [client.chat(asked) for asked in (QUESTION, NEAR, QUESTION)]
    assert [answer.cached for answer in answers] == [False, False, True] and len(said) == 1


def test_questions_outlive_the_process_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "semantic.sqlite3"
    LLMClient("openai", cache=SemanticCache(path, threshold=0.75)).chat(QUESTION)
    other = LLMClient("openai", cache=SemanticCache(path, threshold=0.75))
    assert other.chat(NEAR).cached
    assert not LLMClient("openai", cache=ResponseCache(path)).chat(NEAR).cached


def test_an_expired_answer_is_not_found_by_its_question() -> None:
    at = 1000.0
    client = semantic(ttl=60, clock=lambda: at)
    client.chat(QUESTION)
    at += 61
    assert not client.chat(NEAR).cached
    assert client.chat(QUESTION).cached  # it is near the one that was just asked


def test_personal_data_is_not_sent_to_be_embedded() -> None:
    assert "e-mail" in semantic().chat("Write to ada@example.org").notes[-1]
    assert calls("embed") == 0


def test_what_a_semantic_cache_saw_is_in_its_statistics() -> None:
    client = semantic()
    for asked in (QUESTION, NEAR, FAR, NEAR):
        client.chat(asked)
    assert client.cache is not None
    history = client.cache.statistics.history()
    assert list(history["outcome"]) == ["miss", "near", "miss", "near"]
    assert history["similarity"].iloc[1] > 0.75 > history["similarity"].iloc[2]
    assert client.cache.statistics.embedding_usd > 0


@pytest.mark.parametrize("wrong", [1.5, -0.1, float("nan")])
def test_a_threshold_is_a_cosine(wrong: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        SemanticCache("memory", threshold=wrong)


def test_what_is_no_embedder_is_said() -> None:
    with pytest.raises(UserError, match="is none"):
        SemanticCache("memory", embedder="openai")


# --- Thresholds ---


def test_a_sweep_counts_hits_and_wrong_ones() -> None:
    table = sweep_thresholds(PAIRS, embedder=LLMClient("openai"), thresholds=(0.0, 0.6, 0.75, 1.0))
    table = table.set_index("threshold")
    assert list(table["hits"]) == [4, 3, 2, 0] and list(table["wrong"]) == [2, 1, 0, 0]
    assert table.loc[0.6, "precision"] == pytest.approx(2 / 3) and table.loc[0.6, "recall"] == 1
    assert table["hit_rate"].is_monotonic_decreasing and table["precision"].isna().iloc[-1]


def test_a_replay_keeps_only_what_was_asked() -> None:
    asked = [QUESTION, NEAR, FAR, QUESTION, "Is the shop open on Sunday?", "Is the shop open on Monday?"]
    table = replay(asked, [1, 1, 2, 1, 3, 4], embedder=LLMClient("openai"), thresholds=(0.6, 0.9, 1.0))
    assert list(table["hits"]) == [3, 2, 1] and list(table["wrong"]) == [1, 0, 0]
    assert list(table["recall"]) == [1.0, 1.0, 0.5] and list(table["wrong_rate"]) == pytest.approx([1 / 6, 0, 0])


def test_a_replay_agrees_with_the_cache_itself() -> None:
    log = lk.datasets.records("queries")[:40]
    texts, groups = [row["text"] for row in log], [row["same_as"] for row in log]
    client = semantic(embedder=LexicalEmbedder(), threshold=0.4)
    hits = sum(client.chat(text, cache="force").cached for text in texts)
    table = replay(texts, groups, thresholds=[0.4])
    assert hits == table["hits"].iloc[0] > 0


def test_nothing_to_measure_is_said() -> None:
    with pytest.raises(UserError, match="no pair"):
        sweep_thresholds([])
    with pytest.raises(UserError, match="one group a question"):
        replay(["a", "b"], [1])
