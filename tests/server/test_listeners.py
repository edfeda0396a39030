"""Ports of their own for the self-hosted servers, on a server that only these tests use."""

import json
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import httpx
import openai
import pytest

from labkit import registry

MODEL = registry.model("self-hosted", "small")


def start(folder, *options):
    state, log = folder / "server.json", folder / "server.log"
    command = [sys.executable, "-m", "labkit.server", "--state", str(state), "--idle-minutes", "5", *options]
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    deadline = time.monotonic() + 20
    while not state.exists():
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)
    return process, SimpleNamespace(**json.loads(state.read_text()))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    process, info = start(tmp_path_factory.mktemp("listeners"))
    yield info
    process.terminate()
    process.wait(timeout=10)


@pytest.fixture
def control(server):
    """The control API as the owner of the server; every port is closed afterwards."""
    with httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {server.admin_key}"}) as http:
        yield lambda **body: http.post("/lab/v1/listeners", json=body).json()
        http.post("/lab/v1/listeners", json=dict.fromkeys(("vllm", "ollama", "tgi"), False))


def test_each_server_has_a_port_of_its_own_when_asked_for(control):
    rows = control(vllm=0, ollama=0, tgi=0)
    assert all(row["open"] for row in rows.values()) and len({row["port"] for row in rows.values()}) == 3
    with openai.OpenAI(api_key="EMPTY", base_url=f"{rows['vllm']['url']}/v1", max_retries=0) as client:
        said = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hi"}])
    assert said.choices[0].message.content
    assert httpx.get(f"{rows['ollama']['url']}/api/tags").json()["models"]
    assert httpx.get(f"{rows['tgi']['url']}/info").json()["model_id"]
    assert httpx.get(f"{rows['vllm']['url']}/lab/v1/health").status_code == 404


def test_a_port_in_use_is_reported_and_not_fatal(server, control):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        row = control(ollama=port)["ollama"]
    assert row["open"] is False and str(port) in row["reason"] and row["usual_port"] == 11434
    assert httpx.get(f"{server.url}{row['prefix']}/api/tags").status_code == 200
    opened = control(ollama=port)["ollama"]
    assert (opened["open"], opened["port"], "reason" in opened) == (True, port, False)


def test_any_lab_key_opens_and_only_the_admin_closes(server, control):
    own = {"authorization": "Bearer lab-visitor"}
    url = f"{server.url}/lab/v1/listeners"
    port = httpx.post(url, json={"tgi": 0}, headers=own).json()["tgi"]["port"]
    assert httpx.post(url, json={"tgi": False}, headers=own).status_code == 403
    assert httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
    assert control(tgi=False)["tgi"]["open"] is False
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/health")
    assert httpx.get(url, headers=own).json()["tgi"]["open"] is False


@pytest.mark.parametrize("body", [{"nobody": True}, {"vllm": "8000"}, {"vllm": 70_000}, {"vllm": None}])
def test_nonsense_is_refused(server, body):
    answer = httpx.post(f"{server.url}/lab/v1/listeners", json=body, headers={"authorization": "Bearer lab-visitor"})
    assert answer.status_code == 400 and answer.json()["error"]["message"]


def test_a_stranger_opens_nothing(server):
    answer = httpx.post(f"{server.url}/lab/v1/listeners", json={"vllm": 0}, headers={"authorization": "Bearer sk-x"})
    assert answer.status_code == 401


def test_server_starts_with_its_usual_ports_and_stops_whole(tmp_path):
    process, info = start(tmp_path, "--self-hosted", "auto")
    rows = httpx.get(f"{info.url}/lab/v1/listeners", headers={"authorization": "Bearer lab-visitor"}).json()
    for row in rows.values():
        assert row["open"] is ("reason" not in row)  # another program may have the port
        assert not row["open"] or row["port"] == row["usual_port"]
    process.terminate()
    process.wait(timeout=10)
    for row in rows.values():
        if row["open"]:
            socket.create_server(("127.0.0.1", row["port"])).close()
