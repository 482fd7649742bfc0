"""Contents of requests: JSON, ink and samples within limits."""

import json
import re
from typing import Any, NoReturn

import numpy as np

from seqlabel.errors import InputError
from seqlabel.inputs import Ink

MOST_BYTES = 4 << 20
"""Maximum bytes of a body."""
MOST_POINTS = 30_000
"""Maximum points of ink: two minutes of a pen at 240 Hz."""
LARGEST = 20_000.0
"""Maximum distance of a point from the corner of the page's canvas in CSS pixels."""
LONGEST_WAY = 200_000.0
"""Maximum length of the pen trajectory in CSS pixels: a hundred times across a wide screen."""
MOST_CHARACTERS = 2000
"""Maximum characters of a transcript."""
JOINERS = "\u200c\u200d"
"""Unprintable characters that Persian and the scripts of India are spelled with."""


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a body; InputError for anything else."""
    try:
        value = json.loads(body.decode(), parse_constant=_refuse)
        json.dumps(value, ensure_ascii=False).encode()  # no half of a surrogate pair
    except InputError:
        raise
    except RecursionError:
        raise InputError("the body is nested too deeply") from None
    except ValueError as error:  # no UTF-8, no JSON, numbers of thousands of digits
        raise InputError(f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise InputError("the body is not a JSON object")
    return value


def _refuse(constant: str) -> NoReturn:
    raise InputError(f"the body has {constant}, which is not a number")


def ink_of(value: Any) -> Ink:
    """The ink of a list of strokes of points [x, y, t, pressure].

    x, y: CSS pixels, y downwards; t: milliseconds; pressure: 0 to 1. InputError names the stroke
    of a value that is not a finite number within limits, or of decreasing times.
    """
    if not isinstance(value, list) or not value:
        raise InputError("strokes: must be a list of strokes")
    if not all(isinstance(stroke, list) and stroke for stroke in value):
        raise InputError("strokes: a stroke must be a list of points [x, y, t, pressure]")
    if sum(map(len, value)) > MOST_POINTS:
        raise InputError(f"more than {MOST_POINTS} points; clear the page and write less")
    arrays = [_points(stroke, number) for number, stroke in enumerate(value)]
    way = sum(float(np.hypot(*np.diff(array[:, :2], axis=0).T).sum()) for array in arrays)
    if way > LONGEST_WAY:
        raise InputError("too much ink for one line; clear the page and write less")
    return Ink(arrays, "px")


def _points(stroke: list[Any], number: int) -> np.ndarray:
    try:
        points = np.array(stroke)
    except (ValueError, OverflowError):  # points of different lengths
        points = np.array("")
    if points.dtype.kind not in "if" or points.shape != (len(stroke), 4):
        raise InputError(f"stroke {number}: points must be [x, y, t, pressure] of numbers")
    points = points.astype(np.float64)
    if not np.abs(points[:, :2]).max() <= LARGEST:
        raise InputError(f"stroke {number} is outside the page; write on the canvas")
    points[:, 2] /= 1000
    return points


def samples_of(body: bytes) -> np.ndarray:
    """Samples (N,) float32 in [-1, 1] of 16-bit little-endian integers."""
    if len(body) % 2:
        raise InputError("an odd number of bytes; samples must have 16 bits")
    return np.frombuffer(body, "<i2").astype(np.float32) / 32768


def transcript_of(value: Any) -> str:
    """A transcript on one line, for `seqlabel prepare folder`."""
    from seqlabel.corpora.own_data import clean_text

    if not isinstance(value, str):
        raise InputError("text: must be a string")
    if len(value) > MOST_CHARACTERS:
        raise InputError(f"text: more than {MOST_CHARACTERS} characters; write less")
    text = clean_text(value)
    if not text.strip(JOINERS + " "):
        raise InputError("the text is empty; type what was written or said")
    if not all(c.isprintable() or c in JOINERS for c in text):
        raise InputError("the text has an unprintable character; remove it")
    return text


def whole_number(value: Any, name: str, most: int) -> int:
    """A number of a query or a body, 0 to `most`."""
    text = str(value) if type(value) in (int, str) else ""
    if not re.fullmatch("[0-9]{1,12}", text) or int(text) > most:
        raise InputError(f"{name}: must be a whole number from 0 to {most}")
    return int(text)
