from random import Random

import pytest

from labkit.engine.source import SourceError, read_folders, read_text
from labkit.engine.template import fill, sample

GOOD = """
# A title, and words for the reader.

## greet
> Hello
> Hi $name

Hello{!|.}
---
Hi.

### when: terse
Hi.

### when: terse after: greet
Again.

## code
> Show code
```python
## no heading
---
x = {1: 2}
```
"""


def test_read_intents_examples_and_variants():
    greet, code = read_text(GOOD)
    assert [e.text for e in greet.examples] == ["Hello", "Hi $name"]
    assert greet.slots == {"name"}
    assert [sorted(v.when) for v in greet.variants] == [[], ["terse"], ["after greet", "terse"]]
    assert code.name == "code"


def test_read_code_fence_is_text():
    code = read_text(GOOD)[1]
    assert sample(code.variants[0].template, Random(0)) == "```python\n## no heading\n---\nx = {1: 2}\n```"


def test_read_divider_weight():
    intent = read_text("## a\n> A\nx\n--- @99\ny\n")[0]
    assert [sample(intent.variants[0].template, Random(n)) for n in range(20)].count("y") > 15


def test_read_backslash_joins_lines():
    intent = read_text("## a\n> A\none {two|\\\ntwo}\\\n three\n")[0]
    assert sample(intent.variants[0].template, Random(0)) == "one two three"


def test_table_is_looked_up():
    intent = read_text(
        "## a\n> Capital of $land\n\n| land | city |\n|---|---|\n| the UK / Britain | London |\n$land: $city\n"
    )[0]
    assert intent.table.lookup({"land": "britain?"}) == {"land": "the UK", "city": "London"}
    assert intent.table.lookup({"land": "Mars"}) is None
    assert sample(fill(intent.variants[0].template, {"land": "x", "city": "y"}), Random(0)) == "x: y"


@pytest.mark.parametrize(
    ("source", "line", "said"),
    [
        ("## Bad Name\n> x\ny\n", 1, "intent name"),
        ("## a\n> x\n", 1, "no answer"),
        ("## a\n> x\none {two\n", 3, "never closed"),
        ("## a\n> x\ny\n### when: loud\nz\n", 4, "unknown condition 'loud'"),
        ("## a\n> x\ny\n### sometimes\nz\n", 4, "no condition"),
        ("## a\n> x\ny\n### when: terse\n", 4, "without an answer"),
        ("## a\n> x\n```\ny\n", 4, "still open"),
        ("## a\n> x\ny\n\n## a\n> x\ny\n", 5, "twice"),
        ("## a\n> $b\n| b | c |\n|---|---|\n| 1 |\ny\n", 5, "cells"),
        ("## a\nskill: dance\n> x\ny\n", 1, "unknown skill"),
        ("## a\n> x\ny @3\n", 3, "weight at the end"),
    ],
)
def test_bad_source_names_file_line_and_fix(source, line, said):
    with pytest.raises(SourceError, match=f"own.md, line {line}: .*{said}.*Fix: ") as caught:
        read_text(source, "own.md")
    assert (caught.value.file, caught.value.line) == ("own.md", line)


def test_later_folder_replaces_an_intent(tmp_path):
    for name, answer in (("first", "one"), ("second", "two")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.md").write_text(f"## a\n> x\n{answer}\n", encoding="utf-8")
    (intent,) = read_folders([tmp_path / "first", tmp_path / "second"])
    assert sample(intent.variants[0].template, Random(0)) == "two"
