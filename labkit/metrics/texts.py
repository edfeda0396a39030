"""How different a set of answers is, and how many of them parse.

All of them take the texts of repeated calls; none calls an API. Words are runs of letters, digits and apostrophes,
lower-cased, so that punctuation and capitals do not count as diversity.

Sources:
    distinct-n        Li et al. 2016, "A Diversity-Promoting Objective Function for Neural Conversation Models", 5.2
    mean similarity   mean pairwise Jaccard index (Jaccard 1901) of the sets of words; the pairwise idea is that of
                      Self-BLEU, Zhu et al. 2018, without its dependence on order and on a reference length
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from itertools import combinations, islice
from random import Random
from statistics import fmean

MAX_PAIRS = 10_000
"""`mean_similarity` looks at no more pairs than these: 142 texts have as many."""

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def words(text: str) -> list[str]:
    """The words of a text, lower-cased.

    >>> words("It's T=0, isn't it?  한국어 too")
    ["it's", 't', '0', "isn't", 'it', '한국어', 'too']
    """
    return _WORD.findall(text.lower())


def distinct_share(texts: Iterable[str]) -> float:
    """Distinct answers / answers, after trimming white space: 1 / n if all are the same, 1 if all differ.

    >>> distinct_share(["Paris.", "Paris. ", "Lyon.", "Nice."])
    0.75
    """
    found = _some(texts)
    return len({t.strip() for t in found}) / len(found)


def distinct_n(texts: Iterable[str], n: int = 2) -> float:
    """Distinct word n-grams / n-grams over all texts together (Li et al. 2016); 0 if no text has n words.

    It falls as texts grow longer, so compare sets of texts of about the same length.

    >>> distinct_n(["a b c", "a b d"], 2)
    0.75
    """
    if n < 1:
        raise ValueError(f"n-grams have at least one word; got n={n}")
    grams = [tuple(w[i : i + n]) for w in map(words, _some(texts)) for i in range(len(w) - n + 1)]
    return len(set(grams)) / len(grams) if grams else 0.0


def similarity(a: str, b: str) -> float:
    """Jaccard index of two texts' sets of words: shared / all. Two texts without a word are alike.

    >>> similarity("the cat sat", "The cat ran.")
    0.5
    """
    left, right = set(words(a)), set(words(b))
    return len(left & right) / len(left | right) if left or right else 1.0


def mean_similarity(texts: Iterable[str], *, max_pairs: int = MAX_PAIRS) -> float:
    """Mean `similarity` over all pairs: 1 if all texts have the same words, 0 if no two share one.

    Work grows with the square of the number of texts: beyond `max_pairs` a fixed random choice of pairs is averaged.

    Raises:
        ValueError: fewer than two texts.
    """
    found = _some(texts)
    if len(found) < 2:
        raise ValueError("similarity needs at least two texts")
    return fmean(similarity(found[a], found[b]) for a, b in _pairs(len(found), max_pairs))


def json_validity(texts: Iterable[str]) -> float:
    """Share of texts that are JSON as they stand: a code fence or a word before the brace makes one invalid.

    >>> json_validity(['{"a": 1}', '{"a": 1', 'Here it is: {}', ' [] '])
    0.5
    """
    found = _some(texts)
    return sum(map(_is_json, found)) / len(found)


def length(texts: Iterable[str]) -> float:
    """Mean number of words."""
    return fmean(len(words(t)) for t in _some(texts))


def _some(texts: Iterable[str]) -> Sequence[str]:
    """A list of at least one text. One string alone is a mistake that would be read as its letters."""
    if isinstance(texts, str):
        raise TypeError("expected a list of texts, got one string")
    found = list(texts)
    if not found:
        raise ValueError("no texts to measure")
    return found


def _pairs(n: int, most: int) -> Iterable[tuple[int, int]]:
    if n * (n - 1) // 2 <= most:
        return combinations(range(n), 2)
    rng = Random(0)
    endless = ((rng.randrange(n), rng.randrange(n)) for _ in iter(int, 1))
    return islice(((a, b) for a, b in endless if a != b), most)


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_refuse)
    except ValueError:
        return False
    return True


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")  # RFC 8259, section 6: Python's reader takes NaN and Infinity
