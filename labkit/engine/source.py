"""The Markdown files that the embedded engine learns from.

    ## capital-of-country
    > What is the capital of $country?

    | country | capital |
    |---|---|
    | France | Paris |

    The capital of $country is $capital.
    ---
    $capital @2

    ### when: terse
    $capital.

- `## name` opens an intent; `> ` lines are example prompts and declare its slots.
- `skill: name` lets code of the engine fill further slots (`skills`).
- A table before the first answer gives slots values: the columns that are slots of an example are looked up, the others
  become slots. A prompt whose words are not in the table does not match.
- Then the answer; `---` on a line of its own divides alternatives, `--- @2` weighs the one that follows.
- `### when: terse`, `### after: csv-read` and `### when: terse after: csv-read` open answers for a condition;
  of several names behind `after:`, one is enough.
- A line that ends in a backslash goes on in the next. Inside a code fence nothing but choices and slots is special.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from labkit.engine.conditions import CONDITIONS
from labkit.engine.skills import SKILL_SLOTS
from labkit.engine.template import Template, TemplateError, choice, parse

_SLOT = re.compile(r"\$([a-z][a-z_]*)")
_DIVIDER = re.compile(r"---(?: @(\d+(?:\.\d+)?))?")
_LOST_WEIGHT = re.compile(r"[^{|\\]* @\d+(?:\.\d+)?$")
_INTENT_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


class SourceError(ValueError):
    """A source file cannot be learnt. The message names file, line and the fix."""

    def __init__(self, file: str, line: int, problem: str, fix: str) -> None:
        super().__init__(f"{file}, line {line}: {problem}. Fix: {fix}.")
        self.file, self.line, self.problem, self.fix = file, line, problem, fix


@dataclass(frozen=True, slots=True)
class Example:
    """One example prompt."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Variant:
    """The answers for one condition."""

    when: frozenset[str]
    """Conditions that must all hold; empty for the plain answer. An `after:` condition is written "after csv-read"."""
    template: Template
    file: str
    line: int


@dataclass(slots=True)
class Intent:
    """Something a prompt can ask, and what is answered."""

    name: str
    file: str
    line: int
    examples: list[Example] = field(default_factory=list)
    skill: str | None = None
    table: Table | None = None
    variants: list[Variant] = field(default_factory=list)

    @property
    def slots(self) -> set[str]:
        """Slots that the example prompts declare."""
        return {name for example in self.examples for name in _SLOT.findall(example.text)}


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of values for slots."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def lookup(self, known: dict[str, str]) -> dict[str, str] | None:
        """All columns of the first row that agrees with the known ones, ignoring case; None if there is none."""
        asked = {name: _plain(value) for name, value in known.items() if name in self.columns}
        for row in self.rows:
            values = dict(zip(self.columns, row, strict=True))
            if all(value in [_plain(name) for name in values[key].split(" / ")] for key, value in asked.items()):
                return {name: value.split(" / ")[0] for name, value in values.items()}
        return None


def _without_blank_end(lines: list[str]) -> list[str]:
    while not lines[-1].strip():
        lines = lines[:-1]
    return lines


def _plain(value: str) -> str:
    return re.sub(r"^(the|a|an) |['’]s$|[\"'“”‘’.!?]", "", value.strip().lower())


def read_folders(folders: Iterable[Path]) -> list[Intent]:
    """Every intent of every `*.md` file, by file name; a later intent of the same name replaces an earlier one."""
    found: dict[str, Intent] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.md")):
            for intent in read_text(path.read_text(encoding="utf-8"), path.name):
                found[intent.name] = intent
    return list(found.values())


def read_text(text: str, file: str = "<text>") -> list[Intent]:
    """The intents of one source.

    Raises:
        SourceError: naming file, line and the fix.
    """
    return _Reader(file).read(text)


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.intents: list[Intent] = []
        self.when: frozenset[str] = frozenset()
        self.when_line = 0
        self.answers: list[tuple[float | None, list[str], int]] = []
        self.table: list[tuple[int, list[str]]] = []
        self.fenced = False

    def error(self, line: int, problem: str, fix: str) -> SourceError:
        return SourceError(self.file, line, problem, fix)

    def read(self, text: str) -> list[Intent]:
        number = 0
        for number, line in enumerate(text.splitlines(), 1):
            self._line(line, number)
        self._close_intent(number)
        return self.intents

    def _line(self, line: str, number: int) -> None:
        if not self.fenced and line.startswith("## "):
            self._close_intent(number)
            self._open_intent(line[3:].strip(), number)
        elif not self.intents:
            return  # a title or words for the reader
        elif not self.fenced and line.startswith("### "):
            self._close_variant()
            self.when, self.when_line = self._conditions(line[4:], number), number
        elif not self.fenced and (divider := _DIVIDER.fullmatch(line.rstrip())):
            weight = float(divider[1]) if divider[1] else None
            if self._empty_answer():
                self.answers[-1:] = [(weight, [], number + 1)]
            else:
                self.answers.append((weight, [], number + 1))
        elif self._empty_answer() and self._header_line(line, number):
            return
        else:
            self._answer_line(line, number)

    def _empty_answer(self) -> bool:
        return not self.answers or (len(self.answers) == 1 and not any(self.answers[0][1]))

    def _header_line(self, line: str, number: int) -> bool:
        """Example prompts, the skill, the table: what may stand between heading and first answer."""
        intent = self.intents[-1]
        if self.when:
            return False
        if line.startswith("> "):
            intent.examples.append(Example(line[2:].strip(), number))
        elif line.startswith("skill: "):
            intent.skill = line[7:].strip()
        elif line.startswith("|"):
            self.table.append((number, [cell.strip() for cell in line.strip().strip("|").split("|")]))
        else:
            return not line.strip()
        return True

    def _answer_line(self, line: str, number: int) -> None:
        if line.lstrip().startswith("```"):
            self.fenced = not self.fenced
        if not self.answers:
            self.answers.append((None, [], number))
        self.answers[-1][1].append(line)

    def _open_intent(self, name: str, number: int) -> None:
        if not _INTENT_NAME.fullmatch(name):
            raise self.error(number, f"'{name}' is no intent name", "use small letters, digits and hyphens")
        if any(intent.name == name for intent in self.intents):
            raise self.error(number, f"intent '{name}' is there twice", "rename one, or merge their answers")
        self.intents.append(Intent(name, self.file, number))

    def _conditions(self, heading: str, number: int) -> frozenset[str]:
        found = dict(re.findall(r"(when|after): *(.*?)(?= (?:when|after):|$)", heading))
        if not found:
            fix = "write '### when: terse' or '### after: INTENT'"
            raise self.error(number, f"'### {heading}' is no condition", fix)
        when = {name.strip() for name in found.get("when", "").split(",") if name.strip()}
        for name in sorted(when - CONDITIONS):
            known = ", ".join(sorted(CONDITIONS))
            raise self.error(number, f"unknown condition '{name}'", f"use one of {known}")
        return frozenset(when | {f"after {name.strip()}" for name in found.get("after", "").split(",") if name.strip()})

    def _close_variant(self) -> None:
        answers = [a for a in self.answers if any(line.strip() for line in a[1])]
        if answers:
            intent = self.intents[-1]
            self._close_table(intent)
            columns = set(intent.table.columns) if intent.table else set()
            slots = intent.slots | columns | SKILL_SLOTS.get(intent.skill or "", set())
            answers = [(weight, _without_blank_end(lines), line) for weight, lines, line in answers]
            options = [(weight, self._template(lines, line, slots)) for weight, lines, line in answers]
            template = choice(options, answers[0][2])
            intent.variants.append(Variant(self.when, template, self.file, answers[0][2]))
        elif self.when:
            raise self.error(self.when_line, "a condition without an answer", "write the answer below it, or delete it")
        self.answers, self.when = [], frozenset()

    def _template(self, lines: list[str], first: int, slots: set[str]) -> Template:
        lead = next(n for n, line in enumerate(lines) if line.strip())
        if _LOST_WEIGHT.search(lines[-1]):
            fix = "write it as '--- @2' above the answer"
            raise self.error(first + len(lines) - 1, "a weight at the end of an answer", fix)
        text = "\n".join(lines[lead:]).rstrip().replace("\\\n", "")
        try:
            return parse(text, slots)
        except TemplateError as error:
            raise self.error(first + lead + error.line - 1, error.problem, error.fix) from None

    def _close_table(self, intent: Intent) -> None:
        if not self.table:
            return
        (first, columns), *rest = self.table
        rows = [(n, row) for n, row in rest if not all(set(cell) <= set("-: ") for cell in row)]
        for number, row in rows:
            if len(row) != len(columns):
                raise self.error(number, f"{len(row)} cells under {len(columns)} columns", "add or remove a cell")
        if not rows:
            raise self.error(first, "a table without rows", "add a row, or delete the table")
        intent.table = Table(tuple(columns), tuple(tuple(row) for _, row in rows))
        self.table = []

    def _close_intent(self, number: int) -> None:
        if not self.intents:
            return
        if self.fenced:
            raise self.error(number, "a code fence is still open", "close it with ```")
        self._close_variant()
        intent = self.intents[-1]
        if not intent.variants:
            raise self.error(intent.line, f"intent '{intent.name}' has no answer", "write one below its examples")
        if intent.skill and intent.skill not in SKILL_SLOTS:
            raise self.error(
                intent.line, f"unknown skill '{intent.skill}'", f"use one of {', '.join(sorted(SKILL_SLOTS))}"
            )
