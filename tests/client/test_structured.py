"""Answers as objects, through each provider's own schema, and what happens when they do not fit."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, field_validator

import labkit as lk
from labkit import LLMClient
from labkit.errors import InvalidOutput, UserError
from labkit.structured import Shape, strict

PROVIDERS = ("openai", "anthropic", "gemini", "bedrock")
TEXT = "Ada Lovelace is 36 and lives in London. Extract the person."


class Person(BaseModel):
    name: str
    age: int = Field(ge=0)
    city: str | None = None


class Review(BaseModel):
    reason: str
    label: Literal["positive", "negative", "neutral"]
    people: list[Person] = []


class Impossible(BaseModel):
    name: str

    @field_validator("name")
    @classmethod
    def _never(cls, value: str) -> str:
        raise ValueError("no name is good enough")


def test_a_strict_schema_requires_every_field_and_allows_no_other() -> None:
    schema = strict(Review.model_json_schema())
    assert schema["required"] == ["reason", "label", "people"] and schema["additionalProperties"] is False
    person = schema["$defs"]["Person"]
    assert person["required"] == ["name", "age", "city"] and "default" not in str(schema)


def test_a_field_may_be_called_like_a_word_of_the_schema_language() -> None:
    schema = {"type": "object", "properties": {"default": {"type": "string"}, "items": {"type": "string"}}}
    assert strict(schema)["required"] == ["default", "items"]
    assert schema.keys() == {"type", "properties"}, "the caller's own is left alone"


@pytest.mark.parametrize("schema", [int, {"type": "array"}, "object"])
def test_what_is_no_schema_is_said(schema: Any) -> None:
    with pytest.raises(UserError):
        Shape(schema)


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_answer_is_an_object(provider: str) -> None:
    answer = LLMClient(provider).chat(TEXT, schema=Person)
    assert answer.parsed == Person(name="Ada Lovelace", age=36, city="London")
    assert answer.reasks == 0 and answer.finish_reason == "stop"


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_the_same_with_await_and_in_a_stream(provider: str) -> None:
    client = LLMClient(provider)
    assert isinstance((await client.achat(TEXT, schema=Person)).parsed, Person)
    stream = client.astream(TEXT, schema=Person)
    assert (await stream.read()).parsed.name == "Ada Lovelace"


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_schema_as_a_dict(provider: str) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}
    assert LLMClient(provider).chat(TEXT, schema=schema).parsed == {"name": "Ada Lovelace", "age": 36}


@pytest.mark.usefixtures("session")
def test_an_answer_that_does_not_fit_is_sent_back_with_the_reason() -> None:
    with pytest.raises(InvalidOutput, match="also after asking 2 times more: name: .* no name is good enough") as last:
        LLMClient("openai").chat(TEXT, schema=Impossible)
    booked = lk.lab.journal()
    assert len(booked) == 3 and last.value.response is not None
    assert last.value.response.usage.total == booked["total"].sum()
    roles = [m["role"] for m in lk.lab.last()["wire"]["request"]["body"]["messages"]]
    assert roles == ["user", "assistant", "user", "assistant", "user"]


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_truncated_object_is_not_asked_for_again(provider: str) -> None:
    with pytest.raises(InvalidOutput, match="cut at max_tokens") as cut:
        LLMClient(provider).chat(TEXT, schema=Review, max_tokens=5)
    assert cut.value.response is not None and cut.value.response.truncated
    assert len(lk.lab.entries()) == 1
