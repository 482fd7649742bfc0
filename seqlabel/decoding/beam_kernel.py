"""Prefix beam search over labels, frame by frame, in arrays.

The search sums, for each labelling prefix, the probability of all paths that collapse to it
(Graves 2012, Supervised sequence labelling with recurrent neural networks, section 7.5;
Hannun et al. 2014, First-pass large vocabulary continuous speech recognition using bi-directional
recurrent DNNs, algorithm 1). A prefix has two masses, of the paths that end in a blank and of
those that end in its last label. From one frame to the next

    blank' = (blank + label) p(blank)
    label' = (label + what the parent passes on) p(last label)

where a parent passes on its blank mass, and its label mass too unless it ends in the same label.
Masses are linear, float64, and scaled by powers of two when they grow small.

What makes it fast loses nothing: the masses of the prefixes that stay give a bound that one of the
best W prefixes of the frame must reach, and a new prefix, whose only source is its parent, is
formed only where mass(parent) p(label) exceeds that bound. Few labels of a frame ever do.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

NOTHING = 0
EMPTY = 1
SMALL = 2.0**-300
TINY = 2.0**-1000
"""Masses are scaled up when the largest falls below SMALL; what is below TINY is taken for zero,
before it becomes a denormal number, with which arithmetic is slow."""


class Slots(NamedTuple):
    """The prefixes in the beam, a slot each, in no order.

    There are W + 1 slots; the last is never in use and has mass zero: it stands in for parents
    that are not in the beam.
    """

    blank: np.ndarray  # (W + 1,) float64, mass of the paths that end in a blank
    label: np.ndarray  # (W + 1,) float64, mass of the paths that end in the last label
    next_blank: np.ndarray  # (W + 1,) float64, the same one frame later
    next_label: np.ndarray  # (W + 1,) float64
    last: np.ndarray  # (W + 1,) int32, last label; 0 for the empty prefix
    node: np.ndarray  # (W + 1,) int32, node of the trie
    taken: np.ndarray  # (W + 1, K) int32, the latest frame with slot + label in the beam


class Trie(NamedTuple):
    """The prefixes in the beam and their beginnings: N nodes, linked by number.

    Node 0 is nothing: a link to it leads nowhere. Node 1 is the empty prefix. A node that is
    neither in the beam nor the beginning of another is free at once, so the trie stays small
    however long the utterance; free nodes are chained by `sibling`.
    """

    parent: np.ndarray  # (N,) int32
    label: np.ndarray  # (N,) int32
    child: np.ndarray  # (N,) int32, the first child
    sibling: np.ndarray  # (N,) int32, the next child of the same parent
    slot: np.ndarray  # (N,) int32, the slot in the beam, W when it has none


class Candidates(NamedTuple):
    """New prefixes of a frame: C places."""

    parent: np.ndarray  # (C,) int32, slot
    label: np.ndarray  # (C,) int32
    mass: np.ndarray  # (C,) float64
    node: np.ndarray  # (C,) int32


class Work(NamedTuple):
    """Scratch memory, and the few numbers that live from frame to frame."""

    labels: np.ndarray  # (K,) int32, labels worth looking at in a frame
    holes: np.ndarray  # (W,) int32, slots left by the prefixes that a frame drops
    dropped: np.ndarray  # (W,) int32, and their nodes
    masses: np.ndarray  # (W + C,) float64
    numbers: np.ndarray  # (4,) int64, see below
    scale: np.ndarray  # (1,) float64, natural logarithm of the factor that masses lack


ACTIVE, FRAMES, FREE, UNUSED = range(4)
"""`Work.numbers`: slots in use, frames seen, first free node, how many nodes are free."""


@njit(cache=True, nogil=True)
def reset(slots, trie, work):
    """Begin an utterance: the empty prefix alone, with mass one."""
    W, N = len(slots.blank) - 1, len(trie.parent)
    slots.blank[W] = slots.label[W] = 0.0
    slots.last[W] = 0
    slots.taken[:] = -1
    trie.parent[NOTHING] = NOTHING
    trie.slot[:] = W
    work.numbers[ACTIVE] = 1
    work.numbers[FRAMES] = 0
    work.scale[0] = 0.0
    slots.blank[0], slots.label[0] = 1.0, 0.0
    slots.last[0], slots.node[0] = 0, EMPTY
    trie.parent[EMPTY], trie.child[EMPTY], trie.sibling[EMPTY] = NOTHING, NOTHING, NOTHING
    trie.label[EMPTY], trie.slot[EMPTY] = 0, 0
    for node in range(EMPTY + 1, N - 1):
        trie.sibling[node] = node + 1
    trie.sibling[N - 1] = NOTHING
    work.numbers[FREE] = EMPTY + 1
    work.numbers[UNUSED] = N - EMPTY - 1


@njit(cache=True, nogil=True)
def advance(slots, trie, candidates, work, probs, floor):
    """Read frames: probs (T, K) float64, probabilities.

    floor: prefixes with less than this part of the frame's best mass are dropped (0: none).
    Returns the number of frames read: fewer than T where the trie needs more room first.
    """
    W = len(slots.blank) - 1
    for t in range(len(probs)):
        if work.numbers[UNUSED] < W:
            return t
        p = probs[t]
        best, least, heaviest = stay(slots, trie, work, p)
        bound = max(best * floor, TINY)
        if work.numbers[ACTIVE] == W:
            bound = max(bound, least)
        count, bound = extend(slots, candidates, work, p, bound, heaviest)
        for c in range(count):
            best = max(best, candidates.mass[c])
        select(slots, trie, candidates, work, count, max(bound, best * floor))
        rescale(slots, work, best)
        work.numbers[FRAMES] += 1
    return len(probs)


@njit(cache=True, nogil=True)
def stay(slots, trie, work, p):
    """The masses of the prefixes in the beam, one frame on.

    Returns the largest and the smallest of the new masses, and the largest of the old.
    """
    frame = work.numbers[FRAMES]
    best, least, heaviest = 0.0, np.inf, 0.0
    for s in range(work.numbers[ACTIVE]):
        k = slots.last[s]
        total = slots.blank[s] + slots.label[s]
        parent = trie.slot[trie.parent[slots.node[s]]]
        passed = slots.blank[parent]
        if slots.last[parent] != k:
            passed += slots.label[parent]
        slots.taken[parent, k] = frame
        blank = total * p[0]
        label = (slots.label[s] + passed) * p[k]
        slots.next_blank[s] = blank if blank > TINY else 0.0
        slots.next_label[s] = label if label > TINY else 0.0
        mass = blank + label
        best = max(best, mass)
        least = min(least, mass)
        heaviest = max(heaviest, total)
    return best, least, heaviest


@njit(cache=True, nogil=True)
def extend(slots, candidates, work, p, bound, heaviest):
    """Form the new prefixes whose mass exceeds `bound`; returns their count and a better bound."""
    frame, active = work.numbers[FRAMES], work.numbers[ACTIVE]
    found = promising_labels(work.labels, p, bound, heaviest)
    count = 0
    for i in range(found):
        k = work.labels[i]
        if heaviest * p[k] <= bound:  # the bound has risen since, and the rest is no better
            break
        for s in range(active):
            if (slots.blank[s] + slots.label[s]) * p[k] <= bound:
                continue
            mass = slots.blank[s] * p[k]
            if slots.last[s] != k:
                mass += slots.label[s] * p[k]
            if mass > bound and slots.taken[s, k] != frame:
                if count == len(candidates.mass):
                    count, bound = thin_out(slots, candidates, work, count)
                    if mass <= bound:
                        continue
                candidates.parent[count] = s
                candidates.label[count] = k
                candidates.mass[count] = mass
                count += 1
    if active + count > len(slots.blank) - 1:
        count, bound = thin_out(slots, candidates, work, count)
    return count, bound


@njit(cache=True, nogil=True)
def promising_labels(labels, p, bound, heaviest):
    """Write the labels with heaviest p(label) > bound, most probable first; returns how many."""
    found = 0
    for k in range(1, len(p)):
        if heaviest * p[k] > bound:
            i = found
            while i > 0 and p[labels[i - 1]] < p[k]:
                labels[i] = labels[i - 1]
                i -= 1
            labels[i] = k
            found += 1
    return found


@njit(cache=True, nogil=True)
def thin_out(slots, candidates, work, count):
    """Keep the candidates that are among the best W of all; returns their count and the bound.

    Of equal masses the prefixes that stay go first, then the candidates found first.
    """
    W, active = len(slots.blank) - 1, work.numbers[ACTIVE]
    masses = work.masses
    for s in range(active):
        masses[s] = slots.next_blank[s] + slots.next_label[s]
    masses[active : active + count] = candidates.mass[:count]
    bound = kth_largest(masses, active + count, W)
    spare = W
    for s in range(active):
        if slots.next_blank[s] + slots.next_label[s] >= bound:
            spare -= 1
    for c in range(count):
        if candidates.mass[c] > bound:
            spare -= 1
    kept = 0
    for c in range(count):
        mass = candidates.mass[c]
        if mass < bound or (mass == bound and spare <= 0):
            continue
        if mass == bound:
            spare -= 1
        candidates.parent[kept] = candidates.parent[c]
        candidates.label[kept] = candidates.label[c]
        candidates.mass[kept] = mass
        kept += 1
    return kept, bound


@njit(cache=True, nogil=True)
def kth_largest(values, n, k):
    """The k-th largest (from 1) of the first n values, which it reorders (Hoare's selection)."""
    low, high, place = 0, n - 1, k - 1
    while low < high:
        pivot = values[(low + high) >> 1]
        i, j = low, high
        while i <= j:
            while values[i] > pivot:
                i += 1
            while values[j] < pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if place <= j:
            high = j
        elif place >= i:
            low = i
        else:
            break
    return values[place]


@njit(cache=True, nogil=True)
def select(slots, trie, candidates, work, count, bound):
    """Move to the next frame: drop the prefixes below the bound, let the candidates in."""
    W, active = len(slots.blank) - 1, work.numbers[ACTIVE]
    spare = W - count
    for s in range(active):
        if slots.next_blank[s] + slots.next_label[s] > bound:
            spare -= 1
    holes = 0
    for s in range(active):
        mass = slots.next_blank[s] + slots.next_label[s]
        if mass > bound or (mass == bound and spare > 0):
            if mass == bound:
                spare -= 1
            slots.blank[s], slots.label[s] = slots.next_blank[s], slots.next_label[s]
        else:
            work.holes[holes] = s
            work.dropped[holes] = slots.node[s]
            holes += 1
    # Nodes first, slots second, and last what is dropped: a parent may leave as its child enters.
    for c in range(count):
        parent = slots.node[candidates.parent[c]]
        candidates.node[c] = child(trie, work, parent, candidates.label[c])
    free = holes
    for c in range(count):
        if free > 0:
            free -= 1
            s = work.holes[free]
        else:
            s = active
            active += 1
        slots.blank[s], slots.label[s] = 0.0, candidates.mass[c]
        slots.last[s], slots.node[s] = candidates.label[c], candidates.node[c]
        trie.slot[slots.node[s]] = s
    while free > 0:  # close the holes left, the highest first, with the last slot
        free -= 1
        active -= 1
        s = work.holes[free]
        if s != active:
            slots.blank[s], slots.label[s] = slots.blank[active], slots.label[active]
            slots.last[s], slots.node[s] = slots.last[active], slots.node[active]
            trie.slot[slots.node[s]] = s
    for h in range(holes):
        trie.slot[work.dropped[h]] = W
        release(trie, work, work.dropped[h], W)
    work.numbers[ACTIVE] = active


@njit(cache=True, nogil=True)
def child(trie, work, parent, label):
    """The node of parent + label, made if need be."""
    node = trie.child[parent]
    while node != NOTHING:
        if trie.label[node] == label:
            return node
        node = trie.sibling[node]
    node = work.numbers[FREE]
    work.numbers[FREE] = trie.sibling[node]
    work.numbers[UNUSED] -= 1
    trie.parent[node], trie.label[node], trie.child[node] = parent, label, NOTHING
    trie.sibling[node], trie.child[parent] = trie.child[parent], node
    return node


@njit(cache=True, nogil=True)
def release(trie, work, node, W):
    """Free a node, and those above it, that no prefix in the beam begins with."""
    while node != EMPTY and trie.slot[node] == W and trie.child[node] == NOTHING:
        parent = trie.parent[node]
        if trie.child[parent] == node:
            trie.child[parent] = trie.sibling[node]
        else:
            before = trie.child[parent]
            while trie.sibling[before] != node:
                before = trie.sibling[before]
            trie.sibling[before] = trie.sibling[node]
        trie.sibling[node] = work.numbers[FREE]
        work.numbers[FREE] = node
        work.numbers[UNUSED] += 1
        node = parent


@njit(cache=True, nogil=True)
def rescale(slots, work, best):
    """Keep masses away from the smallest numbers; powers of two lose no digit."""
    if TINY < best < SMALL:
        _, exponent = math.frexp(best)
        factor = math.ldexp(1.0, -exponent)
        for s in range(work.numbers[ACTIVE]):
            slots.blank[s] *= factor
            slots.label[s] *= factor
        work.scale[0] += exponent * math.log(2.0)


@njit(cache=True, nogil=True)
def spell(trie, node, labels):
    """Write the labels of a node, the last at the end of `labels`; returns where they begin."""
    start = len(labels)
    while node != EMPTY:
        start -= 1
        labels[start] = trie.label[node]
        node = trie.parent[node]
    return start


@njit(cache=True, nogil=True)
def depth(trie, node):
    """The number of labels of a node."""
    count = 0
    while node != EMPTY:
        count += 1
        node = trie.parent[node]
    return count
