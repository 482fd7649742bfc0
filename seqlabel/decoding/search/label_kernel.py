"""Prefix beam search over labels, frame by frame, compiled.

The search sums, for each labelling prefix, the probability of all paths that collapse to it
(Graves 2012, Supervised sequence labelling with recurrent neural networks, section 7.5;
Hannun et al. 2014, First-pass large vocabulary continuous speech recognition using bi-directional
recurrent DNNs, algorithm 1). A prefix has two masses, of the paths that end in a blank and of
those that end in its last label. From one frame to the next

    blank' = (blank + label) p(blank)
    label' = label p(last label) + passed p(last label) factor

where its parent passes on its blank mass, and its label mass too unless it ends in the same label;
`factor` is what the language model gives the last label after the parent, 1 without one.
Masses are linear, float64, and scaled by powers of two when they grow small.

What makes it fast loses nothing: the masses of the prefixes that stay give a bound that one of the
best W prefixes of the frame must reach, and a new prefix, whose only source is its parent, is
formed only where mass(parent) p(label) factor exceeds that bound. Few labels of a frame ever do.
"""

import math
from typing import NamedTuple

import numpy as np

from seqlabel.decoding.compiled import kernel
from seqlabel.decoding.lm.labels import label_factor
from seqlabel.decoding.search.trie import EMPTY, NOTHING, add, clear, find, release, spell

SMALL, TINY = 2.0**-300, 2.0**-1000
"""Masses are scaled up when the largest falls below SMALL; what is below TINY is taken for zero,
before it becomes a denormal number, with which arithmetic is slow."""

SLOT = np.dtype(
    [
        ("blank", np.float64),  # mass of the paths that end in a blank
        ("label", np.float64),  # mass of the paths that end in the last label
        ("next_blank", np.float64),  # the same one frame later
        ("next_label", np.float64),
        ("factor", np.float64),  # of the last label
        ("best", np.float64),  # no label that follows has a larger factor
        ("reach", np.float64),  # (blank + label) best
        ("last", np.uint32),  # the last label; 0 for the empty prefix
        ("node", np.uint32),  # where the trie has the prefix
        ("state", np.uint32),  # of the language model, after the prefix
        ("place", np.uint32),  # in the lexicon, where there is one
    ],
    align=True,
)
"""A prefix in the beam. There are W + 1 slots, filled in no order; the last is never filled and has
mass zero: it stands in for parents that are not in the beam."""

CANDIDATE = np.dtype(
    [
        ("mass", np.float64),
        ("factor", np.float64),
        ("best", np.float64),
        ("slot", np.uint32),  # of the parent
        ("symbol", np.uint32),  # what is new: a label, or a label behind a word
        ("last", np.uint32),  # the label of the symbol
        ("node", np.uint32),  # NOTHING while the trie lacks it
        ("state", np.uint32),
        ("place", np.uint32),
    ],
    align=True,
)
"""A prefix that may enter the beam."""

PROGRESS = np.dtype([("active", np.int64), ("scale", np.float64)])
"""Slots in use; the natural logarithm of the factor that the masses lack."""


class Beam(NamedTuple):
    """What a search remembers from frame to frame, and its scratch memory; W slots, K labels."""

    slots: np.ndarray  # (W + 1,) SLOT
    trie: np.ndarray  # (N,) NODE
    free: np.ndarray  # (1,) FREE
    now: np.ndarray  # (1,) PROGRESS
    candidates: np.ndarray  # (C,) CANDIDATE
    labels: np.ndarray  # (K,) int32, labels worth looking at in a frame
    dropped: np.ndarray  # (W, 2) int32, slot and node of what leaves the beam
    masses: np.ndarray  # (W + C,) float64


class Found(NamedTuple):
    """The N best labellings of B utterances; log_prob is -inf where there are fewer."""

    log_probs: np.ndarray  # (B, N) float64
    sizes: np.ndarray  # (B, N) int64, labels
    labels: np.ndarray  # (B, N, T) int32, at the end of each row
    order: np.ndarray  # (N,) int64, scratch


@kernel(cache=True, nogil=False)
def reset(beam, best, state):
    """Begin an utterance with the empty prefix, of mass one; its `best` and `state` are given."""
    slots, trie, free, now = beam.slots, beam.trie, beam.free, beam.now
    W = len(slots) - 1
    for s in (0, W):
        slots[s].blank, slots[s].label, slots[s].last, slots[s].node = 0.0, 0.0, 0, EMPTY
    slots[0].blank, slots[0].factor, slots[0].best = 1.0, 1.0, best
    slots[0].state, slots[0].place = state, 0
    now[0].active, now[0].scale = 1, 0.0
    for node in (NOTHING, EMPTY):
        trie[node].parent, trie[node].child, trie[node].sibling = NOTHING, NOTHING, NOTHING
    trie[NOTHING].slot, trie[EMPTY].slot = W, 0
    free[0].first, free[0].count = NOTHING, 0
    clear(trie, free, EMPTY + 1, W)


@kernel(cache=True)
def advance(beam, lm, probs, floor):
    """Read frames: probs (T, K) float64, probabilities.

    lm: None or a `seqlabel.decoding.lm.labels.LabelLM`. floor: prefixes with less than this part of
    the frame's best mass are dropped (0: none).
    Returns the number of frames read: fewer than T where the trie needs more room first.
    """
    slots, trie, free, now, candidates, labels, dropped, masses = beam
    W = len(slots) - 1
    for t in range(len(probs)):
        if free[0].count < W:
            return t
        p = probs[t]
        best, least, furthest = stay(slots, trie, now, p)
        bound = max(best * floor, TINY)
        if now[0].active == W:
            bound = max(bound, least)
        count, bound = extend(slots, trie, now, candidates, labels, masses, lm, p, bound, furthest)
        for c in range(count):
            best = max(best, candidates[c].mass)
        bound = max(bound, best * floor)
        if count == 0 and least >= bound:  # most frames are of blanks and change nothing else
            keep_all(slots, now)
        else:
            select(slots, trie, free, now, candidates, dropped, count, bound)
        if TINY < best < SMALL:
            rescale(slots, now, best)
    return len(probs)


@kernel(cache=True, nogil=False)
def rank(beam, lm, final, order, log_probs):
    """Write the slots of the best prefixes, best first, and their scores; -1 and -inf behind them.

    order: (N,) int64. log_probs: (N,) float64, natural logarithms. final: the utterance is over,
    so the language model's </s> counts. Equal ones are in slot order.
    """
    slots, now, masses = beam.slots, beam.now, beam.masses
    for s in range(now[0].active):
        masses[s] = slots[s].blank + slots[s].label
        if lm is not None and final:
            masses[s] *= lm.final[slots[s].state]
    for n in range(len(order)):
        order[n], log_probs[n], most = -1, -np.inf, 0.0
        for s in range(now[0].active):
            if masses[s] > most:
                order[n], most = s, masses[s]
        if order[n] >= 0:
            log_probs[n] = math.log(most) + now[0].scale
            masses[order[n]] = 0.0


@kernel(cache=True)
def search_each(beam, lm, best, state, floor, probs, lengths, first, found):
    """Search utterances from number `first` on, probs (B, T, K), and write what is `found`.

    Returns the number of the utterance for which the trie has no room, or B.
    """
    for b in range(first, len(probs)):
        reset(beam, best, state)
        if advance(beam, lm, probs[b, : lengths[b]], floor) < lengths[b]:
            return b
        rank(beam, lm, True, found.order, found.log_probs[b])
        for n in range(len(found.order)):
            found.sizes[b, n] = 0
            if found.order[n] >= 0:
                node = beam.slots[found.order[n]].node
                found.sizes[b, n] = spell(beam.trie, node, found.labels[b, n])
    return len(probs)


@kernel(cache=True)
def next_odd(probs, lengths, first, tolerance):
    """The next utterance, from `first` on, with a frame that does not sum to one; B: none has.

    probs: (B, T, K); lengths: (B,). Four sums side by side: each addition waits for the one before.
    """
    K = probs.shape[2]
    for b in range(first, len(probs)):
        for t in range(lengths[b]):
            p = probs[b, t]
            s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
            for k in range(0, K - 3, 4):
                s0 += p[k]
                s1 += p[k + 1]
                s2 += p[k + 2]
                s3 += p[k + 3]
            for k in range(K - K % 4, K):
                s0 += p[k]
            if not abs((s0 + s1) + (s2 + s3) - 1.0) <= tolerance:
                return b
    return len(probs)


@kernel(forceinline=True)
def stay(slots, trie, now, p):
    """The masses of the prefixes in the beam, one frame on.

    Returns the largest and the smallest of the new masses, and the largest old mass times `best`.
    """
    best, least, furthest = 0.0, np.inf, 0.0
    for s in range(now[0].active):
        slot = slots[s]
        k = slot.last
        total = slot.blank + slot.label
        parent = trie[trie[slot.node].parent].slot
        passed = slots[parent].blank
        if slots[parent].last != k:
            passed += slots[parent].label
        blank = total * p[0]
        label = (slot.label + passed * slot.factor) * p[k]
        slot.next_blank = blank if blank > TINY else 0.0
        slot.next_label = label if label > TINY else 0.0
        slot.reach = total * slot.best
        best = max(best, blank + label)
        least = min(least, blank + label)
        furthest = max(furthest, slot.reach)
    return best, least, furthest


@kernel(forceinline=True)
def extend(slots, trie, now, candidates, labels, masses, lm, p, bound, furthest):
    """Form the new prefixes whose mass exceeds `bound`; returns their count and a better bound."""
    W, active, count = len(slots) - 1, now[0].active, 0
    for i in range(promising_labels(labels, p, bound, furthest)):
        k = labels[i]
        if furthest * p[k] <= bound:  # the bound has risen since, and the rest is no better
            break
        for s in range(active):
            slot = slots[s]
            if slot.reach * p[k] <= bound:
                continue
            mass = slot.blank * p[k]
            if slot.last != k:
                mass += slot.label * p[k]
            factor, state = 1.0, 0
            if lm is not None:
                factor, state = label_factor(lm, slot.state, k)
                mass *= factor
            if mass > bound:
                node = find(trie, slot.node, k)
                if trie[node].slot != W:  # has stayed
                    continue
                if count == len(candidates):
                    count, bound = thin_out(slots, now, candidates, masses, count)
                    if mass <= bound:
                        continue
                new = candidates[count]
                new.slot, new.symbol, new.last, new.node = s, k, k, node
                new.mass, new.factor, new.state = mass, factor, state
                new.best = 1.0 if lm is None else lm.best[state]
                count += 1
    if active + count > W:
        count, bound = thin_out(slots, now, candidates, masses, count)
    return count, bound


@kernel(forceinline=True)
def promising_labels(labels, p, bound, furthest):
    """Write the labels with furthest p(label) > bound, most probable first; returns how many."""
    found = 0
    for k in range(1, len(p)):
        if furthest * p[k] > bound:
            i = found
            while i > 0 and p[labels[i - 1]] < p[k]:
                labels[i] = labels[i - 1]
                i -= 1
            labels[i] = k
            found += 1
    return found


@kernel()
def thin_out(slots, now, candidates, masses, count):
    """Keep the candidates that are among the best W of all; returns their count and the bound.

    Of equal masses the prefixes that stay go first, then the candidates found first.
    """
    W, active = len(slots) - 1, now[0].active
    for s in range(active):
        masses[s] = slots[s].next_blank + slots[s].next_label
    for c in range(count):
        masses[active + c] = candidates[c].mass
    bound = kth_largest(masses, active + count, W)
    spare = W
    for s in range(active):
        spare -= slots[s].next_blank + slots[s].next_label >= bound
    for c in range(count):
        spare -= candidates[c].mass > bound
    kept = 0
    for c in range(count):
        mass = candidates[c].mass
        if mass == bound:
            spare -= 1
        if mass > bound or (mass == bound and spare >= 0):
            if kept < c:
                candidates[kept] = candidates[c]
            kept += 1
    return kept, bound


@kernel()
def kth_largest(values, n, k):
    """The k-th largest (from 1) of the first n values, which it reorders.

    Hoare's selection with the median of three as the pivot, and Lomuto's partition, written so
    that no branch depends on a comparison: half of those would be mispredicted.
    """
    low, high, place = 0, n - 1, k - 1
    while low < high:
        middle = (low + high) >> 1
        a, b, c = values[low], values[middle], values[high]
        if (a > b) == (b > c):
            values[middle], values[high] = c, b
        elif (b > a) == (a > c):
            values[low], values[high] = c, a
        pivot, border = values[high], low
        for i in range(low, high):
            value = values[i]
            values[i] = values[border]
            values[border] = value
            border += value > pivot
        values[border], values[high] = pivot, values[border]
        if border == place:
            break
        if border < place:
            low = border + 1
        else:
            high = border - 1
    return values[place]


@kernel(forceinline=True)
def keep_all(slots, now):
    """Move to the next frame with the same prefixes."""
    for s in range(now[0].active):
        slot = slots[s]
        slot.blank, slot.label = slot.next_blank, slot.next_label


@kernel(forceinline=True)
def select(slots, trie, free, now, candidates, dropped, count, bound):
    """Move to the next frame: drop the prefixes below the bound, let the candidates in."""
    W, active = len(slots) - 1, now[0].active
    spare = W - count
    for s in range(active):
        spare -= slots[s].next_blank + slots[s].next_label > bound
    holes = 0
    for s in range(active):
        slot = slots[s]
        mass = slot.next_blank + slot.next_label
        if mass == bound:
            spare -= 1
        if mass > bound or (mass == bound and spare >= 0):
            slot.blank, slot.label = slot.next_blank, slot.next_label
        else:
            dropped[holes, 0], dropped[holes, 1] = s, slot.node
            holes += 1
    # Nodes first, slots second, and last what is dropped: a parent may leave as its child enters.
    for c in range(count):
        new = candidates[c]
        if new.node == NOTHING:
            new.node = add(trie, free, slots[new.slot].node, new.symbol)
    unfilled = holes
    for c in range(count):
        if unfilled > 0:
            unfilled -= 1
            s = dropped[unfilled, 0]
        else:
            s = active
            active += 1
        slot, new = slots[s], candidates[c]
        slot.blank, slot.label = 0.0, new.mass
        slot.last, slot.node, slot.factor, slot.best = new.last, new.node, new.factor, new.best
        slot.state, slot.place = new.state, new.place
        trie[new.node].slot = s
    while unfilled > 0:  # close the holes left, the highest first, with the last slot
        unfilled -= 1
        active -= 1
        s = dropped[unfilled, 0]
        if s != active:
            slots[s] = slots[active]
            trie[slots[s].node].slot = s
    for h in range(holes):
        node = dropped[h, 1]
        trie[node].slot = W
        release(trie, free, node, W)
    now[0].active = active


@kernel()
def rescale(slots, now, best):
    """Bring the masses, whose largest is `best`, back to about 1; powers of two lose no digit."""
    _, exponent = math.frexp(best)
    for s in range(now[0].active):
        slots[s].blank = math.ldexp(slots[s].blank, -exponent)
        slots[s].label = math.ldexp(slots[s].label, -exponent)
    now[0].scale += exponent * math.log(2.0)
