"""Grades into an nbgrader gradebook. Runs in nbgrader's environment, which has no labkit: nbgrader.py sends it there.

    PYTHON -c TEXT_OF_THIS_FILE < grades.json        in the course's folder

Everything goes through nbgrader's own code, so that the gradebook is one that it would have written: its configuration
says where files lie, `SaveCells` records an exercise, `AssignLatePenalties` what a late submission costs. What a person
gave in nbgrader's formgrader stays, and is marked for another look if the submission has changed since.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def main() -> None:
    """Read what nbgrader.py sends on stdin, write it down, and say on stdout which assignments it went into."""
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # two seconds of parsers at import
    from nbgrader.api import Gradebook
    from nbgrader.apps.baseapp import NbGrader

    message = json.load(sys.stdin)
    app = NbGrader()
    app.initialize([])
    written = []
    with Gradebook(app.coursedir.db_url, app.coursedir.course_id) as book:
        for exercise in message["exercises"]:
            assignment = _assignment(book, exercise)
            if message["own"]:
                _record(app, book, assignment, exercise)
            for submission in exercise["submissions"]:
                _enter(app, book, assignment, exercise["notebook"], submission)
            written.append(assignment)
    print(json.dumps(written))


def _assignment(book: Any, exercise: dict[str, Any]) -> str:
    """The assignment that has a notebook of this name; in a new course, one that is named for the exercise."""
    name = exercise["notebook"]
    having = [one.name for one in book.assignments if any(notebook.name == name for notebook in one.notebooks)]
    if len(having) > 1:
        sys.exit(f"several assignments have a notebook {name}: {', '.join(having)}")
    return having[0] if having else str(exercise["assignment"])


def _record(app: Any, book: Any, assignment: str, exercise: dict[str, Any]) -> None:
    """An exercise as `nbgrader generate_assignment` records it, with its source beside it."""
    import nbformat
    from nbgrader.preprocessors import SaveCells

    book.update_or_create_assignment(assignment)
    released = nbformat.from_dict(exercise["released"])  # type: ignore[no-untyped-call]
    resources = {"nbgrader": _names(app, assignment, exercise["notebook"])}
    try:
        SaveCells(parent=app).preprocess(released, resources)
    except RuntimeError as error:
        sys.exit(f"{error}: the exercise has changed since; move {app.coursedir.root} away and export anew")
    book.db.expire_all()
    _save(app.coursedir, app.coursedir.source_directory, ".", assignment, exercise["notebook"], exercise["source"])


def _enter(app: Any, book: Any, assignment: str, notebook: str, submission: dict[str, Any]) -> None:
    """One submission: its points, comments, and the notebook that formgrader and feedback show."""
    from nbgrader.api import MissingEntry

    student, graded = submission["student"], submission["graded"]
    before = _saved(app.coursedir, student, assignment, notebook)
    changed = before.get("metadata", {}).get("labkit") != graded["metadata"]["labkit"]
    book.update_or_create_student(student)
    when = app.coursedir.get_existing_timestamp(
        app.coursedir.format_path(app.coursedir.submitted_directory, student, assignment)
    )
    try:
        entry = book.update_or_create_submission(assignment, student, **({"timestamp": when} if when else {}))
        for cell, given in submission["grades"].items():
            _grade(book.find_grade(cell, notebook, assignment, student), given, changed)
        for cell in graded["cells"]:
            mark = cell["metadata"].get("nbgrader", {})
            if mark.get("solution") or mark.get("task"):
                comment = book.find_comment(mark["grade_id"], notebook, assignment, student)
                _comment(comment, cell, submission["comments"].get(mark["grade_id"]))
    except MissingEntry as error:
        sys.exit(f"the gradebook has another version of {notebook} ({error}): run nbgrader generate_assignment")
    book.db.commit()
    _save(app.coursedir, app.coursedir.autograded_directory, student, assignment, notebook, graded)
    if entry.assignment.duedate is not None:
        _penalize(app, assignment, notebook, student)


def _grade(grade: Any, given: dict[str, Any], changed: bool) -> None:
    """`auto` is what the checks gave, None where a person grades; `manual` what a person gave, None if nobody did."""
    before = (grade.auto_score, grade.manual_score)
    grade.auto_score = given["auto"]
    if given["manual"] is not None:
        grade.manual_score, grade.needs_manual_grade = given["manual"], False
    elif grade.manual_score is None:
        grade.needs_manual_grade = given["auto"] is None
    elif changed or before[0] != grade.auto_score:
        grade.needs_manual_grade = True


def _comment(comment: Any, cell: dict[str, Any], given: str | None) -> None:
    """As nbgrader's SaveAutoGrades does, and what a person wrote on labkit's sheet."""
    import nbformat
    from nbgrader.utils import compute_checksum, is_task

    node = nbformat.from_dict(cell)  # type: ignore[no-untyped-call]
    untouched = node.metadata.nbgrader.get("checksum") == compute_checksum(node) and not is_task(node)
    comment.auto_comment = "No response." if untouched else None
    if given:
        comment.manual_comment = given


def _penalize(app: Any, assignment: str, notebook: str, student: str) -> None:
    import nbformat
    from nbgrader.preprocessors import AssignLatePenalties

    resources = {"nbgrader": {**_names(app, assignment, notebook), "student": student}}
    nothing = nbformat.from_dict({"metadata": {}, "cells": []})  # type: ignore[no-untyped-call]
    AssignLatePenalties(parent=app).preprocess(nothing, resources)


def _names(app: Any, assignment: str, notebook: str) -> dict[str, str]:
    return {"assignment": assignment, "notebook": notebook, "db_url": app.coursedir.db_url}


def _path(coursedir: Any, step: str, student: str, assignment: str, notebook: str) -> str:
    return os.path.join(coursedir.format_path(step, student, assignment), notebook + ".ipynb")


def _saved(coursedir: Any, student: str, assignment: str, notebook: str) -> dict[str, Any]:
    try:
        with open(_path(coursedir, coursedir.autograded_directory, student, assignment, notebook)) as file:
            found: dict[str, Any] = json.load(file)
            return found
    except (OSError, ValueError):
        return {}


def _save(coursedir: Any, step: str, student: str, assignment: str, notebook: str, content: dict[str, Any]) -> None:
    """Through a second file, since nbgrader makes its own read-only."""
    path = _path(coursedir, step, student, assignment, notebook)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".part", "w") as file:
        json.dump(content, file, indent=1)
    os.replace(path + ".part", path)


if __name__ == "__main__":
    main()
