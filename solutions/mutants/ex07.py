"""Wrong answers to exercise 07 that a good student might hand in, and what each must cost.

A mutant is the reference solution with one edit: `old` is replaced by `new` wherever it stands in that task's cell.
"""

MUTANTS: dict[str, list[dict[str, object]]] = {
    "7.1": [
        {
            "why": "the formula as the lesson has it, which underflows",
            "old": "math.exp((value - logprobs[best]) / temperature)",
            "new": "math.exp(value) ** (1 / temperature)",
            "costs": 1,
        },
        {
            "why": "multiplies by the temperature",
            "old": "(value - logprobs[best]) / temperature",
            "new": "(value - logprobs[best]) * temperature",
            "costs": 1,
        },
        {"why": "forgets that 0 is a case of its own", "old": "if temperature == 0:", "new": "if False:", "costs": 1},
        {
            "why": "at 0 only the best token is left",
            "old": "return {token: float(token == best) for token in logprobs}",
            "new": "return {best: 1.0}",
            "costs": 1,
        },
        {"why": "does not rescale", "old": "power / whole", "new": "power", "costs": 2},
    ],
    "7.2": [
        {
            "why": "takes the shares in the order they come",
            "old": "sorted(shares.items(), key=lambda pair: -pair[1])",
            "new": "shares.items()",
            "costs": 1,
        },
        {"why": "does not rescale", "old": "share / mass for", "new": "share for", "costs": 1},
        {
            "why": "stops before the mass is reached",
            "old": "if mass >= top_p:",
            "new": "if kept and mass + share > top_p:",
            "costs": 1,
        },
        {
            "why": "five candidates are plenty",
            "old": "top_logprobs=20",
            "new": "top_logprobs=5",
            "costs": 1,
        },
        {
            "why": "takes logarithms for shares",
            "old": "nucleus(heat({c.token: c.logprob for c in candidates}, 1), top_p)",
            "new": "nucleus({c.token: c.logprob for c in candidates}, top_p)",
            "costs": 1,
        },
    ],
    "7.3": [
        {
            "why": "counts words",
            "old": "lk.count_tokens(sample, MODEL)",
            "new": "len(sample.split())",
            "costs": 1,
        },
        {"why": "rounds the room down", "old": "math.ceil(", "new": "int(", "costs": 1},
        {"why": "rounds the cap up", "old": "math.floor(", "new": "math.ceil(", "costs": 2},
        {
            "why": "forgets what the prompt costs",
            "old": "usd * 1e6 - prompt_tokens * price.input",
            "new": "usd * 1e6",
            "costs": 2,
        },
        {
            "why": "a cap below 0",
            "old": "max(0, math.floor(left / price.output))",
            "new": "math.floor(left / price.output)",
            "costs": 1,
        },
        {
            "why": "says the limit in place of the cost",
            "old": '"usd": cost}',
            "new": '"usd": usd}',
            "costs": 2,
        },
        {
            "why": "takes any text for a whole answer",
            "old": 'choice.finish_reason == "stop"',
            "new": "bool(choice.message.content)",
            "costs": 1,
        },
        {"why": "asks although there is nothing to spend", "old": "if cap == 0:", "new": "if cap < 0:", "costs": 1},
    ],
    "7.4": [
        {
            "why": "leaves the stop sequence off",
            "old": 'text + (answer.stop_sequence or "")',
            "new": "text",
            "costs": 1,
        },
        {
            "why": "puts the first stop sequence back whatever happened",
            "old": '"text": text + (answer.stop_sequence or "")',
            "new": '"text": text + stops[0]',
            "costs": 1,
        },
        {"why": "stops at the fence that opens", "old": 'stop=["\\n```\\n"]', "new": 'stop=["```"]', "costs": 2},
        {
            "why": "cuts the talk off here, after paying for it",
            "old": 'stop=["\\n```\\n"])\n    block = answer.choices[0].message.content.partition("```python\\n")[2]',
            "new": ')\n    block = answer.choices[0].message.content.split("```python\\n")[1].split("```")[0]',
            "costs": 1,
        },
    ],
    "7.5": [
        {"why": "no seed", "old": ", seed=seed\n", "new": "\n", "costs": 2},
        {"why": "the same seed each time", "old": "seed=seed\n", "new": "seed=first_seed\n", "costs": 2},
        {
            "why": "the seed that gave it last",
            "old": "found.setdefault(answer.choices[0].message.content, seed)",
            "new": "found[answer.choices[0].message.content] = seed",
            "costs": 1,
        },
        {"why": "asks `most` times in any case", "old": "if len(found) == n:", "new": "if False:", "costs": 1},
    ],
    "7.6": [
        {"why": "stops at 1", "old": "low, high = 0.01, 2.0", "new": "low, high = 0.01, 1.0", "costs": 1},
        {
            "why": "looks on the wrong side",
            "old": "if leader(middle) > share:",
            "new": "if leader(middle) < share:",
            "costs": 2,
        },
        {
            "why": "returns an end of the range where there is no answer",
            "old": "if not leader(high) <= share <= leader(low):",
            "new": "if False:",
            "costs": 1,
        },
        {
            "why": "too coarse a search",
            "old": "while high - low > 1e-6:",
            "new": "while high - low > 0.2:",
            "costs": 1,
        },
    ],
}
