"""Checks of requests: token in the address, host, origin.

The server can be reached by every program of the machine and by every page in its browsers. Three
checks exclude them: every path begins with a random token, so that the address must be known; the
Host must be one of the server's, so that other names cannot point here (DNS rebinding); and
requests that change anything must come from the server's own page (cross-site requests).
"""

import hmac
import ipaddress
import secrets
from dataclasses import dataclass, field
from email.message import Message

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; "
        "connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Headers of every answer: no external content, no frames, no caching."""

POSTED = ("application/json", "application/octet-stream")
"""Types of bodies. A form of another page can send neither without a preflight request."""


@dataclass(frozen=True)
class Refusal:
    """An HTTP status of 400 or more, with the reason in one line."""

    status: int
    reason: str


@dataclass(frozen=True)
class Gate:
    """Decides whether requests are answered.

    host: the address or name that the server listens on; port: its port.
    """

    host: str
    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(18))

    @property
    def address(self) -> str:
        """The address of the page, for a browser on this machine."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/{self.token}/"

    def refusal(self, method: str, path: str, headers: Message) -> Refusal | None:
        """None for a request that may be answered. path: as sent, without its query."""
        host = headers.get("Host", "")
        if not self._is_ours(host):
            return Refusal(421, f"not served under the name {host[:80]!r}")
        given = path.split("/")[1] if path.startswith("/") else ""
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return Refusal(403, "open the complete address that seqlabel demo printed")
        if method in ("GET", "HEAD"):
            return None
        if headers.get("Origin") != f"http://{host}":
            return Refusal(403, "only the page of this server may send anything")
        if headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            return Refusal(403, "only the page of this server may send anything")
        if headers.get("Content-Type", "").partition(";")[0].strip() not in POSTED:
            return Refusal(415, f"expected a body of type {' or '.join(POSTED)}")
        return None

    def _is_ours(self, given: str) -> bool:
        """Whether a Host is an address (names can be made to point anywhere) or the server's own
        name. Without a port it is that of port 80.
        """
        name, colon, port = given.rpartition(":")
        if not colon or given.endswith("]"):
            name, port = given, "80"
        if port != str(self.port):
            return False
        if name in ("localhost", self.host):
            return True
        try:
            address = ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return address.is_loopback or not is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a server that listens on `host` is unreachable from other machines."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
