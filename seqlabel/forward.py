"""The forward pass: signals or utterances through the front end and the network, into outputs.

Short signals are computed in batches. Long ones are computed in parts: by networks that stream one
after the other, as in a stream, by others in overlapping windows (`seqlabel.long`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np

from seqlabel.corpora.manifest import Utterance
from seqlabel.data.batches import BatchOptions, elapsed_times, make_batches
from seqlabel.data.signals import extract, frames_of_signal, read_signal, signal_kind
from seqlabel.errors import InputError
from seqlabel.features.frames import Frames, heights_of
from seqlabel.features.front_end import FrontEnd, Signal
from seqlabel.features.normalisation import Statistics
from seqlabel.features.windows import count_frames, frames_of
from seqlabel.inputs import Audio, Ink
from seqlabel.inputs.reading import naming
from seqlabel.inputs.recording import Recording
from seqlabel.long import Plan, recording_pieces, run_windows
from seqlabel.stream import NetworkStream

CHUNK = 256
"""Utterances in memory at a time."""


WHOLE = ("image", "series")
"""Kinds of signals that are never cut into windows."""

CHUNK_FRAMES = 400_000
"""Extracted frames in memory at a time: an hour of speech."""


class Network(Protocol):
    """A trained network, computed by torch (`seqlabel.models.inference`) or otherwise.

    If `timed` is true, the third argument is the time in seconds from the previous frame to each
    frame, (B, T) float32 (else None). For images of different heights the fourth argument is the
    height of each, (B,) int64: the number of features that are not padding.
    """

    @property
    def subsample(self) -> int:
        """Frames per output: T' = ceil(T / subsample)."""

    @property
    def per_label(self) -> bool:
        """Whether the outputs are natural log-probabilities of the labels (N = K)."""

    @property
    def takes_samples(self) -> bool:
        """Whether it includes the front end and takes samples (B, N) of speech for frames."""

    def __call__(self, x: np.ndarray, lengths: np.ndarray, /) -> tuple[np.ndarray, np.ndarray]:
        """x (B, T, F) float32, lengths (B,) int64 -> outputs (B, T', N) float32, lengths' (B,).

        Padding changes no output.
        """


@runtime_checkable
class StreamingNetwork(Network, Protocol):
    """A network that also takes frames in pieces."""

    @property
    def waits(self) -> int | None:
        """Maximum number of later frames that an output depends on; None for all."""

    def stream(self) -> NetworkStream:
        """Begin a signal; InputError for a network that needs all frames."""


NO_PROBABILITIES = (
    "this model gives no label probabilities per frame; take a model of criterion.kind = 'ctc'"
)


@dataclass(frozen=True)
class Output:
    """The outputs of the network for one signal.

    frames: (T, N), the input of the decoder: natural log-probabilities of the labels (N = K), or
    the encoder's part of a transducer's joint network. The K labels are followed by those of lower
    levels, if the model has levels. times: (T,) start of each frame in seconds; period: its length.
    strokes: (T,) stroke number of each frame of ink, None for speech. per_label: whether `frames`
    are log-probabilities. labels: K, 0 for all of N. ink: what was written, with t on the clock of
    `times`.
    """

    frames: np.ndarray
    times: np.ndarray
    period: float
    strokes: np.ndarray | None = None
    per_label: bool = True
    labels: int = 0
    ink: Ink | None = None

    @property
    def log_probs(self) -> np.ndarray:
        """(T, K) natural log-probabilities of the labels; InputError where there are none."""
        if not self.per_label:
            raise InputError(NO_PROBABILITIES)
        return self.frames[:, : self.labels or None]


@dataclass(frozen=True)
class Input:
    """The input of the network, x (T, F) or (N,), and the frames with their times."""

    x: np.ndarray
    frames: Frames


@dataclass(frozen=True)
class Forward:
    """A network with its front end. labels: K, of the network's alphabet."""

    network: Network
    front_end: FrontEnd
    labels: int

    @property
    def _kind(self) -> str:
        return signal_kind(self.front_end.extractor)

    @property
    def _rate(self) -> int | None:
        return getattr(self.front_end.extractor, "rate", None)

    def __call__(self, inputs: Sequence[Input]) -> Iterator[Output]:
        """The outputs of some signals in their order; long signals are computed in parts."""
        plan = self._plan
        long = any(plan.needed(len(i.frames)) for i in inputs) and self._kind not in WHOLE
        if self.network.takes_samples or not long:
            yield from self._compute(inputs)
            return
        for i in inputs:
            if plan.needed(len(i.frames)):
                times = partial(_cut, i.frames.times)
                yield self._output(i, self._in_parts([i.x], times, i.frames.period))
            else:
                yield from self._compute([i])

    def of_utterances(
        self,
        utterances: Sequence[Utterance],
        batches: BatchOptions,
        whole: Sequence[Utterance] | None = None,
    ) -> Iterator[tuple[Utterance, Output]]:
        """The outputs of utterances in their order, computed CHUNK at a time in batches.

        whole: the set that they are a part of, over which a speaker's statistics are computed;
        `utterances` if None.
        """
        own = self._speaker_statistics(utterances, utterances if whole is None else whole)
        for part in self._chunks(utterances, own):
            short = [(n, held) for n, (_, held) in enumerate(part) if isinstance(held, Input)]
            found: dict[int, Output] = {}
            for chosen in make_batches([len(i.frames) for _, i in short], batches, None):
                batch = self([short[c][1] for c in chosen])
                found.update(zip((short[c][0] for c in chosen), batch, strict=True))
            for n, (utterance, held) in enumerate(part):
                yield utterance, held if isinstance(held, Output) else found[n]

    def _chunks(
        self, utterances: Sequence[Utterance], own: dict[str, Statistics]
    ) -> Iterator[list[tuple[Utterance, Input | Output]]]:
        """Utterances with the inputs of the network, or of long recordings with the outputs.

        A chunk has at most CHUNK utterances and CHUNK_FRAMES frames, but at least one utterance.
        """
        part: list[tuple[Utterance, Input | Output]] = []
        frames = 0
        for utterance in utterances:
            held: Input | Output
            if self.is_long(utterance):
                held = self.of_long_utterance(utterance, own)
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

    def _speaker_statistics(
        self, utterances: Iterable[Utterance], whole: Iterable[Utterance]
    ) -> dict[str, Statistics]:
        """Statistics of the speakers of `utterances` over all that `whole` has of them."""
        if self.front_end.options.normalise != "speaker":
            return {}
        speakers = {utterance.speaker for utterance in utterances if utterance.speaker}
        spoken: dict[str, list[np.ndarray]] = {}
        for utterance in whole:
            if utterance.speaker in speakers:
                x = extract(utterance, self.front_end.extractor).x
                spoken.setdefault(utterance.speaker, []).append(x)
        return {speaker: Statistics.fit(arrays) for speaker, arrays in spoken.items()}

    def prepare(self, signal: Signal, own: Statistics | None = None) -> Input:
        """The input of the network for a signal. own: statistics of its speaker, if known."""
        front_end = self.front_end
        if self.network.takes_samples:
            assert isinstance(signal, Audio)
            count = count_frames(signal, front_end.extractor)
            frames = frames_of(np.zeros((count, 1), np.float32), front_end.extractor)
            return Input(signal.samples, front_end.stack(frames))
        frames = front_end.finish(frames_of_signal(signal, front_end.extractor), own)
        return Input(frames.x, frames)

    def _prepare_utterance(self, utterance: Utterance, own: dict[str, Statistics]) -> Input:
        signal = read_signal(utterance, self.front_end.extractor)
        with naming(utterance.source):
            return self.prepare(signal, own.get(utterance.speaker))

    def is_long(self, utterance: Utterance) -> bool:
        """Whether an utterance is speech that is too long for memory, by its header."""
        if utterance.kind != "speech" or self._kind != "speech" or self.network.takes_samples:
            return False
        length = utterance.duration if utterance.end or utterance.start else 0.0
        if not length:
            with Recording(utterance.source, self._rate, utterance.channel) as recording:
                length = recording.duration - utterance.start
        return self._plan.needed(round(length / self._period))

    @property
    def _period(self) -> float:
        """Seconds from one frame of speech to the next at the input of the network."""
        extractor = self.front_end.extractor
        return float(extractor.step_samples / extractor.rate) * self.front_end.options.stride

    @property
    def _plan(self) -> Plan:
        """The division of long signals into windows."""
        speech = self._kind == "speech"
        return Plan.of(self._period if speech else 0.0, speech, self.network.subsample)

    def of_long_utterance(self, utterance: Utterance, own: dict[str, Statistics]) -> Output:
        """The outputs of a long recording, which is read and computed in parts."""
        with Recording(utterance.source, self._rate, utterance.channel) as recording:
            first, last = recording.stretch(utterance.start, utterance.end)
            pieces = recording_pieces(
                recording, first, last, self.front_end, own.get(utterance.speaker)
            )
            start = frames_of(np.zeros((1, 0), np.float32), self.front_end.extractor).times[0]

            def times(first: int, count: int) -> np.ndarray:
                return np.asarray(start + self._period * np.arange(first, first + count))

            with naming(utterance.source):
                outputs = self._in_parts(pieces, times, self._period)
        every = self.network.subsample
        return Output(
            outputs,
            times(0, len(outputs) * every)[::every],
            self._period * every,
            per_label=self.network.per_label,
            labels=self.labels,
        )

    def _in_parts(
        self,
        pieces: Iterable[np.ndarray],
        times: Callable[[int, int], np.ndarray],
        period: float,
    ) -> np.ndarray:
        """The outputs (T', N) of a long signal whose frames come in pieces.

        times: (first frame, number of frames) -> seconds. Those of a network that streams equal
        those of its stream, bit for bit.
        """
        if isinstance(self.network, StreamingNetwork) and self.network.waits is not None:
            return self._streamed(self.network, pieces)
        labels = self.labels if self.network.per_label else 0

        def compute(windows: Sequence[Frames]) -> list[np.ndarray]:
            return [output.frames for output in self._compute([Input(w.x, w) for w in windows])]

        def window(first: int, x: np.ndarray) -> Frames:
            return Frames(x, times(first, len(x)), period)

        return run_windows(pieces, self._plan, window, compute, labels)

    def _streamed(self, network: StreamingNetwork, pieces: Iterable[np.ndarray]) -> np.ndarray:
        """The outputs (T', N) of frames in pieces, with the states carried from one to the next."""
        stream, size = network.stream(), self._plan.size
        parts = [
            stream.push(piece[start : start + size])  # whose hidden states are held together
            for piece in pieces
            for start in range(0, len(piece), size)
        ]
        return np.concatenate([*parts, stream.finish()])

    def _compute(self, inputs: Sequence[Input]) -> Iterator[Output]:
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

    def _output(self, given: Input, outputs: np.ndarray) -> Output:
        frames, every = given.frames, self.network.subsample
        return Output(
            outputs,
            frames.times[::every],
            frames.period * every,
            None if frames.strokes is None else frames.strokes[::every],
            self.network.per_label,
            self.labels,
            frames.ink,
        )


def _cut(times: np.ndarray, first: int, count: int) -> np.ndarray:
    return times[first : first + count]
