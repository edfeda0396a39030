"""Half requests end, large heads are refused, connections are bounded: over real sockets, with short time limits."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn

from labkit.server.connection import LARGEST_HEAD, LabHttp
from labkit.server.listeners import listen

ASK = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n"


class Impatient(LabHttp):
    head_seconds, body_seconds, most_connections = 0.2, 0.2, 5


async def echo(scope, receive, send) -> None:
    """The smallest application: reads one body and sends it back."""
    more, body = True, b""
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(echo, http=Impatient, ws="none", lifespan="off", log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield listener.getsockname()
    server.should_exit = True
    thread.join(5)


@pytest.fixture
def client(address) -> Iterator[socket.socket]:
    with socket.create_connection(address, timeout=5) as connection:
        yield connection


def ends(connection: socket.socket) -> bytes:
    """What still comes before the server closes."""
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return received


def test_a_whole_request_is_answered_and_the_connection_kept(client):
    for _ in range(2):
        client.sendall(ASK + b"ping")
        assert client.recv(65536).endswith(b"ping")


def test_a_request_in_single_bytes_is_answered(client):
    for byte in ASK + b"ping":
        client.sendall(bytes([byte]))
    assert client.recv(65536).endswith(b"ping")


@pytest.mark.parametrize("sent", [b"", b"POST / HT", ASK[:-6], ASK, ASK + b"pi"])
def test_what_stays_half_sent_is_closed(client, sent):
    client.sendall(sent)
    assert ends(client) == b""


def test_a_head_that_trickles_in_gets_no_more_time(client):
    client.settimeout(0.02)
    client.sendall(b"GET / HTTP/1.1\r\nx: ")
    for _ in range(100):
        try:
            assert client.recv(1) == b"", "closed, though every piece came in time"
            return
        except TimeoutError:
            client.sendall(b"y")
    pytest.fail("still open")


def test_a_second_request_on_a_kept_connection_has_its_own_deadline(client):
    client.sendall(ASK + b"ping")
    assert client.recv(65536).endswith(b"ping")
    client.sendall(ASK[:20])
    assert ends(client) == b""


@pytest.mark.parametrize("pieces", [1, 40])
def test_a_large_head_is_refused_with_431(client, pieces):
    head = b"GET / HTTP/1.1\r\nHost: localhost\r\nx-large: " + b"a" * (LARGEST_HEAD + 100)
    size = len(head) // pieces
    for start in range(0, len(head), size):
        client.sendall(head[start : start + size])
    assert ends(client).startswith(b"HTTP/1.1 431 ")


def test_a_large_body_behind_a_small_head_is_fine(client):
    body = b"b" * (2 * LARGEST_HEAD)
    client.sendall(ASK.replace(b": 4", b": %d" % len(body)) + body)
    received = b""
    while len(received) < len(body):
        received += client.recv(65536)
    assert received.startswith(b"HTTP/1.1 200 ") and received.endswith(b"bbbb")


def test_garbage_is_refused_with_400(client):
    client.sendall(b"\x00\x01 nonsense\r\n\r\n")
    assert ends(client).startswith(b"HTTP/1.1 400 ")


def test_connections_beyond_the_limit_are_closed_and_the_others_served(address, client):
    client.sendall(ASK + b"ping")
    assert client.recv(65536).endswith(b"ping")
    crowd = [socket.create_connection(address, timeout=5) for _ in range(20)]
    closed = 0
    for connection in crowd:
        with connection:
            try:
                closed += ends(connection) == b""
            except ConnectionResetError:
                closed += 1
    assert closed == 20
    client.sendall(ASK + b"pong")
    assert client.recv(65536).endswith(b"pong")
