"""Wrong answers to exercise 04 that a good student might hand in, and what each must cost.

A mutant is the reference solution with one edit: `old` is replaced by `new` wherever it stands in that task's cell.
"""

MUTANTS: dict[str, list[dict[str, object]]] = {
    "4.1": [
        {
            "why": "keeps OpenAI's name for the other party",
            "old": 'role = "model" if message["role"] == "assistant" else "user"',
            "new": 'role = message["role"]',
            "costs": 3,
        },
        {
            "why": "the system prompt becomes a turn of the user's",
            "old": 'if message["role"] == "system":',
            "new": "if False:",
            "costs": 2,
        },
        {
            "why": "an empty instruction where there is none",
            "old": "    if instructions:\n        body",
            "new": "    if True:\n        body",
            "costs": 1,
        },
        {
            "why": "the last system message wins",
            "old": "instructions.append(part)",
            "new": "instructions = [part]",
            "costs": 1,
        },
        {
            "why": "the key in the address",
            "old": "headers=headers, json",
            "new": 'params={"key": os.environ["GEMINI_API_KEY"]}, json',
            "costs": 1,
        },
        {
            "why": "a refusal raises",
            "old": "    if response.status_code != 200:\n",
            "new": "    response.raise_for_status()\n    if response.status_code != 200:\n",
            "costs": 1,
        },
        {
            "why": "the tokens of the prompt alone",
            "old": '["totalTokenCount"]',
            "new": '["promptTokenCount"]',
            "costs": 1,
        },
    ],
    "4.2": [
        {
            "why": "waits for a 401, as on other providers",
            "old": 'any(detail.get("reason") == "API_KEY_INVALID" for detail in details)',
            "new": "error.code == 401",
            "costs": 1,
        },
        {
            "why": "every 400 is the key",
            "old": 'any(detail.get("reason") == "API_KEY_INVALID" for detail in details)',
            "new": "error.code == 400",
            "costs": 1,
        },
        {
            "why": "a missing model is a bad request",
            "old": "error.code == 404",
            "new": "False",
            "costs": 1,
        },
        {
            "why": "catches the client's errors, not the server's",
            "old": "except errors.APIError",
            "new": "except errors.ClientError",
            "costs": 1,
        },
        {
            "why": "a rate limit is the request's fault",
            "old": "error.code == 429 or error.code >= 500",
            "new": "error.code >= 500",
            "costs": 1,
        },
        {
            "why": "the settings are left out",
            "old": ", config=config)",
            "new": ")",
            "costs": 1,
        },
    ],
    "4.3": [
        {
            "why": "an empty text is a cut one",
            "old": '"cut" if answer.text else "silent"',
            "new": '"cut"',
            "costs": 1,
        },
        {
            "why": "knows one reason for a block",
            "old": '"complete" if reason == "STOP" else "blocked"',
            "new": '"blocked" if reason == "SAFETY" else "complete"',
            "costs": 1,
        },
        {
            "why": "hands out what was blocked",
            "old": 'answer.text if ending in ("complete", "cut") else None',
            "new": "answer.text or None",
            "costs": 1,
        },
        {
            "why": "thoughts are free",
            "old": "billed = thoughts + (answer",
            "new": "billed = (answer",
            "costs": 1,
        },
        {
            "why": "the share of the prompt's tokens too",
            "old": "thoughts / billed if billed",
            "new": "thoughts / answer.usage_metadata.total_token_count if billed",
            "costs": 1,
        },
        {
            "why": "no cap is sent",
            "old": '{"max_output_tokens": cap}',
            "new": "{}",
            "costs": 3,
        },
    ],
    "4.4": [
        {
            "why": "the instruction is said, and not set",
            "old": 'config = {"system_instruction": self.instruction}',
            "new": "config = {}",
            "costs": 4,
        },
        {
            "why": "takes back the reply alone",
            "old": "[:-2]",
            "new": "[:-1]",
            "costs": 1,
        },
        {
            "why": "forgets everything",
            "old": "self.chat.get_history()[:-2]",
            "new": "[]",
            "costs": 1,
        },
        {
            "why": "an undo takes the bill back",
            "old": "        self.begin(self.chat.get_history()[:-2])",
            "new": "        self.prompt_tokens[-1:] = []\n        self.begin(self.chat.get_history()[:-2])",
            "costs": 1,
        },
        {
            "why": "what was said before is dropped",
            "old": 'to_gemini(messages or [])["contents"]',
            "new": "[]",
            "costs": 1,
        },
        {
            "why": "counts the whole exchange",
            "old": "usage_metadata.prompt_token_count",
            "new": "usage_metadata.total_token_count",
            "costs": 2,
        },
    ],
    "4.5": [
        {
            "why": "judges by one answer",
            "old": "range(8)",
            "new": "range(1)",
            "costs": 2,
        },
        {
            "why": "leaves the default temperature",
            "old": '{"temperature": 0}',
            "new": "{}",
            "costs": 3,
        },
        {
            "why": "takes every model that does not refuse for obedient",
            "old": '"obeys" if len(texts) == 1 else "ignores"',
            "new": '"obeys"',
            "costs": 2,
        },
        {
            "why": "reads the registry",
            "old": '    haiku, config = "Write a haiku about rain.", {"temperature": 0}\n',
            "new": '    row = next(m for m in lk.models("gemini") if m.id == model)\n'
            '    return {"yes": "obeys", "ignored": "ignores", "no": "refuses"}[row.sampling]\n',
            "costs": 1,
        },
    ],
    "4.6": [
        {
            "why": "asks the old model still",
            "old": "self.model = in_service(model_name)",
            "new": "self.model = model_name",
            "costs": 1,
        },
        {
            "why": "one model for all old scripts",
            "old": "return successors[name]",
            "new": 'return lk.model("gemini")',
            "costs": 1,
        },
        {
            "why": "the instruction is lost",
            "old": "        if system_instruction:\n",
            "new": "        if False:\n",
            "costs": 2,
        },
        {
            "why": "the settings are lost",
            "old": "self.config = dict(generation_config or {})",
            "new": "self.config = {}",
            "costs": 2,
        },
        {
            "why": "one config for all objects",
            "old": "        self.config = dict(generation_config or {})\n",
            "new": '        self.config = GenerativeModel.__dict__.get("shared") or {}\n'
            "        GenerativeModel.shared = self.config\n        self.config.update(generation_config or {})\n",
            "costs": 1,
        },
        {
            "why": "generates to count",
            "old": "gemini.models.count_tokens(model=self.model, contents=prompt).total_tokens",
            "new": "gemini.models.generate_content(\n            model=self.model, contents=prompt"
            "\n        ).usage_metadata.prompt_token_count",
            "costs": 1,
        },
        {
            "why": "counts words",
            "old": "gemini.models.count_tokens(model=self.model, contents=prompt).total_tokens",
            "new": "len(prompt.split())",
            "costs": 1,
        },
    ],
}
