"""Alignments of several systems with one reference, in columns."""

from collections.abc import Sequence
from dataclasses import dataclass

from seqlabel.scoring.results import Operation


@dataclass(frozen=True)
class Column:
    """One column: the reference label ("" beside an insertion) and the label of each system.

    read: per system (operation, label); ("", "") where only another system inserted a label.
    """

    reference: str
    read: tuple[tuple[str, str], ...]

    @property
    def wrong(self) -> bool:
        """Whether any system has an error here."""
        return any(op in ("S", "D", "I") for op, _ in self.read)


def columns(systems: Sequence[Sequence[Operation] | None]) -> list[Column]:
    """Columns for the alignments of one utterance by each system, the reference being the same.

    Insertions of the systems between the same two reference labels share columns. A system
    without this utterance (None; not all may be) has empty places.
    """
    first = next(ops for ops in systems if ops is not None)
    reference = [label for op, label, _ in first if op != "I"]
    absent: Outcome = ([[] for _ in range(len(reference) + 1)], [("", "")] * len(reference))
    outcomes = [absent if ops is None else _outcome(ops) for ops in systems]
    result = []
    for place in range(len(reference) + 1):
        gaps = [inserted[place] for inserted, _ in outcomes]
        for n in range(max(map(len, gaps))):
            row = tuple(("I", gap[n]) if n < len(gap) else ("", "") for gap in gaps)
            result.append(Column("", row))
        if place < len(reference):
            result.append(Column(reference[place], tuple(read[place] for _, read in outcomes)))
    return result


Outcome = tuple[list[list[str]], list[tuple[str, str]]]
"""What a system inserted before each reference label (and after the last), how it read each."""


def _outcome(ops: Sequence[Operation]) -> Outcome:
    inserted: list[list[str]] = [[]]
    read: list[tuple[str, str]] = []
    for op, _, label in ops:
        if op == "I":
            inserted[-1].append(label)
        else:
            read.append((op, label))
            inserted.append([])
    return inserted, read
