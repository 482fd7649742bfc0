"""Ink files of every format, told apart by their content."""

import os
from pathlib import Path

import numpy as np

from seqlabel.errors import InputError
from seqlabel.files import whole_file
from seqlabel.inputs.iam_xml import ink_of_iam_xml
from seqlabel.inputs.ink import Ink
from seqlabel.inputs.reading import as_text, naming, read_bytes
from seqlabel.inputs.xml_guard import parse_xml

SUFFIXES = (".inkml", ".xml", ".ink", ".json", ".upn", ".unipen", ".dat", ".npy", ".npz")
"""File names that a folder of ink is searched for (a file's content decides its format)."""


def read_ink(path: str | os.PathLike[str], times: bool = True) -> Ink:
    """Read the ink of a file in any of the formats known here.

    IAM-OnDB XML, InkML, UNIPEN, the JSON of web pages, stroke-3 and stroke-5 arrays (.npy, .npz)
    and the text form of `Ink`. With `times=False` times are dropped, which also reads files whose
    times go back. Labels, groups and annotations: use the reader of the format.
    Raises InputError that names the file, the cause and the way out.
    """
    data = read_bytes(path)
    head = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"<") or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        root = parse_xml(data, path)
        if root.tag == "WhiteboardCaptureSession":
            return ink_of_iam_xml(root, path, times)
        raise InputError(f"{path}: XML with the root {root.tag!r} is no ink format known here")
    if head.startswith(b"ink "):
        with naming(path):
            ink = Ink.from_text(as_text(data, path))
        return ink if times else without_times(ink)
    raise InputError(
        f"{path}: no ink format known here; convert it to InkML or to the text form of Ink"
    )


def without_times(ink: Ink) -> Ink:
    """The same trajectory with a running index in place of its times."""
    points = ink.points.copy()
    points[:, 2] = np.arange(len(points))
    cuts = ink.offsets[1:-1]
    return Ink(np.split(points, cuts), ink.unit, timed=False)


def write_ink(path: str | os.PathLike[str], ink: Ink) -> None:
    """Write the text form of `Ink`, exact to the last bit."""
    with whole_file(Path(path)) as stream:
        stream.write(ink.to_text())
