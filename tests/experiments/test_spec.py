"""A sweep written down: what a file may say, and what is said of one that cannot be run."""

from __future__ import annotations

from pathlib import Path

import pytest

import labkit as lk
from labkit.experiments.spec import SpecError, load_spec

pytestmark = pytest.mark.usefixtures("session")

WHOLE = """\
name = "whole"
models = ["openai:sampling", "anthropic:sampling"]
repeats = 2
seed = 3
budget = 0.5
metrics = ["words", "distinct_2"]

[prompts]
api = "What is an API?"
turns = [{ role = "system", content = "Be brief." }, { role = "user", content = "Hi" }]

[parameters]
temperature = [0.0, 0.9]
max_tokens = 20
stop = ["END"]

[[judge]]
rubric = "Is it short?"
"""


def spec(folder: Path, text: str) -> Path:
    path = folder / "spec.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_whole_spec_is_the_sweep_that_it_describes(tmp_path: Path) -> None:
    planned = load_spec(spec(tmp_path, WHOLE))
    assert (planned.name, len(planned.grid), planned.grid.seed) == ("whole", 2 * 2 * 2 * 2, 3)
    assert planned.grid.axes == {"temperature": (0.0, 0.9), "max_tokens": (20,)}
    frame = planned.run()
    assert frame["error"].isna().all() and {"words", "distinct_2", "score"} <= set(frame.columns)
    assert set(frame["prompt_id"]) == {"api", "turns"}


def test_the_least_spec_has_a_prompt_and_is_named_after_its_file(tmp_path: Path) -> None:
    planned = load_spec(spec(tmp_path, 'prompts = "Hi"'))
    assert (planned.name, len(planned.grid)) == ("spec", 1)


@pytest.mark.parametrize(("name", "text"), [("q.txt", "One?\n\nTwo?\n"), ("q.json", '{"a": "One?", "b": "Two?"}')])
def test_prompts_may_lie_in_a_file_beside_it(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    planned = load_spec(spec(tmp_path, f'prompts_file = "{name}"'))
    assert [prompt.text for prompt in planned.grid.prompts] == ["One?", "Two?"]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('prompts = "Hi"\nrepeat = 3', 2, "repeat is no field of a sweep; did you mean repeats?"),
        ('prompts = "Hi"\nrepeats = "3"', 2, "repeats must be a whole number, and is '3'"),
        ('prompts = "Hi"\nrepeats = true', 2, "repeats must be a whole number"),
        ('prompts = "Hi"\ntemperature = 1', 2, "stands under [parameters]"),
        ('prompts = "Hi"\n\n[parameters]\ntemp = 1', 4, "did you mean temperature?"),
        ('prompts = "Hi"\n[parameters]\ntop_p = "x"', 3, "parameters.top_p must be a number or"),
        ('prompts = "Hi"\n[parameters]\ntemperature = []', 3, "leaves nothing to ask"),
        ('prompts = "Hi"\nrepeats = 0', 2, "at least once"),
        ('prompts = "Hi"\nrepeats = ', 2, "is no TOML"),
        ('name = "x"', None, "either prompts or prompts_file"),
        ('prompts_file = "none.txt"', 1, "cannot be read"),
        ('prompts = "Hi"\nmodels = "no-such-model"', 2, "no-such-model"),
        ('prompts = "Hi"\nmodels = "openai:samplin"', 2, "did you mean sampling or small?"),
        ('prompts = "Hi"\nmetrics = ["wrds"]', 2, "'wrds' is no metric"),
        ('prompts = "Hi"\n[[judge]]\nlow = 1', 2, "needs a rubric"),
    ],
)
def test_what_cannot_be_run_names_file_line_and_field(tmp_path: Path, text: str, line: int | None, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_spec(spec(tmp_path, text))
    assert said in str(caught.value) and str(caught.value).startswith("spec.toml")
    assert caught.value.line == line


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"none.toml: cannot be read \(No such file"):
        load_spec(tmp_path / "none.toml")


def test_the_example_of_the_module_is_a_spec(tmp_path: Path) -> None:
    from labkit.experiments import spec as module

    example = "\n".join(line[4:] for line in (module.__doc__ or "").splitlines() if line.startswith("    "))
    planned = load_spec(spec(tmp_path, example.replace('"temperature"', '"example"')))
    assert len(planned.grid) == 2 * 2 * 3 * 5 and lk.lab.entries() == []
