"""Minimum-cost alignment of two label sequences: correct, substituted, deleted, inserted.

Unit costs give the Levenshtein distance; of all alignments with the minimum number of errors, the
one with the most correct labels is chosen. sclite's costs (NIST SCTK, `net_dp.c` and `word.c`) are
4 for a substitution and 3 for a deletion or an insertion: five substitutions may become six
deletions and insertions, which is one error more. Ties are broken as in sclite for both: a pair is
preferred to a gap, and an insertion to a deletion.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from seqlabel.errors import InputError
from seqlabel.scoring.alignment_kernel import align_pairs, count_errors
from seqlabel.scoring.results import Counts, Operation

OPS = ("C", "S", "D", "I", "C")
"""Letters of the operation codes 0..4 of the kernel."""

_LARGEST = 1 << 31
"""Maximum cells of an alignment, one byte each."""


@dataclass(frozen=True)
class Costs:
    """Costs of edits; `optional` is the deletion of an optional label."""

    name: str
    substitution: int
    deletion: int
    insertion: int
    optional: int


_ONE = 1 << 31

COSTS = {
    "sclite": Costs("sclite", 4, 3, 3, 2),
    # The extra 1 decides between alignments with equally many errors: the fewer of them are
    # substitutions, the more labels are correct, and the less the alignment costs sclite.
    "unit": Costs("unit", _ONE + 1, _ONE, _ONE, 0),
}
"""The two cost tables by name."""


@dataclass(frozen=True)
class Alignment:
    """One aligned pair of sequences."""

    ops: tuple[Operation, ...]
    counts: Counts


class Pairs:
    """References and hypotheses as numbers: all labels in one array, with offsets."""

    def __init__(
        self,
        references: Sequence[Sequence[str]],
        hypotheses: Sequence[Sequence[str]],
        optional: frozenset[str] = frozenset(),
    ) -> None:
        """`references[n]` belongs to `hypotheses[n]`. optional: labels whose deletion is correct.

        InputError for a pair too long to be aligned.
        """
        self.labels = list(dict.fromkeys(chain.from_iterable((*references, *hypotheses))))
        numbers = {label: n for n, label in enumerate(self.labels)}
        self.reference, self.reference_at = _flat(references, numbers)
        self.hypothesis, self.hypothesis_at = _flat(hypotheses, numbers)
        self.optional = np.array([label in optional for label in numbers] or [False])
        rows, columns = np.diff(self.reference_at) + 1, np.diff(self.hypothesis_at) + 1
        largest = np.max(rows * columns, initial=0)
        if largest > _LARGEST:
            raise InputError(
                f"the alignment of an utterance needs {largest:.1e} cells; split it into shorter "
                "ones"
            )

    def align(self, costs: str | Costs = "unit") -> list[Alignment]:
        """The alignment of each pair. costs: "unit", "sclite" or a Costs.

        Equal operations share one tuple, so that millions of them fit into memory.
        """
        codes = np.empty(len(self.reference) + len(self.hypothesis), np.uint8)
        lengths = align_pairs(  # type: ignore[call-arg]
            *self._numbers(), _edits(costs), codes
        )
        starts = self.reference_at[:-1] + self.hypothesis_at[:-1]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        code = codes[np.repeat(starts, lengths) + within]
        return _alignments(code, lengths, self.reference, self.hypothesis, self.labels)

    def count_errors(self, costs: str | Costs, among: Iterable[int]) -> int:
        """Errors in the alignments of the pairs numbered `among`, without the alignments."""
        chosen = np.fromiter(among, np.int64)
        return int(count_errors(*self._numbers(), _edits(costs), chosen))  # type: ignore[call-arg]

    def errors_by_costs(self, found: Sequence[Alignment], costs: str) -> dict[str, int]:
        """Name of the costs -> errors of all pairs; `found` is `align(costs)`.

        Only pairs that can differ are aligned again. Of two alignments with `S` substitutions and
        `G` gaps, unit costs choose the fewest errors S + G, sclite's the least 4 S + 3 G, which is
        3 (S + G) + S. Where sclite's has more errors, it has three substitutions fewer for each:
        unit costs then give at least three substitutions, and sclite's at least four gaps.
        """
        errors = {costs: sum(one.counts.errors for one in found)}
        for other in COSTS.keys() - {costs}:
            apart: Sequence[int] = range(len(found))
            if not self.optional.any():
                apart = [n for n in apart if _may_differ(found[n].counts, costs)]
            same = errors[costs] - sum(found[n].counts.errors for n in apart)
            errors[other] = same + self.count_errors(other, apart)
        return {name: errors[name] for name in COSTS}

    def _numbers(self) -> tuple[np.ndarray, ...]:
        """The first arguments of the kernels."""
        return (
            self.reference, self.reference_at, self.hypothesis, self.hypothesis_at, self.optional
        )  # fmt: skip


def align_all(
    references: Sequence[Sequence[str]],
    hypotheses: Sequence[Sequence[str]],
    costs: str | Costs = "unit",
    optional: frozenset[str] = frozenset(),
) -> list[Alignment]:
    """Align `references[n]` with `hypotheses[n]` for every n; see `Pairs`."""
    return Pairs(references, hypotheses, optional).align(costs)


def _edits(costs: str | Costs) -> np.ndarray:
    costs = COSTS[costs] if isinstance(costs, str) else costs
    return np.array([costs.substitution, costs.deletion, costs.insertion, costs.optional])


def _may_differ(counts: Counts, costs: str) -> bool:
    """Whether other costs may count a different number of errors; see `Pairs.errors_by_costs`."""
    if costs == "unit":
        return counts.substitutions >= 3
    return counts.deletions + counts.insertions >= 4


def _alignments(
    code: np.ndarray,
    lengths: np.ndarray,
    reference: np.ndarray,
    hypothesis: np.ndarray,
    labels: list[str],
) -> list[Alignment]:
    """Operations and counts of every pair, from the codes of all pairs one after the other.

    lengths: number of codes of each pair. reference, hypothesis: label numbers of all pairs.
    """
    nothing = len(labels)
    left = np.full(len(code), nothing, np.int64)
    left[code != 3] = reference
    right = np.full(len(code), nothing, np.int64)
    right[(code != 2) & (code != 4)] = hypothesis
    keys = (left * (nothing + 1) + right) * len(OPS) + code
    kinds, which = _distinct(keys, len(OPS) * (nothing + 1) ** 2)
    names = [*labels, ""]
    shared = np.empty(len(kinds), object)
    shared[:] = [
        (OPS[key % 5], names[key // 5 // (nothing + 1)], names[key // 5 % (nothing + 1)])
        for key in kinds.tolist()
    ]
    ops = shared[which].tolist()
    pair = np.repeat(np.arange(len(lengths)), lengths)
    tally = np.bincount(pair * len(OPS) + code, minlength=len(lengths) * len(OPS))
    tally = tally.reshape(-1, len(OPS))
    tally[:, 0] += tally[:, 4]
    ends = np.cumsum(lengths).tolist()
    return [
        Alignment(tuple(ops[a:b]), Counts(*row))
        for a, b, row in zip([0, *ends], ends, tally[:, :4].tolist(), strict=False)
    ]


def align(
    reference: Sequence[str],
    hypothesis: Sequence[str],
    costs: str | Costs = "unit",
    optional: frozenset[str] = frozenset(),
) -> Alignment:
    """Align one pair of label sequences; see `Pairs`."""
    return align_all([reference], [hypothesis], costs, optional)[0]


def _flat(
    sequences: Sequence[Sequence[str]], numbers: dict[str, int]
) -> tuple[np.ndarray, np.ndarray]:
    """All labels as one int32 array, and the offsets of the sequences in it."""
    offsets = np.zeros(len(sequences) + 1, np.int64)
    np.cumsum([len(labels) for labels in sequences], out=offsets[1:])
    labels = map(numbers.__getitem__, chain.from_iterable(sequences))
    return np.fromiter(labels, np.int32, offsets[-1]), offsets


def _distinct(keys: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """`np.unique(keys, return_inverse=True)` of keys below `size`, if possible without sorting."""
    if size > 4 * len(keys):
        return np.unique(keys, return_inverse=True)
    kinds = np.flatnonzero(np.bincount(keys, minlength=size))
    place = np.empty(size, np.int64)
    place[kinds] = np.arange(len(kinds))
    return kinds, place[keys]
