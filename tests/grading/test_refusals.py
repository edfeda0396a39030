"""What a student's code was refused, through an SDK and by hand, from a real lab server."""

from __future__ import annotations

import os
from typing import Any

import httpx
import pytest
from openai import APIStatusError, OpenAI

from labkit import registry
from labkit.grading.refusals import refusal_of, watched
from labkit.grading.workspace import Outcome, Workspace

pytestmark = pytest.mark.usefixtures("openai_environment")


def call(function: Any) -> Outcome:
    return Workspace({"f": function}).run({"do": "call", "name": "f"})


def too_hot() -> Any:
    messages: Any = [{"role": "user", "content": "Hi"}]
    return OpenAI().chat.completions.create(
        model=registry.model("openai", "reasoning"), messages=messages, max_tokens=50
    )


def test_an_exception_of_an_sdk_is_told_in_the_providers_words() -> None:
    outcome = call(too_hot)
    with pytest.raises(APIStatusError) as caught:
        too_hot()
    message = caught.value.response.json()["error"]["message"].rstrip(".")
    assert outcome["trouble"] == "refused"
    assert outcome["sentence"] == f"`f` raised BadRequestError: the server answered 400: {message}"
    assert "\\" not in outcome["sentence"] and outcome["refused"] == [f"400: {message}"]


def test_a_refusal_that_raises_nothing_is_kept() -> None:
    url = f"{os.environ['OPENAI_BASE_URL']}/models"
    outcome = call(lambda: httpx.get(url, headers={"Authorization": "Bearer sk-wrong"}).status_code)
    assert outcome["value"] == 401
    assert outcome["refused"][0].startswith("401: ") and "{" not in outcome["refused"][0]


def test_clients_are_as_before_when_nothing_is_watched() -> None:
    send = httpx.Client.send
    with pytest.raises(KeyError), watched():
        assert httpx.Client.send is not send
        raise KeyError
    assert httpx.Client.send is send


def test_other_exceptions_are_no_refusal() -> None:
    assert refusal_of(KeyError("data")) == ""
