"""Lessons 12 to 15 run. The tests are those of `lesson_runs.py`."""

from lesson_runs import *  # noqa: F403

LESSONS = ["12", "13", "14", "15"]
