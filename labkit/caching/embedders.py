"""Texts to vectors for a semantic cache, by whatever is at hand.

    SentenceEmbedder()              a sentence model on this machine: see `labkit.caching.sentences`
    ProviderEmbedder(client)        the provider's own embedding endpoint: costs a call for each new question
    FunctionEmbedder(model.encode)  any function from texts to vectors, such as a sentence model on this machine
    LexicalEmbedder()               the last resort: letters and words, no meanings; free, and it says so everywhere
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np

from labkit.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labkit.chat import Embeddings
    from labkit.client import LLMClient

    Matrix = NDArray[np.float32]
    Given: TypeAlias = "Embedder | LLMClient | Callable[[list[str]], Any] | str"
    """What a user may give as an embedder: a client, a function of a list of texts, "lexical", or one of these."""

AT_ONCE = 100
"""Texts of one request to a provider."""
DIMENSIONS = 2048
"""Of a lexical vector."""
WORD, PAIR, PART = 1.0, 0.4, 0.25
"""Weights of a word, of two words in a row, and of three letters in a row."""
_WORD = re.compile(r"\w+")


class Vectors(NamedTuple):
    """One row a text, each of length 1."""

    matrix: Matrix
    cost_usd: float = 0.0


@runtime_checkable
class Embedder(Protocol):
    name: str
    """Part of a namespace: vectors of two embedders are never compared."""

    def embed(self, texts: Sequence[str]) -> Vectors: ...

    async def aembed(self, texts: Sequence[str]) -> Vectors: ...


class ProviderEmbedder:
    """The embedding endpoint of a client's provider. Its calls stand in the ledger and under the budgets."""

    def __init__(self, client: LLMClient) -> None:
        self._client = client
        self.name = f"{client.provider}/{client.embedding_model}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        return _together([self._client.embed(part) for part in _parts(texts)])

    async def aembed(self, texts: Sequence[str]) -> Vectors:
        return _together([await self._client.aembed(part) for part in _parts(texts)])


class FunctionEmbedder:
    """Vectors of a function. In a coroutine it runs in a thread, since a model on this machine takes its time."""

    def __init__(self, function: Callable[[list[str]], Any], name: str = "") -> None:
        """
        Args:
            name: tells its vectors from others'; needed when two functions share a store.
        """
        self._function = function
        self.name = name or getattr(function, "__qualname__", type(function).__name__)

    def embed(self, texts: Sequence[str]) -> Vectors:
        return Vectors(unit(self._function(list(texts))))

    async def aembed(self, texts: Sequence[str]) -> Vectors:
        return await asyncio.to_thread(self.embed, texts)


class LexicalEmbedder:
    """Hashed words, word pairs and letter triples. Near means: the same words. It knows no synonym and no negation.

    >>> near, far = (LexicalEmbedder().embed(pair).matrix for pair in (["red cars", "a red car"], ["red cars", "soup"]))
    >>> bool(near[0] @ near[1] > 0.4 > 0.1 > far[0] @ far[1])
    True
    """

    name = "lexical"

    def embed(self, texts: Sequence[str]) -> Vectors:
        matrix = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for row, text in zip(matrix, texts, strict=True):
            for feature, weight in _features(text):
                bits = int.from_bytes(blake2b(feature.encode("utf-8", "surrogatepass"), digest_size=8).digest())
                row[bits % DIMENSIONS] += weight if bits >> 63 else -weight
        return Vectors(unit(matrix))

    async def aembed(self, texts: Sequence[str]) -> Vectors:
        return self.embed(texts)


def embedder(given: Given) -> Embedder:
    """An embedder out of what a user may give: one of these, a client, a function, "sentences" or "lexical".

    Raises:
        UserError: nothing of that.
    """
    from labkit.client import LLMClient

    if isinstance(given, str):
        if given == "lexical":
            return LexicalEmbedder()
        if given == "sentences":
            from labkit.caching.sentences import SentenceEmbedder

            return SentenceEmbedder()
    elif isinstance(given, LLMClient):
        return ProviderEmbedder(given)
    elif isinstance(given, Embedder):
        return given
    elif callable(given):
        return FunctionEmbedder(given)
    raise UserError(f"embedder={given!r} is none: give an LLMClient, a function of texts, 'sentences' or 'lexical'.")


def unit(vectors: Any) -> Matrix:
    """Rows brought to length 1, 32 bit and contiguous; a row of zeros stays one.

    Raises:
        UserError: no table of numbers.
    """
    matrix = np.ascontiguousarray(vectors, dtype=np.float32)
    if matrix.ndim != 2:
        raise UserError(f"An embedder returns one vector a text; this is of shape {matrix.shape}.")
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    scaled: Matrix = np.divide(matrix, lengths, out=np.zeros_like(matrix), where=lengths > 0)
    return scaled


def _features(text: str) -> list[tuple[str, float]]:
    words = _WORD.findall(text.casefold()) or list(text)
    found = [(f"word {word}", WORD) for word in words]
    found += [(f"pair {a} {b}", PAIR) for a, b in pairwise(words)]
    found += [(f"part {w[i : i + 3]}", PART) for w in (f"<{word}>" for word in words) for i in range(len(w) - 2)]
    return found


def _parts(texts: Sequence[str]) -> list[list[str]]:
    return [list(texts[i : i + AT_ONCE]) for i in range(0, len(texts), AT_ONCE)]


def _together(answers: Sequence[Embeddings]) -> Vectors:
    vectors = [vector for answer in answers for vector in answer]
    return Vectors(unit(vectors), sum(answer.cost_usd or 0.0 for answer in answers))
