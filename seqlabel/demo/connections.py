"""A server with limits of connections and time.

Every request must arrive within `REQUEST_SECONDS` of its first byte, and its answer must be
received within `ANSWER_SECONDS`; a connection without a request is closed after `IDLE_SECONDS`. If
`MOST_CONNECTIONS` are open, a new one replaces the one that has waited longest.
"""

import contextlib
import io
import logging
import os
import socket
import socketserver
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from seqlabel.errors import one_line

log = logging.getLogger("seqlabel")

REQUEST_SECONDS = 10.0
ANSWER_SECONDS = 10.0
IDLE_SECONDS = 60.0
MOST_CONNECTIONS = 64


class BoundedServer(ThreadingHTTPServer):
    """One thread for each connection, of which there are `MOST_CONNECTIONS` at most."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    allow_reuse_address = os.name != "nt"  # where it lets two servers share a port

    def __init__(self, address: tuple[str, int], handler: type["TimedHandler"]) -> None:
        self._waiting: dict[Any, float] = {}  # those without a whole request, and since when
        self._open: set[Any] = set()
        self._lock = threading.Lock()
        found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family = found[0][0]
        super().__init__((str(found[0][4][0]), address[1]), handler)

    def server_bind(self) -> None:
        # That of HTTPServer asks for the name of the machine, which may take seconds.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            if len(self._open) >= MOST_CONNECTIONS:
                longest = min(self._waiting, key=self._waiting.__getitem__, default=request)
                self._waiting.pop(longest, None)
                self._open.discard(longest)
                with contextlib.suppress(OSError):
                    longest.shutdown(socket.SHUT_RDWR)
                if longest is request:
                    request.close()
                    return
            self._open.add(request)
            self._waiting[request] = time.monotonic()
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread can be started
            self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
            self._waiting.pop(request, None)
        super().shutdown_request(request)

    def waiting(self, connection: Any, waiting: bool) -> None:
        """Note that a connection waits for a request, or that one is complete."""
        with self._lock:
            if not waiting:
                self._waiting.pop(connection, None)
            elif connection in self._open:
                self._waiting[connection] = time.monotonic()

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):  # which is a browser that has gone
            log.error(one_line(f"seqlabel demo: {type(error).__name__}: {error}"))


class TimedHandler(BaseHTTPRequestHandler):
    """HTTP/1.1 requests within time limits; answers are sent in one piece."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: BoundedServer

    def setup(self) -> None:
        super().setup()
        self._received = _TimedReader(self.connection)
        self.rfile = io.BufferedReader(self._received)

    def handle_one_request(self) -> None:
        self.server.waiting(self.connection, True)
        self._received.begin()
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """Send a whole answer; HEAD gets its headers alone."""
        headers = headers | {"Content-Length": str(len(body))}
        if self.close_connection:
            headers["Connection"] = "close"
        first = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"
        lines = [first, *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        head = "\r\n".join(lines).encode("latin-1")
        self.connection.settimeout(ANSWER_SECONDS)
        self.connection.sendall(head if self.command == "HEAD" else head + body)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged, because their paths have the token."""


class _TimedReader(io.RawIOBase):
    """Received data; TimeoutError after the time limit of a request."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.begin()

    def begin(self) -> None:
        """Wait for another request."""
        self._deadline = time.monotonic() + IDLE_SECONDS
        self._idle = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("a request took too long")
        self._connection.settimeout(left)
        count = self._connection.recv_into(buffer)
        if self._idle:
            self._idle = False
            self._deadline = time.monotonic() + REQUEST_SECONDS
        return count
