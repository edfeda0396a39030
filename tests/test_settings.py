from __future__ import annotations

import re
from pathlib import Path

import pytest

from labkit.errors import SettingsError
from labkit.secret import Secret
from labkit.settings import Settings, find_dotenv, load, read_dotenv


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def dotenv(folder: Path, text: str) -> Path:
    path = folder / ".env"
    path.write_text(text, encoding="utf-8")
    return path


def complaint(**overrides: object) -> str:
    with pytest.raises(SettingsError) as caught:
        load(**overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_defaults_are_local_with_a_budget_of_one_dollar(folder: Path) -> None:
    settings = load()
    assert (settings.live, settings.budget_usd, settings.seed, settings.idle_minutes) == ((), 1.0, None, 30.0)


def test_call_wins_over_environment_over_dotenv(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dotenv(folder, "LABKIT_SEED=1\nLABKIT_PORT=7001\nLABKIT_LIVE=gemini")
    monkeypatch.setenv("LABKIT_SEED", "2")
    monkeypatch.setenv("LABKIT_PORT", "")  # empty counts as absent
    settings = load(live=["openai"])
    assert (settings.live, settings.seed, settings.port) == (("openai",), 2, 7001)


def test_dotenv_is_found_from_below(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = dotenv(folder, "LABKIT_SEED=5")
    below = folder / "notebooks" / "deep"
    below.mkdir(parents=True)
    (below / ".env").mkdir()  # a virtual environment of that name is no settings file
    monkeypatch.chdir(below)
    assert find_dotenv(Path.cwd()) == path
    assert load().seed == 5


@pytest.mark.parametrize("value", ["openai,anthropic", " OpenAI , anthropic,", "openai,openai,anthropic"])
def test_live_names_are_trimmed_and_counted_once(folder: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("LABKIT_LIVE", value)
    assert load().live == ("openai", "anthropic")


def test_unknown_provider_names_the_one_that_is_meant(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_LIVE", "openai,antropic")
    message = complaint()
    assert "LABKIT_LIVE in the environment" in message
    assert "'antropic' is not a provider (did you mean 'anthropic'?)" in message


@pytest.mark.parametrize("value", ["abc", "-1", "nan", "inf", "$1"])
def test_budget_that_is_no_amount_is_refused(folder: Path, value: str) -> None:
    path = dotenv(folder, f"LABKIT_BUDGET_USD={value}")
    wanted = "it must be an amount in US dollars, zero or more, such as 1 or 0.25."
    assert complaint() == f"LABKIT_BUDGET_USD in {path} is {value!r}: {wanted}"


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "70000"), ("PORT", "0"), ("IDLE_MINUTES", "0"), ("SEED", "x"), ("SERVER_URL", "localhost:1")],
)
def test_other_bad_values_name_their_variable(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"LABKIT_{name}", value)
    assert complaint().startswith(f"LABKIT_{name} in the environment is {value!r}: it must be ")


def test_key_that_is_no_lab_key_is_refused_without_showing_it(folder: Path) -> None:
    message = complaint(key="sk-proj-very-secret")
    assert "secret" not in message
    assert "begins with lab-" in message


@pytest.mark.parametrize(
    ("text", "line"),
    [("A=1\n\n\nthis oops\nB=2", 4), ("A=1\nB='oops\nC=3", 2), ("OOPS", 1), ("=sk-oops", 1)],
)
def test_broken_dotenv_line_is_named_by_number_and_not_quoted(folder: Path, text: str, line: int) -> None:
    path = dotenv(folder, text)
    message = complaint()
    assert message.startswith(f"{path}, line {line} is not NAME=value")
    assert "oops" not in message.lower()


def test_dotenv_with_byte_order_mark_is_read_and_utf_16_is_refused(folder: Path) -> None:
    path = folder / ".env"
    path.write_bytes(b"\xef\xbb\xbfLABKIT_SEED=3\n")
    assert load().seed == 3
    path.write_bytes("LABKIT_SEED=3".encode("utf-16"))
    assert "not UTF-8" in complaint()


def test_provider_keys_of_dotenv_are_kept_apart_and_masked(folder: Path) -> None:
    dotenv(folder, "OPENAI_API_KEY=sk-proj-abcdefghijkl\nGEMINI_API_KEY=\n")
    settings = load()
    assert settings.from_dotenv("OPENAI_API_KEY") == Secret("sk-proj-abcdefghijkl")
    assert settings.from_dotenv("GEMINI_API_KEY") is None
    assert "abcdef" not in repr(settings) + str(settings) + repr(vars(settings)) + repr(settings._dotenv)


@pytest.mark.parametrize(("name", "meant"), [("LABKIT_LIV", "LABKIT_LIVE"), ("LABKIT_GRADNG", "LABKIT_GRADING")])
def test_misspelled_name_is_told_and_the_known_ones_are_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setenv(meant, "")
    monkeypatch.setenv(name, "x")
    told = f"{name} in the environment is no setting of labkit, so it changes nothing: did you mean {meant}?"
    assert load().notices == (told,)


def test_unknown_name_in_dotenv_lists_the_settings(folder: Path) -> None:
    path = dotenv(folder, "LABKIT_ZZZ=1\nLABKIT_SEED=3\n")
    (notice,) = load().notices
    assert notice.startswith(f"LABKIT_ZZZ in {path} ") and "LABKIT_SEED, " in notice


def test_every_variable_that_the_package_reads_is_a_known_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = Path(__file__).parent.parent / "labkit"
    names = {n for file in package.rglob("*.py") for n in re.findall(r'"(LABKIT_[A-Z_]+)"', file.read_text("utf-8"))}
    assert {"LABKIT_GRADING", "LABKIT_CHECKS", "LABKIT_SESSION_URL"} <= names
    for name in names:
        monkeypatch.setenv(name, "")
    assert load().notices == ()


def test_example_file_names_only_settings_that_exist_and_is_valid_uncommented() -> None:
    example = Path(__file__).parent.parent / ".env.example"
    lines = [
        line.removeprefix("#") for line in example.read_text().splitlines() if line.startswith(("#LABKIT_", "LAB"))
    ]
    fields = {line.partition("=")[0].removeprefix("LABKIT_").lower() for line in lines}
    assert fields == set(Settings.model_fields)
    assert read_dotenv(example) == {}
