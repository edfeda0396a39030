"""Exercises that grade themselves: tasks and checks, the notebook's `check` and `hint`, and the release of exercises.

tasks.py expectations.py answer.py   what a check file is written with
workspace.py deadline.py settle.py   the student's side: steps in, plain JSON values out
journal.py refusals.py labhand.py    the evidence: what the lab server saw, what the student's code was refused
run.py results.py card.py            one task checked, its result as data and as a card
notebook.py reference.py             check() and hint(), solution()
regions.py release.py                from solutions/ to exercises/
mutants.py practice/                 wrong answers, and a made-up class to try the grader on
exercise.py                          from solutions/ to what the grader knows
ingest.py submitted.py job.py        from a folder of strangers' files to jobs
sandbox/ labserver.py sitting.py     one submission at work, shut in
judge.py worker.py grade.py          a submission, a grader process, a whole class
place.py cluster.py                  several graders on one machine, and on many
manual.py gradebook.py tables.py     what a person gives, and the table of all points
fingerprints.py similarity.py        which submissions have code in common
pages/ exports/                      what people and other systems get to see
scratch.py closing.py                folders and processes that end with their owner
"""

from labkit.grading.answer import Answer, Made
from labkit.grading.expectations import entry, expect, expect_fields, expect_messages, expect_usd, fail
from labkit.grading.journal import Exchange, billed
from labkit.grading.notebook import check, hint
from labkit.grading.reference import solution
from labkit.grading.results import TaskResult
from labkit.grading.tasks import Task

__all__ = [
    "Answer",
    "Exchange",
    "Made",
    "Task",
    "TaskResult",
    "billed",
    "check",
    "entry",
    "expect",
    "expect_fields",
    "expect_messages",
    "expect_usd",
    "fail",
    "hint",
    "solution",
]
