"""Wrong answers to exercise 01 that a good student might hand in, and what each must cost.

A mutant is the reference solution with one edit: `old` is replaced by `new` wherever it stands in that task's cell.
`tests/grading/test_exercises.py` shows that each loses at least `costs` points, and no others where it is
`exact`. Add the next one that you meet in a real submission.
"""

MUTANTS: dict[str, list[dict[str, object]]] = {
    "1.1": [
        {
            "why": "ids in the server's order",
            "old": 'return sorted(model["id"] for model in response.json()["data"])',
            "new": 'return [model["id"] for model in response.json()["data"]][::-1]',
            "costs": 1,
            "exact": True,
        },
        {
            "why": "a refusal raises",
            "old": "    if response.status_code != 200:\n",
            "new": "    response.raise_for_status()\n    if response.status_code != 200:\n",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "counts the prompt's tokens alone",
            "old": '["usage"]["total_tokens"]',
            "new": '["usage"]["prompt_tokens"]',
            "costs": 1,
            "exact": True,
        },
        {
            "why": "the SDK in place of raw HTTP",
            "old": 'response = httpx.get(os.environ["OPENAI_BASE_URL"] + "/models", headers=auth())\n'
            '    return sorted(model["id"] for model in response.json()["data"])',
            "new": "return sorted(model.id for model in client.models.list())",
            "costs": 1,
        },
        {
            "why": "the key in the header of another provider",
            "old": '"Authorization": f"Bearer {os.environ[\'OPENAI_API_KEY\']}"',
            "new": "\"x-api-key\": os.environ['OPENAI_API_KEY']",
            "costs": 4,
        },
        {
            "why": "adds a system prompt that nobody asked for",
            "old": '"messages": [{',
            "new": '"messages": [{"role": "system", "content": "Be helpful."}, {',
            "costs": 1,
        },
    ],
    "1.2": [
        {
            "why": "the system prompt pasted into the question",
            "old": '{"role": "system", "content": system}, {"role": "user", "content": question}',
            "new": '{"role": "user", "content": system + question}',
            "costs": 3,
            "exact": True,
        },
        {
            "why": "counts all tokens, prompt included",
            "old": "usage.completion_tokens",
            "new": "usage.total_tokens",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "counts words of the text",
            "old": "response.usage.completion_tokens",
            "new": "len(response.choices[0].message.content.split())",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "the result the wrong way round",
            "old": '"vague": output_tokens(vague, question), "specific": output_tokens(specific, question)',
            "new": '"vague": output_tokens(specific, question), "specific": output_tokens(vague, question)',
            "costs": 1,
        },
        {
            "why": "a seed that depends on the prompt",
            "old": "model=MODEL, messages=messages)",
            "new": "model=MODEL, messages=messages, seed=sum(map(ord, system)))",
            "costs": 1,
        },
        {
            "why": "helps one of them in the question too",
            "old": "output_tokens(specific, question)",
            "new": 'output_tokens(specific, question + " Be brief.")',
            "costs": 2,
        },
    ],
    "1.3": [
        {
            "why": "all examples in one user message",
            "old": '        messages.append({"role": "user", "content": text})\n'
            '        messages.append({"role": "assistant", "content": answer})\n',
            "new": '        messages.append({"role": "user", "content": f"{text} -> {answer}"})\n',
            "costs": 2,
        },
        {
            "why": "the roles of the examples exchanged",
            "old": '{"role": "assistant", "content": answer}',
            "new": '{"role": "system", "content": answer}',
            "costs": 1,
        },
        {
            "why": "forgets the query",
            "old": 'return [*messages, {"role": "user", "content": query}]',
            "new": "return messages",
            "costs": 2,
        },
        {
            "why": "always says positive, without asking",
            "old": "return response.choices[0].message.content.strip().lower()",
            "new": 'return "positive"',
            "costs": 1,
        },
        {
            "why": "returns the reply as it came, in capitals",
            "old": ".strip().lower()",
            "new": ".upper()",
            "costs": 2,
            "exact": True,
        },
        {
            "why": "no example at all",
            "old": 'few_shot("Label the review with one word, positive or negative.", examples, review)',
            "new": 'few_shot("Label the review with one word, positive or negative.", [], review)',
            "costs": 1,
        },
    ],
    "1.4": [
        {
            "why": "remembers the user's side only",
            "old": '        self.messages.append({"role": "assistant", "content": reply})\n',
            "new": "",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "one list for all conversations",
            "old": "    def __init__(self, system: str) -> None:\n        ### BEGIN SOLUTION\n"
            '        self.messages = [{"role": "system", "content": system}]\n',
            "new": "    messages = []\n\n    def __init__(self, system: str) -> None:\n        ### BEGIN SOLUTION\n"
            '        self.messages.append({"role": "system", "content": system})\n',
            "costs": 2,
            "exact": True,
        },
        {
            "why": "sends the last message alone",
            "old": "messages=self.messages)",
            "new": "messages=self.messages[:1] + self.messages[-1:])",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "the reply remembered as the user's",
            "old": '"role": "assistant"',
            "new": '"role": "user"',
            "costs": 1,
        },
        {
            "why": "adds the output to the input tokens",
            "old": "usage.prompt_tokens",
            "new": "usage.total_tokens",
            "costs": 1,
        },
    ],
    "1.5": [
        {
            "why": "takes a cut answer for an answer",
            "old": 'if choice.finish_reason != "length" or caps[-1] >= top_cap:',
            "new": "if choice.message.content is not None:",
            "costs": 2,
            "exact": True,
        },
        {
            "why": "doubles past the top",
            "old": "min(2 * caps[-1], top_cap)",
            "new": "2 * caps[-1]",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "asks once more although the answer had ended",
            "old": 'choice.finish_reason != "length" or caps',
            "new": 'choice.finish_reason != "length" and len(caps) > 1 or caps',
            "costs": 1,
            "exact": True,
        },
        {
            "why": "goes up by a fixed step",
            "old": "2 * caps[-1]",
            "new": "caps[-1] + 64",
            "costs": 2,
        },
        {
            "why": "knows OpenAI's finish reasons only",
            "old": '"stop", "end_turn", "stop_sequence", "STOP"',
            "new": '"stop",',
            "costs": 1,
        },
        {
            "why": "calls what it does not know complete",
            "old": '"unknown")',
            "new": '"complete")',
            "costs": 1,
        },
    ],
}
