"""Who is let in: the token, the host, the page; and what every answer says to browsers."""

import json

import pytest

from seqlabel.demo.security import Gate, is_loopback
from seqlabel.demo.server import FILES


def test_the_page_and_all_its_files_need_the_token(client):
    for name in ("", "about", *FILES):
        assert client.get(name)[0] == 200
        for path in (f"/{name}", f"/{client.token[:-1]}/{name}", f"/{client.token}x/{name}"):
            status, _, body = client.send("GET", path)
            assert status == 403
            assert "complete address" in json.loads(body)["error"]


def test_tokens_are_long_and_never_the_same():
    tokens = {Gate("127.0.0.1", 80).token for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 24


def test_the_address_without_its_last_slash_leads_to_the_page(client):
    status, headers, _ = client.send("GET", f"/{client.token}")
    assert (status, headers["Location"]) == (308, f"/{client.token}/")


@pytest.mark.parametrize(
    "host", ["evil.example:{port}", "127.0.0.1.evil.example:{port}", "127.0.0.1:1", "127.0.0.1",
             "localhost", "192.168.0.7:{port}", "[fe80::1]:{port}", "", "{port}",
             "x@127.0.0.1:{port}"]
)  # fmt: skip
def test_a_foreign_name_that_leads_here_is_not_served(client, host):
    status, _, body = client.get("about", Host=host.format(port=client.port))
    assert status == 421
    assert b"models" not in body


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}"])
def test_our_own_names_are_served(client, host):
    assert client.get("about", Host=host.format(port=client.port))[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": None},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Origin": "http://localhost:{port}"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_other_pages_may_send_nothing(client, app, headers):
    before = list(app.corpus.folder.parent.rglob("*"))
    sent = {k: v and v.format(port=client.port) for k, v in headers.items()}
    body = {"text": "x", "strokes": [[[1, 2, 3, 0.5]]]}
    status, found, answer = client.post("keep", body, **sent)
    assert status == 403
    assert "only the page" in answer["error"]
    assert not any(name.startswith("Access-Control") for name in found)
    assert list(app.corpus.folder.parent.rglob("*")) == before


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_what_forms_send_is_not_taken(client, kind):
    assert client.post("keep", {"text": "x"}, Content_Type=kind)[0] == 415


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "X"])
def test_other_methods_are_not_known(client, method):
    status, headers, _ = client.send(method, f"/{client.token}/ink")
    assert status == 501
    assert not any(name.startswith("Access-Control") for name in headers)


@pytest.mark.parametrize(
    "path",
    ["../server.py", "%2e%2e/server.py", "..%2fserver.py", "//etc/passwd", "page/app.js", "app.js/",
     "index.html%00", "server.py", "__init__.py", "INDEX.HTML", ".", ".."],
)  # fmt: skip
def test_there_is_nothing_but_the_files_of_the_page(client, path):
    status, _, body = client.get(path)
    assert status == 404
    assert json.loads(body) == {"error": "no such page"}


def test_every_answer_forbids_what_the_page_does_not_need(client):
    answers = [
        client.get(),
        client.get("app.js"),
        client.get("nowhere"),
        client.send("GET", "/"),
        client.send("OPTIONS", "/"),
        client.post("ink", {}),
        client.post("ink", {}, Content_Length=None),
    ]
    for _, headers, _ in answers:
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Python" not in headers.get("Server", "")


def test_beyond_this_machine_addresses_are_served_and_foreign_names_are_not():
    from email.message import Message

    def refused(gate: Gate, host: str) -> bool:
        headers = Message()
        headers["Host"] = host
        return gate.refusal("GET", f"/{gate.token}/", headers) is not None

    everywhere = Gate("0.0.0.0", 8765)
    assert everywhere.address.startswith("http://127.0.0.1:8765/")
    assert not refused(everywhere, "192.168.0.7:8765")
    assert refused(everywhere, "evil.example:8765")
    named = Gate("desk.local", 8765)
    assert not refused(named, "desk.local:8765")
    assert Gate("::1", 8765).address.startswith("http://[::1]:8765/")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_clients_leave_out_port_80(host):
    from email.message import Message

    headers = Message()
    headers["Host"] = host
    headers["Origin"] = f"http://{host}"
    headers["Content-Type"] = "application/json"
    for port, status in ((80, None), (8765, 421), (1, 421)):
        gate = Gate("127.0.0.1", port)
        refusal = gate.refusal("POST", f"/{gate.token}/ink", headers)
        assert (refusal and refusal.status) == status
        headers.replace_header("Host", f"{host}:{port}")
        headers.replace_header("Origin", f"http://{host}:{port}")
        assert gate.refusal("POST", f"/{gate.token}/ink", headers) is None
        headers.replace_header("Host", host)
        headers.replace_header("Origin", f"http://{host}")
    headers.replace_header("Host", "evil.example")
    gate = Gate("127.0.0.1", 80)
    assert gate.refusal("GET", f"/{gate.token}/", headers).status == 421


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.0.0.2", True), ("::1", True), ("localhost", True),
     ("0.0.0.0", False), ("::", False), ("192.168.0.7", False), ("desk.local", False)],
)  # fmt: skip
def test_what_can_be_reached_from_elsewhere(host, loopback):
    assert is_loopback(host) is loopback
