"""The words of a search, and their spellings in labels."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from seqlabel.alphabet import Alphabet
from seqlabel.errors import InputError
from seqlabel.files import read_text

Spellings = Mapping[str, Iterable[Sequence[str]]]
"""Word -> one or more label sequences."""


class Lexicon:
    """Words and their spellings, compiled to a prefix tree in flat arrays.

    spellings: word -> label sequences, one or more; several words may share one.
    separator: the label between words (" " for characters), or None if there is none.
    optional: the separator may be left out between words, and may occur before the first and
        after the last one: silence between words of phones.
    Raises InputError for an empty lexicon, an empty spelling, a label that the alphabet lacks, or
    the separator inside a spelling.

    The tree has nodes 0..N-1, node 0 the root. The children of node n are
    child_starts[n] : child_starts[n + 1] of child_labels (sorted) and child_nodes; the words that
    end at it word_starts[n] : word_starts[n + 1] of word_ids, which are indices into `words`.
    """

    def __init__(
        self,
        alphabet: Alphabet,
        spellings: Spellings,
        separator: str | None = None,
        optional: bool = False,
        name: str = "lexicon",
    ) -> None:
        if not spellings:
            raise InputError(f"{name}: no words; add at least one")
        if separator is not None and separator not in alphabet:
            raise InputError(f"{name}: the separator {separator!r} is not a label of the alphabet")
        if optional and separator is None:
            raise InputError(f"{name}: an optional separator needs a separator")
        self.alphabet, self.separator, self.optional, self.name = (
            alphabet, separator, optional, name,
        )  # fmt: skip
        self.words = tuple(spellings)
        entries: list[tuple[tuple[int, ...], int]] = []
        for number, (word, sequences) in enumerate(spellings.items()):
            for labels in sequences:
                entries.append((self._encode(word, labels), number))
        self._compile(sorted(set(entries)))

    @classmethod
    def from_words(
        cls, alphabet: Alphabet, words: Iterable[str], separator: str | None = " "
    ) -> "Lexicon":
        """Words spelled as the alphabet splits them, by characters for other units."""
        spelled = {word: [_spelled(word, alphabet)] for word in words}
        return cls(alphabet, spelled, separator)

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        alphabet: Alphabet,
        separator: str | None = "auto",
        optional: bool = False,
    ) -> "Lexicon":
        """Read a text file: a word, white space, and its labels with white space between.

        separator: "auto" for a blank, or an optional "sil", whichever is a label, or else none.

        A line with only a word spells it by its characters, graphemes or subwords. A word may have
        several lines; a pronunciation number such as WORD(2) is removed if labels follow.
        Empty lines are skipped. InputError names file and line.
        """
        if separator == "auto":
            known = (label for label in (" ", "sil") if label in alphabet)
            separator = next(known, None)
            optional = separator == "sil"
        spellings: dict[str, list[tuple[str, ...]]] = {}
        for number, line in enumerate(read_text(path).split("\n"), 1):
            word, *labels = line.split() or [""]
            if not word:
                continue
            numbered = re.fullmatch(r"(.+)\(\d+\)", word)
            if numbered and labels:
                word = numbered[1]
            spelling = tuple(labels) or _spelled(word, alphabet)
            for label in spelling:
                if label not in alphabet:
                    raise InputError(
                        f"{path}:{number}: {word} is spelled with {label!r}, which is not a label "
                        f"of the alphabet"
                    )
            spellings.setdefault(word, []).append(spelling)
        return cls(alphabet, spellings, separator, optional, str(path))

    def __len__(self) -> int:
        return len(self.words)

    def __repr__(self) -> str:
        return f"Lexicon({self.name!r}, {len(self)} words, {len(self.child_starts) - 1} nodes)"

    def _encode(self, word: str, labels: Sequence[str]) -> tuple[int, ...]:
        if not labels:
            raise InputError(f"{self.name}: {word!r} has an empty spelling")
        if self.separator is not None and self.separator in labels:
            raise InputError(
                f"{self.name}: {word!r} is spelled with the separator {self.separator!r}; words "
                f"are what stands between separators"
            )
        return tuple(self.alphabet.encode(labels, f"{self.name}: {word!r}"))

    def _compile(self, entries: list[tuple[tuple[int, ...], int]]) -> None:
        """Build the arrays from spellings in sorted order: a path of nodes at a time."""
        parents, labels, ends = [0], [0], []  # of each node; (node, word)
        path: list[int] = [0]  # nodes along the spelling before
        before: tuple[int, ...] = ()
        for spelling, word in entries:
            shared = 0
            while shared < min(len(before), len(spelling)) and before[shared] == spelling[shared]:
                shared += 1
            del path[shared + 1 :]
            for label in spelling[shared:]:
                parents.append(path[-1])
                labels.append(label)
                path.append(len(parents) - 1)
            ends.append((path[-1], word))
            before = spelling
        N = len(parents)
        # Nodes are numbered in the order of their spellings, so siblings come sorted by label.
        order = np.argsort(parents[1:], kind="stable") + 1
        self.child_starts = _starts(np.array(parents[1:], np.int64), N)
        self.child_labels = np.array(labels, np.int32)[order]
        self.child_nodes = order.astype(np.int32)
        self.parents = np.array(parents, np.int32)
        ends.sort()
        self.word_starts = _starts(np.array([node for node, _ in ends], np.int64), N)
        self.word_ids = np.array([word for _, word in ends], np.int32)


def _spelled(word: str, alphabet: Alphabet) -> tuple[str, ...]:
    return alphabet.split(word) if alphabet.unit in ("grapheme", "subword") else tuple(word)


def _starts(owners: np.ndarray, N: int) -> np.ndarray:
    """Where the entries of each owner 0..N-1 begin, and in the end their number: (N + 1,) int64."""
    counts = np.bincount(owners, minlength=N) if len(owners) else np.zeros(N, np.int64)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
