"""What the lens does, without a widget: look at a distribution, draw from it, write the token, look at the next one."""

from __future__ import annotations

from collections import Counter
from random import Random

from labkit.lab import NextToken
from labkit.plots.labels import END, visible
from labkit.plots.view import LensView, lens_view
from labkit.sampling import SamplingParams, shape
from labkit.widgets.source import Source


class Lens:
    """A position in an answer, the model's distribution there, and what was drawn from it.

    Args:
        source: gives the distribution after a text.
        written: how the answer begins.
        rng: draws; its own for each lens, so that a seed repeats.
    """

    def __init__(self, source: Source, written: str, rng: Random) -> None:
        self._source = source
        self._rng = rng
        self._begin = written.encode()
        self._bytes = self._begin
        self.counts: Counter[int] = Counter()
        self.drawn: int | None = None
        self.next: NextToken = source(self.written)

    @property
    def written(self) -> str:
        """The answer so far. Bytes at its end that are only a part of a character wait for the rest of it."""
        return self._bytes.decode("utf-8", "ignore")

    @property
    def finished(self) -> bool:
        """The end of text was drawn last: there is nothing to write after it."""
        return self.drawn == self.next.end

    def view(self, params: SamplingParams, top: int) -> LensView:
        """What a picture shows under `params`."""
        found = self.next
        rows = [token for token, _ in found.distribution.top(top)]
        return lens_view(found.distribution, params, top, texts={i: self.raw(i) for i in rows}, end=found.end)

    def draw(self, params: SamplingParams, times: int = 1) -> None:
        """Draw so often from what `params` leave, and add to the counts. The last one drawn is what `write` writes."""
        final = shape(self.next.distribution, params)
        tokens = [final.draw(self._rng) for _ in range(times)]
        self.counts.update(tokens)
        self.drawn = tokens[-1]

    def write(self) -> None:
        """Append the drawn token and ask the model what may follow.

        Raises:
            ValueError: nothing was drawn, or the end of text.
        """
        if self.drawn is None or self.finished:
            raise ValueError("draw a token that is not the end of text, then write it")
        self._move(self._bytes + self.raw(self.drawn))

    def restart(self) -> None:
        """Back to how the answer began."""
        self._move(self._begin)

    def forget_draws(self) -> None:
        """The distribution changed: what was drawn from the old one says nothing about it."""
        self.counts, self.drawn = Counter(), None

    def raw(self, token: int) -> bytes:
        """The bytes of a token id; the end of text has none."""
        if token == self.next.end:
            return b""
        from labkit import registry, tokens

        return tokens.encoding(registry.find(self.next.model).encoding).decode_single_token_bytes(token)

    def shown(self, token: int) -> str:
        """A token as a reader can see it."""
        return END if token == self.next.end else visible(self.raw(token))

    def _move(self, to: bytes) -> None:
        found = self._source(to.decode("utf-8", "ignore"))  # first: a refusal leaves the lens where it was
        self._bytes, self.next = to, found
        self.forget_draws()
