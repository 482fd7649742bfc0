"""Signals into results for the page: text, letters with positions, posteriors."""

import math
import time
from collections.abc import Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seqlabel.decoding import Result, Span
from seqlabel.decoding.strokes import fired_at
from seqlabel.demo.live import Live, reads_live
from seqlabel.demo.recordings import Recording
from seqlabel.demo.silence import speech_part
from seqlabel.errors import InputError
from seqlabel.inputs import Audio, Ink
from seqlabel.inputs.resampling import resample
from seqlabel.recognizer import Decoder, Output, Recognizer
from seqlabel.report.evidence import VISIBLE, cut_strokes

READINGS = 5
"""Number of results shown, including the best."""
MOST_FRAMES = 20_000
"""Maximum frames of a signal, so that other requests do not wait long."""


NOTHING: dict[str, Any] = {
    "text": "", "letters": [], "words": [], "readings": [], "scale": "share", "times": [],
    "period": 0.01, "spikes": [], "blank": [], "ms": 0.0,
}  # fmt: skip
"""The result for silence."""


@dataclass(frozen=True)
class Choice:
    """A decoder that the page offers.

    title: description. scale: meaning of exp(log_prob) of its results: "posterior" of the
    labelling, probability of the best "path", or "score" with further models. readings: number of
    results, including the best.
    """

    title: str
    decoder: Decoder
    scale: str
    readings: int = READINGS


@dataclass(frozen=True, eq=False)
class Reader:
    """A model with its decoders, the default one last.

    example: an example recording; for ink, synthetic hands write an example.
    """

    name: str
    recognizer: Recognizer
    choices: Sequence[Choice]
    example: Path | None = None

    def about(self) -> dict[str, Any]:
        """Information about the model for the page."""
        return {
            "name": self.name,
            "kind": self.recognizer.kind,
            "rate": self.recognizer.rate,
            "labels": len(self.recognizer.alphabet) - 1,
            "choices": [choice.title for choice in self.choices],
            "example": self.recognizer.kind == "ink" or self.example is not None,
        }

    def choose(self, choice: int) -> None:
        """Let the recognizer use a decoder; InputError for an unknown number."""
        if choice >= len(self.choices):
            raise InputError(f"decoder {choice} does not exist; reload the page")
        self.recognizer.decoder = self.choices[choice].decoder

    def read(self, signal: Audio | Ink, choice: int, offset: float = 0.0) -> dict[str, Any]:
        """The result for a signal; `offset` in seconds is added to all times.

        Raises InputError for a signal that is too long or unusable.
        """
        begin = time.perf_counter()
        self.choose(choice)
        output = self.recognizer.output(signal, MOST_FRAMES)
        (result,) = self.recognizer.decode([output], self.choices[choice].readings)
        answer = self.answer(output, result, choice, offset)
        if isinstance(signal, Ink):
            answer |= self._places(signal, output, result)
        return answer | {"ms": _milliseconds(begin)}

    def read_recording(self, recording: Recording, choice: int, final: bool) -> dict[str, Any]:
        """The result for a recording so far; `final`: it has ended.

        With a streaming model each frame is computed once. For other models the recording is
        processed again each time, without the silence around the speech.
        """
        self.choose(choice)
        rate = self.recognizer.rate or recording.rate
        samples = recording.samples
        if recording.rate == rate and reads_live(self.recognizer):
            return self._read_live(recording, choice, final)
        if recording.rate != rate:
            samples = resample(samples, recording.rate, rate)
        first, end = speech_part(samples, rate)
        if first == end:
            return dict(NOTHING)
        return self.read(Audio(samples[first:end], rate), choice, first / rate)

    def _read_live(self, recording: Recording, choice: int, final: bool) -> dict[str, Any]:
        begin = time.perf_counter()
        owner = self, choice
        if recording.live is None or recording.live[0] != owner:
            recording.live = owner, Live(self.recognizer)
        live: Live = recording.live[1]
        if live.finished and live.taken < recording.length:  # it takes nothing any more
            live = Live(self.recognizer)
            recording.live = owner, live
        live.push(recording.samples[live.taken :])
        if final:
            live.finish()
        reading = live.reading(self.choices[choice].readings)
        if reading is None:
            return dict(NOTHING)
        answer = self.answer(*reading, choice)
        stable = len(answer["letters"]) if live.finished else live.stable
        return answer | {"stable": stable, "ms": _milliseconds(begin)}

    def answer(
        self, output: Output, result: Result, choice: int, offset: float = 0.0
    ) -> dict[str, Any]:
        """A result with its posteriors, for `json.dumps`.

        letters: [label, start s, end s, probability]; words likewise. readings: [text,
        probability]. spikes: runs of frames where a label is visible, [label, position in letters
        or -1, first frame, probabilities in per cent]; blank: per frame; times: start of each
        frame, s. For streaming models also stable: letters that will not change any more.
        """
        scale = self.choices[choice].scale
        answer: dict[str, Any] = {
            "text": result.text,
            "letters": [_rounded(span, offset) for span in result.spans],
            "words": [_rounded(span, offset) for span in result.words],
            "readings": _readings(result, scale),
            "scale": "share" if scale == "score" else scale,
            "times": np.round(output.times + offset, 3).tolist(),
            "period": round(output.period, 4),
            "spikes": [],
            "blank": [],
        }
        if output.per_label:
            probabilities = np.exp(output.frames)
            answer["blank"] = _per_cent(probabilities[:, 0])
            answer["spikes"] = _spikes(
                probabilities, self.recognizer.alphabet.symbols, output.times, result
            )
        return answer

    def _places(self, ink: Ink, output: Output, result: Result) -> dict[str, Any]:
        """pieces: [stroke, first, last point, position in letters or -1]; x: of each frame, px."""
        if not getattr(self.recognizer.front_end.extractor, "times", True):
            ink = ink.untimed()
        clock = _seconds(ink)
        strokes = [np.column_stack([s[:, :2], t]) for s, t in zip(ink.strokes, clock, strict=True)]
        fired = [fired_at(span, output.times) for span in result.spans]
        spans = [(span.label, t, t) for span, t in zip(result.spans, fired, strict=True)]
        x = np.interp(output.times, np.concatenate(clock), ink.x)
        pieces = cut_strokes(strokes, spans, self.recognizer.alphabet.inkless)
        return {"pieces": pieces, "x": np.round(x, 1).tolist()}


class Ended(Exception):
    """The program is ending."""


class Readers:
    """Models that process one signal at a time, all in one thread.

    Settings of the thread (denormals, threads of the kernels) are made once, and requests do not
    interfere.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "reading")
        self.models: list[Reader] = []

    def run(self, work: Any, *arguments: Any) -> Any:
        """The result of `work(*arguments)` in the thread; Ended if the program ends."""
        try:
            future = self._thread.submit(work, *arguments)
        except RuntimeError:
            raise Ended from None
        try:
            return future.result()
        except CancelledError:
            raise Ended from None

    def close(self) -> None:
        """Wait for the signal in progress; whatever else is asked for gets Ended."""
        self._thread.shutdown(cancel_futures=True)

    def model(self, number: int, kind: str = "") -> Reader:
        """A model by its number; InputError for an unknown one or another kind of signal."""
        if number >= len(self.models):
            raise InputError(f"model {number} does not exist; reload the page")
        if kind not in ("", self.models[number].recognizer.kind):
            raise InputError(f"model {number} is not for {kind}; reload the page")
        return self.models[number]


def _milliseconds(begin: float) -> float:
    return round(1000 * (time.perf_counter() - begin), 2)


def _rounded(span: Span, offset: float) -> list[Any]:
    numbers = span.start + offset, span.end + offset, span.probability
    return [span.label, *(round(float(number), 3) for number in numbers)]


def _per_cent(values: np.ndarray) -> list[int]:
    return np.rint(100 * values).astype(int).tolist()


def _readings(result: Result, scale: str) -> list[list[Any]]:
    """[text, probability], best first; shares of the list if the scores are not probabilities."""
    ranking = [result, *result.alternatives]
    scores = np.array([r.log_prob for r in ranking], np.float64)
    if not math.isfinite(scores[0]):
        return [[result.text, 0.0]]
    if scale == "score":
        weights = np.exp(scores - scores[0])
        values = weights / weights.sum()
    else:
        values = np.minimum(np.exp(scores), 1.0)
    return [[r.text, round(float(p), 4)] for r, p in zip(ranking, values, strict=True)]


def _spikes(
    probabilities: np.ndarray, symbols: Sequence[str], times: np.ndarray, result: Result
) -> list[list[Any]]:
    """Runs of visible frames of each label; each belongs to the letter that begins within it."""
    starts = np.searchsorted(times, [span.start for span in result.spans]).tolist()
    most = probabilities.max(axis=0)
    spikes: list[list[Any]] = []
    for k, symbol in enumerate(symbols, 1):
        if most[k] <= VISIBLE:
            continue
        column = probabilities[:, k]
        edges = np.flatnonzero(np.diff(np.pad(column > VISIBLE, 1).astype(np.int8))).tolist()
        own = [n for n, span in enumerate(result.spans) if span.label == symbol]
        for first, end in zip(edges[::2], edges[1::2], strict=True):
            letter = next((n for n in own if first <= starts[n] < end), -1)
            spikes.append([symbol, letter, first, _per_cent(column[first:end])])
    return spikes


def _seconds(ink: Ink) -> list[np.ndarray]:
    """Per stroke, seconds from the first point on, as the features count them."""
    from seqlabel.features.ink.normalisation import seconds

    return np.split(seconds(ink), ink.offsets[1:-1])
