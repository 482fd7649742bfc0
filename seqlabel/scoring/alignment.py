"""Minimum-cost alignment of two label sequences: correct, substituted, deleted, inserted.

Costs and ties are sclite's (NIST SCTK, `net_dp.c` and `word.c`): a substitution costs 4, a deletion
or an insertion 3; among equal costs a pair goes before a gap, and an insertion before a deletion.
Unit costs give the Levenshtein distance, and of all alignments with so few errors the one with the
most correct labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numba import njit

from seqlabel.errors import InputError
from seqlabel.scoring.results import Counts, Operation

OPS = ("C", "S", "D", "I", "C")
"""Letters of the operation codes 0..4; code 4 is an optional label left out, which is correct."""

_LARGEST = 1 << 31
"""Cells of the largest alignment, one byte each."""


@dataclass(frozen=True)
class Costs:
    """What an edit costs: `optional` is the deletion of an optional label."""

    name: str
    substitution: int
    deletion: int
    insertion: int
    optional: int


_ONE = 1 << 31

COSTS = {
    "sclite": Costs("sclite", 4, 3, 3, 2),
    # The extra 1 decides between alignments with equally many errors: of `s` substitutions and
    # `g` gaps, the fewer the substitutions, the more labels are correct.
    "unit": Costs("unit", _ONE + 1, _ONE, _ONE, 0),
}
"""The two cost tables by name."""


@dataclass(frozen=True)
class Alignment:
    """One aligned pair of sequences."""

    ops: tuple[Operation, ...]
    counts: Counts


@njit(cache=True, nogil=True)
def _align_all(reference, reference_at, hypothesis, hypothesis_at, optional, costs, codes):
    """Align every pair; write its codes at reference_at[n] + hypothesis_at[n], return lengths.

    reference, hypothesis: int32 labels of all pairs, one after the other; pair n lies between
        reference_at[n] and reference_at[n + 1] (int64).
    optional: bool per label number. costs: int64 (substitution, deletion, insertion, optional).
    codes: uint8, room for every label of both sides.
    """
    substitution, deletion, insertion, omission = costs[0], costs[1], costs[2], costs[3]
    pairs = reference_at.shape[0] - 1
    lengths = np.zeros(pairs, np.int64)
    widest, cells = 1, 1
    for n in range(pairs):
        rows = reference_at[n + 1] - reference_at[n] + 1
        columns = hypothesis_at[n + 1] - hypothesis_at[n] + 1
        widest = max(widest, columns)
        cells = max(cells, rows * columns)
    back = np.empty(cells, np.uint8)
    cost = np.empty(widest, np.int64)  # of the row above, overwritten from the left
    for n in range(pairs):
        r0, h0 = reference_at[n], hypothesis_at[n]
        R, H = reference_at[n + 1] - r0, hypothesis_at[n + 1] - h0
        columns = H + 1
        cost[0] = 0
        for j in range(1, columns):
            cost[j] = cost[j - 1] + insertion
            back[j] = 3
        for i in range(1, R + 1):
            label = reference[r0 + i - 1]
            free = optional[label]
            drop = omission if free else deletion
            diagonal = cost[0]
            cost[0] += drop
            back[i * columns] = 4 if free else 2
            for j in range(1, columns):
                same = label == hypothesis[h0 + j - 1]
                pair = diagonal + (0 if same else substitution)
                gone = cost[j] + drop
                added = cost[j - 1] + insertion
                diagonal = cost[j]
                if pair <= gone and pair <= added:
                    cost[j] = pair
                    back[i * columns + j] = 0 if same else 1
                elif gone < added:
                    cost[j] = gone
                    back[i * columns + j] = 4 if free else 2
                else:
                    cost[j] = added
                    back[i * columns + j] = 3
        i, j, length, at = R, H, 0, r0 + h0
        while i > 0 or j > 0:
            code = back[i * columns + j]
            codes[at + length] = code
            length += 1
            if code != 3:
                i -= 1
            if code <= 1 or code == 3:
                j -= 1
        codes[at : at + length] = codes[at : at + length][::-1].copy()
        lengths[n] = length
    return lengths


def align_all(
    references: Sequence[Sequence[str]],
    hypotheses: Sequence[Sequence[str]],
    costs: str | Costs = "sclite",
    optional: frozenset[str] = frozenset(),
) -> list[Alignment]:
    """Align `references[n]` with `hypotheses[n]` for every n.

    costs: "sclite", "unit" or a Costs. optional: labels whose deletion is correct.
    Equal operations are one shared tuple, so that millions of them fit into memory.
    """
    costs = COSTS[costs] if isinstance(costs, str) else costs
    labels = dict.fromkeys(chain.from_iterable((*references, *hypotheses)))
    numbers = {label: n for n, label in enumerate(labels)}
    reference, reference_at = _flat(references, numbers)
    hypothesis, hypothesis_at = _flat(hypotheses, numbers)
    largest = np.max((np.diff(reference_at) + 1) * (np.diff(hypothesis_at) + 1), initial=0)
    if largest > _LARGEST:
        raise InputError(
            f"an utterance needs {largest:.1e} cells to be aligned; split it into shorter ones"
        )
    codes = np.empty(len(reference) + len(hypothesis), np.uint8)
    lengths = _align_all(
        reference,
        reference_at,
        hypothesis,
        hypothesis_at,
        np.array([label in optional for label in numbers] or [False]),
        np.array([costs.substitution, costs.deletion, costs.insertion, costs.optional]),
        codes,
    )
    starts = reference_at[:-1] + hypothesis_at[:-1]
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    code = codes[np.repeat(starts, lengths) + within]
    return _alignments(code, lengths, reference, hypothesis, list(labels))


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
    shared = [
        (OPS[key % 5], names[key // 5 // (nothing + 1)], names[key // 5 % (nothing + 1)])
        for key in kinds.tolist()
    ]
    pair = np.repeat(np.arange(len(lengths)), lengths)
    tally = np.bincount(pair * len(OPS) + code, minlength=len(lengths) * len(OPS))
    tally = tally.reshape(-1, len(OPS))
    tally[:, 0] += tally[:, 4]
    ends = np.cumsum(lengths).tolist()
    return [
        Alignment(tuple(map(shared.__getitem__, which[a:b].tolist())), Counts(*row))
        for a, b, row in zip([0, *ends], ends, tally[:, :4].tolist(), strict=False)
    ]


def align(
    reference: Sequence[str],
    hypothesis: Sequence[str],
    costs: str | Costs = "sclite",
    optional: frozenset[str] = frozenset(),
) -> Alignment:
    """Align one pair of label sequences; see `align_all`."""
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
