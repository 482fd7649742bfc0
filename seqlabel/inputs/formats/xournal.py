"""Pages of Xournal++ (`.xopp`) and Xournal (`.xoj`): XML, compressed with gzip.

A `stroke` lists x and y of its points in turn, in units of 1/72 inch. Its `width` is the nominal
width; if the pen has a pressure sensor, it is followed by the width at each point but the last.
Layout: file format of Xournal++ 1.2. Strokes of the highlighter and the eraser are ignored.
"""

import gzip
import os
import zlib
from xml.etree.ElementTree import Element

import numpy as np

from seqlabel.errors import InputError
from seqlabel.files import whole_file
from seqlabel.inputs.ink import LARGEST, Ink, number
from seqlabel.inputs.reading import ink_of_columns, naming, read_bytes
from seqlabel.inputs.xml_guard import parse_xml

LARGEST_PAGE = 1 << 28
"""Maximum size of the uncompressed XML in bytes."""

WIDTH, HEIGHT = 595.275591, 841.889764
"""Size of A4 in points."""


def read_xopp(path: str | os.PathLike[str]) -> Ink:
    """Read all pages, each placed below the previous one; stroke widths become the pressure.

    Xournal++ writes a dot as a stroke of two equal points, which becomes one point. There are no
    times. Raises InputError naming the file if it is malformed or cut off.
    """
    data = unpacked(read_bytes(path), path)
    return ink_of_xournal(parse_xml(data, path), path)


def unpacked(data: bytes, name: str | os.PathLike[str]) -> bytes:
    """The content of a gzip file, or other bytes unchanged; InputError if damaged or cut off."""
    if not data.startswith(b"\x1f\x8b"):
        return data
    stream = zlib.decompressobj(wbits=31)
    try:
        found = stream.decompress(data, LARGEST_PAGE)
    except zlib.error as error:
        raise InputError(f"{name}: a damaged gzip file ({error}); get a whole copy") from None
    if stream.unconsumed_tail:
        raise InputError(f"{name}: unpacks to more than {LARGEST_PAGE >> 20} MiB; not an ink file")
    if not stream.eof:
        raise InputError(f"{name}: the gzip file is cut off; get a whole copy")
    return found


def ink_of_xournal(root: Element, name: str | os.PathLike[str]) -> Ink:
    """The ink of a parsed `xournal` element; `name` begins the messages."""
    with naming(name):
        if root.tag != "xournal":
            raise InputError(f"root element {root.tag!r} is not xournal")
        strokes: list[np.ndarray] = []
        top = 0.0
        for page in root.iterfind("page"):
            for element in page.iterfind("layer/stroke"):
                if element.get("tool", "pen") == "pen":
                    points = _points(element, len(strokes))
                    points[:, 1] += top
                    strokes.append(points)
            top += _height(page.get("height", str(HEIGHT)))
        if not strokes:
            raise InputError("no stroke of a pen; the pages are empty")
        return ink_of_columns(strokes, unit="pt")


def _points(element: Element, count: int) -> np.ndarray:
    """(P, 4) x, y, NaN for the time, pressure of a stroke (NaN if it has none)."""
    place = f"stroke {count}"
    values = _numbers(element.text or "", place)
    if not values or len(values) % 2:
        raise InputError(f"{place}: {len(values)} numbers for pairs of x and y; was it cut off?")
    points = np.full((len(values) // 2, 4), np.nan)
    points[:, :2] = np.reshape(values, (-1, 2))
    widths = _numbers(element.get("width", ""), f"the width of {place}")[1:]
    if len(widths) >= max(1, len(points) - 1):
        points[:, 3] = [*widths, widths[-1]][: len(points)]
    dot = len(points) == 2 and (points[0, :2] == points[1, :2]).all()
    return points[:1] if dot else points


def _height(text: str) -> float:
    """The height of a page, by which the next one is shifted down."""
    values = _numbers(text, "the height of a page")
    if len(values) != 1 or not 0 <= values[0] <= LARGEST:
        raise InputError(f"the height of a page is {text.strip()[:40]!r}; one length is expected")
    return values[0]


def _numbers(text: str, place: str) -> list[float]:
    try:
        return [float(word) for word in text.split()]
    except ValueError:
        raise InputError(f"{place}: {text.strip()[:40]!r} are not numbers") from None


def write_xopp(path: str | os.PathLike[str], ink: Ink) -> None:
    """Write ink as one page of Xournal++, with pressures as widths. The format has no times.

    Coordinates are kept; strokes beyond A4 make the page larger.
    """
    _, _, right, bottom = ink.bounds
    page = f'width="{number(max(WIDTH, right))}" height="{number(max(HEIGHT, bottom))}"'
    lines = [
        '<?xml version="1.0" standalone="no"?>',
        '<xournal creator="seqlabel" fileversion="4">',
        "<title>Xournal++ document - see https://github.com/xournalpp/xournalpp</title>",
        f'<page {page}><background type="solid" color="#ffffffff" style="plain"/><layer>',
    ]
    for stroke in ink.strokes:
        rows = stroke if len(stroke) > 1 else np.repeat(stroke, 2, axis=0)
        width = "1.41"
        if rows.shape[1] == 4:
            width = " ".join([width, *map(number, rows[:, 3].tolist())])
        points = " ".join(map(number, rows[:, :2].ravel().tolist()))
        lines.append(
            f'<stroke tool="pen" color="#000000ff" width="{width}" capStyle="round">{points}'
            "</stroke>"
        )
    lines += ["</layer></page>", "</xournal>", ""]
    with whole_file(path, "wb") as stream:
        stream.write(gzip.compress("\n".join(lines).encode(), mtime=0))
