"""Code in common: copies are found whatever their looks, work of one's own is not."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from graded import HOSTILE, submission

from labkit.grading.exercise import Exercise, Released, Role
from labkit.grading.fingerprints import GRAM, WINDOW, fingerprints
from labkit.grading.job import Job
from labkit.grading.pages import write_pages
from labkit.grading.pages.similar import code, write_similar
from labkit.grading.similarity import Pair, alike, write_similarity
from labkit.grading.submitted import Runnable

DATA = Path(__file__).parent / "data" / "alike"
"""Four people's own solutions of three tasks, and one that is ada's in disguise: renamed, reordered, commented,
with type hints, other quotes, lines and imports, a print and a function of no use."""
STUB = "def {}:\n    raise NotImplementedError"
SETUP = "import json\nimport os\n\nPRICES = json.loads(os.environ['PRICES'])\nfor name in PRICES:\n    print(name)"
STUBS = "\n".join(map(STUB.format, ("patient(send, attempts=5)", "chunks(text, limit)", "bill(calls, prices)")))
RELEASED = (Released("setup", Role.given, True, SETUP), Released("answer", Role.answer, True, STUBS))
EXERCISES = {"01": Exercise("01", "01_small", RELEASED, (), "")}
OWN = ("ada", "bob", "cyd", "dan")


def work(name: str) -> str:
    return (DATA / f"{name}.py").read_text(encoding="utf-8")


def job(student: str, *cells: str, id: str = "", refusal: str = "") -> Job:
    own = [Runnable(number, "answer" if number == 2 else "", source) for number, source in enumerate(cells, start=2)]
    given = Runnable(1, "setup", SETUP, given=True)
    return Job(id or student, student, f"{student}.ipynb", "", "01", 8, 1, "", (given, *own), refusal=refusal)


def found(*jobs: Job) -> list[tuple[str, str]]:
    return [(pair.left.student, pair.right.student) for pair in alike(jobs, EXERCISES)]


def honest() -> list[Job]:
    return [job(name, work(name)) for name in OWN]


def test_a_copy_in_disguise_is_found_and_nobody_else() -> None:
    [pair] = alike([*honest(), job("eve", work("disguised"))], EXERCISES)
    assert (pair.left.student, pair.right.student) == ("ada", "eve") and pair.share > 0.9


def test_independent_solutions_are_far_from_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(*honest()) == []
    monkeypatch.setattr("labkit.grading.similarity.LEAST_PIECES", 0)
    monkeypatch.setattr("labkit.grading.similarity.LEAST_SHARE", 0)
    assert max(pair.share for pair in alike(honest(), EXERCISES)) < 0.2


def functions(source: str) -> list[str]:
    head, *rest = source.split("\ndef ")
    return [head, *(f"def {one}" for one in rest)]


@pytest.mark.parametrize(
    "disguise",
    [
        lambda text: [text.replace("current", "piece").replace("attempt ", "nth ").replace("per_model", "shares")],
        lambda text: functions(text)[::-1],
        lambda text: ["\n".join(f"{line}  # my own" if line else line for line in text.split("\n"))],
        lambda text: [f"%time\n!ls\n{text}", "print('and something of my own')\nfor n in range(3):\n    print(n * n)"],
        lambda text: [text.replace("call[", "await call[").replace("def bill", "async def bill")],
    ],
    ids=["renamed", "reordered and in other cells", "commented", "with lines of IPython", "made async"],
)
def test_a_copy_is_found_whatever_its_looks(disguise: Callable[[str], list[str]]) -> None:
    assert found(*honest(), job("eve", *disguise(work("ada")))) == [("ada", "eve")]


def test_two_copied_functions_of_three_are_found() -> None:
    own = functions(work("bob"))[1]
    assert found(*honest(), job("eve", own, *functions(work("disguised"))[2:4])) == [("ada", "eve")]


def test_what_was_handed_out_is_nobodys() -> None:
    assert found(job("ada", STUBS, SETUP), job("bob", STUBS, SETUP)) == []


def test_the_answer_that_most_of_the_class_has_says_nothing_and_that_of_three_does() -> None:
    others = [job(f"other{n}", work("cyd")) for n in range(20)]
    ring = [job(f"ring{n}", work("ada")) for n in range(3)]
    assert found(*others, *ring) == [("ring0", "ring1"), ("ring0", "ring2"), ("ring1", "ring2")]


def test_one_students_two_files_and_a_refused_one_are_no_pair() -> None:
    twice = job("ada", work("ada")), job("ada", work("ada"), id="ada-2")
    assert found(*twice, job("eve", work("ada"), refusal="a link")) == []


def test_the_marked_lines_are_those_in_common() -> None:
    [pair] = alike([*honest(), job("eve", work("disguised"))], EXERCISES)
    [(name, lines)] = code(pair.right)
    same = {line.strip() for line, both in lines if both}
    assert name == "answer" and {"byName = {}", "out: list[str] = []"} <= same
    assert not {'print(f"made {len(out)} parts")', "def split_cost(usage, table):", "# remember it"} & same


def test_what_is_shared_over_gram_and_window_is_seen_whatever_stands_around_it() -> None:
    shared = f"x = {'+'.join(map(str, range(GRAM + WINDOW)))}\n"  # a token a number, and more
    for before in range(1, 9):
        one = {p.hash for p in fingerprints(["u = v[w]\n" * before + shared])}
        other = {p.hash for p in fingerprints([shared + "if c:\n    d(e)\n" * before])}
        assert one & other


HOSTILE_CODE = {
    "nested": "(" * 40_000,
    "chained": "a" + ".b" * 20_000,
    "long": "a = " * 10_000 + "1",
    "with": "with " + "a, " * 15_000 + "a: pass",
    "nul": "x = 1\0",
    "surrogate": "x = '\ud800'",
    "large number": f"x = 0x{'f' * 40_000}",
    "huge": "x = 1\n" * 2_000_000,
    "no python": "this is no python",
}


@pytest.mark.parametrize("name", HOSTILE_CODE)
def test_no_code_stops_the_report(name: str) -> None:
    begun = time.monotonic()
    assert found(*honest(), job("eve", work("disguised"), HOSTILE_CODE[name])) == [("ada", "eve")]
    assert time.monotonic() - begun < 30


@pytest.fixture
def pairs() -> Iterable[Pair]:
    named = "=" + HOSTILE
    return alike([*honest(), job(named, work("disguised") + f"\n# {HOSTILE}", id="eve")], EXERCISES)


def test_the_table_has_a_row_a_pair_and_no_formula(pairs: list[Pair], tmp_path: Path) -> None:
    with write_similarity(pairs, tmp_path).open(encoding="utf-8-sig", newline="") as file:
        [row] = csv.DictReader(file)
    assert (row["student"], row["id"], row["other id"]) == ("ada", "ada", "eve")
    assert row["other student"].startswith("'=<script>") and float(row["percent in common"]) > 90


def test_the_page_shows_both_sides_and_runs_nothing(pairs: list[Pair], tmp_path: Path) -> None:
    page = write_similar(pairs, tmp_path).read_text(encoding="utf-8")
    assert "def patient(send, attempts=5):" in page and "def patient(send, attempts: int = 5):" in page
    assert "<script" not in page and "&lt;script&gt;" in page and "\u202e" not in page
    assert page.count('class="same"') > 40


@pytest.mark.parametrize(
    ("count", "said"), [(None, ""), (0, "No two submissions stand out"), (2, '<a href="similarity.html">2 pairs')]
)
def test_the_overview_links_to_the_page(count: Any, said: str, tmp_path: Path) -> None:
    overview = write_pages([submission("ada")], tmp_path, alike=count).read_text(encoding="utf-8")
    assert said in overview and ("similarity" in overview) == bool(count)


def test_without_a_pair_the_page_says_so(tmp_path: Path) -> None:
    assert "No two students" in write_similar([], tmp_path).read_text(encoding="utf-8")
