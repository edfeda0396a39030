"""Checks of exercise 11, "Batching". Read them beside the notebook of the same number.

The lab's clock runs fast while a check does, and batches take few seconds of it. What an answer should have been is
read from what the lab server sent out: the files that were downloaded, the results of a batch, the replies of calls.
"""

import json
import re
from collections.abc import Collection
from typing import Any

from labkit import datasets, prices, registry
from labkit.grading import Answer, Exchange, Task, expect, fail
from labkit.grading.answer import NoAnswer
from labkit.usage import Usage

CHAT = "/v1/chat/completions"
MODEL = registry.model("openai", "sampling")
QUEUES = tuple(datasets.LABELS["tickets"])
QUESTIONS = (
    "What is a token?",
    "What is an API?",
    "What is a context window?",
    "What is streaming good for?",
    "What does temperature do?",
    "What is recursion?",
)
AWKWARD = ('He said "it\'s broken".\nSecond line.', "회의가 목요일로 옮겨졌습니다.", "C:\\temp\tand a tab", "{} []")
QUICK = {"validating_s": 2.0, "queue_s": 10.0, "lines_per_s": 5.0, "finalizing_s": 2.0}
"""A batch of some lines takes under half a lab minute."""
DAY_S = 86_400


def texts(answer: Answer, count: int) -> dict[str, str]:
    """Questions under keys whose order is not theirs."""
    numbers = answer.rng.sample(range(100, 1000), count)
    return {f"row-{n}": f"{answer.rng.choice(QUESTIONS)} (reader {n})" for n in numbers}


def instruction(answer: Answer) -> str:
    return f"Answer in one short sentence, for reader {answer.rng.randrange(100, 1000)}."


def line(key: str, text: str, **more: Any) -> dict[str, Any]:
    body = {"model": MODEL, "messages": [{"role": "user", "content": text}], "max_completion_tokens": 12, **more}
    return {"custom_id": key, "method": "POST", "url": CHAT, "body": body}


def written(lines: list[dict[str, Any]]) -> str:
    return "\n".join(map(json.dumps, lines))


def read(text: object, what: str) -> list[dict[str, Any]]:
    """JSON lines, or a sentence on the one that is none."""
    expect(text, what, type_=str)
    found = []
    for number, row in enumerate(str(text).strip("\n").split("\n"), 1):
        try:
            found.append(json.loads(row))
        except ValueError:
            fail(f"line {number} of {what} is no JSON: {row[:60]!r}")
    return found


def hurry(answer: Answer, **batches: float) -> None:
    """Batches end in a fraction of a second."""
    answer.lab.set(clock={"rate": 600}, batches={**QUICK, **batches})


def sent(answer: Answer, method: str, path: str) -> list[Exchange]:
    """What the last call sent of one kind; `path` is a regular expression."""
    return [seen for seen in answer.requests() if seen.method == method and re.fullmatch(path, seen.path)]


def delivered(answer: Answer) -> dict[str, str]:
    """The answers in the output files that were downloaded, by `custom_id`."""
    found = {}
    for seen in sent(answer, "GET", "/v1/files/[^/]+/content"):
        rows = [seen.reply] if isinstance(seen.reply, dict) else map(json.loads, str(seen.reply).splitlines())
        for row in rows:
            if row["response"] and row["response"]["status_code"] == 200:
                found[row["custom_id"]] = row["response"]["body"]["choices"][0]["message"]["content"]
    return found


def uploaded(answer: Answer) -> list[list[str]]:
    """The ids in each file that was uploaded."""
    files = []
    for seen in sent(answer, "POST", "/v1/files"):
        rows = [row for row in str(seen.body).splitlines() if row.startswith("{")]
        files.append([json.loads(row)["custom_id"] for row in rows])
    return files


# --- 11.1 ------------------------------------------------------------------------------------------------------------

file_and_bill = Task(
    "11.1",
    "The file and the bill",
    points=4,
    hints=(
        "JSONL is one JSON object a line: `json.dumps` writes one, and never breaks a line itself. The table of prices "
        "has a batch price for each model, and `lk.cost` knows both.",
        'A line has "custom_id", "method", "url" and "body"; the body is what you would post. For the bill, '
        "`lk.cost(MODEL, Usage(input=..., output=...), batch=True)` is the price of one request in a batch.",
    ),
)


@file_and_bill.check("`to_jsonl` gives a line for each text, in OpenAI's form", points=1)
def form_of_lines(answer: Answer) -> None:
    given = texts(answer, 4)
    rows = read(answer.call("to_jsonl", given, instruction(answer)), "what `to_jsonl` returned")
    expect([row.get("custom_id") for row in rows], "the custom_ids, line by line,", is_=list(given))
    for row in rows:
        expect((row.get("method"), row.get("url")), "method and url of a line", is_=("POST", CHAT))
        expect(row.get("body"), "`body` of a line", type_=dict)
        expect(row["body"].get("model"), "the model in a body", is_=MODEL)


@file_and_bill.check("the body has the instruction, the text and the cap, whatever is in the text", points=1)
def content_of_lines(answer: Answer) -> None:
    given = texts(answer, 2) | {f"odd-{n}": text for n, text in enumerate(AWKWARD)}
    system = instruction(answer)
    rows = read(answer.call("to_jsonl", given, system), "what `to_jsonl` returned")
    expect(len(rows), "the number of lines", is_=len(given))
    for row, text in zip(rows, given.values(), strict=True):
        turns = [[turn.get("role"), turn.get("content")] for turn in row["body"].get("messages", [])]
        expect(turns, "the messages of a line", is_=[["system", system], ["user", text]])
        cap = row["body"].get("max_completion_tokens", row["body"].get("max_tokens"))
        expect(cap, "the cap on output tokens", is_=20)


@file_and_bill.check("`bill` has the price one by one, in a batch, and the difference", points=1)
def adds_up(answer: Answer) -> None:
    check_bill(answer, requests=answer.rng.randrange(1000, 50_000))


### BEGIN HIDDEN TESTS
@file_and_bill.check("`bill` is right for a single small request too, without rounding", points=1)
def does_not_round(answer: Answer) -> None:
    check_bill(answer, requests=1)


### END HIDDEN TESTS
def check_bill(answer: Answer, requests: int) -> None:
    used = Usage(input=answer.rng.randrange(50, 900), output=answer.rng.randrange(5, 90))
    got = answer.call("bill", requests, used.input, used.output)
    expect(got, "what `bill` returned", type_=dict)
    live, batch = (requests * prices.cost(MODEL, used, batch=batch) for batch in (False, True))
    for name, usd in {"live": live, "batch": batch, "saved": live - batch}.items():
        expect(got.get(name), f"`{name}`", type_=float)
        if abs(got[name] - usd) > 1e-9 * max(1, requests):
            fail(f"`{name}`: expected {usd:.8f}, saw {got[name]:.8f}")


# --- 11.2 ------------------------------------------------------------------------------------------------------------

one_batch = Task(
    "11.2",
    "Submit, wait, match",
    points=4,
    hints=(
        "Four requests in order: a file with purpose `batch`, a batch of it, looks at the batch, the content of its "
        "output file. The lines of that file come in any order, and those that failed are not in it.",
        "Begin with a dictionary that has every custom_id of the file you were given and the value None. While the "
        "status is none of completed, failed, expired, cancelled: `lk.lab.sleep(10)` and retrieve again. Then, if "
        "`output_file_id` is there, read its lines and fill in `response -> body -> choices -> message`.",
    ),
)


@one_batch.check("it uploads one file and makes one batch of it", points=1)
def one_file_one_batch(answer: Answer) -> None:
    hurry(answer)
    given = texts(answer, 5)
    answer.send("run_batch", written([line(*item) for item in given.items()]))
    expect(len(sent(answer, "POST", "/v1/batches")), "the number of batches that were made", is_=1)
    expect(uploaded(answer), "the ids in the files that were uploaded", is_=[list(given)])
    expect(len(sent(answer, "POST", CHAT)), "the number of requests outside of the batch", is_=0)


@one_batch.check("each answer stands under its own custom_id", points=1)
def matched_by_id(answer: Answer) -> None:
    hurry(answer)
    given = texts(answer, 8)
    got = answer.call("run_batch", written([line(*item) for item in given.items()]))
    check_answers(answer, got, given)


### BEGIN HIDDEN TESTS
@one_batch.check("a line that is refused is None, also when all are", points=1)
def refused_lines(answer: Answer) -> None:
    hurry(answer)
    given = texts(answer, 6)
    bad = set(answer.rng.sample(list(given), 2))
    for refused in (bad, set(given)):
        rows = [line(key, text, **({"temperature": 9} if key in refused else {})) for key, text in given.items()]
        got = answer.call("run_batch", written(rows))
        check_answers(answer, got, given, without=refused)


@one_batch.check("it looks every ten seconds of the lab's clock, and not all the time", points=1)
def patient(answer: Answer) -> None:
    answer.lab.set(clock={"rate": 60}, batches={**QUICK, "queue_s": 40})
    given = texts(answer, 2)
    got = answer.call("run_batch", written([line(*item) for item in given.items()]))
    expect(len(sent(answer, "GET", "/v1/batches/[^/]+")), "looks at a batch of one lab minute", at_most=12)
    check_answers(answer, got, given)


### END HIDDEN TESTS
def check_answers(answer: Answer, got: Any, given: dict[str, str], without: Collection[str] = ()) -> None:
    """Hold a result against the files that were downloaded for it."""
    expect(got, "what was returned", type_=dict)
    expect(sorted(got), "the custom_ids in the result", is_=sorted(given))
    right = delivered(answer)
    if missing := set(given) - set(without) - set(right):
        fail(f"the answer to {min(missing)!r} was never downloaded")
    for key in given:
        expect(got[key], f"the answer to {key!r}", is_=None if key in without else right[key])


# --- 11.3 ------------------------------------------------------------------------------------------------------------

again = Task(
    "11.3",
    "Only what failed",
    points=5,
    hints=(
        "The answers tell which lines to keep: those whose value is None. `run_to_the_end` is a loop around your own "
        "two functions; a line that had an answer never goes up a second time.",
        'Read each line with `json.loads`, keep it if `answers[line["custom_id"]] is None`, and write '
        '`line | {"body": line["body"] | changes}` back. In the loop: stop when no answer is None or `most_batches` '
        "batches were made; `answers |= run_batch(failed_lines(...))` puts the new answers beside the old ones.",
    ),
)


@again.check("`failed_lines` keeps the lines without an answer, changed as told", points=1)
def keeps_the_failed(answer: Answer) -> None:
    given = texts(answer, 6)
    failed = answer.rng.sample(list(given), 3)
    rows = [line(key, text, temperature=9) for key, text in given.items()]
    answers = {key: None if key in failed else "Fine." for key in reversed(given)}
    cap = answer.rng.randrange(30, 90)
    changes = {"temperature": 1, "max_completion_tokens": cap}
    got = read(answer.call("failed_lines", written(rows), answers, changes), "what `failed_lines` returned")
    expected = [{**row, "body": {**row["body"], **changes}} for row in rows if row["custom_id"] in failed]
    expect([row.get("custom_id") for row in got], "the lines that were kept", is_=[r["custom_id"] for r in expected])
    expect(got, "the lines, with their changes,", is_=expected)


@again.check("the second batch has the failed lines and no other", points=1)
def second_batch(answer: Answer) -> None:
    hurry(answer)
    given = texts(answer, 7)
    failed = set(answer.rng.sample(list(given), 2))
    rows = [line(key, text, **({"temperature": 9} if key in failed else {})) for key, text in given.items()]
    got = answer.call("run_to_the_end", written(rows), {"temperature": 1}, 3)
    files = uploaded(answer)
    expect([len(ids) for ids in files], "lines in the batches, one after the other,", is_=[7, 2])
    expect(sorted(files[1]), "the lines of the second batch", is_=sorted(failed))
    check_answers(answer, got, given)


@again.check("a batch without failures is the only one", points=1)
def nothing_to_do(answer: Answer) -> None:
    hurry(answer)
    given = texts(answer, 3)
    got = answer.call("run_to_the_end", written([line(*item) for item in given.items()]), {"temperature": 1}, 3)
    expect(len(uploaded(answer)), "the number of batches", is_=1)
    check_answers(answer, got, given)


### BEGIN HIDDEN TESTS
@again.check("it gives up after `most_batches` batches, and keeps what it has", points=1)
def gives_up(answer: Answer) -> None:
    hurry(answer)
    given = texts(answer, 4)
    bad = answer.rng.choice(list(given))
    rows = [line(key, text, **({"temperature": 9} if key == bad else {})) for key, text in given.items()]
    most = answer.rng.randint(2, 3)
    got = answer.call("run_to_the_end", written(rows), {"temperature": 8}, most)
    expect([len(ids) for ids in uploaded(answer)], "lines in the batches", is_=[4] + [1] * (most - 1))
    check_answers(answer, got, given, without={bad})


@again.check("lines that expired are sent again, those that were done are not", points=1)
def expired_lines(answer: Answer) -> None:
    answer.lab.set(clock={"rate": 4 * DAY_S}, batches={**QUICK, "lines_per_s": 8.5 / DAY_S})
    given = texts(answer, 12)
    got = answer.call("run_to_the_end", written([line(*item) for item in given.items()]), {}, 3)
    expect([len(ids) for ids in uploaded(answer)], "lines in the batches", is_=[12, 4])
    check_answers(answer, got, given)


### END HIDDEN TESTS
# --- 11.4 ------------------------------------------------------------------------------------------------------------

elsewhere = Task(
    "11.4",
    "The same job elsewhere",
    points=4,
    hints=(
        "Anthropic takes the requests in `messages.batches.create`, each with custom_id and params; Gemini in "
        "`batches.create(src=...)`, each with contents, config and metadata. Neither needs a file.",
        "Anthropic: loop until `processing_status` is ended; `messages.batches.results(id)` yields lines with "
        "`custom_id` and `result.message`. Gemini: loop until the state is no longer PENDING or RUNNING; "
        '`job.dest.inlined_responses` has `metadata["key"]` and `response`. Collect rows by key, then list them in '
        "the order of `texts`.",
    ),
)


@elsewhere.check("one batch at Anthropic, with the right requests", points=1)
def claude_requests(answer: Answer) -> None:
    hurry(answer)
    given, system = texts(answer, 5), instruction(answer)
    answer.send("claude_rows", given, system)
    made = sent(answer, "POST", "/v1/messages/batches")
    expect(len(made), "the number of batches at Anthropic", is_=1)
    expect(len(sent(answer, "POST", "/v1/messages")), "the number of requests outside of the batch", is_=0)
    asked = {one["custom_id"]: one["params"] for one in made[0].body["requests"]}
    expect(sorted(asked), "the custom_ids", is_=sorted(given))
    for key, params in asked.items():
        expect(params["messages"], f"the messages of {key!r}", is_=[{"role": "user", "content": given[key]}])
        expect((params.get("system"), params.get("max_tokens")), "system prompt and cap", is_=(system, 20))


@elsewhere.check("`claude_rows` has Claude's answers and tokens, in the order of the texts", points=1)
def claude_table(answer: Answer) -> None:
    hurry(answer)
    given = texts(answer, 7)
    got = answer.call("claude_rows", given, instruction(answer))
    found = sent(answer, "GET", "/v1/messages/batches/[^/]+/results")
    expect(len(found), "how often the results were read", at_least=1)
    right = {}
    for row in map(json.loads, str(found[-1].reply).splitlines()):
        message = row["result"]["message"]
        used = message["usage"]
        right[row["custom_id"]] = (message["content"][0]["text"], used["input_tokens"], used["output_tokens"])
    check_rows(got, "anthropic", given, right)


### BEGIN HIDDEN TESTS
@elsewhere.check("one batch at Gemini, with the right requests", points=1)
def gemini_requests(answer: Answer) -> None:
    hurry(answer)
    given, system = texts(answer, 5), instruction(answer)
    answer.send("gemini_rows", given, system)
    made = sent(answer, "POST", "/v1(beta)?/models/[^/]+:batchGenerateContent")
    expect(len(made), "the number of batches at Gemini", is_=1)
    wanted = sorted([system, text, 20] for text in given.values())
    asked = made[0].body["batch"]["inputConfig"].get("requests", {}).get("requests", [])
    expect(sorted(map(gemini_asked, asked)), "instruction, text and cap of the requests", is_=wanted)


def gemini_asked(row: dict[str, Any]) -> list[Any]:
    """Instruction, text and cap of one request."""
    request = row["request"]
    config = request.get("generationConfig", {})
    said = request.get("systemInstruction", {}).get("parts", [{}])[0].get("text")
    return [said or "", request["contents"][0]["parts"][0]["text"], config.get("maxOutputTokens")]


@elsewhere.check("`gemini_rows` has Gemini's answers and tokens, in the order of the texts", points=1)
def gemini_table(answer: Answer) -> None:
    hurry(answer)
    given = texts(answer, 5)
    got = answer.call("gemini_rows", given, instruction(answer))
    looks = sent(answer, "GET", "/v1(beta)?/batches/[^/]+")
    expect(len(looks), "how often the batch was looked at", at_least=1)
    rows = looks[-1].reply["metadata"].get("output", {}).get("inlinedResponses", {}).get("inlinedResponses", [])
    replies = [row["response"] for row in rows]
    right = {}
    for key, reply in zip(given, replies, strict=True):  # the lab answers inline requests in their order
        used = reply["usageMetadata"]
        said = reply["candidates"][0]["content"]["parts"][0]["text"]
        right[key] = (said, used["promptTokenCount"], used["candidatesTokenCount"])
    check_rows(got, "gemini", given, right)


### END HIDDEN TESTS
def check_rows(got: Any, provider: str, given: dict[str, str], right: dict[str, tuple[Any, ...]]) -> None:
    expect(got, "what was returned", type_=list)
    expect([one.get("id") for one in got], "the ids, row by row,", is_=list(given))
    for one in got:
        expect(one.get("provider"), "`provider`", is_=provider)
        seen = tuple(one.get(name) for name in ("text", "input_tokens", "output_tokens"))
        expect(seen, f"text, input and output tokens of {one['id']!r}", is_=right[one["id"]])


# --- 11.5 ------------------------------------------------------------------------------------------------------------

packing = Task(
    "11.5",
    "Several tickets in one prompt",
    points=4,
    hints=(
        "Cut the list into pieces of `size`, number the tickets of a piece from 1, and tell the model to answer with "
        "number and queue, a line for each. Then go by the number of a line, not by its place.",
        "`for start in range(0, len(tickets), size)` makes the pieces. A regular expression such as "
        r"`^(\d+)\.\s*(\w+)` with re.MULTILINE reads number and word of each line; make a dictionary of it, and take "
        "None for a number that is missing or a word that is no key of QUEUES.",
    ),
)


@packing.check("as many calls as packs, each ticket in one of them", points=1)
def packs(answer: Answer) -> None:
    given = [row["text"] for row in tickets(answer, 11)]
    size = answer.rng.choice((3, 4))
    answer.send("label_packed", given, size)
    prompts = [prompt_of(seen) for seen in sent(answer, "POST", CHAT)]
    expect(len(prompts), f"the number of calls for 11 tickets, {size} a call,", is_=-(-11 // size))
    for place, text in enumerate(given):
        holding = [n for n, prompt in enumerate(prompts) if text in prompt]
        expect(holding, f"the calls that carry ticket {place + 1}", is_=[place // size])


@packing.check("the labels are what the model said, and mostly right", points=1)
def labels(answer: Answer) -> None:
    rows = tickets(answer, 16)
    got = answer.call("label_packed", [row["text"] for row in rows], 4)
    expect(got, "what `label_packed` returned", type_=list)
    expect(len(got), "the number of labels", is_=len(rows))
    expect(len(sent(answer, "POST", CHAT)), "the number of calls", is_=4)
    right = sum(label == row["label"] for label, row in zip(got, rows, strict=True))
    expect(right, "labels that are right, of 16,", at_least=9)


### BEGIN HIDDEN TESTS
@packing.check("a reply that was cut gives None for what is missing, and shifts nothing", points=1)
def cut_replies(answer: Answer) -> None:
    rows = tickets(answer, 12)
    cap = answer.rng.choice((9, 10, 13, 14))
    got = answer.call("label_packed", [row["text"] for row in rows], 6, max_tokens=cap)
    expect(len(got), "the number of labels", is_=12)
    replies = sent(answer, "POST", CHAT)
    expect([seen.finish_reasons for seen in replies], "the finish reasons", is_=[("length",)] * 2)
    strange = [label for label in got if label is not None and label not in QUEUES]
    expect(strange, "labels that are no queue", is_=[])
    for part in (got[:6], got[6:]):
        expect(part[-1], "the label of the last ticket of a pack that was cut", is_=None)
        expect(part[0], "the label of the first ticket of a pack", one_of=QUEUES)


@packing.check("one pack if all tickets fit into it, and no call for none", points=1)
def edges(answer: Answer) -> None:
    rows = tickets(answer, 5)
    got = answer.call("label_packed", [row["text"] for row in rows], answer.rng.randint(5, 50))
    expect(len(got), "the number of labels", is_=5)
    expect(len(sent(answer, "POST", CHAT)), "the number of calls for one pack", is_=1)
    expect(answer.call("label_packed", [], 5), "what it returns for no tickets", is_=[])
    expect(len(answer.requests()), "the number of requests for no tickets", is_=0)


### END HIDDEN TESTS
def tickets(answer: Answer, count: int) -> list[dict[str, Any]]:
    return answer.rng.sample(datasets.records("tickets"), count)


def prompt_of(seen: Exchange) -> str:
    return "\n".join(str(message.get("content")) for message in seen.messages)


# --- 11.6 ------------------------------------------------------------------------------------------------------------

side_by_side = Task(
    "11.6",
    "Side by side",
    points=3,
    hints=(
        "`asyncio.gather` runs coroutines at the same time and returns their results in order. An `asyncio.Semaphore` "
        "lets a limited number of them pass.",
        "Inside `async with AsyncOpenAI() as aclient:` write an inner `async def` that does one call with it, inside "
        "`async with gate:` where `gate = asyncio.Semaphore(at_once)`. Then `return await asyncio.gather(*map(it, "
        "prompts))`. The synchronous client would hold up all others.",
    ),
)


@side_by_side.check("a call for each prompt, and the texts in their order", points=1)
def in_order(answer: Answer) -> None:
    prompts = list(texts(answer, 8).values())
    got = answer.call("ask_all", prompts, 3)
    replies = {}
    for seen in sent(answer, "POST", CHAT):
        if seen.status == 200:
            replies[seen.messages[-1]["content"]] = seen.reply["choices"][0]["message"]["content"]
    expect(sorted(replies), "the prompts that were asked", is_=sorted(prompts))
    expect(got, "what `ask_all` returned", is_=[replies[prompt] for prompt in prompts])


@side_by_side.check("never more than `at_once` calls at a time", points=1)
def keeps_the_limit(answer: Answer) -> None:
    at_once = answer.rng.randint(2, 4)
    prompts = list(texts(answer, 10).values())
    expect(refused(answer, prompts, at_once, allowed=at_once), "calls above the limit", is_=0)
    expect(len(sent(answer, "POST", CHAT)), "the number of calls for 10 prompts", is_=10)


### BEGIN HIDDEN TESTS
@side_by_side.check("it makes use of the limit: `at_once` calls do run together", points=1)
def uses_the_limit(answer: Answer) -> None:
    at_once = answer.rng.randint(3, 5)
    prompts = list(texts(answer, 2 * at_once).values())
    above = refused(answer, prompts, at_once, allowed=at_once - 1)
    expect(above, "calls refused when the account allows one less than `at_once`", at_least=1)


### END HIDDEN TESTS
def refused(answer: Answer, prompts: list[str], at_once: int, allowed: int) -> int:
    """How many calls were refused by an account that allows so many at a time."""
    answer.lab.set(clock={"rate": 4}, pace=1.0, limits={"concurrent": allowed})
    try:
        answer.send("ask_all", prompts, at_once)
    except NoAnswer as none:
        if none.kind != "refused":
            raise
    return sum(seen.status == 429 for seen in sent(answer, "POST", CHAT))
