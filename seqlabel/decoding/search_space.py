"""What a beam search may find and how it scores it: labels or words, with their models."""

import math
from typing import Any

from numba import typeof

from seqlabel.alphabet import Alphabet
from seqlabel.decoding.background import Compilation, compiled
from seqlabel.decoding.checks import real_number
from seqlabel.decoding.lexicon.lexicon import Lexicon
from seqlabel.decoding.lexicon.words import WordModel, word_model
from seqlabel.decoding.lm.labels import LabelLM, bonus_only, label_lm
from seqlabel.decoding.lm.ngram import NgramLM
from seqlabel.decoding.search.hypothesis import most_words
from seqlabel.decoding.search.labels import LabelSearch
from seqlabel.decoding.search.plain import PlainLabelSearch
from seqlabel.decoding.search.plain_words import PlainWordSearch
from seqlabel.decoding.search.words import WordSearch
from seqlabel.errors import InputError

LARGEST_WEIGHT = 100.0
LARGEST_BONUS = 80.0
"""Maximum bonus in nats, so that factors are in the range of float32."""


class SearchSpace:
    """The labellings over an alphabet, or those that spell words of a lexicon, and their scores.

    words, labels: the model of a search for words or for labels; both None without model and bonus.

    The arguments are options of `BeamDecoder`; InputError for one outside its range, and for a
    lexicon of another alphabet or with too many words.
    """

    def __init__(
        self,
        alphabet: Alphabet,
        *,
        lm: NgramLM | None,
        lexicon: Lexicon | None,
        unknown_penalty: float | None,
        lm_weight: float,
        bonus: float,
    ) -> None:
        self.K = len(alphabet)
        if lm is not None and not isinstance(lm, NgramLM):
            raise InputError(f"lm is {lm!r}, expected an NgramLM, as NgramLM.from_arpa gives")
        lm_weight, bonus = real_number("lm_weight", lm_weight), real_number("bonus", bonus)
        if not 0 <= lm_weight <= LARGEST_WEIGHT:
            raise InputError(f"lm_weight is {lm_weight}, expected 0 to {LARGEST_WEIGHT:g}")
        if not -LARGEST_BONUS <= bonus <= LARGEST_BONUS:
            raise InputError(
                f"bonus is {bonus}, expected {-LARGEST_BONUS:g} to {LARGEST_BONUS:g} nats"
            )
        if lexicon is not None:
            _check_lexicon(lexicon, alphabet)
        if unknown_penalty is not None:
            unknown_penalty = _check_open(lexicon, real_number("unknown_penalty", unknown_penalty))
        if lm_weight == 0:
            lm = None
        self._kernels: dict[str, Compilation] = {}
        self._start = 0 if lm is None else lm.start
        self.words: WordModel | None = None
        self.labels: LabelLM | None = None
        if lexicon is not None:
            self.words = word_model(lexicon, lm, lm_weight, bonus, unknown_penalty)
        elif lm is not None:
            self.labels = label_lm(alphabet, lm, lm_weight, bonus)
        elif bonus != 0:
            self.labels = bonus_only(alphabet, bonus)

    def search(self, width: int, floor: float = 0.0) -> LabelSearch:
        """A compiled search of its own with a beam of `width`, ready for an utterance.

        floor: prefixes with less than this share of the best one's score are dropped.
        """
        if self.words is not None:
            return WordSearch(self.K, width, self.words, self._start, floor)
        return LabelSearch(self.K, width, self.labels, self._start, floor)

    def plain_search(self, width: int, floor: float = 0.0) -> PlainLabelSearch:
        """The same search without the compiler."""
        if self.words is not None:
            return PlainWordSearch(self.K, width, self.words, self._start, floor)
        return PlainLabelSearch(self.K, width, self.labels, self._start, floor)

    def kernels(self, purpose: str) -> Compilation:
        """The compiled search, for the `purpose` "batch" or "stream"; compiled from now on."""
        if purpose not in self._kernels:
            model: Any = self.labels if self.words is None else self.words

            def work() -> None:
                self.search(width=1).warm_up(purpose)

            key = (purpose, typeof(model))  # type: ignore[no-untyped-call]
            kind = LabelSearch if self.words is None else WordSearch
            self._kernels[purpose] = compiled(key, work, kind.MAIN[purpose])
        return self._kernels[purpose]


def _check_lexicon(lexicon: Any, alphabet: Alphabet) -> None:
    if not isinstance(lexicon, Lexicon):
        raise InputError(f"lexicon is a {type(lexicon).__name__}, expected a Lexicon")
    if lexicon.alphabet.symbols != alphabet.symbols:
        raise InputError(f"{lexicon.name}: made for another alphabet than the decoder's")
    if len(lexicon) > (most := most_words(len(alphabet))):
        raise InputError(
            f"{lexicon.name}: {len(lexicon)} words are too many for {len(alphabet)} labels "
            f"with the blank; keep at most {most}, the most frequent ones"
        )


def _check_open(lexicon: Lexicon | None, penalty: float) -> float:
    """The penalty of words outside the lexicon, if there can be any."""
    if not -LARGEST_BONUS <= penalty < math.inf:
        raise InputError(
            f"unknown_penalty is {penalty}, expected a finite number from {-LARGEST_BONUS:g}"
        )
    if lexicon is None or lexicon.separator is None or lexicon.optional:
        raise InputError(
            "unknown_penalty needs a lexicon whose words always have a separator between them"
        )
    return penalty
