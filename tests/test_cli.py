"""The command line as a user meets it: a process, its output, its exit code."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import labkit
from labkit import daemon, registry
from labkit.cli import COMMANDS
from labkit.settings import load


def labkit_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "labkit", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def serving(lab_home: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "labkit", "serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        if process.poll() is None:
            process.kill()


def test_help_names_every_command_and_what_it_is_for() -> None:
    text = labkit_command("--help").stdout
    assert "..." not in text.partition("Commands:")[2]  # a purpose that was cut
    for command in COMMANDS:
        assert f"\n  {command} " in text
        assert labkit_command(command, "--help").returncode == 0
    assert labkit_command("--version").stdout == f"labkit {labkit.__version__}\n"


def test_serve_prints_one_line_and_ends_cleanly_on_ctrl_c(serving: subprocess.Popen[str], lab_home: Path) -> None:
    line = serving.stdout.readline()
    url = line.split()[-1]
    with urllib.request.urlopen(f"{url}/lab/v1/health", timeout=10) as answer:
        assert answer.status == 200
    serving.send_signal(signal.SIGINT)
    rest, complaint = serving.communicate(timeout=20)
    assert (serving.returncode, rest, complaint) == (0, "", "")
    assert not (lab_home / "server.json").exists()


def test_notebooks_use_the_server_that_serve_runs(serving: subprocess.Popen[str]) -> None:
    url = serving.stdout.readline().split()[-1]
    assert daemon.ensure_running(load()).url == url
    assert labkit_command("stop").stdout == f"Stopped the lab server at {url}.\n"
    assert serving.wait(timeout=20) == 0


def test_serve_beside_a_running_server_leaves_that_one_in_charge(lab_home: Path) -> None:
    first = daemon.ensure_running(load())
    command = [sys.executable, "-m", "labkit", "serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as second:
        assert first.url not in second.stdout.readline()
        assert f"notebooks use the lab server at {first.url}; for this one" in second.stderr.readline()
        assert daemon.status(load()) == first
        second.send_signal(signal.SIGINT)
    assert daemon.status(load()) == first


def test_serve_on_a_port_in_use_says_so_and_how_to_go_on(lab_home: Path) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = str(squatter.getsockname()[1])
        done = labkit_command("serve", "--port", port)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert port in done.stderr
    assert "--port" in done.stderr


def test_serve_on_an_address_of_another_machine_names_the_host(lab_home: Path) -> None:
    done = labkit_command("serve", "--host", "192.0.2.1")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "--host must be an address of this machine" in done.stderr and "--port" not in done.stderr


@pytest.mark.parametrize(("content", "said"), [(b"# nobody yet\n\n", "holds no key"), (b"\xff\xfe", "not UTF-8")])
def test_serve_with_a_keys_file_that_admits_nobody_is_refused(
    lab_home: Path, tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "keys.txt").write_bytes(content)
    done = labkit_command("serve", "--keys", str(tmp_path / "keys.txt"))
    assert done.returncode == 2
    assert said in done.stderr


def test_serve_passes_on_what_the_server_takes(lab_home: Path) -> None:
    done = labkit_command("serve", "--relay", "http://127.0.0.1:9/v1", "--self-hosted", "off")
    assert done.returncode == 2
    assert done.stderr == "labkit serve: --relay needs --relay-model, the upstream's name of its model.\n"


def test_status_and_stop_with_and_without_a_server(lab_home: Path) -> None:
    idle = labkit_command("status")
    assert (idle.returncode, idle.stdout.startswith("No lab server is running")) == (1, True)
    info = daemon.ensure_running(load())
    busy = labkit_command("status")
    assert busy.returncode == 0
    assert busy.stdout.startswith(f"lab server {info.url}, process {info.pid}, labkit {labkit.__version__}")
    assert info.admin_key.reveal() not in busy.stdout
    assert labkit_command("stop").returncode == 0
    assert labkit_command("stop").stdout == "No lab server was running.\n"


def test_models_of_one_provider(lab_home: Path) -> None:
    lines = labkit_command("models", "anthropic").stdout.splitlines()
    table, legend = lines[1 : lines.index("")], lines[lines.index("") + 2 :]
    assert [line.split()[0] for line in table] == [m.id for m in registry.models("anthropic")]
    assert {m.sampling for m in registry.models(include_retired=True)} == {line.split()[0] for line in legend}
    assert all(line == line.rstrip() for line in lines)


def test_prices_name_their_source(lab_home: Path) -> None:
    done = labkit_command("prices", registry.model("openai", "small"))
    header, row, source = done.stdout.splitlines()
    assert row.split()[0] == registry.model("openai", "small")
    assert source.startswith("USD per million tokens. litellm ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("models", "opnai"), "opnai"),
        (("prices", "no-such-model"), "no-such-model"),
        (("serve", "--keys", "no-such-file"), "no-such-file"),
    ],
)
def test_wrong_argument_is_one_sentence(lab_home: Path, arguments: tuple[str, ...], said: str) -> None:
    done = labkit_command(*arguments)
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr


@pytest.mark.parametrize("command", ["status", "stop", "serve", "doctor"])
def test_bad_setting_is_one_sentence_and_no_traceback(
    lab_home: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("LABKIT_BUDGET_USD", "abc")
    done = labkit_command(command)
    assert done.returncode in (1, 2)
    assert "LABKIT_BUDGET_USD in the environment is 'abc'" in done.stderr + done.stdout


def test_output_cut_short_by_a_pipe_is_no_traceback(lab_home: Path) -> None:
    models = subprocess.Popen(
        [sys.executable, "-m", "labkit", "models"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    models.stdout.close()
    assert b"Traceback" not in models.communicate(timeout=60)[1]


@pytest.mark.skipif(os.name == "nt", reason="the script has another name there")
def test_installed_script_is_the_same_command() -> None:
    script = Path(sys.executable).parent / "labkit"
    done = subprocess.run([str(script), "--version"], capture_output=True, text=True, timeout=60)
    assert done.stdout == f"labkit {labkit.__version__}\n"
