"""Each step against a dense numpy reference over a small vocabulary."""

from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from labkit.sampling import (
    Distribution,
    Sampler,
    SamplingParams,
    adjust_logits,
    heat,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    shape,
)

VOCAB = 12
END = 14  # beyond the vocabulary, as the end of a text is


@st.composite
def distributions(draw):
    ids = draw(st.lists(st.sampled_from([*range(VOCAB), END]), unique=True, max_size=VOCAB))
    weights = draw(st.lists(st.integers(1, 10_000), unique=True, min_size=len(ids) + 1, max_size=len(ids) + 1))
    floor = weights[-1] if draw(st.booleans()) or not ids else 0
    full = VOCAB - sum(i < VOCAB for i in ids)
    tail = draw(st.integers(0, full)) if ids else full
    return Distribution.of(dict(zip(ids, weights, strict=False)), floor=floor, vocab=VOCAB, tail=tail)


def dense(d):
    return np.array([d.prob(i) for i in range(END + 1)])


def in_order(p):
    """Ids by falling probability, ties by id."""
    return sorted(np.flatnonzero(p > 0), key=lambda i: (-p[i], i))


def only(p, kept):
    q = np.where(np.isin(np.arange(len(p)), list(kept)), p, 0)
    return q / q.sum()


@given(distributions())
def test_distribution_sums_to_one(d):
    assert dense(d).sum() == pytest.approx(1)


@given(distributions())
def test_ids_are_sorted_and_best_is_argmax(d):
    assert list(d.probs) == sorted(d.probs, reverse=True)
    assert dense(d)[d.best] == dense(d).max()


@given(distributions(), st.integers(1, 20))
def test_top_lists_the_most_probable(d, k):
    p = dense(d)
    assert [i for i, _ in d.top(k)] == in_order(p)[:k]
    assert all(q == p[i] for i, q in d.top(k))


@given(distributions())
def test_entropy_matches_scipy(d):
    assert d.entropy() == pytest.approx(stats.entropy(dense(d), base=2), abs=1e-9)


@given(distributions(), st.floats(0.1, 5))
def test_temperature_is_a_power(d, temperature):
    p = dense(d)
    logits = np.log(p, out=np.full_like(p, -np.inf), where=p > 0) / temperature
    expected = np.exp(logits - logits.max())
    assert dense(heat(d, temperature)) == pytest.approx(expected / expected.sum(), abs=1e-12)


@given(distributions(), st.integers(1, 20))
def test_top_k_keeps_k(d, k):
    p = dense(d)
    assert dense(keep_top_k(d, k)) == pytest.approx(only(p, in_order(p)[:k]))


@given(distributions(), st.floats(0.01, 1))
def test_top_p_keeps_the_smallest_set(d, target):
    p = dense(d)
    order = in_order(p)
    mass = np.cumsum(p[order])
    assume(np.abs(mass - target).min() > 1e-9)  # on the edge, rounding may decide
    kept = order[: np.searchsorted(mass, target) + 1]
    assert dense(keep_top_p(d, target)) == pytest.approx(only(p, kept))


@given(distributions(), st.floats(0.01, 1))
def test_min_p_keeps_what_is_near_the_best(d, min_p):
    p = dense(d)
    assume(np.abs(p - min_p * p.max()).min() > 1e-9 or min_p == 1)
    assert dense(keep_min_p(d, min_p)) == pytest.approx(only(p, np.flatnonzero(p >= min_p * p.max())))


@given(
    distributions(),
    st.dictionaries(st.sampled_from([*range(VOCAB), END]), st.integers(-100, 100), max_size=4),
    st.dictionaries(st.integers(0, VOCAB - 1), st.integers(1, 5), max_size=4),
    st.floats(-2, 2),
    st.floats(-2, 2),
)
def test_bias_and_penalties_move_logits(d, bias, counts, presence, frequency):
    params = SamplingParams(presence_penalty=presence, frequency_penalty=frequency, logit_bias=tuple(bias.items()))
    p = dense(d)
    logits = np.log(p, out=np.full_like(p, -np.inf), where=p > 0)
    for i, by in bias.items():
        logits[i] += by
    for i, n in counts.items():
        logits[i] -= n * frequency + presence
    expected = np.exp(logits - logits.max())
    assert dense(adjust_logits(d, params, counts)) == pytest.approx(expected / expected.sum(), abs=1e-12)


@given(distributions(), st.floats(0.2, 2), st.integers(0, 8), st.floats(0.3, 1), st.floats(0, 0.3))
def test_shape_never_makes_the_impossible_possible(d, temperature, k, p, min_p):
    shaped = shape(d, SamplingParams(temperature, p, k, min_p))
    assert dense(shaped).sum() == pytest.approx(1)
    assert not np.any((dense(shaped) > 0) & (dense(d) == 0))


@given(distributions())
def test_defaults_change_nothing(d):
    assert shape(d, SamplingParams()) is d


@given(distributions(), st.integers(0, 2**32))
def test_temperature_zero_takes_the_best(d, seed):
    assert Sampler(SamplingParams(temperature=0), Random(seed)).pick(d) == d.best


@given(distributions(), st.integers(0, 2**32))
def test_draw_gives_only_possible_tokens(d, seed):
    assert d.prob(d.draw(Random(seed))) > 0


def test_draw_follows_the_distribution():
    d = Distribution.of({3: 0.4, 7: 0.25, END: 0.15}, floor=0.2 / 10, vocab=VOCAB)
    rng = Random(7)
    seen = Counter(d.draw(rng) for _ in range(20_000))
    expected = dense(d)
    possible = np.flatnonzero(expected)
    assert stats.chisquare([seen[i] for i in possible], expected[possible] * 20_000).pvalue > 0.01


def test_sampler_is_reproducible():
    d = Distribution.of({1: 1.0, 2: 1.0, 3: 1.0}, floor=0.1, vocab=VOCAB)
    params = SamplingParams(temperature=1.3, top_p=0.95)
    one, two = Sampler(params, Random(5)), Sampler(params, Random(5))
    assert [one.pick(d) for _ in range(50)] == [two.pick(d) for _ in range(50)]


def test_frequency_penalty_spreads_the_picks():
    d = Distribution.of({1: 0.98, 2: 0.02}, vocab=VOCAB)
    sampler = Sampler(SamplingParams(temperature=0, frequency_penalty=2.0), Random(0))
    assert [sampler.pick(d) for _ in range(6)].count(2) >= 2


def test_strong_bias_wins_at_temperature_zero():
    d = Distribution.of({1: 0.9}, floor=0.01, vocab=VOCAB)
    assert Sampler(SamplingParams(temperature=0, logit_bias=((9, 100.0),)), Random(0)).pick(d) == 9
    assert Sampler(SamplingParams(temperature=0, logit_bias=((1, -100.0),)), Random(0)).pick(d) == 0


@pytest.mark.parametrize("peaks", [{}, {1: -0.1, 2: 0.5}, {1: float("nan")}, {1: float("inf")}])
def test_distribution_without_sense_is_refused(peaks):
    with pytest.raises(ValueError, match="finite"):
        Distribution.of(peaks, vocab=VOCAB)
