"""Latency of the demo page: from lifting the pen to the text.

    python scripts/bench_demo.py [--quick] [--model EXP] [--fresh] [--json FILE]

pen-up, HTTP     after each stroke of a line the whole ink goes to the server over a connection that
                 stays open, and the time runs from the ink to the parsed answer; also the
                 processor time of client and server, which depends little on other programs
pen-up, browser  headless Chromium, if there is one: strokes at 240 points a second as mouse
                 events; the time runs from the page's pointerup event to the text in the page,
                 including requests and drawing (the page's own `performance.measure`)
points           those sent by the page to the server, and those sent to the browser
first word       from the start of `seqlabel demo` to the first recognised example in the browser;
with
                 --fresh also the installation of everything into an empty environment

Without --model the network is one of 3 x 128 bidirectional cells with random weights over the 25
features of ink, with 62 labels and the space between words. Its posteriors are flat, so that the
beam search has more work than with a trained one. The decoder is a beam search of width 25.
"""

import argparse
import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from chromium import Page, chromium, find

import seqlabel
from seqlabel.alphabet import Alphabet
from seqlabel.decoding import BeamDecoder
from seqlabel.demo.examples import PHRASES
from seqlabel.demo.reading import Choice, Reader, Readers
from seqlabel.demo.server import App, DemoServer, open_server
from seqlabel.features.front_end import FrontEnd, FrontEndOptions
from seqlabel.features.ink import Ink25
from seqlabel.files import write_json
from seqlabel.models.inference import TorchNetwork
from seqlabel.models.model import Model
from seqlabel.models.network import ModelOptions
from seqlabel.recognizer import Recognizer
from seqlabel.synthetic.hands import random_hand, write_text
from seqlabel.synthetic.text import CHARACTERS

ROOT = Path(__file__).resolve().parents[1]
BEAM = 25
RATE = 240
"""Points a second of a pen."""
HEIGHT = 110.0
"""CSS pixels of a line of writing."""


def recognizer(folder: Path | None) -> Recognizer:
    """The model of a directory, or one of the size of the goal."""
    if folder is not None:
        return seqlabel.load(folder)
    alphabet = Alphabet(sorted({*CHARACTERS, " "}), "character")
    front_end = FrontEnd(Ink25(), FrontEndOptions(normalise="utterance"))
    options = ModelOptions(cell="lstm", hidden=128, layers=3)
    return Recognizer(
        TorchNetwork(Model(front_end.dim, len(alphabet), options, {"kind": "ctc"})),
        alphabet,
        front_end,
    )


def lines(count: int) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Texts, and strokes (P, 3) of x, y in CSS pixels and t in seconds, RATE points a second."""
    rng = np.random.default_rng(1)
    for number in range(count):
        text = PHRASES[number % len(PHRASES)]
        ink = write_text(text, random_hand(rng), rng)
        left, top, _, bottom = ink.bounds
        scale = HEIGHT / (bottom - top)
        strokes = []
        for stroke in ink.strokes:
            x, y, t = stroke.T
            times = np.arange(t[0], t[-1] + 1e-9, 1 / RATE)
            places = [np.interp(times, t, axis) for axis in (x, y)]
            strokes.append(
                np.column_stack(
                    [(places[0] - left) * scale + 30, (places[1] - top) * scale + 60, times]
                )
            )
        yield text, strokes


@contextlib.contextmanager
def served(model: Recognizer) -> Iterator[DemoServer]:
    readers = Readers()
    decoder = Choice(f"beam {BEAM}", BeamDecoder(model.alphabet, BEAM), "posterior")
    readers.models = [Reader("bench", model, (decoder,))]
    app = App(readers)
    app.warm_up()
    with open_server(app, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def over_http(server: DemoServer, count: int) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    headers = {
        "Content-Type": "application/json",
        "Origin": f"http://127.0.0.1:{server.server_port}",
    }

    def read(strokes: list[np.ndarray]) -> tuple[float, float]:
        rows = [np.column_stack([s * [1, 1, 1000], 0.5 + 0 * s[:, 0]]) for s in strokes]
        points = [np.round(row, 2).tolist() for row in rows]
        begin, computed = time.perf_counter(), time.process_time()
        body = json.dumps({"strokes": points, "model": 0, "choice": 0})
        connection.request("POST", f"/{server.gate.token}/ink", body, headers)
        answer = connection.getresponse()
        json.loads(answer.read())
        assert answer.status == 200
        return time.perf_counter() - begin, time.process_time() - computed

    texts = list(lines(count))
    for _, strokes in texts[:2]:
        read(strokes)
    both = [read(strokes[: end + 1]) for _, strokes in texts for end in range(len(strokes))]
    seconds, computing = zip(*both, strict=True)
    p50, p95 = (1000 * float(np.percentile(computing, share)) for share in (50, 95))
    return summary("pen-up to text, HTTP", seconds) | {
        "processor_p50_ms": p50,
        "processor_p95_ms": p95,
        "points": float(np.mean([sum(map(len, strokes)) for _, strokes in texts])),
    }


def summary(name: str, seconds: Sequence[float]) -> dict[str, Any]:
    p50, p95 = (1000 * float(np.percentile(seconds, share)) for share in (50, 95))
    return {"name": name, "count": len(seconds), "p50_ms": p50, "p95_ms": p95,
            "max_ms": 1000 * max(seconds)}  # fmt: skip


def in_browser(page: Page, server: DemoServer, count: int) -> list[dict[str, Any]]:
    page.view(1120, 820)
    page.open(server.gate.address)
    wait(page, "document.body.dataset.ready === 'true'")
    page.run(
        "window.received = 0; const real = fetch; window.fetch = (path, options) => {"
        "if (path === 'ink') { const { strokes } = JSON.parse(options.body);"
        "received = strokes.reduce((sum, stroke) => sum + stroke.length, 0); }"
        "return real(path, options); }; 0"
    )
    left, top = page.run(
        "(box => [box.x, box.y])(document.querySelector('#pad').getBoundingClientRect())"
    )
    seconds: list[float] = []
    sent = received = late = 0
    for _, strokes in lines(count):
        for stroke in strokes:
            begin = time.perf_counter()
            for n, (x, y, t) in enumerate(stroke.tolist()):
                due = begin + t - stroke[0, 2]
                time.sleep(max(0.0, due - time.perf_counter()))
                late += time.perf_counter() - due > 0.01
                mouse(page, "mouseMoved" if n else "mousePressed", left + x, top + y)
            mouse(page, "mouseReleased", left + x, top + y)
            page.run("new Promise(done => setTimeout(done, 150))")
        count_sent = sum(map(len, strokes))
        sent += count_sent
        with contextlib.suppress(TimeoutError):
            wait(page, f"received >= {count_sent}", 10.0)
        page.run("new Promise(done => setTimeout(done, 500))")
        received += page.run("received")
        seconds += page.run(
            "performance.getEntriesByName('pen-up to text').map(each => each.duration / 1000)"
        )
        page.run("performance.clearMeasures(); document.querySelector('#clear').click()")
    result = summary("pen-up to text, browser", seconds)
    counts = {"sent": int(sent), "received": int(received), "sent_late": int(late)}
    return [result, {"name": "points", **counts}]


def mouse(page: Page, kind: str, x: float, y: float) -> None:
    page.send(
        "Input.dispatchMouseEvent",
        type=kind, x=x, y=y, button="left", buttons=int(kind != "mouseReleased"), clickCount=1,
    )  # fmt: skip


def wait(page: Page, condition: str, seconds: float = 300.0) -> None:
    deadline = time.monotonic() + seconds
    while not page.run(condition):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the page does not come to {condition}")
        time.sleep(0.02)


def first_word(model: Path, executable: str, fresh: bool) -> list[dict[str, Any]]:
    """Seconds of the installation, and of `seqlabel demo` until a word is recognised."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="bench-demo-") as place:
        command = shutil.which("seqlabel") or "seqlabel"
        if fresh:
            begin = time.perf_counter()
            script = "source scripts/environment.sh && install_environment synth"
            subprocess.run(
                ["bash", "-c", script], check=True, cwd=ROOT, env={**os.environ, "VENV": place}
            )
            rows.append({"name": "installation", "seconds": time.perf_counter() - begin})
            command = f"{place}/bin/seqlabel"
        with chromium(executable) as page:
            begin = time.perf_counter()
            arguments = [command, "demo", str(model), "--no-browser", "--port", "0"]
            with subprocess.Popen(
                arguments, stdout=subprocess.PIPE, text=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            ) as process:  # fmt: skip
                assert process.stdout is not None
                address = process.stdout.readline().split()[0]
                printed = time.perf_counter() - begin
                page.view(1120, 820)
                page.open(address)
                wait(page, "document.body.dataset.ready === 'true'")
                ready = time.perf_counter() - begin
                page.run("document.querySelector('#example').click()")
                wait(page, "performance.getEntriesByName('pen-up to text').length > 0")
                read = time.perf_counter() - begin
                process.send_signal(signal.SIGINT)
    names = "address printed", "page and model ready", "an example written and read"
    rows += [
        {"name": name, "seconds": seconds}
        for name, seconds in zip(names, (printed, ready, read), strict=True)
    ]
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer lines")
    parser.add_argument("--model", type=Path, metavar="EXP", help="a model of ink")
    parser.add_argument("--fresh", action="store_true", help="install into an empty environment")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    executable = find()
    rows = []
    with served(recognizer(args.model)) as server:
        rows.append(over_http(server, 6 if args.quick else 60))
        if executable:
            with chromium(executable) as page:
                rows += in_browser(page, server, 2 if args.quick else 20)
    if executable and args.model:
        rows += first_word(args.model, executable, args.fresh)
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    for row in rows:
        values = (
            f"{key} {value:.1f}" if isinstance(value, float) else f"{key} {value}"
            for key, value in row.items()
            if key != "name"
        )
        print(f"{row['name']:<28} {'  '.join(values)}")
    if not executable:
        print("no Chromium found (apt install chromium): browser not measured")
    print(f"load while measuring: {load:.1f} processes a core")
    if args.json:
        write_json(args.json, {"rows": rows, "load_per_core": load, "points_per_second": RATE})
    return 0


if __name__ == "__main__":
    sys.exit(main())
