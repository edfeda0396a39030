"""Sums on small numbers with every step shown, and short stories that come down to one.

    "17 * 6 + 4"  ->  17 × 6 = 102, 102 + 4 = 106
    "A baker makes 12 rolls an hour. How many in 7 hours?"  ->  12 × 7 = 84

A story is only told from what its verbs and units say; a number that none of them explains makes it no story.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

LARGEST = 1_000_000
MOST_STEPS = 8
_COUNTED = """zero one two three four five six seven eight nine ten
eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty"""
NUMBER_WORDS = {name: n for n, name in enumerate(_COUNTED.split())}
SIGNS = {"+": "+", "-": "-", "*": "×", "/": "÷"}
"""How each operation is written."""

_SPOKEN = {
    r"\bplus\b|\badded to\b": "+",
    r"\bminus\b|\bless\b|−": "-",
    r"\btimes\b|\bmultiplied by\b|×|(?<=\d)\s*x\s*(?=\d)": "*",
    r"\bdivided by\b|\bover\b|÷": "/",
    r"(?<=\d),(?=\d{3}\b)": "",
}
_EXPRESSION = re.compile(r"(?<![\w.])[-(\s]*\d[\d\s.()]*(?:[-+*/]\s*[-(\s]*\d[\d\s.()]*)+")
_OPERATORS: dict[type[ast.operator], tuple[str, Callable[[float, float], float]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
}


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum that is worked out."""

    expression: str
    """As it is written: 17 × 6 + 4."""
    steps: tuple[str, ...]
    """One operation each: 17 × 6 = 102."""
    result: str


def digits(text: str) -> str:
    """Small letters, with number words as figures.

    >>> digits("Twelve times 7")
    '12 times 7'
    """
    return re.sub(r"[a-z]+", lambda m: str(NUMBER_WORDS.get(m[0], m[0])), text.lower())


def shown(value: float) -> str:
    """A number as it is written: at most four places behind the point, none where it is whole."""
    return f"{value:.0f}" if value == int(value) else f"{round(value, 4):g}"


def expression(text: str) -> Sum | None:
    """The first sum of a text with all its steps; None if there is none, or one that is too large.

    >>> expression("What is (2 + 3) times 4?").steps
    ('2 + 3 = 5', '5 × 4 = 20')
    """
    plain = digits(text)
    for spoken, sign in _SPOKEN.items():
        plain = re.sub(spoken, sign, plain)
    found = _EXPRESSION.search(plain)
    return _worked_out(found[0]) if found else None


def _worked_out(written: str) -> Sum | None:
    balanced = written.strip() + ")" * (written.count("(") - written.count(")"))
    steps: list[str] = []
    try:
        value = _value(ast.parse(balanced, mode="eval").body, steps)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError):
        return None
    tidy = re.sub(r"\s*([-+*/])\s*", r" \1 ", balanced.replace(" ", "")).strip()
    return Sum("".join(SIGNS.get(c, c) for c in tidy), tuple(steps), shown(value)) if steps else None


def _value(node: ast.expr, steps: list[str]) -> float:
    """The value of a part of a sum; its operations are added to the steps.

    Raises:
        ValueError: something else than a small number or one of the four operations.
    """
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and abs(node.value) <= LARGEST:
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, steps)
    if not isinstance(node, ast.BinOp) or type(node.op) not in _OPERATORS or len(steps) >= MOST_STEPS:
        raise ValueError
    sign, operate = _OPERATORS[type(node.op)]
    left, right = _value(node.left, steps), _value(node.right, steps)
    value = operate(left, right)
    steps.append(f"{shown(left)} {SIGNS[sign]} {_in_brackets(right)} = {shown(value)}")
    return value


def _in_brackets(value: float) -> str:
    return f"({shown(value)})" if value < 0 else shown(value)


def workings(a: float, sign: str, b: float) -> tuple[str, ...]:
    """How to work out one operation in the head, tens and ones apart; only its result where that is no help.

    >>> workings(23, "*", 4)
    ('20 × 4 = 80', '3 × 4 = 12', '80 + 12 = 92')
    """
    whole = a == int(a) and b == int(b) and min(a, b) >= 0
    if whole and sign == "*" and max(a, b) < 1000 and (a > 10 or b > 10):
        large, small = (a, b) if a >= b else (b, a)
        parts = _places(large)
        if len(parts) > 1:
            products = [part * small for part in parts]
            lines = [f"{shown(p)} × {shown(small)} = {shown(v)}" for p, v in zip(parts, products, strict=True)]
            return (*lines, f"{' + '.join(map(shown, products))} = {shown(a * b)}")
    if whole and sign == "+" and max(a, b) < 1000 and min(a, b) > 10:
        parts = _places(b)
        return _one_by_one(a, "+", parts)
    if whole and sign == "-" and 10 < b < a < 1000:
        return _one_by_one(a, "-", _places(b))
    operate = next(f for s, f in _OPERATORS.values() if s == sign)
    return (f"{shown(a)} {SIGNS[sign]} {_in_brackets(b)} = {shown(operate(a, b))}",)


def _one_by_one(start: float, sign: str, parts: list[float]) -> tuple[str, ...]:
    lines = []
    for part in parts:
        end = start + part if sign == "+" else start - part
        lines.append(f"{shown(start)} {sign} {shown(part)} = {shown(end)}")
        start = end
    return tuple(lines)


def _places(number: float) -> list[float]:
    """Hundreds, tens and ones: 204 -> 200, 4."""
    figures = str(int(number))
    return [float(figure) * 10 ** (len(figures) - n) for n, figure in enumerate(figures, 1) if figure != "0"]


# Stories.

_NUMBER = r"(?<![\w.])[$€£]?(\d+(?:\.\d+)?)(?![\w.]*\d)"
_PER = r"(?:an?|per|each|every|one)"
_RATE = re.compile(
    rf"{_NUMBER}\s+(?:\w+\s+){{0,3}}?{_PER}\s+(?P<unit>[a-z]+)\b(?:(?!\d).)*?[.?!,;]?.*?{_NUMBER}\s+(?P<units>[a-z]+)"
)
_PRICE = re.compile(
    rf"\b(?P<thing>[a-z]+)\s+(?:costs?|weighs?|holds?|has|is)\s+{_NUMBER}(?:(?!\d).)*?[.?!,;]"
    rf"(?:(?!\d).)*?{_NUMBER}\s+(?P<things>[a-z]+)"
)
_SHARED = re.compile(
    rf"{_NUMBER}(?:(?!\d).)*?\b(?:shared?|split|divided?|distribut\w+|handed out)\b"
    r"(?:(?!\d).)*?\b(?:among|between|by|into|to|with)\s+"
    rf"(?:the\s+|her\s+|his\s+)?{_NUMBER}"
)
_ASKED = re.compile(r"\bhow (?:many|much|far|long)\b")
_LESS = re.compile(
    r"\b(?:gives?|gave|eats?|ate|loses?|lost|sells?|sold|spends?|spent|uses?|used|removes?|removed|leave|leaves|left|"
    r"breaks?|broke|throws?|threw|lends?|lent|pays?|paid|take|takes|took|drops?|dropped|go|goes|fly|flies|flew)\b"
)
_MORE = re.compile(
    r"\b(?:gets?|got|buys?|bought|finds?|found|receives?|received|adds?|added|earns?|earned|picks?|picked|joins?|"
    r"joined|arrives?|arrived|wins?|won|saves?|saved|more|come|comes|came)\b"
)
_NO_NOUN_WORDS = "more away of back to from and for at in on then out off are were is was"
_NO_NOUNS = frozenset(_NO_NOUN_WORDS.split())
"""What may stand behind a number instead of the things that it counts."""
_NO_CHANGES = re.compile(r"\b(?:each|every|per|times|twice|half|double|percent|than)\b|%")
_AT_THE_END = re.compile(r"\b(?:left|now|remain\w*|still|altogether|in total|in all|does|do|are there)\b")
_HAS = re.compile(r"\b(?:has|have|had|there (?:are|were|is|was)|starts? with|started with|bakes?|baked)\b")


def story(text: str) -> Sum | None:
    """The sum that a short story asks for; None where it is not plain what is asked.

    >>> story("Ana has 12 apples and gives 5 away. How many are left?").steps
    ('12 - 5 = 7',)
    """
    plain = re.sub(r"(?<=\d),(?=\d{3}\b)", "", digits(text))
    if not _ASKED.search(plain) or len(plain) > 400:
        return None
    count = len(re.findall(r"\d+(?:\.\d+)?", plain))
    found = (_shared(plain) or _rate(plain)) if count == 2 else None
    written = found or (_changes(plain) if 2 <= count <= 5 else None)
    return _worked_out(written) if written else None


def _shared(plain: str) -> str | None:
    found = _SHARED.search(plain)
    if not found or float(found[2]) == 0 or float(found[1]) % float(found[2]):
        return None  # a remainder needs a thought about what is shared
    return f"{found[1]} / {found[2]}"


def _rate(plain: str) -> str | None:
    """So many a unit, and so many units: their names must agree."""
    if (found := _RATE.search(plain)) and _same(found["unit"], found["units"]):
        return f"{found[1]} * {found[3]}"
    if (found := _PRICE.search(plain)) and _same(found["thing"], found["things"]):
        return f"{found[2]} * {found[3]}"
    return None


def _same(one: str, several: str) -> bool:
    return several in (one, f"{one}s", f"{one}es", f"{one[:-1]}ies") and len(one) > 2


def _changes(plain: str) -> str | None:
    """A number that somebody has, then what is added and taken: the last verb before each number says which."""
    if _NO_CHANGES.search(plain):
        return None
    written, noun, at = "", "", 0
    for found in re.finditer(_NUMBER, plain):
        before = plain[at : found.start()]
        behind = (re.match(r"\s+([a-z]+)", plain[found.end() :]) or ["", ""])[1]
        if not written:
            if not _HAS.search(before):
                return None
            written, noun = found[1], behind
        elif behind and behind != noun and behind not in _NO_NOUNS:
            return None  # other things than those that are counted
        else:
            less, more = _last(_LESS, before), _last(_MORE, before)
            if behind == "more":
                less, more = -1, 0
            if less == more:
                return None
            written += f" {'-' if less > more else '+'} {found[1]}"
        at = found.end()
    return written if _AT_THE_END.search(plain[at:]) else None


def _last(pattern: re.Pattern[str], text: str) -> int:
    return max((m.start() for m in pattern.finditer(text)), default=-1)
