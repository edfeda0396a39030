# Made by `labkit release` from solutions/checks/ex05.py. Edit that file, not this one.
"""Checks of exercise 05, "Compatible and enterprise". Read them beside the notebook of the same number.

The self-hosted servers answer under paths of the lab server here: a grader's sandbox reaches no other port. What counts
is what reached them and Bedrock, and what came back to the caller. Pages of metrics and signatures are made up here.
"""

import json
import re
from typing import Any

from labkit import registry
from labkit.grading import Answer, Exchange, Task, expect, expect_fields, expect_messages, fail

SMALL = registry.model("self-hosted", "small")
STANDARD = registry.model("self-hosted", "standard")
LENGTH = registry.find(STANDARD).context
CLAUDE = registry.model("bedrock", "sampling")
THINKERS = [row.id for row in registry.models("bedrock", kind="chat") if row.thinking == "always"]
NOBODY = "http://127.0.0.1:9"
"""A port where nothing listens."""
QUESTIONS = (
    "What is a token?",
    "What does temperature do?",
    "What is an API?",
    "Why do language models hallucinate?",
    "What is a context window?",
    "What is streaming good for?",
)
INSTRUCTIONS = ("Answer in one short sentence.", "Answer briefly, in plain words.", "You are an assistant.")


def question(answer: Answer) -> str:
    return f"{answer.rng.choice(QUESTIONS)} (reader {answer.rng.randrange(100, 1000)})"


def made_by(answer: Answer, maker: str) -> str:
    """A model of Bedrock's by the first word of its id, one that does not think unasked."""
    rows = registry.models("bedrock", kind="chat")
    return answer.rng.choice([row.id for row in rows if row.id.startswith(f"{maker}.") and row.thinking != "always"])


def one(answer: Answer, path: str, *, status: int = 200) -> Exchange:
    """What the last call sent, if it was one request to a path that ends so, with that outcome."""
    seen = answer.requests()
    expect(len(seen), "the number of requests that the lab server saw in one call", is_=1)
    if not seen[0].path.endswith(path):
        fail(f"the request went to `{seen[0].path}`, expected one that ends with `{path}`")
    expect(seen[0].status, "the status of the response", is_=status)
    return seen[0]


def as_json_lines(sent: Exchange) -> list[dict[str, Any]]:
    """The lines of an answer of Ollama's; one in one piece is a single line."""
    return [sent.reply] if isinstance(sent.reply, dict) else [json.loads(line) for line in str(sent.reply).splitlines()]


# --- 5.1 -------------------------------------------------------------------------------------------------------------

doors = Task(
    "5.1",
    "One call, three doors",
    points=4,
    hints=(
        "It is the call that you know, with a client made for this address. What OpenAI's client has no argument for "
        "goes in beside the rest, and the client is what decides about retries.",
        "`OpenAI(base_url=f'{url}/v1', api_key=KEY, max_retries=0)`, and `extra_body={'top_k': top_k}` only if it was "
        "given. `openai.APIStatusError` has a `status_code`; `openai.APIConnectionError` has none, for nobody spoke.",
    ),
)
SERVED = {"vllm": STANDARD, "ollama": SMALL, "tgi": "tgi"}


def asks(answer: Answer, host: str, model: str, **more: Any) -> tuple[dict[str, Any], str]:
    """One call of `ask` for a host by name, and its prompt."""
    prompt = question(answer)
    got = answer.call("ask", answer.value("HOSTS")[host], model, prompt, **more)
    return got, prompt


@doors.check("each of the three gets the prompt at its own address, and its text comes back", points=1)
def knocks_at_each(answer: Answer) -> None:
    for host in answer.rng.sample(sorted(SERVED), 3):
        got, prompt = asks(answer, host, SERVED[host])
        sent = one(answer, f"/{host}/v1/chat/completions")
        expect(sent.body.get("model"), f"the model that {host} was asked for", is_=SERVED[host])
        expect_messages(sent.turns, f"the messages that {host} was sent", is_=[["user", prompt]])
        text = sent.reply["choices"][0]["message"]["content"]
        expect_fields(got, f"what `ask` returned for {host}", is_={"status": 200, "text": text})


@doors.check("`top_k` arrives if it is given, and only then", points=1)
def sends_top_k(answer: Answer) -> None:
    host = answer.rng.choice(("vllm", "ollama"))
    for given in ({"top_k": answer.rng.randint(1, 40)}, {}):
        asks(answer, host, SERVED[host], **given)
        body = one(answer, f"/{host}/v1/chat/completions").body
        sent = {name: value for name, value in body.items() if name == "top_k"}
        expect(sent, f"what was sent of top_k when {given or 'nothing'} was given", is_=given)


@doors.check("a model that is not there is a status, not an exception", points=1)
def missing_model(answer: Answer) -> None:
    for host in ("vllm", "ollama"):
        got, _ = asks(answer, host, f"gone-{answer.rng.randrange(1000)}")
        one(answer, f"/{host}/v1/chat/completions", status=404)
        what = f"what `ask` returned for a model that {host} does not have"
        expect_fields(got, what, is_={"status": 404, "text": None})


# --- 5.2 -------------------------------------------------------------------------------------------------------------

insight = Task(
    "5.2",
    "What vLLM knows about itself",
    points=4,
    hints=(
        "`/tokenize` takes a model and messages, and its answer has both numbers that you need. A page of metrics has "
        "a line for each model, so pick by the label first and subtract then.",
        "`counted['count'] + cap <= counted['max_model_len']`. For the pages: go through the `samples` of "
        "`text_string_to_metric_families(page)`, keep those whose `labels.get('model_name') == model`, and make "
        "`{name: value}`. The rate is the difference over the seconds; after a restart it is the new value over them.",
    ),
)


@insight.check("`room` counts at /tokenize and generates nothing", points=1)
def counts_first(answer: Answer) -> None:
    roles = ("system", "user", "assistant", "user")
    messages = [{"role": role, "content": question(answer)} for role in roles[: answer.rng.choice((2, 4))]]
    got = answer.call("room", messages, 50)
    sent = one(answer, "/vllm/tokenize")
    expect(sent.body.get("model"), "the model that was asked about", is_=STANDARD)
    expect(sent.body.get("messages"), "the messages that were sent", is_=messages)
    expect_fields(got, "what `room` returned", is_={"prompt_tokens": sent.reply["count"], "fits": True})


@insight.check("`fits` is right to the token", points=1)
def fits_exactly(answer: Answer) -> None:
    messages = [{"role": "user", "content": " ".join(question(answer) for _ in range(answer.rng.randint(1, 20)))}]
    answer.call("room", messages, 1)
    count = one(answer, "/vllm/tokenize").reply["count"]
    for cap, fits in ((LENGTH - count, True), (LENGTH - count + 1, False), (1, True)):
        what = f"what `room` returned for {count} tokens and a cap of {cap}, of {LENGTH} in all"
        expect_fields(answer.call("room", messages, cap), what, is_={"prompt_tokens": count, "fits": fits})


COUNTERS = ("vllm:prompt_tokens_total", "vllm:generation_tokens_total")
RUNNING = "vllm:num_requests_running"


def page(rows: dict[str, dict[str, int]]) -> str:
    """A page of metrics, from {metric: {model: value}}."""
    lines = []
    for name, by_model in rows.items():
        lines += [f"# HELP {name} What it counts.", f"# TYPE {name} {'gauge' if name == RUNNING else 'counter'}"]
        lines += [f'{name}{{engine="0",model_name="{model}"}} {value}' for model, value in by_model.items()]
    return "\n".join(lines) + "\n"


def pages(answer: Answer, model: str) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, int]]]:
    """Two readings of three models, with the one that counts anywhere among them."""
    models = [model, "tiny-1b", "other-70b"]
    answer.rng.shuffle(models)
    draw = answer.rng.randrange
    before = {name: {one: draw(1000, 100_000) for one in models} for name in COUNTERS}
    after = {name: {one: value + draw(100, 50_000) for one, value in row.items()} for name, row in before.items()}
    for rows in (before, after):
        rows[RUNNING] = {one: draw(0, 30) for one in models}
    return before, after


def speed_is(answer: Answer, pages: list[str], seconds: float, model: str, wanted: dict[str, float]) -> None:
    got = answer.call("speed", *pages, seconds, model)
    expect_fields(got, f"what `speed` returned for {model}", is_=wanted)


@insight.check("`speed` is the growth of one model's counters, and the gauge as it is", points=1)
def grows(answer: Answer) -> None:
    model, seconds = f"model-{answer.rng.randrange(100)}b", answer.rng.choice((5.0, 10.0, 60.0))
    before, after = pages(answer, model)
    read, written = ((after[name][model] - before[name][model]) / seconds for name in COUNTERS)
    wanted = {"read": read, "written": written, "running": after[RUNNING][model]}
    speed_is(answer, [page(before), page(after)], seconds, model, wanted)


# --- 5.3 -------------------------------------------------------------------------------------------------------------

native = Task(
    "5.3",
    "Ollama's own language",
    points=5,
    hints=(
        "Each line is a JSON object of its own: most bring a piece of the text, the last one brings the account. "
        "Whether a line is the last it says itself. The window is found by trying, from small to large.",
        "`[json.loads(line) for line in reply.text.splitlines()]`; join the `content` of each `message`, and take the "
        "rest from the last line if its `done` is true. In `window_for`, stop at the first window where "
        "`prompt_eval_count < window`, and double it otherwise.",
    ),
)
CHAT = "/ollama/api/chat"


def options(sent: Exchange) -> dict[str, Any]:
    return dict(sent.body.get("options") or {})


@native.check("the request is in Ollama's form, with the window among the options", points=1)
def native_form(answer: Answer) -> None:
    prompt, window = question(answer), answer.rng.choice((1024, 2048, 8192))
    answer.send("chat", prompt, window)
    sent = one(answer, CHAT)
    expect(sent.body.get("model"), "the model", is_=SMALL)
    expect_messages(sent.turns, "the messages that were sent", is_=[["user", prompt]])
    expect(options(sent).get("num_ctx"), "`num_ctx` among the options", is_=window)
    if sent.body.get("stream") is False:
        fail("the answer was asked for in one piece; the task is to read a stream")


@native.check("text, reason, tokens and seconds are those of the stream", points=1)
def reads_the_stream(answer: Answer) -> None:
    got = answer.call("chat", question(answer), 4096)
    lines = as_json_lines(one(answer, CHAT))
    last = lines[-1]
    wanted = {
        "text": "".join(line["message"]["content"] for line in lines),
        "reason": last["done_reason"],
        "read": last["prompt_eval_count"],
        "wrote": last["eval_count"],
        "seconds": last["total_duration"] / 1e9,
    }
    expect_fields(got, "what `chat` returned", is_=wanted)


def tries(answer: Answer, words: int, first: int, top: int) -> tuple[int | None, list[Exchange]]:
    got = answer.call("window_for", "word " * words, first, top)
    seen = answer.requests()
    expect(len(seen), "the number of requests", at_least=1)
    for sent in seen:
        expect(sent.path, "the path of a request", is_=CHAT)
        expect(options(sent).get("num_predict"), "`num_predict` among the options", is_=1)
    windows = [options(sent).get("num_ctx") for sent in seen]
    expect(windows, "the windows that were tried", is_=[first * 2**n for n in range(len(seen))])
    return got, seen


@native.check("`window_for` finds the smallest window that reads it all, and goes no further", points=1)
def finds_the_window(answer: Answer) -> None:
    for first, words in ((512, answer.rng.randint(600, 4000)), (answer.rng.choice((300, 700)), 200)):
        got, seen = tries(answer, words, first, 8192)
        whole = [sent.input_tokens < options(sent)["num_ctx"] for sent in seen]
        if True in whole[:-1]:
            fail(f"it went on after a window of {options(seen[whole.index(True)])['num_ctx']}, which read everything")
        if not whole[-1]:
            fail(f"it stopped at {options(seen[-1])['num_ctx']}, which {words} words filled to the brim")
        expect(got, f"the window for {words} words, from {first} on", is_=options(seen[-1])["num_ctx"])


# --- 5.4 -------------------------------------------------------------------------------------------------------------

bodies = Task(
    "5.4",
    "The model's own body",
    points=4,
    hints=(
        "One function that writes a body and one that reads an answer, for each maker: then `invoke` only picks the "
        "pair. The reply's body is a stream that can be read once. A credential is five words between slashes.",
        "`json.loads(bedrock.invoke_model(modelId=model, body=json.dumps(body))['body'].read())`; of Claude's blocks "
        "take those whose `type` is `text`. In `scope`, cut the header at its first blank, then at commas, then the "
        "`Credential=` at slashes; what does not begin with `AWS4-HMAC-SHA256` is no signature.",
    ),
)


def invokes(answer: Answer, model: str, cap: int) -> tuple[Exchange, str, Any]:
    prompt = question(answer)
    got = answer.call("invoke", model, prompt, cap)
    sent = one(answer, "/invoke")
    expect(sent.model, "the model in the address", is_=model)
    return sent, prompt, got


def claude_said(sent: Exchange) -> dict[str, Any]:
    """What `invoke` is to return for an answer of Claude's."""
    text = "".join(block["text"] for block in sent.reply["content"] if block["type"] == "text")
    return {"text": text, "stop": sent.reply["stop_reason"], "tokens": sent.output_tokens}


def llama_said(sent: Exchange) -> dict[str, Any]:
    return {"text": sent.reply["generation"], "stop": sent.reply["stop_reason"], "tokens": sent.output_tokens}


@bodies.check("Claude gets Anthropic's body, with the version in it and the model outside", points=1)
def to_claude(answer: Answer) -> None:
    cap = answer.rng.randint(300, 900)
    sent, prompt, got = invokes(answer, made_by(answer, "anthropic"), cap)
    expect(sent.body.get("anthropic_version"), "`anthropic_version` in the body", is_="bedrock-2023-05-31")
    expect(sent.body.get("max_tokens"), "`max_tokens` in the body", is_=cap)
    said = [[role, said_in(content)] for role, content in sent.turns]
    expect_messages(said, "the messages in the body", is_=[["user", prompt]])
    expect_fields(got, "what `invoke` returned", is_=claude_said(sent))


def said_in(content: object) -> str:
    """The text of a content: a string, or blocks."""
    blocks = content if isinstance(content, list) else [{"text": content}]
    return "".join(str(block.get("text", "")) for block in blocks)


@bodies.check("Llama gets a prompt and its own cap", points=1)
def to_llama(answer: Answer) -> None:
    cap = answer.rng.randint(300, 900)
    sent, prompt, got = invokes(answer, made_by(answer, "meta"), cap)
    expect(str(sent.body.get("prompt", "")), "`prompt` in the body", contains=prompt)
    expect(sent.body.get("max_gen_len"), "`max_gen_len` in the body", is_=cap)
    expect_fields(got, "what `invoke` returned", is_=llama_said(sent))


REGIONS = ("us-east-1", "eu-central-1", "ap-northeast-2")


def signed(answer: Answer, region: str) -> tuple[str, dict[str, str]]:
    """An Authorization header as SigV4 writes it, and its scope."""
    draw = answer.rng.randrange
    wanted = {
        "key_id": f"LAB{draw(16**12):012X}",
        "date": f"2026{draw(1, 13):02}{draw(1, 29):02}",
        "region": region,
        "service": answer.rng.choice(("bedrock", "s3", "sts")),
    }
    credential = "/".join([*wanted.values(), "aws4_request"])
    rest = f"SignedHeaders=host;x-amz-date, Signature={draw(16**16):016x}"
    return f"AWS4-HMAC-SHA256 Credential={credential}, {rest}", wanted


@bodies.check("`scope` reads whose signature it is, and for when and where", points=1)
def reads_signatures(answer: Answer) -> None:
    for region in answer.rng.sample(REGIONS, 2):
        header, wanted = signed(answer, region)
        expect_fields(answer.call("scope", header), "the scope of a signature", is_=wanted)
    bearer = f"Bearer lab-{answer.rng.randrange(16**8):08x}"
    expect(answer.call("scope", bearer), "the scope of a header that is no signature", is_=None)


# --- 5.5 -------------------------------------------------------------------------------------------------------------

one_shape = Task(
    "5.5",
    "One shape for all",
    points=4,
    hints=(
        "A content is a list of blocks, on the way out and on the way back, and not every block is text. Answers and "
        "refusals both carry `ResponseMetadata`, where boto3 writes down what it did.",
        '`inferenceConfig={"maxTokens": cap}` and `system=[{"text": system}]`, the latter only if there is one. Join '
        'the blocks that have a "text". Catch `ClientError`: its `response` is a dictionary with `Error` and '
        "`ResponseMetadata`, and `RetryAttempts` is in the latter.",
    ),
)


def converses(answer: Answer, model: str, **more: Any) -> tuple[Exchange, Any]:
    """One call of `converse` that is answered at once, held against what is to be returned."""
    prompt = question(answer)
    got = answer.call("converse", model, prompt, **more)
    sent = one(answer, "/converse")
    expect(sent.model, "the model in the address", is_=model)
    said = [[role, said_in(content)] for role, content in sent.turns]
    expect_messages(said, "the messages that were sent", is_=[["user", prompt]])
    blocks = sent.reply["output"]["message"]["content"]
    wanted = {
        "text": "".join(block["text"] for block in blocks if "text" in block),
        "stop": sent.reply["stopReason"],
        "tokens": sent.reply["usage"]["totalTokens"],
        "refused": None,
        "retries": 0,
    }
    expect_fields(got, f"what `converse` returned for {model!r}", is_=wanted)
    return sent, got


@one_shape.check("models of three makers answer to one function", points=1)
def three_makers(answer: Answer) -> None:
    for maker in answer.rng.sample(("anthropic", "meta", "amazon"), 3):
        converses(answer, made_by(answer, maker))


@one_shape.check("system prompt and cap are where Bedrock looks for them", points=1)
def in_their_places(answer: Answer) -> None:
    system, cap = f"{answer.rng.choice(INSTRUCTIONS)} Class {answer.rng.randrange(1000)}.", answer.rng.randint(300, 900)
    sent, _ = converses(answer, made_by(answer, "anthropic"), system=system, cap=cap)
    expect(said_in(sent.body.get("system") or []), "the system prompt that was sent", is_=system)
    expect((sent.body.get("inferenceConfig") or {}).get("maxTokens"), "`maxTokens`", is_=cap)
    sent, got = converses(answer, CLAUDE, cap=answer.rng.randint(3, 9))
    expect(sent.body.get("system") or [], "the system prompt when none was given", is_=[])
    expect(got["stop"], "`stop` of an answer that was cut", is_="max_tokens")


def refuses(answer: Answer, code: str, model: str) -> None:
    got = answer.call("converse", model, question(answer))
    tries = len(answer.requests())
    expect(tries, "the number of requests", at_least=1)
    wanted = {"text": None, "stop": None, "tokens": None, "refused": code, "retries": tries - 1}
    expect_fields(got, f"what `converse` returned for a refusal ({tries} sent)", is_=wanted)


@one_shape.check("a refusal comes back as its code", points=1)
def names_the_refusal(answer: Answer) -> None:
    refuses(answer, "ValidationException", f"nobody.model-{answer.rng.randrange(100)}")
    answer.lab.fault("forbidden", every=1)
    refuses(answer, "AccessDeniedException", CLAUDE)


# --- 5.6 -------------------------------------------------------------------------------------------------------------

to_the_end = Task(
    "5.6",
    "A stream to the very end",
    points=4,
    hints=(
        "Each event is a dictionary with one key, its kind. Three kinds matter here, and the last of them comes after "
        "the stop. What is a delta need not be text.",
        'In the loop: `event["contentBlockDelta"]["delta"].get("text", "")`, `event["messageStop"]["stopReason"]` and '
        '`event["metadata"]["usage"]["outputTokens"]`. Begin with `None` for the last two, put the loop in a `try`, '
        "and catch `ClientError`, which an error inside the stream is too.",
    ),
)
TEXT_DELTA = re.compile(r'\{"delta":\{"text":("(?:[^"\\]|\\.)*")\}')
STOP = re.compile(r'\{"stopReason":"(\w+)"\}')


def streams(answer: Answer, model: str) -> tuple[Any, Exchange]:
    prompt = question(answer)
    got = answer.call("stream", model, prompt)
    sent = one(answer, "/converse-stream")
    expect(sent.model, "the model in the address", is_=model)
    said = [[role, said_in(content)] for role, content in sent.turns]
    expect_messages(said, "the messages that were sent", is_=[["user", prompt]])
    return got, sent


def streamed_text(sent: Exchange) -> str:
    """The text in the frames of a stream; the journal keeps their bytes as a string."""
    return "".join(json.loads(piece) for piece in TEXT_DELTA.findall(str(sent.reply)))


@to_the_end.check("the pieces of the text come together", points=1)
def joins_the_text(answer: Answer) -> None:
    got, sent = streams(answer, made_by(answer, answer.rng.choice(("anthropic", "meta", "amazon"))))
    expect_fields(got, "what `stream` returned", is_={"text": streamed_text(sent)})


@to_the_end.check("`stop` and `tokens` are those of the last two events", points=1)
def reads_to_the_end(answer: Answer) -> None:
    got, sent = streams(answer, CLAUDE)
    stop = STOP.search(str(sent.reply))
    wanted = {"stop": stop[1] if stop else None, "tokens": sent.output_tokens}
    expect_fields(got, "what `stream` returned", is_=wanted)
