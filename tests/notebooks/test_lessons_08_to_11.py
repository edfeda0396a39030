"""Lessons 08 to 11 run. The tests are those of `lesson_runs.py`."""

from lesson_runs import *  # noqa: F403

LESSONS = ["08", "09", "10", "11"]
