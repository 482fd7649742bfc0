"""Prefix beam search for words of a lexicon, frame by frame, compiled.

As `seqlabel.decoding.beam_kernel`, where a prefix is a sequence of labels together with the words
that they spell so far: two words of one spelling make two prefixes. The same bound holds, with the
factors of the lexicon and its language model in place of those of a model over labels.
"""

import numpy as np
from numba import njit

from seqlabel.decoding.beam_kernel import (
    SMALL,
    TINY,
    promising_labels,
    rescale,
    select,
    stay,
    thin_out,
)
from seqlabel.decoding.beam_trie import EMPTY, find
from seqlabel.decoding.lexicon_model import ROOT, arcs, best_factor, word_ends

ENDING = np.dtype([("mass", np.float64), ("slot", np.int64), ("word", np.int64)], align=True)
"""A prefix that ends the utterance: its slot, and 1 + the word that ends with it (0: none does)."""


@njit(cache=True, nogil=True)
def advance_words(beam, model, found, probs, floor):
    """Read frames: probs (T, K) float64, probabilities.

    model: WordModel. found: (A,) ARC scratch, room for the words of one spelling and one more.
    floor and the result as of `beam_kernel.advance`.
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
        count, bound = extend_words(
            slots, trie, now, candidates, labels, masses, model, found, p, bound, furthest
        )
        for c in range(count):
            best = max(best, candidates[c].mass)
        select(slots, trie, free, now, candidates, dropped, count, max(bound, best * floor))
        if TINY < best < SMALL:
            rescale(slots, now, best)
    return len(probs)


@njit(nogil=True)
def extend_words(
    slots, trie, now, candidates, labels, masses, model, found, p, bound, furthest
):  # fmt: skip
    """Form the new prefixes whose mass exceeds `bound`; returns their count and a better bound."""
    W, active, K, count = len(slots) - 1, now[0].active, len(p), 0
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
            for a in range(arcs(model, slot.place, slot.state, k, K, found)):
                arc = found[a]
                if mass * arc.factor <= bound:
                    continue
                symbol = np.int32(arc.symbol)
                node = find(trie, slot.node, symbol)
                if trie[node].slot != W:  # has stayed
                    continue
                if count == len(candidates):
                    count, bound = thin_out(slots, now, candidates, masses, count)
                    if mass * arc.factor <= bound:
                        continue
                new = candidates[count]
                new.slot, new.symbol, new.last, new.node = s, symbol, k, node
                new.mass, new.factor = mass * arc.factor, arc.factor
                new.state, new.place = arc.state, arc.place
                count += 1
    if active + count > W:
        count, bound = thin_out(slots, now, candidates, masses, count)
    for c in range(count):
        new = candidates[c]
        new.best = best_factor(model, new.place, new.state, found)
    return count, bound


@njit(cache=True, nogil=True)
def endings(beam, model, found, ends):
    """Write to `ends` (W A,) ENDING every way in which the utterance may be over; their number.

    A prefix is complete where a word ends with it, where it is empty, and behind a separator that
    is optional.
    """
    slots, count = beam.slots, 0
    for s in range(beam.now[0].active):
        slot = slots[s]
        mass = slot.blank + slot.label
        if slot.place == ROOT and (model.optional or slot.node == EMPTY):
            ends[count].mass, ends[count].slot, ends[count].word = mass, s, 0
            ends[count].mass *= model.final[slot.state]
            count += 1
        for i in range(word_ends(model, slot.place, slot.state, found)):
            ends[count].mass = mass * found[i].factor * model.final[found[i].state]
            ends[count].slot, ends[count].word = s, 1 + found[i].symbol
            count += 1
    return count
