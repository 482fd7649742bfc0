"""Contexts and trace formats of InkML: which channels a trace has, in which units."""

import pytest

from seqlabel.errors import InputError
from seqlabel.inputs.formats.inkml import inkml_of_xml
from seqlabel.inputs.ink import Ink
from seqlabel.inputs.xml_guard import parse_xml


def parse(body: str, times: bool = True) -> Ink:
    root = parse_xml(f"<ink>{body}</ink>".encode(), "a.inkml")
    return inkml_of_xml(root, "a.inkml", times).ink


def channels(*names: str) -> str:
    return "".join(f'<channel name="{name}"/>' for name in names)


def form(*names: str, name: str = "") -> str:
    return f'<traceFormat xml:id="{name}">{channels(*names)}</traceFormat>'


DEFINITIONS = (
    f"<definitions>{form('X', 'Y', name='xy')}{form('Y', 'X', name='yx')}"
    '<inkSource xml:id="pen"><traceFormat><channel name="F"/><channel name="X"/>'
    '<channel name="Y"/></traceFormat></inkSource>'
    '<context xml:id="c1" traceFormatRef="#xy"/><context xml:id="c2" traceFormatRef="#yx"/>'
    '<context xml:id="c3" contextRef="#c2"/><context xml:id="c4" contextRef="#c3" brushRef="#b"/>'
    '<context xml:id="p1" inkSourceRef="#pen"/>'
    '<context xml:id="p2" inkSourceRef="#pen" traceFormatRef="#yx"/>'
    '<context xml:id="p3" contextRef="#p1"><canvas><traceFormat><channel name="Y"/>'
    '<channel name="X"/></traceFormat></canvas></context>'
    '<context xml:id="d1" contextRef="#DefaultContext"/>'
    '<context xml:id="d2" traceFormatRef="#DefaultTraceFormat"/>'
    '<context xml:id="d3" inkSourceRef="#DefaultInkSource" contextRef="#c2"/>'
    f'<context xml:id="o1"><captureDevice><channelList>{channels("Y", "X")}</channelList>'
    '</captureDevice></context><context xml:id="o2" inkSourceRef="#o3"/><inkSource xml:id="o3">'
    f"<channelList>{channels('Y', 'X')}</channelList></inkSource></definitions>"
)
XY, YX, FXY = [[1, 2], [3, 4]], [[2, 1], [4, 3]], [[2, 3, 0, 1], [5, 6, 1, 4]]


@pytest.mark.parametrize(
    ("context", "points"),
    [
        ("#c1", XY), ("#c2", YX), ("c2", YX), ("#c3", YX), ("#c4", YX), ("#p2", YX),
        ("#o1", YX), ("#o2", YX), ("#yx", YX), ("#DefaultContext", XY), ("#d1", XY), ("#d2", XY),
        ("#d3", XY),
    ],
)  # fmt: skip
def test_a_trace_has_the_format_of_its_context(context, points):
    assert parse(f'{DEFINITIONS}<trace contextRef="{context}">1 2,3 4</trace>') == Ink([points])


@pytest.mark.parametrize("context", ["#p1", "#p3"])
def test_formats_of_ink_sources_come_before_those_of_a_canvas(context):
    ink = parse(f'{DEFINITIONS}<trace contextRef="{context}">1 2 3,4 5 6</trace>')
    assert ink == Ink([FXY], timed=False)


def test_the_nearest_context_around_a_trace_is_its_own():
    traces = '<trace>1 2,3 4</trace><trace contextRef="#{}">1 2,3 4</trace>'
    inner = f'<traceGroup contextRef="#c1">{traces.format("c2")}</traceGroup>'
    ink = parse(
        f'{DEFINITIONS}<traceGroup contextRef="#c2">{traces.format("c1")}'
        f"<traceGroup>{traces.format('c1')}</traceGroup>{inner}</traceGroup>"
    )
    assert ink == Ink([YX, XY, YX, XY, XY, YX])


def test_contexts_and_formats_before_traces_are_current():
    trace = "<trace>1 2,3 4</trace>"
    stream = [
        trace,
        '<context contextRef="#c2"/>', trace,
        '<context brushRef="#b"/>', trace,
        '<context xml:id="now"/>', trace,
        form("X", "Y"), trace, '<trace contextRef="#now">1 2,3 4</trace>',
        f'<traceGroup contextRef="#c3">{trace}</traceGroup>', trace,
        f"<context>{form('Y', 'X')}</context>", trace,
        '<context contextRef="#DefaultContext"/>', trace,
    ]  # fmt: skip
    ink = parse(DEFINITIONS + "".join(stream))
    assert ink == Ink([XY, YX, YX, YX, XY, YX, YX, XY, YX, XY])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (form("Y", "X"), ""),
        ("", form("Y", "X")),
        (f"<definitions>{form('Y', 'X')}</definitions>", ""),
        (f"<definitions><context>{form('Y', 'X')}</context></definitions>", ""),
        (f"<definitions><inkSource>{form('Y', 'X')}</inkSource></definitions>", ""),
        (f"<definitions>{form('Y', 'X')}{form('X', 'Y')}</definitions>", ""),
        (f"<definitions>{form('Y', 'X')}<context id='c'/></definitions>", ""),
    ],
)
def test_one_format_without_contexts_is_that_of_all_traces(before, after):
    assert parse(f"{before}<trace>1 2,3 4</trace>{after}") == Ink([YX])
    if "<context id" in before:
        assert parse(f"{before}<trace contextRef='#c'>1 2,3 4</trace>{after}") == Ink([YX])


def test_formats_after_a_trace_are_not_its_own():
    body = f"<trace>1 2,3 4</trace>{form('Y', 'X')}<trace>1 2,3 4</trace>{form('X', 'Y')}"
    assert parse(f"{body}<trace>1 2,3 4</trace>") == Ink([XY, YX, XY])


def test_what_annotations_call_contexts_is_none():
    """As Microsoft Office writes its analysis of the ink."""
    words = '<annotationXML><emma><context type="inkWord"><traceFormat/></context></emma>'
    ink = parse(f"{form('Y', 'X')}{words}</annotationXML><trace>1 2,3 4</trace>")
    assert ink == Ink([YX])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('<context xml:id="c" contextRef="#z"/><trace>1 2</trace>', "to the context '#z'"),
        ('<traceGroup contextRef="#z"><trace>1 2</trace></traceGroup>', "to the context '#z'"),
        ('<context traceFormatRef="#z"/><trace>1 2</trace>', "to the traceFormat '#z'"),
        ('<context inkSourceRef="#z"/><trace>1 2</trace>', "to the inkSource '#z'"),
        ('<context><traceFormat/></context><trace contextRef="#">1 2</trace>', "context '#'"),
        (
            '<definitions><context id="a" contextRef="#b"/><context id="b" contextRef="#a"/>'
            '</definitions><trace contextRef="#a">1 2</trace>',
            "the context 'a' is based on itself",
        ),
        (
            '<traceFormat><channel name="X" units="cm"/><channel name="Y" units="cm"/>'
            '</traceFormat><trace>1 2</trace><traceFormat><channel name="X" units="px"/>'
            '<channel name="Y" units="px"/></traceFormat><trace id="b">1 2</trace>',
            "trace 'b': is in the unit 'px', those before it in 'cm'; save them apart",
        ),
    ],
)
def test_contexts_that_are_refused(body, message):
    with pytest.raises(InputError) as caught:
        parse(body)
    assert str(caught.value).startswith("a.inkml: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("x", "y", "points"),
    [
        ("+ve", "+ve", [[1, 2], [3, -4]]),
        ("-ve", "+ve", [[-1, 2], [-3, -4]]),
        ("+ve", "-ve", [[1, -2], [3, 4]]),
        ("-ve", "-ve", [[-1, -2], [-3, 4]]),
    ],
)
def test_axes_may_point_the_other_way(x, y, points):
    text = f'<channel name="X" orientation="{x}"/><channel name="Y" orientation="{y}"/>'
    assert parse(f"<traceFormat>{text}</traceFormat><trace>1 2,3 -4</trace>") == Ink([points])


def source(x: str, y: str, units: tuple[str, str] = ("cm", "cm"), trace: str = "400 500 7") -> str:
    """A file in the manner of Microsoft Office; x, y: value and unit of the resolutions."""
    found = [
        f'<channelProperty channel="{name}" name="resolution" value="{value}" units="{unit}"/>'
        for name, (value, unit) in (("X", x.split()), ("Y", y.split()))
        if value != "absent"
    ]
    return (
        '<definitions><context xml:id="ctx0"><inkSource xml:id="inkSrc0"><traceFormat>'
        f'<channel name="X" type="integer" max="1680" units="{units[0]}"/>'
        f'<channel name="Y" type="integer" max="1050" units="{units[1]}"/>'
        '<channel name="F" type="integer" max="1024" units="dev"/></traceFormat>'
        f"<channelProperties>{''.join(found)}"
        '<channelProperty channel="F" name="resolution" value="0" units="1/dev"/>'
        "</channelProperties></inkSource></context></definitions>"
        f'<traceGroup><trace contextRef="#ctx0" brushRef="#br0">{trace}</trace></traceGroup>'
    )


@pytest.mark.parametrize(
    ("x", "y", "units", "point", "unit"),
    [
        ("40 1/cm", "50 1/cm", ("cm", "cm"), (10, 10), "cm"),
        ("1000 1/cm", "1000 1/cm", ("cm", "cm"), (0.4, 0.5), "cm"),
        ("1 1/himetric", "1 1/himetric", ("himetric", "himetric"), (400, 500), "himetric"),
        ("40 1/in", "50 1/in", ("dev", "dev"), (10, 10), "in"),
        ("40 1/IN", "50 1/in", ("", ""), (10, 10), "IN"),
        ("40 1/cm", "5 1/mm", ("cm", "mm"), (10, 10), "cm"),
        ("4 1/mm", "50 1/cm", ("mm", "cm"), (100, 100), "mm"),
        ("absent -", "absent -", ("cm", "mm"), (400, 50), "cm"),
        ("absent -", "absent -", ("px", "px"), (400, 500), "px"),
        ("absent -", "absent -", ("dev", "cm"), (400, 500), "dev"),
        ("absent -", "50 1/cm", ("cm", "cm"), (400, 500), "cm"),
        ("40 1/cm", "0 1/cm", ("cm", "cm"), (400, 500), "cm"),
        ("40 1/cm", "-50 1/cm", ("cm", "cm"), (400, 500), "cm"),
        ("40 1/cm", "many 1/cm", ("cm", "cm"), (400, 500), "cm"),
        ("40 1/dev", "50 1/dev", ("dev", "dev"), (400, 500), "dev"),
        ("40 cm", "50 cm", ("cm", "cm"), (400, 500), "cm"),
    ],
)
def test_values_are_divided_by_resolutions(x, y, units, point, unit):
    assert parse(source(x, y, units)) == Ink([[[*point, 0, 7]]], unit, timed=False)


def test_resolutions_are_per_unit_of_the_channel_by_default():
    body = source("40 1/cm", "50 1/cm").replace(' units="1/cm"', "")
    assert parse(body) == Ink([[[10, 10, 0, 7]]], "cm", timed=False)


def test_resolutions_also_hold_without_a_reference_to_the_context():
    body = source("40 1/cm", "50 1/cm").replace(' contextRef="#ctx0"', "")
    assert parse(body) == Ink([[[10, 10, 0, 7]]], "cm", timed=False)


def test_contexts_of_different_resolutions_go_together():
    other = source("80 1/cm", "80 1/cm", trace="400 320 9").replace("ctx0", "ctx1")
    ink = parse(source("40 1/cm", "50 1/cm") + other)
    assert ink == Ink([[[10, 10, 0, 7]], [[5, 4, 1, 9]]], "cm", timed=False)


def test_a_resolution_too_small_is_refused():
    with pytest.raises(InputError, match="x is inf, not a plausible finite value"):
        parse(source("1e-320 1/cm", "50 1/cm"))


def timed(unit: str | None) -> str:
    units = "" if unit is None else f' units="{unit}"'
    form = f'<traceFormat>{channels("X", "Y")}<channel name="T"{units}/></traceFormat>'
    return f"{form}<trace>1 2 0,3 4 500</trace>"


@pytest.mark.parametrize(
    ("unit", "seconds"),
    [
        (None, 0.5), ("ms", 0.5), ("MS", 0.5), ("dev", 0.5), ("s", 500), ("S", 500),
        ("us", 5e-4), ("\u00b5s", 5e-4), ("\u03bcs", 5e-4), ("ns", 5e-7), (" Ns ", 5e-7),
    ],
)  # fmt: skip
def test_units_of_time(unit, seconds):
    assert parse(timed(unit)).t.tolist() == pytest.approx([0, seconds], rel=1e-12)


@pytest.mark.parametrize("unit", ["min", "h", "tick", "m"])
def test_other_units_of_time_are_refused_unless_times_are_dropped(unit):
    with pytest.raises(InputError) as caught:
        parse(timed(unit))
    assert f"a.inkml: trace 0: the channel T has the unit '{unit}'; " in str(caught.value)
    assert "without times" in str(caught.value)
    assert parse(timed(unit), times=False) == Ink([[[1, 2], [3, 4]]])


INTERMITTENT = (
    f"<traceFormat>{channels('X', 'Y')}<intermittentChannels>{channels('F', 'B1')}"
    "</intermittentChannels></traceFormat>"
)


def test_intermittent_channels_may_be_left_out():
    """The trace has differences, so each channel goes on where it stood."""
    every = parse(f"{INTERMITTENT}<trace>1 2 .5 T,'1'1!.25,2 2 .75 F</trace>")
    assert every == Ink([[[1, 2, 0, 0.5], [2, 3, 1, 0.25], [4, 5, 2, 0.75]]], timed=False)
    some = parse(f"{INTERMITTENT}<trace>1 2 .5,'1'1,2 2 !.75 F</trace><trace>7 8</trace>")
    assert some == Ink([[[1, 2], [2, 3], [4, 5]], [[7, 8]]])


def test_intermittent_channels_come_last():
    body = INTERMITTENT.replace("<traceFormat>", "").replace("</traceFormat>", "")
    form = body.replace(channels("X", "Y"), "") + channels("Y", "X")
    assert parse(f"<traceFormat>{form}</traceFormat><trace>1 2 3,4 5</trace>") == Ink(
        [[[2, 1], [5, 4]]]
    )


@pytest.mark.parametrize("trace", ["1 2 3,4", "1 2 3 4,1 2 3 4 5", "1 2,,3 4", "1 2 3,4,5 6"])
def test_regular_channels_may_not_be_left_out(trace):
    with pytest.raises(InputError, match="points of different numbers of values"):
        parse(f"{INTERMITTENT}<trace>{trace}</trace>")
