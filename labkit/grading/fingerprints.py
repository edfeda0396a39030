"""What is left of a piece of code when its looks are taken away, as a few numbers that can be compared.

    code -> syntax tree -> tokens without chosen names, texts, comments, docstrings, type hints -> k-grams -> winnowing

Each function and class is taken by itself, so their order does not matter. Winnowing keeps the smallest hash of each
window of k-grams (Schleimer, Wilkerson and Aiken, "Winnowing: Local Algorithms for Document Fingerprinting", SIGMOD
2003): what two texts share over at least GRAM + WINDOW - 1 tokens is always seen, and most of the rest is dropped.

The code is parsed and never run. What is no Python is left out, IPython's own lines with it.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

GRAM = 10
"""Tokens; `total += price(item)` has 6."""
WINDOW = 5
LONGEST = 50_000
"""Characters of all cells together; what is beyond is left out, the longest cells first."""
LOOKS = frozenset({"annotation", "returns", "ctx", "format_spec"})
"""Parts of the tree that say nothing about what the code does."""
BUILTINS = frozenset(dir(builtins))
Token = tuple[str, int]
"""What it is, and the line it stands on, from 1."""


@dataclass(frozen=True, slots=True)
class Print:
    """A fingerprint: some tokens in a row."""

    hash: int
    cell: int
    """Position of the cell among those that were given."""
    lines: frozenset[int]
    """Where the tokens stand, from 1."""


def fingerprints(cells: Sequence[str], kept: Collection[str] = ()) -> list[Print]:
    """The fingerprints of some cells of code.

    Args:
        kept: names that the student did not choose, and that are compared as they are.

    >>> one = fingerprints(["def total(prices):\\n    return sum(price * 2 for price in prices if price > 3)"])
    >>> two = fingerprints(["def f(xs):  # mine\\n    return sum(\\n        x * 2 for x in xs if x > 3)"])
    >>> [p.hash for p in one] == [p.hash for p in two], len(one) > 0
    (True, True)
    """
    return [
        print
        for number in _within(cells)
        for part in _parts(cells[number])
        for print in _winnowed(list(_tokens(part, kept)), number)
    ]


def names(cells: Iterable[str]) -> set[str]:
    """Every name in some code: of variables, functions, parameters and attributes."""
    found: set[str] = set()
    for source in cells:
        for node in (node for part in _parts(source) for one in part for node in ast.walk(one)):
            found |= {str(value) for key in ("id", "arg", "name", "attr") if (value := getattr(node, key, None))}
    return found


def _within(cells: Sequence[str]) -> list[int]:
    """Positions of the cells that fit in LONGEST."""
    by_length = sorted(range(len(cells)), key=lambda number: len(cells[number]))
    ends = accumulate(len(cells[number]) for number in by_length)
    return sorted(number for number, end in zip(by_length, ends, strict=True) if end <= LONGEST)


def _parts(source: str) -> Iterator[list[ast.stmt]]:
    """Each function and class by itself, and what stands between them."""
    between: list[ast.stmt] = []
    for statement in _parsed(source):
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield [statement]
        else:
            between.append(statement)
    if between:
        yield between


def _parsed(source: str) -> list[ast.stmt]:
    lines = ["" if line.lstrip().startswith(("%", "!", "?")) else line for line in source.split("\n")]
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = compile("\n".join(lines), "cell", "exec", flags)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    assert isinstance(tree, ast.Module)
    return tree.body


def _tokens(part: Iterable[ast.stmt], kept: Collection[str]) -> Iterator[Token]:
    """Depth first, without recursion: submitted code may be nested as deep as its author likes."""
    open_nodes: list[tuple[ast.AST, int]] = [(node, 1) for node in reversed(list(part))]
    while open_nodes:
        node, line = open_nodes.pop()
        line = getattr(node, "lineno", line)
        if word := _word(node, kept):
            yield word, line
        open_nodes.extend((child, line) for child in reversed(list(_children(node))))


def _word(node: ast.AST, kept: Collection[str]) -> str:
    """What a node is compared by; empty if it is not."""
    match node:
        case ast.Name(id=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            known = name in kept or name in BUILTINS
            return f"{type(node).__name__} {name if known else ''}"
        case ast.Attribute(attr=name) | ast.keyword(arg=str(name)) | ast.alias(name=name):
            return f"{type(node).__name__} {name}"
        case ast.Constant(value=str() | bytes()) | ast.JoinedStr():
            return "text"
        case ast.Constant(value=int(value)):
            return hex(value)  # Python refuses to write very large numbers in tens
        case ast.Constant(value=value):
            return repr(value)
        case ast.AnnAssign():
            return "Assign"
        case ast.Expr() | ast.arguments() | ast.FormattedValue():
            return ""
    return type(node).__name__


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Without type hints, texts that stand alone (docstrings), and the fixed parts of f-strings."""
    in_text = isinstance(node, ast.JoinedStr | ast.FormattedValue)
    for field in node._fields:
        if field in LOOKS:
            continue
        value = getattr(node, field, None)
        for child in value if isinstance(value, list) else (value,):
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                continue
            if isinstance(child, ast.AST) and not (in_text and isinstance(child, ast.Constant | ast.JoinedStr)):
                yield child


def _winnowed(tokens: Sequence[Token], cell: int) -> Iterator[Print]:
    grams = [_hash(tokens[i : i + GRAM]) for i in range(len(tokens) - GRAM + 1)]
    chosen: set[int] = set()
    for start in range(max(1, len(grams) - WINDOW + 1)) if grams else ():
        window = grams[start : start + WINDOW]
        smallest = min(window)
        chosen.add(start + len(window) - 1 - window[::-1].index(smallest))  # the rightmost, as the paper has it
    for position in sorted(chosen):
        lines = frozenset(line for _, line in tokens[position : position + GRAM])
        yield Print(grams[position], cell, lines)


def _hash(gram: Sequence[Token]) -> int:
    """The same in every process, as Python's own is not."""
    text = "\n".join(word for word, _ in gram)
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest())
