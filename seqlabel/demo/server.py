"""Requests and answers.

    GET  .../                 the page and its files
    GET  .../about            the models, and whether they are ready
    POST .../ink              {strokes, model, choice} -> result
    POST .../sound?...        further 16-bit samples -> result of all so far
    POST .../keep             {text, strokes or recording} -> name of the file in the corpus
    POST .../example          {model, choice} -> strokes of a synthetic hand, or samples

The answer is always JSON; {"error": one line} for errors.
"""

import contextlib
import errno
import json
import logging
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np

from seqlabel.demo.bodies import (
    MOST_BYTES,
    ink_of,
    json_object,
    samples_of,
    transcript_of,
    whole_number,
)
from seqlabel.demo.connections import BoundedServer, TimedHandler
from seqlabel.demo.corpus import Corpus
from seqlabel.demo.examples import example
from seqlabel.demo.reading import Ended, Reader, Readers
from seqlabel.demo.recordings import RATES, Recording, Recordings
from seqlabel.demo.security import HEADERS, Gate
from seqlabel.errors import InputError, one_line
from seqlabel.inputs import Audio, Ink, read_audio

log = logging.getLogger("seqlabel")

PAGE = Path(__file__).parent / "page"
PORTS_TRIED = 50
_BUSY = (errno.EADDRINUSE, getattr(errno, "WSAEACCES", None))


class App:
    """Functions of the page.

    corpus: folder for corrected samples; None to store nothing.
    """

    def __init__(self, readers: Readers, corpus: Corpus | None = None) -> None:
        self.readers = readers
        self.corpus = corpus
        self.recordings = Recordings()
        self.ready = False

    def about(self) -> dict[str, Any]:
        """The models and their functions."""
        return {
            "models": [model.about() for model in self.readers.models],
            "corpus": None if self.corpus is None else str(self.corpus.folder),
            "ready": self.ready,
        }

    def warm_up(self) -> None:
        """Run every model and decoder once, so that everything is compiled."""
        t = np.arange(40)
        ink = Ink([np.column_stack([3 * t, 50 + 20 * np.sin(t / 3), t / 100, 0 * t + 0.5])], "px")
        for model in self.readers.models:
            rate = model.recognizer.rate or 16000
            sound = Audio(0.1 * np.sin(np.arange(rate) / 5).astype(np.float32), rate)
            signal = ink if model.recognizer.kind == "ink" else sound
            for choice in range(len(model.choices)):
                with contextlib.suppress(InputError):  # if this fails, it is compiled later
                    self.readers.run(model.read, signal, choice)
        self.ready = True

    def ink(self, body: bytes, query: Mapping[str, str]) -> dict[str, Any]:
        """The result for ink."""
        asked = json_object(body)
        model, choice = self._chosen(asked, "ink")
        return self.readers.run(model.read, ink_of(asked.get("strokes")), choice)

    def sound(self, body: bytes, query: Mapping[str, str]) -> dict[str, Any]:
        """The result for a recording so far."""
        model, choice = self._chosen(query, "speech")
        at = whole_number(query.get("at"), "at", 1 << 30)
        rate = whole_number(query.get("rate"), "rate", max(RATES))
        if rate not in (*RATES, model.recognizer.rate):
            raise InputError(
                f"rate: {rate} samples per second are not supported; use 16000 or 48000"
            )
        name = query.get("id", "")
        samples = samples_of(body)
        if at == 0:
            recording = self.recordings.begin(name, lambda: _begun(rate, samples))
        else:
            recording = self.recordings.find(name)
        with recording.lock:
            if at > 0:
                recording.add(samples, at)
            final = query.get("final") == "1"
            return self.readers.run(model.read_recording, recording, choice, final)

    def keep(self, body: bytes, query: Mapping[str, str]) -> dict[str, Any]:
        """Write ink or sound with its correct text into the corpus."""
        if self.corpus is None:
            raise InputError("samples are not stored; start seqlabel demo with --corpus DIR")
        asked = json_object(body)
        text = transcript_of(asked.get("text"))
        if "recording" in asked:
            recording = self.recordings.find(str(asked["recording"]))
            with recording.lock:
                return {"file": self.corpus.add((recording.samples, recording.rate), text)}
        return {"file": self.corpus.add(ink_of(asked.get("strokes")), text)}

    def example(self, body: bytes, query: Mapping[str, str]) -> dict[str, Any]:
        """An example: strokes [x, y, t in ms, pressure], or samples of 16 bits."""
        model, choice = self._chosen(json_object(body))
        if model.recognizer.kind == "speech":
            if model.example is None:
                raise InputError("this model has no example; record something yourself")
            audio = read_audio(model.example, model.recognizer.rate)
            whole = np.rint(audio.samples * 32767).astype(int)
            return {"samples": whole.tolist(), "rate": audio.rate}
        lexicon = getattr(model.choices[choice].decoder, "lexicon", None)
        words = () if lexicon is None else lexicon.words
        text, ink = example(model.recognizer.alphabet, words)
        strokes = [np.column_stack([s * [1, 1, 1000], 0 * s[:, 0] + 0.5]) for s in ink.strokes]
        return {"text": text, "strokes": [stroke.tolist() for stroke in strokes]}

    def _chosen(self, asked: Mapping[str, Any], kind: str = "") -> tuple[Reader, int]:
        model = self.readers.model(whole_number(asked.get("model"), "model", 1000), kind)
        return model, whole_number(asked.get("choice"), "choice", len(model.choices) - 1)


def _begun(rate: int, samples: np.ndarray) -> Recording:
    """A recording of its first samples; InputError for none or too many."""
    if not len(samples):
        raise InputError("no samples; is the microphone on?")
    recording = Recording(rate)
    recording.add(samples, 0)
    return recording


POSTS = {"ink": App.ink, "sound": App.sound, "keep": App.keep, "example": App.example}
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FILES = {path.name: path for path in PAGE.iterdir() if path.suffix in TYPES}


class Handler(TimedHandler):
    """Answers the requests of one connection."""

    server: "DemoServer"
    server_version = "seqlabel"

    def do_GET(self) -> None:
        path = self._admitted()
        if path is None:
            return
        if path == "about":
            self._json(200, self.server.app.about())
        elif (file := FILES.get(path or "index.html")) is not None:
            self._send(200, TYPES[file.suffix], file.read_bytes())
        else:
            self._json(404, {"error": "no such page"})

    do_HEAD = do_GET

    def do_POST(self) -> None:
        path = self._admitted()
        if path is None:
            return
        body = self._body()
        if body is None:
            return
        self.server.waiting(self.connection, False)
        post = POSTS.get(path)
        if post is None:
            self._json(404, {"error": "no such request"})
            return
        try:
            query = dict(parse_qsl(self.path.partition("?")[2], max_num_fields=10))
            self._json(200, post(self.server.app, body, query))
        except ValueError as error:
            self._json(400, {"error": one_line(str(error))})
        except OSError as error:  # of the corpus; those of the connection are not met here
            self._json(507, {"error": one_line(f"{error.filename}: {error.strerror}")})
        except Ended:
            self._json(503, {"error": "seqlabel demo has ended"})
        except Exception as error:
            log.error(one_line(f"seqlabel demo: {type(error).__name__}: {error}"))
            self._json(500, {"error": "internal error; see the terminal"})

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Reject invalid HTTP and close the connection."""
        self.close_connection = True
        self.command = getattr(self, "command", None) or "GET"
        self._json(int(code), {"error": message or "invalid request"})

    def _admitted(self) -> str | None:
        """The path after the token; None if the request was rejected."""
        path = self.path.partition("?")[0]
        refusal = self.server.gate.refusal(self.command, path, self.headers)
        if refusal is not None:
            self.close_connection = True
            self._json(refusal.status, {"error": refusal.reason})
            return None
        if path.count("/") < 2:
            self._send(308, "text/plain", b"", {"Location": path + "/"})
            return None
        return path.split("/", 2)[2]

    def _body(self) -> bytes | None:
        """The whole body; None if the request was rejected."""
        length = self.headers.get("Content-Length", "")
        refusal = None
        if "Transfer-Encoding" in self.headers or not length.isascii() or not length.isdigit():
            refusal = 411, "Content-Length is missing"
        elif len(length) > 10 or int(length) > MOST_BYTES:
            refusal = 413, f"more than {MOST_BYTES} bytes; send less at a time"
        if refusal:
            self.close_connection = True
            self._json(refusal[0], {"error": refusal[1]})
            return None
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ConnectionAbortedError("the browser closed the connection")
        return body

    def _json(self, status: int, value: Any) -> None:
        self._send(status, "application/json", json.dumps(value, allow_nan=False).encode())

    def _send(
        self, status: int, kind: str, body: bytes, more: Mapping[str, str] | None = None
    ) -> None:
        self.answer(status, {"Content-Type": kind, **HEADERS, **(more or {})}, body)


class DemoServer(BoundedServer):
    """The server of an app, which listens immediately."""

    def __init__(self, app: App, host: str, port: int) -> None:
        self.app = app
        super().__init__((host, port), Handler)
        self.gate = Gate(host, self.server_port)


def open_server(app: App, host: str, port: int) -> DemoServer:
    """A server on `port`, or on the next free one, or on any free one for port 0.

    Raises InputError if none of `PORTS_TRIED` ports is free.
    """
    if not 0 <= port < 65536:
        raise InputError(f"--port {port}: must be 0 to 65535")
    for number in range(port, min(port + PORTS_TRIED, 65536)):
        try:
            return DemoServer(app, host, number)
        except socket.gaierror:
            raise InputError(f"--host {host}: not an address of this machine") from None
        except PermissionError:
            raise InputError(f"--port {number}: not allowed; use one above 1023") from None
        except OSError as error:
            if error.errno not in _BUSY:
                raise InputError(f"--host {host}: {error.strerror}") from None
    raise InputError(f"--port {port}: all of {PORTS_TRIED} ports from here on are in use")


def serve(server: DemoServer, open_browser: bool) -> None:
    """Answer until Ctrl-C; models are compiled in the meantime."""
    preparing = threading.Thread(target=_prepare, args=(server, open_browser), daemon=True)
    preparing.start()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print("\nstopped")
    # A thread inside a compiled library when the interpreter ends would abort the process.
    server.app.readers.close()
    preparing.join()


def _prepare(server: DemoServer, open_browser: bool) -> None:
    if open_browser and _has_display():
        webbrowser.open(server.gate.address)
    with contextlib.suppress(Ended):
        server.app.warm_up()


def _has_display() -> bool:
    """Whether a browser would open in a window, not in the terminal."""
    return (
        os.name == "nt"
        or sys.platform == "darwin"
        or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    )
