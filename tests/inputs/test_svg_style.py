"""Shapes of an SVG drawing that are strokes: paint, visibility, style sheets, inner drawings."""

import pytest

from seqlabel.errors import InputError
from seqlabel.inputs.formats.svg import ink_of_svg
from seqlabel.inputs.xml_guard import parse_xml

OUTLINE = "an outline, not a pen stroke"


def drawn(body: str) -> list[list[list[float]]]:
    root = parse_xml(f'<svg viewBox="0 0 9 9">{body}</svg>'.encode(), "a.svg")
    return [stroke[:, :2].tolist() for stroke in ink_of_svg(root, "a.svg").strokes]


def path(attributes: str = "", to: int = 1) -> str:
    return f'<path d="M0 0L{to} {to}" {attributes}/>'


def group(attributes: str, *inner: str) -> str:
    return f"<g {attributes}>{''.join(inner)}</g>"


def line(to: int) -> list[list[float]]:
    return [[0, 0], [to, to]]


@pytest.mark.parametrize(
    "body",
    [
        path(),
        path('fill="none"'),
        path('fill="transparent"'),
        path('fill="#000" stroke="red"'),
        path('style="fill: #000; stroke: red"'),
        group('stroke="red"', path('fill="#000"')),
        group('stroke="none"', path('stroke="red" fill="#000"')),
        group('stroke="red"', group('stroke="inherit"', path('fill="#000"'))),
        group('fill="#000"', path('fill="none"')),
        '<line x2="1" y2="1" fill="#000"/>',
    ],
)
def test_shapes_with_a_stroke_or_without_any_paint_are_strokes(body):
    assert drawn(body) == [line(1)]


def test_dots_are_filled():
    assert drawn('<circle cx="3" cy="4" r="1" fill="#000"/>') == [[[3, 4]]]


@pytest.mark.parametrize(
    "body",
    [
        path('fill="#000"'),
        path('fill="currentColor"'),
        path('style="fill:#000"'),
        path('fill="#000" stroke="none"'),
        path('fill="#000" stroke="transparent"'),
        path('stroke="red" style="stroke: NONE !important"'),
        group('fill="#000"', path()),
        group('stroke="red"', path('stroke="none"')),
        '<polygon points="0 0 1 1 2 0" fill="#000"/>',
        '<polyline points="0 0 1 1 2 0" fill="#000"/>',
    ],
)
def test_filled_shapes_without_a_stroke_are_refused(body):
    with pytest.raises(InputError, match=OUTLINE):
        drawn(body + path('stroke="red"'))


@pytest.mark.parametrize("value", ["hidden", "collapse"])
def test_invisible_shapes_are_no_ink(value):
    hidden = f'visibility="{value}"'
    assert drawn(path(hidden, 1) + path("", 2)) == [line(2)]
    assert drawn(path(f'style="visibility:{value}"', 1) + path("", 2)) == [line(2)]
    shown = path('visibility="visible"', 3)
    assert drawn(group(hidden, path("", 1), shown) + path("", 2)) == [line(3), line(2)]
    assert drawn(path(f'{hidden} fill="#000"', 1) + path("", 2)) == [line(2)]


@pytest.mark.parametrize(
    ("sheet", "strokes"),
    [
        (".a { stroke: red; fill: #000 }", [1, 2]),
        (".a, .b { display: none }", [2]),
        (".a { visibility: hidden } g { stroke: red }", [2]),
        ("path { display: none } .a { display: inline }", [1]),
        (".a { display: inline } path { display: none }", [1]),
        ("#two { display: none }", [1]),
        ("path#two{display:none}", [1]),
        ("path.a{display:none}line.a{display:inline}", [2]),
        (".a { display: none } .c { display: inline }", [1, 2]),
        (".c { display: inline } .a { display: none }", [2]),
        ("* { display: none } path { display: inline } svg, g { display: inline }", [1, 2]),
        ("/* .a { display: none } */ .a { STROKE: red }", [1, 2]),
        ("@charset 'utf-8'; @import url(a.css); .a{display:none}", [2]),
        ("@font-face { font-family: a; src: url(a.woff) } #two{display:none}", [1]),
        ("@media print { g > path { stroke-width: 2 } } #two{display:none}", [1]),
        ("g > path:hover { stroke-width: 2 } #two { display: none", [1]),
    ],
)
def test_rules_of_a_style_sheet(sheet, strokes):
    body = group("", path('class="c a"', 1), path('id="two"', 2))
    assert drawn(f"<style>{sheet}</style>{body}") == [line(to) for to in strokes]
    assert drawn(f"{body}<defs><style><![CDATA[{sheet}]]></style></defs>") == [
        line(to) for to in strokes
    ]


def test_rules_come_before_attributes_and_after_styles():
    sheet = "<style>.a { display: none }</style>"
    assert drawn(sheet + path('class="a" display="inline"', 1) + path("", 2)) == [line(2)]
    assert drawn(sheet + path('class="a" style="display:inline"', 1)) == [line(1)]


@pytest.mark.parametrize(
    ("sheet", "words"),
    [
        (".a { stroke: none; fill: #000 }", OUTLINE),
        ("path { fill: #000 }", OUTLINE),
        (".a { transform: scale(2) }", "a transform in a style"),
        ("g > path { stroke: none }", "the rule 'g > path' is not supported; write the styles"),
        (".a.c { display: none }", "the rule '.a.c'"),
        (".a, path:hover { fill: #000 }", "the rule 'path:hover'"),
        ("@media print { .a { display: none } }", "the rule '@media print'"),
        (".a { stroke: none !important }", "the rule '.a'"),
        (".a, { stroke: none }", "the rule ''"),
    ],
)
def test_style_sheets_that_are_refused(sheet, words):
    with pytest.raises(InputError) as caught:
        drawn(f"<style>{sheet}</style>" + path('class="a c"'))
    assert str(caught.value).startswith("a.svg: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_inner_drawings_are_moved():
    inner = f'<svg x="10" y="20px">{path()}</svg>'
    assert drawn(inner) == [[[10, 20], [11, 21]]]
    assert drawn(f'<g transform="scale(2)">{inner}</g>') == [[[20, 40], [22, 42]]]
    moved = inner.replace("<svg", '<svg transform="scale(2)"')
    assert drawn(f"<g>{moved}</g>") == [[[20, 40], [22, 42]]]
    assert drawn(f'<svg x="1"><svg y="2">{path()}</svg></svg>') == [[[1, 2], [2, 3]]]
    with pytest.raises(InputError, match="an svg in an svg with a viewBox is not supported"):
        drawn(f'<svg x="10" viewBox="0 0 1 1">{path()}</svg>')


def test_the_place_of_the_outermost_drawing_does_not_matter():
    root = parse_xml(f'<svg x="10" y="10">{path()}</svg>'.encode(), "a.svg")
    assert ink_of_svg(root, "a.svg").strokes[0][:, :2].tolist() == line(1)
