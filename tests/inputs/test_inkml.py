"""InkML as the Recommendation has it and as it is met."""

import numpy as np
import pytest

from seqlabel.errors import InputError
from seqlabel.inputs.formats.inkml import inkml_of_xml, read_inkml, write_inkml
from seqlabel.inputs.formats.inkml_trace import decode_trace
from seqlabel.inputs.ink import Ink
from seqlabel.inputs.xml_guard import parse_xml


def parse(text: str, times: bool = True):
    return inkml_of_xml(parse_xml(text.encode(), "a.inkml"), "a.inkml", times)


def test_example_of_the_recommendation():
    """Section 3.2.1: explicit, then first differences, then second differences going on."""
    assert decode_trace("""1125 18432,'23'43,"7"-8,3-5""") == [
        [1125, 18432],
        [1148, 18475],
        [1178, 18510],
        [1211, 18540],
    ]


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("1 2, 3 4", [[1, 2], [3, 4]]),
        ("  1 2,3 4 , ", [[1, 2], [3, 4]]),
        ("1-2,3-4", [[1, -2], [3, -4]]),
        ("1.5 -2e1,+3 .5", [[1.5, -20], [3, 0.5]]),
        ("#1F #a,!2 !-#10", [[31, 10], [2, -16]]),
        ("1 T,* F", [[1, 1], [1, 0]]),
        ("1 2,'1'1,* *,!9 !9", [[1, 2], [2, 3], [3, 4], [9, 9]]),
        ("""0 0,'1'1,"1"1,* *""", [[0, 0], [1, 1], [3, 3], [6, 6]]),
        ("1 2,' 3' - 4", [[1, 2], [4, -2]]),
        ("", []),
    ],
)
def test_traces(text, points):
    assert decode_trace(text) == points


def test_unknown_values_are_nan():
    assert np.isnan(decode_trace("1 ?")[0][1])


@pytest.mark.parametrize(
    "text", ["1 two", "1 2,,3 4;", "'1 '2", "* 1", "1..2 3", "1 2 'x", "nan 1", "0x1 2"]
)
def test_text_outside_the_grammar_is_refused(text):
    with pytest.raises(InputError):
        decode_trace(text)


def test_channels_in_any_order_with_units():
    document = parse(
        '<ink><traceFormat><channel name="T" units="ms"/><channel name="F"/>'
        '<channel name="Y"/><channel name="X" units="mm"/></traceFormat>'
        "<trace>0 .5 20 10, 10 .6 21 11</trace></ink>"
    )
    assert document.ink == Ink([[[10, 20, 0, 0.5], [11, 21, 0.01, 0.6]]], unit="mm")


def test_times_can_be_dropped():
    text = (
        '<ink><traceFormat><channel name="X"/><channel name="Y"/><channel name="T"/></traceFormat>'
        "<trace>0 0 9, 1 1 5</trace></ink>"
    )
    with pytest.raises(InputError, match=r"a\.inkml: stroke 0, point 1: time goes back"):
        parse(text)
    assert parse(text, times=False).ink == Ink([[[0, 0], [1, 1]]])


@pytest.mark.parametrize(
    "root", ["<ink>", '<ink xmlns="http://www.w3.org/2003/InkML">', '<i:ink xmlns:i="urn:x">']
)
def test_namespaces_do_not_matter(root):
    prefix = "i:" if root.startswith("<i:") else ""
    document = parse(f"{root}<{prefix}trace id='a'>1 2</{prefix}trace></{prefix}ink>")
    assert document.ink == Ink([[[1, 2]]])
    assert document.ids == ("a",)


def test_groups_and_annotations():
    document = parse(
        """<ink><annotation type="truth"> $x$ </annotation><annotation typx="odd">no</annotation>
        <annotationXML type="Ground truth"><type>Word</type><label>ex</label></annotationXML>
        <annotationXML type="truth"><math/></annotationXML>
        <trace id="0">1 2</trace><trace id="1">3 4</trace>
        <traceGroup xml:id="5"><annotation type="truth">Segmentation</annotation>
          <traceGroup xml:id="6"><annotation type="truth">x</annotation>
            <traceView traceDataRef="0"/><traceView traceDataRef="#1"/></traceGroup>
          <traceGroup><trace id="2">5 6</trace></traceGroup></traceGroup></ink>"""
    )
    assert document.annotations == {"truth": "$x$", "Ground truth": "ex"}
    (outer,) = document.groups
    assert [group.strokes for group in outer.groups] == [(0, 1), (2,)]
    assert outer.groups[0].annotations == {"truth": "x"}
    assert (outer.id, outer.groups[0].id) == ("5", "6")


def test_pen_up_traces_are_no_ink_and_continued_traces_are_one():
    document = parse(
        '<ink><trace id="a">0 0,1 1</trace><trace id="h" type="penUp">5 5</trace>'
        '<trace id="b" continuation="end" priorRef="#a">2 2</trace>'
        '<traceGroup><traceView traceDataRef="#h"/></traceGroup></ink>'
    )
    assert document.ink == Ink([[[0, 0], [1, 1], [2, 2]]])
    assert document.groups[0].strokes == ()


def test_formats_of_contexts():
    document = parse(
        '<ink><definitions><inkSource id="s"><traceFormat><channel name="Y"/><channel name="X"/>'
        '</traceFormat></inkSource><context id="c" inkSourceRef="#s"/></definitions>'
        '<trace contextRef="#c">1 2</trace></ink>'
    )
    assert document.ink == Ink([[[2, 1]]])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "no trace with a point"),
        ("<trace>1 2, 3</trace>", "different numbers of values; was the file cut off"),
        ("<trace>1</trace>", "points of 1 numbers for X Y"),
        ("<trace>1 ?</trace>", "y is nan"),
        ("<trace>1 2</trace><traceGroup><traceView traceDataRef='#9'/></traceGroup>", "'#9'"),
        ("<trace>1 2</trace><traceGroup><traceView/></traceGroup>", "not in the file"),
        (
            "<trace id='a'>1 2</trace><traceGroup id='g'><traceView traceDataRef='a'/></traceGroup>"
            "<traceGroup><traceView traceDataRef='#g'/></traceGroup>",
            "group '#g', which consists of references",
        ),
        ("<trace id='a'>1 2</trace><trace id='a'>3 4</trace>", "two traces have the id 'a'"),
        ("<trace id='a' contextRef='#c'>1 2</trace>", "context '#c'"),
        ("<trace continuation='end' priorRef='#z'>1 2</trace>", "not before it"),
        ("<traceFormat><channel name='X'/></traceFormat><trace>1</trace>", "X and Y are needed"),
        ("<trace id='7'>1 2, a b</trace>", "trace '7'"),
    ],
)
def test_bad_documents_are_refused(body, message):
    with pytest.raises(InputError, match=message) as caught:
        parse(f"<ink>{body}</ink>")
    assert str(caught.value).startswith("a.inkml: ")
    assert "\n" not in str(caught.value)


def test_writer_refuses_what_reads_back_differently(tmp_path):
    ink = Ink([[[0.5, 1]]])
    for options in ({"ids": ["a", "b"]}, {"differences": 1}, {"annotations": {"t": "\x01"}}):
        with pytest.raises(InputError):
            write_inkml(tmp_path / "a.inkml", ink, **options)
    assert not list(tmp_path.iterdir())


def test_crohme_is_read_as_its_manifest_counts_it(crohme):
    """Every 97th file: numbers of traces and points as listed."""
    lines = (crohme / "manifest.tsv").read_text(encoding="utf-8").splitlines()
    names = lines[0].split("\t")
    for line in lines[1::97]:
        row = dict(zip(names, line.split("\t"), strict=True))
        ink = read_inkml(crohme / row["file"]).ink
        assert (len(ink.strokes), len(ink)) == (int(row["n_traces"]), int(row["n_points"]))
