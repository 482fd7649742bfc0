"""The trie of the beam search: every node is free or in use, and the free ones are counted."""

import numpy as np
import pytest

from seqlabel.decoding.search.labels import LabelSearch
from seqlabel.decoding.search.trie import EMPTY, NOTHING


def nodes(trie, first, link):
    """The nodes of a chain, none of them twice."""
    found = []
    while first != NOTHING:
        assert len(found) < len(trie)
        found.append(int(first))
        first = trie[first][link]
    return found


def below(trie, node):
    """A node and those below it."""
    found = [node]
    for node in found:
        children = nodes(trie, trie[node]["child"], "sibling")
        assert all(trie[child]["parent"] == node for child in children)
        found += children
    return found


@pytest.mark.parametrize("width", [1, 3])
def test_every_node_is_free_or_in_use(width):
    rng = np.random.default_rng(width)
    search = LabelSearch(4, width)
    first = len(search.beam.trie)
    for _ in range(2):  # utterances
        for frames in (0, 1, 5, 60, 350):
            search.advance(rng.dirichlet([0.1, 1.0, 1.0, 1.0], frames))
            trie, free = search.beam.trie, search.beam.free[0]
            unused = nodes(trie, free["first"], "sibling")
            assert len(unused) == free["count"]
            used = below(trie, EMPTY)
            assert sorted([NOTHING, *used, *unused]) == list(range(len(trie)))
            kept = {int(slot["node"]) for slot in search.beam.slots[: search.beam.now[0]["active"]]}
            assert {node for node in used if trie[node]["slot"] < width} == kept
            assert all(trie[node]["child"] != NOTHING or node in kept for node in used)
        search.reset()
    assert len(search.beam.trie) > first  # it grew
