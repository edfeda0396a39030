"""An engine of somebody's package: the one of the README, installed as a distribution, chats through the real SDK."""

import os
import re
import subprocess
import sys
from pathlib import Path

import openai
import pytest

import labkit.engine
from labkit import registry
from labkit.engine.installed import EngineError, load

PAGE = Path(labkit.engine.__file__).with_name("README.md").read_text(encoding="utf-8")
SERVE = [sys.executable, "-m", "labkit.server", "--port", "0"]


def shown(language, first):
    """The code of the page that begins so."""
    return re.search(rf"```{language}\n({re.escape(first)}.*?)```", PAGE, re.DOTALL)[1]


def install(folder, name, module, source):
    """A distribution as installers leave it: the module, and its .dist-info with metadata and entry points."""
    (folder / f"{module}.py").write_text(source, encoding="utf-8")
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[labkit.engines]\n{name}\n")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    entry = re.search(r'labkit.engines"\]\n(.*)\n', shown("toml", "[project]"))[1].replace('"', "")
    install(folder, entry, "bigrams", shown("python", '"""An engine that goes on'))
    install(folder, "broken = nowhere:Engine", "broken", "")
    install(folder, "empty = empty:Engine", "empty", "class Engine:\n    name = 'empty'\n")
    return folder


@pytest.fixture(scope="module")
def url(site):
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [*SERVE, "--engine", "bigrams"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        yield process.stdout.readline().strip().rsplit(" ", 1)[-1]
        process.terminate()


@pytest.fixture
def client(url):
    with openai.OpenAI(api_key="lab-guest", base_url=f"{url}/v1") as client:
        yield client


def ask(client, said, **params):
    model = registry.model("openai", "sampling")
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": said}], **params)


def test_it_answers_through_the_sdk(client):
    answer = ask(client, "Tell me about the sea", temperature=0, max_completion_tokens=4)
    assert answer.choices[0].message.content == " is long. A"
    assert answer.usage.completion_tokens == 4


def test_its_distribution_is_what_is_sampled_and_reported(client):
    answer = ask(client, "sea", temperature=1, max_completion_tokens=1, logprobs=True, top_logprobs=3, n=40, seed=4)
    top = answer.choices[0].logprobs.content[0].top_logprobs
    assert {t.token for t in top} == {" is", " ends", "!"} and top[0].logprob == pytest.approx(-0.4065, abs=1e-3)
    drawn = [choice.message.content for choice in answer.choices]
    assert set(drawn) == {" is", " ends"} and 20 <= drawn.count(" is") <= 36


def test_it_streams_and_stops(client):
    chunks = ask(client, "the sea", temperature=0, stop=["A"], stream=True)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == " is long. "


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bigrms", "No engine is called 'bigrms'. Installed: embedded"),
        ("broken", "(package broken 1.0) cannot be loaded from nowhere:Engine: ModuleNotFoundError"),
        ("empty", "(package empty 1.0) from empty:Engine has no vocabulary and no open and no think"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(site, name, said):
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run([*SERVE, "--engine", name], capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr


def test_relay_and_engine_exclude_each_other():
    command = [*SERVE, "--engine", "embedded", "--relay", "http://127.0.0.1:1/v1", "--relay-model", "m"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "leave out --engine" in done.stderr


def test_an_unknown_name_lists_the_engines():
    with pytest.raises(EngineError, match=r"Installed: embedded.*labkit\.engines"):
        load("nobody")
