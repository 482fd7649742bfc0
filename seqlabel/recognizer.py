"""The recognizer: a trained model with its front end and decoder, ready to read.

model = seqlabel.load("exp/timit/blstm")
result = model.read("utt.wav")              # or samples, or an Ink
result.text, result.labels, result.spans    # spans in seconds
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from seqlabel.alphabet import Alphabet
from seqlabel.corpora.manifest import Utterance
from seqlabel.data.batches import BatchOptions, make_batches
from seqlabel.data.store import Signal, read_signal
from seqlabel.decoding import GreedyDecoder, Result
from seqlabel.errors import InputError
from seqlabel.features.frames import Frames
from seqlabel.features.front_end import FrontEnd
from seqlabel.features.normalisation import Statistics
from seqlabel.inputs import Audio, Ink, read_audio, read_ink
from seqlabel.models.model import Model
from seqlabel.scoring.evidence import Evidence
from seqlabel.training.experiment import Experiment
from seqlabel.training.run_directory import load_model

CHUNK = 256
"""Utterances in memory at a time."""


class Decoder(Protocol):
    """What turns log-probabilities (B, T, K) with integer lengths into B results."""

    def decode(self, log_probs: Any, lengths: Any, n_best: int = 1) -> list[Result]: ...


@dataclass(frozen=True)
class Posteriors:
    """What the network says of one signal.

    log_probs: (T, K) natural logs. times: (T,) start of each frame in seconds; period: its length.
    strokes: (T,) stroke number of each frame of ink, None for speech.
    """

    log_probs: np.ndarray
    times: np.ndarray
    period: float
    strokes: np.ndarray | None = None


class Recognizer:
    """Reads speech or ink with a trained model. `decoder` may be replaced (greedy at first)."""

    def __init__(
        self,
        experiment: Experiment,
        alphabet: Alphabet,
        front_end: FrontEnd,
        model: Model,
        device: str | torch.device = "cpu",
    ) -> None:
        self.experiment = experiment
        self.alphabet = alphabet
        self.front_end = front_end
        self.device = torch.device(device)
        self.model = model.eval().to(self.device)
        self.decoder: Decoder = GreedyDecoder(alphabet)
        extractor = front_end.extractor
        self.kind = "speech" if hasattr(extractor, "rate") else "ink"
        self.rate: int | None = getattr(extractor, "rate", None)

    def read(
        self,
        source: str | os.PathLike[str] | np.ndarray | Audio | Ink,
        rate: int | None = None,
        n_best: int = 1,
    ) -> Result:
        """Label one signal; spans of the result are in seconds.

        source: a file, an Ink, an Audio, or samples (N,) in [-1, 1] with their `rate` (that of the
        model where it is not given). n_best: how many labellings; all but the best are in
        `.alternatives`. Raises InputError for what cannot be read.
        """
        return self.decode([self.posteriors(self._signal(source, rate))], n_best)[0]

    def posteriors(self, signal: Signal) -> Posteriors:
        """Log-probabilities of one signal."""
        return next(self._forward([self.front_end(signal)]))

    def log_probs(
        self, utterances: Sequence[Utterance], batches: BatchOptions | None = None
    ) -> Iterator[tuple[Utterance, Posteriors]]:
        """Log-probabilities of a manifest's utterances, in their order.

        They are read and computed CHUNK at a time, in batches of similar length within a chunk.
        """
        own = self._speaker_statistics(utterances)
        options = batches or self.experiment.batches
        for start in range(0, len(utterances), CHUNK):
            part = utterances[start : start + CHUNK]
            frames = [
                self.front_end(
                    read_signal(utterance, self.front_end.extractor), own.get(utterance.speaker)
                )
                for utterance in part
            ]
            outputs: dict[int, Posteriors] = {}
            for chosen in make_batches([len(f) for f in frames], options, None):
                batch = self._forward([frames[n] for n in chosen])
                outputs.update(zip(chosen, batch, strict=True))
            yield from ((utterance, outputs[n]) for n, utterance in enumerate(part))

    def decode(self, posteriors: Sequence[Posteriors], n_best: int = 1) -> list[Result]:
        """Decode a batch of posteriors; spans are in seconds."""
        lengths = [len(p.log_probs) for p in posteriors]
        padded = np.zeros((len(posteriors), max(lengths), len(self.alphabet)), np.float32)
        for row, p in zip(padded, posteriors, strict=True):
            row[: len(p.log_probs)] = p.log_probs
        results = self.decoder.decode(padded, np.array(lengths), n_best)
        pairs = zip(results, posteriors, strict=True)
        return [result.with_times(p.times.tolist(), p.period) for result, p in pairs]

    def evidence(self, utterance: Utterance, posteriors: Posteriors, result: Result) -> Evidence:
        """The signal and the posteriors behind a result, for the report."""
        signal = read_signal(utterance, self.front_end.extractor)
        shared = np.exp(posteriors.log_probs), self.alphabet.symbols, posteriors.times
        if isinstance(signal, Audio):
            segments = utterance.segments
            return Evidence.of_speech(*shared, signal.samples, signal.rate, segments)
        spans = [(span.label, span.start, span.end) for span in result.spans]
        return Evidence.of_ink(*shared, signal.strokes, spans)

    def _signal(self, source: Any, rate: int | None) -> Signal:
        if isinstance(source, Audio | Ink):
            signal: Signal = source
        elif isinstance(source, str | os.PathLike):
            if self.kind == "ink":
                signal = read_ink(source, self.front_end.extractor.times)
            else:
                signal = read_audio(source, self.rate)
        elif self.kind == "speech":
            signal = Audio(np.asarray(source), rate or self.rate or 16000)
        else:
            raise InputError(f"this model reads ink: a file or an Ink, not {type(source).__name__}")
        if isinstance(signal, Ink) != (self.kind == "ink"):
            raise InputError(f"this model reads {self.kind}, not {type(signal).__name__}")
        return signal

    def _speaker_statistics(self, utterances: Iterable[Utterance]) -> dict[str, Statistics]:
        if self.front_end.options.normalise != "speaker":
            return {}
        spoken: dict[str, list[np.ndarray]] = {}
        for utterance in utterances:
            if utterance.speaker:
                x = self.front_end.extractor(read_signal(utterance, self.front_end.extractor)).x
                spoken.setdefault(utterance.speaker, []).append(x)
        return {speaker: Statistics.fit(arrays) for speaker, arrays in spoken.items()}

    def _forward(self, frames: Sequence[Frames]) -> Iterator[Posteriors]:
        lengths = torch.tensor([len(f) for f in frames])
        x = torch.zeros(len(frames), int(lengths.max()), self.front_end.dim)
        for row, f in zip(x, frames, strict=True):
            row[: len(f)] = torch.from_numpy(f.x)
        with torch.inference_mode():
            log_probs, out_lengths = self.model.log_probs(x.to(self.device), lengths)
        every = self.experiment.model.subsample
        for f, output, length in zip(frames, log_probs, out_lengths.tolist(), strict=True):
            yield Posteriors(
                output[:length].cpu().numpy(),
                f.times[::every],
                f.period * every,
                None if f.strokes is None else f.strokes[::every],
            )


def load(folder: str | os.PathLike[str], device: str | torch.device = "cpu") -> Recognizer:
    """The recognizer of a model directory; no code of the directory is run.

    Raises InputError for a directory of another version, or with a missing or unfit file.
    """
    torch.set_flush_denormal(True)
    return Recognizer(*load_model(Path(folder)), device)
