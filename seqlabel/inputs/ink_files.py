"""Ink files of all formats, recognised by their content."""

import os
import re
from pathlib import Path

from seqlabel.errors import InputError
from seqlabel.files import whole_file
from seqlabel.inputs.formats.iam_xml import ink_of_iam_xml
from seqlabel.inputs.formats.ink_json import ink_of_json
from seqlabel.inputs.formats.inkml import inkml_of_roots
from seqlabel.inputs.formats.stroke_arrays import ink_of_numpy
from seqlabel.inputs.formats.svg import ink_of_svg
from seqlabel.inputs.formats.unipen import unipen_of_text
from seqlabel.inputs.formats.xournal import ink_of_xournal, unpacked
from seqlabel.inputs.ink import Ink
from seqlabel.inputs.reading import as_text, naming, read_bytes
from seqlabel.inputs.xml_guard import parse_xmls

SUFFIXES = (
    ".inkml", ".xml", ".ink", ".json", ".upn", ".unipen", ".dat", ".npy", ".npz", ".xopp", ".xoj",
    ".svg",
)  # fmt: skip
"""Suffixes of ink files in a folder (the format is that of the content)."""

FORMATS = (
    "IAM-OnDB XML, InkML, UNIPEN, JSON, Xournal++, SVG, stroke-3 or stroke-5 arrays, or the text "
    "form of Ink"
)


def read_ink(path: str | os.PathLike[str], times: bool = True) -> Ink:
    """Read the ink of a file in any of the formats `FORMATS`.

    With `times=False` times are dropped, so that files with decreasing times can be read too.
    Labels, groups and annotations: use the reader of the format. Raises InputError that names the
    file.
    """
    data = unpacked(read_bytes(path), path)
    if data.startswith((b"\x93NUMPY", b"PK\x03\x04")):
        return ink_of_numpy(data, path)
    head = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:64]
    if head.startswith(b"<") or data.startswith((b"\xff\xfe", b"\xfe\xff")):
        roots = parse_xmls(data, path)
        (root, *others) = roots
        if root.tag == "WhiteboardCaptureSession" and not others:
            return ink_of_iam_xml(root, path, times)
        if root.tag == "xournal" and not others:
            return ink_of_xournal(root, path)
        if root.tag == "svg" and not others:
            return ink_of_svg(root, path)
        if any(element.tag == "ink" for one in roots for element in one.iter()):
            return inkml_of_roots(roots, path, times).ink
        raise InputError(f"{path}: XML with the root {root.tag[:40]!r}; expected {FORMATS}")
    if head.startswith((b"{", b"[")):
        return ink_of_json(as_text(data, path), path, times)
    if head.startswith(b"ink "):
        with naming(path):
            return Ink.from_text(as_text(data, path), times)
    text = as_text(data, path, fallback="latin-1")
    if re.search(r"^\.(COORD|VERSION|PEN_DOWN|INCLUDE)\b", text, re.MULTILINE):
        return unipen_of_text(text, Path(path), times).ink
    raise InputError(f"{path}: not a known ink format; expected {FORMATS}")


def write_ink(path: str | os.PathLike[str], ink: Ink) -> None:
    """Write the text form of `Ink`, exact to the last bit."""
    with whole_file(path) as stream:
        stream.write(ink.to_text())
