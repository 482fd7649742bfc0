"""Who may ask: the address's token, the host it was asked under, the page that asks.

The server may be reached by every program of the machine and by every page that its browsers show.
Three checks keep them out: a random token begins every path, so that only who was given the address
can ask; the Host has to be one of ours, so that no foreign name can be made to point here (DNS
rebinding); and what changes anything is taken from our own page alone (cross-site requests).
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
"""Of every answer: nothing from elsewhere, nowhere in a frame, nothing kept."""

POSTED = ("application/json", "application/octet-stream")
"""Types of bodies. A form of a foreign page can send neither without asking first."""


@dataclass(frozen=True)
class Refusal:
    """An HTTP status of 400 or more, and why in one line."""

    status: int
    reason: str


@dataclass(frozen=True)
class Gate:
    """Lets requests through or says why not.

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
        """None for a request that may be answered. path: as it was sent, without its query."""
        host = headers.get("Host", "")
        if not self._is_ours(host):
            return Refusal(421, f"not served under the name {host[:80]!r}")
        given = path.split("/")[1] if path.startswith("/") else ""
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return Refusal(403, "open the whole address that seqlabel demo has printed")
        if method in ("GET", "HEAD"):
            return None
        if headers.get("Origin") != f"http://{host}":
            return Refusal(403, "only the page of this server may send anything")
        if headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            return Refusal(403, "only the page of this server may send anything")
        if headers.get("Content-Type", "").partition(";")[0].strip() not in POSTED:
            return Refusal(415, f"a body of the type {' or '.join(POSTED)} is expected")
        return None

    def _is_ours(self, given: str) -> bool:
        """Whether a Host is an address (names can be made to point anywhere) or our own name."""
        name, _, port = given.rpartition(":")
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
    """Whether nobody outside this machine can reach a server that listens on `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
