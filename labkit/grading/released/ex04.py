# Made by `labkit release` from solutions/checks/ex04.py. Edit that file, not this one.
"""Checks of exercise 04, "Gemini". Read them beside the notebook of the same number.

Probe inputs come from `answer.rng`. What counts is what reached the lab server and what came back to the caller; which
models obey, ignore or refuse a temperature, and who succeeds whom, is read from the registry.
"""

from datetime import date
from typing import Any

from labkit import registry
from labkit.grading import Answer, Exchange, Task, expect, expect_fields, expect_messages, fail

MODEL = registry.model("gemini", "sampling")
THINKER = registry.model("gemini", "small")
QUESTIONS = (
    "What is a token?",
    "What does temperature do?",
    "What is an API?",
    "Why do language models hallucinate?",
    "What is a context window?",
    "What is streaming good for?",
)
INSTRUCTIONS = ("Answer in one short sentence.", "Answer briefly, in plain words.", "You are an assistant.")
SAID = ("My name is Dana.", "I live in Bergen.", "I like hiking.", "Good to know.", "Tell me more.", "Thank you.")


def question(answer: Answer) -> str:
    return f"{answer.rng.choice(QUESTIONS)} (reader {answer.rng.randrange(100, 1000)})"


def instruction(answer: Answer) -> str:
    return f"{answer.rng.choice(INSTRUCTIONS)} Class {answer.rng.randrange(100, 1000)}."


def talk(answer: Answer, count: int) -> list[dict[str, str]]:
    """So many messages in OpenAI's form, user and assistant in turn."""
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": f"{answer.rng.choice(SAID)} ({n}.)"} for n in range(count)]


def one(answer: Answer, *, status: int = 200) -> Exchange:
    """What the last call sent, if it was one generateContent with that outcome."""
    seen = answer.requests()
    expect(len(seen), "the number of requests that the lab server saw in one call", is_=1)
    generates(seen[0])
    expect(seen[0].status, "the status of the response", is_=status)
    return seen[0]


def generates(sent: Exchange) -> None:
    if not sent.path.endswith(":generateContent"):
        fail(f"`{sent.method} {sent.path}` is not how to have Gemini generate")


def texts_of(content: Any) -> str:
    """The text of a content, of a system instruction, or of what stands in their place."""
    if isinstance(content, str):
        return content
    parts = content.get("parts", []) if isinstance(content, dict) else []
    return "".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))


def turns(sent: Exchange) -> list[list[object]]:
    """The contents of a request as [role, text] pairs."""
    return [[content.get("role", "user"), texts_of(content)] for content in sent.body.get("contents", [])]


def system_of(sent: Exchange) -> str:
    """The system instruction of a request in either spelling, "" if there is none."""
    return texts_of(sent.body.get("systemInstruction") or sent.body.get("system_instruction"))


def config_of(sent: Exchange) -> dict[str, Any]:
    """The settings of a request in either spelling."""
    return dict(sent.body.get("generationConfig") or sent.body.get("generation_config") or {})


def reply(sent: Exchange) -> str:
    """The text that the server answered with, thoughts left out."""
    parts = sent.reply["candidates"][0]["content"]["parts"]
    return "".join(part["text"] for part in parts if not part.get("thought"))


# --- 4.1 -------------------------------------------------------------------------------------------------------------

translated = Task(
    "4.1",
    "The same talk, in Gemini's words",
    points=4,
    hints=(
        "Two lists grow while you go through the messages: contents, and parts of the instruction. A turn's text moves "
        "into a part, and one role has another name. The address ends with the model, a colon and the verb.",
        'A content is `{"role": "user" or "model", "parts": [{"text": ...}]}`; system messages go into '
        '`{"parts": [...]}`, which you add to the body only if there are any. POST to '
        "`/v1beta/models/{MODEL}:generateContent` with the header `x-goog-api-key`; the text is in `candidates`, the "
        "tokens are in `usageMetadata`.",
    ),
)
ROLES = {"user": "user", "assistant": "model"}


def body_of(messages: list[dict[str, str]]) -> dict[str, Any]:
    """The right translation."""
    said = [message for message in messages if message["role"] != "system"]
    contents = [{"role": ROLES[message["role"]], "parts": [{"text": message["content"]}]} for message in said]
    told = [{"text": message["content"]} for message in messages if message["role"] == "system"]
    return {"contents": contents, **({"systemInstruction": {"parts": told}} if told else {})}


def translates(answer: Answer, messages: list[dict[str, str]]) -> None:
    got = answer.call("to_gemini", messages)
    wanted = body_of(messages)
    expect(got, "what `to_gemini` returned", type_=dict)
    expect(sorted(got), "the fields of the body", is_=sorted(wanted))
    if isinstance(got["contents"], list) and all(isinstance(content, dict) for content in got["contents"]):
        roles = [content.get("role") for content in got["contents"]]
        expect(roles, "the roles of `contents`", is_=[content["role"] for content in wanted["contents"]])
    expect(got["contents"], "`contents`", is_=wanted["contents"])
    expect(got.get("systemInstruction"), "`systemInstruction`", is_=wanted.get("systemInstruction"))


@translated.check("turns become contents with Gemini's roles, and nothing else is in the body", points=1)
def turns_become_contents(answer: Answer) -> None:
    translates(answer, talk(answer, answer.rng.randint(3, 6)))


@translated.check("system messages move out of the list, several into one instruction", points=1)
def system_moves_out(answer: Answer) -> None:
    first = {"role": "system", "content": instruction(answer)}
    translates(answer, [first, *talk(answer, 3)])
    later = {"role": "system", "content": instruction(answer)}
    said = talk(answer, 5)
    translates(answer, [first, *said[:3], later, *said[3:]])


@translated.check("`post_talk` sends the talk by hand, with the key in its header", points=1)
def posts_by_hand(answer: Answer) -> None:
    messages = [{"role": "system", "content": instruction(answer)}, *talk(answer, 3)]
    answer.send("post_talk", messages)
    sent = one(answer)
    if "x-goog-api-client" in sent.headers:
        fail("this request came from the SDK; the task is to write it by hand with `httpx`")
    if "x-goog-api-key" not in sent.headers:
        fail("the key did not come in the header `x-goog-api-key`; in the address it would end up in logs")
    expect(sent.model, "the model", is_=MODEL)
    said = [[ROLES[message["role"]], message["content"]] for message in messages[1:]]
    expect_messages(turns(sent), "the contents that were sent", is_=said)
    expect(system_of(sent), "the system instruction that was sent", is_=messages[0]["content"])


# --- 4.2 -------------------------------------------------------------------------------------------------------------

blame = Task(
    "4.2",
    "Whose fault was it?",
    points=4,
    hints=(
        "The SDK raises one of two exceptions, which share a base class with a `code`. For three of the four words the "
        "code is enough; for the key it is not, since Gemini answers 400 there as for a misspelt field.",
        'Catch `errors.APIError`. A bad key has a detail with `"reason": "API_KEY_INVALID"`, in '
        '`error.details["error"]["details"]`, a list that may be missing: use `.get("details", [])`. Then: 404 is '
        "the model, 429 and everything from 500 on passes by itself, the rest is the request.",
    ),
)


def blames(answer: Answer, word: str, what: str, *args: Any, **kwargs: Any) -> None:
    got = answer.call("ask", *args, **kwargs)
    expect_fields(got, f"what `ask` returned for {what}", is_={"trouble": word, "text": None})


@blame.check("without trouble: one request, and its text", points=1)
def answers(answer: Answer) -> None:
    prompt = question(answer)
    got = answer.call("ask", prompt)
    sent = one(answer)
    expect_messages(turns(sent), "the contents that were sent", is_=[["user", prompt]])
    expect_fields(got, "what `ask` returned", is_={"text": reply(sent), "trouble": None})


@blame.check("a bad key is told from a bad request", points=1)
def knows_a_bad_key(answer: Answer) -> None:
    blames(answer, "key", "a key that does not count", question(answer), api_key=f"no-key-{answer.rng.randrange(1000)}")
    hot = answer.rng.choice((3, 9, 40))
    blames(answer, "request", f"a temperature of {hot}", question(answer), config={"temperature": hot})
    one(answer, status=400)


@blame.check("a model that is not there is nobody's typing error in the prompt", points=1)
def knows_a_missing_model(answer: Answer) -> None:
    unknown = f"no-such-model-{answer.rng.randrange(1000)}"
    for name in (unknown, registry.model("gemini", "retired")):
        blames(answer, "model", f"the model {name!r}", question(answer), model=name)
        one(answer, status=404)


# --- 4.3 -------------------------------------------------------------------------------------------------------------

ends = Task(
    "4.3",
    "How it ended, and what it cost",
    points=4,
    hints=(
        "The finish reason stands in the first candidate. At the cap there are two endings, and the text tells them "
        "apart. What is billed as output has two parts in `usage_metadata`, of which either may be None.",
        "`reason = answer.candidates[0].finish_reason.value` is `STOP`, `MAX_TOKENS` or something else, and everything "
        "else is blocked. `thoughts_token_count or 0` plus `candidates_token_count or 0` is what is billed; look out "
        "for a division by 0.",
    ),
)


def ending(sent: Exchange) -> str:
    """The right word for an answer as it went over the wire."""
    reason = sent.reply["candidates"][0]["finishReason"]
    if reason == "MAX_TOKENS":
        return "cut" if reply(sent) else "silent"
    return "complete" if reason == "STOP" else "blocked"


def reads(answer: Answer, model: str, cap: int) -> tuple[dict[str, Any], Exchange]:
    prompt = question(answer)
    got = answer.call("read", prompt, model, cap)
    sent = one(answer)
    expect(sent.model, "the model that was asked", is_=model)
    expect_messages(turns(sent), "the contents that were sent", is_=[["user", prompt]])
    expect(config_of(sent).get("maxOutputTokens"), "the cap that was sent", is_=cap)
    return got, sent


def ends_so(answer: Answer, model: str, cap: int, word: str) -> None:
    got, sent = reads(answer, model, cap)
    what = f"with a cap of {cap} and the finish reason {sent.reply['candidates'][0]['finishReason']}"
    expect(ending(sent), f"the ending that this check wants to see {what}", is_=word)
    wanted = {"ending": word, "text": reply(sent) if word in ("complete", "cut") else None}
    expect_fields(got, f"what `read` returned {what}", is_=wanted)


@ends.check("a whole answer is complete, and one that hit the cap is cut", points=1)
def complete_or_cut(answer: Answer) -> None:
    ends_so(answer, MODEL, 2000, "complete")
    ends_so(answer, MODEL, answer.rng.randint(4, 9), "cut")


@ends.check("a cap that the thoughts used up is silent", points=1)
def silent(answer: Answer) -> None:
    ends_so(answer, THINKER, answer.rng.randint(4, 12), "silent")
    ends_so(answer, THINKER, 4000, "complete")


@ends.check("`billed` is all output, and `hidden` the share of the thoughts", points=1)
def counts_thoughts(answer: Answer) -> None:
    for model, cap in ((THINKER, answer.rng.randint(1000, 4000)), (MODEL, 1000), (THINKER, answer.rng.randint(4, 12))):
        got, sent = reads(answer, model, cap)
        usage = sent.reply["usageMetadata"]
        thoughts = usage.get("thoughtsTokenCount", 0)
        billed = thoughts + usage.get("candidatesTokenCount", 0)
        wanted = {"billed": billed, "hidden": thoughts / billed}
        expect_fields(got, f"what `read` returned for {thoughts} tokens of thoughts, {billed} in all", is_=wanted)


# --- 4.4 -------------------------------------------------------------------------------------------------------------

memory = Task(
    "4.4",
    "A talk that can be taken back",
    points=4,
    hints=(
        "`gemini.chats.create` takes a model, a config and a history, and its chat does the remembering. To forget is "
        "to begin a new chat with a shorter history. Whatever the bill has to survive must not live in the chat.",
        'The instruction goes into `config={"system_instruction": ...}`. `to_gemini(messages)["contents"]` is a '
        "history; `self.chat.get_history()[:-2]` is one without the last exchange. "
        "`send_message` returns an answer with `usage_metadata.prompt_token_count`.",
    ),
)


def said_next(answer: Answer, made: Any, system: str, said: list[list[object]], what: str) -> Exchange:
    """Say something, hold the request against what was said before, and note both sides."""
    text = question(answer)
    got = made.call("say", text)
    sent = one(answer)
    said.append(["user", text])
    expect(system_of(sent), f"the system instruction of {what}", is_=system)
    expect(len(turns(sent)), f"the number of contents in {what}", is_=len(said))
    expect_messages(turns(sent), f"the contents of {what}", is_=said)
    expect(got, "what `say` returned", is_=reply(sent))
    said.append(["model", reply(sent)])
    return sent


@memory.check("the first request has the instruction in its place and one content", points=1)
def first_request(answer: Answer) -> None:
    system = instruction(answer)
    made = answer.make("Talk", system)
    expect(len(answer.requests()), "the number of requests before anything is said", is_=0)
    said_next(answer, made, system, [], "the first request")


@memory.check("later requests carry all that was said, and `prompt_tokens` what each cost", points=1)
def later_requests(answer: Answer) -> None:
    system = instruction(answer)
    made, counted = answer.make("Talk", system), []
    said: list[list[object]] = []
    for turn in range(1, 4):
        counted.append(said_next(answer, made, system, said, f"request {turn}").input_tokens)
    expect(made.value("prompt_tokens"), "`prompt_tokens`", is_=counted)


# --- 4.5 -------------------------------------------------------------------------------------------------------------

dials = Task(
    "4.5",
    "Which dial is dead?",
    points=3,
    hints=(
        "At temperature 0 a model that obeys says the same each time. One that ignores you does not, if the prompt "
        "leaves it a choice. One that refuses you makes the SDK raise.",
        'Collect the texts of several calls with `config={"temperature": 0}` in a set: one element or more? Catch '
        "`errors.ClientError` around them.",
    ),
)
WORDS = {"yes": "obeys", "ignored": "ignores", "no": "refuses"}


def models_that(word: str) -> list[str]:
    """The chat models in service whose temperature is of that kind."""
    return [row.id for row in registry.models("gemini", kind="chat") if WORDS.get(row.sampling) == word]


def measures(answer: Answer, word: str, count: int = 1) -> list[Exchange]:
    """The word for some models of its kind, and the requests it took."""
    seen = []
    there = models_that(word)
    for name in answer.rng.sample(there, min(count, len(there))):
        expect(answer.call("dial", name), f"`dial({name!r})`", is_=word)
        seen += answer.requests()
        expect(len(answer.requests()), f"the number of requests for {name!r}", at_most=8)
    return seen


@dials.check("it tells who obeys from who ignores", points=1)
def obeys_or_ignores(answer: Answer) -> None:
    for word in ("obeys", "ignores"):
        measures(answer, word, count=2)


@dials.check("it knows who refuses", points=1)
def refuses(answer: Answer) -> None:
    measures(answer, "refuses")
    measures(answer, "obeys")


# --- 4.6 -------------------------------------------------------------------------------------------------------------

old_face = Task(
    "4.6",
    "The old script lives",
    points=4,
    hints=(
        "The old object kept its settings, the new client wants them with every call. So keep one dictionary, ready to "
        "be sent as `config`, and choose the model once, when the object is made.",
        "`config = dict(generation_config or {})`, plus `system_instruction` if there is one. For the model: if its "
        "name is not among the `id` of `lk.models('gemini')`, look its `successor` up. Counting is "
        "`gemini.models.count_tokens(model=..., contents=...).total_tokens`.",
    ),
)


def settings(answer: Answer) -> dict[str, Any]:
    cap = answer.rng.randrange(500, 900)
    return answer.rng.choice(({"max_output_tokens": cap}, {"max_output_tokens": cap, "candidate_count": 1}))


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


@old_face.check("settings and instruction of the object go with its call", points=1)
def settings_go_along(answer: Answer) -> None:
    given = {**settings(answer), "temperature": answer.rng.randrange(1, 10) / 10}
    system, prompt = instruction(answer), question(answer)
    got = answer.make("GenerativeModel", MODEL, generation_config=given, system_instruction=system).call(
        "generate_content", prompt
    )
    sent = one(answer)
    expect(sent.model, "the model that was asked", is_=MODEL)
    expect_messages(turns(sent), "the contents that were sent", is_=[["user", prompt]])
    expect(system_of(sent), "the system instruction that was sent", is_=system)
    expect(config_of(sent), "the settings that were sent", is_={camel(name): value for name, value in given.items()})
    expect(got, "what `generate_content` returned", is_=reply(sent))


@old_face.check("a model that is gone gives way to its successor", points=1)
def successor_takes_over(answer: Answer) -> None:
    gone = [row for row in registry.models("gemini", kind="chat", include_retired=True) if row.retired(date.today())]
    for row in answer.rng.sample(gone, 3):
        answer.make("GenerativeModel", row.id).call("generate_content", question(answer))
        expect(one(answer).model, f"the model that was asked in place of {row.id!r}", is_=row.successor)
