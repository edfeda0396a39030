"""A cache that answers also when the question is only nearly the same.

    cache = lk.SemanticCache("memory", threshold=0.9)
    client = lk.LLMClient("openai", cache=cache)
    client.chat("What is an API?")
    client.chat("What's an API?").notes        # ("Answer to a similar question (0.93): 'What is an API?'",)

The exact call is looked for first. Then the last question is embedded and compared with those of its namespace: the
same model, system prompt, earlier turns and parameters; nothing else may be mixed. At or above the threshold the kept
answer is given. That is a bet: a near question is not the same one, and no threshold makes it safe. Measure yours with
`sweep_thresholds` or `replay` before you trust it.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from cachetools import LRUCache

from labkit.caching import keys, sentences
from labkit.caching.embedders import Embedder, LexicalEmbedder, ProviderEmbedder, Vectors, embedder
from labkit.caching.guard import PAUSE_SECONDS
from labkit.caching.response_cache import ResponseCache
from labkit.caching.stores import Store, VectorRow
from labkit.caching.vectors import VectorIndex
from labkit.caching.warning import CacheWarning
from labkit.errors import CallError, LabkitError
from labkit.flow import Either, Flow

if TYPE_CHECKING:
    from labkit.caching.embedders import Given, Matrix
    from labkit.caching.passage import Passage
    from labkit.caching.records import Record

THRESHOLD = 0.9
NAMESPACES = 64
"""Kept in memory at one time; another one is read from the store again."""
SHOWN = 60
"""Characters of a question in a note."""


class SemanticCache(ResponseCache):
    """Answers by the exact call, and by a question that is near enough."""

    def __init__(
        self,
        where: Store | Path | str | None = None,
        *,
        embedder: Given | None = None,
        threshold: float = THRESHOLD,
        ttl: float | None = None,
        max_entries: int | None = None,
        salt: str = "",
        clock: Callable[[], float] = time.time,
        pause: float = PAUSE_SECONDS,
    ) -> None:
        """
        Args:
            embedder: "sentences" (a model on this machine, see `labkit.caching.sentences`), an `LLMClient` whose
                provider embeds, a function from a list of texts to vectors, or "lexical". None: sentences if they are
                installed, else the provider that answers if it has embeddings, else lexical, which is said.
            threshold: least cosine of a hit, from 0 to 1.

        Other arguments, and errors, as of `ResponseCache`.
        """
        super().__init__(where, ttl=ttl, max_entries=max_entries, salt=salt, clock=clock, pause=pause)
        if not 0 <= threshold <= 1:
            raise ValueError(f"threshold is a cosine from 0 to 1, got {threshold!r}")
        self.threshold = threshold
        self._given = _embedder(embedder)
        self._indexes: LRUCache[str, VectorIndex] = LRUCache(NAMESPACES)
        self._lock = RLock()
        self._said: set[str] = set()
        self.embedder_name = self._given.name if self._given else ""
        """What compares the questions; "" until the first one when the provider's own is used."""

    def similar(self, passage: Passage) -> Flow[tuple[Record, str] | None]:
        question = passage.call.request.messages[-1]
        if question.role != "user":
            return None
        by = self._given or self._default(passage)
        self.embedder_name = by.name
        try:
            found: Vectors = yield Either(lambda: by.embed([question.text]), lambda: by.aembed([question.text]))
        except LabkitError as error:
            self._say("embed", f"No embeddings from {by.name} ({_first_sentence(error)}): only equal calls are found.")
            return None
        self.statistics.add_embedding(found.cost_usd)
        description = keys.described(passage.call.request, passage.place)
        space = keys.namespace({**description, "salt": self.salt}, question.text, embedder=by.name)
        passage.vector = space, VectorRow(passage.key, question.text, found.matrix[0].astype("<f4").tobytes())
        nearest = self._nearest(space, found.matrix[0])
        if nearest is None:
            return None
        passage.similarity, row, record = nearest
        if passage.similarity < self.threshold:
            return None
        words = " by its words" if isinstance(by, LexicalEmbedder) else ""
        asked = row.question if len(row.question) <= SHOWN else row.question[:SHOWN] + "…"
        return record, f"Answer to a question that is similar{words} ({passage.similarity:.2f}): {asked!r}"

    def kept(self, passage: Passage) -> None:
        if passage.vector is not None:  # a refreshed one has none: its question is there, or the next miss adds it
            space, row = passage.vector
            self._guard.write(lambda store: store.add_vector(space, row))

    def clear(self) -> None:
        super().clear()
        with self._lock:
            self._indexes.clear()

    def __repr__(self) -> str:
        by = "lexical: words, not meanings" if self.embedder_name == "lexical" else self.embedder_name
        return f"{super().__repr__()[:-1]}; similar from {self.threshold:g}{f' by {by}' if by else ''}>"

    def _nearest(self, space: str, vector: Matrix) -> tuple[float, VectorRow, Record] | None:
        """The nearest question that still has its answer."""
        with self._lock:
            index = self._indexes.get(space)
            if index is None:
                index = self._indexes[space] = VectorIndex()
            after = index.position
            nothing: tuple[int, list[VectorRow]] = (after, [])
            index.position, rows = self._guard.read(lambda store: store.vectors(space, after), nothing)
            index.add(rows)
            while (best := index.nearest(vector)) is not None and best[1] > 0:
                row = index.row(best[0])
                record = self.get(row.key)
                if record is not None:
                    return best[1], row, record
                index.strike(best[0])
        return None

    def _default(self, passage: Passage) -> Embedder:
        if sentences.available():
            self._given = sentences.SentenceEmbedder()
            return self._given
        if passage.client.adapter.embeds:
            return ProviderEmbedder(passage.client)
        provider = passage.client.provider
        self._say(
            "lexical",
            f"{provider} has no embeddings, so questions are compared by their words alone: give "
            "SemanticCache(embedder=LLMClient('openai')), or \"sentences\", to compare meanings.",
        )
        return LexicalEmbedder()

    def _say(self, subject: str, sentence: str) -> None:
        if subject not in self._said:
            self._said.add(subject)
            warnings.warn(sentence, CacheWarning, stacklevel=2)


def _embedder(given: Given | None) -> Embedder | None:
    """Outside the class, where an argument has the function's name."""
    return None if given is None else embedder(given)


def _first_sentence(error: LabkitError) -> str:
    kind = f"{type(error).__name__}: " if isinstance(error, CallError) else ""
    return kind + str(error).split(". ")[0].rstrip(".")
