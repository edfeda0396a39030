from __future__ import annotations

import socket
from typing import Any

import httpx
import pytest

from labkit import registry
from labkit.errors import ServerError
from labkit.grading.journal import Journal, billed

MODEL = registry.model("openai", "small")


def chat(lab_server: Any, key: str, text: str) -> httpx.Response:
    body = {"model": MODEL, "messages": [{"role": "user", "content": text}]}
    return httpx.post(f"{lab_server.url}/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {key}"})


def test_since_gives_only_what_came_after(lab_server: Any, lab_key: str, journal: Journal) -> None:
    chat(lab_server, lab_key, "before")
    mark = journal.last()
    assert journal.since(mark) == []
    chat(lab_server, lab_key, "one")
    chat(lab_server, lab_key, "two")
    assert [exchange.messages[0]["content"] for exchange in journal.since(mark)] == ["one", "two"]


def test_an_exchange_holds_what_went_over_the_wire(lab_server: Any, lab_key: str, journal: Journal) -> None:
    mark = journal.last()
    response = chat(lab_server, lab_key, "What is a token?")
    [seen] = journal.since(mark)
    assert (seen.method, seen.path, seen.status, seen.model) == ("POST", "/v1/chat/completions", 200, MODEL)
    assert seen.reply == response.json()
    assert seen.input_tokens + seen.output_tokens == response.json()["usage"]["total_tokens"]
    assert seen.finish_reasons == ("stop",)
    assert lab_key not in str(seen.headers) and seen.headers["authorization"].startswith("Bearer ")


def test_an_exchange_tells_what_checks_ask_for(lab_server: Any, lab_key: str, journal: Journal) -> None:
    mark = journal.last()
    said = chat(lab_server, lab_key, "What is a token?").json()["choices"][0]["message"]["content"]
    [seen] = journal.since(mark)
    assert (seen.turns, seen.completion) == ([["user", "What is a token?"]], said)
    assert (seen.parameter("model"), seen.parameter("seed"), seen.cap) == (MODEL, None, None)
    assert billed([seen, seen]) == 2 * seen.cost_usd > 0


def test_a_request_that_has_no_messages(lab_server: Any, lab_key: str, journal: Journal) -> None:
    mark = journal.last()
    httpx.get(f"{lab_server.url}/v1/models?limit=3", headers={"Authorization": f"Bearer {lab_key}"})
    [seen] = journal.since(mark)
    assert (seen.method, seen.path, seen.messages, seen.model) == ("GET", "/v1/models", [], "")
    assert (seen.turns, seen.parameter("model"), seen.cap) == ([], None, None)


def test_the_admin_key_reads_any_tenant(lab_server: Any) -> None:
    key = lab_server.key()
    chat(lab_server, key, "hello")
    with Journal(lab_server.url, lab_server.admin_key, tenant=key) as journal:
        assert len(journal.since(0)) == 1


def test_a_key_the_server_refuses(lab_server: Any) -> None:
    with Journal(lab_server.url, "sk-not-a-lab-key") as journal, pytest.raises(ServerError, match="answered 401"):
        journal.last()


def test_no_server_is_one_sentence(free_port: int) -> None:
    gone = Journal(f"http://127.0.0.1:{free_port}", "lab-1234")
    with pytest.raises(ServerError, match=r"does not answer .*lk\.start\(\)"):
        gone.last()


def test_a_connection_that_was_cut_while_idle_is_made_again(journal: Journal) -> None:
    mark = journal.last()
    assert journal._connection.sock is not None
    journal._connection.sock.shutdown(socket.SHUT_RDWR)
    assert journal.last() == mark
