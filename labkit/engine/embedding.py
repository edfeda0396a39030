"""The embedding model that ships. It is lexical: it knows words, not meanings.

A text becomes weighted features, and each feature a fixed sparse vector of random signs; the sum is brought to unit
length. Two texts are near when they share words, stems of words, synonyms (`texts/synonyms.md`), topics (`topics.md`),
word pairs or letters. So a paraphrase in the same words is near, one in other words only if the two lists know them,
and "the dog bit the man" is all but "the man bit the dog". Negation, irony and other languages are out of its reach.
Nothing here ranks the providers' models: theirs are better, and the mechanics (dimensions, truncation, cosine, search)
are the same.

    "Reading files"  ->  word:read 1.0, word:file 1.0, pair:read file 0.5, part:<re 0.1 ...  ->  (0.03, -0.11, ...)

The vectors of one release are the same on every machine and in every run. Each model id has signs of its own, so that
vectors of two models cannot be compared, as with real ones.

>>> model = EmbeddingModel("doctest", 256)
>>> same, other = cosine(*model.embed_all(["red car", "a red car"])), cosine(*model.embed_all(["red car", "cold soup"]))
>>> same > 0.9 > 0.3 > other
True
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from hashlib import blake2b
from pathlib import Path

from labkit.engine.words import FUNCTION_WORDS, Language

BANDS = (0, 128, 256, 512, 1024, 1536, 3072)
"""Edges of the stretches of a vector. A feature puts the same weight into each, so that the first 256 of 3,072 numbers
are a coarser vector of the same text."""
SIGNS_PER_BAND = 3

WORD, PAIR, PART, TOPIC = 1.0, 0.35, 0.22, 0.45
"""Weights of the kinds of features; PART is divided among the letter groups of one word."""
FUNCTION_WORD = 0.12
"""Weight of "the", "of", "is" against a word that says something."""
FEATURES_KEPT = 50_000

_HERE = Path(__file__).parent
_TOPIC_LINE = re.compile(r"^- (\w+): (.+)$", re.MULTILINE)

Feature = tuple[str, float]
Vector = Sequence[float]


class EmbeddingModel:
    """Texts to vectors of one model."""

    def __init__(self, name: str, dimensions: int) -> None:
        self.name = name
        self.dimensions = dimensions
        self._lexicon = lexicon()
        self._salt = blake2b(name.encode(), digest_size=16).digest()
        self._spread: dict[str, tuple[tuple[int, float], ...]] = {}

    def embed(self, text: str, dimensions: int | None = None) -> array[float]:
        """The unit vector of a text as 32-bit floats: its first `dimensions` numbers, brought to length 1 again.

        An empty text, or one without words and letters, is embedded by its characters.
        """
        return _unit(self._sum(text), dimensions or self.dimensions)

    def truncated(self, text: str, dimensions: int) -> array[float]:
        """The first numbers of the full vector as they are: shorter than 1, as some models return them."""
        return self.embed(text)[:dimensions]

    def embed_all(self, texts: Iterable[str]) -> list[array[float]]:
        return [self.embed(text) for text in texts]

    def _sum(self, text: str) -> list[float]:
        total = [0.0] * self.dimensions
        for feature, weight in self._lexicon.features(text):
            for position, sign in self._signs(feature):
                total[position] += sign * weight
        return total

    def _signs(self, feature: str) -> tuple[tuple[int, float], ...]:
        """Where a feature leaves its marks, and with which sign: drawn by a hash, once."""
        known = self._spread.get(feature)
        if known is None:
            if len(self._spread) >= FEATURES_KEPT:
                self._spread.clear()
            known = self._spread[feature] = tuple(self._draw(feature))
        return known

    def _draw(self, feature: str) -> Iterator[tuple[int, float]]:
        drawn = blake2b(feature.encode("utf-8", "replace"), digest_size=64, salt=self._salt).digest()
        numbers = memoryview(drawn).cast("H")
        n = 0
        for low, high in zip(BANDS, BANDS[1:], strict=False):
            high = min(high, self.dimensions)
            for _ in range(SIGNS_PER_BAND if low < high else 0):
                yield low + (numbers[n] >> 1) % (high - low), 1.0 if numbers[n] & 1 else -1.0
                n += 1


class Lexicon:
    """What is known of words: which are rare, which mean the same, which keep company."""

    def __init__(self, texts: Sequence[str], synonyms: str, topics: str) -> None:
        self._language = Language([synonyms])
        self._idf = self._rarity(texts)
        self._topics: dict[str, list[str]] = {}
        for topic, words in _TOPIC_LINE.findall(topics):
            for word in [topic, *words.split(",")]:
                of_word = self._topics.setdefault(self._language.canonical(word.strip()), [])
                if topic not in of_word:
                    of_word.append(topic)
        self._parts: dict[str, list[str]] = {}

    def _rarity(self, texts: Sequence[str]) -> dict[str, float]:
        """Inverse document frequency, 0 to 1; a word that no text has is as rare as can be."""
        counts: dict[str, int] = {}
        for text in texts:
            for stem in set(self._language.stems(text)):
                counts[stem] = counts.get(stem, 0) + 1
        most = math.log(len(texts) + 1)
        return {stem: math.log((len(texts) + 1) / n) / most for stem, n in counts.items()}

    def weight(self, stem: str) -> float:
        """How much a word says, 0 to 1."""
        if stem in FUNCTION_WORDS:
            return FUNCTION_WORD
        return 0.35 + 0.65 * self._idf.get(stem, 1.0)

    def features(self, text: str) -> Iterator[Feature]:
        """The features of a text. A word that comes n times weighs like the square root of n."""
        counts: dict[str, float] = {}
        stems = self._language.stems(text)
        for stem in stems:
            counts[stem] = counts.get(stem, 0.0) + 1.0
        topics: dict[str, float] = {}
        for stem, n in counts.items():
            weight = math.sqrt(n) * self.weight(stem)
            yield f"word:{stem}", WORD * weight
            parts = self._letters(stem)
            for part in parts:
                yield part, PART * weight / math.sqrt(len(parts))
            for topic in self._topics.get(stem, ()):
                topics[topic] = topics.get(topic, 0.0) + weight
        for topic, weight in topics.items():
            yield f"topic:{topic}", TOPIC * math.sqrt(weight)
        for left, right in zip(stems, stems[1:], strict=False):
            yield f"pair:{left} {right}", PAIR * min(self.weight(left), self.weight(right))
        if not stems:
            yield from ((f"char:{character}", 1.0) for character in text or "\0")

    def _letters(self, stem: str) -> list[str]:
        """Groups of three letters, the ends of the word marked."""
        known = self._parts.get(stem)
        if known is None:
            if len(self._parts) >= FEATURES_KEPT:
                self._parts.clear()
            marked = f"<{stem}>"
            known = self._parts[stem] = [f"part:{marked[i : i + 3]}" for i in range(len(marked) - 2)]
        return known


@cache
def lexicon() -> Lexicon:
    """The lexicon of the engine's own texts: each entry under a heading is a document."""
    texts = sorted((_HERE / "texts").glob("[0-9]*.md"))
    documents = [entry for path in texts for entry in path.read_text("utf-8").split("\n## ")]
    synonyms = (_HERE / "texts" / "synonyms.md").read_text("utf-8")
    return Lexicon(documents, synonyms, (_HERE / "topics.md").read_text("utf-8"))


@cache
def embedding_model(name: str, dimensions: int) -> EmbeddingModel:
    """The one object of a model, with what it has learnt of words so far."""
    return EmbeddingModel(name, dimensions)


def _unit(values: list[float], dimensions: int) -> array[float]:
    kept = values[:dimensions]
    length = math.sqrt(math.fsum(value * value for value in kept if value))
    if not length:
        kept[0], length = 1.0, 1.0
    return array("f", [value / length for value in kept])


def cosine(a: Vector, b: Vector) -> float:
    """Cosine similarity, -1 to 1."""
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    return dot / (math.hypot(*a) * math.hypot(*b))
