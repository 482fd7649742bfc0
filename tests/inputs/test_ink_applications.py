"""Ink as applications save it: Xournal++, Quick Draw, handwriting requests, SVG, OneNote."""

import gzip
import json
import math
from itertools import pairwise

import numpy as np
import pytest

from seqlabel.corpora import drawings
from seqlabel.corpora.own_data import Options
from seqlabel.errors import InputError
from seqlabel.inputs import Ink, read_ink
from seqlabel.inputs.formats.inkml import read_inkml
from seqlabel.inputs.formats.xournal import read_xopp, write_xopp


def save(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def packed(content: bytes) -> bytes:
    """gzip without a date: the bytes are part of test names, which must not change."""
    return gzip.compress(content, mtime=0)


def xournal(*pages):
    body = "".join(f'<page width="612" height="792">{page}</page>' for page in pages)
    return packed(f'<?xml version="1.0"?><xournal>{body}</xournal>'.encode())


def stroke(points, width="1.5", tool="pen"):
    return f'<layer><stroke tool="{tool}" color="#000" width="{width}">{points}</stroke></layer>'


def page_of_height(height):
    page = f'<page width="612" height="{height}">{stroke("1 2 3 4")}</page>'
    return f"<xournal>{page}</xournal>".encode()


def points_of(ink):
    return [one[:, :2].tolist() for one in ink.strokes]


def test_a_page_of_xournal_with_a_dot(tmp_path):
    page = stroke("270.2 338.6") + stroke("1 2 3 4 5 9 6 12") + stroke("0 0 9 9", tool="eraser")
    path = save(tmp_path / "a.xopp", xournal(page, stroke("7 8 7 8")))
    ink = read_ink(path)
    assert points_of(ink) == [[[270.2, 338.6]], [[1, 2], [3, 4], [5, 9], [6, 12]], [[7, 800]]]
    assert (ink.unit, ink.timed, ink.points.shape[1]) == ("pt", False, 3)
    assert read_xopp(path) == ink
    assert read_ink(save(tmp_path / "plain.xopp", gzip.decompress(path.read_bytes()))) == ink


def test_widths_are_the_pressure(tmp_path):
    page = stroke("1 2 3 4 5 6", "1.41 0.5 0.75") + stroke("1 1 2 2", "1.41 0.25")
    ink = read_ink(save(tmp_path / "a.xopp", xournal(page)))
    assert ink.points[:, 3].tolist() == [0.5, 0.75, 0.75, 0.25, 0.25]
    some = stroke("1 2 3 4", "1.41 0.5") + stroke("1 2 3 4")
    assert read_ink(save(tmp_path / "a.xopp", xournal(some))).points.shape[1] == 3


@pytest.mark.parametrize(
    "ink",
    [
        Ink([[[1.25, 2], [3, 4.5]], [[7, 8]]], unit="pt"),
        Ink([[[1, 2, 0, 0.5], [3, 4, 1, 0.25]], [[5, 1e3, 2, 1]]], unit="pt", timed=False),
    ],
)
def test_xournal_comes_back(tmp_path, ink):
    write_xopp(tmp_path / "a.xopp", ink)
    assert read_ink(tmp_path / "a.xopp") == ink
    again = (tmp_path / "a.xopp").read_bytes()
    write_xopp(tmp_path / "a.xopp", ink)
    assert (tmp_path / "a.xopp").read_bytes() == again
    text = gzip.decompress(again).decode()
    assert text.count("7 8 7 8") == (ink.points.shape[1] == 3)  # a dot is two equal points


def test_xournal_cut_anywhere_is_refused(tmp_path):
    whole = xournal(stroke("1 2 3 4 5 6"))
    for length in range(11, len(whole)):
        with pytest.raises(InputError, match=r"cut\.xopp") as caught:
            read_ink(save(tmp_path / "cut.xopp", whole[:length]))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (xournal(), "no stroke of a pen"),
        (xournal(stroke("1 2 3")), "stroke 0: 3 numbers for pairs"),
        (xournal(stroke("1 x")), "stroke 0: '1 x' are not numbers"),
        (xournal(stroke("1 nan")), "stroke 0, point 0: y is nan"),
        (xournal(stroke("1 2", "thick")), "the width of stroke 0: 'thick'"),
        (packed(b"<xournal><page>"), "not well-formed"),
        (page_of_height(""), "the height of a page is ''; one length is expected"),
        (page_of_height("inf"), "the height of a page is 'inf'; one length is expected"),
        (page_of_height("792 792"), "the height of a page is '792 792'; one length is expected"),
        (packed(b"<html/>"), "XML with the root 'html'"),
        (b"\x1f\x8b\x08\x00" + b"\xff" * 60, "damaged gzip file"),
    ],
)
def test_pages_that_are_refused(tmp_path, content, words):
    with pytest.raises(InputError) as caught:
        read_ink(save(tmp_path / "a.xopp", content))
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "a.xopp"))


def test_a_file_that_unpacks_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr("seqlabel.inputs.formats.xournal.LARGEST_PAGE", 1000)
    with pytest.raises(InputError, match="unpacks to more than"):
        read_ink(save(tmp_path / "a.xopp", packed(b"<a>" + b" " * 100_000 + b"</a>")))


COLUMNS = [[[0, 10, 20], [0, 10, 5], [0, 10, 40]], [[30, 40], [5, 50], [50, 60]]]
LAYOUTS = [
    COLUMNS,
    {"strokes": COLUMNS},
    {"word": "cat", "drawing": COLUMNS},
    {"requests": [{"writing_guide": {"writing_area_width": 9}, "ink": COLUMNS, "language": "en"}]},
    {"strokes": [{"x": x, "y": y, "t": t} for x, y, t in COLUMNS]},
    {"strokes": [{"points": [dict(zip("xyt", p, strict=True)) for p in zip(*c, strict=True)]}
                 for c in COLUMNS]},
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(LAYOUTS)))
def test_arrays_by_dimension(tmp_path, number):
    ink = read_ink(save(tmp_path / "a.json", json.dumps(LAYOUTS[number])))
    assert points_of(ink) == [[[0, 0], [10, 10], [20, 5]], [[30, 5], [40, 50]]]
    assert ink.t.tolist() == [0, 0.01, 0.04, 0.05, 0.06]
    without = [columns[:2] for columns in COLUMNS]
    assert not read_ink(save(tmp_path / "b.json", json.dumps(without))).timed


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([[[1, 2], [1]]], "columns of different lengths (x of 2, y of 1)"),
        ([[[1]]], "stroke 0 has 1 lists"),
        ([[[1], [2], [3], [4], [5]]], "stroke 0 has 5 lists"),
        ([[[1], ["2"]]], "stroke 0, point 0: y is '2', not a number"),
        ([[[1], 2]], "columns must be lists"),
        ([{"x": [1]}], "has no columns x and y"),
        ({"requests": [{"ink": COLUMNS}] * 2}, "2 requests in one file"),
        ({"requests": [1]}, "no list of strokes"),
        ({"drawing": []}, "no points in any stroke"),
    ],
)
def test_arrays_that_are_refused(tmp_path, value, words):
    with pytest.raises(InputError) as caught:
        read_ink(save(tmp_path / "a.json", json.dumps(value)))
    assert words in str(caught.value)


@pytest.fixture
def quickdraw(tmp_path):
    rows = [
        {"word": word, "countrycode": "US", "recognized": True, "drawing": [[[n, 5], [0, n]]]}
        for n, word in enumerate(["cat", "dog", "cat", "ant"])
    ]
    path = tmp_path / "draw.ndjson"
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return path


def test_each_line_is_an_utterance(quickdraw):
    prepared = drawings.prepare(quickdraw, Options(unit="word", dev=0.25, test=0.25))
    found = {u.id: u for us in prepared.splits.values() for u in us}
    assert {key: u.text for key, u in found.items()} == {
        "draw/1": "cat", "draw/2": "dog", "draw/3": "cat", "draw/4": "ant"
    }  # fmt: skip
    assert found["draw/3"].tags == {"country": "US"}
    for n in range(4):
        assert points_of(read_ink(found[f"draw/{n + 1}"].source)) == [[[n, 0], [5, n]]]
    prepared.save(quickdraw.parent / "out")
    with pytest.raises(InputError, match=r"line 2: a second drawing; .*prepare drawings"):
        read_ink(quickdraw)
    quickdraw.write_text(quickdraw.read_text().replace("[[[2, ", "[[[222, "))
    with pytest.raises(InputError, match="has changed here"):
        read_ink(found["draw/4"].source)


def test_files_of_drawings_may_be_the_sets(quickdraw, tmp_path):
    text = quickdraw.read_text()
    (tmp_path / "sets").mkdir()
    for name in ("cats_train", "validation", "test-1"):
        save(tmp_path / "sets" / f"{name}.ndjson", text)
    splits = drawings.prepare(tmp_path / "sets", Options()).splits
    assert {name: len(us) for name, us in splits.items()} == {"train": 4, "dev": 4, "test": 4}
    alone = drawings.prepare(tmp_path / "sets" / "cats_train.ndjson", Options(dev=0.25)).splits
    assert {name: len(us) for name, us in alone.items()} == {"train": 2, "dev": 1, "test": 1}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"drawing": [[[1], [2]]]}', "no text, word or label"),
        ('{"word": 7, "drawing": [[[1], [2]]]}', "word is '7'; a string"),
        ('{"word": "x"}', "no list of strokes"),
        ('{"word": "x", "drawing": [[[1], [2, 3]]]}', "columns of different lengths"),
        ('{"word": "x", "drawing"', "not JSON"),
    ],
)
def test_lines_that_are_refused(quickdraw, line, words):
    quickdraw.write_text(quickdraw.read_text() + line + "\n")
    with pytest.raises(InputError) as caught:
        drawings.prepare(quickdraw, Options())
    assert str(caught.value).startswith(f"{quickdraw}:5: ")
    assert words in str(caught.value)
    prepared = drawings.prepare(quickdraw, Options(skip_bad=True))
    assert list(prepared.skipped) == [f"{quickdraw}:5"]


def svg(body):
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">{body}</svg>'


def drawn(tmp_path, body):
    return points_of(read_ink(save(tmp_path / "a.svg", svg(body))))


LINES = {
    "M1 2 3 4L5 6": [[[1, 2], [3, 4], [5, 6]]],
    "m1,2 2,2 2 2": [[[1, 2], [3, 4], [5, 6]]],
    "M1 2H5V7h-1v-2": [[[1, 2], [5, 2], [5, 7], [4, 7], [4, 5]]],
    "M1 1 2 1 2 2Z": [[[1, 1], [2, 1], [2, 2], [1, 1]]],
    "M1 1L2 2zL5 5": [[[1, 1], [2, 2], [1, 1], [5, 5]]],
    "M1 1L2 2M3 3l1 1": [[[1, 1], [2, 2]], [[3, 3], [4, 4]]],
    "M1-2.5.5L1e1 2": [[[1, -2.5], [0.5, 10], [2, 2]]],
    "M4 4": [[[4, 4]]],
}


@pytest.mark.parametrize("data", [key for key in LINES if key != "M1-2.5.5L1e1 2"])
def test_lines_of_a_path(tmp_path, data):
    assert drawn(tmp_path, f'<path d="{data}" fill="none" stroke="black"/>') == LINES[data]


def test_numbers_of_a_path_need_no_blanks(tmp_path):
    assert drawn(tmp_path, '<path d="M1-2.5L.5.25 1e1-2"/>') == [[[1, -2.5], [0.5, 0.25], [10, -2]]]


def bezier(control, t):
    """De Casteljau's construction, step by step."""
    points = [np.array(p, float) for p in control]
    while len(points) > 1:
        points = [(1 - t) * a + t * b for a, b in pairwise(points)]
    return points[0]


CURVES = {
    "M0 0C0 8 8 8 8 0": [[(0, 0), (0, 8), (8, 8), (8, 0)]],
    "M0 0c0 8 8 8 8 0s8-8 8 0": [
        [(0, 0), (0, 8), (8, 8), (8, 0)],
        [(8, 0), (8, -8), (16, -8), (16, 0)],
    ],
    "M0 0Q4 8 8 0T16 0": [[(0, 0), (4, 8), (8, 0)], [(8, 0), (12, -8), (16, 0)]],
    "M0 0T8 0": [[(0, 0), (0, 0), (8, 0)]],
    "M0 0S4 8 8 0": [[(0, 0), (0, 0), (4, 8), (8, 0)]],
}


@pytest.mark.parametrize("data", CURVES)
def test_curves_become_points_close_to_them(tmp_path, data):
    (points,) = drawn(tmp_path, f'<path d="{data}"/>')
    true = np.array([bezier(c, t) for c in CURVES[data] for t in np.linspace(0, 1, 2001)])
    extent = max(np.ptp([p for c in CURVES[data] for p in c], axis=0))
    points = np.array(points)
    for point in points:
        assert np.hypot(*(true - point).T).min() < 5e-3
    ends = points[:-1], points[1:]
    for place in true[::50]:  # the nearest chord is no farther than the flatness
        a, along = ends[0], ends[1] - ends[0]
        share = np.clip(((place - a) * along).sum(1) / (along**2).sum(1), 0, 1)
        assert np.hypot(*(a + share[:, None] * along - place).T).min() < 1.1e-3 * extent
    assert points[-1].tolist() == list(CURVES[data][-1][-1])


def test_shapes_and_transforms(tmp_path):
    assert drawn(tmp_path, '<polyline points="1,2 3,4 5 6"/>') == [[[1, 2], [3, 4], [5, 6]]]
    assert drawn(tmp_path, '<polygon points="1,2 3,4"/>') == [[[1, 2], [3, 4], [1, 2]]]
    assert drawn(tmp_path, '<line x1="1" y1="2" x2="3px" y2="4"/>') == [[[1, 2], [3, 4]]]
    assert drawn(tmp_path, '<circle cx="5" cy="6" r="1"/>') == [[[5, 6]]]
    body = '<g transform="translate(10) scale(2,3)"><path d="M1 1L2 2" transform="{}"/></g>'
    assert drawn(tmp_path, body.format("translate(1,1)")) == [[[14, 6], [16, 9]]]
    assert drawn(tmp_path, body.format("matrix(0 1 -1 0 0 0)")) == [[[8, 3], [6, 6]]]
    assert drawn(tmp_path, body.format("scale(2), translate(1 0)")) == [[[18, 6], [22, 12]]]
    hidden = '<defs><path d="M0 0L1 1"/></defs><path d="M0 0L1 1" style="display:none"/>'
    ignored = '<rect width="9" height="9" fill="white"/><text>x</text>'
    assert drawn(tmp_path, hidden + ignored + '<path d="M4 4L5 5"/>') == [[[4, 4], [5, 5]]]


def test_pictures_written_here_are_read(tmp_path):
    ink = Ink([[[0, 0], [30, 40], [60, 0]], [[70, 5]]])
    found = read_ink(save(tmp_path / "a.svg", ink.to_svg()))
    scale = (640 - 16) / 70
    assert [len(one) for one in found.strokes] == [3, 1]
    np.testing.assert_allclose(found.points[:, :2], ink.points[:, :2] * scale + 8, atol=0.06)
    assert found.unit == "px"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('<path d="M1 1A5 5 0 0 1 9 9"/>', "an arc (A)"),
        ('<path d="M1 1a5 5 0 0 1 9 9"/>', "an arc (A)"),
        ('<g transform="rotate(45)"><path d="M1 1L2 2"/></g>', "the transform rotate is not"),
        ('<path d="M1 1L2 2" transform="skewX(3)"/>', "the transform skewX is not"),
        ('<path d="M1 1L2 2" transform="matrix(1 2)"/>', "the transform matrix with 2 numbers"),
        ('<path d="M1 1L2 2" transform="spin"/>', "the transform 'spin' cannot be read"),
        ('<path d="M1 1L2 2" style="transform: scale(2)"/>', "a transform in a style"),
        ('<use href="#a"/>', "the element use"),
        ('<path d="M1 1L2 2" fill="black" stroke="none"/>', "an outline, not a pen stroke"),
        ('<path d="M1 1L2"/>', "too few numbers"),
        ('<path d="M1 1L"/>', "too few numbers"),
        ('<path d="L1 1"/>', "the command 'L' where it cannot be"),
        ('<path d="1 1"/>', "a number behind no command"),
        ('<path d="M1 1X2"/>', "the command 'X'"),
        ('<path d="M1 1;L2 2"/>', "';L2 2' in the data of a path"),
        ('<polyline points="1 2 3"/>', "3 numbers for pairs"),
        ("<rect/>", "no line, polyline or path"),
        ('<path d="M1e999 0L1 1"/>', "not a plausible finite value"),
        ('<path d="M1 2c1 2 3 4 1e999 6"/>', "not a plausible finite value"),
        ('<path d="M1 2C1 2 1e999 4 5 6"/>', "not a plausible finite value"),
        ('<line x1="1e999" y1="2" x2="3" y2="4"/>', "not a plausible finite value"),
        ('<g transform="scale(1e999)"><path d="M0 0L1 1"/></g>', "transforms of a g"),
        ('<path transform="scale(1e9) scale(1e9)" d="M0 0L1 1"/>', "transforms of a path"),
    ],
)
def test_drawings_that_are_refused(tmp_path, body, words):
    with pytest.raises(InputError) as caught:
        drawn(tmp_path, body)
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "a.svg"))
    assert "\n" not in str(caught.value)


ONENOTE = """<inkml:ink xmlns:inkml="http://www.w3.org/2003/InkML"><inkml:definitions>
<inkml:context xml:id="c"><inkml:inkSource xml:id="s"><inkml:traceFormat>
<inkml:channel name="X" type="integer" units="himetric"/>
<inkml:channel name="Y" type="integer" units="himetric"/>
<inkml:channel name="F" type="integer" max="32767" units="dev"/></inkml:traceFormat>
</inkml:inkSource></inkml:context></inkml:definitions><inkml:traceGroup>
<inkml:annotation type="truth">{label}</inkml:annotation>
<inkml:trace id="0" contextRef="#c">{x} 1000 3000, {x} 1200 3100</inkml:trace>
</inkml:traceGroup></inkml:ink>"""


@pytest.mark.parametrize("layout", ["{0}{1}", "{0}\n\n{1}\n", "<page><div>{0}</div>{1}</page>"])
def test_a_page_of_several_inks(tmp_path, layout):
    parts = [ONENOTE.format(x=x, label=label) for x, label in ((10, "a"), (20, "b"))]
    path = save(tmp_path / "a.inkml", '<?xml version="1.0"?>' + layout.format(*parts))
    found = read_inkml(path)
    assert points_of(found.ink) == [[[10, 1000], [10, 1200]], [[20, 1000], [20, 1200]]]
    assert (found.ink.unit, found.ink.points[:, 3].tolist()) == ("himetric", [3000, 3100] * 2)
    assert [(g.annotations["truth"], g.strokes) for g in found.groups] == [("a", (0,)), ("b", (1,))]
    assert found.ids == ("0", "")
    assert read_ink(path) == found.ink


def test_inks_that_do_not_go_together(tmp_path):
    one = ONENOTE.format(x=1, label="a")
    path = save(tmp_path / "a.inkml", one + one.replace("himetric", "cm"))
    with pytest.raises(InputError, match=r"a\.inkml: ink in the units 'cm' and 'himetric'"):
        read_ink(path)
    with pytest.raises(InputError, match=r"a\.inkml:1\d: not well-formed"):
        read_ink(save(path, one + "\n" + one[:-20]))
    with pytest.raises(InputError, match="XML with the root 'page'"):
        read_ink(save(path, "<page/>"))
    assert math.isfinite(read_ink(save(path, one)).x[0])
