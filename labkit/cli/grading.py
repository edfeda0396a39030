"""`labkit grade`: a folder of submissions to grades."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from labkit.errors import LabkitError


class Format(StrEnum):
    """What `--export` takes."""

    canvas = "canvas"
    moodle = "moodle"
    gradescope = "gradescope"
    nbgrader = "nbgrader"


def grade(
    submissions: Annotated[Path, typer.Argument(help="Folder or zip: a notebook a student, or nbgrader's layout.")],
    out: Annotated[Path, typer.Option(help="Folder for the results; an earlier run there is continued.")],
    course: Annotated[
        Path | None, typer.Option(help="The folder with solutions/ in it; by default the current one.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Grader processes; by default one a processor.")] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Grade this exercise, such as 01; others keep their results. May be given several times."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of the probe inputs; by default it follows from the check file.")
    ] = None,
    manual: Annotated[
        list[Path] | None,
        typer.Option(help="A filled-in sheet of free-text answers; the one in the folder for results is read anyway."),
    ] = None,
    export: Annotated[
        list[Format] | None, typer.Option(help="Grades for another system as well; may be given several times.")
    ] = None,
    nbgrader: Annotated[
        Path | None,
        typer.Option(
            metavar="PYTHON",
            help="With --export nbgrader: the Python that has it, or its environment's folder; by default the one of "
            "the command `nbgrader`.",
        ),
    ] = None,
    nbgrader_course: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="With --export nbgrader: your nbgrader course; by default one is made below the folder for results.",
        ),
    ] = None,
    hide_hidden: Annotated[
        bool,
        typer.Option(
            "--hide-hidden",
            help="On pages and exports give a hidden check's points only. By default students learn what it asked and "
            "why it failed: use this where they may hand in again, or the exercise is used again.",
        ),
    ] = False,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Grade on the workers of a Dask cluster, by its scheduler's address: tcp://HOST:PORT."
        ),
    ] = None,
    expected: Annotated[
        Path | None,
        typer.Option(help="A table of expected points, such as `labkit make-class` writes: fail where grades differ."),
    ] = None,
    allow_weak_sandbox: Annotated[
        bool, typer.Option("--allow-weak-sandbox", help="Grade even where submissions cannot be shut in.")
    ] = False,
) -> None:
    """Grade a class, each notebook in a sandbox.

    It takes every notebook below a folder.

    \b
        labkit grade submitted/ --out grades/
        labkit grade class.zip --out grades/ --only 01 --jobs 4
        labkit grade submitted/ --out grades/ --manual marked.csv
        labkit grade submitted/ --out grades/ --export canvas --export gradescope
        labkit grade submitted/ --out grades/ --export nbgrader --nbgrader ~/nbgrader-venv --nbgrader-course .
        labkit grade submitted/ --out grades/ --cluster tcp://10.0.0.5:8786

    grades.csv has a row a submission, overview.html shows the class, feedback/ holds a page to hand back for each
    submission, results.jsonl every check with what was seen. similarity.html and similarity.csv tell which students
    have code in common, and change no grade. A run that was killed goes on where it stopped; a second run grades only
    what has changed.

    Free-text answers are collected in manual.csv: write points and comments into its columns `earned` and `comment`,
    save it as CSV, and run the command again.
    """
    from labkit.grading.exercise import load_exercises
    from labkit.grading.exports import export as export_to
    from labkit.grading.exports import nbgrader as nbgrader_export
    from labkit.grading.grade import grade as grade_all
    from labkit.grading.gradebook import write_grades
    from labkit.grading.manual import SHEET, marked, read_marks, write_sheet
    from labkit.grading.pages import write_pages
    from labkit.grading.pages.similar import write_similar
    from labkit.grading.practice.expected import differences, read_expected
    from labkit.grading.results import BROKEN
    from labkit.grading.sandbox import tiers
    from labkit.grading.similarity import alike, write_similarity
    from labkit.grading.withheld import without_hidden

    python = nbgrader_export.interpreter(nbgrader) if Format.nbgrader in (export or []) else None
    must = read_expected(expected) if expected else []
    sheets = [sheet for sheet in (out / SHEET,) if sheet.exists()] + (manual or [])
    marks = {key: mark for sheet in sheets for key, mark in read_marks(sheet).items()}
    pool = None
    if cluster:
        from labkit.grading.cluster import cluster_pool

        pool = cluster_pool(cluster, allow_weak=allow_weak_sandbox)
        print(f"Cluster: {cluster}; each worker grades in the strongest sandbox of its own machine.")
    else:
        print(f"Sandbox: {tiers.best().sentence}")
    run = grade_all(
        submissions,
        out,
        course=course,
        jobs=jobs,
        seed=seed,
        allow_weak=allow_weak_sandbox,
        only=only or None,
        progress=True,
        pool=pool,
    )
    results = marked(run.results, marks)
    table, sheet = write_grades(results, out), write_sheet(results, out)
    pairs = alike(run.jobs, load_exercises(course or Path.cwd()))
    similar = write_similarity(pairs, out), write_similar(pairs, out)
    overview = write_pages(results, out, hide_hidden=hide_hidden, alike=len(pairs))
    refused = sum(bool(result.refusal) for result in results)
    print(f"{len(results)} submissions, {run.graded} graded now, {refused} refused.")
    print(f"Grades: {table}; the class: {overview}; pages to hand back: {out / 'feedback'}")
    broken = sum(any(note.startswith(BROKEN) for note in result.notes) for result in results)
    if broken:
        print(f"In {broken} of them a cell of the exercise itself failed: read the notes before you hand them back.")
    if ungraded := sum(result.ungraded for result in results):
        answers = "1 answer" if ungraded == 1 else f"{ungraded} answers"
        print(f"To grade by hand: {answers} in {sheet}; fill in points and run this again.")
    if pairs:
        several = "1 pair" if len(pairs) == 1 else f"{len(pairs)} pairs"
        print(f"Code in common, for you to look at: {several} in {' and '.join(map(str, similar))}")
    told = [without_hidden(result) for result in results] if hide_hidden else results
    for name in export or []:
        if python and name is Format.nbgrader:
            place = nbgrader_course or out / nbgrader_export.FOLDER
            names = nbgrader_export.write(told, submissions, course or Path.cwd(), place, python)
            print(f"For nbgrader: {', '.join(names)} in {place}")
            continue
        files = export_to(name, told, out)
        print(f"For {name}: {files[0] if len(files) == 1 else f'{len(files)} files below {out}'}")
    if broken and broken == len(results) - refused:
        raise LabkitError(f"{BROKEN}in every submission; the fault is this machine's, and the grades say nothing.")
    if expected:
        lines = differences(must, run.results)
        print("\n".join([*lines, f"{len(lines)} of {len(run.results)} submissions differ from {expected}."]))
        raise typer.Exit(1 if lines else 0)
