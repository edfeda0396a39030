"""A prompt as words: stems, synonyms, spelling. English only; other scripts pass through as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import snowballstemmer

_WORD = re.compile(r"\d+(?:\.\d+)?|[^\W\d_]+(?:['’][^\W\d_]+)?|[+*/=%]")
_SYNONYM_LINE = re.compile(r"- ([^:]+): (.+)")
_STEMMER = snowballstemmer.stemmer("english")
_FUNCTION_WORDS = """a an the is are be of to in on for and or it its this that with by at as from i me my you your
do does did can could would will should please there so just some any into about s"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a prompt: its stem after synonyms, and where it stands."""

    stem: str
    start: int
    end: int


class Language:
    """Stems and synonyms."""

    def __init__(self, synonym_sources: Iterable[str] = ()) -> None:
        self._canonical: dict[str, str] = {}
        for source in synonym_sources:
            for canonical, others in _SYNONYM_LINE.findall(source):
                for other in others.split(","):
                    self._canonical[stem(other.strip().lower())] = stem(canonical.strip().lower())

    def words(self, text: str) -> list[Word]:
        """The words of a text.

        >>> [word.stem for word in Language().words("Reading CSV files!")]
        ['read', 'csv', 'file']
        """
        return [Word(self.canonical(m[0]), m.start(), m.end()) for m in _WORD.finditer(text)]

    def stems(self, text: str) -> list[str]:
        return [word.stem for word in self.words(text)]

    def canonical(self, word: str) -> str:
        root = stem(word.lower().replace("’", "'"))
        return self._canonical.get(root, root)


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """The Snowball (Porter 2) stem of a lower-case word."""
    return str(_STEMMER.stemWord(word))


class Speller:
    """Takes a word that nobody taught for the known one it resembles most, by its character bigrams."""

    ALIKE = 0.66
    """Dice coefficient from which two words are taken for the same."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known = frozenset(known)
        self._by_initial: dict[str, list[tuple[str, frozenset[str]]]] = {}
        for word in sorted(self._known):
            if len(word) > 3 and word.isalpha():
                self._by_initial.setdefault(word[0], []).append((word, _bigrams(word)))
        self._corrected: dict[str, str] = {}

    def correct(self, word: str) -> str:
        """The known word, or `word` itself when none is like it.

        >>> Speller(["recursion", "temperature"]).correct("temprature")
        'temperature'
        """
        if word in self._known or len(word) < 4 or not word.isalpha():
            return word
        if word not in self._corrected:
            if len(self._corrected) > 20_000:
                self._corrected.clear()
            self._corrected[word] = self._closest(word)
        return self._corrected[word]

    def _closest(self, word: str) -> str:
        grams = _bigrams(word)
        best, score = word, self.ALIKE
        for other, others in self._by_initial.get(word[0], ()):
            alike = 2 * len(grams & others) / (len(grams) + len(others))
            if alike > score and abs(len(word) - len(other)) <= 2:
                best, score = other, alike
        return best


def _bigrams(word: str) -> frozenset[str]:
    padded = f"<{word}>"
    return frozenset(padded[i : i + 2] for i in range(len(padded) - 1))
