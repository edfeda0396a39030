"""Self-check questions as data: readable in a cell, checked when made, with a reading for pages without a kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labkit.display import folded, plain, prose

LINE = '<div style="margin: 2px 0 2px 16px">'
"""Lettered by hand: pages differ in whether a list may say that it counts in letters."""


@dataclass(frozen=True, slots=True)
class Option:
    """One possible answer."""

    text: str
    why: str
    """Why it is right or wrong: shown as soon as it is chosen."""
    right: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """One question with one right answer. `Backticks` make code in all texts."""

    ask: str
    options: tuple[Option, ...]

    def __post_init__(self) -> None:
        if len(self.options) < 2:
            raise ValueError(f"a question needs at least two options: {self.ask!r}")
        if sum(o.right for o in self.options) != 1:
            raise ValueError(f"a question needs exactly one right option: {self.ask!r}")
        if len({o.text for o in self.options}) < len(self.options):
            raise ValueError(f"two options read the same: {self.ask!r}")
        for option in self.options:
            if not option.why.strip():
                raise ValueError(f"option {option.text!r} of {self.ask!r} has no explanation")

    @classmethod
    def of(cls, given: Question | Mapping[str, Any]) -> Question:
        """A question from `{"ask": ..., "options": {text: why}, "answer": text or position from 0}`.

        Raises:
            ValueError: a missing or a superfluous entry, an answer that is no option, or what `Question` refuses.
        """
        if isinstance(given, Question):
            return given
        if set(given) != {"ask", "options", "answer"}:
            raise ValueError(f"a question has the entries ask, options and answer; got {sorted(given)}")
        options, answer = dict(given["options"]), given["answer"]
        right = list(options).index(answer) if answer in options else answer
        if not isinstance(right, int) or not 0 <= right < len(options):
            raise ValueError(f"{answer!r} is none of the options of {given['ask']!r}")
        return cls(given["ask"], tuple(Option(t, why, n == right) for n, (t, why) in enumerate(options.items())))

    def explanation(self, chosen: int) -> str:
        """HTML: right or not, in words and by a sign, and why."""
        option = self.options[chosen]
        verdict, edge = ("✓ Right.", "solid") if option.right else ("✗ Not this one.", "dashed")
        return (
            f'<div role="status" style="border-left: 3px {edge} currentColor; padding: 2px 10px; line-height: 1.4">'
            f"<b>{verdict}</b> {prose(option.why)}</div>"
        )

    def still(self, number: int) -> str:
        """HTML for a page without a kernel: the question, its options, and the answers in a fold."""
        lettered = [(letter, o, prose(o.text)) for letter, o in zip("ABCDEFGH", self.options, strict=False)]
        options = "".join(f"{LINE}{letter}. {text}</div>" for letter, _, text in lettered)
        answer = next(letter for letter, o, _ in lettered if o.right)
        answers = "".join(
            f"{LINE}{'✓ <b>Right.</b>' if o.right else '✗'} {letter}. {text}: {prose(o.why)}</div>"
            for letter, o, text in lettered
        )
        fold = folded("Answer", f"<p>{answer}.</p>{answers}")
        return f"<p><b>{number}. {prose(self.ask)}</b></p>{options}{fold}"

    def text(self, number: int) -> str:
        """Plain text for a script: no answers."""
        return "\n".join([f"{number}. {plain(self.ask)}", *(f"   ( ) {plain(o.text)}" for o in self.options)])
