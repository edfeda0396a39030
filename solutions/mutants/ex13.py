"""Wrong answers to exercise 13 that a good student might hand in, and what each must cost.

A mutant is the reference solution with one edit: `old` is replaced by `new` wherever it stands in that task's cell.
"""

MUTANTS: dict[str, list[dict[str, object]]] = {
    "13.1": [
        {
            "why": "a router that knows, and pays one model a row",
            "old": 'row["usd_small"] + (0 if kept else row["usd_standard"])',
            "new": 'row["usd_small"] if kept else row["usd_standard"]',
            "costs": 1,
        },
        {
            "why": "asks on at the threshold itself",
            "old": 'row["p"] >= threshold',
            "new": 'row["p"] > threshold',
            "costs": 1,
        },
        {"why": "the highest threshold", "old": "range(21))", "new": "range(20, -1, -1))", "costs": 1},
        {"why": "always finds one", "old": "    return None\n", "new": "    return 1.0\n", "costs": 1},
    ],
    "13.2": [
        {
            "why": "looks at the first token only",
            "old": "sum(token.logprob for token in choice.logprobs.content)",
            "new": "choice.logprobs.content[0].logprob - 0.05",
            "costs": 1,
        },
        {"why": "the last call's bill", "old": "usd += lk.cost", "new": "usd = lk.cost", "costs": 1},
        {"why": "asks both each time", "old": "            break\n", "new": "            pass\n", "costs": 2},
        {"why": "compares the wrong way round", "old": ">= threshold", "new": "< threshold", "costs": 3},
    ],
    "13.3": [
        {
            "why": "falls back on anything",
            "old": "not is_outage(error) or ",
            "new": "",
            "costs": 1,
        },
        {"why": "a refusal is an answer", "old": "status == 429 or status >= 500", "new": "status == 503", "costs": 1},
        {"why": "only refusals are outages", "old": "status is None or ", "new": "status is not None and ", "costs": 2},
        {"why": "the SDK's own patience", "old": '"timeout": 2.0, ', "new": "", "costs": 1},
        {"why": "the SDK's own retries", "old": ', "max_retries": 0', "new": "", "costs": 1},
        {
            "why": "no answer at all where nobody answers",
            "old": " or len(tried) == len(MODELS)",
            "new": "",
            "costs": 1,
        },
    ],
    "13.4": [
        {
            "why": "failures in all, not in a row",
            "old": "        self.close()\n\n    def close",
            "new": "        self.open_until = None\n\n    def close",
            "costs": 1,
        },
        {"why": "lets all through after the pause", "old": "self.trying or now <", "new": "now <", "costs": 1},
        {
            "why": "the same pause each time",
            "old": "min(2 * self.pause, 8 * self.first_pause)",
            "new": "self.pause",
            "costs": 1,
        },
        {
            "why": "doubles for ever",
            "old": "min(2 * self.pause, 8 * self.first_pause)",
            "new": "2 * self.pause",
            "costs": 1,
        },
        {
            "why": "keeps the long pause",
            "old": "self.failures, self.pause, self.open_until, self.trying = 0, self.first_pause, None, False",
            "new": "self.failures, self.open_until, self.trying = 0, None, False; vars(self).setdefault('pause', 30)",
            "costs": 1,
        },
    ],
    "13.5": [
        {"why": "never asks the breaker", "old": "if not breaker.allows(now):", "new": "if False:", "costs": 1},
        {
            "why": "tells the breaker nothing good",
            "old": "                breaker.succeeded(now)\n",
            "new": "",
            "costs": 1,
        },
        {
            "why": "lost with the first failure",
            "old": "                breaker.failed(now)\n",
            "new": "                breaker.failed(now)\n                return 'lost'\n",
            "costs": 2,
        },
        {"why": "counts the lost as served", "old": "len(names) - lost", "new": "len(names)", "costs": 1},
        {
            "why": "the own server's share of all",
            "old": 'names.count("own") / stood_in if stood_in else 0',
            "new": 'names.count("own") / len(names)',
            "costs": 1,
        },
    ],
    "13.6": [
        {"why": "believes in cooldown_time alone", "old": "            allowed_fails=2,\n", "new": "", "costs": 1},
        {
            "why": "retries before it falls back",
            "old": "            num_retries=0,\n",
            "new": "            num_retries=1,\n",
            "costs": 2,
        },
        {"why": "waits as long as LiteLLM does", "old": "            timeout=2.0,\n", "new": "", "costs": 1},
        {"why": "prices that LiteLLM does not know", "old": ", **prices}", "new": "}", "costs": 1},
        {"why": "shuffles", "old": 'routing_strategy="least-busy", ', "new": "", "costs": 1},
    ],
}
