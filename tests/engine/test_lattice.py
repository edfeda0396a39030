import re
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.engine.base import O200K
from labkit.engine.lattice import Lattice
from labkit.engine.template import Choice, Text, parse, sample
from labkit.tokens import encoding

ENCODING = encoding(O200K.encoding)
AWKWARD = st.text(alphabet="aB é한🦄'\n\t .,/-_`{}1234", max_size=8)


def lattice(source):
    return Lattice(parse(source), ENCODING.encode_ordinary)


def generate(automaton, rng):
    """Tokens drawn from the template alone."""
    state, tokens = automaton.start, []
    while True:
        branches = state.branches()
        token = rng.choices(list(branches), list(branches.values()))[0]
        if token == O200K.end:
            return tokens
        tokens.append(token)
        state = automaton.follow(state, token)


@given(AWKWARD, AWKWARD)
def test_space_after_text_is_a_boundary(left, right):
    """What the lattice rests on: a space behind a visible character always begins a token."""
    if left and not left[-1].isspace():
        whole = ENCODING.encode_ordinary(left + " " + right)
        assert whole == ENCODING.encode_ordinary(left) + ENCODING.encode_ordinary(" " + right)


@st.composite
def templates(draw, depth=2):
    def piece():
        if depth and draw(st.booleans()):
            options = draw(st.lists(templates(depth - 1), min_size=1, max_size=3))
            return Choice(tuple((1.0, t) for t in options))
        return Text(draw(AWKWARD))

    return tuple(piece() for _ in range(draw(st.integers(0, 3))))


@settings(max_examples=150)
@given(templates(), st.integers(0, 99))
def test_generated_tokens_are_canonical(template, seed):
    tokens = generate(Lattice(template, ENCODING.encode_ordinary), Random(seed))
    assert tokens == ENCODING.encode_ordinary(ENCODING.decode(tokens))


@settings(max_examples=150)
@given(templates(), st.integers(0, 99))
def test_every_expansion_can_be_generated(template, seed):
    automaton = Lattice(template, ENCODING.encode_ordinary)
    state = automaton.start
    for token in ENCODING.encode_ordinary(sample(template, Random(seed))):
        state = automaton.follow(state, token)
        assert state is not None
    assert O200K.end in state.branches()


def test_branches_follow_the_weights():
    automaton = lattice("{red @6|blue @3|green @1}.")
    expected = {"red": 0.6, "blue": 0.3, "green": 0.1}
    first = {ENCODING.decode([t]): p for t, p in automaton.start.branches().items()}
    assert first == pytest.approx(expected)


def test_shared_beginning_keeps_both_options_open():
    automaton = lattice("{It is warm|It is cold @1|It was late @2}")
    state = automaton.follow(automaton.start, ENCODING.encode_ordinary("It")[0])
    assert {ENCODING.decode([t]): p for t, p in state.branches().items()} == pytest.approx({" is": 0.5, " was": 0.5})


def test_branches_join_into_one_state():
    automaton = lattice("{A|The} {cat|dog} sleeps here")
    paths = ["A cat sleeps", "The dog sleeps"]
    ends = set()
    for path in paths:
        state = automaton.start
        for token in ENCODING.encode_ordinary(path):
            state = automaton.follow(state, token)
        ends.add(id(state))
    assert len(ends) == 1


def test_follow_refuses_what_is_not_there():
    automaton = lattice("one two")
    assert automaton.follow(automaton.start, ENCODING.encode_ordinary("three")[0]) is None


def test_way_back_resumes_in_the_middle():
    automaton = lattice("The quick brown fox jumps over the lazy dog")
    recent = tuple(ENCODING.encode_ordinary(" fox jumps"))
    assert [ENCODING.decode([t]) for t in automaton.way_back((0, *recent)).branches()] == [" over"]
    assert automaton.way_back((0, 1, 2)) is None


def test_after_text_continues_what_the_caller_began():
    automaton = lattice('{"name": "{Ada|Bo}"}')
    state = automaton.after_text('{"na')
    assert re.match(r"me", ENCODING.decode([max(state.branches(), key=state.branches().get)]))
    assert automaton.after_text("nothing like it") is None


def test_too_many_spellings_are_refused():
    with pytest.raises(ValueError, match="without a space"):
        lattice("{a|b|c|d|e|f|g|h}" * 6)


def test_shipped_answers_are_canonical(engine):
    rng = Random(3)
    for template in engine.library.templates():
        tokens = generate(Lattice(template, ENCODING.encode_ordinary), rng)
        assert tokens == ENCODING.encode_ordinary(ENCODING.decode(tokens))
