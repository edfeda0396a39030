"""Every line of labkit/README.md runs, and prints what the page says."""

import doctest
from pathlib import Path

import pytest

import labkit as lk

PAGE = Path(lk.__file__).parent / "README.md"
AS_PRINTED = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL | doctest.NORMALIZE_WHITESPACE


@pytest.mark.usefixtures("session")
def test_the_page_runs_as_it_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    failed, tried = doctest.testfile(str(PAGE), module_relative=False, optionflags=AS_PRINTED, encoding="utf-8")
    lk.current().close()  # the page's own
    assert tried > 40 and not failed, capsys.readouterr().out
