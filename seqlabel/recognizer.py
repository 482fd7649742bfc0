"""The recognizer: a trained model with its front end and decoder.

model = seqlabel.load("exp/timit/blstm")
result = model.read("utt.wav")              # or samples, or an Ink
result.text, result.labels, result.spans    # spans in seconds
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from seqlabel.alphabet import Alphabet
from seqlabel.corpora.manifest import Utterance
from seqlabel.data.batches import BatchOptions
from seqlabel.data.signals import read_signal, signal_kind
from seqlabel.decoding import GreedyDecoder, LevelsDecoder, Result
from seqlabel.decoding.strokes import fired_at, with_strokes
from seqlabel.errors import InputError
from seqlabel.features.front_end import FrontEnd, Signal
from seqlabel.features.stream import FrontEndStream, signal_latency
from seqlabel.forward import Forward, Network, Output, StreamingNetwork
from seqlabel.inputs import (
    Audio,
    Image,
    Ink,
    Series,
    read_audio,
    read_image,
    read_ink,
    read_series,
)
from seqlabel.inputs.reading import naming
from seqlabel.pretrained import resolve
from seqlabel.stream import Endpoints, Stream, StreamableDecoder

if TYPE_CHECKING:
    from seqlabel.report.evidence import Evidence

_TYPES = {"speech": Audio, "ink": Ink, "image": Image, "series": Series}

DECODED_FRAMES = 1 << 19
"""Frames decoded together, padding included."""


class Decoder(Protocol):
    """Decodes a network's frames (B, T, N) with integer lengths into B results."""

    def decode(self, frames: Any, lengths: Any, n_best: int = 1, /) -> list[Result]: ...


class Recognizer:
    """Reads speech, ink, images or series with a trained network.

    batches: how `outputs` groups utterances. decoder: may be replaced; by default greedy.
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

    @property
    def _forward(self) -> Forward:
        return Forward(self.network, self.front_end, len(self.alphabet))

    def read(
        self,
        source: str | os.PathLike[str] | np.ndarray | Signal,
        rate: int | None = None,
        n_best: int = 1,
    ) -> Result:
        """Label one signal; spans are in seconds, of images in columns of pixels.

        source: a file, an Ink, an Audio, an Image, samples (N,) in [-1, 1] with their `rate`
        (default: that of the model; sound of another one is resampled), pixels (H, W) in [0, 1],
        or rows (T, F) of a series. n_best: how many labellings; all but the best are in
        `.alternatives`. Raises InputError for what cannot be read, and for a model that predicts
        values (`predict`).
        """
        self._check_labels()
        if isinstance(source, str | os.PathLike) and self.kind == "speech":
            utterance = Utterance(os.fspath(source), Path(source), "speech", ())
            if self._forward.is_long(utterance):
                output = self._forward.of_long_utterance(utterance, {})
                return self.decode([output], n_best)[0]
        signal = self._signal(source, rate)
        with naming(source) if isinstance(source, str | os.PathLike) else nullcontext():
            output = self.output(signal)
        return self.decode([output], n_best)[0]

    def predict(
        self, source: str | os.PathLike[str] | np.ndarray | Signal, rate: int | None = None
    ) -> np.ndarray:
        """(T, D) values that a regression predicts of each frame, in the units of its targets.

        With criterion.loss = "gaussian" (T, 2D): the means, then the standard deviations. source,
        rate: as for `read`. Raises InputError for a model of labels.
        """
        if self.values is None:
            raise InputError("this model outputs labels, not values: use read")
        signal = self._signal(source, rate)
        with naming(source) if isinstance(source, str | os.PathLike) else nullcontext():
            return self.output(signal).frames

    @property
    def values(self) -> Any:
        """Options of the regression if the network predicts values, None if it outputs labels."""
        return getattr(self.network, "values", None)

    def _check_labels(self) -> None:
        if self.values is not None:
            raise InputError(
                "this model predicts values, not labels: seqlabel decode EXP DATA --out HYP "
                "writes them, seqlabel.load(EXP).predict(FILE) gives them"
            )

    def output(self, signal: Signal, most_frames: int | None = None) -> Output:
        """The outputs of one signal; InputError for more than `most_frames` frames."""
        forward = self._forward
        prepared = forward.prepare(signal)
        count = len(prepared.frames)
        if most_frames is not None and count > most_frames:
            raise InputError(f"{count} frames, but at most {most_frames} are allowed; send less")
        return next(forward([prepared]))

    def outputs(
        self,
        utterances: Sequence[Utterance],
        batches: BatchOptions | None = None,
        whole: Sequence[Utterance] | None = None,
    ) -> Iterator[tuple[Utterance, Output]]:
        """The outputs of a manifest's utterances, in their order.

        They are read and computed `forward.CHUNK` at a time, in batches of similar length.
        whole: the set that they are a part of; normalise = "speaker" takes its statistics of a
        speaker over that set.
        """
        return self._forward.of_utterances(utterances, batches or self.batches, whole)

    def decode(self, outputs: Sequence[Output], n_best: int = 1) -> list[Result]:
        """Decode the outputs of several signals.

        Spans are in seconds, and those of ink have the numbers of their strokes.
        """
        self._check_labels()
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
        if output.ink is None:
            return result
        return with_strokes(result, output.ink.strokes, output.times, self.alphabet.inkless)

    def stream(
        self, decoder: StreamableDecoder | None = None, endpoints: Endpoints | None = None
    ) -> Stream:
        """Begin a signal that comes in pieces, see `seqlabel.stream`.

        decoder: by default that of the model. endpoints: divide speech into utterances.
        Raises InputError, with the way out, for a model or a decoder that needs the whole signal.
        """
        self._check_labels()
        if not isinstance(self.network, StreamingNetwork):
            raise InputError("this network takes whole signals only; load a model directory")
        chosen = decoder or self.decoder
        if not isinstance(chosen, StreamableDecoder):
            raise InputError(
                f"{type(chosen).__name__} takes whole signals only; stream with a GreedyDecoder or "
                "a BeamDecoder, and a model of criterion.kind = 'ctc'"
            )
        if endpoints is not None and self.kind != "speech":
            raise InputError("endpoints are silences of speech: leave them out for ink")
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
        """Maximum delay of a stream in seconds, without computing time.

        From the first sample of a frame's window to the sample after which the frame has its
        outputs: window + stacking + derivatives + the network's chunk and look-ahead. For ink,
        from the end of a stroke: 0, or inf if its last frames depend on the next stroke. inf for
        models that take whole signals only.
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
        if isinstance(signal, Series):
            raise InputError(f"{utterance.id}: a series has no picture in the report")
        assert isinstance(signal, Audio)
        segments = utterance.segments
        return Evidence.of_speech(*shared, signal.samples, signal.rate, segments)

    def _signal(self, source: Any, rate: int | None) -> Signal:
        if isinstance(source, Audio | Ink | Image | Series):
            if type(source) is not _TYPES[self.kind]:
                raise InputError(f"this model reads {self.kind}, not {type(source).__name__}")
            return source.at_rate(self.rate or source.rate) if type(source) is Audio else source
        if isinstance(source, str | os.PathLike):
            if self.kind == "ink":
                return read_ink(source, self.front_end.extractor.times)
            if self.kind == "series":
                return read_series(source)
            return read_image(source) if self.kind == "image" else read_audio(source, self.rate)
        if self.kind == "ink":
            raise InputError(f"this model reads ink: a file or an Ink, not {type(source).__name__}")
        try:
            values = np.asarray(source)
        except ValueError:
            raise InputError(
                f"a {type(source).__name__} that is no array; give a file or an array"
            ) from None
        if self.kind == "image":
            return Image(values)
        if self.kind == "series":
            return Series(values)
        wanted = self.rate or 16000
        return Audio(values, wanted if rate is None else rate).at_rate(wanted)


def _groups(lengths: Sequence[int]) -> Iterator[range]:
    """Consecutive outputs with at most DECODED_FRAMES padded frames, at least one each."""
    start, longest = 0, 0
    for n, length in enumerate(lengths):
        longest = max(longest, length)
        if n > start and longest * (n + 1 - start) > DECODED_FRAMES:
            yield range(start, n)
            start, longest = n, length
    yield range(start, len(lengths))


def load(model: str | os.PathLike[str], device: Any = "cpu") -> Recognizer:
    """The recognizer of a model directory or of an exported file; no code of either is run.

    model: the directory or file, or the name of a model that comes with the package
    (`seqlabel.pretrained.names()`). device: "cpu" or "cuda". An exported file (.onnx) is run by
    onnxruntime, without torch. Raises InputError for a model of another version, or with a missing
    or unfit file.
    """
    path = resolve(model)
    if path.is_file() and path.suffix != ".onnx":
        raise InputError(f"{path}: a file; a model is a folder, a .onnx file or a name")
    if path.suffix == ".onnx":
        from seqlabel.export.runtime import load_onnx

        session, described = load_onnx(path, device)
        return Recognizer(session, described.alphabet, described.front_end, described.batches)
    from seqlabel.models.inference import TorchNetwork
    from seqlabel.training.run_directory import load_model

    experiment, alphabet, front_end, trained = load_model(path)
    network = TorchNetwork(trained, device)
    return Recognizer(network, alphabet, front_end, experiment.batches, network.decoder(alphabet))
