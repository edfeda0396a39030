"""What a grading run looks like to people: a feedback page a submission, an overview of the class.

    write_pages(results, Path("grades"))     -> grades/overview.html and grades/feedback/<id>.html

Pages are single files without script. What students wrote is escaped, characters that do not show are made to, and the
page's own policy forbids the browser to run or fetch anything, so that a mistake of ours stays harmless.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from labkit.grading.pages.overview import exercises
from labkit.grading.pages.similar import PAGE
from labkit.grading.pages.template import render
from labkit.grading.results import SubmissionResult
from labkit.grading.withheld import without_hidden

OVERVIEW = "overview.html"
FEEDBACK = "feedback"


def write_pages(
    results: Sequence[SubmissionResult], folder: Path, *, hide_hidden: bool = False, alike: int | None = None
) -> Path:
    """Write every page below a folder; gives the overview's path.

    Args:
        hide_hidden: the students' pages do not tell what hidden checks ask; the overview, which is yours, does.
        alike: how many pairs of submissions have code in common, if somebody looked; the overview links to their page.
    """
    feedback = folder / FEEDBACK
    feedback.mkdir(parents=True, exist_ok=True)
    for result in map(without_hidden, results) if hide_hidden else results:
        (feedback / f"{result.id}.html").write_text(render("feedback.html", result=result), encoding="utf-8")
    overview = folder / OVERVIEW
    page = render("overview.html", exercises=exercises(results), feedback=FEEDBACK, alike=alike, similar=PAGE)
    overview.write_text(page, encoding="utf-8")
    return overview
