"""A conversation carries its history; the API does not."""

from __future__ import annotations

import pytest

import labkit as lk
from labkit import Conversation, LLMClient
from labkit.errors import CallError, UserError

pytestmark = pytest.mark.usefixtures("session")

PROVIDERS = ("openai", "anthropic", "gemini", "bedrock")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_history_is_sent_again_and_grows(provider: str) -> None:
    talk = Conversation(LLMClient(provider), system="Be brief.")
    for text in ("My name is Ada.", "What is an API?", "What is my name?"):
        talk.say(text)
    assert len(talk) == 3 and [m.role for m in talk.messages] == ["user", "assistant"] * 3
    assert talk.growth == sorted(talk.growth) and talk.growth[2] > 2 * talk.growth[0]
    assert talk.growth == list(lk.lab.journal()["input"] + lk.lab.journal()["cached"])
    assert talk.cost_usd == pytest.approx(lk.lab.journal()["cost_usd"].sum())
    assert "3 turns" in repr(talk)


async def test_streams_and_await_carry_it_too() -> None:
    talk = Conversation(LLMClient("openai"))
    text = "".join(talk.stream("What is an API?"))
    await talk.asay("Hi")
    pieces = [piece async for piece in talk.astream("Thanks")]
    assert [m.text for m in talk.messages][1::4] == [text, "".join(pieces)]


def test_a_call_that_fails_leaves_the_history_as_it_was() -> None:
    talk = Conversation(LLMClient("openai", retry=1))
    talk.say("Hi")
    for fault, say in (("overloaded", talk.say), ("cut", lambda text: list(talk.stream(text)))):
        lk.lab.faults(fault, next=1)
        with pytest.raises(CallError):
            say("Explain recursion in three sentences.")
    assert len(talk.messages) == 2 and talk.say("Hi again").text


def test_the_oldest_turns_are_left_out_when_it_gets_long() -> None:
    talk = Conversation(LLMClient("openai"), max_prompt_tokens=120)
    for n in range(4):
        talk.say(f"Question {n}: " + "word " * 30)
    assert len(talk.messages) == 8 and max(talk.growth) <= 120
    assert "Question 3" in talk.next_prompt("x")[-3].text
    with pytest.raises(UserError, match="max_prompt_tokens"):
        talk.say("word " * 200)


def test_forgetting_begins_again() -> None:
    talk = Conversation(LLMClient("openai"))
    talk.say("Hi")
    talk.forget()
    assert len(talk) == 0 and talk.next_prompt("Hi") == [lk.chat.Message("user", "Hi")]
