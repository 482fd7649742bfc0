"""Formats told apart by content, and bad files of every format."""

import json

import numpy as np
import pytest

from seqlabel.errors import InputError
from seqlabel.inputs import Ink, read_ink
from seqlabel.inputs.formats.iam_xml import iam_xml, write_iam_xml
from seqlabel.inputs.formats.ink_json import ink_json
from seqlabel.inputs.formats.inkml import write_inkml
from seqlabel.inputs.formats.stroke_arrays import (
    from_stroke3,
    from_stroke5,
    to_stroke3,
    to_stroke5,
    write_stroke3,
)
from seqlabel.inputs.formats.unipen import write_unipen

INK = Ink([[[10, 20, 0.0], [13, 24, 0.25]], [[40, 20, 1.5]]])

IAM = """<?xml version="1.0" encoding="ISO-8859-1"?>
<WhiteboardCaptureSession>
  <WhiteboardDescription><SensorLocation corner="top_left"/></WhiteboardDescription>
  <StrokeSet>
    <Stroke colour="black" start_time="0" end_time="0.25">
      <Point x="10" y="20" time="0"/><Point x="13" y="24" time="0.25"/>
    </Stroke>
    <Stroke colour="black" start_time="1" end_time="1"></Stroke>
    <Stroke colour="black" start_time="1.5" end_time="1.5">
      <Point x="40" y="20" time="1.5"/>
    </Stroke>
  </StrokeSet>
</WhiteboardCaptureSession>
"""


def test_iam_xml(tmp_path):
    (tmp_path / "a.xml").write_text(IAM)
    assert read_ink(tmp_path / "a.xml") == INK
    assert not read_ink(tmp_path / "a.xml", times=False).timed
    assert '<Point x="13" y="24" time="0.25"/>' in iam_xml(INK)
    with pytest.raises(InputError, match="needs times"):
        write_iam_xml(tmp_path / "b.xml", Ink([[[0, 0]]]))


@pytest.mark.parametrize(
    "value",
    [
        {"strokes": [{"points": [{"x": 10, "y": 20, "t": 0}, {"x": 13, "y": 24, "t": 250}]},
                     {"points": [{"x": 40, "y": 20, "t": 1500}]}]},
        [[{"x": 10, "y": 20, "t": 0}, {"x": 13, "y": 24, "t": 250}],
         [], [{"x": 40, "y": 20, "t": 1500}]],
    ],
)  # fmt: skip
def test_json_of_web_pages(tmp_path, value):
    (tmp_path / "a").write_text(json.dumps(value))
    assert read_ink(tmp_path / "a") == INK


def test_stroke_arrays_by_hand():
    rows = [[10, 20, 0], [3, 4, 1], [27, -4, 1]]
    assert to_stroke3(INK).tolist() == rows
    assert to_stroke5(INK).tolist() == [
        [10, 20, 1, 0, 0],
        [3, 4, 0, 1, 0],
        [27, -4, 0, 1, 0],
        [0, 0, 0, 0, 1],
    ]
    unfinished = from_stroke3([[1, 1, 0], [1, 1, 0]])  # no lift: one stroke
    assert unfinished == Ink([[[1, 1], [2, 2]]])
    assert from_stroke5([[1, 1, 1, 0, 0]]) == Ink([[[1, 1]]])
    for bad in (np.zeros((0, 3)), [[1, 2, 3]], [[1, 2, 3, 4]], [["a", 1, 1]]):
        with pytest.raises(InputError):
            from_stroke3(bad)
    for bad in ([[0, 0, 0, 0, 1]], [[0, 0, 1, 1, 0]]):
        with pytest.raises(InputError):
            from_stroke5(bad)


def test_formats_are_known_by_content_not_by_name(tmp_path):
    path = tmp_path / "no_suffix"
    write_inkml(path, INK)
    assert read_ink(path) == INK
    write_unipen(path, INK)
    assert read_ink(path) == INK
    path.write_text("\ufeff" + ink_json(INK), encoding="utf-8")
    assert read_ink(path) == INK
    path.write_text(INK.to_text())
    assert read_ink(path) == INK
    path.write_text(
        f"<?xml version='1.0' encoding='UTF-16'?>{IAM.split('?>')[1]}", encoding="utf-16"
    )
    assert read_ink(path) == INK
    np.savez(tmp_path / "a.npz", to_stroke5(INK))
    assert len(read_ink(tmp_path / "a.npz")) == 3


@pytest.mark.parametrize("space", [" " * 100, "\n" * 64, "\ufeff" + "\t\r\n " * 50])
def test_white_space_before_the_content_does_not_matter(tmp_path, space):
    path = tmp_path / "a"
    for text in ("<ink><trace>1 2,3 4</trace></ink>", '[[{"x": 1, "y": 2}, {"x": 3, "y": 4}]]'):
        path.write_text(space + text, encoding="utf-8", newline="")
        assert read_ink(path) == Ink([[[1, 2], [3, 4]]])


BOMB = """<?xml version="1.0"?><!DOCTYPE ink [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>
<ink><annotation type="t">&b;</annotation><trace>1 2</trace></ink>"""
OUTSIDE = """<?xml version="1.0"?><!DOCTYPE ink [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<ink><trace>&x;</trace></ink>"""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"  \n ", "the file is empty"),
        (b"hello", "not a known ink format"),
        (b"\x00\x01\x02", "not a known ink format"),
        (BOMB.encode(), ":1: declares an XML entity, which is not allowed"),
        (OUTSIDE.encode(), ":1: declares an XML entity, which is not allowed"),
        (b"<a>" * 300, "nested deeper than 200"),
        (b"<ink><trace>1 2</ink>", "not well-formed XML"),
        (IAM[:400].encode(), "not well-formed XML .*was the file cut off"),
        (b"<ink><annotation type='t'>\xff\xfe</annotation></ink>", "not well-formed"),
        (b"<?xml version='1.0' encoding='klingon'?><ink/>", "encoding"),
        (b"<html/>", "XML with the root 'html'"),
        (IAM.replace('y="24"', "").encode(), "stroke 0: a Point has no y"),
        (IAM.replace('time="0.25"/>', "/>").encode(), "no time; read the file without times"),
        (IAM.replace('"24"', '"2,4"').encode(), "y='2,4' is not a number"),
        (IAM.replace('"24"', '"nan"').encode(), "y is nan"),
        (b"<WhiteboardCaptureSession><StrokeSet/></WhiteboardCaptureSession>", "no points"),
        (b'{"strokes": [[{"x": 1, "y": 2}', "not JSON"),
        (b'{"strokes": [[{"x": 1}]]}', "stroke 0, point 0 has no y"),
        (b'{"strokes": [[{"x": 1, "y": "2"}]]}', "y is '2', not a number"),
        (b'{"strokes": [[{"x": 1, "y": NaN}]]}', "holds NaN"),
        (b'{"strokes": [[{"x": 1, "y": 1e400}]]}', "y is inf"),
        (b'{"strokes": [[{"x": 1' + b"0" * 400 + b', "y": 2}]]}', "a number of hundreds of digits"),
        (b"<ink><trace>#" + b"F" * 400 + b" 1</trace></ink>", "not a plausible finite value"),
        (b'{"pen": []}', "no list of strokes"),
        (b'{"strokes": [[1, 2]]}', "no object with x and y"),
        (b"[[]]", "no points"),
        (b"[" * 100000, "nested too deeply|not JSON"),
        (b"[[" + b"1" * 5000, "cannot be read as JSON"),
        (b"\x93NUMPY\x01\x00junk", "not a plain NumPy array"),
        (b"PK\x03\x04junk", "not a plain NumPy array"),
    ],
)  # fmt: skip
def test_bad_files_get_one_line_that_names_them(tmp_path, content, message):
    path = tmp_path / "bad.file"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_ink(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_missing_files_folders_and_pickles(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_ink(tmp_path / "absent")
    with pytest.raises(InputError, match="is a folder"):
        read_ink(tmp_path)
    np.savez(tmp_path / "objects.npz", train=np.array([np.zeros((2, 3)), None], dtype=object))
    with pytest.raises(InputError, match="not a plain NumPy array"):
        read_ink(tmp_path / "objects.npz")
    np.savez(tmp_path / "two.npz", a=np.zeros((2, 3)), b=np.zeros((2, 3)))
    with pytest.raises(InputError, match="2 arrays"):
        read_ink(tmp_path / "two.npz")


def test_a_file_cut_anywhere_is_refused_or_read_but_never_crashes(tmp_path):
    whole = tmp_path / "whole"
    cut = tmp_path / "cut"
    for write in (write_inkml, write_unipen, write_iam_xml, write_stroke3):
        write(whole, INK)
        data = whole.read_bytes()
        for length in range(0, len(data), 3):
            cut.write_bytes(data[:length])
            try:
                ink = read_ink(cut)
            except InputError as error:
                assert str(error).startswith(str(cut))  # noqa: PT017
            else:
                assert len(ink) <= len(INK)


def test_a_million_points_are_read(tmp_path):
    points = np.column_stack([np.arange(1e6), np.zeros((1e6).__int__()), np.ones((1e6).__int__())])
    np.save(tmp_path / "long.npy", points[:, [2, 1, 1]])
    assert len(read_ink(tmp_path / "long.npy")) == 1_000_000
