"""Distributions: the lab's own, and what OpenAI's logprobs tell of the same one."""

from __future__ import annotations

import math
from typing import Any

import pytest
from openai import OpenAI

from labkit import lab, registry
from labkit.errors import SettingsError
from labkit.widgets.source import conversation, first_token, from_logprobs, source_for

MODEL = registry.find(registry.model("openai", "sampling"))
MESSAGES = conversation("What is an API?", None)


def test_logprobs_over_the_socket_tell_the_same_distribution(session: Any) -> None:
    with OpenAI(max_retries=0) as client:
        told = first_token(client, MODEL, MESSAGES)
    exact = lab.distribution(MESSAGES, model=MODEL.id)
    for chance in told.tokens[:5]:
        assert chance.p == pytest.approx(exact.distribution.prob(chance.id), rel=0.01)
    assert told.distribution.best == exact.distribution.best
    assert told.end == exact.end


def test_what_logprobs_leave_out_is_spread_evenly() -> None:
    told = from_logprobs(MODEL, [(b" the", math.log(0.6)), (b" a", math.log(0.3))])
    d = told.distribution
    assert d.probs[:2] == pytest.approx((0.6, 0.3))
    assert d.floor * d.tail == pytest.approx(0.1)


def test_chat_api_continues_no_beginning(session: Any) -> None:
    with OpenAI(max_retries=0) as client, pytest.raises(SettingsError, match="first tokens only"):
        first_token(client, MODEL, MESSAGES, "An API is")


def test_local_model_is_asked_at_the_lab_server(session: Any) -> None:
    source = source_for(MODEL, MESSAGES)
    assert source("An").tokens != source("").tokens
    assert session.control("GET", "journal")["entries"] == []  # looking is not a call


def test_system_text_comes_first() -> None:
    turns = conversation([{"role": "user", "content": "Hi"}], "Be brief.")
    assert [t["role"] for t in turns] == ["system", "user"]
