"""Wrong answers to exercise 12 that a good student might hand in, and what each must cost.

A mutant is the reference solution with one edit: `old` is replaced by `new` wherever it stands in that task's cell.
"""

MUTANTS: dict[str, list[dict[str, object]]] = {
    "12.1": [
        {
            "why": "knows OpenAI's names only",
            "old": 'f"anthropic-ratelimit-{subject}-limit"',
            "new": 'f"anthropic-limit-{subject}"',
            "costs": 1,
            "exact": True,
        },
        {
            "why": "what is used in place of what is left",
            "old": "int(headers[remaining]) / int(headers[limit])",
            "new": "1 - int(headers[remaining]) / int(headers[limit])",
            "costs": 2,
            "exact": True,
        },
    ],
    "12.2": [
        {
            "why": "an empty account is a 429 like any other",
            "old": 'if code == "insufficient_quota":',
            "new": "if False:",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "a lost connection is for good",
            "old": "status is None or status in (408, 429) or status >= 500",
            "new": "status is not None and (status in (408, 429) or status >= 500)",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "everything from 400 on",
            "old": "status in (408, 429) or status >= 500",
            "new": "status >= 400",
            "costs": 1,
            "exact": True,
        },
        {"why": "no cap", "old": "min(8.0, 0.5 * 2**attempt)", "new": "0.5 * 2**attempt", "costs": 1},
        {"why": "no jitter", "old": "draw * min", "new": "min", "costs": 1},
        {
            "why": "whole seconds where milliseconds were said",
            "old": 'if "retry-after-ms" in headers:',
            "new": "if False:",
            "costs": 1,
        },
    ],
    "12.3": [
        {
            "why": "leaves the SDK's own retries on",
            "old": "client.with_options(max_retries=0)",
            "new": "client",
            "costs": 2,
            "exact": True,
        },
        {
            "why": "returns nothing when it gives up",
            "old": "attempt == attempts - 1 or ",
            "new": "",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "retries whatever comes",
            "old": " or not worth_retrying(status, error.code)",
            "new": "",
            "costs": 2,
            "exact": True,
        },
        {
            "why": "does not listen to retry-after",
            "old": "headers = {} if response is None else response.headers",
            "new": "headers = {}",
            "costs": 1,
        },
        {"why": "reads no code", "old": "error.code)", "new": "None)", "costs": 1},
    ],
    "12.4": [
        {
            "why": "overflows",
            "old": "min(self.capacity, self.level + (now - self.at) * self.per_second)",
            "new": "self.level + (now - self.at) * self.per_second",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "begins empty",
            "old": "self.level, self.at = capacity, now",
            "new": "self.level, self.at = 0, now",
            "costs": 1,
        },
        {
            "why": "forgets when it was looked at",
            "old": "        self.at = now\n",
            "new": "",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "a wait in tokens",
            "old": "(amount - self.level) / self.per_second",
            "new": "amount - self.level",
            "costs": 1,
        },
    ],
    "12.5": [
        {
            "why": "sends all at once and lets retries do the rest",
            "old": "await asyncio.sleep(wait)",
            "new": "break",
            "costs": 1,
        },
        {
            "why": "no order",
            "old": 'sorted(jobs, key=lambda job: not job["urgent"])',
            "new": "jobs",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "asks again what it has asked",
            "old": 'if job["prompt"] in started:',
            "new": "if False:",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "answers in the order in which they were sent",
            "old": "for job in jobs]",
            "new": 'for job in sorted(jobs, key=lambda job: not job["urgent"])]',
            "costs": 2,
        },
        {
            "why": "one attempt each",
            "old": 'asyncio.to_thread(ask, job["prompt"])',
            "new": 'asyncio.to_thread(ask, job["prompt"], 1)',
            "costs": 1,
            "exact": True,
        },
    ],
}
