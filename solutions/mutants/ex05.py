"""Wrong answers to exercise 05 that a good student might hand in, and what each must cost.

A mutant is the reference solution with one edit: `old` is replaced by `new` wherever it stands in that task's cell.
"""

MUTANTS: dict[str, list[dict[str, object]]] = {
    "5.1": [
        {
            "why": "the address without /v1",
            "old": 'base_url=f"{url}/v1"',
            "new": "base_url=url",
            "costs": 3,
        },
        {
            "why": "one door for all",
            "old": 'base_url=f"{url}/v1"',
            "new": "base_url=f\"{HOSTS['vllm']}/v1\"",
            "costs": 3,
        },
        {
            "why": "one model for all doors",
            "old": "model=model, messages",
            "new": "model=STANDARD, messages",
            "costs": 2,
        },
        {
            "why": "sends top_k whether it was given or not",
            "old": '{} if top_k is None else {"extra_body": {"top_k": top_k}}',
            "new": '{"extra_body": {"top_k": top_k or 40}}',
            "costs": 1,
        },
        {
            "why": "leaves the SDK's own retries on",
            "old": ", max_retries=0",
            "new": "",
            "costs": 1,
        },
        {
            "why": "a refusal goes through",
            "old": "except openai.APIStatusError",
            "new": "except openai.RateLimitError",
            "costs": 2,
        },
        {
            "why": "nobody there is an exception",
            "old": '        except openai.APIConnectionError:\n            return {"status": None, "text": None}\n',
            "new": "",
            "costs": 1,
        },
    ],
    "5.2": [
        {
            "why": "the last token does not fit",
            "old": '<= counted["max_model_len"]',
            "new": '< counted["max_model_len"]',
            "costs": 1,
        },
        {
            "why": "forgets the answer",
            "old": 'counted["count"] + cap <=',
            "new": 'counted["count"] <=',
            "costs": 1,
        },
        {
            "why": "counts the text without the marks between turns",
            "old": '{"model": STANDARD, "messages": messages}',
            "new": '{"model": STANDARD, "prompt": " ".join(message["content"] for message in messages)}',
            "costs": 1,
        },
        {
            "why": "asks the model to know what it costs",
            "old": 'return {"prompt_tokens": counted',
            "new": 'ask(HOSTS["vllm"], STANDARD, messages[-1]["content"])\n    return {"prompt_tokens": counted',
            "costs": 2,
        },
        {
            "why": "takes the last model of the page",
            "old": 'if sample.labels.get("model_name") == model}',
            "new": "}",
            "costs": 1,
        },
        {
            "why": "the counter as if it were a rate",
            "old": "now[name] - then[name]) / seconds",
            "new": "now[name]) / seconds",
            "costs": 1,
        },
        {
            "why": "a restart makes it negative",
            "old": "restarted = now[name] < then[name]",
            "new": "restarted = False",
            "costs": 1,
        },
    ],
    "5.3": [
        {
            "why": "the window beside the options, where nobody reads it",
            "old": '"options": options}',
            "new": "**options}",
            "costs": 2,
        },
        {
            "why": "asks for one piece",
            "old": '"options": options}',
            "new": '"options": options, "stream": False}',
            "costs": 1,
        },
        {
            "why": "milliseconds",
            "old": "/ 1e9",
            "new": "/ 1e6",
            "costs": 1,
        },
        {
            "why": "takes any last line for the end",
            "old": 'lines[-1] if lines and lines[-1].get("done") else {}',
            "new": "lines[-1]",
            "costs": 1,
        },
        {
            "why": "an end is what it wants to read",
            "old": 'last.get("done_reason")',
            "new": '"stop"',
            "costs": 1,
        },
        {
            "why": "a full window counts as read",
            "old": 'last["prompt_eval_count"] < window',
            "new": 'last["prompt_eval_count"] <= window',
            "costs": 2,
        },
        {
            "why": "tries the next window to be sure",
            "old": "            return window\n",
            "new": '            post_chat(prompt, {"num_ctx": 2 * window, "num_predict": 1})\n'
            "            return window\n",
            "costs": 1,
        },
        {
            "why": "pays for whole answers",
            "old": ', "num_predict": 1',
            "new": "",
            "costs": 2,
        },
        {
            "why": "says the top where nothing was large enough",
            "old": "    return None\n",
            "new": "    return top\n",
            "costs": 1,
        },
    ],
    "5.4": [
        {
            "why": "the version of Anthropic's own API",
            "old": "bedrock-2023-05-31",
            "new": "2023-06-01",
            "costs": 2,
        },
        {
            "why": "the model in the body",
            "old": '"messages": messages}',
            "new": '"messages": messages, "model": "claude"}',
            "costs": 2,
        },
        {
            "why": "Claude's cap for Llama",
            "old": '"max_gen_len": cap',
            "new": '"max_tokens": cap',
            "costs": 2,
        },
        {
            "why": "the first block is the text",
            "old": '"".join(block["text"] for block in message["content"] if block["type"] == "text")',
            "new": 'message["content"][0]["text"]',
            "costs": 1,
        },
        {
            "why": "Claude's words for Llama's stops",
            "old": '"stop": answer["stop_reason"]',
            "new": '"stop": {"stop": "end_turn", "length": "max_tokens"}[answer["stop_reason"]]',
            "costs": 2,
        },
        {
            "why": "counts the prompt",
            "old": '["generation_token_count"]',
            "new": '["prompt_token_count"]',
            "costs": 2,
        },
        {
            "why": "the region is taken from the client",
            "old": '"region": region',
            "new": '"region": bedrock.meta.region_name',
            "costs": 1,
        },
        {
            "why": "every header is taken for a signature",
            "old": '    if kind != "AWS4-HMAC-SHA256":\n        return None\n',
            "new": "",
            "costs": 1,
        },
    ],
    "5.5": [
        {
            "why": "the first block is the text",
            "old": '"".join(block["text"] for block in blocks if "text" in block)',
            "new": 'blocks[0]["text"]',
            "costs": 1,
        },
        {
            "why": "an empty system prompt where there is none",
            "old": "    if system is not None:\n        request",
            "new": '    if True:\n        system = system or "Be helpful."\n        request',
            "costs": 1,
        },
        {
            "why": "the system prompt in front of the question",
            "old": '        request["system"] = [{"text": system}]\n',
            "new": '        request["messages"][0]["content"].insert(0, {"text": system})\n',
            "costs": 1,
        },
        {
            "why": "no cap is sent",
            "old": '        "inferenceConfig": {"maxTokens": cap},\n',
            "new": "",
            "costs": 1,
        },
        {
            "why": "output tokens for all tokens",
            "old": '["totalTokens"]',
            "new": '["outputTokens"]',
            "costs": 2,
        },
        {
            "why": "the message for the code",
            "old": 'told["Error"]["Code"]',
            "new": 'told["Error"]["Message"]',
            "costs": 2,
        },
        {
            "why": "retries are taken for granted",
            "old": 'answer["ResponseMetadata"]["RetryAttempts"]',
            "new": "0",
            "costs": 1,
        },
    ],
    "5.6": [
        {
            "why": "leaves at the stop",
            "old": '["stopReason"]\n',
            "new": '["stopReason"]\n                    break\n',
            "costs": 2,
        },
        {
            "why": "takes every delta for text",
            "old": '["delta"].get("text", "")',
            "new": '["delta"]["text"]',
            "costs": 1,
        },
        {
            "why": "thoughts among the text",
            "old": 'event["contentBlockDelta"]["delta"].get("text", "")',
            "new": '(lambda d: d.get("text") or d.get("reasoningContent", {}).get("text", ""))(\n'
            '                    event["contentBlockDelta"]["delta"])',
            "costs": 1,
        },
        {
            "why": "counts events for tokens",
            "old": 'tokens = event["metadata"]["usage"]["outputTokens"]',
            "new": "tokens = len(text.split())",
            "costs": 1,
        },
        {
            "why": "no stop is a stop",
            "old": 'text, stop, tokens = "", None, None',
            "new": 'text, stop, tokens = "", "end_turn", None',
            "costs": 1,
        },
        {
            "why": "an error throws the text away",
            "old": 'return {"text": text, "stop": None, "tokens": None}',
            "new": 'return {"text": "", "stop": None, "tokens": None}',
            "costs": 1,
        },
    ],
}
