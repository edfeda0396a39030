"""Lessons 00 to 03 run. The tests are those of `lesson_runs.py`."""

from lesson_runs import *  # noqa: F403

LESSONS = ["00", "01", "02", "03"]
