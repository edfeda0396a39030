"""`start()`: local by default, live by choice, keys never shown, everything given back."""

from __future__ import annotations

import dataclasses
import os
import pickle
import re
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit import session as session_module
from labkit.errors import ControlError, MissingKey, NotStarted, ServerError, SettingsError
from labkit.providers import PROVIDERS

REAL = "sk-proj-aaaabbbbcccc9XyZ"
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.fixture(autouse=True)
def _shared_server(lab_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sessions of this file use the test run's own server, from an empty folder, and end with the test."""
    monkeypatch.setenv("LABKIT_SERVER_URL", lab_server.url)
    monkeypatch.chdir(tmp_path)
    yield
    if session_module._current is not None:
        session_module._current.close()


def test_openai_quick_start_needs_no_argument() -> None:
    from openai import OpenAI

    lk.start(quiet=True)
    with OpenAI() as client:
        answer = client.chat.completions.create(model=lk.model("openai", "small"), messages=QUESTION)
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"


def test_openai_module_client_is_not_confused_by_azures_variables() -> None:
    script = (
        "import labkit as lk; lk.start(quiet=True); import openai;"
        "print(openai.models.list().data[0].id, openai.AzureOpenAI().base_url)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert "127.0.0.1" in done.stdout


def test_azure_quick_start_needs_no_argument() -> None:
    from openai import AzureOpenAI

    lk.start(quiet=True)
    with AzureOpenAI() as client:
        answer = client.chat.completions.create(model=lk.model("openai", "small"), messages=QUESTION)
    assert answer.choices[0].message.content
    assert lk.lab.last()["provider"] == "azure"


def test_bedrock_quick_start_needs_no_argument() -> None:
    import boto3

    lk.start(quiet=True)
    asked = [{"role": "user", "content": [{"text": "What is the capital of France?"}]}]
    answer = boto3.client("bedrock-runtime").converse(modelId=lk.model("bedrock", "small"), messages=asked)
    assert answer["output"]["message"]["content"][0]["text"]
    assert lk.lab.last()["provider"] == "bedrock"


def test_bedrock_follows_a_second_start_in_the_same_process() -> None:
    import boto3

    asked = [{"role": "user", "content": [{"text": "What is the capital of France?"}]}]
    for _ in range(2):
        lk.start(quiet=True)
        boto3.client("bedrock-runtime").converse(modelId=lk.model("bedrock", "small"), messages=asked)
        assert len(lk.lab.entries(provider="bedrock")) == 1


def test_anthropic_quick_start_needs_no_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    from anthropic import Anthropic

    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "would-be-sent-too")
    lk.start(quiet=True)
    with Anthropic() as client:
        answer = client.messages.create(model=lk.model("anthropic", "small"), max_tokens=100, messages=QUESTION)
    assert answer.content[0].text
    assert "would-be" not in str(lk.lab.last()["wire"]["request"]["headers"])


def test_gemini_quick_start_needs_no_argument_and_warns_of_nothing(caplog: pytest.LogCaptureFixture) -> None:
    from google import genai

    lk.start(quiet=True)
    client = genai.Client()
    answer = client.models.generate_content(
        model=lk.model("gemini", "small"), contents="What is the capital of France?"
    )
    client.close()
    assert answer.text
    assert "API_KEY" not in caplog.text


def test_all_clients_of_a_session_are_one_tenant() -> None:
    import httpx

    session = lk.start(quiet=True)
    bearer = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
    httpx.get(f"{os.environ['OPENAI_BASE_URL']}/models", headers=bearer).raise_for_status()
    goog = {"x-goog-api-key": os.environ["GEMINI_API_KEY"]}
    httpx.get(f"{os.environ['GOOGLE_GEMINI_BASE_URL']}/v1/models", headers=goog).raise_for_status()
    assert [entry["provider"] for entry in lk.lab.entries()] == ["openai", "gemini"]
    assert re.fullmatch(r"lab-[0-9a-f]{16}", session.key)


def test_real_key_in_the_environment_is_set_aside_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", REAL)
    monkeypatch.setenv("OPENAI_BASE_URL", "https://gateway.example.org/v1")
    with lk.start(quiet=True) as session:
        assert os.environ["OPENAI_API_KEY"] == session.key
        assert os.environ["OPENAI_BASE_URL"] == f"{session.url}/v1"
    assert os.environ["OPENAI_API_KEY"] == REAL
    assert os.environ["OPENAI_BASE_URL"] == "https://gateway.example.org/v1"
    with pytest.raises(NotStarted, match=r"lk\.start\(\)"):
        lk.current()


def test_no_variable_is_left_behind() -> None:
    before = {name: value for name, value in os.environ.items() if name != "TIKTOKEN_CACHE_DIR"}
    lk.start(quiet=True)
    lk.start(seed=3, quiet=True).close()
    assert {name: value for name, value in os.environ.items() if name != "TIKTOKEN_CACHE_DIR"} == before


def test_provider_that_goes_live_gets_the_users_values_and_the_others_stay_local(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", REAL)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-mine")
    lk.start(quiet=True)
    assert "OPENAI_ORG_ID" not in os.environ
    session = lk.start(live=["openai"], quiet=True)
    assert (os.environ["OPENAI_API_KEY"], os.environ["OPENAI_ORG_ID"]) == (REAL, "org-mine")
    assert "OPENAI_BASE_URL" not in os.environ
    assert os.environ["ANTHROPIC_API_KEY"] == session.key


def test_live_key_may_come_from_dotenv(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY={REAL}\nLABKIT_LIVE=openai\n")
    with lk.start(quiet=True) as session:
        assert os.environ["OPENAI_API_KEY"] == REAL
        assert session.live == ("openai",)
    assert "OPENAI_API_KEY" not in os.environ


@pytest.mark.parametrize("provider", PROVIDERS)
def test_live_without_a_key_fails_fast_naming_variable_fix_and_way_back(provider: str) -> None:
    before = dict(os.environ)
    with pytest.raises(MissingKey) as caught:
        lk.start(live=[provider], quiet=True)
    name = PROVIDERS[provider].keys[0]
    assert caught.value.name == name
    assert f"add the line {name}=..." in str(caught.value)
    assert "stay local" in str(caught.value)
    assert dict(os.environ) == before


def test_lab_key_inherited_from_a_parent_is_no_live_key() -> None:
    lk.start(quiet=True)
    script = "import labkit as lk; lk.start(live=['openai'], quiet=True)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert "MissingKey" in done.stderr


def traceback_with_locals(session: session_module.Session, **refused: object) -> str:
    with pytest.raises((ControlError, ServerError)) as caught:
        session.configure(**refused)
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    return "".join(frames.format())


def test_keys_show_in_no_repr_status_or_traceback(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", REAL)
    session = lk.start(live=["openai"])
    shown = [repr(session), str(session), str(session.status), session.status._repr_html_(), capsys.readouterr().out]
    shown += [repr(session_module._environment), repr(session.settings), repr(session._server)]
    shown += [traceback_with_locals(session, pace="fast")]
    session._server = dataclasses.replace(session._server, url="http://127.0.0.1:9")
    shown += [traceback_with_locals(session, pace=1)]
    assert not [text for text in shown if REAL in text or session.key in text]
    assert "sk-…9XyZ" in str(session.status)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(session._key)


def test_status_table_is_printed_in_a_script_and_says_what_is_live(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", REAL)
    session = lk.start(live="gemini", seed=7)
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert lk.model("openai", "small") in rows["OpenAI"]
    assert "local" in rows["Anthropic"]
    assert "live" in rows["Gemini"]
    assert "generativelanguage" in rows["Gemini"]
    assert all(part in rows["lab"] for part in (session.url, "seed 7", lk.__version__, "litellm", "budget $1.00"))


def test_status_table_as_html_escapes_and_brings_no_colours_of_a_theme() -> None:
    from labkit.status import ProviderStatus, StatusTable

    html = StatusTable([ProviderStatus("<b>", True, "u", "m", "k")], "a & b", ["<i>"])._repr_html_()
    assert "&lt;b&gt;" in html
    assert "a &amp; b" in html
    assert "&lt;i&gt;" in html
    assert not re.search(r"background|(?<!-)\bcolor:|<link|class=", html)


def test_seeded_sessions_repeat_and_unseeded_ones_need_not() -> None:
    from openai import OpenAI

    def ask() -> list[str]:
        with OpenAI() as client:
            request = {"model": lk.model("openai", "sampling"), "messages": QUESTION, "temperature": 2.0, "n": 4}
            return [choice.message.content for choice in client.chat.completions.create(**request).choices]

    texts = []
    for seed in (7, 7, None, None):
        lk.start(seed=seed, quiet=True)
        texts.append(ask())
    assert texts[0] == texts[1]
    assert texts[2] != texts[3]


def test_key_may_be_given_to_share_a_tenant(lab_server: Any) -> None:
    key = lab_server.key()
    lk.start(key=key, seed=3, quiet=True)
    lk.lab.pace(0.5)
    assert lk.start(key=key, quiet=True).key == key
    assert lk.lab.pace() == 0.5


def test_key_that_the_server_does_not_admit_is_explained(
    listed_keys_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABKIT_SERVER_URL", listed_keys_server)
    with pytest.raises(SettingsError, match="LABKIT_KEY"):
        lk.start(quiet=True)
    assert lk.start(key="lab-listed", quiet=True).key == "lab-listed"


def test_proxy_is_never_asked_for_the_lab_server(monkeypatch: pytest.MonkeyPatch) -> None:
    from openai import OpenAI

    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    lk.start(quiet=True)
    with OpenAI(max_retries=0) as client:
        assert client.models.list().data


@pytest.fixture
def listed_keys_server(tmp_path: Path, kill: Callable[[int], None]) -> Iterator[str]:
    """A lab server that admits one key only, as a class would run it."""
    (tmp_path / "keys.txt").write_text("lab-listed\n")
    command = [sys.executable, "-m", "labkit", "serve", "--port", "0", "--keys", str(tmp_path / "keys.txt")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        kill(process.pid)


def test_a_second_start_keeps_key_and_clients_and_forgets_the_rest(lab_home):
    import openai

    session = lk.start(seed=7, quiet=True)
    ask = {
        "model": lk.model("openai", "sampling"),
        "messages": [{"role": "user", "content": "Write a haiku about rain."}],
    }
    with openai.OpenAI() as client:
        first = client.chat.completions.create(**ask).choices[0].message.content
        session.configure(pace=1.0, limits={"requests_per_minute": 5})
        again = lk.start(seed=7, quiet=True)
        assert (again.key, again.url) == (session.key, session.url)
        described = again.control("GET", "tenant")
        assert described["pace"] == 0 and described["limits"]["requests_per_minute"] > 5
        assert client.chat.completions.create(**ask).choices[0].message.content == first
        assert len(lk.lab.entries()) == 1
