"""The recognizer: a trained model with its front end and decoder, ready to read.

model = seqlabel.load("exp/timit/blstm")
result = model.read("utt.wav")              # or samples, or an Ink
result.text, result.labels, result.spans    # spans in seconds
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from seqlabel.alphabet import Alphabet
from seqlabel.corpora.manifest import Utterance
from seqlabel.data.batches import BatchOptions, elapsed_times, make_batches
from seqlabel.data.signals import extract, frames_of_signal, read_signal, signal_kind
from seqlabel.decoding import GreedyDecoder, LevelsDecoder, Result
from seqlabel.decoding.results import Span
from seqlabel.decoding.strokes import fired_at, strokes_of_labels
from seqlabel.errors import InputError
from seqlabel.features.frames import Frames, heights_of
from seqlabel.features.front_end import FrontEnd, Signal
from seqlabel.features.normalisation import Statistics
from seqlabel.features.stream import FrontEndStream, signal_latency
from seqlabel.features.windows import count_frames, frames_of
from seqlabel.inputs import Audio, Image, Ink, read_audio, read_image, read_ink
from seqlabel.inputs.reading import naming
from seqlabel.inputs.recording import Recording
from seqlabel.long import Plan, recording_pieces, run_windows
from seqlabel.pretrained import resolve
from seqlabel.stream import Endpoints, NetworkStream, Stream, StreamableDecoder

if TYPE_CHECKING:
    from seqlabel.report.evidence import Evidence

CHUNK = 256
"""Utterances in memory at a time."""

_TYPES = {"speech": Audio, "ink": Ink, "image": Image}

CHUNK_FRAMES = 400_000
"""Extracted frames in memory at a time: an hour of speech."""

DECODED_FRAMES = 1 << 19
"""Frames decoded together, padding included."""


class Decoder(Protocol):
    """What turns a network's frames (B, T, N) with integer lengths into B results."""

    def decode(self, frames: Any, lengths: Any, n_best: int = 1, /) -> list[Result]: ...


class Network(Protocol):
    """A trained network, whatever computes it: torch (`seqlabel.models.inference`) or another.

    One whose `timed` is true is called with a third argument, the time in seconds from the frame
    before to each frame, (B, T) float32 (else None). For images of different height a fourth one
    gives that of each, (B,) int64: so many features of its frames count.
    """

    @property
    def subsample(self) -> int:
        """Frames that become one of the outputs: T' = ceil(T / subsample)."""

    @property
    def per_label(self) -> bool:
        """Whether the outputs are natural log-probabilities of the labels (N = K)."""

    @property
    def takes_samples(self) -> bool:
        """Whether it holds the front end of speech itself and wants samples (B, N) for frames."""

    def __call__(self, x: np.ndarray, lengths: np.ndarray, /) -> tuple[np.ndarray, np.ndarray]:
        """x (B, T, F) float32, lengths (B,) int64 -> outputs (B, T', N) float32, lengths' (B,).

        What lies behind a sequence's length changes none of its outputs.
        """


@runtime_checkable
class StreamingNetwork(Network, Protocol):
    """A network that may take frames in pieces too."""

    @property
    def waits(self) -> int | None:
        """Frames behind a frame that its outputs wait for, at most; None for all of them."""

    def stream(self) -> NetworkStream:
        """Begin a signal; InputError, with the way out, for a network that needs all frames."""


@dataclass(frozen=True)
class Output:
    """What the network says of one signal.

    frames: (T, N), what a decoder reads: natural log-probabilities of the labels (N = K), or of a
    transducer the encoder's share of its joint network. Behind the K labels stand those of the
    levels they are made of, where the model has levels.
    times: (T,) start of each frame in seconds; period: its length.
    strokes: (T,) stroke number of each frame of ink, None for speech.
    per_label: whether `frames` are log-probabilities. labels: K, 0 for all of N.
    ink: what was written, with t on the clock of `times`. seen: strokes that have frames.
    """

    frames: np.ndarray
    times: np.ndarray
    period: float
    strokes: np.ndarray | None = None
    per_label: bool = True
    labels: int = 0
    ink: Ink | None = None
    seen: frozenset[int] = frozenset()

    @property
    def log_probs(self) -> np.ndarray:
        """(T, K) natural log-probabilities of the labels; InputError where there are none."""
        if not self.per_label:
            raise InputError(
                "a transducer gives no label probabilities per frame; take a model of "
                "criterion.kind = 'ctc'"
            )
        return self.frames[:, : self.labels or None]


class Recognizer:
    """Reads speech, ink or images with a trained network.

    batches: how `outputs` groups utterances. decoder: may be replaced; greedy where none is given.
    """

    def __init__(
        self,
        network: Network,
        alphabet: Alphabet,
        front_end: FrontEnd,
        batches: BatchOptions | None = None,
        decoder: Decoder | None = None,
    ) -> None:
        self.network = network
        self.alphabet = alphabet
        self.front_end = front_end
        self.batches = batches or BatchOptions()
        greedy = GreedyDecoder(alphabet)
        simplest = LevelsDecoder(alphabet, greedy) if alphabet.levels else greedy
        self.decoder: Decoder = decoder or simplest
        extractor = front_end.extractor
        self.kind = signal_kind(extractor)
        self.rate: int | None = getattr(extractor, "rate", None)

    def read(
        self,
        source: str | os.PathLike[str] | np.ndarray | Signal,
        rate: int | None = None,
        n_best: int = 1,
    ) -> Result:
        """Label one signal; spans of the result are in seconds, of an image in columns of pixels.

        source: a file, an Ink, an Audio, an Image, samples (N,) in [-1, 1] with their `rate` (that
        of the model where it is not given), or pixels (H, W) in [0, 1]. n_best: how many
        labellings; all but the best are in `.alternatives`. Raises InputError for what cannot be
        read.
        """
        if isinstance(source, str | os.PathLike) and self.kind == "speech":
            utterance = Utterance(os.fspath(source), Path(source), "speech", ())
            if self._is_long(utterance):
                return self.decode([self._long_utterance(utterance, {})], n_best)[0]
        signal = self._signal(source, rate)
        with naming(source) if isinstance(source, str | os.PathLike) else nullcontext():
            output = self.output(signal)
        return self.decode([output], n_best)[0]

    def output(self, signal: Signal, most_frames: int | None = None) -> Output:
        """What the network says of one signal; InputError for more than `most_frames` frames."""
        prepared = self._prepare(signal)
        count = len(prepared.frames)
        if most_frames is not None and count > most_frames:
            raise InputError(f"{count} frames, at most {most_frames} are read; send less")
        return next(self._forward([prepared]))

    def outputs(
        self, utterances: Sequence[Utterance], batches: BatchOptions | None = None
    ) -> Iterator[tuple[Utterance, Output]]:
        """What the network says of a manifest's utterances, in their order.

        They are read and computed CHUNK at a time, in batches of similar length within a chunk.
        """
        own = self._speaker_statistics(utterances)
        options = batches or self.batches
        for part in self._chunks(utterances, own):
            short = [(n, held) for n, (_, held) in enumerate(part) if isinstance(held, _Input)]
            found: dict[int, Output] = {}
            for chosen in make_batches([len(i.frames) for _, i in short], options, None):
                batch = self._forward([short[c][1] for c in chosen])
                found.update(zip((short[c][0] for c in chosen), batch, strict=True))
            for n, (utterance, held) in enumerate(part):
                yield utterance, held if isinstance(held, Output) else found[n]

    def _chunks(
        self, utterances: Sequence[Utterance], own: dict[str, Statistics]
    ) -> Iterator[list[tuple[Utterance, "_Input | Output"]]]:
        """Utterances with what the network gets, and long recordings with their outputs.

        A chunk holds CHUNK utterances and CHUNK_FRAMES frames at most, but an utterance at least.
        """
        part: list[tuple[Utterance, _Input | Output]] = []
        frames = 0
        for utterance in utterances:
            held: _Input | Output
            if self._is_long(utterance):
                held = self._long_utterance(utterance, own)
                frames += CHUNK_FRAMES // 4
            else:
                held = self._prepare_utterance(utterance, own)
                frames += len(held.frames)
            part.append((utterance, held))
            if len(part) == CHUNK or frames > CHUNK_FRAMES:
                yield part
                part, frames = [], 0
        if part:
            yield part

    def decode(self, outputs: Sequence[Output], n_best: int = 1) -> list[Result]:
        """Decode what the network said of several signals.

        Spans are in seconds, and those of ink have the numbers of their strokes.
        """
        if not outputs:
            return []
        decoded: list[Result] = []
        for group in _groups([len(output.frames) for output in outputs]):
            part = [outputs[n] for n in group]
            lengths = [len(output.frames) for output in part]
            padded = np.zeros((len(part), max(lengths), part[0].frames.shape[1]), np.float32)
            for row, output in zip(padded, part, strict=True):
                row[: len(output.frames)] = output.frames
            results = self.decoder.decode(padded, np.array(lengths), n_best)
            decoded += [self._placed(r, output) for r, output in zip(results, part, strict=True)]
        return decoded

    def _placed(self, result: Result, output: Output) -> Result:
        """A result with its spans in seconds and, of ink, with their strokes."""
        result = result.with_times(output.times.tolist(), output.period)
        ink = output.ink
        if ink is None:
            return result

        def strokes_of(spans: Sequence[Span]) -> list[tuple[int, ...]]:
            fired = [fired_at(span, output.times) for span in spans]
            labels = [span.label for span in spans]
            return strokes_of_labels(ink.strokes, labels, fired, self.alphabet.inkless, output.seen)

        return result.with_strokes(strokes_of)

    def stream(
        self, decoder: StreamableDecoder | None = None, endpoints: Endpoints | None = None
    ) -> Stream:
        """Begin a signal that comes in pieces, see `seqlabel.stream`.

        decoder: the model's own where none is given. endpoints: cut speech into utterances.
        Raises InputError, with the way out, for a model or a decoder that needs the whole signal.
        """
        if not isinstance(self.network, StreamingNetwork):
            raise InputError("this network reads whole signals only; load a model directory")
        chosen = decoder or self.decoder
        if not isinstance(chosen, StreamableDecoder):
            raise InputError(
                f"{type(chosen).__name__} reads whole signals only; stream with a GreedyDecoder or "
                "a BeamDecoder, and a model of criterion.kind = 'ctc'"
            )
        if endpoints is not None and self.kind != "speech":
            raise InputError("endpoints are silences, which ink has none of: leave them out")
        return Stream(
            FrontEndStream(self.front_end),
            self.network.stream(),
            chosen,
            self.alphabet,
            self.network.subsample,
            endpoints,
        )

    @property
    def latency(self) -> float:
        """Seconds that a stream lags behind its signal at worst, computing time excepted.

        From the first sample of a frame's window to the sample after which the frame has its
        outputs: window + stacking + derivatives + the network's chunk and look-ahead. For ink from
        the end of a stroke: 0, or inf where its last frames wait for the next stroke. inf for
        models that read whole signals only.
        """
        waits = self.network.waits if isinstance(self.network, StreamingNetwork) else None
        return signal_latency(self.front_end, waits)

    def evidence(self, utterance: Utterance, output: Output, result: Result) -> "Evidence":
        """The signal and the posteriors behind a result, for the report.

        Raises InputError for a transducer, which has no posteriors per frame.
        """
        from seqlabel.report.evidence import Evidence

        shared = np.exp(output.log_probs), self.alphabet.symbols, output.times
        if output.ink is not None:
            times = [fired_at(span, output.times) for span in result.spans]
            spans = [(s.label, t, t) for s, t in zip(result.spans, times, strict=True)]
            return Evidence.of_ink(*shared, output.ink.strokes, spans, self.alphabet.inkless)
        signal = read_signal(utterance, self.front_end.extractor)
        if isinstance(signal, Image):
            return Evidence.of_image(*shared, signal.pixels)
        assert isinstance(signal, Audio)
        segments = utterance.segments
        return Evidence.of_speech(*shared, signal.samples, signal.rate, segments)

    def _signal(self, source: Any, rate: int | None) -> Signal:
        if isinstance(source, Audio | Ink | Image):
            if type(source) is not _TYPES[self.kind]:
                raise InputError(f"this model reads {self.kind}, not {type(source).__name__}")
            return source
        if isinstance(source, str | os.PathLike):
            if self.kind == "ink":
                return read_ink(source, self.front_end.extractor.times)
            return read_image(source) if self.kind == "image" else read_audio(source, self.rate)
        if self.kind == "speech":
            return Audio(np.asarray(source), rate or self.rate or 16000)
        if self.kind == "image":
            return Image(np.asarray(source))
        raise InputError(f"this model reads ink: a file or an Ink, not {type(source).__name__}")

    def _speaker_statistics(self, utterances: Iterable[Utterance]) -> dict[str, Statistics]:
        if self.front_end.options.normalise != "speaker":
            return {}
        spoken: dict[str, list[np.ndarray]] = {}
        for utterance in utterances:
            if utterance.speaker:
                x = extract(utterance, self.front_end.extractor).x
                spoken.setdefault(utterance.speaker, []).append(x)
        return {speaker: Statistics.fit(arrays) for speaker, arrays in spoken.items()}

    def _prepare(self, signal: Signal, own: Statistics | None = None) -> "_Input":
        front_end = self.front_end
        if self.network.takes_samples:
            assert isinstance(signal, Audio)
            count = count_frames(signal, front_end.extractor)
            frames = frames_of(np.zeros((count, 1), np.float32), front_end.extractor)
            return _Input(signal.samples, front_end.stack(frames))
        frames = front_end.finish(frames_of_signal(signal, front_end.extractor), own)
        return _Input(frames.x, frames)

    def _prepare_utterance(self, utterance: Utterance, own: dict[str, Statistics]) -> "_Input":
        signal = read_signal(utterance, self.front_end.extractor)
        with naming(utterance.source):
            return self._prepare(signal, own.get(utterance.speaker))

    def _is_long(self, utterance: Utterance) -> bool:
        """Whether an utterance is speech too long to be held as a whole, by its header."""
        if utterance.kind != "speech" or self.kind != "speech" or self.network.takes_samples:
            return False
        length = utterance.duration if utterance.end or utterance.start else 0.0
        if not length:
            with Recording(utterance.source, self.rate, utterance.channel) as recording:
                length = recording.duration - utterance.start
        return self._plan().needed(round(length / self._period))

    @property
    def _period(self) -> float:
        """Seconds from one frame of speech to the next, as the network gets them."""
        extractor = self.front_end.extractor
        return float(extractor.step_samples / extractor.rate) * self.front_end.options.stride

    def _plan(self) -> Plan:
        """How long signals are cut into windows."""
        speech = self.kind == "speech"
        return Plan.of(self._period if speech else 0.0, speech, self.network.subsample)

    def _long_utterance(self, utterance: Utterance, own: dict[str, Statistics]) -> Output:
        """What the network says of a long recording, which is read and computed in parts."""
        with Recording(utterance.source, self.rate, utterance.channel) as recording:
            first, last = recording.stretch(utterance.start, utterance.end)
            pieces = recording_pieces(
                recording, first, last, self.front_end, own.get(utterance.speaker)
            )
            start = frames_of(np.zeros((1, 0), np.float32), self.front_end.extractor).times[0]

            def times(first: int, count: int) -> np.ndarray:
                return np.asarray(start + self._period * np.arange(first, first + count))

            with naming(utterance.source):
                outputs = self._in_windows(pieces, times, self._period)
        every = self.network.subsample
        return Output(
            outputs,
            times(0, len(outputs) * every)[::every],
            self._period * every,
            per_label=self.network.per_label,
            labels=len(self.alphabet),
        )

    def _in_windows(
        self,
        pieces: Iterable[np.ndarray],
        times: Callable[[int, int], np.ndarray],
        period: float,
    ) -> np.ndarray:
        """The outputs (T', N) of a signal whose frames come in pieces, computed in windows.

        times: (first frame, number of frames) -> seconds.
        """
        labels = len(self.alphabet) if self.network.per_label else 0

        def compute(windows: Sequence[Frames]) -> list[np.ndarray]:
            return [output.frames for output in self._compute([_Input(w.x, w) for w in windows])]

        def window(first: int, x: np.ndarray) -> Frames:
            return Frames(x, times(first, len(x)), period)

        return run_windows(pieces, self._plan(), window, compute, labels)

    def _forward(self, inputs: Sequence["_Input"]) -> Iterator[Output]:
        """The outputs of some signals in their order, of long ones in windows."""
        plan = self._plan()
        long = any(plan.needed(len(i.frames)) for i in inputs) and self.kind != "image"
        if self.network.takes_samples or not long:
            yield from self._compute(inputs)
            return
        for i in inputs:
            if plan.needed(len(i.frames)):
                times = partial(_cut, i.frames.times)
                yield self._output(i, self._in_windows([i.x], times, i.frames.period))
            else:
                yield from self._compute([i])

    def _compute(self, inputs: Sequence["_Input"]) -> Iterator[Output]:
        lengths = np.array([len(i.x) for i in inputs])
        x = np.zeros((len(inputs), lengths.max(), *inputs[0].x.shape[1:]), np.float32)
        for row, i in zip(x, inputs, strict=True):
            row[: len(i.x)] = i.x
        run: Any = self.network
        timed = getattr(run, "timed", False)
        elapsed = elapsed_times([i.frames.times for i in inputs]) if timed else None
        rows = heights_of([i.frames for i in inputs])
        if rows is not None:
            outputs, out_lengths = run(x, lengths, elapsed, np.array(rows))
        else:
            outputs, out_lengths = run(x, lengths, *(() if elapsed is None else (elapsed,)))
        for i, output, length in zip(inputs, outputs, out_lengths.tolist(), strict=True):
            yield self._output(i, output[:length])

    def _output(self, given: "_Input", outputs: np.ndarray) -> Output:
        frames, every = given.frames, self.network.subsample
        return Output(
            outputs,
            frames.times[::every],
            frames.period * every,
            None if frames.strokes is None else frames.strokes[::every],
            self.network.per_label,
            len(self.alphabet),
            frames.ink,
            frozenset() if frames.strokes is None else frozenset(frames.strokes.tolist()),
        )


def _cut(times: np.ndarray, first: int, count: int) -> np.ndarray:
    return times[first : first + count]


def _groups(lengths: Sequence[int]) -> Iterator[range]:
    """Neighbours whose padded frames stay below DECODED_FRAMES, or single ones."""
    start, longest = 0, 0
    for n, length in enumerate(lengths):
        longest = max(longest, length)
        if n > start and longest * (n + 1 - start) > DECODED_FRAMES:
            yield range(start, n)
            start, longest = n, length
    yield range(start, len(lengths))


@dataclass(frozen=True)
class _Input:
    """What the network gets of a signal, x (T, F) or (N,), and the frames it makes of that."""

    x: np.ndarray
    frames: Frames


def load(model: str | os.PathLike[str], device: Any = "cpu") -> Recognizer:
    """The recognizer of a model directory or of an exported file; no code of either is run.

    model: the directory or file, or the name of a model that comes along
    (`seqlabel.pretrained.names()`). device: "cpu" or "cuda". An exported file (.onnx) is run by
    onnxruntime, without torch. Raises InputError for a model of another version, or with a missing
    or unfit file.
    """
    path = resolve(model)
    if path.suffix == ".onnx" or path.is_file():
        from seqlabel.export.runtime import load_onnx

        session, described = load_onnx(path, device)
        return Recognizer(session, described.alphabet, described.front_end, described.batches)
    from seqlabel.models.inference import TorchNetwork
    from seqlabel.training.run_directory import load_model

    experiment, alphabet, front_end, trained = load_model(path)
    network = TorchNetwork(trained, device)
    return Recognizer(network, alphabet, front_end, experiment.batches, network.decoder(alphabet))
