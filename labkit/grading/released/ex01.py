# Made by `labkit release` from solutions/checks/ex01.py. Edit that file, not this one.
"""Checks of exercise 01, "Anatomy of a call". Read them beside the notebook of the same number.

Probe inputs come from `answer.rng`, so nothing that a student types in can match them. What counts is what reached the
lab server and what came back to the caller; how the code looks is not judged.
"""

from labkit.grading import Answer, Exchange, Task, expect, expect_messages, fail

CHAT = "/v1/chat/completions"
QUESTIONS = (
    "What is a token?",
    "What does temperature do?",
    "What is an API?",
    "Why do language models hallucinate?",
    "What is the capital of France?",
    "Explain what a system prompt is.",
    "What is a context window?",
    "What is streaming good for?",
)


def question(answer: Answer) -> str:
    """A question that no student has seen in this form."""
    return f"{answer.rng.choice(QUESTIONS)} (reader {answer.rng.randrange(100, 1000)})"


def requests(answer: Answer, count: int) -> list[Exchange]:
    """What the last call sent, if it was `count` requests."""
    seen = answer.requests()
    expect(len(seen), "the number of requests that the lab server saw in one call", is_=count)
    return seen


def chats(answer: Answer, count: int) -> list[Exchange]:
    """The same, if all were chat completions that succeeded."""
    seen = requests(answer, count)
    for sent in seen:
        expect(sent.path, "the path of a request", is_=CHAT)
        expect(sent.status, "the status of the response", is_=200)
    return seen


# --- 1.1 -------------------------------------------------------------------------------------------------------------

by_hand = Task(
    "1.1",
    "Two requests by hand",
    points=4,
    hints=(
        "A request is a method, an address, headers and perhaps a body. The address is the base URL from the "
        "environment plus the name of the resource. The key goes into one header, in the form notebook 01 shows.",
        "The list is at `/models` and takes a GET; a completion is created at `/chat/completions` with a POST whose "
        "body `json={...}` names the model and the messages. `httpx` returns a response whatever its status: look at "
        "`status_code` before you look for a text.",
    ),
)


@by_hand.check("`list_models` gets the list, with the key in its header, and returns sorted ids", points=1)
def gets_the_list(answer: Answer) -> None:
    ids = answer.call("list_models")
    [sent] = requests(answer, 1)
    without_sdk(sent)
    if (sent.method, sent.path) != ("GET", "/v1/models"):
        fail(f"`{sent.method} {sent.path}` is not how to read the model list")
    expect(sent.status, "the status of the response", is_=200)
    listed = sorted(model["id"] for model in sent.reply["data"])
    expect(ids, "what `list_models` returned", type_=list)
    expect(len(ids), "the number of ids", is_=len(listed))
    expect(ids, "the ids in alphabetical order", is_=listed)


@by_hand.check("`post_completion` sends one POST with a model and one user message", points=1)
def posts_once(answer: Answer) -> None:
    prompt = question(answer)
    answer.send("post_completion", prompt)
    [sent] = requests(answer, 1)
    without_sdk(sent)
    if (sent.method, sent.path) != ("POST", CHAT):
        fail(f"`{sent.method} {sent.path}` is not how to create a completion")
    expect(sent.status, "the status of the response", is_=200)
    expect_messages(sent.turns, "the messages that were sent", is_=[["user", prompt]])


@by_hand.check("`post_completion` returns status, text and the tokens that the server counted", points=1)
def returns_what_came(answer: Answer) -> None:
    got = answer.call("post_completion", question(answer))
    [sent] = requests(answer, 1)
    expect(got, "what `post_completion` returned", type_=dict)
    expect(got.get("status"), "`status`", is_=sent.status)
    expect(got.get("text"), "`text`", is_=sent.completion)
    expect(got.get("total_tokens"), "`total_tokens`", is_=sent.reply["usage"]["total_tokens"])


def without_sdk(sent: Exchange) -> None:
    """Fails if an SDK sent the request: SDKs sign theirs."""
    if "x-stainless-lang" in sent.headers:
        fail("this request came from the SDK; the task is to write it by hand with `httpx`")
    if not sent.headers.get("authorization", "").lower().startswith("bearer "):
        fail("the request carried no key that the server could read")


# --- 1.2 -------------------------------------------------------------------------------------------------------------

lever = Task(
    "1.2",
    "The strongest lever",
    points=3,
    hints=(
        "An experiment changes one thing. Both requests carry the same question; what differs is the message that "
        "comes before it.",
        "Each request has two messages, `system` first and then `user`. The server says in `response.usage` how many "
        "tokens it wrote: that field, not the length of the text.",
    ),
)

SYSTEMS = (
    "Be helpful.",
    "You are an assistant.",
    "Answer in one short sentence.",
    "Answer with one word.",
    "Answer briefly, in plain words.",
)


def compare(answer: Answer) -> tuple[str, str, str, object, dict[str, Exchange]]:
    """One run of the experiment: the inputs, what came back, and the two requests by system prompt."""
    vague, specific = (f"{text} Run {answer.rng.randrange(1000)}." for text in answer.rng.sample(SYSTEMS, 2))
    asked = question(answer)
    got = answer.call("compare_system_prompts", vague, specific, asked)
    sent = {str(one.turns[0][1]): one for one in chats(answer, 2) if one.messages}
    if not {vague, specific} <= sent.keys():
        fail("one of the system prompts did not arrive as the first message of a request")
    return vague, specific, asked, got, sent


@lever.check("two requests: each with one of the system prompts, then the question", points=1)
def sends_both(answer: Answer) -> None:
    vague, specific, asked, _, sent = compare(answer)
    for system in (vague, specific):
        expect_messages(sent[system].turns, "the messages of a request", is_=[["system", system], ["user", asked]])


@lever.check("it returns the output tokens of each, as the server counted them", points=1)
def returns_output_tokens(answer: Answer) -> None:
    vague, specific, _, got, sent = compare(answer)
    counted = {name: sent[text].output_tokens for name, text in (("vague", vague), ("specific", specific))}
    expect(got, "what `compare_system_prompts` returned", is_=counted)


# --- 1.3 -------------------------------------------------------------------------------------------------------------

shots = Task(
    "1.3",
    "Teach by example",
    points=4,
    hints=(
        "To the model an example is something that already happened: somebody said the text, and it answered with the "
        "label. Write the list as if that conversation had taken place.",
        "For each example, append a `user` message with the text and an `assistant` message with the label. The "
        "instruction comes before all of them, the query after. `label` then sends that list and tidies the reply "
        "with `.strip().lower()`.",
    ),
)

REVIEWS = (
    ("I love this lamp, it works perfectly and looks beautiful.", "positive"),
    ("Excellent service, friendly staff, and a delicious meal.", "positive"),
    ("A wonderful book; I enjoyed every page.", "positive"),
    ("Great value and fast delivery, I am very happy.", "positive"),
    ("The best headphones I have owned, amazing sound.", "positive"),
    ("Terrible quality, it broke after one day.", "negative"),
    ("I hate the new update: slow, ugly and full of bugs.", "negative"),
    ("Awful support, rude answers, I want a refund.", "negative"),
    ("A boring film, the worst I have seen this year.", "negative"),
    ("Very disappointed, the box arrived damaged and late.", "negative"),
)
LABELS = ("alpha", "beta", "gamma")


def expected_list(instruction: str, examples: list[list[str]], query: str) -> list[dict[str, str]]:
    messages = [{"role": "system", "content": instruction}]
    for text, label in examples:
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": label}]
    return [*messages, {"role": "user", "content": query}]


def few_shot_is_right(answer: Answer, examples: list[list[str]]) -> None:
    instruction, query = f"Label the text, rule {answer.rng.randrange(1000)}.", question(answer)
    wanted = expected_list(instruction, examples, query)
    got = answer.call("few_shot", instruction, examples, query)
    expect(got, "what `few_shot` returned", type_=list)
    expect(len(got), f"the number of messages for {len(examples)} examples", is_=len(wanted))
    roles = [str(message.get("role")) for message in got if isinstance(message, dict)]
    expect(", ".join(roles), "the roles in order", is_=", ".join(message["role"] for message in wanted))
    if got != wanted:
        fail("the roles are right, but a text, a label or the query is not where it belongs")


@shots.check("`few_shot` lists the instruction, the examples as a conversation, and the query", points=1)
def lists_messages(answer: Answer) -> None:
    examples = [[question(answer), answer.rng.choice(LABELS)] for _ in range(answer.rng.randint(2, 4))]
    few_shot_is_right(answer, examples)


@shots.check("`label` sends two examples or more and returns one of the two words", points=1)
def sends_examples(answer: Answer) -> None:
    words = []
    for review, _ in answer.rng.sample(REVIEWS, 3):
        words.append(answer.call("label", review))
        [sent] = chats(answer, 1)
        sent_turns = sent.turns
        expect_messages(sent_turns[-1:], "the last message of the request", is_=[["user", review]])
        answers = [content for role, content in sent_turns if role == "assistant"]
        expect(len(answers), "the number of example answers in the request", at_least=2)
    known = [word for word in words if word in ("positive", "negative")]
    if len(known) < 2:  # a small model may stray once
        fail(f"of three reviews, {len(known)} got one of the two words; `label` returned {', '.join(map(repr, words))}")


# --- 1.4 -------------------------------------------------------------------------------------------------------------

memory = Task(
    "1.4",
    "A conversation that remembers",
    points=4,
    hints=(
        "The server forgets you after each response. Whatever it should know has to be in the list that you send, and "
        "that list has to hold both sides.",
        "Keep one list on `self`, made in `__init__`. `ask` appends the user's message, sends the whole list, appends "
        "the reply as an `assistant` message and returns its text; `response.usage.prompt_tokens` goes into "
        "`self.input_tokens`.",
    ),
)


@memory.check("the first request holds the system prompt and the question; `ask` returns the reply", points=1)
def first_turn(answer: Answer) -> None:
    system, asked = f"Answer briefly. Class {answer.rng.randrange(1000)}.", question(answer)
    talk = answer.make("Conversation", system)
    got = talk.call("ask", asked)
    [sent] = chats(answer, 1)
    expect_messages(sent.turns, "the messages of the first request", is_=[["system", system], ["user", asked]])
    expect(got, "what `ask` returned", is_=sent.completion)


@memory.check("every later request carries all that was said before, by both sides", points=1)
def later_turns(answer: Answer) -> None:
    system = f"Answer briefly. Class {answer.rng.randrange(1000)}."
    talk, said = answer.make("Conversation", system), [["system", system]]
    for turn in range(1, 4):
        asked = question(answer)
        got = talk.call("ask", asked)
        [sent] = chats(answer, 1)
        said.append(["user", asked])
        expect(len(sent.messages), f"the number of messages in request {turn}", is_=len(said))
        if sent.turns != said:
            fail(f"request {turn} has the right number of messages, but not what was said, in order and by role")
        said.append(["assistant", got])


# --- 1.5 -------------------------------------------------------------------------------------------------------------

finish = Task(
    "1.5",
    "Why did it stop?",
    points=5,
    hints=(
        "The field `finish_reason` says whether the text ended or was cut. A cut text is no answer, and asking for the "
        "rest of it is not safe: ask for all of it again, with more room.",
        "Loop: send the prompt with `max_completion_tokens=cap`; stop if the finish reason is not `length` or the cap "
        "is `top_cap` already; else `cap = min(2 * cap, top_cap)`. For `verdict`, write one dictionary from reason to "
        "word, with the names of all three providers in it, and a default.",
    ),
)

REASONS = {
    "complete": ("stop", "end_turn", "stop_sequence", "STOP"),
    "cut": ("length", "max_tokens", "MAX_TOKENS"),
    "tool": ("tool_calls", "tool_use"),
    "blocked": ("content_filter", "refusal", "SAFETY"),
}
LONG = "Explain in detail, step by step, what happens between a request and its response."


@finish.check("an answer that fits is asked for once", points=1)
def fits_at_once(answer: Answer) -> None:
    prompt = question(answer)
    got = answer.call("ask_in_full", prompt, first_cap=2000, top_cap=4000)
    [sent] = chats(answer, 1)
    expect_messages(sent.turns, "the messages of the request", is_=[["user", prompt]])
    expect(sent.cap, "the limit on output tokens in the request", is_=2000)
    expect(got, "what `ask_in_full` returned", is_={"text": sent.completion, "finish_reason": "stop", "caps": [2000]})


@finish.check("an answer that was cut is asked for again, with twice the room each time", points=1)
def asks_again(answer: Answer) -> None:
    first = answer.rng.randint(3, 5)
    grows(answer, first, top=4000)


@finish.check("`verdict` knows the finish reasons of the three providers", points=1)
def knows_reasons(answer: Answer) -> None:
    for word, reasons in REASONS.items():
        reason = answer.rng.choice(reasons)
        expect(answer.call("verdict", reason), f"`verdict({reason!r})`", is_=word)


def grows(answer: Answer, first: int, top: int) -> dict[str, object]:
    """Ask for something long, and hold the requests and the result against the rule."""
    prompt = f"{LONG} (reader {answer.rng.randrange(100, 1000)})"
    got = answer.call("ask_in_full", prompt, first_cap=first, top_cap=top)
    sent = answer.requests()
    caps = [one.cap for one in sent]
    expect(len(sent), "the number of requests for an answer that was cut", at_least=2)
    wanted = [min(first * 2**n, top) for n in range(len(sent))]
    expect(caps, f"the limits of the requests, from {first} to at most {top},", is_=wanted)
    for one in sent:
        expect(one.status, "the status of a response", is_=200)
        expect_messages(one.turns, "the messages of each request", is_=[["user", prompt]])
    reasons = [one.finish_reasons[0] for one in sent]
    if "stop" in reasons[:-1]:
        fail("it asked again although the answer had ended")
    if reasons[-1] == "length" and caps[-1] != top:
        fail(f"it gave up at {caps[-1]} tokens, although `top_cap` was {top}")
    expect(
        got,
        "what `ask_in_full` returned",
        is_={"text": sent[-1].completion, "finish_reason": reasons[-1], "caps": caps},
    )
    return dict(got)
