"""Strokes in SVG drawings: lines, polylines and paths, as pen applications save them.

SVG 2 (W3C), chapters 8 and 9. Curves are sampled at equal steps of their parameter, densely enough
for handwriting. Supported: paths of M L H V C S Q T Z, `polyline`, `polygon`, `line`, `circle` as a
dot; the transforms translate, scale and matrix; simple style sheets (see `svg_style`). Shapes that
are not displayed or not visible are left out. A shape that is filled and has no stroke is an
outline; one with neither `fill` nor `stroke` is read as a stroke, although SVG would fill it.
Other elements that could be pen strokes (arcs, other transforms, `use`, filled outlines, inner
`svg` elements with a `viewBox`) raise an error that names them.
"""

import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from xml.etree.ElementTree import Element

import numpy as np

from seqlabel.errors import InputError
from seqlabel.inputs.formats.svg_style import INHERITED, Styles
from seqlabel.inputs.ink import LARGEST, Ink
from seqlabel.inputs.reading import naming, read_bytes
from seqlabel.inputs.xml_guard import parse_xml

FLATNESS = 1e-3
"""Maximum distance of a curve from its polyline, relative to the extent of its control points."""

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_PIECE = re.compile(rf"([A-Za-z])|({_NUMBER})|[\s,]+")
_TRANSFORM = re.compile(r"\s*,?\s*([A-Za-z]+)\s*\(([^()]*)\)")
_COUNTS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "Z": 0}
_UNSEEN = frozenset(
    ("defs", "symbol", "clipPath", "mask", "pattern", "marker", "metadata", "title", "desc")
)
_NO_PAINT = frozenset(("none", "transparent"))
_IDENTITY = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)

Matrix = tuple[float, float, float, float, float, float]
"""a, b, c, d, e, f: (x, y) becomes (a x + c y + e, b x + d y + f)."""


def read_svg(path: str | os.PathLike[str]) -> Ink:
    """Read the strokes of a drawing in document order, without times.

    Raises InputError naming the file and, if it is not supported (see above), the element.
    """
    return ink_of_svg(parse_xml(read_bytes(path), path), path)


def ink_of_svg(root: Element, name: str | os.PathLike[str]) -> Ink:
    """The ink of a parsed `svg` element; `name` begins the messages."""
    with naming(name):
        if root.tag != "svg":
            raise InputError(f"root element {root.tag!r} is not svg")
        strokes = [points for points in _strokes(root, _IDENTITY, {}, Styles(root)) if len(points)]
        if not strokes:
            raise InputError("no line, polyline or path; the drawing holds no ink")
        return Ink(strokes, unit="px")


def _strokes(
    element: Element,
    outer: Matrix,
    inherited: Mapping[str, str],
    styles: Styles,
    inner: bool = False,
) -> Iterator[np.ndarray]:
    """The strokes (P, 2) of an element and its descendants.

    inherited: properties from above. inner: whether there is an element above.
    """
    style = styles.of(element)
    if element.tag in _UNSEEN or style.get("display") == "none":
        return
    if "transform" in style:
        raise InputError("a transform in a style is not supported; write it as an attribute")
    if element.tag == "use":
        raise InputError("the element use is not supported; expand it (unlink clones)")
    style = {**inherited, **{name: style[name] for name in INHERITED if name in style}}
    matrix = _product(outer, _transform(element.get("transform", "")))
    if element.tag == "svg" and inner:
        matrix = _product(matrix, _place(element))
    if not all(abs(value) <= LARGEST for value in matrix):  # NaN fails as well
        raise InputError(f"the transforms of a {element.tag} exceed plausible finite values")
    seen = style.get("visibility", "visible") not in ("hidden", "collapse")
    shapes = _shapes(element) if seen else []
    if shapes and element.tag not in ("circle", "line") and _is_outline(style):
        raise InputError(
            f"a {element.tag} that is filled and has no stroke is an outline, not a pen stroke; "
            "save strokes as lines"
        )
    for points in shapes:
        if not (np.abs(points) <= LARGEST).all():
            raise InputError(f"a {element.tag} with a number that is not a plausible finite value")
        a, b, c, d, e, f = matrix
        yield np.column_stack(
            [a * points[:, 0] + c * points[:, 1] + e, b * points[:, 0] + d * points[:, 1] + f]
        )
    for child in element:
        yield from _strokes(child, matrix, style, styles, inner=True)


def _is_outline(style: Mapping[str, str]) -> bool:
    """Whether a shape has no stroke: `stroke` says so, or only `fill` is given."""
    stroke = style.get("stroke", "none" if style.get("fill", "none") not in _NO_PAINT else "")
    return stroke in _NO_PAINT


def _place(element: Element) -> Matrix:
    """The translation of an `svg` element in another."""
    if element.get("viewBox"):
        raise InputError("an svg in an svg with a viewBox is not supported; ungroup the drawing")
    return (1, 0, 0, 1, _length(element, "x"), _length(element, "y"))


def _shapes(element: Element) -> list[np.ndarray]:
    """The lines that an element draws, in its own coordinates."""
    if element.tag == "path":
        return list(_path(element.get("d", "")))
    if element.tag in ("polyline", "polygon"):
        values = _numbers(element.get("points", ""), f"points of a {element.tag}")
        if len(values) % 2:
            raise InputError(f"a {element.tag} with {len(values)} numbers for pairs of x and y")
        points = np.reshape(values, (-1, 2))
        closed = element.tag == "polygon" and len(points)
        return [np.concatenate([points, points[:1]]) if closed else points]
    if element.tag == "line":
        ends = [_length(element, name) for name in ("x1", "y1", "x2", "y2")]
        return [np.reshape(ends, (2, 2))]
    if element.tag == "circle":
        return [np.array([[_length(element, "cx"), _length(element, "cy")]])]
    return []


def _path(text: str) -> Iterator[np.ndarray]:
    """The subpaths of a path's data as polylines."""
    points: list[tuple[float, float]] = []
    start = here = (0.0, 0.0)
    control: tuple[float, float] | None = None  # last control point of the previous curve (S, T)
    before = ""
    for command, values in _commands(text):
        kind = command.upper()
        x0, y0 = here if command.islower() else (0.0, 0.0)
        if kind == "M" and points:
            yield np.array(points)
            points = []
        if kind == "H":
            here = (values[0] + x0, here[1])
        elif kind == "V":
            here = (here[0], values[0] + y0)
        elif kind == "Z":
            here = start
        if kind in "HVZ":
            if not points and kind != "Z":
                points.append(start)
            if points:
                points.append(here)
            control, before = None, kind
            continue
        pairs = [(values[n] + x0, values[n + 1] + y0) for n in range(0, len(values), 2)]
        if kind in "ML":
            if not points and kind == "L":
                points.append(here)
            points.append(pairs[0])
            start = pairs[0] if kind == "M" else start
            control = None
        else:
            if not points:
                points.append(here)
            if kind in "ST":
                same = control is not None and before in ("CS" if kind == "S" else "QT")
                cx, cy = control if same and control else here
                pairs.insert(0, (2 * here[0] - cx, 2 * here[1] - cy))
            points += _curve([here, *pairs])
            control = pairs[-2]
        here, before = pairs[-1], kind
    if points:
        yield np.array(points)


def _commands(text: str) -> Iterator[tuple[str, list[float]]]:
    """(command, its numbers) for each repetition; after M, further pairs are L."""
    place, command = 0, ""
    values: list[float] = []
    while place <= len(text):
        match = _PIECE.match(text, place) if place < len(text) else None
        if match is None and place < len(text):
            raise InputError(f"{text[place : place + 20]!r} in the data of a path")
        place = match.end() if match else place + 1
        letter = match[1] if match else "end"
        if letter:
            if values:
                raise InputError(f"a path whose {command} has too few numbers; was it cut off?")
            if match is None:
                return
            if letter.upper() == "A":
                raise InputError("a path with an arc (A) is not supported; convert it to curves")
            if letter.upper() not in _COUNTS or (not command and letter.upper() != "M"):
                raise InputError(f"a path with the command {letter!r} where it cannot be")
            command = letter
            if letter in "Zz":
                yield letter, []
            elif place >= len(text):
                raise InputError(f"a path whose {command} has too few numbers; was it cut off?")
        elif match and match[2]:
            if command in ("", "Z", "z"):
                raise InputError(f"a path with a number behind {command or 'no command'}")
            values.append(float(match[2]))
            if not abs(values[-1]) <= LARGEST:
                raise InputError("a path with a number that is not a plausible finite value")
            if len(values) == _COUNTS[command.upper()]:
                yield command, values
                values = []
                command = {"M": "L", "m": "l"}.get(command, command)


def _curve(control: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points of a Bezier curve after its first, within FLATNESS of it (bound of Wang 1984)."""
    points = np.array(control)
    degree = len(points) - 1
    second = np.hypot(*np.diff(points, 2, axis=0).T).max()
    extent = np.ptp(points, axis=0).max()
    if not 0 < extent <= LARGEST:  # the caller refuses strokes that are too large
        return [control[-1]]
    steps = math.ceil(math.sqrt(degree * (degree - 1) / 8 * second / (FLATNESS * extent))) or 1
    t = np.linspace(0, 1, steps + 1)[1:, None]
    powers = range(degree + 1)
    curve = sum(math.comb(degree, k) * t**k * (1 - t) ** (degree - k) * points[k] for k in powers)
    return [*map(tuple, np.asarray(curve)[:-1].tolist()), control[-1]]


def _transform(text: str) -> Matrix:
    """The matrix of a list of transforms."""
    matrix: Matrix = _IDENTITY
    place = 0
    while text[place:].strip():
        match = _TRANSFORM.match(text, place)
        if match is None:
            raise InputError(f"the transform {text[place:].strip()[:40]!r} cannot be read")
        place = match.end()
        name, values = match[1], _numbers(match[2], f"the transform {match[1]}")
        if name == "translate" and len(values) in (1, 2):
            own: Matrix = (1, 0, 0, 1, values[0], [*values, 0.0][1])
        elif name == "scale" and len(values) in (1, 2):
            own = (values[0], 0, 0, values[-1], 0, 0)
        elif name == "matrix" and len(values) == 6:
            a, b, c, d, e, f = values
            own = (a, b, c, d, e, f)
        else:
            known = name in ("translate", "scale", "matrix")
            raise InputError(
                f"the transform {name}{f' with {len(values)} numbers' if known else ''} is not "
                "supported; apply it in the drawing program, or write it as a matrix"
            )
        matrix = _product(matrix, own)
    return matrix


def _product(outer: Matrix, inner: Matrix) -> Matrix:
    a, b, c, d, e, f = outer
    p, q, r, s, t, u = inner
    return (
        a * p + c * q, b * p + d * q, a * r + c * s, b * r + d * s, a * t + c * u + e,
        b * t + d * u + f,
    )  # fmt: skip


def _numbers(text: str, what: str) -> list[float]:
    pieces = text.replace(",", " ").split()
    try:
        return [float(piece) for piece in pieces]
    except ValueError:
        pass
    found = re.findall(_NUMBER, text)
    if "".join(found) != "".join(pieces):
        raise InputError(f"{what}: {text.strip()[:40]!r} are not numbers")
    return [float(piece) for piece in found]


def _length(element: Element, name: str) -> float:
    (value, *_) = [
        *_numbers(element.get(name, "0").removesuffix("px"), f"{name} of a {element.tag}"),
        0.0,
    ]
    return value
