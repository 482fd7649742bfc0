"""Two small models trained on the spot, a server that offers them, and who asks it."""

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqlabel
from seqlabel.corpora import folder, iam_ondb, own_data
from seqlabel.decoding import BeamDecoder, GreedyDecoder
from seqlabel.demo.corpus import Corpus, write_wav
from seqlabel.demo.reading import Choice, Reader, Readers
from seqlabel.demo.server import App, DemoServer, open_server
from seqlabel.inputs import Audio, Ink
from seqlabel.synthetic import ink as synthetic_ink
from seqlabel.synthetic.hands import Hand, write_text
from seqlabel.training.distribution import Workers
from seqlabel.training.experiment import Experiment
from seqlabel.training.run import train

LETTERS = "cloxvw"
TONES = {"a": 400.0, "b": 1000.0, "c": 2500.0}
RATE = 16000
INK = """
seed = 3
[features]
kind = "ink_delta"
position = true
times = false
[model]
cell = "lstm"
hidden = 24
layers = 1
[batches]
frames = 500
[[phases]]
epochs = 18
learning_rate = 0.02
warmup = 10
decay = "cosine"
patience = 0
"""
SOUND = """
seed = 3
[features]
kind = "fbank"
filters = 20
[front_end]
stack = 3
stride = 3
[model]
cell = "lstm"
hidden = 24
layers = 1
bidirectional = false
[batches]
frames = 150
[[phases]]
epochs = 5
learning_rate = 0.02
decay = "cosine"
patience = 0
"""


def tones(text: str, seed: int = 0) -> np.ndarray:
    """Samples (N,) in which each letter is a tone, after a gap, in a little noise."""
    rng = np.random.default_rng(seed)
    parts = []
    for letter in text:
        parts.append(np.zeros(int(rng.uniform(0.08, 0.2) * RATE)))
        t = np.arange(int(rng.uniform(0.12, 0.25) * RATE)) / RATE
        wave = np.sin(2 * np.pi * TONES[letter] * t + rng.uniform(0, 6))
        parts.append(0.2 * wave * np.hanning(len(t)) ** 0.2)
    parts.append(np.zeros(3000))
    sound = np.concatenate(parts)
    return (sound + rng.normal(0, 0.003, len(sound))).astype(np.float32)


def written(text: str, height: float = 90.0) -> Ink:
    """Ink of a regular hand in CSS pixels."""
    ink = write_text(text, Hand(deviation=0.02, jitter=0.02), np.random.default_rng(7))
    left, top, _, bottom = ink.bounds
    scale = height / (bottom - top)
    return ink.transformed(scale * np.eye(2), [40 - scale * left, 60 - scale * top])


def strokes_of(ink: Ink) -> list[Any]:
    """Ink as the page sends it."""
    rows = [np.column_stack([s * [1, 1, 1000], np.full(len(s), 0.5)]) for s in ink.strokes]
    return [np.round(stroke, 2).tolist() for stroke in rows]


@pytest.fixture(scope="session")
def ink_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of handwritten strings of six letters.

    It reads no times: what a busy machine writes for the tests, it writes slowly.
    """
    place = tmp_path_factory.mktemp("ink")
    options = synthetic_ink.InkCorpus(
        (240, 24, 6, 6), (16, 2, 2, 2), characters=LETTERS, length=(2, 5)
    )
    synthetic_ink.write_corpus(place / "corpus", options)
    iam_ondb.prepare(place / "corpus", iam_ondb.Options()).save(place / "data")
    return trained(place, INK)


@pytest.fixture(scope="session")
def sound_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of sequences of three tones that reads them as they come."""
    place = tmp_path_factory.mktemp("sound")
    rng = np.random.default_rng(1)
    for name, count in (("train", 150), ("dev", 10)):
        for number in range(count):
            text = "".join(rng.choice(list(TONES), rng.integers(1, 5)))
            path = place / "corpus" / name / f"{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_wav(path, tones(text, number), RATE)
            path.with_suffix(".txt").write_text(text)
    folder.prepare(place / "corpus", own_data.Options()).save(place / "data")
    return trained(place, SOUND)


def trained(place: Path, config: str) -> Path:
    (place / "config.toml").write_text(config)
    train(Experiment.load(place / "config.toml"), place / "data", place / "exp", Workers())
    return place / "exp"


@pytest.fixture(scope="session")
def readers(ink_model, sound_model) -> Readers:
    """Both models, each with a greedy decoder and a beam search."""
    readers = Readers()
    readers.models = [readers.run(reader_of, path) for path in (ink_model, sound_model)]
    return readers


def reader_of(path: Path) -> Reader:
    recognizer = seqlabel.load(path)
    greedy = Choice("greedy", GreedyDecoder(recognizer.alphabet), "path", 1)
    beam = Choice("beam 10", BeamDecoder(recognizer.alphabet, 10), "posterior")
    return Reader(path.parent.name, recognizer, (greedy, beam))


class Client:
    """Asks a server as its page does; `headers` differ from those of the page."""

    def __init__(self, server: DemoServer) -> None:
        self.server = server
        self.port = server.server_port
        self.token = server.gate.token

    def send(
        self, method: str, path: str, body: bytes | None = None, **headers: str | None
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer. path: the whole of it. None leaves out one."""
        host = f"127.0.0.1:{self.port}"
        sent: dict[str, str | None] = {"Host": host}
        if method == "POST":
            sent |= {"Origin": f"http://{host}", "Content-Type": "application/json"}
            sent |= {"Content-Length": str(len(body or b""))}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in sent.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), content

    def get(self, path: str = "", **headers: str | None) -> tuple[int, dict[str, str], bytes]:
        return self.send("GET", f"/{self.token}/{path}", **headers)

    def post(self, path: str, body: Any, **headers: str | None) -> tuple[int, dict[str, str], Any]:
        """The parsed answer of a request; a body that is no bytes becomes JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        status, found, content = self.send("POST", f"/{self.token}/{path}", raw, **headers)
        return status, found, json.loads(content)

    def read_ink(self, ink: Ink, choice: int = 1) -> tuple[int, Any]:
        body = {"strokes": strokes_of(ink), "model": 0, "choice": choice}
        status, _, answer = self.post("ink", body)
        return status, answer

    def hear(self, samples: np.ndarray, name: str, at: int = 0, **query: Any) -> tuple[int, Any]:
        """Send the next samples of a recording."""
        asked = {"id": name, "at": at, "rate": RATE, "model": 1, "choice": 1, "final": 0} | query
        whole = np.rint(samples * 32768).astype("<i2").tobytes()
        status, _, answer = self.post(
            "sound?" + "&".join(f"{key}={value}" for key, value in asked.items()),
            whole,
            Content_Type="application/octet-stream",
        )
        return status, answer

    def alive(self) -> bool:
        """Whether the server still answers."""
        return self.get("about")[0] == 200


@pytest.fixture(scope="session")
def serving() -> Callable[..., Any]:
    """Serves an app while a with statement runs."""
    import contextlib

    @contextlib.contextmanager
    def served(app: App) -> Iterator[Client]:
        with open_server(app, "127.0.0.1", 0) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            yield Client(server)
            server.shutdown()
            thread.join()

    return served


@pytest.fixture(scope="session")
def app(readers, tmp_path_factory) -> App:
    app = App(readers, Corpus(tmp_path_factory.mktemp("kept") / "corpus"))
    app.warm_up()
    return app


@pytest.fixture(scope="session")
def client(app, serving) -> Iterator[Client]:
    """A client of a server of both models that keeps what it is told to keep."""
    with serving(app) as client:
        yield client


@pytest.fixture(scope="session")
def ink() -> Callable[..., Ink]:
    return written


@pytest.fixture(scope="session")
def sound() -> Callable[..., np.ndarray]:
    return tones


@pytest.fixture(scope="session")
def as_sent() -> Callable[[Ink], list[Any]]:
    return strokes_of


@pytest.fixture(scope="session")
def as_audio() -> Callable[..., Audio]:
    """What the server makes of samples that came as 16-bit integers."""
    return lambda samples: Audio(np.rint(samples * 32768).astype(np.int16), RATE)
