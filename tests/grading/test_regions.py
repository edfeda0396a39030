from __future__ import annotations

import pytest

from labkit.grading.regions import HIDDEN, SOLUTION, BadRegion, cut, spans

TWO = "a = 0\n  ### BEGIN SOLUTION\n  b = 1\n  ### END SOLUTION\nc\n### BEGIN SOLUTION\nd\n### END SOLUTION"


def test_cut_puts_the_stub_at_the_indent_of_each_region() -> None:
    assert cut(TWO, SOLUTION, ("# here", "raise")) == "a = 0\n  # here\n  raise\nc\n# here\nraise"


def test_cut_leaves_other_regions_alone() -> None:
    assert cut(TWO, HIDDEN) == TWO


def test_spans_count_lines_from_one() -> None:
    assert spans(TWO, SOLUTION) == [range(2, 5), range(6, 9)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION", "line 2: .* inside the region opened in line 1"),
        ("a\n### BEGIN SOLUTION\nb", "line 2: .* is never closed; add '### END SOLUTION'"),
        ("a\n### END SOLUTION", "line 2: .* closes nothing"),
        ("x = 1  ### BEGIN SOLUTION", "line 1: a marker needs a line of its own"),
    ],
)
def test_bad_regions_name_line_and_fix(text: str, complaint: str) -> None:
    with pytest.raises(BadRegion, match=complaint):
        cut(text, SOLUTION)
