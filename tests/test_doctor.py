"""`labkit doctor`: each thing that can be wrong is made wrong, found, and its fix named."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit import daemon, doctor, registry
from labkit.doctor import Finding
from labkit.settings import Settings, load


def one(check: Callable[[Settings], object], **settings: object) -> Finding:
    """The worst finding of one check."""
    order = ("ok", "warning", "broken")
    return max(check(load(**settings)), key=lambda finding: order.index(finding.level))


@pytest.fixture(autouse=True)
def _home(lab_home: Path) -> None:
    pass


def test_nothing_is_broken_in_the_environment_of_the_tests() -> None:
    findings = doctor.examine()
    assert [str(f) for f in findings if f.level == "broken"] == []
    assert {f.subject for f in findings} >= {
        "Python",
        "SDKs",
        "packages",
        "tokenizer",
        "lab server",
        "Jupyter",
        "proxies",
        "grading",
    }
    assert all(f.fix for f in findings if f.level != "ok")


def test_report_ends_with_the_worst_and_a_count() -> None:
    findings = [Finding("b", "broken", "gone", "mend it"), Finding("a", "ok", "there")]
    assert doctor.report(findings).splitlines() == [
        "ok       a: there",
        "broken   b: gone",
        "         fix: mend it",
        "1 broken, 0 warnings, 1 ok",
    ]


def test_exit_code_is_one_when_something_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-m", "labkit", "doctor"]
    monkeypatch.setenv("LABKIT_LIVE", "openai")
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "add OPENAI_API_KEY=... to .env" in done.stdout


def test_settings_that_cannot_be_read_do_not_hide_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_PORT", "http")
    findings = {finding.subject: finding for finding in doctor.examine()}
    assert findings["settings"].level == "broken"
    assert "LABKIT_PORT" in findings["settings"].detail
    assert findings["Python"].level == "ok"


def test_python_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LOWEST_PYTHON", (9, 0))
    assert one(doctor.python_version).level == "broken"


def test_missing_sdk_names_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "SDKS", ("openai", "no-such-sdk"))
    finding = one(doctor.packages)
    assert finding.level == "broken"
    assert finding.fix.endswith("-m pip install no-such-sdk")


def test_tokenizer_without_rank_files_names_the_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from labkit import tokens

    monkeypatch.setattr(tokens, "encoding", lambda *_: (_ for _ in ()).throw(ConnectionError("no network")))
    finding = one(doctor.tokenizer)
    assert finding.level == "broken"
    assert "unset TIKTOKEN_CACHE_DIR" in finding.fix


def test_state_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    finding = one(doctor.writable_state, home=tmp_path / "file" / "home")
    assert finding.level == "warning"
    assert "LABKIT_HOME" in finding.fix


def test_state_folder_is_changed_where_it_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "file" / "home"))
    assert one(doctor.writable_state).fix.startswith("export LABKIT_HOME=/a/folder/of/yours, or unset LABKIT_HOME")
    monkeypatch.delenv("LABKIT_HOME")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"LABKIT_HOME={tmp_path / 'file' / 'home'}\n")
    assert one(doctor.writable_state).fix.endswith(f" in {tmp_path / '.env'}")


def test_misspelled_setting_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CHECKS", ())
    monkeypatch.setenv("LABKIT_LIV", "openai")
    assert "did you mean LABKIT_LIVE?" in doctor.report(doctor.examine())
    assert doctor.report(doctor.examine()).endswith("0 broken, 1 warning, 1 ok")


def test_lab_server_absent_well_outdated_and_dead(lab_home: Path) -> None:
    assert "none running" in one(doctor.lab_server).detail
    info = daemon.ensure_running(load())
    assert one(doctor.lab_server).detail == f"{info.url} answers; notebooks use it"
    state = json.loads((lab_home / "server.json").read_text())
    (lab_home / "server.json").write_text(json.dumps({**state, "version": "0.0.1"}))
    assert one(doctor.lab_server).level == "warning"
    daemon.stop(load())
    (lab_home / "server.json").write_text(json.dumps(state))
    assert (one(doctor.lab_server).level, one(doctor.lab_server).fix) == ("broken", "labkit stop")


def test_port_that_is_taken() -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        taken = squatter.getsockname()[1]
        assert one(doctor.port, port=taken).level == "broken"
    assert one(doctor.port).level == "ok"


def test_keys_in_local_mode_are_reported_unused_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-veryverysecret")
    lines = [str(finding) for finding in doctor.keys(load())]
    assert "ok       Anthropic: local; ANTHROPIC_API_KEY is set and stays unused" in lines
    assert "verysecret" not in "".join(lines)


def test_live_key_in_dotenv_is_found(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LABKIT_LIVE=gemini\nGEMINI_API_KEY=real-enough\nLABKIT_BUDGET_USD=2.5\n")
    (live,) = [finding for finding in doctor.keys(load()) if finding.subject == "Gemini"]
    assert (live.level, "$2.50" in live.detail) == ("ok", True)


def test_course_model_near_retirement_names_its_successor(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = registry.find(registry.model("openai", "retired"))
    monkeypatch.setattr(registry, "retiring", lambda **_: [gone])
    finding = one(doctor.course_models)
    assert (finding.level, finding.detail) == ("warning", f"{gone.id} retired on {gone.retires}")
    assert gone.successor in finding.fix


def test_kernel_that_runs_another_python_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = tmp_path / "jupyter" / "kernels" / "python3"
    spec.mkdir(parents=True)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    argv = [str(tmp_path / "gone" / "python"), "-m", "ipykernel_launcher"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "x", "language": "python"}))
    finding = one(doctor.jupyter)
    assert finding.level == "broken"
    assert finding.fix.endswith("-m ipykernel install --sys-prefix")


def test_proxy_without_an_exception_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org:3128")
    assert one(doctor.proxies).fix == "export NO_PROXY=127.0.0.1,localhost"
    monkeypatch.setenv("NO_PROXY", "localhost")
    assert one(doctor.proxies).level == "ok"
