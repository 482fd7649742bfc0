"""A small drawing surface for SVG and PNG."""

import base64
import itertools
import struct
import zlib
from dataclasses import dataclass
from html import escape
from typing import Literal

import numpy as np

from seqlabel.errors import inert
from seqlabel.glyphs import outline

Align = Literal["start", "middle", "end"]


@dataclass(frozen=True)
class Line:
    """A polyline through `points` (P, 2) in pixels; a single place is a dot."""

    points: np.ndarray
    colour: str
    width: float


@dataclass(frozen=True)
class Text:
    """Text on the base line y that starts, ends or is centred at x; size: x-height."""

    x: float
    y: float
    text: str
    colour: str
    size: float
    align: Align


@dataclass(frozen=True)
class Picture:
    """Pixels (h, w, 3) uint8 stretched over a rectangle."""

    x: float
    y: float
    width: float
    height: float
    pixels: np.ndarray


class Canvas:
    """Shapes in the order of drawing, on white; x to the right, y downwards, in pixels."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.height = 0
        self.shapes: list[Line | Text | Picture] = []

    def grow(self, height: float) -> float:
        """Add a strip at the bottom; returns the y at which it starts."""
        start = self.height
        self.height += round(height)
        return float(start)

    def line(self, points: np.ndarray, colour: str, width: float = 1.5) -> None:
        """Draw a polyline (P, 2)."""
        self.shapes.append(Line(np.asarray(points, dtype=np.float64), colour, width))

    def text(
        self,
        x: float,
        y: float,
        text: str,
        colour: str = "#333333",
        size: float = 7.0,
        align: Align = "start",
    ) -> None:
        """Write text on the base line y."""
        self.shapes.append(Text(x, y, text, colour, size, align))

    def picture(self, x: float, y: float, width: float, height: float, pixels: np.ndarray) -> None:
        """Place pixels (h, w, 3) uint8 on a rectangle."""
        self.shapes.append(Picture(x, y, width, height, pixels))

    def to_svg(self) -> str:
        """The drawing as a self-contained SVG document."""
        shapes = "\n".join(_svg(shape) for shape in self.shapes)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{self.height}" '
            f'viewBox="0 0 {self.width} {self.height}" fill="none" stroke-linecap="round" '
            'stroke-linejoin="round" font-family="Helvetica, Arial, sans-serif">\n'
            f'<rect width="{self.width}" height="{self.height}" fill="white"/>\n{shapes}\n</svg>\n'
        )

    def to_png(self) -> bytes:
        """The drawing as a PNG file; text is drawn with the outlines of the synthetic hands."""
        pixels = np.full((self.height, self.width, 3), 255.0)
        for shape in self.shapes:
            if isinstance(shape, Line):
                _blend(pixels, [shape.points], shape.colour, shape.width)
            elif isinstance(shape, Text):
                _blend(pixels, _text_strokes(shape), shape.colour, max(1.0, shape.size / 6))
            else:
                _paste(pixels, shape)
        return png(pixels.round().astype(np.uint8))


def png(pixels: np.ndarray) -> bytes:
    """Encode (h, w, 3) uint8 as a PNG file."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + 3 * width), dtype=np.uint8)  # filter type 0 begins each row
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows.tobytes(), 6))
        + chunk(b"IEND", b"")
    )


def _svg(shape: Line | Text | Picture) -> str:
    if isinstance(shape, Line):
        if (shape.points == shape.points[0]).all():
            x, y = shape.points[0]
            return (
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{0.8 * shape.width:.1f}" '
                f'fill="{shape.colour}"/>'
            )
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points.tolist())
        return f'<polyline points="{path}" stroke="{shape.colour}" stroke-width="{shape.width}"/>'
    if isinstance(shape, Text):
        return (
            f'<text x="{shape.x:.1f}" y="{shape.y:.1f}" font-size="{2 * shape.size:.0f}" '
            f'fill="{shape.colour}" text-anchor="{shape.align}">{escape(inert(shape.text))}</text>'
        )
    data = base64.b64encode(png(shape.pixels)).decode()
    return (
        f'<image x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" '
        f'height="{shape.height:.1f}" preserveAspectRatio="none" '
        f'href="data:image/png;base64,{data}"/>'
    )


def _text_strokes(shape: Text) -> list[np.ndarray]:
    strokes, pen = [], 0.0
    for character in shape.text:
        glyph = outline(character) or ([] if character == " " else outline("_"))
        strokes += [stroke * [1, -1] + [pen, 0] for stroke in glyph]
        pen += max((stroke[:, 0].max() for stroke in glyph), default=0.5) + 0.3
    before = {"start": 0.0, "middle": 0.5, "end": 1.0}[shape.align]
    start = shape.x - before * max(pen - 0.3, 0.0) * shape.size
    return [stroke * shape.size + [start, shape.y] for stroke in strokes]


def _blend(pixels: np.ndarray, strokes: list[np.ndarray], colour: str, width: float) -> None:
    """Paint strokes as one anti-aliased shape: coverage by the distance to the nearest segment."""
    if not strokes:
        return
    reach = width + 1
    everything = np.concatenate(strokes)
    limits = (0, np.array([pixels.shape[1], pixels.shape[0]]))
    left, top = np.clip(np.floor(everything.min(axis=0) - reach), *limits).astype(int)
    right, bottom = np.clip(np.ceil(everything.max(axis=0) + reach) + 1, *limits).astype(int)
    if left >= right or top >= bottom:
        return
    coverage = np.zeros((bottom - top, right - left))
    for stroke in strokes:
        points = stroke - [left, top]
        if (points == points[0]).all():
            _cover(coverage, points[0], points[0], 0.8 * width)
        for a, b in itertools.pairwise(points):
            _cover(coverage, a, b, width / 2)
    ink = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.float64)
    region = pixels[top:bottom, left:right]
    region += coverage[..., None] * (ink - region)


def _cover(coverage: np.ndarray, a: np.ndarray, b: np.ndarray, radius: float) -> None:
    height, width = coverage.shape
    x0, y0 = np.maximum(np.floor(np.minimum(a, b) - radius - 1), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(np.maximum(a, b) + radius + 2), [width, height]).astype(int)
    if x0 >= x1 or y0 >= y1:
        return
    x = np.arange(x0, x1) + 0.5 - a[0]
    y = (np.arange(y0, y1) + 0.5 - a[1])[:, None]
    dx, dy = b - a
    along = np.clip((x * dx + y * dy) / max(dx * dx + dy * dy, 1e-12), 0, 1)
    distance = np.hypot(x - along * dx, y - along * dy)
    region = coverage[y0:y1, x0:x1]
    np.maximum(region, np.clip(radius + 0.5 - distance, 0, 1), out=region)


def _paste(pixels: np.ndarray, shape: Picture) -> None:
    top, left = round(shape.y), round(shape.x)
    rows = np.arange(round(shape.height)) * len(shape.pixels) // max(round(shape.height), 1)
    columns = np.arange(round(shape.width)) * shape.pixels.shape[1] // max(round(shape.width), 1)
    stretched = shape.pixels[rows][:, columns]
    region = pixels[top : top + len(rows), left : left + len(columns)]
    region[:] = stretched[: region.shape[0], : region.shape[1]]
