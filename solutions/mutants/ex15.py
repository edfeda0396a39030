"""Wrong answers to exercise 15 that a good student might hand in, and what each must cost.

A mutant is the reference solution with one edit: `old` is replaced by `new` wherever it stands in that task's cell.
"""

MUTANTS: dict[str, list[dict[str, object]]] = {
    "15.1": [
        {"why": "a refusal counts as an answer", "old": 'if call["status"] == 200:', "new": "if True:", "costs": 1},
        {"why": "one chat is like another", "old": 'call["chat"], call["turn"]', "new": 'call["turn"]', "costs": 1},
        {
            "why": "a share of the fresh tokens",
            "old": 'total(calls, "cached") / prompt if',
            "new": 'total(calls, "cached") / total(calls, "input") if',
            "costs": 1,
        },
        {"why": "divides by nothing", "old": " if prompt else 0.0", "new": "", "costs": 1},
    ],
    "15.2": [
        {
            "why": "the whole handbook",
            "old": '[SECTIONS["Queues"], SECTIONS["Borderline cases"], TASK]',
            "new": "[*SECTIONS.values(), TASK]",
            "costs": 1,
        },
        {
            "why": "marks nothing",
            "old": ', "prompt_cache_breakpoint": {"mode": "explicit"}',
            "new": "",
            "costs": 1,
        },
        {
            "why": "leaves the automatic breakpoint on, which writes each message",
            "old": '    "extra_body": {"prompt_cache_options": {"mode": "explicit"}},\n',
            "new": "",
            "costs": 1,
        },
        {
            "why": "the history behind the message",
            "old": '*history, {"role": "user", "content": text}',
            "new": '{"role": "user", "content": text}, *history',
            "costs": 1,
        },
        {
            "why": "thinks, under a cap that thoughts fill",
            "old": '    "reasoning_effort": "none",\n    "temperature": 0,\n',
            "new": "",
            "costs": 2,
        },
        {"why": "no cap", "old": '    "max_completion_tokens": 10,\n', "new": "", "costs": 1},
    ],
    "15.3": [
        {
            "why": "leaves it to the SDK's two retries",
            "old": "    history, queues = [], []\n",
            "new": "    globals()['patient'] = client\n    history, queues = [], []\n",
            "costs": 1,
        },
        {
            "why": "begins the chat again",
            "old": "        queues.append(sort_one(history, text))\n",
            "new": "        try:\n"
            "            globals()['patient'] = client.with_options(max_retries=0)\n"
            "            queues.append(sort_one(history, text))\n"
            "        except Exception as error:\n"
            "            if getattr(error, 'status_code', 0) != 429:\n"
            "                raise\n"
            "            return sort_chat(messages)\n",
            "costs": 1,
        },
        {
            "why": "only the message before",
            "old": "history += turn(text, queues[-1])",
            "new": "history = turn(text, queues[-1])",
            "costs": 1,
        },
        {
            "why": "a history without the queues",
            "old": ', {"role": "assistant", "content": queue}',
            "new": "",
            "costs": 1,
        },
        {
            "why": "sends again whatever comes back",
            "old": "        queues.append(sort_one(history, text))\n",
            "new": "        for attempt in range(3):\n"
            "            try:\n"
            "                queues.append(sort_one(history, text))\n"
            "                break\n"
            "            except Exception:\n"
            "                if attempt == 2:\n"
            "                    raise\n",
            "costs": 1,
        },
    ],
    "15.4": [
        {
            "why": "looks after the call",
            "old": "if spent + most_usd(text) > budget_usd:",
            "new": "if spent > budget_usd:",
            "costs": 2,
        },
        {
            "why": "a prompt at the plain rate",
            "old": "Usage(cache_write=prompt, ",
            "new": "Usage(input=prompt, ",
            "costs": 1,
        },
        {"why": "adds nothing up", "old": "spent += ", "new": "spent = ", "costs": 1},
        {
            "why": "takes cached tokens for fresh ones",
            "old": "Usage(input=fresh, cached=cached, cache_write=written, ",
            "new": 'Usage(input=usage["prompt_tokens"], ',
            "costs": 1,
        },
    ],
    "15.5": [
        {
            "why": "mails one by one",
            "old": 'for mail in workload["mails"]], send_batch)',
            "new": 'for mail in workload["mails"]], send)',
            "costs": 1,
        },
        {
            "why": "the small model alone",
            "old": "unsure = [n for n, answer in enumerate(answers) if sureness(answer) < SURE]",
            "new": "unsure = []",
            "costs": 2,
        },
        {
            "why": "the large model first, and the whole handbook fresh each time",
            "old": 'answers = send([body | {"model": SMALL, "logprobs": True} for body in bodies])',
            "new": "answers = send([{name: body[name] for name in body if name != 'extra_body'}\n"
            '                    | {"logprobs": True, "messages": [{"role": "system", "content": '
            '"\\n".join([*SECTIONS.values(), TASK])}, '
            '*body["messages"][1:]], "extra_body": {}} for body in bodies])',
            "costs": 2,
        },
    ],
}
