"""A model as judge: it scores each answer against a rubric, and what that costs is counted.

    judge = lk.metrics.Judge("Is the answer correct and at most two sentences long?")
    lk.sweep(prompts, models, metrics=[judge])

The judge is a sweep of its own, so its verdicts lie on disk too: measuring again asks for new answers only. It gives
its reason before its score, and is asked with a schema, so that the score is parsed and not guessed at.

A judge has habits of its own (it prefers long answers, the first of two, and its own kind: Zheng et al. 2023, "Judging
LLM-as-a-Judge with MT-Bench and Chatbot Arena"): compare some of its scores with yours. The lab's models do not
understand a rubric; their scores show the machinery, and rank nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd
    from pydantic import BaseModel

JUDGE = "openai:sampling"
INSTRUCTION = (
    "You judge an answer by a rubric. Give your reason in one sentence, then a score: {low} means that the answer "
    "fails the rubric in every way, {high} that nothing is left to wish."
)
CASE = "Rubric: {rubric}\n\nQuestion:\n{question}\n\nAnswer:\n{answer}"


@dataclass(frozen=True)
class Judge:
    """A metric that asks a model."""

    rubric: str
    model: str = JUDGE
    """As a sweep takes it: an id, "provider/id" or "provider:tier"."""
    low: int = 1
    high: int = 5
    name: str = "score"
    """Of the column; NAME_reason and NAME_usd stand beside it."""
    options: dict[str, Any] = field(default_factory=dict)
    """More for the judge's sweep: max_tokens, budget, concurrency, ..."""

    def judged(self, frame: pd.DataFrame, name: str | None = None) -> pd.DataFrame:
        """The table with score, reason and cost of each answer; none where there is no answer or no verdict.

        Equal answers to one question are judged once, and each bears its share of the cost. `attrs["judge_usd"]` adds
        up what this run has spent on judging.
        """
        from labkit.experiments import sweep

        column = name or self.name
        cases = {index: self._case(row) for index, row in frame.iterrows() if self._to_judge(row)}
        verdicts = self._asked(sweep, sorted(set(cases.values()))) if cases else {}
        shares = {case: list(cases.values()).count(case) for case in verdicts}
        found = frame.copy()
        rows = [verdicts.get(cases.get(index, ""), {}) for index in frame.index]
        found[column] = [float(row.get("score", "nan")) for row in rows]
        found[f"{column}_reason"] = [row.get("reason", "") for row in rows]
        found[f"{column}_usd"] = [
            row["usd"] / shares[cases[index]] if row else 0.0 for index, row in zip(frame.index, rows, strict=True)
        ]
        spent = sum(row["spent_usd"] for row in verdicts.values())
        found.attrs = {**frame.attrs, "judge_usd": frame.attrs.get("judge_usd", 0.0) + spent}
        return found

    def _asked(self, sweep: Any, cases: list[str]) -> dict[str, dict[str, Any]]:
        given = {"max_tokens": 200, "temperature": 0, "drop_unsupported": True, "progress": False, **self.options}
        system = INSTRUCTION.format(low=self.low, high=self.high)
        answers = sweep(cases, self.model, system=system, schema=self._schema(), **given)
        verdicts = {}
        for row in answers[answers["error"].isna()].to_dict("records"):
            spent = 0.0 if row["reused"] else row["cost_usd"]
            verdicts[cases[int(row["prompt_id"]) - 1]] = {**row["parsed"], "usd": row["cost_usd"], "spent_usd": spent}
        return verdicts

    def _schema(self) -> type[BaseModel]:
        from pydantic import create_model

        scores: Any = Literal[tuple(range(self.low, self.high + 1))]  # an enumeration: every strict mode knows it
        return create_model("Verdict", reason=(str, ...), score=(scores, ...))

    def _case(self, row: Any) -> str:
        return CASE.format(rubric=self.rubric, question=row["prompt"], answer=row["text"])

    def _to_judge(self, row: Any) -> bool:
        import pandas as pd

        return bool(row["text"]) and ("error" not in row or bool(pd.isna(row["error"])))
