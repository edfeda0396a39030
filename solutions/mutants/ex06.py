"""Wrong answers to exercise 06 that a good student might hand in, and what each must cost.

A mutant is the reference solution with one edit: `old` is replaced by `new` wherever it stands in that task's cell.
`tests/grading/test_exercises.py` shows that each loses at least `costs` points. Add the next one that you meet in a
real submission.
"""

MUTANTS: dict[str, list[dict[str, object]]] = {
    "6.1": [
        {
            "why": "one provider's model for all",
            "old": 'f"{provider}/{lk.model(provider, tier)}"',
            "new": "f\"openai/{lk.model('openai', tier)}\"",
            "costs": 3,
            "exact": True,
        },
        {
            "why": "the cap is forgotten",
            "old": 'complete(provider, "small", prompt, max_tokens=max_tokens)',
            "new": 'complete(provider, "small", prompt)',
            "costs": 1,
            "exact": True,
        },
        {
            "why": "counts the prompt as well",
            "old": "reply.usage.completion_tokens",
            "new": "reply.usage.total_tokens",
            "costs": 1,
            "exact": True,
        },
    ],
    "6.2": [
        {
            "why": "an unknown price is 0",
            "old": "return litellm.completion_cost(reply) if listed else None",
            "new": "return litellm.completion_cost(reply)",
            "costs": 2,
            "exact": True,
        },
        {
            "why": "looks the model up without its prefix alone, so that Gemini has no price",
            "old": 'listed = model in litellm.model_cost or f"{provider}/{model}" in litellm.model_cost',
            "new": "listed = model in litellm.model_cost and not model.startswith('gemini')",
            "costs": 1,
        },
        {
            "why": "prices a call of average length and not this one",
            "old": "litellm.completion_cost(reply)",
            "new": "sum(litellm.cost_per_token(f'{provider}/{model}', 500, 200))",
            "costs": 2,
        },
    ],
    "6.3": [
        {
            "why": "the system prompt as a message for Anthropic, too",
            "old": 'messages = [{"role": "user", "content": prompt}]\n    more = {"system": system} if system else {}',
            "new": 'messages = [{"role": "user", "content": f"{system or \'\'}{prompt}"}]\n    more = {}',
            "costs": 1,
            "exact": True,
        },
        {
            "why": "a finish reason is handed through in the provider's words",
            "old": 'next((ours for ours, theirs in FINISH.items() if word in theirs), f"unknown: {word}")',
            "new": "word",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "an unknown word is taken for a whole answer, and only OpenAI's for cut is known",
            "old": '"length": ("length", "max_tokens", "MAX_TOKENS", "model_context_window_exceeded")',
            "new": '"length": ("length",)',
            "costs": 1,
            "exact": True,
        },
        {
            "why": "Gemini's thoughts are not counted",
            "old": "(usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)",
            "new": "usage.candidates_token_count",
            "costs": 1,
        },
        {
            "why": "the cap is fixed for Anthropic",
            "old": "messages=messages, max_tokens=cap, **more",
            "new": "messages=messages, max_tokens=1000, **more",
            "costs": 2,
        },
        {
            "why": "the tier is ignored",
            "old": "lk.model(provider, tier)",
            "new": "lk.model(provider)",
            "costs": 1,
        },
        {
            "why": "an empty system prompt is sent when there is none",
            "old": 'messages = [{"role": "system", "content": system}] if system else []',
            "new": 'messages = [{"role": "system", "content": system or "Be helpful."}]',
            "costs": 2,
        },
    ],
    "6.4": [
        {
            "why": "drop_params, and nobody is told",
            "old": "litellm.completion(**request, temperature=temperature)",
            "new": "litellm.completion(**request, temperature=temperature, drop_params=True)",
            "costs": 2,
            "exact": True,
        },
        {
            "why": "the temperature is always left out, and said to be",
            "old": "reply = litellm.completion(**request, temperature=temperature)",
            "new": 'raise litellm.UnsupportedParamsError("no", "", "")',
            "costs": 2,
            "exact": True,
        },
        {
            "why": "says dropped whatever happened",
            "old": "dropped = []",
            "new": 'dropped = ["temperature"]',
            "costs": 2,
        },
    ],
    "6.5": [
        {
            "why": "more is better, for cost as well",
            "old": 'min(column) / value if criterion in ("cost", "latency") else value / max(column)',
            "new": "value / max(column)",
            "costs": 3,
            "exact": True,
        },
        {
            "why": "the scores are sums and not means",
            "old": "sum(shares) / sum(weights.values())",
            "new": "sum(shares)",
            "costs": 2,
            "exact": True,
        },
        {
            "why": "worst first",
            "old": ", reverse=True",
            "new": "",
            "costs": 3,
            "exact": True,
        },
    ],
}
