"""Contexts of InkML: the channels of each trace, their units, orientations and resolutions.

W3C Recommendation InkML (20 September 2011), sections on trace formats, ink sources, contexts and
streams. Mappings and canvas transforms are not applied.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np

from seqlabel.errors import InputError
from seqlabel.inputs.ink import WITHOUT_TIMES

SECONDS = {"": 1e-3, "s": 1.0, "ms": 1e-3, "us": 1e-6, "\u03bcs": 1e-6, "ns": 1e-9, "dev": 1e-3}
"""Units of the channel T in seconds, by case-folded name (which makes the micro sign a mu).

A channel without a unit is in milliseconds, as are the device units that Microsoft Office writes.
"""

MICROMETRES = {
    "m": 1e6, "cm": 1e4, "mm": 1e3, "himetric": 10.0, "in": 25400.0, "pc": 25400 / 6,
    "pt": 25400 / 72,
}  # fmt: skip
"""Units of length, by case-folded name."""

PREDEFINED = frozenset(("DefaultContext", "DefaultTraceFormat", "DefaultInkSource"))
"""Ids that need no definition; all of them mean the channels X and Y."""


@dataclass(frozen=True)
class TraceFormat:
    """Channels of a trace in order.

    names: in upper case. regular: number of channels that every point has; the others, behind
    them, are intermittent. unit: of x and y, empty if it is not known. counts: values of X and of
    Y per unit, negative where the orientation is. time_unit: as the file has it.
    """

    names: tuple[str, ...] = ("X", "Y")
    regular: int = 2
    unit: str = ""
    counts: tuple[float, float] = (1.0, 1.0)
    time_unit: str = ""

    @classmethod
    def of(cls, element: Element, source: Element | None = None) -> "TraceFormat":
        """The format of a `traceFormat` element; source: the `inkSource` that it belongs to.

        If both X and Y have the property `resolution` there, per unit of length, their values are
        divided by it, and the unit is that length. Otherwise the values stay as they are, except
        that Y is converted to the unit of X if these are different lengths.
        """
        late = {c for part in element.iter("intermittentChannels") for c in part.iter("channel")}
        channels = [c for c in element.iter("channel") if c.get("name")]
        channels.sort(key=lambda channel: channel in late)
        if not channels:
            return cls()
        names = tuple(c.get("name", "").upper() for c in channels)
        if "X" not in names or "Y" not in names:
            raise InputError(f"traceFormat has the channels {' '.join(names)}; X and Y are needed")
        x, y = (channels[names.index(name)] for name in "XY")
        units = (x.get("units", "").strip(), y.get("units", "").strip())
        unit, counts = _resolutions(source, units) or (units[0], (1.0, _in_one(*units)))
        signs = [-1.0 if c.get("orientation", "").strip() == "-ve" else 1.0 for c in (x, y)]
        return cls(
            names,
            sum(channel not in late for channel in channels),
            unit,
            (signs[0] * counts[0], signs[1] * counts[1]),
            channels[names.index("T")].get("units", "").strip() if "T" in names else "",
        )

    def columns(self, rows: Sequence[Sequence[float]], times: bool = True) -> np.ndarray:
        """Points of a trace to (P, 4): x, y, seconds, force; NaN for missing values.

        Points may have fewer or more numbers than there are declared channels, but all the same
        number; only intermittent channels may be missing in some points. With `times=False` the
        seconds are NaN. Raises InputError for other points, and for a unit of T not in `SECONDS`.
        """
        sizes = {len(row) for row in rows}
        width = max(sizes)
        if len(sizes) > 1:
            if min(sizes) < self.regular or width > len(self.names):
                raise InputError("points of different numbers of values; was the file cut off?")
            rows = [[*row, *[math.nan] * (width - len(row))] for row in rows]
        present = self.names[:width]
        if "X" not in present or "Y" not in present:
            raise InputError(f"points of {width} numbers for {' '.join(self.names)}")
        values = np.array(rows)
        columns = np.full((len(values), 4), np.nan)
        for column, name in enumerate(("X", "Y", "T", "F")):
            if name in present and (times or name != "T"):
                columns[:, column] = values[:, present.index(name)]
        with np.errstate(over="ignore"):  # `Ink` refuses infinite values
            columns[:, :2] /= self.counts
        if "T" in present and times:
            columns[:, 2] *= self._seconds()
        return columns

    def _seconds(self) -> float:
        seconds = SECONDS.get(self.time_unit.casefold())
        if seconds is None:
            raise InputError(
                f"the channel T has the unit {self.time_unit[:20]!r}; expected s, ms, us or ns; "
                f"convert it, or {WITHOUT_TIMES}"
            )
        return seconds


def _resolutions(
    source: Element | None, units: tuple[str, str]
) -> tuple[str, tuple[float, float]] | None:
    """A length, and the values of X and of Y per length, of an ink source; None if not known.

    A resolution without a unit is per unit of its channel.
    """
    found: dict[str, tuple[float, str]] = {}
    for element in source.iter("channelProperty") if source is not None else ():
        channel = element.get("channel", "").upper()
        if element.get("name") == "resolution" and channel in ("X", "Y"):
            unit = element.get("units", "").replace(" ", "") or f"1/{units[channel == 'Y']}"
            try:
                value = float(element.get("value", ""))
            except ValueError:
                continue
            if 0 < value < math.inf and unit[:2] == "1/" and unit[2:].casefold() in MICROMETRES:
                found[channel] = value, unit[2:]
    if len(found) != 2:
        return None
    x, y = found["X"], found["Y"]
    return x[1], (x[0], y[0] * _in_one(x[1], y[1]))


def _in_one(unit: str, other: str) -> float:
    """How many of the second unit are one of the first; 1 if one of them is no known length."""
    a, b = (MICROMETRES.get(name.casefold()) for name in (unit, other))
    return 1.0 if a is None or b is None or a == b else a / b


class Contexts:
    """Trace formats of a document, by reference, and the one of traces without a context.

    This is the format set last by a `context` or `traceFormat` directly below `ink`. Before the
    first of these it is the only trace format in the file, wherever that is; of several, the first
    in `definitions`; otherwise X and Y. A context has the format it contains or refers to, in
    itself or in its ink source, else that of the context it is based on, else the current one.
    Formats of a canvas are no formats of traces.
    """

    def __init__(self, root: Element) -> None:
        tags = ("context", "traceFormat", "inkSource")
        self._by_id: Mapping[str, Element] = {
            element.get("id", ""): element
            for tag in tags
            for element in root.iter(tag)
            if element.get("id")
        }
        self._sources = {
            form: source for source in root.iter("inkSource") for form in source.iter("traceFormat")
        }
        self._found: dict[Element, TraceFormat | None] = {}
        canvases = {form for canvas in root.iter("canvas") for form in canvas.iter("traceFormat")}
        forms = [form for form in root.iter("traceFormat") if form not in canvases]
        if len(forms) > 1:
            defined = {f for part in root.iter("definitions") for f in part.iter("traceFormat")}
            forms = [form for form in forms if form in defined]
        self.current = self._format(forms[0]) if forms else TraceFormat()

    def enter(self, element: Element) -> None:
        """Take notice of an element directly below `ink`, in the order of the document."""
        if element.tag == "traceFormat":
            self.current = self._format(element)
        elif element.tag == "context":
            self._found[element] = self.current = self._of_context(element) or self.current

    def format_of(self, reference: str) -> TraceFormat:
        """The format of traces with this `contextRef`; empty: those without one.

        Raises InputError for a reference to something that is not in the file, and for contexts
        that are based on one another.
        """
        target = self._target(reference, "context") if reference else None
        if target is None:
            return TraceFormat() if reference else self.current
        return self._of_context(target) or self.current

    def _of_context(self, context: Element) -> TraceFormat | None:
        """The format of a context and those it is based on; None if none of them has one."""
        passed: set[Element] = set()
        found: TraceFormat | None = None
        target: Element | None = context
        while found is None and target is not None:
            if target in passed:
                raise InputError(f"the context {context.get('id')!r} is based on itself")
            passed.add(target)
            found = self._found[target] if target in self._found else self._own(target)
            reference = target.get("contextRef", "")
            if found is None and not reference:
                break
            if found is None:
                target = self._target(reference, "context")
                found = TraceFormat() if target is None else None
        self._found.update(dict.fromkeys(passed, found))
        return found

    def _own(self, context: Element) -> TraceFormat | None:
        """The format in a context or in its ink source, or to which one of the two refers."""
        places: list[Element] = []
        place: Element | None = context
        while place is not None and len(places) < 2:
            places.append(place)
            if place.tag == "traceFormat":
                return self._format(place)
            for form in place.iterfind("traceFormat"):
                if next(form.iter("channel"), None) is not None:
                    return self._format(form)
            for what in ("traceFormat", "inkSource"):
                reference = place.get(f"{what}Ref", "")
                target = self._target(reference, what) if reference else place.find(what)
                if reference and (target is None or what == "traceFormat"):
                    return TraceFormat() if target is None else self._format(target)
            place = target
        for child in (child for place in places for child in place):  # elements of earlier drafts
            if child.tag != "canvas" and next(child.iter("channel"), None) is not None:
                return TraceFormat.of(child)
        return None

    def _format(self, element: Element) -> TraceFormat:
        return TraceFormat.of(element, self._sources.get(element))

    def _target(self, reference: str, what: str) -> Element | None:
        """The element that a reference denotes; None for one of `PREDEFINED`."""
        name = reference.removeprefix("#")
        if name in self._by_id:
            return self._by_id[name]
        if name in PREDEFINED:
            return None
        raise InputError(f"a reference to the {what} {reference!r}, which is not in the file")
