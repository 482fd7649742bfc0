"""Strokes as JSON, as web pages and Quick Draw write them: by points or by columns.

The Handwriting Recognition API (WICG) and pages that record Pointer Events write points {x, y, t}
with t in milliseconds. Quick Draw and requests to web handwriting services write columns,
[[x ...], [y ...], [t ...]], where t is optional.
Accepted: a list of strokes, or an object with such a list as `strokes`, `drawing` or `ink`, or in
the first of its `requests`. A stroke is a list of points, a list of columns x, y, t, pressure, or
an object with `points` or with columns of these names. Pressure is read if every point has it.
"""

import json
import os
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from seqlabel.errors import InputError
from seqlabel.files import whole_file
from seqlabel.inputs.ink import Ink
from seqlabel.inputs.reading import as_text, ink_of_columns, naming, read_bytes

_COLUMNS = ("x", "y", "t", "pressure")


def read_ink_json(path: str | os.PathLike[str], times: bool = True) -> Ink:
    """Read a JSON file; with `times=False` its times are dropped.

    Raises InputError naming file, stroke and point for a value that is missing or not finite.
    """
    return ink_of_json(as_text(read_bytes(path), path), path, times)


def ink_of_json(text: str, name: str | os.PathLike[str], times: bool = True) -> Ink:
    """The ink of a JSON text; `name` begins the messages."""
    with naming(name):
        try:
            value = json.loads(text, parse_constant=_refuse)
        except json.JSONDecodeError as error:
            if error.msg == "Extra data" and text[error.pos - 1 : error.pos] == "\n":
                raise InputError(
                    f"line {error.lineno}: a second drawing; prepare a file with one drawing per "
                    "line with `seqlabel prepare drawings`"
                ) from None
            raise InputError(
                f"line {error.lineno}: not JSON: {error.msg}; was the file cut off?"
            ) from None
        except InputError:
            raise
        except ValueError as error:  # a number with thousands of digits
            raise InputError(f"cannot be read as JSON: {error}") from None
        except RecursionError:
            raise InputError("lists nested too deeply for ink") from None
        return ink_of_value(value, times)


def ink_of_value(value: Any, times: bool = True) -> Ink:
    """Ink of parsed JSON; raises InputError naming stroke and point."""
    strokes = _list_of_strokes(value)
    if not isinstance(strokes, list):
        raise InputError("no list of strokes; expected [[{x, y, t}, ...], ...] or {strokes: ...}")
    arrays = []
    for s, stroke in enumerate(strokes):
        array = _stroke(stroke, s)
        if len(array):
            arrays.append(array)
    if not arrays:
        raise InputError("no points in any stroke")
    return ink_of_columns(arrays, times=times)


def _list_of_strokes(value: Any) -> Any:
    """The part of the document that should be the list of strokes."""
    requests = value.get("requests") if isinstance(value, dict) else None
    if isinstance(requests, list) and requests:
        if len(requests) > 1:
            raise InputError(f"{len(requests)} requests in one file; save each in its own")
        value = requests[0]
    if not isinstance(value, dict):
        return value
    return next((value[key] for key in ("strokes", "drawing", "ink") if key in value), None)


def _stroke(stroke: Any, number: int) -> np.ndarray:
    """(P, 4) x, y, seconds, pressure of a stroke; NaN for missing values."""
    place = f"stroke {number}"
    if isinstance(stroke, dict) and "points" in stroke:
        stroke = stroke["points"]
    if isinstance(stroke, dict) and isinstance(stroke.get("x"), list):
        names = [name for name in _COLUMNS if stroke.get(name) is not None]
        return _columns([stroke[name] for name in names], names, place)
    if not isinstance(stroke, list):
        raise InputError(f"{place} is no list of points")
    if stroke and isinstance(stroke[0], list):
        if not 2 <= len(stroke) <= 4:
            raise InputError(
                f"{place} has {len(stroke)} lists; columns [[x ...], [y ...], [t ...]] are expected"
            )
        return _columns(stroke, _COLUMNS[: len(stroke)], place)
    rows = [_point(point, f"{place}, point {p}") for p, point in enumerate(stroke)]
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def _columns(columns: Sequence[Any], names: Sequence[str], place: str) -> np.ndarray:
    if not {"x", "y"} <= set(names):
        raise InputError(f"{place} has no columns x and y")
    if not all(isinstance(column, list) for column in columns):
        raise InputError(f"{place}: columns must be lists of numbers")
    if len({len(column) for column in columns}) != 1:
        sizes = ", ".join(f"{n} of {len(c)}" for n, c in zip(names, columns, strict=True))
        raise InputError(f"{place}: columns of different lengths ({sizes}); was the file cut off?")
    points = (dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True))
    rows = [_point(point, f"{place}, point {p}") for p, point in enumerate(points)]
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def _point(point: Any, place: str) -> list[float]:
    if not isinstance(point, dict):
        raise InputError(f"{place} is no object with x and y")
    for key in ("x", "y"):
        if key not in point:
            raise InputError(f"{place} has no {key}")
    row = [point.get(key) for key in _COLUMNS]
    for key, value in zip(_COLUMNS, row, strict=True):
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
