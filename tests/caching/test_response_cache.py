"""The same call twice, through the real SDKs: what it costs, what is said, what is booked."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from pydantic import BaseModel, field_validator

import labkit as lk
from labkit import Conversation, LLMClient, ResponseCache
from labkit.errors import CallError, InvalidOutput, UserError
from labkit.usage import Usage

QUESTION = "What is an API?"
PROVIDERS = ("openai", "anthropic", "gemini", "bedrock", "vllm")

pytestmark = pytest.mark.usefixtures("session")


def asked() -> int:
    """Requests for an answer that the server has seen."""
    return len(lk.lab.entries())


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_second_call_is_not_sent(provider: str, cache: ResponseCache) -> None:
    client = LLMClient(provider, cache=cache)
    first, second = client.chat(QUESTION, system="Be brief."), client.chat(QUESTION, system="Be brief.")
    assert (first.cached, second.cached, asked()) == (False, True, 1)
    assert (second.text, second.finish_reason, second.model) == (first.text, first.finish_reason, first.model)
    assert (second.cost_usd, second.usage, second.saved_usd) == (0.0, Usage(), first.cost_usd)
    assert "from the cache" in repr(second) and second.message.text == first.text


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_chat_and_streams_share_answers(provider: str, cache: ResponseCache) -> None:
    client = LLMClient(provider, cache=cache)
    whole = client.stream(QUESTION).read()
    again = client.astream(QUESTION)
    pieces = [piece async for piece in again]
    assert "".join(pieces) == whole.text == (await client.achat(QUESTION)).text
    assert len(pieces) > 3 and again.response.cached and asked() == 1
    assert again.response.time_to_first_token_s is not None


@pytest.mark.parametrize("fault", ["cut", "reset_inside", "malformed_event", "error_event"])
def test_a_stream_that_breaks_is_not_kept(client: LLMClient, cache: ResponseCache, fault: str) -> None:
    with lk.lab.faults(fault, start_s=0, after=3), pytest.raises(CallError):
        client.stream(QUESTION).read()
    assert cache.statistics.count("failed") == 1 and len(cache) == 0
    assert not client.stream(QUESTION).read().cached and client.stream(QUESTION).read().cached


def test_a_stream_left_early_is_not_kept(client: LLMClient) -> None:
    for _piece in client.stream(QUESTION):
        break
    assert not client.chat(QUESTION).cached


@pytest.mark.parametrize(
    "change",
    [{"system": "Be brief."}, {"temperature": 0}, {"top_p": 0.5}, {"max_tokens": 500}, {"stop": ["x"]}, {"seed": 1}],
)
def test_another_parameter_is_another_call(client: LLMClient, change: dict[str, object]) -> None:
    client.chat(QUESTION)
    assert not client.chat(QUESTION, **change).cached  # type: ignore[arg-type]
    assert client.chat(QUESTION, **change).cached  # type: ignore[arg-type]


def test_one_character_more_is_another_call(client: LLMClient) -> None:
    client.chat(QUESTION)
    assert not client.chat(QUESTION + " ").cached


def test_a_tag_and_the_form_of_a_number_change_nothing(client: LLMClient) -> None:
    client.chat(QUESTION, temperature=0, tag="a")
    assert client.chat(QUESTION, temperature=0.0, tag="b").cached


def now(zone: str) -> str:
    """The time in a zone."""
    return zone


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"temperature": 0.7}, "temperature 0.7 without a seed"),
        ({"extra": {"extra_body": {"temperature": 0.7}}}, "temperature 0.7 without a seed"),
        ({"tools": [now]}, "tools"),
        ({"system": "The customer is ada@example.org."}, "the prompt seems to hold an e-mail address"),
        ({"max_tokens": 16}, "truncated"),
    ],
)
def test_what_must_not_be_cached_is_sent_and_says_why(client: LLMClient, params: dict, reason: str) -> None:
    answers = [client.chat(QUESTION, **params) for _ in range(2)]
    assert [answer.cached for answer in answers] == [False, False] and asked() == 2
    assert reason in answers[1].notes[-1]
    assert client.cache is not None and len(client.cache) == 0


def test_a_seed_makes_a_temperature_repeatable(client: LLMClient) -> None:
    assert [client.chat(QUESTION, temperature=1, seed=3).cached for _ in range(2)] == [False, True]


def test_force_keeps_all_but_truncated_answers(client: LLMClient) -> None:
    assert [client.chat(QUESTION, temperature=1, cache="force").cached for _ in range(2)] == [False, True]
    assert [client.chat(QUESTION, max_tokens=16, cache="force").cached for _ in range(2)] == [False, False]
    assert not client.chat(QUESTION, temperature=1).cached  # without force the rule holds


def test_false_neither_looks_nor_keeps_and_refresh_replaces(client: LLMClient) -> None:
    client.chat(QUESTION, cache=False)
    assert not client.chat(QUESTION).cached
    assert not client.chat(QUESTION, cache=False).cached
    assert not client.chat(QUESTION, cache="refresh").cached
    assert client.chat(QUESTION).cached and asked() == 4


def test_tool_loops_never_use_the_cache(client: LLMClient) -> None:
    for _ in range(2):
        assert not client.run_tools("What is the time in Paris?", [now]).cached
    assert client.cache is not None and len(client.cache) == client.cache.statistics.hits == 0


def test_an_unknown_use_is_said(client: LLMClient) -> None:
    with pytest.raises(UserError, match="did you mean 'cache'"):
        client.chat(QUESTION, cach=True)  # type: ignore[call-arg]
    with pytest.raises(UserError, match="'always' of a call is none of"):
        client.chat(QUESTION, cache="always")  # type: ignore[arg-type]


def test_an_answer_expires_on_the_caches_clock(session: object) -> None:
    at = 1000.0
    client = LLMClient("openai", cache=ResponseCache("memory", ttl=60, clock=lambda: at))
    client.chat(QUESTION)
    at += 59
    assert client.chat(QUESTION).cached
    at += 1
    assert not client.chat(QUESTION).cached


picky = False
"""Whether `Rhyme` accepts nothing any more: its code has changed, its schema has not."""


class Rhyme(BaseModel):
    first: str
    second: str

    @field_validator("first")
    @classmethod
    def accepted(cls, value: str) -> str:
        if picky:
            raise ValueError("no word is good enough")
        return value


def test_a_kept_answer_is_parsed_again(client: LLMClient) -> None:
    one, two = client.chat("Two words that rhyme.", schema=Rhyme), client.chat("Two words that rhyme.", schema=Rhyme)
    assert two.cached and isinstance(two.parsed, Rhyme) and two.parsed == one.parsed


def test_an_answer_that_does_not_fit_any_more_is_asked_for_again(
    client: LLMClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.chat("Two words that rhyme.", schema=Rhyme)
    monkeypatch.setitem(globals(), "picky", True)
    with pytest.raises(InvalidOutput):
        client.chat("Two words that rhyme.", schema=Rhyme)
    assert asked() > 1
    monkeypatch.setitem(globals(), "picky", False)
    assert client.chat("Two words that rhyme.", schema=Rhyme).cached  # what did not fit replaced nothing


def test_hits_stand_in_the_ledger_with_what_they_saved(client: LLMClient) -> None:
    first = client.chat(QUESTION, tag="a")
    client.chat(QUESTION, tag="b")
    client.stream(QUESTION, tag="c").read()
    table = lk.ledger.table().set_index("tag")
    assert list(table["status"]) == ["ok", "cache", "cache"] and list(table["kind"]) == ["chat", "chat", "stream"]
    assert table.loc["b", "cost_usd"] == 0 and table.loc["b", "saved_usd"] == first.cost_usd
    assert lk.ledger.total() == pytest.approx(float(lk.lab.journal()["cost_usd"].sum()))


def test_spending_shows_what_was_saved(client: LLMClient) -> None:
    first = client.chat(QUESTION)
    client.chat(QUESTION)
    spent = lk.ledger.spend(by="status")
    assert spent.loc["cache", "saved_usd"] == spent.loc["ok", "cost_usd"] == pytest.approx(first.cost_usd)
    assert spent.loc["cache", "cost_usd"] == 0 == spent.loc["ok", "saved_usd"]


def test_a_conversation_is_replayed_turn_by_turn(cache: ResponseCache) -> None:
    for provider in ("anthropic", "gemini"):  # their turns have a form of their own, which a kept answer has not
        texts = []
        for _ in range(2):
            talk = Conversation(LLMClient(provider, cache=cache))
            texts.append([talk.say("Hi").text, talk.say(QUESTION).text])
        assert texts[0] == texts[1] and [response.cached for response in talk.responses] == [True, True]


def test_the_history_is_a_hit_curve(client: LLMClient) -> None:
    for question in ("one", "two", "one", "two", "one"):
        client.chat(question)
    client.chat("three", temperature=1)
    assert client.cache is not None
    history, statistics = client.cache.statistics.history(), client.cache.statistics
    assert list(history["outcome"]) == ["miss", "miss", "hit", "hit", "hit", "refused"]
    assert list(history["hit_rate"]) == pytest.approx([0, 0, 1 / 3, 1 / 2, 3 / 5, 3 / 5])
    assert (statistics.hits, statistics.misses, statistics.refused) == (3, 2, 1)
    assert statistics.saved_usd == pytest.approx(history["saved_usd_total"].iloc[-1]) and statistics.saved_usd > 0
    assert all(a <= b for a, b in pairwise(history["saved_usd_total"]))


def test_an_unused_cache_has_an_empty_history(cache: ResponseCache) -> None:
    assert isinstance(cache.statistics.history(), pd.DataFrame) and len(cache.statistics.history()) == 0
    assert "0 hits" in repr(cache)


def test_true_is_a_file_that_the_next_client_finds(tmp_path: Path) -> None:
    LLMClient("openai", cache=True).chat(QUESTION)
    other = LLMClient("openai", cache=True)
    assert other.chat(QUESTION).cached and (tmp_path / "cache.sqlite3").exists()
    assert LLMClient("openai").chat(QUESTION, cache=True).cached


def test_another_salt_or_provider_shares_nothing(client: LLMClient, tmp_path: Path) -> None:
    path = tmp_path / "shared.sqlite3"
    clients = [
        LLMClient("openai", cache=ResponseCache(path)),
        LLMClient("openai", cache=ResponseCache(path, salt="b")),
        LLMClient("azure", cache=ResponseCache(path)),
    ]
    assert not any(client.chat(QUESTION).cached for client in clients)
    assert all(client.chat(QUESTION).cached for client in clients)
