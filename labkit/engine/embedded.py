"""The engine that ships: answers written as templates, found by meaning, sampled from a true distribution.

    prompt -> conditions, intent, slots -> filled template -> lattice -> next-token distribution

On a template the distribution is the template's own branches but for a small share (`NEAR` and `FAR`), which the n-gram
model and every token of the vocabulary divide. A token outside the template is therefore possible, and the hotter the
likelier; from there the n-gram model carries on until its words lead back. A state is built once and kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from random import Random

from labkit.engine import fields, labelling, promptschema, thinking
from labkit.engine.answers import Answer, Asker, Library
from labkit.engine.base import O200K, Prompt, Vocabulary
from labkit.engine.lattice import Lattice, State
from labkit.engine.manner import or_fenced
from labkit.engine.ngrams import NGrams
from labkit.engine.strict import StrictDecoder, compiled, open_strict, reading_of, writable
from labkit.engine.template import Template, sample
from labkit.engine.toolcalls import ToolDecoder
from labkit.engine.tools import open_with_tools
from labkit.sampling import Distribution
from labkit.tokens import encoding

NEAR = 0.00024
"""Share of every distribution on the template that follows the n-gram model instead."""
FAR = 0.00016
"""Share that is spread level over the vocabulary."""
NEIGHBOURS = 12
"""Followers that the n-gram share is divided between."""
LATTICES_KEPT = 96
"""Some 100 KB each, four times that when the text was hot."""
OPENED_KEPT, OPENED_TEXT = 96, 8_000
"""Prompts whose reading is kept, and characters of the longest such: the same prompt is often sampled many times."""
EXPANSIONS = 6
"""Expansions of each template that the n-gram model learns from."""


class EmbeddedEngine:
    """See the module. Safe to share between conversations: what a conversation changes is its decoder."""

    name = "embedded"
    vocabulary: Vocabulary = O200K

    def __init__(self, extra_folders: Iterable[Path] = (), *, second_opinion: Asker | None = None) -> None:
        """Read the shipped texts and those of further folders; a later intent of the same name replaces an earlier one.

        Raises:
            SourceError: a file cannot be learnt; the message names file, line and the fix.
        """
        self._encoding = encoding(O200K.encoding)
        self.library = Library(extra_folders, second_opinion)
        self._lattices: OrderedDict[tuple[Template, bool], Lattice] = OrderedDict()
        self._opened: OrderedDict[Prompt, Decoder | StrictDecoder | ToolDecoder] = OrderedDict()

    def open(self, prompt: Prompt) -> Decoder | StrictDecoder | ToolDecoder:
        """Read the prompt. An assistant turn at the end is continued.

        Raises:
            UnsupportedSchema: the prompt's schema, or that of a tool, is one for which nothing can be written.
        """
        known = self._opened.get(prompt)
        if known is None:
            known = self._read(prompt)
            if sum(len(turn.text) for turn in prompt.turns) > OPENED_TEXT or prompt.tools or prompt.schema:
                return known
            self._opened[prompt] = known
            if len(self._opened) > OPENED_KEPT:
                self._opened.popitem(last=False)
        return known.fork()

    def _read(self, prompt: Prompt) -> Decoder | StrictDecoder | ToolDecoder:
        wanted: str | None
        if prompt.tools:
            return open_with_tools(self, prompt)
        if not prompt.schema and (shown := promptschema.taken_out(prompt)) and writable(shown[1]):
            prompt, wanted = shown
        else:
            wanted = None if prompt.schema or labelling.read(prompt) else fields.schema_of(prompt)
        if prompt.schema or prompt.json:
            return open_strict(self, replace(prompt, schema=wanted) if wanted else prompt)
        if wanted:
            filled = or_fenced(compiled(wanted, reading_of(self, prompt)), prompt.tier)
            return self._begin(prompt, self._lattice(filled, strict=False, source="labkit.engine.fields"))
        return self.open_plain(prompt)

    def open_plain(self, prompt: Prompt) -> Decoder:
        """A decoder of text, without a look at schemas and tools."""
        answer = self.answer(prompt)
        return self._begin(prompt, self.lattice(answer, strict=prompt.json))

    def _begin(self, prompt: Prompt, lattice: Lattice) -> Decoder:
        """A decoder at the start of a lattice, or behind the assistant turn that it continues."""
        prefix = prompt.turns[-1].text if prompt.turns and prompt.turns[-1].role == "assistant" else ""
        if not prefix:
            return Decoder(self, lattice, lattice.start, (O200K.end, O200K.end))
        tokens = self.encode(prefix)
        before, last = ([O200K.end, O200K.end] + tokens)[-2:]
        return Decoder(self, lattice, lattice.after_text(prefix), (before, last))

    def think(self, prompt: Prompt, steps: int) -> Decoder:
        """A decoder of what is thought before the answer; its end is the beginning of the answer."""
        template = thinking.thought(prompt.last_user, steps)
        lattice = self._lattice(template, strict=False, source="labkit.engine.thinking")
        return Decoder(self, lattice, lattice.start, (O200K.end, O200K.end))

    def answer(self, prompt: Prompt) -> Answer:
        """What is going to be said to a prompt, and why."""
        return self.library.answer(prompt)

    def lattice(self, answer: Answer, *, strict: bool = False) -> Lattice:
        """The automaton of an answer; those of the last prompts are kept. A strict one lets nothing else come."""
        return self._lattice(answer.template, strict=strict, source=answer.source)

    def _lattice(self, template: Template, *, strict: bool, source: str) -> Lattice:
        key = template, strict
        known = self._lattices.get(key)
        if known is None:
            known = self._lattices[key] = Lattice(template, self.encode, source=source, strict=strict)
            if len(self._lattices) > LATTICES_KEPT:
                self._lattices.popitem(last=False)
        else:
            self._lattices.move_to_end(key)
        return known

    def encode(self, text: str) -> list[int]:
        """Token ids of a text; special tokens are spelt out like any other characters."""
        return self._encoding.encode_ordinary(text)

    @cached_property
    def ngrams(self) -> NGrams:
        """The n-gram model over expansions of every template."""
        rng = Random(0)
        texts = [sample(t, rng) for t in self.library.templates() for _ in range(EXPANSIONS)]
        return NGrams(self._encoding.encode_ordinary_batch(texts, num_threads=2))

    def mix(self, state: State, lattice: Lattice) -> Distribution:
        """The distribution at a state of a lattice, built once."""
        if lattice.strict:
            state.distribution = Distribution.of(state.branches(), vocab=O200K.size)
            return state.distribution
        peaks = {token: (1 - NEAR - FAR) * p for token, p in state.branches().items()}
        for token, p in self.ngrams.near(state.last, NEIGHBOURS):
            peaks[token] = peaks.get(token, 0.0) + NEAR * p
        inside = len(peaks) - (O200K.end in peaks)
        state.distribution = Distribution.of(peaks, floor=FAR / (O200K.size - inside), vocab=O200K.size)
        return state.distribution


def with_sentences() -> EmbeddedEngine:
    """The engine with sentence vectors as a second opinion.

    Raises:
        WeightsError: the sentence model is not installed.
    """
    from labkit.engine.meaning import SecondOpinion  # which brings NumPy and 90 MB of weights

    return EmbeddedEngine(second_opinion=SecondOpinion)


class Decoder:
    """One text being written."""

    __slots__ = ("_before", "_engine", "_last", "lattice", "state")

    def __init__(self, engine: EmbeddedEngine, lattice: Lattice, state: State | None, recent: tuple[int, int]) -> None:
        self._engine, self.lattice, self.state = engine, lattice, state
        self._before, self._last = recent

    def distribution(self) -> Distribution:
        """P(next token)."""
        state = self.state
        if state is None:
            return self._engine.ngrams.distribution(self._before, self._last)
        return state.distribution or self._engine.mix(state, self.lattice)

    def advance(self, token: int) -> None:
        """`token` was generated."""
        state = self.state
        if state is not None:
            state = state.next.get(token) or self.lattice.follow(state, token)
        if state is None and token != O200K.end:
            state = self.lattice.way_back((self._before, self._last, token))
        self.state = state
        self._before, self._last = self._last, token

    def fork(self) -> Decoder:
        """An independent copy."""
        return Decoder(self._engine, self.lattice, self.state, (self._before, self._last))
