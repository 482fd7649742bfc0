"""Pictures of the inputs of networks: ink in steps, speech as a spectrogram, images."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqlabel.corpora.manifest import Segment
from seqlabel.features.frames import Frames
from seqlabel.features.ink.normalisation import InkFrontEnd, Writing
from seqlabel.features.ink.script_lines import script_lines
from seqlabel.inputs import Audio, Image, Ink, Series
from seqlabel.report.pictures.canvas import Canvas

WIDTH = 1000
MARGIN = 60.0
"""Pixels of the whole picture, and of the space to the left and right of each panel."""

STROKES = ("#1f4e79", "#b5482a", "#3b7a57", "#7a4a8c")
FAINT, GREY, GUIDE, DELAYED = "#bbbbbb", "#777777", "#8fb8de", "#e0a030"


def draw_title(canvas: Canvas, title: str, detail: str = "") -> None:
    """A line of text at the top of a signal's panels."""
    y = canvas.grow(34)
    canvas.text(MARGIN, y + 24, title, "#111111", 8)
    canvas.text(WIDTH - MARGIN, y + 24, detail, GREY, 6, align="end")


def draw_ink(canvas: Canvas, ink: Ink, front_end: InkFrontEnd) -> None:
    """Ink as captured, after each step of normalisation, and as the points of the frames."""
    for name, writing in front_end.steps(ink):
        _draw_writing(canvas, name, writing, lines=name.startswith(("size", "width", "delayed")))
    writing = front_end.normalise(ink)
    name = f"input of the features: {len(writing.ink)} points"
    _draw_writing(canvas, name, writing, lines=front_end.size == "corpus", points=True)


def _draw_writing(
    canvas: Canvas, name: str, writing: Writing, lines: bool, points: bool = False
) -> None:
    everything = np.concatenate([writing.ink.points[:, :2], *(s[:, :2] for s in writing.delayed)])
    low, high = everything.min(axis=0), everything.max(axis=0)
    extent = np.maximum(high - low, 1e-9)
    scale = min((WIDTH - 2 * MARGIN) / extent[0], 120 / extent[1])
    top = canvas.grow(scale * extent[1] + 48)
    canvas.text(MARGIN, top + 18, name, GREY, 6)
    origin = np.array([MARGIN, top + 32]) - scale * low
    if lines:
        _draw_lines(canvas, writing.ink, origin, scale, (top + 24, canvas.height - 4))
    for stroke in writing.delayed:
        canvas.line(stroke[:, :2] * scale + origin, DELAYED, 1.6)
    for left, right in writing.hats * scale + origin[0]:
        y = top + 27
        canvas.line(np.array([[left - 2, y], [right + 2, y]]), DELAYED, 3)
    for number, stroke in zip(writing.numbers.tolist(), writing.ink.strokes, strict=True):
        path = stroke[:, :2] * scale + origin
        colour = STROKES[number % len(STROKES)]
        canvas.line(path, FAINT if points else colour, 0.8 if points else 1.6)
        for point in path if points else ():
            canvas.line(point[None], colour, 1.6)


def _draw_lines(
    canvas: Canvas, ink: Ink, origin: np.ndarray, scale: float, inside: tuple[float, float]
) -> None:
    """The script lines, as far as they lie between two heights of the picture."""
    for name, height in script_lines(ink)._asdict().items():
        y = height * scale + origin[1]
        if not inside[0] <= y <= inside[1]:
            continue
        canvas.line(np.array([[MARGIN, y], [WIDTH - MARGIN, y]]), GUIDE, 0.6)
        canvas.text(WIDTH - MARGIN + 4, y + 3, name, GUIDE, 4.5)


def draw_speech(
    canvas: Canvas, audio: Audio, segments: Sequence[Segment], words: Sequence[Segment]
) -> None:
    """A spectrogram with its labels: words above, phones below, the waveform at the foot."""
    inner = WIDTH - 2 * MARGIN
    scale = inner / audio.duration
    if words:
        _draw_segments(canvas, words, scale, "words")
    image = spectrogram(audio)
    top = canvas.grow(200)
    canvas.picture(MARGIN, top, inner, 200, image)
    tick = 2000 if audio.rate >= 12000 else 1000
    for hertz in range(tick, audio.rate // 2 + 1, tick):
        y = top + 200 * (1 - 2 * hertz / audio.rate)
        canvas.text(MARGIN - 6, y + 4, f"{hertz // 1000} kHz", GREY, 5, align="end")
    if segments:
        _draw_segments(canvas, segments, scale, "labels")
    top = canvas.grow(64)
    heights = outline(audio.samples, 2 * round(inner))
    loudest = max(float(np.abs(heights).max()), 1e-9)
    x = MARGIN + inner * np.arange(len(heights)) / len(heights)
    canvas.line(np.column_stack([x, top + 34 - 26 * heights / loudest]), STROKES[0], 0.7)
    _draw_seconds(canvas, audio.duration, scale)


def outline(samples: np.ndarray, blocks: int) -> np.ndarray:
    """(2 blocks,) minimum and maximum of each of up to so many blocks of equal duration."""
    count = min(blocks, len(samples))
    starts = np.arange(count) * len(samples) // count
    low, high = (extreme.reduceat(samples, starts) for extreme in (np.minimum, np.maximum))
    return np.column_stack([low, high]).reshape(-1)


def draw_image(canvas: Canvas, image: Image) -> None:
    """The image as it is, as wide as the panels but not higher than half of that."""
    scale = min(WIDTH - 2 * MARGIN, (WIDTH / 2) * image.width / image.height) / image.width
    top = canvas.grow(scale * image.height + 12)
    grey = np.round(image.pixels * 255).astype(np.uint8)
    pixels = np.repeat(grey[:, :, None], 3, axis=2)
    canvas.picture(MARGIN, top, scale * image.width, scale * image.height, pixels)


def _draw_segments(canvas: Canvas, segments: Sequence[Segment], scale: float, name: str) -> None:
    """Labels between their boundaries, each in the first row without an overlap."""
    rows = [0.0, 0.0, 0.0]
    top = canvas.grow(6 + 13 * len(rows))
    canvas.text(MARGIN - 6, top + 14, name, GREY, 5, align="end")
    for label, start, end in segments:
        left, right = MARGIN + scale * start, MARGIN + scale * end
        for x in (left, right):
            canvas.line(np.array([[x, top + 2], [x, top + 4 + 13 * len(rows)]]), FAINT, 0.7)
        middle, half = (left + right) / 2, 3.2 * len(label)
        row = next((n for n, taken in enumerate(rows) if taken <= middle - half), len(rows) - 1)
        rows[row] = middle + half
        canvas.text(middle, top + 14 + 13 * row, label, "#222222", 5, align="middle")


def _draw_seconds(canvas: Canvas, duration: float, scale: float) -> None:
    top = canvas.grow(22)
    step = 10 ** math.floor(math.log10(max(duration, 1e-3)))
    step = step / 5 if duration / step < 2 else step / 2 if duration / step < 5 else step
    for tick in range(int(duration / step) + 1):
        x = MARGIN + scale * tick * step
        canvas.line(np.array([[x, top], [x, top + 4]]), GREY, 0.8)
        canvas.text(x, top + 16, f"{tick * step:g} s", GREY, 5, align="middle")


def draw_features(canvas: Canvas, frames: Frames, name: str) -> None:
    """The features at the input of the network: frames to the right, features upwards.

    Each feature is scaled to its own range over this signal.
    """
    low, high = frames.x.min(axis=0), frames.x.max(axis=0)
    levels = (frames.x - low) / np.where(high > low, high - low, 1)
    row = max(3, min(10, 240 // frames.x.shape[1]))
    top = canvas.grow(26 + row * frames.x.shape[1])
    canvas.text(
        MARGIN, top + 18, f"{name}: {frames.x.shape[1]} features, {len(frames)} frames", GREY, 6
    )
    canvas.picture(
        MARGIN, top + 26, WIDTH - 2 * MARGIN, row * frames.x.shape[1], colours(levels.T[::-1])
    )


def spectrogram(audio: Audio) -> np.ndarray:
    """(frequencies, frames, 3) uint8: log power of 8 ms windows, 60 dB below the loudest.

    Short windows show formants and single glottal pulses.
    """
    window = max(2, round(0.008 * audio.rate))
    step = max(1, len(audio.samples) // 1200)
    padded = np.pad(audio.samples, window // 2)
    emphasised = np.append(padded[0], padded[1:] - 0.95 * padded[:-1])
    starts = np.arange(0, len(emphasised) - window + 1, step)
    pieces = emphasised[starts[:, None] + np.arange(window)] * np.hanning(window)
    power = np.abs(np.fft.rfft(pieces, n=8 * window)) ** 2
    decibels = 10 * np.log10(np.maximum(power / max(float(power.max()), 1e-12), 1e-12))
    return colours(np.clip(1 + decibels.T[::-1] / 60, 0, 1))


SHADES = np.array(
    [[252, 253, 254], [199, 220, 236], [122, 171, 208], [52, 112, 166], [18, 57, 105], [6, 18, 42]]
)
"""Colours from low to high, evenly darker, so that they can be printed in grey."""


def colours(levels: np.ndarray) -> np.ndarray:
    """(h, w) levels from 0 to 1 as (h, w, 3) uint8."""
    place = np.clip(levels, 0, 1) * (len(SHADES) - 1)
    below = np.minimum(place.astype(int), len(SHADES) - 2)
    part = (place - below)[..., None]
    return np.round((1 - part) * SHADES[below] + part * SHADES[below + 1]).astype(np.uint8)


def draw(
    canvas: Canvas,
    signal: Audio | Ink | Image | Series,
    extractor: Any,
    segments: Sequence[Segment] = (),
    words: Sequence[Segment] = (),
) -> None:
    """All panels of one signal."""
    if isinstance(signal, Audio):
        draw_speech(canvas, signal, segments, words)
    elif isinstance(signal, Image):
        draw_image(canvas, signal)
    elif isinstance(signal, Ink):
        draw_ink(canvas, signal, extractor)
    draw_features(canvas, extractor(signal), type(extractor).__name__)
    canvas.grow(18)
