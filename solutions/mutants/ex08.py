"""Wrong answers to exercise 08 that a good student might hand in, and what each must cost.

A mutant is the reference solution with one edit: `old` is replaced by `new` wherever it stands in that task's cell.
"""

MUTANTS: dict[str, list[dict[str, object]]] = {
    "8.1": [
        {"why": "knows one line end", "old": 'raw.replace("\\r\\n", "\\n")', "new": "raw", "costs": 2, "exact": True},
        {
            "why": "takes an event that is not whole",
            "old": 'split("\\n\\n")[:-1]',
            "new": 'split("\\n\\n")',
            "costs": 2,
            "exact": True,
        },
        {
            "why": "keeps the last data line only",
            "old": "data.append(value)",
            "new": "data = [value]",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "insists on the space",
            "old": 'line.partition(":")',
            "new": 'line.partition(": ")',
            "costs": 1,
            "exact": True,
        },
        {
            "why": "splits at every colon",
            "old": 'name, _, value = line.partition(":")',
            "new": 'name, value = (line + ":").split(":")[:2]',
            "costs": 4,
            "exact": True,
        },
        {
            "why": "asks each chunk for its first choice",
            "old": 'for choice in chunk["choices"]:\n',
            "new": 'for choice in [chunk["choices"][0]]:\n',
            "costs": 1,
            "exact": True,
        },
        {
            "why": "the first count that it sees",
            "old": "count or tokens",
            "new": "tokens or count",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "calls every end a stop",
            "old": '"finish": finish, "output_tokens"',
            "new": '"finish": finish or "stop", "output_tokens"',
            "costs": 1,
            "exact": True,
        },
    ],
    "8.2": [
        {
            "why": "times every chunk",
            "old": "            if choice.delta.content:\n                text += choice.delta.content\n"
            "                times.append(perf_counter() - start)",
            "new": "            text += choice.delta.content or ''\n            times.append(perf_counter() - start)",
            "costs": 1,
        },
        {"why": "does not ask for the usage", "old": '{"include_usage": True}', "new": "None", "costs": 1},
        {
            "why": "starts the clock when the stream is open",
            "old": "    for chunk in stream:\n",
            "new": "    start = perf_counter()\n    for chunk in stream:\n",
            "costs": 1,
        },
        {
            "why": "counts chunks in place of tokens",
            "old": '"output_tokens": tokens}',
            "new": '"output_tokens": len(times) + 1}',
            "costs": 1,
        },
    ],
    "8.3": [
        {
            "why": "appends the new attempt to the old one",
            "old": '        text, finish = "", None\n',
            "new": '        text, finish = "", None\n        shown = ""\n',
            "costs": 5,
            "exact": True,
        },
        {
            "why": "skips by number of characters, and goes on in the middle",
            "old": '        text, finish = "", None\n',
            "new": "        text, finish = shown, None\n",
            "costs": 5,
            "exact": True,
        },
        {
            "why": "takes a polite end for the whole answer",
            "old": "        if finish:\n",
            "new": '        else:\n            finish = finish or "stop"\n        if finish:\n',
            "costs": 3,
            "exact": True,
        },
        {"why": "leaves the client's own retries on", "old": "max_retries=0, ", "new": "", "costs": 1, "exact": True},
        {"why": "waits for ever", "old": "max_retries=0, timeout=patience", "new": "max_retries=0", "costs": 1},
        {
            "why": "lets a lost connection through",
            "old": "(openai.APIError, httpx.TransportError, ValueError)",
            "new": "(openai.APIError, ValueError)",
            "costs": 2,
            "exact": True,
        },
        {
            "why": "knows no broken event",
            "old": "(openai.APIError, httpx.TransportError, ValueError)",
            "new": "(openai.APIError, httpx.TransportError)",
            "costs": 1,
            "exact": True,
        },
        {
            "why": "collects first, then shows",
            "old": "                    if len(text) > len(shown):\n"
            '                        yield {"type": "text", "text": text[len(shown) :]}\n'
            "                        shown = text\n",
            "new": '                yield {"type": "text", "text": text[len(shown) :]}\n                shown = text\n',
            "costs": 3,
            "exact": True,
        },
        {
            "why": "reports no cut",
            "old": "        if attempt:\n",
            "new": "        if False:\n",
            "costs": 2,
            "exact": True,
        },
        {
            "why": "reports what this attempt had, not what the display has",
            "old": '{"type": "cut", "kept": len(shown)}',
            "new": '{"type": "cut", "kept": len(text)}',
            "costs": 1,
            "exact": True,
        },
    ],
    "8.4": [
        {
            "why": "one after the other",
            "old": "await asyncio.gather(*[ask(up, prompt) for prompt in prompts])",
            "new": "[await ask(up, prompt) for prompt in prompts]",
            "costs": 1,
        },
        {
            "why": "the sync client, which stops the loop",
            "old": "await up.chat.completions.create(**request, stream=True) as stream:\n"
            "                async for chunk in stream:",
            "new": "asyncio.timeout(9):\n"
            "                for chunk in client.chat.completions.create(**request, stream=True):",
            "costs": 1,
        },
        {
            "why": "no limit",
            "old": "asyncio.Semaphore(at_once)",
            "new": "asyncio.Semaphore(1000)",
            "costs": 1,
        },
        {"why": "half an answer passes for one", "old": "text if finish else None", "new": "text", "costs": 1},
        {"why": "one broken stream breaks all", "old": "except TROUBLE:", "new": "except KeyError:", "costs": 1},
        {
            "why": "in the order of arrival",
            "old": "await asyncio.gather(*[ask(up, prompt) for prompt in prompts])",
            "new": "[await one for one in asyncio.as_completed([ask(up, prompt) for prompt in reversed(prompts)])]",
            "costs": 3,
        },
    ],
    "8.5": [
        {
            "why": "collects before it passes on",
            "old": "StreamingResponse(events(prompt, last_event_id)",
            "new": 'StreamingResponse(iter(["".join([e async for e in events(prompt, last_event_id)])])',
            "costs": 1,
        },
        {
            "why": "the sync client: nobody notices that the browser left",
            "old": "async with AsyncOpenAI() as up, await up.chat.completions.create(**request, stream=True) "
            "as stream:\n            async for",
            "new": "with client.chat.completions.create(**request, stream=True) as stream:\n            for",
            "costs": 1,
        },
        {
            "why": "no headers for proxies",
            "old": ', media_type="text/event-stream", headers=headers',
            "new": ', media_type="text/event-stream"',
            "costs": 1,
        },
        {"why": "always says that it is done", "old": "if finish else", "new": "if True else", "costs": 1},
        {"why": "numbers the chunks", "old": "id: {len(text)}", "new": "id: {len(piece)}", "costs": 3},
        {
            "why": "begins anew each time",
            "old": "events(prompt, last_event_id)",
            "new": "events(prompt, 0)",
            "costs": 1,
        },
    ],
    "8.6": [
        {
            "why": "forgets the prompt",
            "old": "asked * price.input + lk.count_tokens",
            "new": "lk.count_tokens",
            "costs": 2,
            "exact": True,
        },
        {
            "why": "believes its own count in the end",
            "old": "usage.completion_tokens * price.output",
            "new": "lk.count_tokens(text, model) * price.output",
            "costs": 1,
            "exact": True,
        },
        {"why": "prices for a thousand tokens", "old": "/ 1e6", "new": "/ 1e3", "costs": 2, "exact": True},
        {
            "why": "prices the last piece only",
            "old": "lk.count_tokens(text, model)",
            "new": "lk.count_tokens(choice.delta.content, model)",
            "costs": 2,
            "exact": True,
        },
    ],
}
