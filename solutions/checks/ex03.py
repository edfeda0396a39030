"""Checks of exercise 03, "Anthropic". Read them beside the notebook of the same number.

What was sent, headers included, and what the server answered, is read in the lab server's journal; what a function
returns is held against that.
"""

from typing import Any

from labkit import registry, tokens
from labkit.grading import Answer, Exchange, Task, entry, expect, expect_messages, fail
from labkit.grading.answer import Made, NoAnswer

MODEL = registry.model("anthropic", "small")
VETERAN = registry.model("anthropic", "sampling")
MESSAGES, COUNT = "/v1/messages", "/v1/messages/count_tokens"
QUESTIONS = (
    "What is a token?",
    "What is an API?",
    "What is a prompt?",
    "What does temperature do?",
    "What is a context window?",
)


def answered(answer: Answer, count: int = 1) -> list[Exchange]:
    """The messages that the last call got answered, if it was `count` requests and all succeeded."""
    seen = answer.requests()
    expect(len(seen), "the number of requests that the lab server saw in one call", is_=count)
    for sent in seen:
        expect(sent.path, "the path of a request", is_=MESSAGES)
        expect(sent.status, "the status of the response", is_=200)
    return seen


def text_of(sent: Exchange) -> str:
    return "".join(block["text"] for block in sent.reply["content"] if block["type"] == "text")


# --- 3.1 -------------------------------------------------------------------------------------------------------------

moving = Task(
    "3.1",
    "Moving house",
    points=4,
    hints=(
        "Take out of a copy of the request what has a place here, one name after the other. What is still in the copy "
        "at the end is what is left behind.",
        '`rest = dict(request)`, then `rest.pop("messages")`, `rest.pop("stop", None)` and so on; `sorted(rest)` is '
        'the list. A cap is required: 1000 if none was given. A single `stop` becomes `[stop]`; `"\\n\\n".join(...)` '
        "joins the system texts.",
    ),
)
LEFT_BEHIND: dict[str, tuple[Any, ...]] = {
    "temperature": (0.2, 0.9),
    "top_p": (0.5, 0.8),
    "n": (2, 3),
    "seed": (1, 7),
    "presence_penalty": (0.5, 1.0),
    "logprobs": (True,),
    "reasoning_effort": ("low", "high"),
}
RULES = ("Answer briefly.", "Answer in one sentence.", "Use plain words.", "Do not apologise.")


def openai_request(answer: Answer, *roles: str, **parameters: Any) -> dict[str, Any]:
    """A request for OpenAI: one instruction for each of these roles, then a question."""
    said = answer.rng.sample(RULES, len(roles))
    messages = [{"role": role, "content": text} for role, text in zip(roles, said, strict=True)]
    messages.append({"role": "user", "content": answer.rng.choice(QUESTIONS)})
    return {"model": f"gpt-{answer.rng.randrange(100)}", "messages": messages, **parameters}


def arguments_for(answer: Answer, request: dict[str, Any]) -> dict[str, Any]:
    made = entry(answer.call("moved", request), "arguments", "moved")
    expect(made, "the arguments", type_=dict)
    return dict(made)


@moving.check("the system prompt stands beside the messages, under the new model", points=1)
def moves_the_system(answer: Answer) -> None:
    request = openai_request(answer, "system", max_completion_tokens=answer.rng.randrange(100, 900))
    instruction, question = request["messages"]
    made = arguments_for(answer, request)
    expect(made.get("model"), "the model", is_=MODEL)
    expect(made.get("system"), "the system prompt", is_=instruction["content"])
    expect(made.get("messages"), "the messages", is_=[question])


@moving.check("`ask_moved` sends one request, and returns its text", points=1)
def sends_it(answer: Answer) -> None:
    request = openai_request(answer, "system", temperature=0.3, stop="5", max_tokens=300)
    got = answer.call("ask_moved", request)
    [sent] = answered(answer)
    expect(sent.parameter("system"), "the system prompt", is_=request["messages"][0]["content"])
    expect_messages(sent.turns, "the messages", is_=[["user", request["messages"][1]["content"]]])
    expect(sent.parameter("max_tokens"), "`max_tokens`", is_=300)
    expect(got, "what `ask_moved` returned", is_=text_of(sent))


### BEGIN HIDDEN TESTS
@moving.check("caps and stops have their new names, and what has no place is named", points=1)
def names_what_is_left(answer: Answer) -> None:
    left = answer.rng.sample(list(LEFT_BEHIND), 3)
    more = {name: answer.rng.choice(LEFT_BEHIND[name]) for name in left}
    for cap in ("max_tokens", "max_completion_tokens"):
        size = answer.rng.randrange(100, 900)
        request = openai_request(answer, stop=["END", "5"], **{cap: size}, **more)
        got = answer.call("moved", request)
        expect(entry(got, "left", "moved"), "what was left behind", is_=sorted(left))
        wanted = {"model": MODEL, "max_tokens": size, "messages": request["messages"], "stop_sequences": ["END", "5"]}
        expect(entry(got, "arguments", "moved"), f"the arguments for a request with `{cap}`", is_=wanted)


@moving.check("several instructions, none at all, a single stop, no cap", points=1)
def knows_the_edges(answer: Answer) -> None:
    request = openai_request(answer, "system", "developer", stop="END")
    first, second, question = request["messages"]
    made = arguments_for(answer, request)
    expect(made.get("system"), "two instructions", is_=f"{first['content']}\n\n{second['content']}")
    expect(made.get("messages"), "the messages", is_=[question])
    expect(made.get("stop_sequences"), "a single stop", is_=["END"])
    expect(made.get("max_tokens"), "`max_tokens` for a request without a cap", is_=1000)
    bare = arguments_for(answer, openai_request(answer))
    expect("system" in bare, "that there is a system prompt without an instruction", is_=False)
    expect("stop_sequences" in bare, "that there are stop sequences without a stop", is_=False)


### END HIDDEN TESTS
# --- 3.2 -------------------------------------------------------------------------------------------------------------

headers = Task(
    "3.2",
    "Two versions by hand",
    points=5,
    hints=(
        "A request has three headers of its own here: the key in one of two, the date, and the type of the body, which "
        "`json=` adds. Do not raise for a status: a refusal is JSON as well.",
        '`{"x-api-key": key}` or `{"authorization": f"Bearer {key}"}`, each with `"anthropic-version"`. Ask `if '
        'temperature is not None`, since 0 is a temperature. A refusal has its text in `["error"]["message"]`.',
    ),
)
DATES = {"old": "2023-06-01", "new": "2026-10-21"}
KEY_HEADERS = {"old": "x-api-key", "new": "authorization"}
ASKED = {"old": VETERAN, "new": MODEL}


def posted(answer: Answer, version: str, *temperature: float) -> tuple[dict[str, Any], Exchange]:
    """One call and its request, if model, message and cap are right."""
    prompt = answer.rng.choice(QUESTIONS)
    got = answer.call("post_message", prompt, version, *temperature)
    seen = answer.requests()
    expect(len(seen), "the number of requests", is_=1)
    [sent] = seen
    expect(f"{sent.method} {sent.path}", "the request line", is_=f"POST {MESSAGES}")
    expect(sent.parameter("model"), f"the model for version {version!r}", is_=ASKED[version])
    expect(sent.parameter("max_tokens"), "`max_tokens`", is_=200)
    expect_messages(sent.turns, "the messages", is_=[["user", prompt]])
    return got, sent


def has_headers(answer: Answer, version: str) -> None:
    _, sent = posted(answer, version)
    other = KEY_HEADERS["new" if version == "old" else "old"]
    expect(sorted({*KEY_HEADERS.values()} & {*sent.headers}), "the headers with a key", is_=[KEY_HEADERS[version]])
    expect(sent.headers.get("anthropic-version"), "the date in `anthropic-version`", is_=DATES[version])
    expect(sent.status, f"the status without `{other}`", is_=200)


@headers.check("the new pair: `authorization` and the new date", points=1)
def new_pair(answer: Answer) -> None:
    has_headers(answer, "new")


@headers.check("the old pair: `x-api-key` and the old date", points=1)
def old_pair(answer: Answer) -> None:
    has_headers(answer, "old")


@headers.check("status and text come back", points=1)
def returns_the_text(answer: Answer) -> None:
    for version in DATES:
        got, sent = posted(answer, version)
        expect(got, f"what `post_message` returned for {version!r}", is_={"status": 200, "text": text_of(sent)})


### BEGIN HIDDEN TESTS
@headers.check("a temperature is sent if there is one, 0 too", points=1)
def sends_a_temperature(answer: Answer) -> None:
    for temperature in (round(answer.rng.uniform(0.1, 1), 2), 0):
        _, sent = posted(answer, "old", temperature)
        expect(sent.parameter("temperature"), "the temperature in the body", is_=temperature)
        expect(sent.status, f"the status for a temperature of {temperature}", is_=200)
    for version in DATES:
        _, sent = posted(answer, version)
        expect("temperature" in sent.body, "that a temperature is sent when none is given", is_=False)


@headers.check("a refusal comes back as status and message", points=1)
def returns_refusals(answer: Answer) -> None:
    for version, temperature in (("new", 0.5), ("old", 1.5)):
        got, sent = posted(answer, version, temperature)
        right = {"status": 400, "text": sent.reply["error"]["message"]}
        expect(got, f"what came back for a temperature of {temperature} as {version!r}", is_=right)
    answer.lab.fault("forbidden", next=1)
    got, sent = posted(answer, "new")
    expect(got, "what came back for a 403", is_={"status": 403, "text": sent.reply["error"]["message"]})


### END HIDDEN TESTS
# --- 3.3 -------------------------------------------------------------------------------------------------------------

box = Task(
    "3.3",
    "What is in the box?",
    points=4,
    hints=(
        "Go through the list by `type`, never by place. One dictionary takes you from stop reason to state, with a "
        "default for what it does not hold.",
        '`states.get(message["stop_reason"], "unknown")`; then three comprehensions over `message["content"]`: the '
        'texts, the `[block["name"], block["input"]]` of tool calls, and `any(...)` for thoughts.',
    ),
)
STATES = {
    "end_turn": "complete",
    "stop_sequence": "complete",
    "max_tokens": "cut",
    "tool_use": "tool",
    "refusal": "refused",
    "pause_turn": "paused",
}
WITHHELD = ("cut", "refused", "unknown")
CITIES = ("Paris", "Seoul", "Lima", "Oslo", "Nairobi")


def said(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def thought(answer: Answer) -> dict[str, Any]:
    number = answer.rng.randrange(1000)
    return {"type": "thinking", "thinking": f"Case {number}.", "signature": f"seal{number}"}


def wanted_tool(answer: Answer) -> dict[str, Any]:
    given = {"city": answer.rng.choice(CITIES)}
    return {"type": "tool_use", "id": f"toolu_{answer.rng.randrange(1000)}", "name": "get_weather", "input": given}


def message_of(stop_reason: str | None, *blocks: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "stop_reason": stop_reason, "content": list(blocks)}


def reads(answer: Answer, stop_reason: str, *blocks: dict[str, Any], only: str | None = None) -> None:
    """Hold what `read` returns, or one entry of it, against the rule."""
    state = STATES.get(stop_reason, "unknown")
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    right = {
        "state": state,
        "text": None if state in WITHHELD else text,
        "tools": [[block["name"], block["input"]] for block in blocks if block["type"] == "tool_use"],
        "thought": any("thinking" in block["type"] for block in blocks),
    }
    got = answer.call("read", message_of(stop_reason, *blocks))
    kinds = ", ".join(block["type"] for block in blocks) or "nothing"
    for key in (only,) if only else right:
        expect(entry(got, key, "read"), f"{key!r} of a message with {kinds} and {stop_reason!r}", is_=right[key])


@box.check("the text is found, wherever it stands", points=1)
def finds_text(answer: Answer) -> None:
    number = answer.rng.randrange(1000)
    reads(answer, "end_turn", said(f"Answer {number}"), only="text")
    reads(answer, "end_turn", thought(answer), said(f"Answer {number}"), only="text")
    reads(answer, "stop_sequence", said("One, "), thought(answer), said(f"two, {number}"), only="text")


@box.check("each stop reason has its state", points=1)
def knows_states(answer: Answer) -> None:
    for reason in (*STATES, f"reason_{answer.rng.randrange(100)}"):
        reads(answer, reason, said("Well"), only="state")


### BEGIN HIDDEN TESTS
@box.check("tool calls and thoughts are told apart from text", points=1)
def finds_tools(answer: Answer) -> None:
    reads(answer, "tool_use", thought(answer), said("Let me see."), wanted_tool(answer), wanted_tool(answer))
    reads(answer, "tool_use", wanted_tool(answer))
    reads(answer, "end_turn", {"type": "redacted_thinking", "data": "c2VhbA=="}, said("Done."))
    reads(answer, "end_turn")


@box.check("a text that must not be used is not handed out", points=1)
def withholds(answer: Answer) -> None:
    for reason in ("max_tokens", "refusal", f"reason_{answer.rng.randrange(100)}"):
        reads(answer, reason, thought(answer), said(f"Half of an answer, {answer.rng.randrange(1000)}"))
    reads(answer, "pause_turn", said("More to come"))


### END HIDDEN TESTS
# --- 3.4 -------------------------------------------------------------------------------------------------------------

memory = Task(
    "3.4",
    "A talk that remembers its thoughts",
    points=5,
    hints=(
        "What you remember of the answer is its `content`, the whole list, not the text in it. And remember nothing "
        "until the answer is there.",
        'Send `[*self.messages, {"role": "user", "content": text}]` with `system=`, `thinking={"type": "adaptive"}`, '
        'and `output_config={"effort": ...}`; afterwards keep that list with `{"role": "assistant", "content": '
        "reply.content}` at its end. The count is `reply.usage.output_tokens_details.thinking_tokens`.",
    ),
)


def blocks(content: object) -> object:
    """Content as it would be compared: without fields that are empty."""
    if not isinstance(content, list):
        return content
    return [{name: value for name, value in block.items() if value is not None} for block in content]


def says(answer: Answer, talk: Made, history: list[list[object]]) -> Exchange:
    """One turn: the request holds `history` and the new text. Both sides of the turn are added to `history`."""
    asked = answer.rng.choice(QUESTIONS)
    got = talk.call("say", asked)
    [sent] = answered(answer)
    history.append(["user", asked])
    seen = [[role, blocks(content)] for role, content in sent.turns]
    roles = ", ".join(str(role) for role, _ in seen)
    expect(roles, "the roles of the messages", is_=", ".join(str(role) for role, _ in history))
    for number, (mine, right) in enumerate(zip(seen, history, strict=True), 1):
        expect(mine[1], f"the content of message {number} of {len(history)}", is_=right[1])
    expect(got, "what `say` returned", is_=text_of(sent))
    history.append(["assistant", blocks(sent.reply["content"])])
    return sent


@memory.check("the first request has system prompt, thinking, effort and a cap", points=1)
def first_turn(answer: Answer) -> None:
    system, effort = answer.rng.choice(RULES), answer.rng.choice(("medium", "high"))
    sent = says(answer, answer.make("Talk", system, effort), [])
    expect(sent.model, "the model", is_=MODEL)
    expect(sent.parameter("system"), "the system prompt", is_=system)
    expect(sent.parameter("thinking"), "`thinking`", is_={"type": "adaptive"})
    expect(sent.parameter("output_config"), "`output_config`", is_={"effort": effort})
    expect(sent.parameter("max_tokens"), "`max_tokens`", is_=2000)


@memory.check("later requests carry both sides, with every block as it came", points=1)
def later_turns(answer: Answer) -> None:
    talk = answer.make("Talk", "Answer briefly.", "low")
    history: list[list[object]] = []
    for _ in range(3):
        says(answer, talk, history)


### BEGIN HIDDEN TESTS
@memory.check("`thinking_tokens` holds what the thoughts took, turn by turn", points=1)
def counts_thoughts(answer: Answer) -> None:
    talk, history, counted = answer.make("Talk", "Answer briefly.", "medium"), [], []
    for _ in range(answer.rng.randint(2, 3)):
        sent = says(answer, talk, history)
        counted.append(sent.reply["usage"]["output_tokens_details"]["thinking_tokens"])
    expect(talk.value("thinking_tokens"), "`thinking_tokens`", is_=counted)


@memory.check("a request that fails leaves the talk as it was", points=1)
def survives_a_failure(answer: Answer) -> None:
    talk = answer.make("Talk", "Answer briefly.", "low")
    history: list[list[object]] = []
    says(answer, talk, history)
    answer.lab.fault("forbidden", next=1)
    try:
        talk.call("say", "This one will fail.")
        fail("the error of a refused request is to go through; `say` returned something")
    except NoAnswer as none:
        if none.kind not in ("raised", "refused"):
            raise
    says(answer, talk, history)
    expect(len(talk.value("thinking_tokens")), "the number of counts after two answers and a failure", is_=2)


@memory.check("two talks do not hear each other", points=1)
def kept_apart(answer: Answer) -> None:
    one, other = answer.make("Talk", "Answer briefly.", "low"), answer.make("Talk", "Use plain words.", "high")
    says(answer, one, [])
    sent = says(answer, other, [])
    expect(sent.parameter("system"), "the system prompt of the second talk", is_="Use plain words.")
    expect(len(one.value("thinking_tokens")), "the number of counts of the first talk", is_=1)


### END HIDDEN TESTS
# --- 3.5 -------------------------------------------------------------------------------------------------------------

fit = Task(
    "3.5",
    "As much as fits",
    points=4,
    hints=(
        "Count the whole; if it is too long, drop the oldest pair, question and answer, and count again. The system "
        "prompt takes its share, so it has to be in the count.",
        "`for start in range(0, len(messages), 2)`: `claude.messages.count_tokens(model=MODEL, "
        "messages=messages[start:], ...).input_tokens`, with `system=` only if there is one. After the loop, `raise "
        "ValueError(...)`.",
    ),
)
REPLIES = (
    "A piece of a text, often a word or a part of one.",
    "The list of requests that a program takes from others, and of the answers that it gives.",
    "What you send to a model.",
    "It makes the choice of the next word bolder or more careful.",
)


def long_talk(answer: Answer, pairs: int) -> list[dict[str, str]]:
    """That many questions with answers, and one more question."""
    talk = []
    for _ in range(pairs):
        talk.append({"role": "user", "content": f"{answer.rng.choice(QUESTIONS)} ({answer.rng.randrange(1000)})"})
        talk.append({"role": "assistant", "content": answer.rng.choice(REPLIES)})
    return [*talk, {"role": "user", "content": answer.rng.choice(QUESTIONS)}]


def size(messages: list[dict[str, str]], system: str) -> int:
    """Tokens as the lab server counts them."""
    told = [("system", system)] if system else []
    return tokens.count_messages(told + [(one["role"], one["content"]) for one in messages], MODEL)


def expect_free(answer: Answer) -> None:
    paths = sorted({sent.path for sent in answer.requests()})
    expect(paths, "the paths of the requests", is_=[COUNT])


def keeps(
    answer: Answer, talk: list[dict[str, str]], limit: int, right: list[dict[str, str]], system: str = ""
) -> None:
    """What `fitting` keeps of a talk is what it should."""
    got = answer.call("fitting", talk, limit, *([system] if system else []))
    expect_free(answer)
    expect(got, "what `fitting` returned", type_=list)
    expect(len(got), f"the number of messages kept, of {len(talk)} with a limit of {limit}", is_=len(right))
    expect(got, "the messages kept", is_=right)


@fit.check("what fits is kept whole, and what does not loses its oldest pairs", points=1)
def drops_the_oldest(answer: Answer) -> None:
    talk, dropped = long_talk(answer, 4), answer.rng.choice((2, 4, 6))
    keeps(answer, talk, size(talk, "") + answer.rng.randint(0, 50), talk)
    room_for_an_answer = size(talk[dropped - 1 :], "")  # but not for its question
    keeps(answer, talk, room_for_an_answer, talk[dropped:])


@fit.check("`ask_fitting` sends what fits, and says how much was dropped", points=1)
def asks_with_the_rest(answer: Answer) -> None:
    system, talk = answer.rng.choice(RULES), long_talk(answer, 3)
    dropped = answer.rng.choice((0, 2, 4))
    got = answer.call("ask_fitting", talk, size(talk[dropped:], system) + 2, system)
    asked = [sent for sent in answer.requests() if sent.path == MESSAGES]
    expect(len(asked), "the number of answers asked for", is_=1)
    right = [[one["role"], one["content"]] for one in talk[dropped:]]
    expect_messages(asked[0].turns, "the messages that were sent", is_=right)
    expect(asked[0].parameter("system"), "the system prompt", is_=system)
    expect(asked[0].parameter("max_tokens"), "`max_tokens`", is_=300)
    expect(got, "what `ask_fitting` returned", is_={"dropped": dropped, "text": text_of(asked[0])})


### BEGIN HIDDEN TESTS
@fit.check("the system prompt counts, and a limit may be met exactly", points=1)
def counts_the_system(answer: Answer) -> None:
    talk, dropped, system = long_talk(answer, 4), answer.rng.choice((2, 4)), answer.rng.choice(RULES)
    keeps(answer, talk, size(talk[dropped - 2 :], ""), talk[dropped:], system)
    keeps(answer, talk, size(talk[dropped:], system), talk[dropped:], system)


@fit.check("where nothing fits, a ValueError comes before any answer is paid for", points=1)
def refuses_to_ask(answer: Answer) -> None:
    talk, system = long_talk(answer, 2), answer.rng.choice(RULES)
    for function in ("fitting", "ask_fitting"):
        try:
            got = answer.call(function, talk, size(talk[-1:], system) - 1, system)
        except NoAnswer as none:
            if none.kind != "raised":
                raise
            expect(str(none), f"the error of `{function}`", contains="ValueError")
            expect_free(answer)
            continue
        fail(f"not even the last message fits; expected a ValueError, and `{function}` returned {got!r:.100}")


### END HIDDEN TESTS
