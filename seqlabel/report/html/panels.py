"""The evidence of an utterance as compact JSON, which the page's script draws on demand."""

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import soundfile

from seqlabel.report.evidence import VISIBLE, Evidence
from seqlabel.report.html.spectrogram import grey_png, spectrogram

MP3_RATES = (8000, 11025, 12000, 16000)
"""Sampling rates of MP3, up to the highest in evidence."""
INK_BOX = (1200, 320)
"""Ink is drawn in a box of at most this width and height, in whole units."""
IMAGE_ROWS = 160
"""Images are shown with fewer rows than this."""


def panel(lanes: Sequence[Evidence | None]) -> dict[str, Any]:
    """The data with which the script draws one utterance of one or several systems.

    lanes: the evidence of each system, None if there is none (at least one has some). Sound,
        spectrogram, segmentation and ink are taken from the first that has them.
    """
    first = next(lane for lane in lanes if lane is not None)
    result: dict[str, Any] = {
        "kind": first.kind,
        "lanes": [_lane(lane) | {"system": n} for n, lane in enumerate(lanes) if lane is not None],
    }
    if first.kind == "speech":
        result |= {
            "seconds": round(len(first.samples) / first.rate, 4),
            "top": first.rate / 2,
            "audio": sound_uri(first.samples, first.rate),
            "picture": _uri("image/png", grey_png(spectrogram(first.samples, first.rate))),
            "segments": [[label, round(a, 4), round(b, 4)] for label, a, b in first.segments],
        }
    elif first.kind == "image":
        height, width = first.picture.shape
        result |= {"width": width, "height": height, "picture": _picture(first.picture)}
    else:
        result["drawings"] = [
            _drawing(lane) | {"system": n} for n, lane in enumerate(lanes) if lane is not None
        ]
    return result


def _picture(pixels: np.ndarray) -> str:
    """An image of at most IMAGE_ROWS rows; larger ones are subsampled."""
    every = -(-len(pixels) // IMAGE_ROWS)
    return _uri("image/png", grey_png(pixels[::every, ::every] >> 4))


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def sound_uri(samples: np.ndarray, rate: int) -> str:
    """Sound as a data URL: MP3, which every browser plays, about 3 kB per second.

    FLAC at rates that MP3 lacks and if the sound library cannot write MP3.
    """
    stream = io.BytesIO()
    if rate in MP3_RATES and soundfile.check_format("MP3", "MPEG_LAYER_III"):
        soundfile.write(
            stream, samples, rate, format="MP3", subtype="MPEG_LAYER_III", compression_level=0.8
        )
        return _uri("audio/mpeg", stream.getvalue())
    soundfile.write(stream, samples, rate, format="FLAC", subtype="PCM_16")
    return _uri("audio/flac", stream.getvalue())


def _lane(evidence: Evidence) -> dict[str, Any]:
    """Posteriors as runs [label, first frame, percentages] of values above VISIBLE."""
    posteriors = np.round(evidence.posteriors.T / 2.55).astype(int)  # (L, T) in per cent
    runs = []
    for k, row in enumerate(posteriors):
        seen = np.flatnonzero(row > 100 * VISIBLE)
        for run in np.split(seen, np.flatnonzero(np.diff(seen) > 1) + 1):
            if len(run):
                runs.append([k, int(run[0]), row[run].tolist()])
    times = evidence.times
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.01
    return {
        "labels": list(evidence.labels),
        "frames": len(times),
        "start": round(float(times[0]), 5) if len(times) else 0.0,
        "step": round(step, 6),
        "runs": runs,
    }


def _drawing(evidence: Evidence) -> dict[str, Any]:
    """Strokes as SVG paths of whole numbers: [position in tokens, path]."""
    points = np.concatenate([*evidence.strokes, np.zeros((1, 2))])[:-1]
    if not len(points):
        return {"box": [1, 1], "tokens": list(evidence.tokens), "strokes": []}
    corner, size = points.min(axis=0), np.ptp(points, axis=0)
    scale = min(box / max(1e-9, extent) for box, extent in zip(INK_BOX, size, strict=True))
    strokes = [
        [token, _path(np.round((stroke - corner) * scale).astype(int))]
        for token, stroke in zip(evidence.read_as, evidence.strokes, strict=True)
    ]
    box = np.maximum(1, np.ceil(size * scale)).astype(int).tolist()
    return {"box": box, "tokens": list(evidence.tokens), "strokes": strokes}


def _path(points: np.ndarray) -> str:
    """A relative path without repeated points; a dot is a line of zero length."""
    steps = np.diff(points, axis=0)
    steps = steps[(steps != 0).any(axis=1)]
    drawn = "".join(
        f"{x} {y}" if n == 0 else f" {x} {y}" for n, (x, y) in enumerate(steps.tolist())
    )
    return f"M{points[0, 0]} {points[0, 1]}l{drawn or '0 0'}"
