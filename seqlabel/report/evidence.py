"""Signal and posteriors of an utterance, stored for the report.

`seqlabel decode --evidence N` writes one file for N utterances, and the HTML report shows it. The
file is a compressed `.npz` of plain arrays, with names and labels as JSON in one of them; reading
it runs no code.
"""

import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from seqlabel.decoding.strokes import owners
from seqlabel.errors import InputError
from seqlabel.files import whole_file

FORMAT = "seqlabel-evidence-1"
VISIBLE = 0.02
"""A label is kept when its probability exceeds this in some frame."""
MAX_RATE = 16000
"""Sound above this rate is resampled down to it."""

Span = tuple[str, float, float]
"""(label, start, end), in seconds or in the time unit of untimed ink."""


def evidence_path(hypotheses: Path) -> Path:
    """The evidence file of a file of hypotheses: HYP.evidence.npz beside it."""
    return hypotheses.with_name(hypotheses.name.removesuffix(".jsonl") + ".evidence.npz")


@dataclass(frozen=True)
class Evidence:
    """One utterance: its signal and the label posteriors over it.

    kind: "speech", "ink" or "image".
    labels: the L labels that are stored, the blank as "".
    posteriors: (T, L) uint8, probability times 255.
    times: (T,) start of each output frame in s (in point numbers for untimed ink, in columns for
        images).
    samples, rate: the sound, (N,) int16 and Hz; empty for ink.
    segments: hand segmentation, empty if there is none.
    strokes: ink as pieces (P, 2) float32 of x and y, y downwards; a piece has one label.
    read_as: for each piece the position of its label in `tokens`; -1 for none.
    tokens: the recognised labels.
    picture: (H, W) uint8 brightness of the image; empty for other signals.
    """

    kind: str
    labels: tuple[str, ...]
    posteriors: np.ndarray
    times: np.ndarray
    samples: np.ndarray
    rate: int = 0
    segments: tuple[Span, ...] = ()
    strokes: tuple[np.ndarray, ...] = ()
    read_as: tuple[int, ...] = ()
    tokens: tuple[str, ...] = ()
    picture: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.uint8))

    @classmethod
    def of_speech(
        cls,
        probabilities: ArrayLike,
        symbols: Sequence[str],
        times: ArrayLike,
        samples: ArrayLike,
        rate: int,
        segments: Iterable[Span] = (),
    ) -> "Evidence":
        """Evidence of a spoken utterance.

        probabilities: (T, K), not logarithms; blank first, then `symbols` (K-1).
        times: (T,) s; samples: (N,) in -1..1; rate: Hz; segments: by hand, in s.
        """
        labels, posteriors = _visible(probabilities, symbols)
        sound, rate = _resample(np.asarray(samples, np.float64), rate)
        return cls(
            "speech",
            labels,
            posteriors,
            np.asarray(times, np.float64),
            np.round(np.clip(sound, -1, 1) * 32767).astype(np.int16),
            rate,
            tuple((label, float(start), float(end)) for label, start, end in segments),
        )

    @classmethod
    def of_ink(
        cls,
        probabilities: ArrayLike,
        symbols: Sequence[str],
        times: ArrayLike,
        strokes: Iterable[np.ndarray],
        spans: Iterable[Span],
        inkless: Collection[str] = (" ",),
    ) -> "Evidence":
        """Evidence of a written line.

        probabilities: (T, K), not logarithms; blank first, then `symbols` (K-1).
        times: (T,); strokes: (P, 3 or more) x, y, t; spans: of the recognised labels, in order.
        `times`, t and `spans` share one unit. inkless: labels without strokes.
        """
        labels, posteriors = _visible(probabilities, symbols)
        spans = tuple(spans)
        pieces, read_as = assign_strokes(strokes, spans, inkless)
        return cls(
            "ink",
            labels,
            posteriors,
            np.asarray(times, np.float64),
            np.zeros(0, np.int16),
            strokes=tuple(pieces),
            read_as=tuple(read_as),
            tokens=tuple(label for label, _, _ in spans),
        )

    @classmethod
    def of_image(
        cls,
        probabilities: ArrayLike,
        symbols: Sequence[str],
        times: ArrayLike,
        pixels: np.ndarray,
    ) -> "Evidence":
        """Evidence of an image.

        probabilities: (T, K), not logarithms; blank first, then `symbols` (K-1).
        times: (T,) in columns of pixels; pixels: (H, W) brightness in 0...1.
        """
        labels, posteriors = _visible(probabilities, symbols)
        return cls(
            "image",
            labels,
            posteriors,
            np.asarray(times, np.float64),
            np.zeros(0, np.int16),
            picture=np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8),
        )


def _visible(
    probabilities: ArrayLike, symbols: Sequence[str]
) -> tuple[tuple[str, ...], np.ndarray]:
    """The labels that exceed VISIBLE somewhere and their posteriors as (T, L) uint8."""
    values = np.asarray(probabilities, np.float64)
    if values.ndim != 2 or values.shape[1] != len(symbols) + 1:
        raise ValueError(f"posteriors {values.shape} do not fit {len(symbols)} symbols and a blank")
    kept = np.flatnonzero((values > VISIBLE).any(axis=0))
    names = ("", *symbols)
    scaled = np.round(np.clip(values[:, kept], 0, 1) * 255).astype(np.uint8)
    return tuple(names[k] for k in kept), scaled


def _resample(sound: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
    """Sound at MAX_RATE at most: band-limited by cutting the spectrum, which is enough for a
    picture.
    """
    if rate <= MAX_RATE or not len(sound):
        return sound, rate
    count = max(1, round(len(sound) * MAX_RATE / rate))
    spectrum = np.fft.rfft(sound)[: count // 2 + 1]
    return np.fft.irfft(spectrum, count) * (count / len(sound)), MAX_RATE


def assign_strokes(
    strokes: Iterable[np.ndarray], spans: Sequence[Span], inkless: Collection[str] = ()
) -> tuple[list[np.ndarray], list[int]]:
    """Assign every piece of ink to a recognised label.

    Strokes are assigned as in `seqlabel.decoding.strokes`; a stroke of several labels (joined
    letters) is cut in the middle between the times at which they fire.

    strokes: (P, 3 or more) x, y, t; spans: labels in reading order with times in the unit of t, in
    whose middle they fire. inkless: labels without strokes.
    Returns pieces (P, 2) float32 and, for each, a position in `spans` (-1 without any label).
    """
    arrays = [np.asarray(stroke, np.float64) for stroke in strokes if len(stroke)]
    pieces = cut_strokes(arrays, spans, inkless)
    return (
        [arrays[s][first : last + 1, :2].astype(np.float32) for s, first, last, _ in pieces],
        [read_as for *_, read_as in pieces],
    )


def cut_strokes(
    strokes: Sequence[np.ndarray], spans: Sequence[Span], inkless: Collection[str] = ()
) -> list[tuple[int, int, int, int]]:
    """The pieces of `assign_strokes` as (stroke, first point, last point, position in `spans`).

    strokes: (P, 3 or more) with P >= 1.
    """
    inked = [k for k, span in enumerate(spans) if span[0] not in inkless]
    fired = [(spans[k][1] + spans[k][2]) / 2 for k in inked]
    pieces: list[tuple[int, int, int, int]] = []
    for number, inside in enumerate(owners(strokes, fired)):
        t, final = strokes[number][:, 2], len(strokes[number]) - 1
        if not inside:
            pieces.append((number, 0, final, -1))
            continue
        cuts = [(fired[a] + fired[b]) / 2 for a, b in pairwise(inside)]
        edges = [0, *np.searchsorted(t, cuts).tolist(), len(t)]
        for k, (first, end) in zip(inside, pairwise(edges), strict=True):
            if end > first:  # one point of overlap, so that the line has no gap
                pieces.append((number, first, min(end, final), inked[k]))
    return pieces


def write_evidence(path: str | os.PathLike[str], evidence: Mapping[str, Evidence]) -> None:
    """Write id -> Evidence as one compressed `.npz`, whole or not at all."""
    arrays: dict[str, np.ndarray] = {}
    utterances = []
    for n, (name, item) in enumerate(evidence.items()):
        utterances.append(
            {
                "id": name,
                "kind": item.kind,
                "labels": item.labels,
                "rate": item.rate,
                "segments": item.segments,
                "read_as": item.read_as,
                "tokens": item.tokens,
                "points": [len(stroke) for stroke in item.strokes],
            }
        )
        arrays[f"posteriors{n}"] = item.posteriors
        arrays[f"times{n}"] = item.times
        arrays[f"samples{n}"] = item.samples
        if item.kind == "image":
            arrays[f"picture{n}"] = item.picture
        arrays[f"ink{n}"] = np.concatenate([*item.strokes, np.zeros((0, 2), np.float32)])
    header = json.dumps({"format": FORMAT, "utterances": utterances}, ensure_ascii=False)
    arrays["header"] = np.frombuffer(header.encode(), np.uint8)
    with whole_file(path, "wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]


def read_evidence(path: str | os.PathLike[str]) -> dict[str, Evidence]:
    """Read the output of `write_evidence`; raises InputError for any other content."""
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            header = json.loads(arrays["header"].tobytes().decode())
            if header["format"] != FORMAT:
                raise KeyError("format")
            return {
                item["id"]: _evidence(item, arrays, n)
                for n, item in enumerate(header["utterances"])
            }
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except Exception as error:  # numpy, zipfile and zlib have no common error
        raise InputError(
            f"{path}: not an evidence file ({type(error).__name__}); write it again with "
            f"seqlabel decode --evidence"
        ) from None


def _evidence(item: dict[str, Any], arrays: Mapping[str, np.ndarray], n: int) -> Evidence:
    ink = arrays[f"ink{n}"]
    ends = np.cumsum(item["points"], dtype=np.int64)
    picture = arrays[f"picture{n}"] if item["kind"] == "image" else np.zeros((0, 0), np.uint8)
    evidence = Evidence(
        item["kind"],
        tuple(item["labels"]),
        arrays[f"posteriors{n}"],
        arrays[f"times{n}"],
        arrays[f"samples{n}"],
        item["rate"],
        tuple((label, start, end) for label, start, end in item["segments"]),
        tuple(np.split(ink, ends[:-1])) if len(ends) else (),
        tuple(item["read_as"]),
        tuple(item["tokens"]),
        picture,
    )
    consistent = (
        evidence.posteriors.shape == (len(evidence.times), len(evidence.labels))
        and evidence.posteriors.dtype == np.uint8
        and evidence.samples.ndim == 1
        and picture.ndim == 2
        and picture.dtype == np.uint8
        and bool(picture.size) == (item["kind"] == "image")
        and len(evidence.read_as) == len(evidence.strokes)
        and sum(item["points"]) == len(ink)
        and all(-1 <= k < len(evidence.tokens) for k in evidence.read_as)
    )
    if not consistent:
        raise ValueError("arrays and header disagree")
    return evidence
