"""Wrong answers to exercise 11 that a good student might hand in, and what each must cost.

A mutant is the reference solution with one edit: `old` is replaced by `new` wherever it stands in that task's cell.
"""

MUTANTS: dict[str, list[dict[str, object]]] = {
    "11.1": [
        {
            "why": "a JSON list in place of JSON lines",
            "old": '"\\n".join(json.dumps(request(key, text, instruction)) for key, text in texts.items())',
            "new": "json.dumps([request(key, text, instruction) for key, text in texts.items()], indent=1)",
            "costs": 2,
            "exact": True,
        },
        {
            "why": "the lines put together by hand",
            "old": '"content": text}]',
            "new": '"content": text.replace("\\n", " ")}]',
            "costs": 1,
            "exact": True,
        },
        {
            "why": "half the price of the half price",
            "old": "requests * lk.cost(MODEL, one, batch=True)",
            "new": "requests * lk.cost(MODEL, one, batch=True) / 2",
            "costs": 2,
            "exact": True,
        },
        {
            "why": "rounds to cents",
            "old": '{"live": live, "batch": batch, "saved": live - batch}',
            "new": '{"live": round(live, 2), "batch": round(batch, 2), "saved": round(live - batch, 2)}',
            "costs": 1,
        },
    ],
    "11.2": [
        {
            "why": "matches by place",
            "old": 'answers[result["custom_id"]] = result',
            "new": "answers[next(key for key in answers if answers[key] is None)] = result",
            "costs": 1,
        },
        {
            "why": "looks without a pause",
            "old": "        lk.lab.sleep(10)\n",
            "new": "",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "leaves out what has no answer",
            "old": "    return answers",
            "new": "    return {key: text for key, text in answers.items() if text is not None}",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "takes an output file for granted",
            "old": "if batch.output_file_id:",
            "new": "if True:",
            "costs": 1,
            "exact": True,
        },
    ],
    "11.3": [
        {
            "why": "sends everything again",
            "old": 'if answers[request["custom_id"]] is None]',
            "new": "]",
            "costs": 3,
        },
        {
            "why": "changes go beside the body",
            "old": '{"body": request["body"] | changes}',
            "new": "changes",
            "costs": 2,
            "exact": True,
        },
        {
            "why": "makes one batch too many",
            "old": "range(most_batches - 1)",
            "new": "range(most_batches)",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "forgets the first answers",
            "old": "answers |= run_batch",
            "new": "answers = run_batch",
            "costs": 1,
        },
        {
            "why": "tries once more and no further, whatever is left",
            "old": "            break\n",
            "new": "            pass\n",
            "costs": 1,
        },
    ],
    "11.4": [
        {
            "why": "rows in the order of the results",
            "old": "[rows[key] for key in texts]",
            "new": "list(rows.values())",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "the instruction in front of the text",
            "old": '"max_tokens": 20, "system": instruction}',
            "new": '"max_tokens": 20}',
            "costs": 1,
            "exact": True,
        },
        {
            "why": "the rows are all called Gemini's",
            "old": '"provider": provider,',
            "new": '"provider": "gemini",',
            "costs": 1,
            "exact": True,
        },
        {
            "why": "a batch for each text",
            "old": "job = gemini.batches.create(model=GEMINI, src=requests)",
            "new": "gemini.batches.create(model=GEMINI, src=requests[:1])\n"
            "    job = gemini.batches.create(model=GEMINI, src=requests)",
            "costs": 1,
        },
        {
            "why": "no cap at Gemini",
            "old": '"system_instruction": instruction, "max_output_tokens": 20',
            "new": '"system_instruction": instruction',
            "costs": 1,
        },
    ],
    "11.5": [
        {
            "why": "one ticket a call",
            "old": "range(0, len(tickets), size):",
            "new": "range(0, len(tickets)):\n        size = 1",
            "costs": 2,
        },
        {
            "why": "goes by the place of a line and lets a cut pack shift the next",
            "old": "found = [named.get(str(number)) for number in range(1, len(pack) + 1)]",
            "new": "found = list(named.values())",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "takes any word for a queue",
            "old": "[queue if queue in QUEUES else None for queue in found]",
            "new": "[queue or 'unknown' for queue in found]",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "drops the last, smaller pack",
            "old": "range(0, len(tickets), size)",
            "new": "range(0, len(tickets) - size + 1, size)",
            "costs": 1,
        },
    ],
    "11.6": [
        {
            "why": "no gate",
            "old": "gate = asyncio.Semaphore(at_once)",
            "new": "gate = asyncio.Semaphore(1000)",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "one after the other",
            "old": "return await asyncio.gather(*map(ask, prompts))",
            "new": "return [await ask(prompt) for prompt in prompts]",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "the synchronous client in async code",
            "old": "await aclient.chat",
            "new": "client.chat",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "answers in the order in which they come",
            "old": "return await asyncio.gather(*map(ask, prompts))",
            "new": "return [await done for done in asyncio.as_completed([ask(p) for p in prompts[::-1]])]",
            "costs": 1,
        },
    ],
}
