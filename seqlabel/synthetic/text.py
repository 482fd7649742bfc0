"""Texts for the synthetic corpora: random strings, and sentences of a made-up language."""

from collections.abc import Container
from dataclasses import dataclass

import numpy as np

CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def random_string(
    rng: np.random.Generator, lengths: tuple[int, int], characters: str = CHARACTERS
) -> str:
    """A string of random characters, between two `lengths`, sometimes with a space.

    All characters are equally likely and independent, so that nothing can be learnt but the
    characters themselves.
    """
    text = "".join(rng.choice(list(characters), rng.integers(lengths[0], lengths[1] + 1)))
    if len(text) >= 5 and rng.random() < 0.4:
        cut = int(rng.integers(2, len(text) - 2))
        text = f"{text[:cut]} {text[cut + 1 :]}"
    return text


def mixed_text(rng: np.random.Generator) -> str:
    """One to three pieces of text: made-up words in small and capital letters, numbers, characters.

    No word is drawn from a list: half are syllables, half are random letters, so that
    spelling gives little information, and the kind of a piece separates letters from digits.
    """
    return " ".join(_piece(rng) for _ in range(rng.choice([1, 1, 2, 2, 3])))


def _piece(rng: np.random.Generator) -> str:
    kind = rng.random()
    if kind < 0.1:
        return str(rng.choice(list(CHARACTERS + CHARACTERS.upper())))
    if kind < 0.3:
        return "".join(rng.choice(list("0123456789"), rng.integers(1, 6)))
    if rng.random() < 0.5:
        syllables = rng.integers(1, 4)
        word = "".join(rng.choice(ONSETS) + rng.choice(NUCLEI) for _ in range(syllables))
        word += str(rng.choice(CODAS))
    else:
        word = "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), rng.integers(1, 9)))
    if kind < 0.65:
        return word
    return word.capitalize() if kind < 0.87 else word.upper()


SENTENCES = ("D N V", "D A N V", "N V B", "A N V B", "N V D N", "D N V P N", "A N V P N")
"""Sentences as sequences of word classes."""

SIZES = {"D": 8, "A": 70, "N": 200, "V": 120, "P": 12, "B": 40}
"""Words of each class: determiners, adjectives, nouns, verbs, prepositions, adverbs."""

ENDINGS = {"D": "", "A": "ic", "N": "", "V": "en", "P": "", "B": "ly"}

ONSETS = (
    *"bcdfghjklmnprstvwyz",
    "bl",
    "br",
    "cl",
    "cr",
    "dr",
    "fl",
    "gr",
    "pl",
    "pr",
    "sh",
    "st",
    "th",
)
NUCLEI = (*"aeiou", "ai", "ea", "oo", "ou")
CODAS = ("", "", "", *"dgklmnprstx", "nd", "ng", "nt", "rk", "st")
"""Parts of a syllable."""


@dataclass(frozen=True)
class Language:
    """A made-up language: its words by class, frequent ones first, and the words held out.

    words: class -> words. held_out: every fifth word of the open classes; they occur
    in no training sentence, only in the lexicon and in test sentences.
    """

    words: dict[str, tuple[str, ...]]
    held_out: frozenset[str]

    @property
    def lexicon(self) -> list[str]:
        """All words in alphabetical order."""
        return sorted(word for words in self.words.values() for word in words)

    def sentence(self, rng: np.random.Generator, avoid: Container[str] = ()) -> str:
        """A sentence without the words in `avoid`; word n of a class, from 0, has odds 1/(n+4)."""
        classes = SENTENCES[rng.integers(len(SENTENCES))].split()
        return " ".join(self._word(rng, kind, avoid) for kind in classes)

    def _word(self, rng: np.random.Generator, kind: str, avoid: Container[str]) -> str:
        words = self.words[kind]
        odds = 1 / (np.arange(len(words)) + 4.0)
        while True:
            word = words[rng.choice(len(words), p=odds / odds.sum())]
            if word not in avoid:
                return word


def make_language(seed: int) -> Language:
    """The language of a seed: words of one to three syllables, none twice."""
    rng = np.random.default_rng([seed, 0x1A])
    taken: set[str] = set()
    words: dict[str, tuple[str, ...]] = {}
    for kind, count in SIZES.items():
        chosen: list[str] = []
        while len(chosen) < count:
            syllables = 1 if kind in "DP" else int(rng.integers(1, 4 if kind == "N" else 3))
            parts = [rng.choice(ONSETS) + rng.choice(NUCLEI) for _ in range(syllables)]
            word = "".join(parts) + (ENDINGS[kind] or str(rng.choice(CODAS)))
            if 2 <= len(word) <= 9 and word not in taken:
                taken.add(word)
                chosen.append(word)
        words[kind] = tuple(chosen)
    held_out = {word for kind in "ANVB" for word in words[kind][4::5]}
    return Language(words, frozenset(held_out))
