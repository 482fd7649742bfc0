"""Alignments as files: TextGrid for Praat, .PHN as in TIMIT."""

import os
from collections.abc import Mapping, Sequence
from itertools import pairwise

from seqlabel.decoding.results import Span
from seqlabel.errors import InputError
from seqlabel.files import whole_file


def write_textgrid(
    path: str | os.PathLike[str], tiers: Mapping[str, Sequence[Span]], duration: float
) -> None:
    """Write interval tiers in Praat's long text format.

    tiers: name -> spans in seconds, in order and without overlaps; what lies between them is
    written as an empty interval. duration: of the recording, in seconds.
    Raises InputError as `check_tiers` does.
    """
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {duration:.6f}",
        "tiers? <exists>",
        f"size = {len(tiers)}",
        "item []:",
    ]
    for number, (name, spans) in enumerate(tiers.items(), 1):
        intervals = _cover(spans, duration, f"{path}: tier {name}")
        lines += [
            f"    item [{number}]:",
            '        class = "IntervalTier"',
            f"        name = {_quoted(name)}",
            "        xmin = 0",
            f"        xmax = {duration:.6f}",
            f"        intervals: size = {len(intervals)}",
        ]
        for n, (label, start, end) in enumerate(intervals, 1):
            lines += [
                f"        intervals [{n}]:",
                f"            xmin = {start:.6f}",
                f"            xmax = {end:.6f}",
                f"            text = {_quoted(label)}",
            ]
    with whole_file(path) as stream:
        stream.write("\n".join(lines) + "\n")


def check_tiers(tiers: Mapping[str, Sequence[Span]], duration: float, name: str) -> None:
    """Raise InputError for spans that overlap, have no duration or lie outside the recording.

    tiers, duration: see `write_textgrid`; `name` begins messages.
    """
    for tier, spans in tiers.items():
        _cover(spans, duration, f"{name}: tier {tier}")


def write_phn(path: str | os.PathLike[str], spans: Sequence[Span], rate: int) -> None:
    """Write `begin end label` lines in samples, as TIMIT's .PHN and .WRD files have them.

    spans in seconds; rate: samples per second.
    Raises InputError for a label with white space, which the format has no way to write.
    """
    for span in spans:
        if span.label.split() != [span.label]:
            raise InputError(
                f"{path}: label {span.label!r} holds white space, which ends a label in this "
                f"format; write a TextGrid instead"
            )
    with whole_file(path) as stream:
        for span in spans:
            stream.write(f"{round(span.start * rate)} {round(span.end * rate)} {span.label}\n")


def _cover(spans: Sequence[Span], duration: float, where: str) -> list[tuple[str, float, float]]:
    """The spans and the gaps between them, from 0 to the end; Praat takes no empty stretch."""
    nothing = 5e-7  # half of the last digit that is written
    for span in spans:
        if round(span.end, 6) == round(span.start, 6):
            raise InputError(
                f"{where}: {span.label!r} has no duration, which a TextGrid cannot hold; use json "
                f"or ctm"
            )
    for a, b in pairwise(spans):
        if b.start < a.end - nothing:
            raise InputError(f"{where}: {a.label!r} and {b.label!r} overlap")
    if spans and (spans[0].start < -nothing or spans[-1].end > duration + nothing):
        raise InputError(f"{where}: labels lie outside 0..{duration:.3f} s, the recording")
    intervals, at = [], 0.0
    for span in spans:
        if span.start - at > nothing:
            intervals.append(("", at, span.start))
        intervals.append((span.label, span.start, span.end))
        at = span.end
    if duration - at > nothing:
        intervals.append(("", at, duration))
    return intervals


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
