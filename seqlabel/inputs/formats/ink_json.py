"""The ink of web pages: strokes of points {x, y, t} as JSON.

The Handwriting Recognition API (WICG) and pages that record Pointer Events give points with t in
milliseconds. Accepted: a list of strokes, or an object whose `strokes` is one; a stroke is a list
of points, or an object whose `points` is one. A `pressure` is read where every point has one.
"""

import json
import os
from typing import Any, NoReturn

import numpy as np

from seqlabel.errors import InputError
from seqlabel.files import whole_file
from seqlabel.inputs.ink import Ink
from seqlabel.inputs.reading import as_text, ink_of_columns, naming, read_bytes


def read_ink_json(path: str | os.PathLike[str], times: bool = True) -> Ink:
    """Read a JSON file; with `times=False` its times are dropped.

    Raises InputError naming file, stroke and point for anything but finite numbers in its places.
    """
    return ink_of_json(as_text(read_bytes(path), path), path, times)


def ink_of_json(text: str, name: str | os.PathLike[str], times: bool = True) -> Ink:
    """The ink of a JSON text; `name` begins the messages."""
    with naming(name):
        try:
            value = json.loads(text, parse_constant=_refuse)
        except json.JSONDecodeError as error:
            raise InputError(
                f"line {error.lineno}: not JSON: {error.msg}; was the file cut off?"
            ) from None
        except InputError:
            raise
        except ValueError as error:  # a number of thousands of digits
            raise InputError(f"no JSON that can be read: {error}") from None
        except RecursionError:
            raise InputError("lists nested too deeply for ink") from None
        return ink_of_value(value, times)


def ink_of_value(value: Any, times: bool = True) -> Ink:
    """Ink of parsed JSON; raises InputError naming stroke and point."""
    strokes = value.get("strokes") if isinstance(value, dict) else value
    if not isinstance(strokes, list):
        raise InputError("no list of strokes; expected [[{x, y, t}, ...], ...] or {strokes: ...}")
    arrays = []
    for s, stroke in enumerate(strokes):
        points = stroke.get("points") if isinstance(stroke, dict) else stroke
        if not isinstance(points, list):
            raise InputError(f"stroke {s} is no list of points")
        if points:
            rows = [_point(point, f"stroke {s}, point {p}") for p, point in enumerate(points)]
            arrays.append(np.array(rows, dtype=np.float64))
    if not arrays:
        raise InputError("no points in any stroke")
    return ink_of_columns(arrays, times=times)


def _point(point: Any, place: str) -> list[float]:
    if not isinstance(point, dict):
        raise InputError(f"{place} is no object with x and y")
    for key in ("x", "y"):
        if key not in point:
            raise InputError(f"{place} has no {key}")
    row = [point.get(key) for key in ("x", "y", "t", "pressure")]
    for key, value in zip(("x", "y", "t", "pressure"), row, strict=True):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise InputError(f"{place}: {key} is {str(value)[:40]!r}, not a number")
    try:
        x, y, t, pressure = (float("nan") if value is None else float(value) for value in row)
    except OverflowError:
        raise InputError(f"{place}: a number of hundreds of digits; remove the point") from None
    return [x, y, t / 1000, pressure]


def _refuse(constant: str) -> NoReturn:
    raise InputError(f"holds {constant}, which is no coordinate; remove the point")


def ink_json(ink: Ink) -> str:
    """Ink as {"strokes": [{"points": [{"x", "y", "t", "pressure"}, ...]}, ...]}, t in ms."""
    strokes = []
    for stroke in ink.strokes:
        points = []
        for row in stroke.tolist():
            point = {"x": row[0], "y": row[1]}
            if ink.timed:
                point["t"] = row[2] * 1000
            if len(row) == 4:
                point["pressure"] = row[3]
            points.append(point)
        strokes.append({"points": points})
    return json.dumps({"strokes": strokes})


def write_ink_json(path: str | os.PathLike[str], ink: Ink) -> None:
    """Write `ink_json`."""
    text = ink_json(ink)
    with whole_file(path) as stream:
        stream.write(text + "\n")
