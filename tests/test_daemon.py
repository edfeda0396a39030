"""The lab server as a process: started once, found again, replaced when it is dead, hung or somebody else's."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from labkit import daemon
from labkit.errors import ServerError, SettingsError
from labkit.settings import Settings, load
from labkit.state import StateFolder, state_folder

READY_SECONDS = 2.0

Kill = Callable[[int], None]

FIND = "from labkit import daemon, settings; i = daemon.ensure_running(settings.load()); print(i.pid, i.url)"


def forge_state(home: Path, **changes: object) -> dict[str, object]:
    """Rewrite the state file with something else in it."""
    state = json.loads((home / "server.json").read_text()) | changes
    (home / "server.json").write_text(json.dumps(state))
    return state


def test_server_is_ready_after_two_seconds_of_a_processor(lab_home: Path) -> None:
    used = psutil.Process(daemon.ensure_running(load()).pid).cpu_times()
    assert used.user + used.system < READY_SECONDS  # not by the clock: the machine may have much else to do


def test_running_server_is_found_again(lab_home: Path) -> None:
    first = daemon.ensure_running(load())
    assert daemon.ensure_running(load()) == daemon.status(load()) == first
    assert daemon.health(first)["pid"] == first.pid


def test_server_is_nobodys_child_and_in_a_session_of_its_own(lab_home: Path) -> None:
    info = daemon.ensure_running(load())
    assert info.pid not in [child.pid for child in psutil.Process().children(recursive=True)]
    if os.name == "posix":
        assert os.getsid(info.pid) != os.getsid(0)


def test_two_processes_that_start_at_once_get_the_same_server(lab_home: Path) -> None:
    command = [sys.executable, "-c", FIND]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    answers = {process.communicate(timeout=60)[0] for process in processes}
    assert len(answers) == 1
    pid = int(answers.pop().split()[0])
    servers = [
        p for p in psutil.process_iter(["cmdline"]) if str(lab_home / "server.json") in (p.info["cmdline"] or [])
    ]
    assert [p.pid for p in servers] == [pid]


def test_server_survives_the_process_that_started_it_and_its_group(lab_home: Path) -> None:
    script = f"{FIND}; import sys; sys.stdout.flush(); import os, signal; os.killpg(0, signal.SIGKILL)"
    command = [sys.executable, "-c", script]
    starter = subprocess.run(command, capture_output=True, text=True, start_new_session=True, timeout=60)
    assert starter.returncode == -signal.SIGKILL
    assert daemon.status(load()).pid == int(starter.stdout.split()[0])


def test_no_provider_key_reaches_the_server_process(lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-real")
    info = daemon.ensure_running(load())
    assert "OPENAI_API_KEY" not in psutil.Process(info.pid).environ()
    assert info.admin_key.reveal() not in " ".join(psutil.Process(info.pid).cmdline())


def test_killed_server_is_replaced_on_the_port_that_is_asked_for(lab_home: Path, kill: Kill) -> None:
    first = daemon.ensure_running(load())
    kill(first.pid)
    second = daemon.ensure_running(load(), port=first.address[1])
    assert second.url == first.url
    assert second.pid != first.pid


def test_taken_port_of_a_dead_server_gives_way_to_a_free_one(lab_home: Path, kill: Kill) -> None:
    first = daemon.ensure_running(load())
    kill(first.pid)
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(first.address)
        squatter.listen()
        second = daemon.ensure_running(load(), port=first.address[1])
    assert second.url != first.url
    assert daemon.health(second)


@pytest.mark.skipif(os.name == "nt", reason="needs SIGSTOP")
def test_hung_server_is_killed_and_replaced(lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "PROMPT_SECONDS", 0.2)
    monkeypatch.setattr(daemon, "PATIENCE_SECONDS", 0.4)
    first = daemon.ensure_running(load())
    os.kill(first.pid, signal.SIGSTOP)
    assert daemon.health(first, timeout=0.3) is None
    second = daemon.ensure_running(load())
    assert second.pid != first.pid
    assert not daemon.runs(first.pid)


def test_process_id_that_is_somebody_elses_by_now_is_left_alone(lab_home: Path, kill: Kill) -> None:
    first = daemon.ensure_running(load())
    kill(first.pid)
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        forge_state(lab_home, pid=bystander.pid)
        assert daemon.ensure_running(load()).pid != bystander.pid
        assert bystander.poll() is None
    finally:
        bystander.communicate(b"\n", timeout=10)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"url": "x"}', '{"url":"http://127.0.0.1:1","pid":"x","admin_key":1}']
)
def test_state_file_without_sense_counts_as_none(lab_home: Path, text: str) -> None:
    (lab_home / "server.json").write_text(text)
    assert daemon.read_state(StateFolder(lab_home)) is None
    assert daemon.status(load()) is None


def test_busy_server_of_another_version_stays_and_a_notice_says_so(lab_home: Path) -> None:
    first = daemon.ensure_running(load())
    forge_state(lab_home, version="0.0.1")
    second = daemon.ensure_running(load())
    assert second.pid == first.pid
    assert "labkit 0.0.1" in second.notices[0]
    assert "`labkit stop`" in second.notices[0]


def test_server_with_another_engine_is_started_again_where_it_was(lab_home: Path) -> None:
    first = daemon.ensure_running(load(engine="embedded"))
    assert daemon.ensure_running(load(engine="embedded")).pid == daemon.ensure_running(load()).pid == first.pid
    forge_state(lab_home, engine="another")
    second = daemon.ensure_running(load(engine="embedded"))
    assert (second.url, second.engine) == (first.url, "embedded") and second.pid != first.pid
    assert "started again with the engine 'embedded'" in second.notices[0]


def test_unknown_engine_is_one_sentence(lab_home: Path) -> None:
    with pytest.raises(ServerError, match="No engine is called 'nobody'. Installed: embedded"):
        daemon.ensure_running(load(engine="nobody"))


def test_port_in_use_is_one_sentence(lab_home: Path) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        with pytest.raises(ServerError, match=rf"{port}.*in use.*port") as caught:
            daemon.ensure_running(Settings(port=port))
    assert "\n" not in str(caught.value)
    assert Path(str(caught.value.log)).is_file()


def test_stop_ends_the_server_and_forgets_it(lab_home: Path) -> None:
    info = daemon.ensure_running(load())
    assert daemon.stop(load()) == info
    assert not daemon.runs(info.pid)
    assert daemon.status(load()) is None
    assert daemon.stop(load()) is None


def test_server_ends_by_itself_when_idle(lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_IDLE_MINUTES", "0.005")
    info = daemon.ensure_running(load())
    deadline = time.monotonic() + 15
    while daemon.runs(info.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not daemon.runs(info.pid)


def test_server_of_somebody_else_is_used_and_never_started(lab_server: Any, lab_home: Path) -> None:
    info = daemon.ensure_running(Settings(server_url=lab_server.url))
    assert (info.url, bool(info.admin_key)) == (lab_server.url, False)
    with pytest.raises(ServerError, match="LABKIT_SERVER_URL"):
        daemon.ensure_running(Settings(server_url="http://127.0.0.1:9"))
    assert not (lab_home / "server.json").exists()


def test_unwritable_home_falls_back_to_a_private_folder_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = state_folder(tmp_path / "file" / "home")
    assert folder.path.parent == tmp_path
    assert "cannot be written" in folder.notice
    assert str(folder.path) in folder.notice
    if os.name == "posix":
        assert folder.path.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.name == "nt", reason="permission bits")
def test_fallback_folder_that_others_can_read_or_that_is_a_link_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fallback = tmp_path / f"labkit-{os.getuid()}"
    fallback.mkdir(mode=0o755)
    with pytest.raises(SettingsError, match="readable by other users"):
        state_folder(tmp_path / "file")
    fallback.rmdir()
    fallback.symlink_to(tmp_path)
    with pytest.raises(SettingsError, match="not a folder"):
        state_folder(tmp_path / "file")


def test_a_second_start_brings_a_dead_server_back_where_it_was(lab_home: Path, kill: Kill) -> None:
    import openai

    import labkit as lk

    with lk.start(quiet=True) as session, openai.OpenAI(max_retries=0) as client:
        kill(session.control("GET", "health")["pid"])
        again = lk.start(quiet=True)
        assert again.url == session.url
        assert client.models.list().data
        again.close()
