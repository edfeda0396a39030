from __future__ import annotations

from typing import Any

import pytest

from labkit.grading.expectations import (
    Unmet,
    conversation,
    entry,
    expect,
    expect_fields,
    expect_messages,
    expect_usd,
    fail,
    same,
    shown,
)


@pytest.mark.parametrize(
    ("seen", "demand"),
    [
        (2, {"is_": 2}),
        (2, {"is_": 2.0}),
        ([1, {"a": [None]}], {"is_": [1, {"a": [None]}]}),
        (3, {"at_least": 3, "at_most": 3}),
        ("abc", {"contains": "b", "type_": str}),
        ([1, "b"], {"contains": "b"}),
        ("b", {"one_of": ("a", "b"), "is_not": "c"}),
        (7, {"type_": float}),
        (0.1 + 0.2, {"near": 0.3}),
        (2, {"near": 2.0}),
    ],
)
def test_expect_met(seen: Any, demand: dict[str, Any]) -> None:
    expect(seen, "it", **demand)


@pytest.mark.parametrize(
    ("seen", "demand", "sentence"),
    [
        (3, {"is_": 2}, "it: expected 2, saw 3"),
        (True, {"is_": 1}, "it: expected 1, saw True"),
        (None, {"at_least": 1}, "it: expected 1 or more, saw None"),
        (True, {"at_least": 1}, "it: expected 1 or more, saw True"),
        (9, {"at_most": 8}, "it: expected 8 or less, saw 9"),
        ("x", {"one_of": ("a", "b")}, "it: expected one of 'a', 'b', saw 'x'"),
        ("x", {"is_not": "x"}, "it: expected something other than 'x'"),
        (None, {"contains": "a"}, "it: expected to find 'a' in it, saw None"),
        (5, {"contains": 5}, "it: expected to find 5 in it, saw 5"),
        (0.31, {"near": 0.3}, "it: expected about 0.3, saw 0.31"),
        (1e-5, {"near": 0.0}, "it: expected about 0, saw 1e-05"),
        (None, {"near": 0.3}, "it: expected about 0.3, saw None"),
        (True, {"near": 1.0}, "it: expected about 1, saw True"),
        ("0.3", {"near": 0.3}, "it: expected about 0.3, saw '0.3'"),
        (True, {"type_": int}, "it: expected a whole number, saw True"),
        ("7", {"type_": float}, "it: expected a number, saw '7'"),
    ],
)
def test_expect_unmet_says_what_was_seen_and_expected(seen: Any, demand: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Unmet) as caught:
        expect(seen, "it", **demand)
    assert str(caught.value) == sentence


def test_no_number_is_too_large_to_be_judged() -> None:
    with pytest.raises(Unmet, match="it: expected about 1, saw 1000"):
        expect(10**400, "it", near=1.0)


def test_fail_is_an_unmet_demand() -> None:
    with pytest.raises(Unmet, match="^the sentence$"):
        fail("the sentence")


def test_shown_cuts_long_values_in_the_middle() -> None:
    text = shown(["x" * 10_000])
    assert len(text) == 120
    assert text.startswith("['xxx") and text.endswith("xxx']") and " ... " in text


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"a": True}, False),
        ([1], [1, 2], False),
        ([[]], [{}], False),
        ("한국어", "한국어", True),
        (0, False, False),
        (None, "", False),
    ],
)
def test_same_is_equality_of_json_values(a: Any, b: Any, equal: bool) -> None:
    assert same(a, b) is equal


def test_fields_are_compared_by_name_and_floats_nearly() -> None:
    expect_fields({"a": 0.1 + 0.2, "b": None, "more": 1}, "it", is_={"b": None, "a": 0.3})


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        ({"a": 0.3, "b": 1}, "`b` in it: expected None, saw 1"),
        ({"a": 0.4, "b": None}, "`a` in it: expected about 0.3, saw 0.4"),
        ({"a": 0.3}, "it: expected `b` in it, saw `a`"),
        ({}, "it: expected `a` in it, saw nothing"),
        (None, "it: expected a dictionary, saw None"),
    ],
)
def test_a_field_that_differs_is_named(seen: Any, sentence: str) -> None:
    with pytest.raises(Unmet) as unmet:
        expect_fields(seen, "it", is_={"a": 0.3, "b": None})
    assert str(unmet.value) == sentence


def test_a_sum_of_money_is_told_to_a_fraction_of_a_token() -> None:
    expect_usd(0.1 + 0.2, "the bill", 0.3)
    with pytest.raises(Unmet, match=r"^the bill: expected 0\.00012300, saw 0\.00012400$"):
        expect_usd(0.000124, "the bill", 0.000123)
    with pytest.raises(Unmet, match="expected a number, saw None"):
        expect_usd(None, "the bill", 0.1)


def test_an_entry_that_is_not_there_is_named() -> None:
    assert entry({"usd": 0}, "usd", "ask") == 0
    for got in ({"cost": 0}, [], None):
        with pytest.raises(Unmet, match="^what `ask` returned: expected a dictionary with 'usd' in it, saw "):
            entry(got, "usd", "ask")


def test_messages_are_compared_and_told_in_words() -> None:
    expect_messages([["user", "Hi"]], "the messages", is_=[("user", "Hi")])
    with pytest.raises(Unmet) as caught:
        expect_messages([["assistant", "Hi"]], "the messages", is_=[["system", "Be brief."], ["user", "Hi"]])
    wanted = "a system message 'Be brief.', then a user message 'Hi'"
    assert str(caught.value) == f"the messages: expected {wanted}, saw an assistant message 'Hi'"


@pytest.mark.parametrize(("turns", "words"), [([], "no message"), ([[None, 5]], "one without a role 5")])
def test_odd_conversations_have_words_too(turns: list[list[object]], words: str) -> None:
    assert conversation(turns) == words
