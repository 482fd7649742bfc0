"""The prefixes of a beam search as a trie in one array, for compiled code.

Nodes are linked by number. Node 0 is nothing: a link to it leads nowhere. Node 1 is the empty
prefix. A prefix is kept while it, or a longer one that begins with it, is in the beam; then its
node is free at once, so the trie stays small however long the utterance.
"""

import numpy as np

from seqlabel.decoding.compiled import kernel

NOTHING, EMPTY = 0, 1

NODE = np.dtype(
    [
        ("parent", np.uint32),
        ("symbol", np.uint32),  # what the prefix has more than its parent
        ("child", np.uint32),  # the first child
        ("sibling", np.uint32),  # the next child of the same parent; or the next free node
        ("slot", np.uint32),  # the place in the beam, or the number of places when it has none
    ],
    align=True,
)

FREE = np.dtype([("first", np.int64), ("count", np.int64)])
"""The chain of free nodes."""


@kernel()
def clear(trie, free, first, nowhere):
    """Make all nodes from `first` on free, none of them in the beam."""
    for node in range(len(trie) - 1, first - 1, -1):
        trie[node].slot = nowhere
        trie[node].sibling = free[0].first
        free[0].first = node
        free[0].count += 1


@kernel(forceinline=True)
def find(trie, parent, symbol):
    """The node of parent + symbol, or NOTHING."""
    node = trie[parent].child
    while node != NOTHING and trie[node].symbol != symbol:
        node = trie[node].sibling
    return node


@kernel(forceinline=True)
def add(trie, free, parent, symbol):
    """Make the node of parent + symbol."""
    node = np.uint32(free[0].first)
    free[0].first = trie[node].sibling
    free[0].count -= 1
    trie[node].parent, trie[node].symbol, trie[node].child = parent, symbol, NOTHING
    trie[node].sibling = trie[parent].child
    trie[parent].child = node
    return node


@kernel(forceinline=True)
def release(trie, free, node, nowhere):
    """Free a node, and those above it, that no prefix in the beam begins with."""
    while node != EMPTY and trie[node].slot == nowhere and trie[node].child == NOTHING:
        parent = trie[node].parent
        if trie[parent].child == node:
            trie[parent].child = trie[node].sibling
        else:
            before = trie[parent].child
            while trie[before].sibling != node:
                before = trie[before].sibling
            trie[before].sibling = trie[node].sibling
        trie[node].sibling = free[0].first
        free[0].first = node
        free[0].count += 1
        node = parent


@kernel(cache=True, nogil=False)
def spell(trie, node, symbols):
    """Write the symbols of a prefix to the end of `symbols`; returns how many there are."""
    count = 0
    while node != EMPTY:
        count += 1
        symbols[-count] = trie[node].symbol
        node = trie[node].parent
    return count


@kernel(cache=True, nogil=False)
def trunk(trie, nowhere):
    """The longest prefix that all prefixes in the beam begin with."""
    node = EMPTY
    while trie[node].slot == nowhere:
        child = trie[node].child
        if child == NOTHING or trie[child].sibling != NOTHING:
            break
        node = child
    return node
