# Made by `labkit release` from solutions/checks/ex00.py. Edit that file, not this one.
"""Check of the one task on page 00, "Start here". Its stub is in the notebook; exercise 01 is the first of its own."""

from labkit import registry
from labkit.grading import Answer, Exchange, Task, expect, expect_messages, fail

QUESTIONS = (
    "What is an API?",
    "What is a token?",
    "What is the capital of France?",
    "Explain what temperature does in an LLM.",
)

first_answer = Task(
    "0.1",
    "Your first answer",
    points=2,
    hints=(
        "The call at the top of the page needs two changes: the text of the message is your function's argument, and "
        "the answer is returned, not printed.",
        "`client.chat.completions.create(...)` returns the completion; the text is in the first of its `choices`, in "
        "the `content` of its `message`. Name the model with `lk.model`, as the page does.",
    ),
)


def the_request(answer: Answer, question: str) -> Exchange:
    """What one call sends, whatever it returns: exactly one chat completion."""
    answer.send("first_answer", question)
    seen = answer.requests()
    expect(len(seen), "the number of requests that the lab server saw in one call", is_=1)
    expect(seen[0].path, "the path of the request", is_="/v1/chat/completions")
    return seen[0]


@first_answer.check("one request carries the question as the user's message", points=0.5)
def sends_the_question(answer: Answer) -> None:
    question = answer.rng.choice(QUESTIONS)
    sent = the_request(answer, question)
    expect(sent.status, "the status of the response", is_=200)
    turns = [[message.get("role"), message.get("content")] for message in sent.messages]
    expect_messages(turns, "the messages that were sent", is_=[["user", question]])


@first_answer.check("it asks OpenAI's small model", points=0.5)
def asks_the_small_model(answer: Answer) -> None:
    asked = the_request(answer, answer.rng.choice(QUESTIONS)).body.get("model")
    small = registry.find(registry.model("openai", "small"))
    if asked not in (small.id, *small.aliases):
        fail(f"the model: expected {small.id!r}, which is what lk.model gives for OpenAI's small one, saw {asked!r}")


@first_answer.check("the text of the answer is returned", points=1)
def returns_the_text(answer: Answer) -> None:
    got = answer.call("first_answer", answer.rng.choice(QUESTIONS))
    expect(got, "what `first_answer` returned", type_=str)
    seen = answer.requests()
    expect(len(seen), "the number of requests that the lab server saw in one call", is_=1)
    expect(got, "the returned text", is_=seen[0].reply["choices"][0]["message"]["content"])
