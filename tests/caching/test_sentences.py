"""The sentence model: its published figures, and a semantic cache on it. The weights are installed into build/."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labkit import LLMClient, SemanticCache
from labkit.caching import SentenceEmbedder
from labkit.errors import UserError


@pytest.fixture(scope="module")
def model(sentence_weights: Path) -> SentenceEmbedder:
    return SentenceEmbedder(sentence_weights)


def test_the_similarities_are_those_that_its_makers_publish(model: SentenceEmbedder) -> None:
    """The example of the sentence-transformers documentation."""
    texts = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    vectors = model.embed(texts).matrix
    published = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
    assert vectors.shape == (3, 384) and np.abs(vectors @ vectors.T - published).max() < 1e-4


def test_a_text_has_the_same_vector_alone_and_among_longer_ones(model: SentenceEmbedder) -> None:
    short, longer = "Hello", "A longer sentence that makes the other one be padded. " * 3
    together = model.embed([longer, short, longer]).matrix[1]
    assert np.abs(together - model.embed([short]).matrix[0]).max() < 1e-5


def test_what_is_longer_than_256_tokens_is_read_to_there(model: SentenceEmbedder) -> None:
    once, twice = model.embed(["word " * 300, "word " * 600]).matrix
    assert np.allclose(once, twice)


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize("provider", ["anthropic", "openai"])
async def test_a_semantic_cache_on_it_costs_no_embedding_call(model: SentenceEmbedder, provider: str) -> None:
    client = LLMClient(provider, cache=SemanticCache("memory", embedder=model, threshold=0.8))
    client.chat("How do I cancel my subscription?")
    assert (await client.achat("How can I cancel my subscription?")).cached
    assert not client.chat("How do I cancel my flight?").cached
    assert client.cache.statistics.embedding_usd == 0 and "MiniLM" in repr(client.cache)


def test_missing_or_other_weights_are_refused_in_a_sentence(tmp_path: Path, sentence_weights: Path) -> None:
    with pytest.raises(UserError, match="not installed.*sentences.txt"):
        SentenceEmbedder(tmp_path).embed(["hi"])
    (tmp_path / "tokenizer.json").write_bytes((sentence_weights / "tokenizer.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"something else")
    with pytest.raises(UserError, match="not all-MiniLM-L6-v2 as published"):
        SentenceEmbedder(tmp_path).embed(["hi"])
