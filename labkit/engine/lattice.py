"""A template as an automaton over tokens: which token can come next, and how probable it is.

    template -> graph of text and branches -> chunks between safe boundaries -> tokens -> beliefs

A *safe boundary* is a space after a character that is no white space: every pattern of `o200k_base` takes a space only
at its beginning (or within a run of white space), so a token never crosses one. Alternatives are spelt out between two
boundaries, and each spelling is tokenised on its own; glued together, these tokens are the canonical ones of the whole
text. A *position* is a place in the graph at a boundary. A *belief* says with what probability the text so far leads
to which places inside which chunks: the subset construction with weights (Mohri 1997, section 3.3). Almost every belief
has one item. States are built when first visited.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from labkit.engine.base import O200K
from labkit.engine.template import Choice, Slot, Template
from labkit.sampling import Distribution

_BOUNDARY = re.compile(r"(?<=\S) ")
MAX_SPELLINGS = 5_000
"""More alternatives than this between two boundaries are a mistake in the source."""

Position = tuple[int, int]
"""Graph node, offset into its text."""
END_NODE = 0
END: Position = (END_NODE, 0)


@dataclass(frozen=True, slots=True)
class Chunk:
    """One spelling of what follows a position, up to the next boundary."""

    tokens: tuple[int, ...]
    target: Position
    weight: float
    line: int
    """Line of the template where it begins."""


Item = tuple[Chunk, int]
"""A chunk and how many of its tokens have come."""
Belief = dict[Item, float]


@dataclass(slots=True, eq=False)
class State:
    """One state of the automaton. `next` and `distribution` fill up as they are asked for."""

    belief: Belief
    last: int
    """The token that led here."""
    next: dict[int, State]
    distribution: Distribution | None = None

    def branches(self) -> dict[int, float]:
        """Probability of each token that the template allows here."""
        found: dict[int, float] = defaultdict(float)
        for (chunk, at), weight in self.belief.items():
            found[chunk.tokens[at]] += weight
        return found


class Lattice:
    """The token automaton of one filled template."""

    def __init__(
        self, template: Template, encode: Callable[[str], list[int]], *, source: str = "", strict: bool = False
    ) -> None:
        self.source, self.strict = source, strict
        self._encode = encode
        self._nodes: list[str | tuple[tuple[float, int], ...]] = [""]
        self._next: list[int] = [END_NODE]
        self._lines: list[int] = [0]
        self._chunks: dict[Position, tuple[Chunk, ...]] = {END: (Chunk((O200K.end,), END, 1.0, 0),)}
        self._states: dict[tuple[object, int], State] = {}
        self._ways_back: dict[tuple[int, ...], Belief] | None = None
        self._root = self._add(template, END_NODE)
        self.start = self._state(self._entered((self._root, 0)), O200K.end)

    # From template to graph.

    def _add(self, template: Template, follow: int) -> int:
        for node in reversed(template):
            if isinstance(node, Slot):
                raise ValueError(f"slot ${node.name} was not filled")
            if isinstance(node, Choice):
                total = sum(w for w, _ in node.options)
                branch = tuple((w / total, self._add(t, follow)) for w, t in node.options if w > 0)
                follow = self._node(branch, END_NODE, node.line)
            elif node.text:
                follow = self._node(node.text, follow, node.line)
        return follow

    def _node(self, content: str | tuple[tuple[float, int], ...], follow: int, line: int) -> int:
        self._nodes.append(content)
        self._next.append(follow)
        self._lines.append(line)
        return len(self._nodes) - 1

    # From graph to chunks.

    def chunks(self, position: Position) -> tuple[Chunk, ...]:
        """The spellings that can follow a position, with their probabilities."""
        known = self._chunks.get(position)
        if known is None:
            known = self._chunks[position] = tuple(self._spell(position))
        return known

    def _spell(self, position: Position) -> Iterable[Chunk]:
        spelt = self._spellings(position)
        line = self._lines[position[0]]
        for (text, target), weight in spelt.items():
            if text:
                yield Chunk(tuple(self._encode(text)), target, weight, line)
            else:
                yield Chunk((O200K.end,), END, weight, line)

    def _spellings(self, position: Position) -> dict[tuple[str, Position], float]:
        found: dict[tuple[str, Position], float] = defaultdict(float)
        open_ = [("", 1.0, *position)]
        while open_:
            text, weight, node, offset = open_.pop()
            content = self._nodes[node]
            if node == END_NODE:
                found[text, END] += weight
            elif isinstance(content, tuple):
                open_ += [(text, weight * p, follow, 0) for p, follow in content]
            elif (cut := _boundary(content, offset, text)) is not None:
                found[text + content[offset:cut], (node, cut)] += weight
            else:
                open_.append((text + content[offset:], weight, self._next[node], 0))
            if len(open_) + len(found) > MAX_SPELLINGS:
                raise ValueError(f"{self.source}: over {MAX_SPELLINGS} alternatives without a space between them")
        return found

    # From chunks to states.

    def _entered(self, position: Position) -> Belief:
        return {(chunk, 0): chunk.weight for chunk in self.chunks(position)}

    def _state(self, belief: Belief, last: int) -> State:
        key = (frozenset((id(c), at, round(w, 9)) for (c, at), w in belief.items()), last)
        known = self._states.get(key)
        if known is None:
            known = self._states[key] = State(belief, last, {})
        return known

    def follow(self, state: State, token: int) -> State | None:
        """The state after one more token, or None if the template has no such token here."""
        known = state.next.get(token)
        if known is None:
            belief: Belief = defaultdict(float)
            for (chunk, at), weight in state.belief.items():
                if chunk.tokens[at] == token:
                    for item, share in self._after(chunk, at):
                        belief[item] += weight * share
            if not belief:
                return None
            total = sum(belief.values())
            known = state.next[token] = self._state({i: w / total for i, w in belief.items()}, token)
        return known

    def _after(self, chunk: Chunk, at: int) -> Iterable[tuple[Item, float]]:
        """The items that one more token of a chunk leads to."""
        if at + 1 < len(chunk.tokens):
            return [((chunk, at + 1), 1.0)]
        return [((follower, 0), follower.weight) for follower in self.chunks(chunk.target)]

    # Ways in that are not the start.

    def way_back(self, recent: tuple[int, ...]) -> State | None:
        """A state that the last three or two tokens could have led to: how a text returns after it strayed."""
        if self._ways_back is None:
            self._ways_back = self._index_ways_back()
        for size in (3, 2):
            belief = self._ways_back.get(recent[-size:]) if len(recent) >= size else None
            if belief:
                total = sum(belief.values())
                return self._state({i: w / total for i, w in belief.items()}, recent[-1])
        return None

    def _index_ways_back(self) -> dict[tuple[int, ...], Belief]:
        index: dict[tuple[int, ...], Belief] = defaultdict(lambda: defaultdict(float))
        for first in self._items():
            for second, p in self._after(*first):
                for third, q in self._after(*second):
                    pair = (_token(first), _token(second))
                    index[pair][third] += p * q
                    for fourth, r in self._after(*third):
                        index[*pair, _token(third)][fourth] += p * q * r
        return index

    def _items(self) -> Iterable[Item]:
        """Every item that can be reached, except the end."""
        seen, open_ = set(), [(self._root, 0)]
        while open_:
            position = open_.pop()
            if position in seen or position == END:
                continue
            seen.add(position)
            for chunk in self.chunks(position):
                yield from ((chunk, at) for at in range(len(chunk.tokens)) if chunk.tokens[at] != O200K.end)
                open_.append(chunk.target)

    def after_text(self, prefix: str) -> State | None:
        """The state behind text that the caller wrote for the assistant, or None if no spelling begins so."""
        places: dict[Position, float] = defaultdict(float)
        open_ = [(prefix, 1.0, self._root)]
        while open_:
            left, weight, node = open_.pop()
            content = self._nodes[node]
            if isinstance(content, tuple):
                open_ += [(left, weight * p, follow) for p, follow in content]
            elif not left or (node != END_NODE and content.startswith(left)):
                places[node, len(left)] += weight
            elif content and left.startswith(content):
                open_.append((left[len(content) :], weight, self._next[node]))
        total = sum(places.values())
        belief: Belief = defaultdict(float)
        for position, weight in places.items():
            for item, share in self._entered(position).items():
                belief[item] += weight / total * share
        return self._state(dict(belief), self._encode(prefix)[-1]) if belief else None


def _boundary(text: str, offset: int, before: str) -> int | None:
    """Where the first safe boundary of `text` lies, from `offset` on, after the spelling `before`."""
    if before and text.startswith(" ", offset) and not before[-1].isspace():
        return offset
    found = _BOUNDARY.search(text, offset + 1)
    return found.start() if found else None


def _token(item: Item) -> int:
    return item[0].tokens[item[1]]
