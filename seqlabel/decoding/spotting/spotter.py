"""Keyword spotting: the probability that a keyword occurs, for all positions at once.

S. Fernández, A. Graves and J. Schmidhuber, "An application of recurrent neural networks to
discriminative keyword spotting", ICANN 2007: a keyword is scored by the probability of its labels
in a window of a CTC network's outputs. Here that probability is exact for the whole utterance: the
frames of a CTC network are independent given the signal, so "the labels of the utterance hold the
keyword, its first label beginning at frame a and its last one ending at frame b" is the product of
the window a..b and of what may precede and follow it.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from seqlabel.alphabet import Alphabet
from seqlabel.decoding.checks import as_array, check_frames, frame_probabilities
from seqlabel.decoding.results import Span
from seqlabel.errors import InputError
from seqlabel.files import read_text

NOTHING = 1e-30
"""Mass of the unfinished paths of a window below which it is abandoned."""


@dataclass(frozen=True)
class Keyword:
    """A keyword and its spellings, which are label sequences."""

    name: str
    spellings: tuple[tuple[str, ...], ...]


def read_keywords(path: str | os.PathLike[str], alphabet: Alphabet) -> list[Keyword]:
    """Read keywords, one per line: the word, followed by its labels if they are not its characters.

    A word on several lines has several spellings; empty lines and lines with # are skipped.
    Raises InputError, with file and line, for labels outside the alphabet, and for an empty file.
    """
    spellings: dict[str, list[tuple[str, ...]]] = {}
    for number, line in enumerate(read_text(path).split("\n"), 1):
        name, *labels = line.split() or [""]
        if not name or name.startswith("#"):
            continue
        spelling = tuple(labels) or alphabet.split(name)
        unknown = [label for label in spelling if label not in alphabet]
        if unknown:
            raise InputError(
                f"{path}:{number}: {name}: label {unknown[0]!r} is not in the alphabet; "
                f"put the labels of the keyword after it, separated by spaces"
            )
        spellings.setdefault(name, []).append(spelling)
    if not spellings:
        raise InputError(f"{path}: no keywords; write one per line")
    return [Keyword(name, tuple(dict.fromkeys(found))) for name, found in spellings.items()]


@dataclass(frozen=True)
class Spotter:
    """Finds keywords in log-probabilities.

    window: maximum frames of an occurrence; None for no limit.
    separator: a label that must stand on both sides of a keyword, unless the utterance begins or
        ends there; it keeps ONE from being found in PHONE. None: no condition.
    threshold: hits with a lower probability are left out.
    """

    alphabet: Alphabet
    keywords: tuple[Keyword, ...]
    window: int | None = None
    separator: str | None = None
    threshold: float = 0.05

    def __post_init__(self) -> None:
        if self.window is not None and self.window < 1:
            raise InputError(f"window is {self.window}; it must be at least 1 frame")
        if not 0 < self.threshold <= 1:
            raise InputError(f"threshold is {self.threshold}, expected 0 < threshold <= 1")
        for keyword in self.keywords:
            for spelling in keyword.spellings:
                self.alphabet.encode(spelling, f"keyword {keyword.name}")
                if not spelling or self.separator in spelling:
                    raise InputError(
                        f"keyword {keyword.name}: a spelling needs labels, none of them the "
                        f"separator {self.separator!r}"
                    )

    def spot(self, log_probs: Any, name: str = "utterance") -> list[Span]:
        """Hits in one utterance, by their start: label the keyword, start and end in frames.

        log_probs: (T, K) natural log-probabilities, an array or tensor; `name` begins messages.
        probability: that the keyword begins within the frames of the hit, summed over its start
        frames. Raises InputError for bad log-probabilities, see `seqlabel.decoding.checks`.
        """
        log_probs = as_array(log_probs)
        if log_probs.ndim != 2:
            raise InputError(f"{name}: log_probs has shape {log_probs.shape}, expected (T, K)")
        check_frames(log_probs, len(self.alphabet))
        probs = frame_probabilities(log_probs, name)
        hits = [hit for keyword in self.keywords for hit in self._hits(keyword, probs)]
        return sorted(hits, key=lambda hit: (hit.start, hit.end))

    def _hits(self, keyword: Keyword, probs: np.ndarray) -> list[Span]:
        tables = [self.start_probabilities(spelling, probs) for spelling in keyword.spellings]
        score = np.concatenate([score for score, _ in tables])
        start = np.tile(np.arange(len(probs)), len(tables))
        end = np.concatenate([end for _, end in tables])
        hits = []
        # The most probable position first; overlapping ones are the same occurrence.
        while len(score) and score.max() >= self.threshold / len(score):
            best = int(score.argmax())
            same = (start < end[best]) & (end > start[best])
            probability = min(1.0, float(score[same].sum()))
            if probability >= self.threshold:
                hits.append(Span(keyword.name, int(start[best]), int(end[best]), probability))
            score, start, end = score[~same], start[~same], end[~same]
        return hits

    def start_probabilities(
        self, spelling: Sequence[str], probs: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """For every frame the probability that the spelling begins there, and its likeliest end.

        probs: (T, K) float64. Returns (T,) float64 and (T,) int64 (exclusive; the frame itself
        where nothing begins).
        """
        labels = np.array(self.alphabet.encode(spelling), np.int32)
        before, behind = self._surroundings(probs, labels)
        window = len(probs) if self.window is None else min(self.window, len(probs))
        return window_probabilities(probs, labels, before, behind, window)

    def _surroundings(self, probs: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What may stand before a first frame and behind a last one, (T,) each.

        Without a separator anything but the same label, which would move the border.
        """
        T = len(probs)
        before, behind = np.ones(T), np.ones(T)
        if self.separator is None:
            before[1:] = 1.0 - probs[:-1, labels[0]]
            behind[:-1] = 1.0 - probs[1:, labels[-1]]
            return before, behind
        (k,) = self.alphabet.encode([self.separator], "separator")
        for t in range(1, T):
            before[t] = before[t - 1] * probs[t - 1, 0] + probs[t - 1, k]
        for t in range(T - 2, -1, -1):
            behind[t] = behind[t + 1] * probs[t + 1, 0] + probs[t + 1, k]
        return before, behind


@njit(cache=True, nogil=True)
def window_probabilities(probs, labels, before, behind, window):
    """Sum of the paths of `labels` over all windows that begin at each frame.

    probs: (T, K) float64. labels: (n,) int32, n > 0. before, behind: (T,) float64, probability of
    what stands before a first and behind a last frame. window: frames at most.
    Returns the sums (T,) and the most probable ends (T,), exclusive.
    """
    T, n = len(probs), len(labels)
    J = 2 * n - 1  # the states from the first label to the last one, blanks between them
    score, end = np.zeros(T), np.arange(T)
    alpha = np.empty(J)
    for first in range(T):
        alpha[:] = 0.0
        alpha[0] = before[first] * probs[first, labels[0]]
        best = 0.0
        for t in range(first, min(T, first + window)):
            if t > first:
                mass = 0.0
                for j in range(J - 1, -1, -1):
                    total = alpha[j]
                    if j > 0:
                        total += alpha[j - 1]
                    if j % 2 == 0:
                        s = j >> 1
                        if s > 0 and labels[s] != labels[s - 1]:
                            total += alpha[j - 2]
                        total *= probs[t, labels[s]]
                    else:
                        total *= probs[t, 0]
                    alpha[j] = total
                    mass += total
                if mass < NOTHING:
                    break
            found = alpha[J - 1] * behind[t]
            score[first] += found
            if found > best:
                best, end[first] = found, t + 1
    return score, end
