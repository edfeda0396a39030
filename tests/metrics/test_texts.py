"""Measures of diversity: ends of the scale, an oracle for n-grams, awkward input."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit import metrics

TEXTS = st.lists(st.text(alphabet="ab cé'-한", max_size=30), min_size=1, max_size=8)
MEASURES = (metrics.distinct_share, metrics.distinct_n, metrics.mean_similarity, metrics.json_validity, metrics.length)


@pytest.mark.parametrize("text", ["one two three", "", "🙂", "한국어 텍스트"])
def test_equal_texts_are_one_answer_and_wholly_alike(text: str) -> None:
    assert metrics.distinct_share([text] * 4) == 0.25
    assert metrics.mean_similarity([text] * 4) == 1.0


def test_texts_without_a_common_word_are_not_alike() -> None:
    assert metrics.mean_similarity(["red green", "blue pink", "grey white"]) == 0.0


def test_words_ignore_case_and_punctuation_and_keep_apostrophes() -> None:
    assert metrics.words("Don't stop—DON'T, _really_!") == ["don't", "stop", "don't", "really"]


@given(TEXTS)
def test_shares_stay_between_nothing_and_all(texts: list[str]) -> None:
    assert 1 / len(texts) <= metrics.distinct_share(texts) <= 1
    assert 0 <= metrics.distinct_n(texts, 2) <= 1


@given(st.lists(st.text(alphabet="ab ", min_size=3, max_size=30), min_size=1, max_size=5))
def test_distinct_2_counts_pairs_of_neighbouring_words(texts: list[str]) -> None:
    pairs = [pair for text in texts for pair in pairwise(text.split())]
    assert metrics.distinct_n(texts, 2) == (len(set(pairs)) / len(pairs) if pairs else 0)


def test_similarity_of_many_texts_is_sampled_and_repeats() -> None:
    texts = [f"word{n % 7} word{n % 3}" for n in range(300)]
    sampled, whole = metrics.mean_similarity(texts), metrics.mean_similarity(texts, max_pairs=10**6)
    assert sampled == metrics.mean_similarity(texts)
    assert sampled == pytest.approx(whole, abs=0.01)


def test_no_text_is_compared_with_itself() -> None:
    assert metrics.mean_similarity([f"word{n}" for n in range(300)]) == 0


@pytest.mark.parametrize(
    "text", ['```json\n{"a": 1}\n```', '{"a": 1,}', '{"a": NaN}', "", "{'a': 1}", '{"a": 1} and more', '{"a": "b']
)
def test_what_a_parser_refuses_is_no_json(text: str) -> None:
    assert metrics.json_validity([text]) == 0.0


def test_length_is_the_mean_number_of_words() -> None:
    assert metrics.length(["one two", "one two three four"]) == 3


@pytest.mark.parametrize("measure", MEASURES)
def test_one_string_in_place_of_a_list_is_refused(measure: object) -> None:
    with pytest.raises(TypeError, match="one string"):
        measure("not a list")  # type: ignore[operator]


@pytest.mark.parametrize("measure", MEASURES)
def test_nothing_to_measure_is_an_error(measure: object) -> None:
    with pytest.raises(ValueError, match="no texts"):
        measure([])  # type: ignore[operator]


def test_one_text_has_nothing_to_be_similar_to() -> None:
    with pytest.raises(ValueError, match="at least two"):
        metrics.mean_similarity(["alone"])


def test_ngrams_of_no_words_are_refused() -> None:
    with pytest.raises(ValueError, match="n=0"):
        metrics.distinct_n(["a b"], 0)
