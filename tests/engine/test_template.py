from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.engine.template import (
    TemplateError,
    Text,
    count,
    fill,
    first_sentence,
    map_text,
    parse,
    sample,
    splice,
)


def expansions(source, slots=(), **values):
    template = fill(parse(source, frozenset(slots)), values)
    return {sample(template, Random(seed)) for seed in range(200)}


def test_parse_choice():
    assert expansions("a {b|c} d") == {"a b d", "a c d"}


def test_parse_nested_choice():
    assert expansions("{a {b|c}|d}") == {"a b", "a c", "d"}


def test_parse_empty_option():
    assert expansions("a {new |}list") == {"a new list", "a list"}


def test_parse_braces_without_bar_are_text():
    assert expansions('{"name": "{Ada|Bo}"}') == {'{"name": "Ada"}', '{"name": "Bo"}'}


def test_parse_escapes():
    assert expansions(r"\{a\|b\} \$x \\n @3", slots=["x"], x="no") == {r"{a|b} $x \\n @3"}


def test_parse_weights_by_order_and_by_number():
    template = parse("{a|b|c @8}")
    seen = Counter(sample(template, Random(seed)) for seed in range(4000))
    assert seen["c"] > 3 * seen["a"] > 3 * seen["b"]


def test_parse_slots_only_declared():
    assert expansions("$Topic, $topic, $5, $other", slots=["topic"], topic="the sea") == {
        "The sea, the sea, $5, $other"
    }


@pytest.mark.parametrize(("source", "line"), [("a {b", 1), ("a\nb }", 2), ("{a @0|b @0}", 1)])
def test_parse_error_names_line_and_fix(source, line):
    with pytest.raises(TemplateError) as caught:
        parse(source)
    assert caught.value.line == line
    assert caught.value.fix


def test_first_sentence_stops_in_a_choice():
    template = first_sentence(parse("One {two.|three. Four.} Five."))
    assert {sample(template, Random(seed)) for seed in range(20)} == {"One two.", "One three."}


def test_splice_puts_a_template_into_another():
    whole = splice(parse("Arr! $answer", {"answer"}), "answer", parse("{a|b}"))
    assert {sample(whole, Random(seed)) for seed in range(20)} == {"Arr! a", "Arr! b"}


def test_map_text_reaches_into_choices():
    assert expansions("a{b|c}") == {"ab", "ac"}
    assert sample(map_text(parse("a{b|b}"), str.upper), Random(0)) == "AB"


def test_sample_refuses_an_open_slot():
    with pytest.raises(ValueError, match="topic"):
        sample(parse("$topic", {"topic"}), Random(0))


@given(st.text(alphabet=st.characters(exclude_characters="{}|$@\\"), max_size=40))
def test_plain_text_is_itself(text):
    assert parse(text) == ((Text(text, 1),) if text else ())
    assert count(parse(text)) == 1
