r"""Answer templates: text with alternatives inside it, parsed once, filled with slot values, expanded or compiled.

    A list comprehension {builds|makes|creates} a {new |}list about $topic.

- `{a|b|c}` is a choice. The first is likeliest (weights 1, 1/2, 1/3 ...); `{a @5|b @1}` gives weights. They nest.
- Braces without a `|` of their own are plain text, so `{"name": "Paris"}` and `f"{x}"` need no escape.
- `$topic` is a slot when it is declared, plain text otherwise; `$Topic` is the same value with a capital letter.
- `\{ \} \| \$ \@` are the plain characters. Any other backslash is itself.

Does not know tokens: that is `lattice`. Does not know files: that is `source`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from random import Random

_ESCAPED = "{}|$@"
_WEIGHT = re.compile(r"(?<!\\) ?@(\d+(?:\.\d+)?)$")
_SLOT = re.compile(r"\$([A-Za-z][a-z_]*)")
_SENTENCE_END = re.compile(r"(?<=[.!?])(?=\s)|\n")


class TemplateError(ValueError):
    """A template cannot be read. `line` counts from the template's first line."""

    def __init__(self, problem: str, fix: str, line: int) -> None:
        super().__init__(f"{problem}: {fix}")
        self.problem, self.fix, self.line = problem, fix, line


@dataclass(frozen=True, slots=True)
class Text:
    """Characters as they are."""

    text: str
    line: int = 1


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a word of the prompt."""

    name: str
    capital: bool
    line: int = 1


@dataclass(frozen=True, slots=True)
class Choice:
    """Alternatives with weights; the weights need not sum to 1."""

    options: tuple[tuple[float, Template], ...]
    line: int = 1


Template = tuple[Text | Slot | Choice, ...]


def parse(source: str, slots: Set[str] = frozenset()) -> Template:
    """Read one template.

    >>> parse("a {b|c}")[1].options
    ((1.0, (Text(text='b', line=1),)), (0.5, (Text(text='c', line=1),)))

    Raises:
        TemplateError: unbalanced braces.
    """
    return _Parser(source, slots).sequence(0, len(source))


def choice(options: list[tuple[float | None, Template]], line: int = 1) -> Template:
    """Alternatives as a template; a missing weight follows from the order."""
    if len(options) == 1:
        return options[0][1]
    return (Choice(tuple((_by_order(n) if w is None else w, t) for n, (w, t) in enumerate(options)), line),)


def _by_order(n: int) -> float:
    return 1 / (n + 1)


class _Parser:
    def __init__(self, source: str, slots: Set[str]) -> None:
        self.source, self.slots = source, slots
        self.groups = self._match_braces()

    def line(self, at: int) -> int:
        return self.source.count("\n", 0, at) + 1

    def _match_braces(self) -> dict[int, tuple[int, list[int]]]:
        """Opening brace -> (closing brace, the bars directly between them)."""
        found: dict[int, tuple[int, list[int]]] = {}
        open_: list[tuple[int, list[int]]] = []
        skip = False
        for at, char in enumerate(self.source):
            if skip:
                skip = False
            elif char == "\\" and self.source[at + 1 : at + 2] in tuple(_ESCAPED):
                skip = True
            elif char == "{":
                open_.append((at, []))
            elif char == "|" and open_:
                open_[-1][1].append(at)
            elif char == "}":
                if not open_:
                    raise TemplateError("a '}' that nothing opened", r"write \} for a plain one", self.line(at))
                start, bars = open_.pop()
                found[start] = (at, bars)
        if open_:
            raise TemplateError("a '{' that is never closed", r"write \{ for a plain one", self.line(open_[-1][0]))
        return found

    def sequence(self, at: int, end: int) -> Template:
        nodes: list[Text | Slot | Choice] = []
        plain: list[str] = []
        begun = at

        def flush() -> None:
            if plain:
                nodes.append(Text("".join(plain), self.line(begun)))
                plain.clear()

        while at < end:
            char = self.source[at]
            if char == "\\" and self.source[at + 1 : at + 2] in tuple(_ESCAPED):
                plain.append(self.source[at + 1])
                at += 2
            elif char == "{" and self.groups[at][1]:
                flush()
                nodes.append(self._choice(at))
                at = begun = self.groups[at][0] + 1
            elif char == "$" and (slot := self._slot(at)):
                flush()
                nodes.append(slot)
                at = begun = at + 1 + len(slot.name)
            else:
                plain.append(char)
                at += 1
        flush()
        return tuple(nodes)

    def _choice(self, at: int) -> Choice:
        close, bars = self.groups[at]
        edges = [at, *bars, close]
        options: list[tuple[float, Template]] = []
        for n, (left, right) in enumerate(zip(edges, edges[1:], strict=False)):
            weight = _WEIGHT.search(self.source[left + 1 : right])
            stop = left + 1 + weight.start() if weight else right
            options.append((float(weight[1]) if weight else _by_order(n), self.sequence(left + 1, stop)))
        if not sum(w for w, _ in options):
            raise TemplateError("every weight of a choice is 0", "give one of them a weight above 0", self.line(at))
        return Choice(tuple(options), self.line(at))

    def _slot(self, at: int) -> Slot | None:
        found = _SLOT.match(self.source, at)
        if not found:
            return None
        name = found[1][0].lower() + found[1][1:]
        while name and name not in self.slots:  # "$names" with slot "name": the longest declared prefix
            name = name[:-1].rstrip("_")
        return Slot(name, found[1][0].isupper(), self.line(at)) if name else None


def walk(template: Template) -> Iterator[Text | Slot | Choice]:
    """Every node, depth first."""
    for node in template:
        yield node
        if isinstance(node, Choice):
            for _, option in node.options:
                yield from walk(option)


def fill(template: Template, values: Mapping[str, str]) -> Template:
    """Put the slot values in."""
    return tuple(_filled(node, values) for node in template)


def _filled(node: Text | Slot | Choice, values: Mapping[str, str]) -> Text | Slot | Choice:
    if isinstance(node, Slot):
        value = values[node.name]
        return Text(value[:1].upper() + value[1:] if node.capital else value, node.line)
    if isinstance(node, Choice):
        return Choice(tuple((w, fill(t, values)) for w, t in node.options), node.line)
    return node


def splice(template: Template, name: str, inner: Template) -> Template:
    """Replace slot `name` by a whole template: how a persona wraps an answer."""
    nodes: list[Text | Slot | Choice] = []
    for node in template:
        if isinstance(node, Slot) and node.name == name:
            nodes.extend(inner)
        elif isinstance(node, Choice):
            nodes.append(Choice(tuple((w, splice(t, name, inner)) for w, t in node.options), node.line))
        else:
            nodes.append(node)
    return tuple(nodes)


def map_text(template: Template, change: Callable[[str], str]) -> Template:
    """Apply a function to every piece of plain text, for example to escape it for JSON."""
    return tuple(
        Text(change(node.text), node.line)
        if isinstance(node, Text)
        else Choice(tuple((w, map_text(t, change)) for w, t in node.options), node.line)
        if isinstance(node, Choice)
        else node
        for node in template
    )


def first_sentence(template: Template) -> Template:
    """Cut after the first sentence; a choice of whole answers is cut in each of its options.

    >>> sample(first_sentence(parse("One {two|deux}. Three.")), Random(0))
    'One deux.'
    """
    kept: list[Text | Slot | Choice] = []
    for node in template:
        if kept and _ends_sentence(kept[-1]) and isinstance(node, Text) and node.text[0].isspace():
            break
        if isinstance(node, Text) and (end := _SENTENCE_END.search(node.text)):
            kept.append(Text(node.text[: end.start()], node.line))
            break
        cut = _first_sentences(node)
        kept.append(cut)
        if cut != node:
            break
    return tuple(kept)


def _first_sentences(node: Text | Slot | Choice) -> Text | Slot | Choice:
    if not isinstance(node, Choice):
        return node
    return Choice(tuple((w, first_sentence(t)) for w, t in node.options), node.line)


def _ends_sentence(node: Text | Slot | Choice) -> bool:
    if isinstance(node, Choice):
        return any(t and _ends_sentence(t[-1]) for _, t in node.options)
    return isinstance(node, Text) and node.text.endswith((".", "!", "?"))


def sample(template: Template, rng: Random) -> str:
    """One expansion, drawn by the weights. Slots must have been filled."""
    pieces: list[str] = []
    for node in template:
        if isinstance(node, Text):
            pieces.append(node.text)
        elif isinstance(node, Choice):
            options = [t for _, t in node.options]
            pieces.append(sample(rng.choices(options, [w for w, _ in node.options])[0], rng))
        else:
            raise ValueError(f"slot ${node.name} was not filled")
    return "".join(pieces)


def likeliest(template: Template) -> str:
    """The expansion that takes the heaviest option everywhere."""
    pieces: list[str] = []
    for node in template:
        if isinstance(node, Text):
            pieces.append(node.text)
        elif isinstance(node, Choice):
            pieces.append(likeliest(max(node.options, key=lambda option: option[0])[1]))
    return "".join(pieces)


def count(template: Template) -> int:
    """How many expansions there are, not all of them distinct."""
    total = 1
    for node in template:
        if isinstance(node, Choice):
            total *= sum(count(t) for w, t in node.options if w > 0)
    return total
