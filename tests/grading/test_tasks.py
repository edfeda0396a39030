from __future__ import annotations

from pathlib import Path

import pytest

from labkit.grading.tasks import BadTask, file_name, load_tasks

GOOD = """
from labkit.grading import Task
one = Task("1.1", "One", points=3, hints=("a", "b"))
@one.check("seen", points=1)
def seen(answer): pass
### BEGIN HIDDEN TESTS
@one.check("unseen", points=2)
def unseen(answer): pass
### END HIDDEN TESTS
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "ex01.py"
    path.write_text(text)
    return path


def test_load_tasks_marks_hidden_checks(tmp_path: Path) -> None:
    found = load_tasks(write(tmp_path, GOOD))
    assert found.complete
    assert [(check.title, check.hidden) for check in found.tasks["1.1"].checks] == [("seen", False), ("unseen", True)]
    assert found.tasks["1.1"].withheld == 0


def test_load_tasks_of_a_released_file_withholds_points(tmp_path: Path) -> None:
    visible = GOOD.split("### BEGIN")[0]
    found = load_tasks(write(tmp_path, visible))
    assert not found.complete
    assert found.tasks["1.1"].withheld == 2


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("points=2", "points=1", "worth 3 points but its checks add up to 2"),
        ("points=2", "points=3", "worth 3 points but its checks add up to 4"),
        ('("a", "b")', '("a",)', "needs two hints"),
        ('("a", "b")', '("a", "")', "needs two hints"),
        ("@one.check", "#", "no visible check"),
        ("one = Task", "two = Task('1.1', 'Two', 1, ('a', 'b'))\none = Task", "declared twice"),
    ],
)
def test_load_tasks_refuses_what_contradicts_itself(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    with pytest.raises(BadTask, match=complaint):
        load_tasks(write(tmp_path, GOOD.replace(old, new)))


def test_load_tasks_refuses_a_file_without_tasks(tmp_path: Path) -> None:
    with pytest.raises(BadTask, match="ex01.py: declares no Task"):
        load_tasks(write(tmp_path, "x = 1\n"))


@pytest.mark.parametrize(("task", "name"), [("1.2", "ex01.py"), ("12.3", "ex12.py"), ("1", "ex01.py")])
def test_file_name_of_a_task(task: str, name: str) -> None:
    assert file_name(task) == name
