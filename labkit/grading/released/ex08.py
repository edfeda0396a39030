# Made by `labkit release` from solutions/checks/ex08.py. Edit that file, not this one.
"""Checks of exercise 08, "Streaming". Read them beside the notebook of the same number.

Recorded streams are made up here, in each provider's form. All others come from the lab server, where a check cuts,
stalls and delays them; its journal says what was asked and how many tokens the model wrote before it was left.
"""

import json
import time
from typing import Any

from labkit import prices, registry, tokens
from labkit.grading import Answer, Exchange, Task, expect, expect_messages, fail

MODEL = registry.model("openai", "sampling")
GUIDE = "Write a guide to streaming for a new colleague."
SHORT = ("Explain recursion in three sentences.", "Explain what temperature does in an LLM.")
WORDS = ("stream", " the", " first", " word", ", and", "\n\n", " 회의", " a", " token", ": ", '"quoted"', " é")
WAITS_S = 0.2
"""Seconds of a pause that a check scripts; a stopwatch may be this much early: `EARLY_S`."""
EARLY_S = 0.02
SDK_WAITS_S = 0.3
"""Seconds that OpenAI's client waits at least before it tries again."""
BEGINS_S, TOGETHER_S = 0.3, 2.0
"""When each of ten streams begins, and when all of them are to be there. One after the other they take 3 s."""


def chunks(sent: Exchange) -> list[Any]:
    """The JSON of a stream's frames; one that is broken is left out."""
    found = []
    for line in str(sent.reply).splitlines():
        if line.startswith("data: {") and line.endswith("}"):
            found.append(json.loads(line.removeprefix("data: ")))
    return found


def text(sent: Exchange) -> str:
    """What a stream of chat completions said."""
    return "".join(
        choice["delta"].get("content") or "" for chunk in chunks(sent) for choice in chunk.get("choices", [])
    )


def expect_stream(sent: Exchange, prompt: str) -> None:
    expect(sent.body.get("stream"), "`stream` of the request", is_=True)
    turns = [[turn.get("role"), turn.get("content")] for turn in sent.messages]
    expect_messages(turns, "the messages that were sent", is_=[["user", prompt]])


def settled(answer: Answer, count: int) -> list[Exchange]:
    """The requests of the last call, once the server has noticed that a client left."""
    seen = answer.requests()
    for _ in range(100):
        if len(seen) >= count:
            break
        time.sleep(0.02)
        seen = answer.requests()
    expect(len(seen), "the number of requests", is_=count)
    return seen


# --- 8.1 -------------------------------------------------------------------------------------------------------------

recorded = Task(
    "8.1",
    "What the frames say",
    points=5,
    hints=(
        "Make all line ends alike, split at blank lines, and let the last piece go: it is empty, or not whole. Then "
        "take each line apart at its first colon.",
        "`line.partition(':')` gives name and value. Text is in `choices[].delta.content`, in `delta.text` and in "
        "`candidates[0].content.parts[].text`; the reasons are `finish_reason`, `stop_reason` and `finishReason`; the "
        "counts `completion_tokens`, `output_tokens` and `candidatesTokenCount`, of which the last one counts.",
    ),
)


def words(answer: Answer) -> list[str]:
    return [answer.rng.choice(WORDS) for _ in range(answer.rng.randint(4, 9))]


@recorded.check("`frames` finds events, their names and their data", points=1)
def finds_events(answer: Answer) -> None:
    right = [{"event": answer.rng.choice(("message", "delta", "ping")), "data": word.strip()} for word in words(answer)]
    raw = ""
    for event in right:
        name = "" if event["event"] == "message" else f"event: {event['event']}\n"
        raw += f"{name}data: {event['data']}\n\n"
    expect(answer.call("frames", raw), "the events", is_=right)


def framed(events: list[Any], *, named: bool = False, end: str = "\n") -> str:
    """Events as text; a named one takes its name from its type."""
    names = [f"event: {event['type']}{end}" if named else "" for event in events]
    return "".join(f"{name}data: {json.dumps(e)}{end}{end}" for name, e in zip(names, events, strict=True))


def openai_stream(pieces: list[str], finish: str | None, count: int | None) -> str:
    deltas = [{"role": "assistant", "content": ""}, *({"content": piece} for piece in pieces)]
    events: list[Any] = [{"choices": [{"index": 0, "delta": d, "finish_reason": None}]} for d in deltas]
    if finish is None:
        return framed(events)
    events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    if count:
        events.append({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": count}})
    return framed(events) + "data: [DONE]\n\n"


def anthropic_stream(pieces: list[str], finish: str, count: int) -> str:
    deltas: list[Any] = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}} for piece in pieces
    ]
    return framed(
        [
            {"type": "message_start", "message": {"usage": {"input_tokens": 9, "output_tokens": 1}}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "ping"},
            *deltas,
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": finish}, "usage": {"output_tokens": count}},
            {"type": "message_stop"},
        ],
        named=True,
    )


def gemini_stream(pieces: list[str], finish: str, count: int) -> str:
    events: list[Any] = []
    for n, piece in enumerate(pieces):
        last = n == len(pieces) - 1
        candidate = {"content": {"parts": [{"text": piece}], "role": "model"}, "index": 0}
        usage = {"promptTokenCount": 9, "candidatesTokenCount": count if last else n + 1}
        events.append({"candidates": [candidate | ({"finishReason": finish} if last else {})], "usageMetadata": usage})
    return framed(events, end="\r\n")


@recorded.check("`collected` puts OpenAI's chunks together, with and without usage", points=1)
def collects_openai(answer: Answer) -> None:
    for count in (answer.rng.randrange(10, 500), None):
        pieces, finish = words(answer), answer.rng.choice(("stop", "length"))
        got = answer.call("collected", "openai", openai_stream(pieces, finish, count))
        right = {"text": "".join(pieces), "finish": finish, "output_tokens": count}
        expect(got, "what `collected` returned for OpenAI", is_=right)


@recorded.check("`collected` puts Anthropic's and Gemini's events together", points=1)
def collects_others(answer: Answer) -> None:
    for provider, stream, finish in (
        ("anthropic", anthropic_stream, answer.rng.choice(("end_turn", "max_tokens"))),
        ("gemini", gemini_stream, answer.rng.choice(("STOP", "MAX_TOKENS"))),
    ):
        pieces, count = words(answer), answer.rng.randrange(20, 500)
        got = answer.call("collected", provider, stream(pieces, finish, count))
        right = {"text": "".join(pieces), "finish": finish, "output_tokens": count}
        expect(got, f"what `collected` returned for {provider}", is_=right)


# --- 8.2 -------------------------------------------------------------------------------------------------------------

timed = Task(
    "8.2",
    "A stopwatch",
    points=3,
    hints=(
        "Not every chunk has text: the first one brings a role, the last ones a finish reason and the usage. Look at "
        "the clock when text comes, and start it before you ask.",
        "`stream_options={'include_usage': True}` brings one more chunk, whose `choices` are empty. Loop over "
        "`chunk.choices`, and note `perf_counter() - start` where `choice.delta.content` is not empty.",
    ),
)


@timed.check("text, finish reason and the server's count", points=1)
def reports(answer: Answer) -> None:
    prompt = answer.anew(answer.rng.choice(SHORT))
    got = answer.call("stopwatch", prompt)
    [sent] = settled(answer, 1)
    expect_stream(sent, prompt)
    expect(got, "what `stopwatch` returned", type_=dict)
    for name, right in (("text", text(sent)), ("finish", "stop"), ("output_tokens", sent.output_tokens)):
        expect(got.get(name), f"`{name}`", is_=right)


@timed.check("the clock starts before the request", points=1)
def starts_early(answer: Answer) -> None:
    answer.lab.fault("unavailable", next=1)
    got = answer.call("stopwatch", answer.anew(SHORT[0]))
    expect(got, "what `stopwatch` returned", type_=dict)
    seen = got.get("first_s")
    what = "`first_s`, where the client was refused once and waited before it tried again"
    expect(seen, what, at_least=SDK_WAITS_S, at_most=3)
    expect(got.get("last_s"), "`last_s`", at_least=seen)


# --- 8.3 -------------------------------------------------------------------------------------------------------------

survivor = Task(
    "8.3",
    "A reader that survives",
    points=6,
    hints=(
        "Keep two texts apart: what is on the display, and what this attempt has said so far. While the second is no "
        "longer than the first, nothing is new. And only a finish reason makes an answer whole.",
        "`client.with_options(max_retries=0, timeout=patience)`. In each attempt add up `text`, and yield "
        "`text[len(shown):]` when it is longer than `shown`. Catch `openai.APIError`, `httpx.TransportError` and, for "
        "an event that is no JSON, `ValueError`.",
    ),
)


def displayed(events: Any) -> str:
    """What the display shows in the end. Fails if the events have another shape."""
    expect(events, "what `read` yielded", type_=list)
    for event in events:
        if not isinstance(event, dict) or event.get("type") not in ("text", "cut", "end", "failed"):
            fail(f"`read` yielded {event!r}, which is no event of the four")
    return "".join(str(event.get("text")) for event in events if event["type"] == "text")


def kinds(events: list[Any]) -> list[str]:
    """Their types, runs of text as one."""
    found: list[str] = []
    for event in events:
        if event["type"] != "text" or found[-1:] != ["text"]:
            found.append(event["type"])
    return found


def whole_text(seen: list[Exchange]) -> str:
    """Of the request that was answered whole."""
    ended = [sent for sent in seen if "stop" in sent.finish_reasons]
    if not ended:
        fail("no stream reached its end")
    return max(map(text, ended), key=len)


def expect_survived(answer: Answer, *faults: dict[str, Any], **options: Any) -> tuple[list[Any], list[Exchange]]:
    """It read an answer through these faults, and the display shows the whole of it, once."""
    answer.lab.set(pace=0.001, clock={"rate": 1.0})  # a pace, so that the server notices who leaves
    for fault in faults:
        answer.lab.fault(**fault, next=1)
    events = answer.call("read", answer.anew(answer.rng.choice(SHORT)), **options)
    on_display = displayed(events)
    seen = settled(answer, len(faults) + 1)
    expect(kinds(events)[-1:], "the last event", is_=["end"])
    right = whole_text(seen)
    if on_display != right:
        if len(on_display) == len(right):
            fail(f"the display shows {len(right)} characters, and not those of the answer: it mixes two attempts")
        say = f"{len(on_display)} characters, which are not the {len(right)} of the answer"
        fail(f"the display shows {say}: text was lost or doubled")
    return events, seen


@survivor.check("without trouble the pieces come one by one, and it says how it ended", points=1)
def reads(answer: Answer) -> None:
    prompt = answer.anew(answer.rng.choice(SHORT))
    events = answer.call("read", prompt)
    on_display = displayed(events)
    [sent] = settled(answer, 1)
    expect_stream(sent, prompt)
    expect(sent.body.get("temperature"), "the temperature", is_=0)
    expect(on_display, "what the display shows", is_=text(sent))
    expect(kinds(events), "the types of the events, runs of text as one,", is_=["text", "end"])
    expect(events[-1].get("finish"), "`finish`", is_="stop")
    expect(len(events), "the number of events", at_least=10)


@survivor.check("an error in the stream or a lost connection loses and doubles nothing", points=1)
def survives_errors(answer: Answer) -> None:
    for kind in ("error_event", "reset_inside"):
        expect_survived(answer, {"kind": kind, "after": answer.rng.randrange(12, 45)})


@survivor.check("a polite cut is noticed", points=1)
def notices_a_cut(answer: Answer) -> None:
    expect_survived(answer, {"kind": "cut", "after": answer.rng.randrange(12, 45)})


@survivor.check("each cut is reported, with what is kept", points=1)
def reports_cuts(answer: Answer) -> None:
    first = answer.rng.randrange(30, 50)
    faults = [{"kind": "error_event", "after": first}, {"kind": "cut", "after": first - 20}]
    events, seen = expect_survived(answer, *faults)
    expect(kinds(events), "the types of the events, runs of text as one,", is_=["text", "cut", "cut", "text", "end"])
    kept = [event.get("kept") for event in events if event["type"] == "cut"]
    expect(kept, "`kept` of the two cuts, the second of them earlier in the text,", is_=[len(text(seen[0]))] * 2)


# --- 8.4 -------------------------------------------------------------------------------------------------------------

many = Task(
    "8.4",
    "Ten at once",
    points=4,
    hints=(
        "A coroutine for one prompt, then `asyncio.gather` over all of them: it returns the results in the order of "
        "its arguments. What goes wrong with one stream is caught where that stream is read.",
        "`async with asyncio.Semaphore(at_once)` around a request holds the others back; make one semaphore for all. "
        "`async for chunk in await up.chat.completions.create(..., stream=True)`.",
    ),
)


def prompts(answer: Answer, count: int) -> list[str]:
    numbers = answer.rng.sample(range(1000, 10_000), count)
    return [f"{answer.rng.choice(SHORT)} (reader {number})" for number in numbers]


def expect_texts(answer: Answer, asked: list[str], got: Any) -> None:
    """Every prompt was streamed once, and has the text of its stream, or None for one without a finish reason."""
    by_prompt = {sent.messages[-1]["content"]: sent for sent in settled(answer, len(asked))}
    for prompt in asked:
        if prompt not in by_prompt:
            fail(f"{prompt!r} was not asked")
        expect_stream(by_prompt[prompt], prompt)
    right = [text(by_prompt[prompt]) if by_prompt[prompt].finish_reasons else None for prompt in asked]
    expect(got, "what `ask_all` returned", type_=list)
    expect(len(got), "the number of answers", is_=len(asked))
    expect([one is None for one in got], "which answers are None", is_=[one is None for one in right])
    if got != right:
        fail("the answers are not the texts of the streams, in the order of the prompts")


@many.check("each prompt gets the text of its stream", points=1)
def asks_all(answer: Answer) -> None:
    asked = prompts(answer, answer.rng.randint(4, 7))
    expect_texts(answer, asked, answer.call("ask_all", asked))


@many.check("ten streams take about as long as one", points=1)
def at_once(answer: Answer) -> None:
    answer.lab.set(clock={"rate": 1.0})
    answer.lab.fault("slow_first_token", every=1, seconds=BEGINS_S)
    asked = prompts(answer, 10)
    began = time.monotonic()
    got = answer.call("ask_all", asked)
    took = time.monotonic() - began
    expect(round(took, 2), f"seconds for ten streams that each begin after {BEGINS_S} s", at_most=TOGETHER_S)
    expect_texts(answer, asked, got)


# --- 8.5 -------------------------------------------------------------------------------------------------------------

relay = Task(
    "8.5",
    "Pass it on",
    points=5,
    hints=(
        "An async generator that yields text, and a `StreamingResponse` around it. FastAPI stops the generator when "
        "the browser leaves, at the place where it awaits the provider; so it has to await there, and not collect.",
        "`f'id: {len(text)}\\ndata: {json.dumps({...})}\\n\\n'` after each chunk with something new beyond `seen`. The "
        "headers are `Cache-Control: no-cache` and `X-Accel-Buffering: no`, the media type `text/event-stream`.",
    ),
)
MOST_WRITTEN = 120
"""Tokens that a model may write whose reader left after a few events, of some 290."""


def passed_on(answer: Answer, **visit: Any) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """The events that a browser got, as fields by name, and all that `visit` saw."""
    got = answer.call("visit", **visit)
    expect(got, "what `visit` returned", type_=dict)
    expect(got.get("status"), "the status", is_=200)
    blocks = [block for block in str(got["body"]).split("\n\n") if block.strip()]
    return [dict(line.split(": ", 1) for line in block.split("\n") if ": " in line) for block in blocks], got


def expect_pieces(events: list[dict[str, str]], right: str, start: int) -> None:
    """Events with text, whose ids count the characters from the start of the answer."""
    at, said = start, ""
    for event in events:
        if not str(event.get("data")).startswith("{"):
            fail(f"an event for a piece has {shown_event(event)}; its data are to be JSON")
        said += json.loads(event["data"]).get("text", "")
        at = start + len(said)
        expect(event.get("id"), f"the id of the event that ends at character {at}", is_=str(at))
    expect(said, f"the text of the events, from character {start} on", is_=right[start:])


def shown_event(event: dict[str, str]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in event.items())[:80] or "nothing"


@relay.check("the answer comes as events with ids, and `[DONE]`", points=1)
def relays(answer: Answer) -> None:
    prompt = answer.anew(answer.rng.choice(SHORT))
    events, _ = passed_on(answer, prompt=prompt)
    [sent] = settled(answer, 1)
    expect_stream(sent, prompt)
    expect(len(events), "the number of events", at_least=10)
    expect(events[-1], "the last event", is_={"data": "[DONE]"})
    expect_pieces(events[:-1], text(sent), 0)


@relay.check("headers say what it is and keep buffers off", points=1)
def says_what_it_is(answer: Answer) -> None:
    _, got = passed_on(answer, prompt=answer.anew(SHORT[0]))
    headers = got["headers"]
    expect(str(headers.get("content-type")), "the content type", contains="text/event-stream")
    expect(str(headers.get("cache-control")), "`Cache-Control`", contains="no-cache")
    expect(headers.get("x-accel-buffering"), "`X-Accel-Buffering`", is_="no")


@relay.check("when the browser leaves, the model stops", points=1)
def stops_the_model(answer: Answer) -> None:
    answer.lab.set(pace=0.3)
    leave = answer.rng.randrange(5, 20)
    events, _ = passed_on(answer, prompt=answer.anew(GUIDE), leave_after=leave)
    [sent] = settled(answer, 1)
    expect(len(events), "the number of events until it left", at_least=leave)
    what = f"tokens written for a reader who left after {leave} events"
    expect(sent.output_tokens, what, at_least=1, at_most=MOST_WRITTEN)


# --- 8.6 -------------------------------------------------------------------------------------------------------------

meter = Task(
    "8.6",
    "A meter that corrects itself",
    points=2,
    hints=(
        "Prices are per million tokens. Count the whole text anew after each piece: counts of pieces do not add up to "
        "the count of the text. The truth comes in the last chunk, for those who ask.",
        "`lk.tokens.count_messages([('user', prompt)], model)` and `lk.count_tokens(text, model)`, times "
        "`lk.price(model).input` and `.output`; in the end `usage.prompt_tokens` and `usage.completion_tokens`.",
    ),
)


def metered(answer: Answer, tier: str) -> tuple[list[float], Exchange]:
    prompt = answer.anew(SHORT[0])
    got = answer.call("costs", prompt, tier)
    [sent] = settled(answer, 1)
    expect(sent.model, "the model", is_=registry.model("openai", tier))
    expect_stream(sent, prompt)
    expect(got, "what `costs` yielded", type_=list)
    expect(len(got), "the number of values", at_least=10)
    price = prices.price(sent.model)
    asked = tokens.count_messages([("user", prompt)], sent.model)
    counted = (asked * price.input + tokens.count(text(sent), sent.model) * price.output) / 1e6
    expect(got[-2], "the count after the last piece", at_least=counted * 0.99, at_most=counted * 1.01)
    expect(got[-1], "the last value", at_least=sent.cost_usd * 0.999, at_most=sent.cost_usd * 1.001)
    return got, sent


@meter.check("it counts up, and ends with what was billed", points=1)
def counts_up(answer: Answer) -> None:
    got, _ = metered(answer, "sampling")
    falling = [after for before, after in zip(got, got[1:-1], strict=False) if after < before]
    expect(falling, "values that are less than the one before", is_=[])
    expect(got[0], "the first value, of the last one,", at_most=got[-1] / 2)
