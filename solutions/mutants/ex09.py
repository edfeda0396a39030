"""Wrong answers to exercise 09 that a good student might hand in, and what each must cost.

A mutant is the reference solution with one edit: `old` is replaced by `new` wherever it stands in that task's cell.
"""

MUTANTS: dict[str, list[dict[str, object]]] = {
    "9.1": [
        {
            "why": "text without frame",
            "old": 'total += 3 + lk.count_tokens(message["role"])',
            "new": "total += 0",
            "costs": 2,
        },
        {"why": "forgets the name", "old": 'if "name" in message:', "new": "if False:", "costs": 1},
        {"why": "primes the answer with each message", "old": "total += 3 + ", "new": "total += 6 + ", "costs": 2},
        {"why": "keeps the oldest turns", "old": "turns = turns[1:]", "new": "turns = turns[:-1]", "costs": 1},
        {"why": "trims the system prompt away", "old": "messages[:1], messages[1:]", "new": "[], messages", "costs": 1},
        {
            "why": "generates a token in order to count",
            "old": "return client.responses.input_tokens.count(model=model, input=messages).input_tokens",
            "new": "return client.chat.completions.create(model=model, messages=messages).usage.prompt_tokens",
            "costs": 1,
        },
    ],
    "9.2": [
        {"why": "per thousand", "old": "usd / 1e6", "new": "usd / 1e3", "costs": 3},
        {
            "why": "a cache that is free where no rate is listed",
            "old": 'rates["input"] if rate is None else rate',
            "new": "rate or 0",
            "costs": 1,
        },
        {
            "why": "counts cached tokens twice",
            "old": "usage.prompt_tokens - cached - written",
            "new": "usage.prompt_tokens",
            "costs": 1,
        },
        {
            "why": "does not know of written tokens",
            "old": '"cache_write": written',
            "new": '"cache_write": 0',
            "costs": 1,
        },
        {
            "why": "takes the hidden tokens out of the bill",
            "old": '"output": usage.completion_tokens,',
            "new": '"output": usage.completion_tokens - usage.completion_tokens_details.reasoning_tokens,',
            "costs": 2,
        },
        {
            "why": "an estimate with no frame",
            "old": "prompt_tokens(messages)",
            "new": "lk.count_tokens(prompt)",
            "costs": 1,
        },
    ],
    "9.3": [
        {"why": "a day for a month", "old": "requests_a_day * 30", "new": "requests_a_day", "costs": 1},
        {
            "why": "a cascade as cheap as a router",
            "old": '1.0 if design == "cascade" else share',
            "new": "share",
            "costs": 1,
        },
        {"why": "the share that goes on", "old": "return cheap / dear", "new": "return 1 - cheap / dear", "costs": 1},
    ],
    "9.4": [
        {
            "why": "the small model for all",
            "old": "label(review, effort",
            "new": 'label(review, tier="small", effort',
            "costs": 2,
        },
        {"why": "keeps the handbook", "old": 'effort="none", handbook=False', "new": 'effort="none"', "costs": 2},
        {"why": "keeps thinking", "old": 'effort="none", handbook=False', "new": "handbook=False", "costs": 1},
        {
            "why": "numbers each run from 0",
            "old": "label(review, next(NUMBERS), **change) for review in reviews",
            "new": "label(review, number, **change) for number, review in enumerate(reviews)",
            "costs": 1,
        },
        {
            "why": "the same change each time",
            "old": "label(review, next(NUMBERS), **change)",
            "new": "label(review, next(NUMBERS))",
            "costs": 3,
        },
        {
            "why": "keeps what ties",
            "old": '> points[best[-1]]["accuracy"]',
            "new": '>= points[best[-1]]["accuracy"]',
            "costs": 1,
        },
        {"why": "the cost of one review", "old": '"usd": usd,', "new": '"usd": usd / len(reviews),', "costs": 1},
    ],
    "9.5": [
        {
            "why": "looks at the budget after the call",
            "old": "self.spent(day) + worst > self.budget",
            "new": "self.spent(day) > self.budget",
            "costs": 2,
        },
        {
            "why": "counts on an average answer",
            "old": '"output": cap}',
            "new": '"output": min(cap, 10)}',
            "costs": 1,
        },
        {
            "why": "the prompt is forgotten",
            "old": '{"input": prompt_tokens(messages), "output"',
            "new": '{"output"',
            "costs": 1,
        },
        {"why": "one budget for all days", "old": ' if row["day"] == day', "new": "", "costs": 1},
        {"why": "an alert with every call", "old": " and day not in self.alerts", "new": "", "costs": 1},
        {"why": "logs what it expected", "old": '"usd": bill(MODEL, usage)', "new": '"usd": worst', "costs": 1},
    ],
    "9.6": [
        {
            "why": "reads to the end and cuts the text",
            "old": "                break\n",
            "new": "                pass\n",
            "costs": 2,
        },
        {
            "why": "trusts its own count to the end",
            "old": '"usd": bill(model, usage)',
            "new": '"usd": counted',
            "costs": 1,
        },
        {"why": "the prompt is free", "old": '{"input": asked, "output"', "new": '{"output"', "costs": 1},
        {
            "why": "notices only when it is too late",
            "old": 'counted + cost({"output": 1}, rates) > usd',
            "new": "counted > usd",
            "costs": 1,
        },
    ],
}
