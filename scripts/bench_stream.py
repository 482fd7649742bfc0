#!/usr/bin/env python
"""Times streams on one core: a network frame by frame, compared with torch's, and whole streams.

All times are processor time of the computing thread, which depends little on other work; on an idle
core they are wall times.

Networks: 3 layers of 256 cells on 123 inputs, a frame of 10 ms at a time, in turns of 100 frames,
so that disturbances affect all of them. "torch" is torch.nn.LSTM, torch.nn.GRU or a
stack of torch.nn.LSTMCell, called with one frame and the state of the previous call. A
latency-controlled network is computed once per chunk; its time is given per chunk and per frame.

Streams: samples in pushes of 10 ms through front end, network and decoder.

With --model, a trained model reads the recordings of a manifest: each as a whole after its end,
and, if it can, as a stream. The lag of an output is the time from the first sample of its frame's
window until it is available, with samples in real time and the measured computing time; the bound
of a stream without computing time is `model.latency`.

    python scripts/bench_stream.py
    python scripts/bench_stream.py --quick --json times.json
    python scripts/bench_stream.py --model exp/model --data exp/data/test.jsonl
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import seqlabel
from seqlabel import Recognizer
from seqlabel.alphabet import Alphabet
from seqlabel.corpora.manifest import read_manifest
from seqlabel.data.signals import read_signal
from seqlabel.decoding import BeamDecoder, GreedyDecoder
from seqlabel.features.fbank import Fbank
from seqlabel.features.front_end import FrontEnd, FrontEndOptions
from seqlabel.features.normalisation import Statistics
from seqlabel.files import write_json
from seqlabel.inputs import Audio
from seqlabel.lstm import LSTM
from seqlabel.lstm.runtime import settle
from seqlabel.lstm.streaming import StackStream
from seqlabel.models.inference import TorchNetwork
from seqlabel.models.model import Model
from seqlabel.models.network import ModelOptions

INPUTS, CELLS, LAYERS = 123, 256, 3
PUSH = 0.01
"""Seconds of sound in a push, and of a frame."""
TURN = 100


@dataclass
class Row:
    """Microseconds of a call, and computing time over the time of the signal."""

    name: str
    call: str
    p50: float
    p95: float
    real_time_factor: float


def ours(**options: Any) -> Callable[[np.ndarray], object]:
    """A stack of this package."""
    return StackStream(LSTM(INPUTS, CELLS, LAYERS, **options)).push


def stepped(module: nn.Module) -> Callable[[np.ndarray], object]:
    """A recurrent module of torch that keeps its state."""
    state = None

    def step(x: np.ndarray) -> None:
        nonlocal state
        with torch.inference_mode():
            _, state = module(torch.from_numpy(x), state)

    return step


def stepped_cells() -> Callable[[np.ndarray], object]:
    """The same with a module per layer."""
    widths = [INPUTS] + [CELLS] * (LAYERS - 1)
    cells = [nn.LSTMCell(width, CELLS) for width in widths]
    states: list[Any] = [None] * LAYERS

    def step(x: np.ndarray) -> None:
        with torch.inference_mode():
            y = torch.from_numpy(x)
            for number, cell in enumerate(cells):
                states[number] = cell(y, states[number])
                y = states[number][0]

    return step


def networks(rounds: int) -> list[Row]:
    chunk = 30  # frames of 10 ms
    ways = {
        "LSTM": (1, ours(cell="lstm")),
        "peephole LSTM": (1, ours(cell="peephole")),
        "GRU": (1, ours(cell="gru")),
        "torch LSTM": (1, stepped(nn.LSTM(INPUTS, CELLS, LAYERS))),
        "torch LSTMCell": (1, stepped_cells()),
        "torch GRU": (1, stepped(nn.GRU(INPUTS, CELLS, LAYERS))),
        "both directions, 0.3 s + 0.3 s": (
            chunk,
            ours(cell="lstm", bidirectional=True, chunk=chunk, lookahead=chunk),
        ),
    }
    x = np.random.default_rng(0).normal(size=(TURN, INPUTS)).astype(np.float32)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):  # the first one compiles and warms up
        for name, (size, step) in ways.items():
            for first in range(0, TURN - size + 1, size):
                started = time.thread_time()
                step(x[first : first + size])
                if number:
                    times[name].append(time.thread_time() - started)
    rows = []
    for name, (size, _) in ways.items():
        rows.append(row(name, "frame" if size == 1 else "chunk", times[name], size * PUSH))
        if size > 1:
            rows.append(row(name, "frame", [t / size for t in times[name]], PUSH))
    return rows


def row(name: str, call: str, seconds: list[float], signal: float) -> Row:
    """signal: seconds of signal in a call."""
    p50, p95 = (1e6 * np.percentile(seconds, share) for share in (50, 95))
    return Row(name, call, float(p50), float(p95), float(np.mean(seconds)) / signal)


def streams(rounds: int) -> list[Row]:
    extractor = Fbank(filters=40, energy=True, deltas=2)
    statistics = Statistics(np.full(123, 8, np.float32), np.full(123, 4, np.float32))
    front_end = FrontEnd(extractor, FrontEndOptions(), statistics)
    alphabet = Alphabet("abcdefghijklmnopqrstuvwxyz ", "character")
    options = ModelOptions(cell="lstm", hidden=CELLS, layers=LAYERS, bidirectional=False)
    network = TorchNetwork(Model(front_end.dim, len(alphabet), options, {"kind": "ctc"}))
    model = Recognizer(network, alphabet, front_end)
    samples = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    ways = {"greedy": GreedyDecoder(alphabet), "beam 25": BeamDecoder(alphabet, 25)}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, decoder in ways.items():
            stream = model.stream(decoder)
            for first in range(0, 16000, 160):
                started = time.thread_time()
                stream.push(samples[first : first + 160])
                stream.partial()
                if number:
                    times[name].append(time.thread_time() - started)
    return [row(f"samples to labels, {name}", "push", times[name], PUSH) for name in ways]


class Counting:
    """A decoder whose streams count their frames."""

    def __init__(self, decoder: Any) -> None:
        self.decoder, self.frames = decoder, 0

    def stream(self) -> "Counting":
        self.frames, self.running = 0, self.decoder.stream()
        return self

    def push(self, log_probs: np.ndarray) -> None:
        self.frames += len(log_probs)
        self.running.push(log_probs)

    def partial(self) -> Any:
        return self.running.partial()

    def check_n_best(self, n_best: int) -> None:
        self.running.check_n_best(n_best)

    def finish(self, n_best: int) -> Any:
        return self.running.finish(n_best)


def trained(folder: Path, data: Path, most: int | None) -> list[dict[str, Any]]:
    """Lags and real-time factors of a trained model on the recordings of a manifest."""
    model = seqlabel.load(folder)
    utterances = read_manifest(data)[:most]
    signals = [read_signal(utterance, model.front_end.extractor) for utterance in utterances]
    ways: dict[str, Callable[[np.ndarray], Reading]] = {"whole": partial(read_whole, model)}
    if model.latency < np.inf:
        ways["streamed"] = partial(read_paced, model, Counting(model.decoder))
    found: list[dict[str, Any]] = []
    for name, read in ways.items():
        read(signals[0].samples)  # compiles and warms up
        readings = [read(signal.samples) for signal in signals]
        lags = [lag for reading in readings for lag in reading.lags]
        spoken = sum(signal.duration for signal in signals)
        found.append(
            {
                "way": name,
                "bound": model.latency if name == "streamed" else None,
                "lag_p50": float(np.percentile(lags, 50)),
                "lag_p95": float(np.percentile(lags, 95)),
                "real_time_factor": sum(reading.seconds for reading in readings) / spoken,
                "labels": [reading.labels for reading in readings],
            }
        )
    labels = [way.pop("labels") for way in found]
    if len(found) == 2:
        found[1]["same_labels"] = sum(a == b for a, b in zip(*labels, strict=True))
        found[1]["of"] = len(signals)
    return found


@dataclass(frozen=True)
class Reading:
    """Labels, the lag of every output in seconds, and the computing time."""

    labels: tuple[str, ...]
    lags: list[float]
    seconds: float


def output_period(model: Recognizer) -> float:
    """Seconds from one output to the next."""
    extractor, options = model.front_end.extractor, model.front_end.options
    return extractor.step_samples / extractor.rate * options.stride * model.network.subsample


def read_whole(model: Recognizer, samples: np.ndarray) -> Reading:
    """A recording read as a whole."""
    audio = Audio(samples, model.rate or 16000)
    started = time.thread_time()
    output = model.output(audio)
    result = model.decode([output])[0]
    seconds = time.thread_time() - started
    period = output_period(model)
    lags = [audio.duration + seconds - period * n for n in range(len(output.frames))]
    return Reading(result.labels, lags, seconds)


def read_paced(model: Recognizer, decoder: Counting, samples: np.ndarray) -> Reading:
    """A recording read in pushes, each at the time of its last sample."""
    rate, period = model.rate or 16000, output_period(model)
    stream = model.stream(decoder)
    size = round(PUSH * rate)
    now = busy = 0.0
    lags: list[float] = []
    known = 0
    for first in range(0, len(samples), size):
        piece = samples[first : first + size]
        started = time.thread_time()
        stream.push(piece)
        stream.partial()
        seconds = time.thread_time() - started
        busy += seconds
        now = max(now, (first + len(piece)) / rate) + seconds
        lags += [now - period * n for n in range(known, decoder.frames)]
        known = decoder.frames
    started = time.thread_time()
    result = stream.finish()
    return Reading(result.labels, lags, busy + time.thread_time() - started)


def show(rows: list[Row]) -> Iterator[str]:
    yield f"{'':34}{'':7}{'p50 µs':>9}{'p95 µs':>9}{'times real time':>17}"
    for r in rows:
        yield f"{r.name:34}{r.call:7}{r.p50:9.0f}{r.p95:9.0f}{1 / r.real_time_factor:17.1f}"


def _short(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few rounds, ten recordings")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--model", type=Path, metavar="EXP", help="a trained model, with --data")
    parser.add_argument("--data", type=Path, metavar="MANIFEST")
    options = parser.parse_args()
    if (options.model is None) != (options.data is None):
        parser.error("--model and --data go together")
    settle()
    torch.set_num_threads(1)
    if options.model is not None:
        found = trained(options.model, options.data, 10 if options.quick else None)
        for way in found:
            print("  ".join(f"{name} {_short(value)}" for name, value in way.items()))
        result: dict[str, Any] = {"trained": found}
    else:
        rounds = 3 if options.quick else 30
        rows = networks(rounds) + streams(max(1, rounds // 10))
        print("\n".join(show(rows)))
        result = {"rounds": rounds, "rows": [asdict(r) for r in rows]}
    if options.json:
        write_json(options.json, result)


if __name__ == "__main__":
    main()
