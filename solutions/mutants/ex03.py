"""Wrong answers to exercise 03 that a good student might hand in, and what each must cost.

A mutant is the reference solution with one edit: `old` is replaced by `new` wherever it stands in that task's cell.
"""

MUTANTS: dict[str, list[dict[str, object]]] = {
    "3.1": [
        {
            "why": "knows no developer messages",
            "old": 'in ("system", "developer")',
            "new": 'in ("system",)',
            "costs": 1,
        },
        {
            "why": "the system prompt stays among the messages",
            "old": 'if message["role"] in ("user", "assistant")],',
            "new": "],",
            "costs": 3,
        },
        {
            "why": "a stop that is a text stays one",
            "old": "[stop] if isinstance(stop, str) else stop",
            "new": "stop",
            "costs": 2,
        },
        {"why": "no cap of its own", "old": " or 1000", "new": "", "costs": 1},
        {
            "why": "an empty system prompt where there was none",
            "old": "    if system:\n    ",
            "new": "    if True:\n    ",
            "costs": 2,
        },
        {"why": "leaves behind in silence", "old": '"left": sorted(rest)', "new": '"left": []', "costs": 1},
    ],
    "3.2": [
        {
            "why": "the new date for both",
            "old": "VERSIONS[version]",
            "new": 'VERSIONS["new"]',
            "costs": 2,
        },
        {
            "why": "the key without its word",
            "old": 'f"Bearer {key}"',
            "new": "key",
            "costs": 3,
        },
        {
            "why": "both keys, to be safe",
            "old": '{"x-api-key": key} if version == "old" else {"authorization": f"Bearer {key}"}',
            "new": '{"x-api-key": key, "authorization": f"Bearer {key}"}',
            "costs": 2,
        },
        {
            "why": "0 is no temperature",
            "old": "if temperature is not None:",
            "new": "if temperature:",
            "costs": 1,
        },
        {
            "why": "raises for a refusal",
            "old": "    answer = response.json()\n",
            "new": "    answer = response.raise_for_status().json()\n",
            "costs": 1,
        },
    ],
    "3.3": [
        {
            "why": "the first block is the text",
            "old": '"".join(block["text"] for block in blocks if block["type"] == "text")',
            "new": 'blocks[0].get("text", "") if blocks else ""',
            "costs": 2,
        },
        {
            "why": "what it does not know is complete",
            "old": '"unknown")\n    blocks',
            "new": '"complete")\n    blocks',
            "costs": 2,
        },
        {
            "why": "hands out what was cut",
            "old": '("cut", "refused", "unknown")',
            "new": '("refused", "unknown")',
            "costs": 1,
        },
        {
            "why": "overlooks thoughts that are sealed",
            "old": '("thinking", "redacted_thinking")',
            "new": '("thinking",)',
            "costs": 1,
        },
        {
            "why": "one tool call a message",
            "old": 'if block["type"] == "tool_use"]',
            "new": 'if block["type"] == "tool_use"][:1]',
            "costs": 1,
        },
    ],
    "3.4": [
        {
            "why": "remembers the text and forgets the thought",
            "old": '"content": reply.content}',
            "new": '"content": reply.content[-1].text}',
            "costs": 3,
        },
        {
            "why": "remembers the question before there is an answer",
            "old": '        asked = [*self.messages, {"role": "user", "content": text}]\n',
            "new": '        self.messages.append({"role": "user", "content": text})\n        asked = self.messages\n',
            "costs": 1,
        },
        {
            "why": "sends the last question alone",
            "old": "messages=asked,",
            "new": "messages=asked[-1:],",
            "costs": 3,
        },
        {
            "why": "counts the whole output as thoughts",
            "old": "reply.usage.output_tokens_details.thinking_tokens",
            "new": "reply.usage.output_tokens",
            "costs": 1,
        },
        {
            "why": "one effort for all",
            "old": '"effort": self.effort',
            "new": '"effort": "low"',
            "costs": 1,
        },
        {
            "why": "the system prompt as a first message",
            "old": "            system=self.system,\n            messages=asked,",
            "new": '            messages=[{"role": "user", "content": self.system}, *asked],',
            "costs": 5,
        },
    ],
    "3.5": [
        {
            "why": "drops one message at a time, and begins with an answer",
            "old": "range(0, len(messages), 2)",
            "new": "range(len(messages))",
            "costs": 1,
        },
        {
            "why": "the system prompt is not in the count",
            "old": "messages=kept, **beside(system))\n        if",
            "new": "messages=kept)\n        if",
            "costs": 2,
        },
        {
            "why": "a limit that is met is passed",
            "old": "counted.input_tokens <= limit",
            "new": "counted.input_tokens < limit",
            "costs": 1,
        },
        {
            "why": "sends the last message all the same",
            "old": '    raise ValueError(f"not even the last message fits into {limit} tokens")\n',
            "new": "    return messages[-1:]\n",
            "costs": 1,
        },
        {
            "why": "drops the newest",
            "old": "kept = messages[start:]",
            "new": "kept = messages[: len(messages) - start]",
            "costs": 2,
        },
        {
            "why": "estimates, four characters a token",
            "old": "if counted.input_tokens <= limit:",
            "new": 'if sum(len(one["content"]) for one in kept) / 4 <= limit:',
            "costs": 2,
        },
    ],
}
