"""UNIPEN 1.0: components, times, segments, included files."""

import numpy as np
import pytest

from seqlabel.errors import InputError
from seqlabel.inputs.formats.unipen import Segment, read_unipen, write_unipen
from seqlabel.inputs.ink import Ink

HELLO = """.VERSION 1.0
.COORD X Y T
.HIERARCHY SENTENCE WORD CHARACTER
.WRITER_ID w01
.COMMENT anything
  over several lines
.SEGMENT WORD 0:1-2:0 GOOD "he \\"l\\\\o"
.SEGMENT CHARACTER 0,2 ? "h"
.PEN_DOWN
 120 310 0
 122 312 10
.PEN_UP
 130 300 20
.PEN_DOWN
 140 310 30 141 311 40
.PEN_UP
.DT 100
.PEN_DOWN
 150 310 50
.SEGMENT WORD 2-3 OK "z"
"""


def read(tmp_path, text, **options):
    path = tmp_path / "a.upn"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_unipen(path, **options)


def test_components_become_strokes_and_segments_pieces(tmp_path):
    document = read(tmp_path, HELLO)
    expected = [
        [[120, 310, 0], [122, 312, 0.01]],
        [[140, 310, 0.03], [141, 311, 0.04]],
        [[150, 310, 0.05]],
    ]
    assert document.ink == Ink(expected)
    assert document.hierarchy == ("SENTENCE", "WORD", "CHARACTER")
    assert document.writer == "w01"
    assert document.segments == (
        Segment("WORD", ((0, 1, 2), (1, 0, 1)), 'he "l\\o', "GOOD"),
        Segment("CHARACTER", ((0, 0, 2), (1, 0, 2)), "h", "?"),
        Segment("WORD", ((1, 0, 2), (2, 0, 1)), "z", "OK"),
    )
    assert document.ink_of(document.segments[0]) == Ink([expected[0][1:], expected[1][:1]])


def test_times_from_the_rate_count_hovering_and_pauses(tmp_path):
    text = (
        ".COORD Y X\n.POINTS_PER_SECOND 100\n.PEN_DOWN 1 2 3 4\n.PEN_UP 9 9\n"
        ".DT 500\n.PEN_DOWN 5 6\n"
    )
    ink = read(tmp_path, text).ink
    np.testing.assert_allclose(ink.points, [[2, 1, 0], [4, 3, 0.01], [6, 5, 0.53]], atol=1e-12)
    assert ink.timed
    assert not read(tmp_path, text, times=False).ink.timed
    assert not read(tmp_path, text.replace(".POINTS", ".OTHER")).ink.timed


def test_included_files_lie_beside_or_in_include(tmp_path):
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "head.def").write_text(".COORD X Y\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.upn").write_text(".INCLUDE head.def\n.PEN_DOWN\n1 2\n")
    assert read_unipen(tmp_path / "data" / "a.upn").ink == Ink([[[1, 2]]])


def test_files_that_include_too_many(tmp_path):
    (tmp_path / "0.def").write_text(".COORD X Y\n")
    for level in range(1, 5):
        (tmp_path / f"{level}.def").write_text(f".INCLUDE {level - 1}.def\n" * 8)
    with pytest.raises(InputError, match="more than 1000 files are included"):
        read_unipen(tmp_path / "4.def")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (".COORD X Y\n.PEN_DOWN 1 2 3\n", r"a\.upn:2: 3 numbers for points of 2"),
        (".COORD X Y\n.PEN_DOWN 1 b\n", "'b' is not a number"),
        (".COORD X Y\n.PEN_DOWN 1 nan\n", "'nan' is not a number"),
        (".COORD X T\n", r"a\.upn:1: \.COORD X T: X and Y"),
        (".PEN_DOWN 1 2\n", "before .COORD"),
        (".COORD X Y\n.PEN_UP 1 2\n", "no .PEN_DOWN"),
        (".COORD X Y\n.PEN_DOWN 1 2\n.SEGMENT WORD 1 OK 'x'\n", "SEGMENT"),
        ('.COORD X Y\n.PEN_DOWN 1 2\n.SEGMENT WORD 1 OK "x"\n', "component '1'; there are 1"),
        ('.COORD X Y\n.PEN_DOWN 1 2\n.SEGMENT WORD 0:5 OK "x"\n', "ends before it"),
        ('.COORD X Y\n.PEN_DOWN 1 2\n.PEN_DOWN 1 2\n.SEGMENT W 1-0 OK "x"\n', "backwards"),
        ('.COORD X Y\n.HIERARCHY WORD\n.SEGMENT LINE 0 OK "x"\n', "LINE: no level of WORD"),
        ('.COORD X Y\n.PEN_DOWN 1 2\n.SEGMENT WORD 0 OK "cut\n', "SEGMENT"),
        (f'.COORD X Y\n.PEN_DOWN 1 2\n.SEGMENT W {"9" * 5000} OK "x"\n', "'9{20}'; there are 1"),
        (f".COORD X Y\n.PEN_DOWN 1 2\n.SEGMENT W 0{' ' * 100000}x\n", "SEGMENT"),
        (".SEGMENT\n", "SEGMENT"),
        (".INCLUDE missing.def\n", "no such file"),
        (".INCLUDE ../../etc/passwd\n", "not a path below"),
        (".INCLUDE a.upn\n", "include each other"),
    ],
)
def test_bad_files_are_refused_by_place(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_labels_of_another_encoding_are_read(tmp_path):
    text = '.COORD X Y\n.PEN_DOWN 1 2\n.SEGMENT WORD 0 OK "für"\n'
    assert read(tmp_path, text).segments[0].label == "für"
    assert read(tmp_path, text.encode("latin-1")).segments[0].label == "für"


def test_writer_refuses_segments_beyond_the_ink(tmp_path):
    ink = Ink([[[0, 0]]])
    for segment in (
        Segment("WORD", ((1, 0, 1),), "x"),
        Segment("LINE", ((0, 0, 1),), "x"),
        Segment("WORD", ((0, 0, 1),), "two\nlines"),
    ):
        with pytest.raises(InputError):
            write_unipen(tmp_path / "a.upn", ink, [segment])
    assert not list(tmp_path.iterdir())
