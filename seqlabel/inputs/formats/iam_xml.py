"""The XML of IAM-OnDB: one WhiteboardCaptureSession per text line.

Layout (https://fki.tic.heia-fr.ch, IAM On-Line Handwriting Database): a `StrokeSet` of `Stroke`
elements, whose `Point` elements have x, y (y grows downwards) and the time in seconds.
"""

import os
from xml.etree.ElementTree import Element

import numpy as np

from seqlabel.errors import InputError
from seqlabel.files import whole_file
from seqlabel.inputs.ink import WITHOUT_TIMES, Ink, number
from seqlabel.inputs.reading import naming, read_bytes
from seqlabel.inputs.xml_guard import parse_xml


def read_iam_xml(path: str | os.PathLike[str], times: bool = True) -> Ink:
    """Read a line of IAM-OnDB; with `times=False` the times are dropped.

    Raises InputError naming the file if it is malformed or has no points.
    """
    return ink_of_iam_xml(parse_xml(read_bytes(path), path), path, times)


def ink_of_iam_xml(root: Element, name: str | os.PathLike[str], times: bool = True) -> Ink:
    """The ink of a parsed WhiteboardCaptureSession; `name` begins the messages."""
    with naming(name):
        if root.tag != "WhiteboardCaptureSession":
            raise InputError(f"root element {root.tag!r} is not WhiteboardCaptureSession")
        attributes = ("x", "y", "time") if times else ("x", "y")
        strokes: list[np.ndarray] = []
        for stroke in root.iterfind("StrokeSet/Stroke"):
            points = [
                [_value(point, attribute, len(strokes)) for attribute in attributes]
                for point in stroke.iterfind("Point")
            ]
            if points:
                strokes.append(np.array(points))
        if not strokes:
            raise InputError("no points in StrokeSet; the line is empty")
        return Ink(strokes)


def _value(point: Element, attribute: str, stroke: int) -> float:
    text = point.get(attribute)
    if text is None:
        way_out = f"; {WITHOUT_TIMES}" if attribute == "time" else ""
        raise InputError(f"stroke {stroke}: a Point has no {attribute}{way_out}")
    try:
        return float(text)
    except ValueError:
        raise InputError(f"stroke {stroke}: {attribute}={text[:40]!r} is not a number") from None


def write_iam_xml(path: str | os.PathLike[str], ink: Ink) -> None:
    """Write ink as a line of IAM-OnDB, exact to the last bit. The format has no pressure.

    Raises InputError for ink without times, since its point indices would be read as seconds.
    """
    text = iam_xml(ink)
    with whole_file(path) as stream:
        stream.write(text)


def iam_xml(ink: Ink) -> str:
    """The document that `write_iam_xml` writes."""
    if not ink.timed:
        raise InputError("IAM-OnDB XML needs times; write InkML or the text form instead")
    left, top, right, bottom = (number(value) for value in ink.bounds)
    lines = [
        '<?xml version="1.0" encoding="ISO-8859-1"?>',
        "<WhiteboardCaptureSession>",
        "  <WhiteboardDescription>",
        '    <SensorLocation corner="top_left"/>',
        f'    <DiagonallyOppositeCoords x="{right}" y="{bottom}"/>',
        f'    <VerticallyOppositeCoords x="{left}" y="{bottom}"/>',
        f'    <HorizontallyOppositeCoords x="{right}" y="{top}"/>',
        "  </WhiteboardDescription>",
        "  <StrokeSet>",
    ]
    for stroke in ink.strokes:
        start, end = number(stroke[0, 2].item()), number(stroke[-1, 2].item())
        lines.append(f'    <Stroke colour="black" start_time="{start}" end_time="{end}">')
        lines += [
            f'      <Point x="{number(x)}" y="{number(y)}" time="{number(t)}"/>'
            for x, y, t in stroke[:, :3].tolist()
        ]
        lines.append("    </Stroke>")
    lines += ["  </StrokeSet>", "</WhiteboardCaptureSession>", ""]
    return "\n".join(lines)
