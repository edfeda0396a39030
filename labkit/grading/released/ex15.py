# Made by `labkit release` from solutions/checks/ex15.py. Edit that file, not this one.
"""Checks of exercise 15, "The capstone". Read them beside the notebook of the same number.

The lab server's ledger says what the student's code cost, and the labels of the tickets whether it was worth it. Each
check begins on a new lab day, so that no prompt cache of an earlier one serves it; a lab minute lasts a second.
"""

import json
from random import Random
from typing import Any

from labkit import datasets, prices, registry, tokens
from labkit.grading import Answer, Exchange, Task, expect, fail
from labkit.grading.answer import NoAnswer
from labkit.usage import Usage

CHAT = "/v1/chat/completions"
SECTIONS = datasets.handbook()
NEEDED = [SECTIONS[heading] for heading in datasets.HANDBOOK_NEEDED]
UNUSED = [heading for heading in SECTIONS if heading not in datasets.HANDBOOK_NEEDED]
TASK = "You sort messages of customers. Answer with the name of the queue only."
QUEUES = tuple(datasets.LABELS["tickets"])
TICKETS = datasets.records("tickets")
LARGE = next(
    model.id
    for model in registry.models("openai", kind="chat")
    if (model.tier, model.sampling) == ("large", "effort-none")
)
DAY_S = 86_400
QUICK = {"validating_s": 2.0, "queue_s": 10.0, "lines_per_s": 5.0, "finalizing_s": 2.0}
"""A batch of some lines takes under half a lab minute."""
SHORT = 10
"""Output tokens: the cap."""


def messages(answer: Answer, count: int) -> list[str]:
    return [row["text"] for row in answer.rng.sample(TICKETS, count)]


def new_day(answer: Answer) -> None:
    answer.lab.set(clock={"rate": 60, "advance_s": DAY_S}, batches=QUICK)


def billed(answer: Answer) -> float:
    return float(answer.lab.ledger()["total"]["cost_usd"])


def answered(answer: Answer) -> list[Exchange]:
    return [sent for sent in answer.requests() if sent.path == CHAT and sent.status == 200]


def words(message: dict[str, Any]) -> str:
    """The text of a message, whether it is one string or parts."""
    content = message.get("content")
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content or [])


def one(answer: Answer, history: list[dict[str, str]], text: str) -> Exchange:
    """The one request that `sort_one` sends; what it returned is what was answered."""
    got = answer.call("sort_one", history, text)
    seen = answered(answer)
    expect(len(answer.requests()), "the number of requests for one message", is_=1)
    expect(seen[0].model, "the model", is_=LARGE)
    expect(got, "what `sort_one` returned", one_of=QUEUES)
    if got not in str(seen[0].reply["choices"][0]["message"]["content"]).lower():
        fail(f"`sort_one` returned {got!r}, which is not what the model answered")
    return seen[0]


# --- 15.1 ------------------------------------------------------------------------------------------------------------

bill = Task(
    "15.1",
    "Read the bill",
    points=4,
    hints=(
        "Walk through the calls in their order and remember which messages have an answer. A message is a chat "
        "and a turn "
        "together. The shares are sums over sums, and not averages of shares.",
        "Keep a set of `(call['chat'], call['turn'])` of the calls with status 200; whoever is in it already "
        "was paid twice. "
        "Before you divide, look whether there is anything to divide by.",
    ),
)


def call_of(answer: Answer, chat: str, turn: int, status: int = 200) -> dict[str, Any]:
    """A row of a journal; a refused call has used nothing."""
    draw = answer.rng.randrange
    names = ("input", "cached", "cache_write", "reasoning")
    used = {name: draw(1, 2_000) if status == 200 else 0 for name in names}
    output = used["reasoning"] + draw(1, 50) if status == 200 else 0
    usd = draw(100, 9_000) / 1_000_000 if status == 200 else 0.0
    return {"chat": chat, "turn": turn, "status": status, "usd": usd, "output": output, **used}


def story(answer: Answer, turns: str) -> list[dict[str, Any]]:
    """Calls as "a0 a1! a0": chat and turn, with an exclamation mark where it was refused."""
    return [call_of(answer, word[0], int(word[1]), 429 if "!" in word else 200) for word in turns.split()]


def read(answer: Answer, calls: list[dict[str, Any]], field: str, right: float) -> None:
    got = answer.call("read_bill", calls)
    expect(got, "what `read_bill` returned", type_=dict)
    expect(sorted(got), "the fields of the result", is_=["hidden", "paid_twice", "read", "usd"])
    expect(got[field], f"`{field}`", near=right)


def summed(calls: list[dict[str, Any]], *names: str) -> float:
    return float(sum(call[name] for call in calls for name in names))


@bill.check("the whole bill, and the share that was read from the cache", points=1)
def reads_sums(answer: Answer) -> None:
    calls = story(answer, "a0 a1 b0 b1 b2")
    read(answer, calls, "usd", summed(calls, "usd"))
    prompt = summed(calls, "input", "cached", "cache_write")
    read(answer, calls, "read", summed(calls, "cached") / prompt)


@bill.check("what was paid twice", points=1)
def reads_repeats(answer: Answer) -> None:
    calls = story(answer, "a0 a1 a2! a0 a1 a2 b0")
    read(answer, calls, "paid_twice", calls[3]["usd"] + calls[4]["usd"])


# --- 15.2 ------------------------------------------------------------------------------------------------------------

request = Task(
    "15.2",
    "One good request",
    points=5,
    hints=(
        "The system message is a list of one text part, whose end is marked; the history and the message come "
        "behind it. "
        "The dials are those of fix 4 in the lesson.",
        'The part: `{"type": "text", "text": ..., "prompt_cache_breakpoint": {"mode": "explicit"}}`; and '
        '`extra_body={"prompt_cache_options": {"mode": "explicit"}}`. `reasoning_effort="none"` allows a temperature.',
    ),
)


@request.check("one request to the large model, and its queue", points=1)
def sends_one(answer: Answer) -> None:
    new_day(answer)
    one(answer, [], messages(answer, 1)[0])


@request.check("the sections that sort, and no others", points=1)
def trims(answer: Answer) -> None:
    new_day(answer)
    sent = one(answer, [], messages(answer, 1)[0])
    fixed = "\n".join(words(message) for message in sent.messages if message.get("role") in ("system", "developer"))
    for text in (*NEEDED, TASK):
        expect(text in fixed, f"the system message holds {text.partition(chr(10))[0]!r}", is_=True)
    found = [heading for heading in UNUSED if SECTIONS[heading] in fixed]
    expect(found, "sections that sort nothing", is_=[])


@request.check("the second request reads the stable part, and writes nothing", points=1)
def caches(answer: Answer) -> None:
    new_day(answer)
    first, second = (one(answer, [], text).reply["usage"]["prompt_tokens_details"] for text in messages(answer, 2))
    expect(first["cache_write_tokens"], "tokens that the first request wrote", at_least=1024)
    expect(second["cached_tokens"], "tokens that the second request read", at_least=1024)
    expect(second["cache_write_tokens"], "tokens that the second request wrote", is_=0)


# --- 15.3 ------------------------------------------------------------------------------------------------------------

limit = Task(
    "15.3",
    "A chat, and a limit that is shared",
    points=4,
    hints=(
        "Where does the retry belong: around the chat, or around one request? And who does it already, if you let it?",
        "`client.with_options(max_retries=10)` in `sort_one` sends a refused request again when the server says. "
        "`sort_chat` is then a loop without any `except`.",
    ),
)


REFUSED = 0.35
"""Share of the requests that the server refuses."""


def chat_of(answer: Answer, count: int) -> list[str]:
    """A chat that was sorted, each message by one answer."""
    chat = messages(answer, count)
    got = answer.call("sort_chat", chat)
    expect(got, "what `sort_chat` returned", type_=list)
    expect(len(got), "the number of queues", is_=count)
    expect([queue for queue in got if queue not in QUEUES], "what is no queue", is_=[])
    expect(len(answered(answer)), f"answers that were paid, for {count} messages", is_=count)
    return chat


def striking(answer: Answer) -> int:
    """A seed with which the server lets the first request through, and refuses one of the two after it."""
    while True:
        seed = answer.rng.randrange(1_000_000)
        dice = Random(seed)
        first, *others = [dice.random() < REFUSED for _ in range(3)]
        if any(others) and not first:
            return seed


@limit.check("each message with all before it", points=1)
def grows(answer: Answer) -> None:
    new_day(answer)
    chat = chat_of(answer, 4)
    for n, sent in enumerate(answered(answer)):
        said = [words(message) for message in sent.messages if message["role"] == "user"]
        expect(said, f"the user's messages in request {n + 1}", is_=chat[: n + 1])
        roles = [message["role"] for message in sent.messages if message["role"] in ("user", "assistant")]
        expect(roles, f"the roles in request {n + 1}", is_=["user", "assistant"] * n + ["user"])


@limit.check("a refused request is sent again, and no other", points=1)
def repeats_one(answer: Answer) -> None:
    new_day(answer)
    answer.lab.fault("rate_limit", rate=REFUSED, seed=striking(answer), seconds=1)
    chat_of(answer, 5)


# --- 15.4 ------------------------------------------------------------------------------------------------------------

stop = Task(
    "15.4",
    "Stop before the budget is passed",
    points=4,
    hints=(
        "Two numbers decide before each request: what was spent, and what the next one can cost at most. The "
        "first call "
        "of a day writes the cache, all others read it; but before you ask you do not know.",
        "`lk.tokens.count_messages([('system', ...), ('user', text)], LARGE)` counts the prompt, "
        "`lk.cost(LARGE, Usage(cache_write=prompt, output=10))` is the most. Of the answer's prompt tokens "
        "those not cached "
        "and not written are `input`.",
    ),
)


def within(answer: Answer, budget: float, count: int) -> tuple[list[str | None], float]:
    """Queues, and what they cost by the ledger."""
    new_day(answer)
    before = billed(answer)
    got = answer.call("sort_within", messages(answer, count), budget)
    expect(got, "what `sort_within` returned", type_=list)
    expect(len(got), "the number of results", is_=count)
    return got, billed(answer) - before


def drawn(answer: Answer) -> float:
    """A budget for ten to thirty messages."""
    return answer.rng.randrange(7_000, 10_000) / 1_000_000


@stop.check("with money enough, every message is sorted", points=1)
def sorts_all(answer: Answer) -> None:
    got, _ = within(answer, 1.0, 6)
    expect([queue for queue in got if queue not in QUEUES], "what is no queue", is_=[])
    expect(len(answered(answer)), "the number of answers that were paid", is_=6)


@stop.check("the budget is not passed, and the rest is None", points=1)
def keeps_it(answer: Answer) -> None:
    budget = drawn(answer)
    got, spent = within(answer, budget, 40)
    expect(spent, "USD by the server's ledger", at_most=budget)
    done = len(answered(answer))
    expect(done, "the number of messages sorted", at_least=1, at_most=39)
    expect([queue is None for queue in got], "which results are None", is_=[False] * done + [True] * (40 - done))


# --- 15.5 ------------------------------------------------------------------------------------------------------------

desk = Task(
    "15.5",
    "The whole desk",
    points=8,
    seconds=30,
    hints=(
        "Your request of 15.2 is half of the way: it is trimmed, cached and capped. Then ask who needs the "
        "large model, and "
        "who waits. Mend one thing, look at `lk.lab.ledger()`, then the next.",
        "A cascade: the small model with `logprobs=True` first, the large one where the first token's "
        "probability is below "
        "0.7. For mails the same in two batches: all of them, then those in doubt. What the SDK takes as "
        "`extra_body` stands "
        "in the body of a batch's line itself.",
    ),
)
CHATS, TURNS, MAILS = 5, 4, 40
WRITTEN = 70
"""Output tokens of the lesson's program for each message, hidden ones included."""


def workload(answer: Answer) -> tuple[dict[str, Any], list[str]]:
    """Chats and mails, and the right queues of all, chats first."""
    rows = answer.rng.sample(TICKETS, CHATS * TURNS + MAILS)
    texts, labels = [row["text"] for row in rows], [row["label"] for row in rows]
    chats = [texts[n : n + TURNS] for n in range(0, CHATS * TURNS, TURNS)]
    return {"chats": chats, "mails": texts[CHATS * TURNS :]}, labels


def naive_usd(work: dict[str, Any]) -> float:
    """What the lesson's program pays for it if nothing is refused."""
    system = "\n\n".join((*SECTIONS.values(), TASK))
    spoken = [("user", text) for text in work["mails"]]
    prompts = [[turn] for turn in spoken]
    for chat in work["chats"]:
        for n in range(len(chat)):
            earlier = [turn for text in chat[:n] for turn in (("user", text), ("assistant", "billing"))]
            prompts.append([*earlier, ("user", chat[n])])
    sizes = [tokens.count_messages([("system", system), *prompt], LARGE) for prompt in prompts]
    return sum(prices.cost(LARGE, Usage(cache_write=size, output=WRITTEN)) for size in sizes)


def served(answer: Answer) -> tuple[dict[str, Any], list[str], list[str], float]:
    """The workload, the right queues, those that came back, and USD by the ledger."""
    new_day(answer)
    work, labels = workload(answer)
    before = billed(answer)
    got = answer.call("serve", work)
    cost = billed(answer) - before
    expect(got, "what `serve` returned", type_=dict)
    expect(sorted(got), "its fields", is_=["chats", "mails"])
    expect([len(chat) for chat in got["chats"]], "queues of each chat", is_=[TURNS] * CHATS)
    queues = [queue for chat in got["chats"] for queue in chat] + list(got["mails"])
    expect(len(queues), "the number of queues", is_=len(labels))
    return work, labels, queues, cost


def cheaper(answer: Answer) -> float:
    """How many times cheaper it was. What is not sorted costs nothing, and does not count."""
    work, labels, queues, cost = served(answer)
    right = sum(queue == label for queue, label in zip(queues, labels, strict=True))
    expect(right, f"right queues of {len(labels)}: cheap answers have to be answers", at_least=len(labels) // 2)
    expect(cost, "USD by the server's ledger", at_least=1e-9)
    return naive_usd(work) / cost


@desk.check("every message has a queue", points=1)
def serves_all(answer: Answer) -> None:
    _, _, queues, _ = served(answer)
    expect([queue for queue in queues if queue not in QUEUES], "what is no queue", is_=[])


@desk.check("at least nine in ten are right", points=2)
def sorts_well(answer: Answer) -> None:
    _, labels, queues, _ = served(answer)
    right = sum(queue == label for queue, label in zip(queues, labels, strict=True))
    expect(right, f"right queues of {len(labels)}", at_least=0.9 * len(labels))


@desk.check("at least 10 times cheaper", points=2)
def ten_times(answer: Answer) -> None:
    expect(round(cheaper(answer), 1), "times cheaper than the lesson's program", at_least=10)


@desk.check("at least 20 times cheaper", points=1)
def twenty_times(answer: Answer) -> None:
    expect(round(cheaper(answer), 1), "times cheaper than the lesson's program", at_least=20)
