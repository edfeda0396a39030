"""What a check demands of an answer, and the sentence a student reads when the demand is not met.

A sentence says what was seen and what was expected, in the student's words ("the number of requests"), and never how
to get there: that is what hints are for.

>>> expect(2, "the number of requests", is_=2)
>>> try:
...     expect(0, "the number of requests", is_=2)
... except Unmet as unmet:
...     print(unmet)
the number of requests: expected 2, saw 0
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import isclose
from typing import Any, Never

_NOT_GIVEN: Any = object()
Turns = Sequence[Sequence[object]]
"""Messages as [role, content] pairs."""
CLOSE = 1e-6
"""How near `near` is: as a share, and for small numbers as a difference."""
CLOSE_USD = 1e-10
"""Dollars are sums of floats; a token costs more than this."""
LONGEST_SHOWN = 120
"""Characters of a value in a sentence. A student's function may return a megabyte."""
LONGEST_MESSAGE = 90
"""Characters of one message among several."""


class Unmet(AssertionError):
    """A demand of a check is not met. Its text is the sentence for the student."""

    kind = "unmet"


def fail(sentence: str) -> Never:
    """Fail the check with a sentence of its own.

    Raises:
        Unmet: always.
    """
    raise Unmet(sentence)


def expect(
    seen: object,
    what: str,
    *,
    is_: Any = _NOT_GIVEN,
    is_not: Any = _NOT_GIVEN,
    near: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    one_of: Collection[Any] | None = None,
    contains: Any = _NOT_GIVEN,
    type_: type | None = None,
) -> None:
    """Compare what was seen with what was expected; several demands in one call are checked in the order above.

    Args:
        seen: a plain JSON value: a student's result or something from the journal.
        what: what `seen` is, as the sentence names it.
        near: a number that may differ by what adding in another order does.
        type_: str, int, float, bool, list or dict; a bool is no int here, an int passes as a float.

    Raises:
        Unmet: with "{what}: expected ..., saw ...".
    """
    if type_ is not None and not _is_of(seen, type_):
        fail(f"{what}: expected {_TYPE_NAMES.get(type_, type_.__name__)}, saw {shown(seen)}")
    if is_ is not _NOT_GIVEN and not same(seen, is_):
        fail(f"{what}: expected {shown(is_)}, saw {shown(seen)}")
    if is_not is not _NOT_GIVEN and same(seen, is_not):
        fail(f"{what}: expected something other than {shown(is_not)}")
    if near is not None and not _is_near(seen, near):
        fail(f"{what}: expected about {near:.6g}, saw {shown(seen)}")
    if one_of is not None and not any(same(seen, option) for option in one_of):
        fail(f"{what}: expected one of {', '.join(map(shown, one_of))}, saw {shown(seen)}")
    if at_least is not None and not (_is_of(seen, float) and seen >= at_least):  # type: ignore[operator]
        fail(f"{what}: expected {at_least} or more, saw {shown(seen)}")
    if at_most is not None and not (_is_of(seen, float) and seen <= at_most):  # type: ignore[operator]
        fail(f"{what}: expected {at_most} or less, saw {shown(seen)}")
    if contains is not _NOT_GIVEN and not _holds(seen, contains):
        fail(f"{what}: expected to find {shown(contains)} in it, saw {shown(seen)}")


def expect_fields(seen: Any, what: str, *, is_: Mapping[str, Any]) -> None:
    """Compare a dictionary with the one expected, name by name, so that the sentence is about one value.

    Floats are compared with `near`. Names beyond those expected pass.

    Raises:
        Unmet: with "`text` in {what}: expected ..., saw ...".
    """
    expect(seen, what, type_=dict)
    for name, wanted in is_.items():
        if name not in seen:
            fail(f"{what}: expected `{name}` in it, saw {', '.join(f'`{found}`' for found in seen) or 'nothing'}")
        demand = "near" if isinstance(wanted, float) else "is_"
        expect(seen[name], f"`{name}` in {what}", **{demand: wanted})


def expect_usd(seen: Any, what: str, is_: float) -> None:
    """Compare a sum of money, give or take what adding in another order does.

    Raises:
        Unmet: with "{what}: expected 0.00012300, saw ...".
    """
    expect(seen, what, type_=float)
    if not isclose(seen, is_, rel_tol=CLOSE, abs_tol=CLOSE_USD):
        fail(f"{what}: expected {is_:.8f}, saw {seen:.8f}")


def entry(got: object, key: str, function: str) -> Any:
    """One entry of the dictionary that a function returned.

    Raises:
        Unmet: it returned something else, or a dictionary without that entry.
    """
    if not isinstance(got, dict) or key not in got:
        fail(f"what `{function}` returned: expected a dictionary with {key!r} in it, saw {shown(got)}")
    return got[key]


def expect_messages(seen: Turns, what: str, *, is_: Turns) -> None:
    """Compare the messages of a request with those expected, both as [role, content] pairs.

    Raises:
        Unmet: with "{what}: expected a user message 'Hi', saw no message".
    """
    if not same([list(turn) for turn in seen], [list(turn) for turn in is_]):
        fail(f"{what}: expected {conversation(is_)}, saw {conversation(seen)}")


def conversation(turns: Turns) -> str:
    """Messages in words.

    >>> conversation([["system", "Be brief."], ["user", "Hi"]])
    "a system message 'Be brief.', then a user message 'Hi'"
    """
    return ", then ".join(_in_words(role, content) for role, content in turns) or "no message"


def _in_words(role: object, content: object) -> str:
    article = "an" if role == "assistant" else "a"
    return (
        f"{article} {role} message {shown(content, LONGEST_MESSAGE)}"
        if role
        else f"one without a role {shown(content)}"
    )


def same(a: object, b: object) -> bool:
    """Equal as JSON values: `True` is not 1, while 1.0 is 1.

    >>> same([1, "a"], [1.0, "a"]), same(True, 1)
    (True, False)
    """
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return a == b


def shown(value: object, longest: int = LONGEST_SHOWN) -> str:
    """A value as a sentence shows it: its repr, cut in the middle when long.

    >>> shown("abcdefghijklmnopqrstuvwxyz", 16)
    "'abcdef ... xyz'"
    """
    text = repr(value)
    if len(text) <= longest:
        return text
    front = (longest - 5) * 2 // 3
    return f"{text[:front]} ... {text[front + 5 - longest :]}"


_TYPE_NAMES = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    list: "a list",
    dict: "a dictionary",
}


def _is_of(value: object, type_: type) -> bool:
    if isinstance(value, bool):
        return type_ is bool
    return isinstance(value, (int, float) if type_ is float else type_)


def _is_near(seen: Any, wanted: float) -> bool:
    try:
        return _is_of(seen, float) and isclose(seen, wanted, rel_tol=CLOSE, abs_tol=CLOSE)
    except OverflowError:  # an integer beyond all floats
        return False


def _holds(seen: object, part: Any) -> bool:
    if isinstance(seen, str):
        return isinstance(part, str) and part in seen
    return isinstance(seen, (list, dict)) and any(same(item, part) for item in seen)
