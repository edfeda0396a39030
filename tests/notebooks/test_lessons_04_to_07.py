"""Lessons 04 to 07 run. The tests are those of `lesson_runs.py`."""

from lesson_runs import *  # noqa: F403

LESSONS = ["04", "05", "06", "07"]
