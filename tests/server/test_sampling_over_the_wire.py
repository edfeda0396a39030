"""The drawn tokens fit the distribution that the same server reports in its log-probabilities."""

import math
from collections import Counter

import pytest
from scipy.stats import chisquare

from labkit.sampling import Distribution, SamplingParams, shape

PROMPT = "The best thing about Monday mornings is"
DRAWS, A_REQUEST = 5_000, 125
ENOUGH = 5
"""Fewest expected draws of a class in a chi-square test; rarer tokens share one class."""


def reported(tenant) -> dict[str, float]:
    """First token to probability, from the top 20 log-probabilities at temperature 1."""
    answer = tenant.chat(PROMPT, logprobs=True, top_logprobs=20, max_completion_tokens=1, temperature=1)
    return {t.token: math.exp(t.logprob) for t in answer.choices[0].logprobs.content[0].top_logprobs}


def drawn(tenant, **params) -> Counter[str]:
    found: Counter[str] = Counter()
    for n in range(DRAWS // A_REQUEST):
        answer = tenant.chat(PROMPT, n=A_REQUEST, max_completion_tokens=1, seed=n, **params)
        found.update(choice.message.content for choice in answer.choices)
    return found


@pytest.mark.parametrize("params", [{"temperature": 0.5}, {"temperature": 1.0}, {"temperature": 1.5}, {"top_p": 0.8}])
def test_first_tokens_fit_the_reported_distribution(tenant, params):
    known = reported(tenant)
    names = list(known)
    whole = Distribution.of(dict(enumerate(known.values())), floor=(1 - sum(known.values())) / 200_000, vocab=200_020)
    expected = shape(whole, SamplingParams(**params))
    counts = drawn(tenant, **params)
    likely = [i for i in range(len(names)) if expected.prob(i) * DRAWS >= ENOUGH]
    assert len(likely) >= (4 if params.get("temperature") != 0.5 else 3), "a distribution worth testing"
    seen = [counts[names[i]] for i in likely]
    rest = DRAWS - sum(seen)
    wanted = [expected.prob(i) * DRAWS for i in likely]
    if DRAWS - sum(wanted) >= ENOUGH:
        seen, wanted = [*seen, rest], [*wanted, DRAWS - sum(wanted)]
    else:
        assert rest <= 3 * ENOUGH
        wanted = [w * sum(seen) / sum(wanted) for w in wanted]
    assert chisquare(seen, wanted).pvalue > 0.001


def test_exact_distribution_agrees_with_logprobs(tenant):
    from labkit import registry

    body = {"model": registry.model("openai", "sampling"), "messages": [{"role": "user", "content": PROMPT}], "top": 20}
    exact = tenant.lab("distribution", body)
    by_text = {t["text"]: t["p"] for t in exact["tokens"]}
    for token, p in reported(tenant).items():
        if token in by_text:
            assert math.isclose(by_text[token], p, rel_tol=1e-9)
    listed = sum(t["p"] for t in exact["tokens"])
    assert listed <= 1 and listed + exact["floor"] * exact["tail"] <= 1 + 1e-9
