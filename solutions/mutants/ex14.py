"""Wrong answers to exercise 14 that a good student might hand in, and what each must cost.

A mutant is the reference solution with one edit: `old` is replaced by `new` wherever it stands in that task's cell.
"""

MUTANTS: dict[str, list[dict[str, object]]] = {
    "14.1": [
        {"why": "parses what was cut", "old": 'if finish_reason != "stop":', "new": "if False:", "costs": 2},
        {
            "why": "knows no fence",
            "old": 're.sub(r"^```(?:json)?\\s*\\n|\\n```$", "", text.strip())',
            "new": "text",
            "costs": 2,
        },
        {"why": "any JSON will do", "old": "data if isinstance(data, dict) else None", "new": "data", "costs": 1},
    ],
    "14.2": [
        {
            "why": "what is not named is left out",
            "old": "place: str | None\n",
            "new": "place: str | None = None\n",
            "costs": 4,
        },
        {"why": "everything must be named", "old": "person: str | None", "new": "person: str", "costs": 1},
        {"why": "not strict", "old": '"strict": True', "new": '"strict": False', "costs": 1},
        {
            "why": "any JSON from Gemini",
            "old": ', "response_json_schema": notice_schema()',
            "new": "",
            "costs": 1,
        },
    ],
    "14.3": [
        {"why": "the limit itself is too much", "old": '["amount"] > limit', "new": '["amount"] >= limit', "costs": 1},
        {"why": "any date", "old": r'r"\d{4}-\d\d-\d\d"', "new": 'r".*"', "costs": 1},
        {
            "why": "asks afresh",
            "old": 'messages.append({"role": "assistant", "content": choice.message.content})',
            "new": "pass",
            "costs": 1,
        },
        {
            "why": "does not say what is wrong",
            "old": '"Correct this: " + " ".join(wrong)',
            "new": '"Try again."',
            "costs": 1,
        },
        {"why": "one attempt more", "old": "range(1, attempts + 1)", "new": "range(1, attempts + 2)", "costs": 1},
        {
            "why": "a cut answer is one more problem",
            "old": 'raise ValueError(f"not a whole answer: {choice.finish_reason}")',
            "new": "continue",
            "costs": 1,
        },
    ],
    "14.4": [
        {
            "why": "does not reason",
            "old": '    reasoning: str = Field(description="one sentence: what in the ticket decides")\n',
            "new": "",
            "costs": 2,
        },
        {"why": "no bounds", "old": "Field(ge=1, le=5, ", "new": "Field(", "costs": 1},
        {
            "why": "any queue",
            "old": 'queue: Literal["billing", "technical", "shipping", "returns", "account", "cancellation"]',
            "new": "queue: str",
            "costs": 1,
        },
        {"why": "confidence in per cent", "old": "Field(ge=0, le=1)", "new": "Field(ge=0, le=100)", "costs": 1},
    ],
    "14.5": [
        {
            "why": "a city that is not there raises",
            "old": ' if city in degrees else {"error": f"no weather is known for {city}"}',
            "new": "",
            "costs": 2,
        },
        {"why": "never gives up", "old": "for _ in range(rounds):", "new": "for _ in range(9):", "costs": 1},
        {
            "why": "an error like any result",
            "old": '{**told, "is_error": "error" in result}',
            "new": "told",
            "costs": 1,
        },
        {
            "why": "answers the first call only",
            "old": "for call in choice.message.tool_calls:",
            "new": "for call in choice.message.tool_calls[:1]:",
            "costs": 2,
        },
    ],
}
