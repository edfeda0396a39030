"""Wrong answers to exercise 10 that a good student might hand in, and what each must cost; see `ex01.py`."""

MUTANTS: dict[str, list[dict[str, object]]] = {
    "10.1": [
        {"why": "names in the order they came", "old": ", sort_keys=True", "new": "", "costs": 1, "exact": True},
        {
            "why": "the user is in the key",
            "old": 'not in ("user", "timeout")',
            "new": 'not in ("timeout",)',
            "costs": 1,
            "exact": True,
        },
        {
            "why": "the messages alone are the key",
            "old": "json.dumps(kept,",
            "new": 'json.dumps(kept["messages"],',
            "costs": 1,
            "exact": True,
        },
        {
            "why": "blanks and capitals do not count",
            "old": "sha256(text.encode())",
            "new": 'sha256(text.lower().replace(" ", "").encode())',
            "costs": 1,
        },
        {
            "why": "a seed of 0 is no seed",
            "old": 'request.get("seed") is None',
            "new": 'not request.get("seed")',
            "costs": 1,
        },
        {
            "why": "looks for personal data in the last message only",
            "old": 'for message in request["messages"])',
            "new": 'for message in request["messages"][-1:])',
            "costs": 1,
        },
        {"why": "keeps cut answers", "old": ' or finish_reason != "stop"', "new": "", "costs": 2, "exact": True},
    ],
    "10.2": [
        {
            "why": "a read makes the answer younger",
            "old": '            return {"text": text, "cached": True}',
            "new": "            self.kept[question, cap] = now, text\n"
            '            return {"text": text, "cached": True}',
            "costs": 1,
            "exact": True,
        },
        {"why": "never too old", "old": " and now - came < self.ttl", "new": "", "costs": 2, "exact": True},
        {"why": "keeps cut answers", "old": 'if choice.finish_reason == "stop":', "new": "if choice:", "costs": 1},
        {
            "why": "one dictionary for all caches",
            "old": "    def __init__(self, ttl: float) -> None:\n        ### BEGIN SOLUTION\n        self.ttl = ttl\n"
            "        self.kept: dict[tuple[str, int | None], tuple[float, str]] = {}\n",
            "new": "    kept = {}\n\n    def __init__(self, ttl: float) -> None:\n        ### BEGIN SOLUTION\n"
            "        self.ttl = ttl\n",
            "costs": 1,
        },
        {"why": "forgets the temperature", "old": ", temperature=0", "new": "", "costs": 4},
    ],
    "10.3": [
        {
            "why": "keeps the hits as well",
            "old": "        else:\n            kept.append(n)",
            "new": "        kept.append(n)",
            "costs": 1,
        },
        {
            "why": "the first that is near enough, not the nearest",
            "old": "nearest = max(kept, key=lambda k: cosine(vectors[n], vectors[k]), default=None)",
            "new": "nearest = next((k for k in kept if cosine(vectors[n], vectors[k]) >= threshold), None)",
            "costs": 1,
        },
        {
            "why": "counts the right ones as wrong",
            "old": "groups[n] != groups[nearest]",
            "new": "groups[n] == groups[nearest]",
            "costs": 2,
        },
        {
            "why": "no hit passes for a precision of 1",
            "old": 'found["hits"] and 1 - found["wrong"] / found["hits"] >= precision',
            "new": '1 - found["wrong"] / max(1, found["hits"]) >= precision',
            "costs": 1,
            "exact": True,
        },
        {"why": "takes the list as it comes", "old": "sorted(thresholds)", "new": "thresholds", "costs": 1},
        {
            "why": "the highest, not the lowest",
            "old": "sorted(thresholds)",
            "new": "sorted(thresholds, reverse=True)",
            "costs": 1,
        },
    ],
    "10.4": [
        {
            "why": "the date above the handbook",
            "old": '"text": handbook, **mark',
            "new": '"text": f"Today is {today}. {handbook}", **mark',
            "costs": 2,
            "exact": True,
        },
        {"why": "no breakpoint", "old": ", **mark}", "new": "}", "costs": 2, "exact": True},
        {
            "why": "the automatic breakpoint left on",
            "old": ", extra_body=options",
            "new": "",
            "costs": 1,
            "exact": True,
        },
        {"why": "forgets the date", "old": "Today is {today}. ", "new": "", "costs": 1},
        {
            "why": "read and written exchanged",
            "old": '"read": details.cached_tokens,\n        "written": details.cache_write_tokens',
            "new": '"written": details.cached_tokens,\n        "read": details.cache_write_tokens',
            "costs": 1,
        },
    ],
    "10.5": [
        {"why": "always five minutes", "old": ', "ttl": ttl}', "new": "}", "costs": 1, "exact": True},
        {
            "why": "takes `input_tokens` for the whole prompt",
            "old": "response.usage.input_tokens + written + read",
            "new": "response.usage.input_tokens",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "the question inside the marked block",
            "old": '"text": handbook,',
            "new": '"text": handbook + question,',
            "costs": 1,
            "exact": True,
        },
        {"why": "equal passes for cheaper", "old": "* read >= calls", "new": "* read > calls", "costs": 1},
        {
            "why": "every call writes",
            "old": "write + (calls - 1) * read >= calls",
            "new": "calls < 50 and calls * write >= calls",
            "costs": 2,
        },
        {
            "why": "takes it that caching always pays",
            "old": "        return None\n",
            "new": "        return 2\n",
            "costs": 1,
        },
    ],
    "10.6": [
        {"why": "a cache for every question", "old": "if self.name is None:", "new": "if True:", "costs": 1},
        {
            "why": "gives up when the cache is gone",
            "old": "if error.code not in (403, 404):",
            "new": "if error.code:",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "no cache: sends the handbook along",
            "old": 'config = {"cached_content": self.name}',
            "new": 'config = {"system_instruction": self.config["system_instruction"]}',
            "costs": 1,
        },
        {
            "why": "the lifetime left to the provider",
            "old": ', "ttl": f"{ttl_s}s"}',
            "new": "}",
            "costs": 2,
            "exact": True,
        },
    ],
}
