"""From a checked request to text: n choices, stop sequences, token cap, log-probabilities. Every protocol shares this.

A `Choice` yields `Piece`s: text that can be shown. Text is held back while it may still be the beginning of a stop
sequence or of a character whose bytes are split over tokens.
"""

from __future__ import annotations

import codecs
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice, repeat
from random import Random
from typing import Literal

from labkit import tokens
from labkit.engine.base import Decoder, Engine, Prompt, Tool, Vocabulary
from labkit.registry import Model
from labkit.sampling import Distribution, Sampler, SamplingParams
from labkit.server.prompt import Rendered
from labkit.server.prompt_cache import UNCACHED, CacheUse
from labkit.usage import Usage

_Utf8 = codecs.getincrementaldecoder("utf-8")

Finish = Literal["stop", "length", "stop_sequence", "tool_calls", "content_filter", "refusal"]
THINKING_STEPS = {"none": 0, "minimal": 1, "low": 2, "medium": 4, "high": 8, "xhigh": 14, "max": 24}
"""Sentences of thought at each effort: the lab's choice. Real thoughts are tens of times longer, in like proportion."""
TOKENS_A_STEP = 15
UNCAPPED = 4_096
"""Most tokens of a text whose request set no cap. High temperatures can otherwise run to the model's whole output."""


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """What to generate, every default filled in and every bound checked."""

    model: Model
    prompt: Prompt
    prompt_tokens: int
    sampling: SamplingParams = SamplingParams()
    max_tokens: int = UNCAPPED
    stop: tuple[str, ...] = ()
    n: int = 1
    seed: int | None = None
    top_logprobs: int | None = None
    """How many alternatives to report per token; None reports no log-probabilities at all."""
    rendered: Rendered | None = None
    """The prompt's tokens, for the prompt cache; None is never cached."""
    explicitly_cached: int = 0
    """Tokens at the beginning of the prompt that the caller has put into a cache of its own (Gemini)."""
    thinking_steps: int = 0
    """How long to think before the answer; 0 does not think."""
    show_thoughts: bool = False
    """Whether the caller wants to read them, in the protocols that can show them."""
    ending: Finish | None = None
    """Scripted: end for this reason after `ends_after` tokens, or where the text ends by itself before."""
    ends_after: int = 0

    @property
    def tools(self) -> tuple[Tool, ...]:
        return self.prompt.tools

    @property
    def refused(self) -> bool:
        """Whether the text is a refusal from its first word on, as a protocol that says so in its stream must know."""
        return self.ending == "refusal"


@dataclass(frozen=True, slots=True)
class TokenScore:
    """A generated token with the model's own log-probability: before temperature and all else, as the providers
    report it."""

    id: int
    logprob: float
    top: tuple[tuple[int, float], ...]
    """(token id, logprob) of the most probable alternatives."""


@dataclass(slots=True)
class Part:
    """A stretch of an answer: text, or one call of a tool."""

    index: int
    tool: Tool | None = None
    """None for text and for thoughts."""
    thinking: bool = False
    """What is thought before the answer: billed as output, shown where the protocol shows it."""
    call_id: str = ""
    """Random letters and digits; each protocol puts its own prefix before them."""
    shown: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text, or the call's arguments as JSON text."""
        return "".join(self.shown)


@dataclass(slots=True)
class Piece:
    """Text that became certain, with the tokens that made it so. The first piece of a call has no text."""

    text: str
    part: Part
    scores: Sequence[TokenScore] = ()


def thinking_steps(effort: str | None, budget: int | None = None) -> int:
    """How long to think at an effort, within a budget of tokens."""
    steps = THINKING_STEPS.get(effort or "none", 0)
    return steps if budget is None else max(0, min(steps, budget // TOKENS_A_STEP))


class Choice:
    """One answer: its parts, and why it ended."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.finish: Finish | None = None
        self.stop_sequence: str | None = None
        self.tokens = 0
        """Generated so far; at the end, of the text that was returned."""
        self.reasoning = 0
        """Those of them that were only thought."""
        self.scores: list[TokenScore] = []
        """Of every token so far, when the request asked for log-probabilities."""
        self.parts: list[Part] = [Part(0)]

    @property
    def text(self) -> str:
        """What has been said so far: no calls, no thoughts."""
        return "".join(part.text for part in self.parts if part.tool is None and not part.thinking)

    @property
    def calls(self) -> list[Part]:
        return [part for part in self.parts if part.tool is not None]


class SampledChoice(Choice):
    """An answer that is drawn here, token by token."""

    def __init__(
        self,
        index: int,
        decoder: Decoder,
        request: GenerationRequest,
        rng: Random,
        vocabulary: Vocabulary,
        thoughts: Decoder | None = None,
    ) -> None:
        super().__init__(index)
        self.parts = [Part(0, thinking=thoughts is not None)]
        self._answer = decoder
        self._scores_shown = 0
        self._decoder = thoughts or decoder
        self._request = request
        self._sampler = Sampler(request.sampling, rng)
        self._rng = rng
        self._vocabulary = vocabulary
        self._bytes = tokens.encoding(vocabulary.encoding).decode_single_token_bytes
        self._utf8 = _Utf8("replace")
        self._held = ""

    def __iter__(self) -> Iterator[Piece]:
        if self.plain:
            yield from self._plain_pieces()
        while self.finish is None:
            if piece := self._step():
                yield piece

    @property
    def plain(self) -> bool:
        """Whether nothing but text and its end can come."""
        request = self._request
        return (
            not (request.stop or request.tools or self.parts[-1].thinking)
            and request.top_logprobs is None
            and request.ending is None
        )

    def _plain_pieces(self) -> Iterator[Piece]:
        """What `_step` does, with everything taken out of the loop that a plain text does not need."""
        pick, decoder, end = self._sampler.pick, self._decoder, self._vocabulary.end
        encoding = self._vocabulary.encoding
        part, most = self.parts[-1], self._request.max_tokens
        show, decode = part.shown.append, self._utf8.decode
        split = False
        while self.tokens < most:
            token = pick(decoder.distribution())
            if token == end:
                break
            decoder.advance(token)
            self.tokens += 1
            text = None if split else _whole_characters(token, encoding)
            if text is None:  # a character whose bytes are in several tokens
                text = decode(self._bytes(token))
                split = bool(self._utf8.getstate()[0])
            if text:
                show(text)
                yield Piece(text, part)
        if piece := self._close("stop" if self.tokens < most else "length"):
            yield piece

    def plain_slices(self, steps: int) -> Iterator[None]:
        """The same without a piece for each token: so many tokens at a time."""
        pick, decoder, end = self._sampler.pick, self._decoder, self._vocabulary.end
        show, most = self.parts[-1].shown.append, self._request.max_tokens
        while self.finish is None:
            drawn: list[int] = []
            for _ in range(min(steps, most - self.tokens)):
                token = pick(decoder.distribution())
                if token == end:
                    self.finish = "stop"
                    break
                decoder.advance(token)
                drawn.append(token)
            self.tokens += len(drawn)
            if self.finish is None and self.tokens >= most:
                self.finish = "length"
            text = self._utf8.decode(b"".join(map(self._bytes, drawn)), final=self.finish is not None)
            if text:
                show(text)
            if self.finish is None:
                yield

    def _step(self) -> Piece | None:
        request = self._request
        if self.tokens >= request.max_tokens:
            return self._close("length")
        thinking = self.parts[-1].thinking
        if request.ending is not None and not thinking and self.tokens - self.reasoning >= request.ends_after:
            return self._close(request.ending)
        distribution = self._decoder.distribution()
        token = self._sampler.pick(distribution)
        if token == self._vocabulary.end and thinking:
            self._decoder = self._answer
            self.parts.append(Part(len(self.parts)))
            return None
        if token == self._vocabulary.end:
            return self._close("tool_calls" if self.calls else request.ending or "stop")
        self._decoder.advance(token)
        self.tokens += 1
        if thinking:
            self.reasoning += 1
            text = self._utf8.decode(self._bytes(token))
            return self._show(text) if text else None
        if request.tools and (tool := self._vocabulary.called(token)) is not None:
            return self._begin_call(request.tools[tool])
        if request.top_logprobs is not None:
            self.scores.append(_score(token, distribution, request.top_logprobs))
        text = self._utf8.decode(self._bytes(token))
        if not request.stop or self.parts[-1].tool:
            return self._show(text) if text else None
        return self._watch_for_stop(text)

    def _begin_call(self, tool: Tool) -> Piece:
        if self._held:  # the beginning of a stop sequence that never came
            self._show(self._held)
            self._held = ""
        part = Part(len(self.parts), tool, call_id=f"{self._rng.getrandbits(120):030x}"[:24])
        self.parts.append(part)
        return Piece("", part)

    def _watch_for_stop(self, text: str) -> Piece | None:
        self._held += text
        found = min(((at, s) for s in self._request.stop if (at := self._held.find(s)) >= 0), default=None)
        if found:
            at, self.stop_sequence = found
            self._held = self._held[:at]
            return self._close("stop_sequence")
        keep = max(_overlap(self._held, s) for s in self._request.stop)
        sure, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return self._show(sure) if sure else None

    def _close(self, finish: Finish) -> Piece | None:
        self.finish = finish
        rest = self._held if finish == "stop_sequence" else self._held + self._utf8.decode(b"", final=True)
        piece = self._show(rest) if rest else None
        if finish == "stop_sequence":
            self.tokens = self.reasoning + tokens.count(self.text)  # what is billed is what is returned
        return piece

    def _show(self, text: str) -> Piece:
        part = self.parts[-1]
        part.shown.append(text)
        piece = Piece(text, part, self.scores[self._scores_shown :])
        self._scores_shown = len(self.scores)
        return piece


@lru_cache(maxsize=8_192)
def _whole_characters(token: int, encoding: str) -> str | None:
    """The text of a token; None when it is no whole number of characters."""
    try:
        return tokens.encoding(encoding).decode_single_token_bytes(token).decode()
    except UnicodeDecodeError:
        return None


def _overlap(text: str, stop: str) -> int:
    """How many last characters of `text` could be the beginning of `stop`.

    >>> _overlap("one\\n", "\\n\\n"), _overlap("one", "\\n")
    (1, 0)
    """
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)


def _score(token: int, distribution: Distribution, top: int) -> TokenScore:
    return TokenScore(
        id=token,
        logprob=distribution.logprob(token),
        top=tuple((t, distribution.logprob(t)) for t, p in distribution.top(top) if p > 0),
    )


class Generation(ABC):
    """The answers to one request while they are made, wherever that is."""

    blocking = False
    """Whether the next piece may be long in coming, so that it has to be waited for in a thread."""

    def __init__(self, request: GenerationRequest, choices: Sequence[Choice], cache: CacheUse) -> None:
        self.request = request
        self.choices = choices
        self.cache = cache

    @abstractmethod
    def pieces(self) -> Iterator[tuple[Choice, Piece]]:
        """Pieces of all choices, as they become certain."""

    def slices(self, steps: int) -> Iterator[None]:
        """The whole generation, so many pieces at a time, for who wants nothing but the end of it."""
        pieces = self.pieces()
        while next(islice(pieces, steps - 1, None), None):  # takes them, and keeps none
            yield

    @property
    def tokens(self) -> int:
        """Generated so far, over all choices."""
        return sum([choice.tokens for choice in self.choices])  # a list: three times a generator's speed on one item

    @property
    def steps(self) -> int:
        """Decoding steps so far: the choices run side by side, so the longest counts."""
        return max(choice.tokens for choice in self.choices)

    @property
    def usage(self) -> Usage:
        cache = self.cache
        return Usage(
            input=self.request.prompt_tokens - cache.read - cache.written - cache.written_long,
            cached=cache.read,
            cache_write=cache.written,
            cache_write_long=cache.written_long,
            output=self.tokens,
            reasoning=sum([choice.reasoning for choice in self.choices]),
        )


class SampledGeneration(Generation):
    """Drawn here, each choice with a generator of its own so that choice 2 does not depend on choice 1."""

    def __init__(
        self, request: GenerationRequest, engine: Engine, seed: int | None, cache: CacheUse = UNCACHED
    ) -> None:
        decoder = engine.open(request.prompt)
        thoughts = engine.think(request.prompt, request.thinking_steps) if request.thinking_steps else None
        self._drawn = [
            SampledChoice(
                i, decoder.fork(), request, _random(request, seed, i), engine.vocabulary, thoughts and thoughts.fork()
            )
            for i in range(request.n)
        ]
        super().__init__(request, self._drawn, cache)

    def pieces(self) -> Iterator[tuple[Choice, Piece]]:
        """Pieces of all choices, in turn, as a real server's batch would release them."""
        if len(self._drawn) == 1:
            return zip(repeat(self._drawn[0]), self._drawn[0])  # the first has no end
        return self._in_turn()

    def slices(self, steps: int) -> Iterator[None]:
        if len(self._drawn) == 1 and self._drawn[0].plain:
            return self._drawn[0].plain_slices(steps)
        return super().slices(steps)

    def _in_turn(self) -> Iterator[tuple[Choice, Piece]]:
        waiting = [(choice, iter(choice)) for choice in self._drawn]
        while waiting:
            for item in list(waiting):
                choice, stream = item
                piece = next(stream, None)
                if piece is None:
                    waiting.remove(item)
                else:
                    yield choice, piece


def _random(request: GenerationRequest, seed: int | None, choice: int) -> Random:
    """A choice's generator. Seeding one takes as long as twenty tokens: not where nothing is drawn, nor where nobody
    asked for a text that can be repeated."""
    if seed is None or (request.sampling.temperature == 0 and not request.tools):
        return _UNSEEDED
    return Random(f"{seed}/{choice}")


_UNSEEDED = Random()
