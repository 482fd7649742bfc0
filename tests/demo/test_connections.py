"""Connections that say nothing, half of it, or too much do not keep others from being answered."""

import socket
import time

import pytest

from seqlabel.demo import connections


@pytest.fixture
def quick(monkeypatch):
    """Time limits of a fraction of a second."""
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.3)
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.6)


def opened(client, text: str = "") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", client.port), timeout=10)
    if text:
        connection.sendall(text.format(port=client.port, token=client.token).encode())
    return connection


POST = (
    "POST /{token}/ink HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"
    "Content-Type: application/json\r\n"
)


def ended(connection: socket.socket) -> bytes:
    """What comes until the server closes a connection."""
    found = b""
    try:
        while chunk := connection.recv(65536):
            found += chunk
    except ConnectionError:
        pass
    connection.close()
    return found


@pytest.mark.parametrize(
    "begin",
    ["G", "GET / HTTP/1.1\r\nHost: x", POST, POST + "Content-Length: 90\r\n\r\n{{"],
)
def test_half_a_request_is_given_up(quick, client, begin):
    connection = opened(client, begin)
    assert client.alive()
    assert ended(connection) == b""
    assert client.alive()


def test_a_request_byte_by_byte_is_given_up_in_time(quick, client):
    begin = time.monotonic()
    with opened(client) as connection, pytest.raises(OSError):
        for _ in range(200):
            connection.sendall(b"G")
            time.sleep(0.02)
        pytest.fail("4 s of single bytes were taken")
    assert time.monotonic() - begin < 3
    assert client.alive()


def test_a_silent_connection_is_closed(quick, client):
    assert ended(opened(client)) == b""


def test_a_connection_serves_one_request_after_the_other(client):
    get = "GET /{token}/about HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
    connection = opened(
        client, get + get.replace("1.1\r\nHost", "1.1\r\nConnection: close\r\nHost")
    )
    assert ended(connection).count(b"HTTP/1.1 200 OK") == 2


def test_a_crowd_of_silent_connections_keeps_nobody_out(monkeypatch, client):
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 8)
    crowd = [opened(client, "GET /" if n % 2 else "") for n in range(40)]
    for _ in range(5):
        assert client.alive()
    assert len(client.server._open) <= 8
    assert ended(crowd[0]) == b""
    for connection in crowd:
        connection.close()
    assert client.alive()


@pytest.mark.parametrize("content", ["", "{{", '{{"strokes": ' + 40 * "["])
def test_a_browser_that_goes_in_the_middle_is_not_spoken_of(client, capfd, caplog, content):
    for _ in range(5):
        opened(client, POST + "Content-Length: 900\r\n\r\n" + content).close()
    gone = opened(client, "GET /{token}/app.js HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n")
    # With this option a connection is torn down instead of ended.
    gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    gone.close()
    assert client.alive()
    time.sleep(0.1)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("", 411),
        ("Transfer-Encoding: chunked\r\n", 411),
        ("Content-Length: -1\r\n", 411),
        ("Content-Length: 1e3\r\n", 411),
        ("Content-Length: ٣\r\n", 411),
        ("Content-Length: 4194305\r\n", 413),
        (f"Content-Length: {'9' * 5000}\r\n", 413),
    ],
)
def test_bodies_of_no_or_too_great_a_length_are_refused_unread(client, headers, status):
    answer = ended(opened(client, POST + headers + "\r\n"))
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"\r\nConnection: close\r\n" in answer
    assert client.alive()


@pytest.mark.parametrize(
    "text",
    [
        "\r\n\r\n",
        "no http at all\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "GET /" + 70000 * "a" + " HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\n" + 200 * "A: b\r\n" + "\r\n",
        "GET / HTTP/1.1\r\nHost: " + 70000 * "a" + "\r\n\r\n",
        "GET http://127.0.0.1:{port}/{token}/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(client, capfd, text):
    connection = opened(client)
    with connection:
        connection.sendall(text.format(port=client.port, token=client.token).encode("latin-1"))
        connection.shutdown(socket.SHUT_WR)
        answer = ended(connection)
    assert answer[:12] == b"" or 400 <= int(answer.split()[1]) < 600
    assert client.alive()
    assert capfd.readouterr().err == ""
