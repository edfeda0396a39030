"""`quiz`: questions with radio buttons; choosing an option shows at once whether it is right and why.

Nothing is sent; `lk.progress()` counts what was once right. Tab moves from option to option, Space chooses: JupyterLab
keeps the arrow keys for itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from labkit import record
from labkit.display import plain, prose
from labkit.widgets.questions import Question

# ipywidgets gives each radio button one line of fixed height: a longer option would lie over the next.
STYLE = """<style>
.labkit-quiz .widget-radio-box label {
    display: flex; flex-direction: row-reverse; justify-content: flex-end; align-items: flex-start;
    height: auto; line-height: 1.35; padding: 2px 0; white-space: normal;
}
.labkit-quiz .widget-radio-box input { flex: none; float: none; margin: 2px 8px 0 0 }
.labkit-quiz .widget-radio { height: auto }
</style>"""
VERDICT = "28px"
"""Room for a verdict of one line before it is there, so that the page below stays where it is."""


def quiz(questions: Sequence[Question | Mapping[str, Any]] | Question | Mapping[str, Any]) -> Quiz:
    """A self-check of one or more questions.

    >>> q = quiz({"ask": "What does T = 0 do?", "answer": 0,
    ...           "options": {"takes the best token": "It is argmax.", "takes any": "That is a high T."}})
    >>> q.choose(0, 1)
    >>> q.score
    '0 of 1 right'

    Raises:
        ValueError: a question without two options, one right answer and an explanation for each option.
    """
    given = [questions] if isinstance(questions, Question | Mapping) else list(questions)
    if not given:
        raise ValueError("a quiz needs a question")
    return Quiz([Question.of(q) for q in given])


class Quiz(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The widget. `choices` are its radio groups, one a question."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self.questions = tuple(questions)
        self.choices = [_radio(question) for question in questions]
        self.explanations = [widgets.HTML(layout={"min_height": VERDICT}) for _ in questions]
        self._score = widgets.HTML()
        rows: list[Any] = []
        for n, question in enumerate(self.questions):
            rows += [widgets.HTML(f"<b>{n + 1}. {prose(question.ask)}</b>"), self.choices[n], self.explanations[n]]
            self.choices[n].observe(lambda _, n=n: self._chosen(n), names="index")
        super().__init__([widgets.HTML(STYLE), *rows, self._score], layout={"max_width": "800px"})
        self.add_class("labkit-quiz")
        self._show_score()

    @property
    def right(self) -> int:
        """How many questions have the right option chosen now."""
        return sum(
            q.options[c.index].right for q, c in zip(self.questions, self.choices, strict=True) if c.index is not None
        )

    @property
    def score(self) -> str:
        """The score in words."""
        return f"{self.right} of {len(self.questions)} right"

    def choose(self, question: int, option: int) -> None:
        """What a click does; both count from 0."""
        self.choices[question].index = option

    def __str__(self) -> str:
        return "\n\n".join(q.text(n) for n, q in enumerate(self.questions, 1))

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """The live widget for a page with a kernel, folds for one without."""
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        still = "".join(q.still(n) for n, q in enumerate(self.questions, 1))
        return {**bundle, "text/html": still, "text/plain": str(self)}

    def _chosen(self, n: int) -> None:
        chosen = self.choices[n].index
        question = self.questions[n]
        self.explanations[n].value = "" if chosen is None else question.explanation(chosen)
        if chosen is not None:
            record.answered(question.ask, right=question.options[chosen].right)
        self._show_score()

    def _show_score(self) -> None:
        self._score.value = f'<div role="status">{self.score}</div>' if len(self.questions) > 1 else ""


def _radio(question: Question) -> Any:
    return widgets.RadioButtons(
        options=[plain(option.text) for option in question.options],
        index=None,
        layout={"width": "auto", "margin": "0 0 2px 12px"},
    )
