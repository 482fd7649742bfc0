"""Ink written in a format reads back as the same ink."""

from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seqlabel.inputs import Ink, read_ink
from seqlabel.inputs.formats.iam_xml import write_iam_xml
from seqlabel.inputs.formats.ink_json import write_ink_json
from seqlabel.inputs.formats.inkml import TraceGroup, read_inkml, write_inkml
from seqlabel.inputs.formats.stroke_arrays import write_stroke3, write_stroke5
from seqlabel.inputs.formats.unipen import Segment, read_unipen, write_unipen
from seqlabel.inputs.ink_files import write_ink

round_trip = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


@st.composite
def inks(draw, coordinates=None, timed=None, pressure=None, times=None):
    if coordinates is None:
        coordinates = st.floats(-1e6, 1e6) | st.integers(-9999, 9999).map(float)
    if times is None:
        times = st.floats(0, 5) | st.sampled_from([0.0, 0.01, 1.5])
    counts = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    total = sum(counts)
    columns = [draw(st.lists(coordinates, min_size=total, max_size=total)) for _ in range(2)]
    is_timed = draw(st.booleans()) if timed is None else timed
    if is_timed:
        steps = draw(st.lists(times, min_size=total, max_size=total))
        columns.append(np.cumsum(steps).tolist())
    else:
        columns.append([float(n) for n in range(total)])
    if draw(st.booleans()) if pressure is None else pressure:
        columns.append(draw(st.lists(st.floats(0, 1), min_size=total, max_size=total)))
    points = np.column_stack(columns)
    return Ink(
        np.split(points, np.cumsum(counts)[:-1]), draw(st.sampled_from(["", "mm"])), is_timed
    )


whole = st.integers(-5000, 5000).map(float)
milliseconds = st.integers(0, 3000).map(lambda n: n / 1000)
texts = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=12)


@round_trip
@given(inks())
def test_text_form(tmp_path: Path, ink: Ink):
    write_ink(tmp_path / "a.ink", ink)
    assert read_ink(tmp_path / "a.ink") == ink


@round_trip
@given(inks(timed=True, pressure=False))
def test_iam_xml(tmp_path: Path, ink: Ink):
    write_iam_xml(tmp_path / "a.xml", ink)
    assert read_ink(tmp_path / "a.xml") == Ink(ink.strokes)


@round_trip
@given(inks(), st.dictionaries(texts.filter(bool), texts.map(str.strip), max_size=2), st.data())
def test_inkml(tmp_path: Path, ink: Ink, annotations: dict, data):
    numbers = st.lists(st.integers(0, len(ink.strokes) - 1), max_size=3).map(tuple)
    inner = TraceGroup("i", {"truth": "<a & b>"}, data.draw(numbers))
    groups = (TraceGroup("g", {}, data.draw(numbers), (inner,)),)
    write_inkml(tmp_path / "a.inkml", ink, annotations, groups)
    document = read_inkml(tmp_path / "a.inkml")
    assert document.ink == ink
    assert document.annotations == annotations
    assert document.groups == groups
    assert document.ids == tuple(str(n) for n in range(len(ink.strokes)))


@round_trip
@given(inks(coordinates=whole, timed=False, pressure=False), st.sampled_from([1, 2]))
def test_inkml_differences(tmp_path: Path, ink: Ink, order: int):
    write_inkml(tmp_path / "a.inkml", ink, differences=order)
    assert read_ink(tmp_path / "a.inkml") == ink


@round_trip
@given(inks(times=milliseconds), st.data())
def test_unipen(tmp_path: Path, ink: Ink, data):
    segments = []
    for level in data.draw(st.lists(st.sampled_from(["TEXT", "WORD", "CHARACTER"]), max_size=3)):
        stroke = data.draw(st.integers(0, len(ink.strokes) - 1))
        stop = data.draw(st.integers(1, len(ink.strokes[stroke])))
        pieces = ((stroke, data.draw(st.integers(0, stop - 1)), stop),)
        label = data.draw(texts | st.sampled_from(['a"b', "back\\slash", '\\"']))
        segments.append(Segment(level, pieces, label, data.draw(st.sampled_from(["OK", "?"]))))
    write_unipen(tmp_path / "a.upn", ink, segments, writer="w01")
    document = read_unipen(tmp_path / "a.upn")
    assert document.segments == tuple(segments)
    assert document.writer == "w01"
    assert document.ink.timed == ink.timed
    assert np.array_equal(document.ink.offsets, ink.offsets)
    np.testing.assert_allclose(document.ink.points, ink.points, rtol=1e-12)


@round_trip
@given(inks(times=milliseconds))
def test_json(tmp_path: Path, ink: Ink):
    write_ink_json(tmp_path / "a.json", ink)
    back = read_ink(tmp_path / "a.json")
    assert back.timed == ink.timed
    assert np.array_equal(back.offsets, ink.offsets)
    np.testing.assert_allclose(back.points, ink.points, rtol=1e-12)


@round_trip
@given(inks(coordinates=whole, timed=False, pressure=False))
def test_stroke_arrays(tmp_path: Path, ink: Ink):
    write_stroke3(tmp_path / "a.npy", ink)
    write_stroke5(tmp_path / "b.npy", ink)
    assert read_ink(tmp_path / "a.npy") == Ink(ink.strokes, timed=False)
    assert read_ink(tmp_path / "b.npy") == Ink(ink.strokes, timed=False)
