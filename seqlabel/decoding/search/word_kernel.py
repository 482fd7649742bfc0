"""Prefix beam search for words of a lexicon, frame by frame, compiled.

As `seqlabel.decoding.search.label_kernel`, where a prefix is a sequence of labels together with the
words that they spell so far: two words of one spelling make two prefixes. The same bound holds,
with the factors of the lexicon and its language model in place of those of a model over labels.
"""

import numpy as np

from seqlabel.decoding.compiled import kernel
from seqlabel.decoding.lexicon.words import ROOT, best_factor, child, word_ends
from seqlabel.decoding.search.label_kernel import (
    SMALL,
    TINY,
    rescale,
    select,
    stay,
    thin_out,
)
from seqlabel.decoding.search.trie import EMPTY, find


@kernel(cache=True)
def advance_words(beam, model, found, probs, floor):
    """Read frames: probs (T, K) float64, probabilities.

    model: WordModel. found: (A,) ENDED scratch, room for the words of one spelling and one more.
    floor and the result as of `beam_kernel.advance`.
    """
    slots, trie, free, now, candidates, _, dropped, masses = beam
    W = len(slots) - 1
    for t in range(len(probs)):
        if free[0].count < W:
            return t
        p = probs[t]
        best, least, _ = stay(slots, trie, now, p)
        bound = max(best * floor, TINY)
        if now[0].active == W:
            bound = max(bound, least)
        count, bound = extend_words(slots, trie, now, candidates, masses, model, found, p, bound)
        for c in range(count):
            best = max(best, candidates[c].mass)
        select(slots, trie, free, now, candidates, dropped, count, max(bound, best * floor))
        if TINY < best < SMALL:
            rescale(slots, now, best)
    return len(probs)


@kernel()
def extend_words(slots, trie, now, candidates, masses, model, found, p, bound):
    """Form the new prefixes whose mass exceeds `bound`; returns their count and a better bound."""
    W, active, K, count = len(slots) - 1, now[0].active, len(p), 0
    outside = len(model.look) - 1
    likeliest = 0.0
    for k in range(1, K):
        likeliest = max(likeliest, p[k])
    for s in range(active):
        slot = slots[s]
        if slot.reach * likeliest <= bound:
            continue
        place, state = np.int64(slot.place), np.int64(slot.state)
        # a label within a word
        if model.unknown > 0.0:
            for k in range(1, K):
                if k != model.separator and slot.reach * p[k] > bound:
                    after = child(model, place, k)
                    if after == ROOT:
                        after = outside
                    factor = model.look[after] / model.look[place]
                    mass = passed_on(slot, k) * p[k] * factor
                    if mass > bound:
                        count, bound = offer(
                            slots, trie, now, candidates, masses,
                            s, k, k, mass, factor, after, state, count, bound,
                        )  # fmt: skip
        else:
            for i in range(model.child_starts[place], model.child_starts[place + 1]):
                k = int(model.child_labels[i])
                factor = model.child_factors[i]
                mass = passed_on(slot, k) * p[k] * factor
                if mass > bound:
                    count, bound = offer(
                        slots, trie, now, candidates, masses,
                        s, k, k, mass, factor, np.int64(model.child_nodes[i]), state, count, bound,
                    )  # fmt: skip
        # the separator
        k = model.separator
        ended = -1
        if k != 0 and slot.reach * p[k] > bound:
            if place != ROOT:
                ended = word_ends(model, place, state, found)
                for w in range(ended):
                    factor = found[w].factor
                    mass = passed_on(slot, k) * p[k] * factor
                    if mass > bound:
                        count, bound = offer(
                            slots, trie, now, candidates, masses, s, k + K * (1 + found[w].word),
                            k, mass, factor, ROOT, found[w].state, count, bound,
                        )  # fmt: skip
            elif model.optional:
                mass = passed_on(slot, k) * p[k]
                if mass > bound:
                    count, bound = offer(
                        slots, trie, now, candidates, masses,
                        s, k, k, mass, 1.0, ROOT, state, count, bound,
                    )  # fmt: skip
        # the first label of the next word, with no separator before it
        if (k == 0 or model.optional) and place != ROOT:
            if ended < 0:
                ended = word_ends(model, place, state, found)
            if ended > 0:
                for i in range(model.child_starts[ROOT], model.child_starts[ROOT + 1]):
                    k = int(model.child_labels[i])
                    if slot.reach * p[k] <= bound:
                        continue
                    for w in range(ended):
                        factor = found[w].factor * model.child_factors[i]
                        mass = passed_on(slot, k) * p[k] * factor
                        if mass > bound:
                            count, bound = offer(
                                slots, trie, now, candidates, masses,
                                s, k + K * (1 + found[w].word), k, mass, factor,
                                np.int64(model.child_nodes[i]), found[w].state, count, bound,
                            )  # fmt: skip
    if active + count > W:
        count, bound = thin_out(slots, now, candidates, masses, count)
    for c in range(count):
        new = candidates[c]
        new.best = best_factor(model, new.place, new.state, found)
    return count, bound


@kernel(forceinline=True)
def passed_on(slot, k):
    """The mass that a prefix gives to a label behind it: a repeat needs a blank between."""
    return slot.blank if slot.last == k else slot.blank + slot.label


@kernel()
def offer(
    slots, trie, now, candidates, masses,
    s, symbol, k, mass, factor, place, state, count, bound,
):  # fmt: skip
    """Let a new prefix enter the candidates unless it is in the beam; their count and the bound."""
    node = find(trie, slots[s].node, symbol)
    if trie[node].slot != len(slots) - 1:  # has stayed
        return count, bound
    if count == len(candidates):
        count, bound = thin_out(slots, now, candidates, masses, count)
        if mass <= bound:
            return count, bound
    new = candidates[count]
    new.slot, new.symbol, new.last, new.node = s, symbol, k, node
    new.mass, new.factor, new.place, new.state = mass, factor, place, state
    return count + 1, bound


@kernel(cache=True)
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
            ends[count].slot, ends[count].word = s, 1 + found[i].word
            count += 1
    return count
