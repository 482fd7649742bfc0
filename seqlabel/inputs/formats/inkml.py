"""InkML, the W3C's markup language for digital ink (Recommendation of 20 September 2011).

Accepts what files in use contain: with or without namespace, channels in any order or undeclared,
differences, references with or without `#`, several documents in one file. Annotations and groups
of traces are kept beside the strokes.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from seqlabel.errors import InputError
from seqlabel.files import whole_file
from seqlabel.inputs.formats.inkml_context import Contexts, TraceFormat
from seqlabel.inputs.formats.inkml_trace import decode_trace, encode_differences, encode_trace
from seqlabel.inputs.ink import Ink, number
from seqlabel.inputs.reading import ink_of_columns, naming, read_bytes
from seqlabel.inputs.xml_guard import parse_xmls

NAMESPACE = "http://www.w3.org/2003/InkML"


@dataclass(frozen=True)
class TraceGroup:
    """Strokes that belong together, such as a symbol or a word.

    id: empty if the file has none. annotations: type -> text. strokes: indices into the ink,
    without those of inner groups. groups: inner groups.
    """

    id: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    strokes: tuple[int, ...] = ()
    groups: tuple["TraceGroup", ...] = ()


@dataclass(frozen=True)
class InkML:
    """A file of InkML.

    ink: the pen-down traces. ids: the id of each stroke, empty if it has none. annotations:
    type -> text, only those of the whole document. groups: the outermost groups.
    """

    ink: Ink
    ids: tuple[str, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)
    groups: tuple[TraceGroup, ...] = ()


def read_inkml(path: str | os.PathLike[str], times: bool = True) -> InkML:
    """Read an InkML file; with `times=False` its times are dropped.

    Raises InputError naming the file for malformed XML, trace text outside the grammar, points with
    different numbers of channels, references to missing traces, and a file without ink.
    """
    return inkml_of_roots(parse_xmls(read_bytes(path), path), path, times)


def inkml_of_roots(
    roots: Sequence[Element], name: str | os.PathLike[str], times: bool = True
) -> InkML:
    """The content of all `ink` elements in the trees of `roots`, merged into one document.

    A OneNote page has several. Of each annotation type, the first annotation is kept; repeated ids
    are dropped. Raises InputError for different units, and as `read_inkml` does.
    """
    elements = [e for root in roots for e in ([root] if root.tag == "ink" else root.iter("ink"))]
    if not elements:
        raise InputError(f"{name}: root element {roots[0].tag[:40]!r} is not ink")
    parts = [inkml_of_xml(element, name, times) for element in elements]
    if len(parts) == 1:
        return parts[0]
    with naming(name):
        units = sorted({part.ink.unit for part in parts})
        if len(units) > 1:
            raise InputError(f"ink in the units {' and '.join(map(repr, units))}; save them apart")
        strokes: list[np.ndarray] = []
        ids: list[str] = []
        groups: list[TraceGroup] = []
        annotations: dict[str, str] = {}
        for part in parts:
            groups += [_moved(group, len(strokes)) for group in part.groups]
            strokes += [_four_columns(stroke, part.ink.timed) for stroke in part.ink.strokes]
            taken = set(ids)
            ids += ["" if id in taken else id for id in part.ids]
            annotations = {**part.annotations, **annotations}
        ink = ink_of_columns(strokes, units[0], times)
        return InkML(ink, tuple(ids), annotations, tuple(groups))


def _four_columns(stroke: np.ndarray, timed: bool) -> np.ndarray:
    """(P, 4) x, y, t, pressure of a stroke; NaN for missing values."""
    columns = np.full((len(stroke), 4), np.nan)
    columns[:, : stroke.shape[1]] = stroke
    if not timed:
        columns[:, 2] = np.nan
    return columns


def _moved(group: TraceGroup, by: int) -> TraceGroup:
    strokes = tuple(stroke + by for stroke in group.strokes)
    return replace(group, strokes=strokes, groups=tuple(_moved(g, by) for g in group.groups))


def inkml_of_xml(root: Element, name: str | os.PathLike[str], times: bool = True) -> InkML:
    """The content of a parsed `ink` element; `name` begins the messages."""
    with naming(name):
        if root.tag != "ink":
            raise InputError(f"root element {root.tag!r} is not ink")
        traces = _Traces(root, times)
        groups = tuple(_group(element, traces) for element in root.iterfind("traceGroup"))
        ink = ink_of_columns(traces.strokes, traces.unit, times)
        return InkML(ink, tuple(traces.ids), _annotations(root), groups)


class _Traces:
    """The traces of a document as strokes, and the targets of its references."""

    def __init__(self, root: Element, times: bool) -> None:
        self.strokes: list[np.ndarray] = []
        self.ids: list[str] = []
        self.by_id: dict[str, int | None] = {}
        self.by_element: dict[Element, int | None] = {}
        self.groups = {g.get("id", ""): g for g in root.iter("traceGroup")}
        self.unit = ""
        self._times = times
        contexts = Contexts(root)
        for element in root:
            contexts.enter(element)
            for trace, reference in _with_contexts(element):
                self.by_element[trace] = self._add(trace, contexts.format_of(reference))
        if not self.strokes:
            raise InputError("no trace with a point; the file holds no ink")

    def _add(self, element: Element, form: TraceFormat) -> int | None:
        name = element.get("id", "")
        if name and name in self.by_id:
            raise InputError(f"two traces have the id {name!r}")
        with naming(f"trace {name or len(self.by_element)!r}"):
            rows = decode_trace(element.text or "")
            stroke = None
            if rows and element.get("type") != "penUp":
                points = form.columns(rows, self._times)
                self.unit = self.unit or form.unit
                if form.unit not in ("", self.unit):
                    raise InputError(
                        f"is in the unit {form.unit!r}, those before it in {self.unit!r}; save "
                        "them apart"
                    )
                if element.get("continuation") in ("middle", "end"):
                    stroke = self.by_id.get(element.get("priorRef", "").removeprefix("#"))
                    if stroke is None:
                        raise InputError("continues a trace that is not before it")
                    self.strokes[stroke] = np.concatenate([self.strokes[stroke], points])
                else:
                    stroke = len(self.strokes)
                    self.strokes.append(points)
                    self.ids.append(name)
        if name:
            self.by_id[name] = stroke
        return stroke

    def find(self, reference: str) -> list[int]:
        """The strokes that a reference denotes: those of a trace (none if empty) or of a group."""
        name = reference.removeprefix("#")
        if name in self.by_id:
            stroke = self.by_id[name]
            return [] if stroke is None else [stroke]
        if name in self.groups and name:
            if next(self.groups[name].iter("traceView"), None) is not None:
                raise InputError(
                    f"a reference to the group {reference!r}, which consists of references"
                )
            found = (self.by_element[trace] for trace in self.groups[name].iter("trace"))
            return [stroke for stroke in found if stroke is not None]
        raise InputError(f"a reference to the trace {reference!r}, which is not in the file")


def _with_contexts(element: Element, outer: str = "") -> Iterator[tuple[Element, str]]:
    """The traces of an element, in order, each with its own `contextRef` or its group's."""
    own = element.get("contextRef", "") if element.tag in ("trace", "traceGroup") else ""
    if element.tag == "trace":
        yield element, own or outer
    for child in element:
        yield from _with_contexts(child, own or outer)


def _annotations(element: Element) -> dict[str, str]:
    """Type -> text of the annotations directly below an element; of each type, the first one.

    An `annotationXML` with a `label` is read as an annotation with that text.
    """
    found: dict[str, str] = {}
    for child in element:
        kind = child.get("type")
        if kind and child.tag == "annotation":
            found.setdefault(kind, (child.text or "").strip())
        elif kind and child.tag == "annotationXML" and child.find("label") is not None:
            found.setdefault(kind, (child.findtext("label") or "").strip())
    return found


def _group(element: Element, traces: _Traces) -> TraceGroup:
    strokes: list[int] = []
    groups = []
    for child in element:
        if child.tag == "trace":
            stroke = traces.by_element[child]
            strokes += [] if stroke is None else [stroke]
        elif child.tag == "traceView":
            if child.get("from") or child.get("to"):
                raise InputError("a traceView of a part of a trace; split the trace instead")
            strokes += traces.find(child.get("traceDataRef", ""))
        elif child.tag == "traceGroup":
            groups.append(_group(child, traces))
    return TraceGroup(element.get("id", ""), _annotations(element), tuple(strokes), tuple(groups))


def write_inkml(
    path: str | os.PathLike[str],
    ink: Ink,
    annotations: Mapping[str, str] | None = None,
    groups: Sequence[TraceGroup] = (),
    ids: Sequence[str] = (),
    differences: int = 0,
) -> None:
    """Write ink, its annotations and its groups, exact to the last bit.

    ids: of the strokes; "0", "1", ... by default. differences: 0 writes explicit values, 1 or 2
    first or second differences, which need integer x and y and omit times and pressures.
    Raises InputError if differences are asked for and x or y are not integers, if an annotation has
    characters that XML cannot hold, and if `ids` are not distinct or not one per stroke.
    """
    names = list(ids) or [str(n) for n in range(len(ink.strokes))]
    if len(names) != len(ink.strokes) or len(set(names)) != len(names) or "" in names:
        raise InputError(f"{path}: {len(names)} ids for {len(ink.strokes)} strokes, or some equal")
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<ink xmlns="{NAMESPACE}">']
    lines += [*_write_format(ink, differences), *_write_annotations(annotations or {})]
    for name, stroke in zip(names, ink.strokes, strict=True):
        lines.append(f"<trace id={quoteattr(name)}>{_trace_text(ink, stroke, differences)}</trace>")
    for group in groups:
        lines += _write_group(group, names)
    text = "\n".join([*lines, "</ink>", ""])
    if any((ord(c) < 32 and c not in "\t\n\r") or c in "\ufffe\uffff" for c in text):
        raise InputError(f"{path}: an annotation has a control character, which XML cannot hold")
    with whole_file(path) as stream:
        stream.write(text)


def _trace_text(ink: Ink, stroke: np.ndarray, differences: int) -> str:
    if not differences:
        shown = stroke if ink.timed else np.delete(stroke, 2, axis=1)
        return encode_trace([[number(value) for value in row] for row in shown.tolist()])
    if differences not in (1, 2) or (stroke[:, :2] != np.round(stroke[:, :2])).any():
        raise InputError(f"differences={differences}: 1 or 2, and whole coordinates, are expected")
    return encode_differences(stroke[:, :2].astype(np.int64).tolist(), differences)


def _write_format(ink: Ink, differences: int) -> Iterator[str]:
    unit = f" units={quoteattr(ink.unit)}" if ink.unit else ""
    channels = [f'<channel name="{name}" type="decimal"{unit}/>' for name in "XY"]
    if ink.timed and not differences:
        channels.append('<channel name="T" type="decimal" units="s"/>')
    if ink.points.shape[1] == 4 and not differences:
        channels.append('<channel name="F" type="decimal"/>')
    yield f"<traceFormat>{''.join(channels)}</traceFormat>"


def _write_annotations(annotations: Mapping[str, str]) -> Iterator[str]:
    for kind, text in annotations.items():
        yield f"<annotation type={quoteattr(kind)}>{escape(text)}</annotation>"


def _write_group(group: TraceGroup, names: Sequence[str]) -> Iterator[str]:
    name = f" xml:id={quoteattr(group.id)}" if group.id else ""
    yield f"<traceGroup{name}>"
    yield from _write_annotations(group.annotations)
    for stroke in group.strokes:
        yield f"<traceView traceDataRef={quoteattr('#' + names[stroke])}/>"
    for inner in group.groups:
        yield from _write_group(inner, names)
    yield "</traceGroup>"
