"""Wrong answers to exercise 02 that a good student might hand in, and what each must cost.

A mutant is the reference solution with one edit: `old` is replaced by `new` wherever it stands in that task's cell.
"""

MUTANTS: dict[str, list[dict[str, object]]] = {
    "2.1": [
        {
            "why": "keeps the quotation marks",
            "old": ".strip(' \"')",
            "new": "",
            "costs": 1,
        },
        {
            "why": "repetitions and all",
            "old": "list(dict.fromkeys(proposals))",
            "new": "proposals",
            "costs": 1,
        },
        {
            "why": "in alphabetical order",
            "old": "list(dict.fromkeys(proposals))",
            "new": "sorted(set(proposals))",
            "costs": 1,
        },
        {
            "why": "the prompt counted for each answer",
            "old": "completion.usage.prompt_tokens",
            "new": "completion.usage.prompt_tokens * count",
            "costs": 1,
        },
        {"why": "does not pass the seed on", "old": "        seed=seed,\n", "new": "", "costs": 3},
    ],
    "2.2": [
        {
            "why": "takes a log-probability for a probability",
            "old": 'math.exp(candidate["logprob"])',
            "new": '-candidate["logprob"]',
            "costs": 3,
        },
        {"why": "the last spelling wins", "old": "found[label] +=", "new": "found[label] =", "costs": 1},
        {
            "why": "knows one spelling",
            "old": 'candidate["token"].strip().lower()',
            "new": 'candidate["token"]',
            "costs": 1,
        },
        {
            "why": "sends its settings to the standard model too",
            "old": 'model=lk.model("openai", "standard"), messages=messages)',
            "new": 'model=lk.model("openai", "standard"), messages=messages, temperature=0)',
            "costs": 1,
        },
        {
            "why": "asks the same model again",
            "old": 'model=lk.model("openai", "standard")',
            "new": "model=MODEL",
            "costs": 1,
        },
        {
            "why": "always asks twice",
            "old": "second = chances[label] < threshold",
            "new": "second = True",
            "costs": 2,
        },
    ],
    "2.3": [
        {"why": "a schema that is not strict", "old": '"strict": True, ', "new": "", "costs": 3},
        {
            "why": "nothing is required",
            "old": '"required": list(properties)',
            "new": '"required": []',
            "costs": 1,
        },
        {
            "why": "JSON mode, without a schema",
            "old": "response_format=form(fields)",
            "new": 'response_format={"type": "json_object"}',
            "costs": 1,
        },
        {
            "why": "parses whatever came",
            "old": 'if choice.finish_reason != "stop" or choice.message.refusal:',
            "new": "if choice.message.refusal:",
            "costs": 1,
        },
        {
            "why": "overlooks a refusal",
            "old": " or choice.message.refusal:",
            "new": ":",
            "costs": 1,
        },
        {
            "why": "returns the text",
            "old": "json.loads(choice.message.content)",
            "new": "choice.message.content",
            "costs": 1,
        },
    ],
    "2.4": [
        {
            "why": "overlooks a refusal, which ends with stop",
            "old": ' or choice["message"].get("refusal")',
            "new": "",
            "costs": 1,
        },
        {
            "why": "an empty text is a cut text",
            "old": 'return "cut" if choice["message"]["content"] else "thoughts only"',
            "new": 'return "cut"',
            "costs": 2,
        },
        {
            "why": "counts the last request only",
            "old": "billed += ",
            "new": "billed = ",
            "costs": 1,
        },
        {
            "why": "goes on thinking, with more room",
            "old": 'effort = "none"',
            "new": "cap *= 2",
            "costs": 2,
        },
        {
            "why": "hands out what was cut",
            "old": 'if found == "whole" else None',
            "new": "",
            "costs": 1,
        },
        {"why": "asks without end", "old": "range(4)", "new": "range(12)", "costs": 1},
        {
            "why": "asks again after a refusal",
            "old": "        else:\n            break",
            "new": '        elif found == "whole":\n            break',
            "costs": 1,
        },
        {
            "why": "begins without thinking, to be safe",
            "old": 'effort, billed, hidden = "low", 0, 0',
            "new": 'effort, billed, hidden = "none", 0, 0',
            "costs": 4,
        },
    ],
    "2.5": [
        {
            "why": "takes the cap out and does not put it back",
            "old": '                if error.param == "max_tokens":\n'
            '                    request["max_completion_tokens"] = refused\n',
            "new": "",
            "costs": 2,
        },
        {
            "why": "mends typing errors in silence",
            "old": 'elif error.code in ("unsupported_parameter", "unsupported_value"):',
            "new": "elif error.status_code == 400:",
            "costs": 1,
        },
        {
            "why": "mends before it is asked to",
            "old": "    request, changed = dict(request), []\n",
            "new": '    request, changed = {k: v for k, v in request.items() if k != "temperature"}, []\n',
            "costs": 1,
        },
        {
            "why": "has a favourite in place of the successor",
            "old": 'lk.registry.find(request["model"]).successor',
            "new": "SMALL",
            "costs": 1,
        },
        {
            "why": "does not tell what it changed",
            "old": "            changed.append(error.param)\n",
            "new": "",
            "costs": 2,
        },
        {
            "why": "two kinds of refusal, and it knows one",
            "old": '("unsupported_parameter", "unsupported_value")',
            "new": '("unsupported_parameter",)',
            "costs": 2,
        },
    ],
}
