"""A made-up class: submissions of every kind, and the points that each must get.

    made = make_class(Path("practice"), students=100, seed=7)

    practice/submitted/...       what a class might hand in: right, partly right, wrong, hostile and odd files
    practice/expected.csv        a row for each, with the points of every task

`labkit grade practice/submitted --out practice/grades --expected practice/expected.csv` then says what differs. What a
submission must get follows from how it was made: a solution earns all, a cell as it was handed out nothing, a mutant
that is exact what `solutions/mutants/` says, an attack what the answers beside it are worth. The same seed makes the
same files.

sheet.py                       the exercises, and the ways to answer a task
entry.py                       one submission in the making
honest.py hostile.py odd.py    the recipes
expected.py                    the table, and what differs from it
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle, islice, product
from pathlib import Path
from random import Random

from labkit.errors import UserError
from labkit.grading.practice.entry import Entry
from labkit.grading.practice.expected import EXPECTED, Expected, write_expected
from labkit.grading.practice.honest import WRONG, partly, right
from labkit.grading.practice.hostile import HOSTILE
from labkit.grading.practice.odd import ODD
from labkit.grading.practice.sheet import load_sheets

__all__ = ["EXPECTED", "SUBMITTED", "make_class"]

SUBMITTED = "submitted"
SHARES = {"right": 0.15, "partly": 0.25, "wrong": 0.07, "hostile": 0.27, "odd": 0.26}
"""Parts of a class; of a hundred, each recipe appears at least once."""
RECIPES: dict[str, Sequence[Callable[[Entry, Random], None]]] = {
    "right": (right,),
    "partly": (partly,),
    "wrong": WRONG,
    "hostile": HOSTILE,
    "odd": ODD,
}
FIRST_NAMES = (
    *("ada", "amal", "björn", "chloe", "dai", "ebru", "femi", "grace", "hana", "ines", "jonas", "kofi", "lena"),
    *("mateo", "nadia", "oskar", "priya", "quinn", "rosa", "sven", "tomoko", "uma", "viktor", "wanjiru", "zoë"),
)
LAST_NAMES = ("abbott", "berg", "castro", "demir", "eze", "fischer", "garcía", "haddad", "ito", "jensen", "kaya")


def make_class(
    folder: Path, *, students: int = 100, seed: int = 7, course: Path | None = None, only: Iterable[str] | None = None
) -> list[Expected]:
    """Write a class below a folder, with the table of what it must get.

    Args:
        course: the folder with `solutions/` in it, the current one by default.
        only: numbers of exercises; by default submissions are to all in turn.

    Raises:
        UserError: something is there already, or there are not enough names.
        NoExercise: the course has none.
    """
    submitted = folder / SUBMITTED
    if submitted.exists():
        raise UserError(f"{submitted} is there already: delete it, or name another folder.")
    names = list(product(FIRST_NAMES, LAST_NAMES))
    if not 1 <= students <= len(names):
        raise UserError(f"A class has 1 to {len(names)} students.")
    rng = Random(f"{seed}:{students}")
    sheets = cycle(load_sheets(course or Path.cwd(), only))
    people = [f"{first}-{last}" for first, last in rng.sample(names, students)]
    people[-1] = people[0].upper() if students > 1 else people[0]  # two whose names differ by case only
    made = []
    for student, (kind, recipe) in zip(people, _recipes(students, rng), strict=True):
        entry = Entry(next(sheets), student, kind, " ".join((recipe.__doc__ or "").split()))
        recipe(entry, rng)
        try:
            entry.write(submitted)
        except OSError:  # no links, no such names or no difference between cases on this system
            continue
        made.append(Expected.of(entry))
    write_expected(made, folder)
    return made


def _recipes(students: int, rng: Random) -> Iterator[tuple[str, Callable[[Entry, Random], None]]]:
    """Kind and recipe of each student, mixed."""
    counts = {kind: int(share * students) for kind, share in SHARES.items()}
    counts["partly"] += students - sum(counts.values())
    chosen = []
    for kind, count in counts.items():
        order = rng.sample(RECIPES[kind], len(RECIPES[kind]))
        chosen += [(kind, recipe) for recipe in islice(cycle(order), count)]
    rng.shuffle(chosen)
    yield from chosen
