"""Example ink of a synthetic hand."""

import random
from collections.abc import Sequence

import numpy as np

from seqlabel.alphabet import Alphabet
from seqlabel.errors import InputError
from seqlabel.glyphs import GLYPHS
from seqlabel.inputs import Ink
from seqlabel.synthetic.hands import random_hand, write_text
from seqlabel.synthetic.text import random_string

PHRASES = (
    "hello", "good morning", "write here", "by hand", "a fine line", "pen and ink", "hand to text",
    "quick brown fox", "read me", "one word more", "curly letters", "long memory",
)  # fmt: skip
LENGTH = 4, 7
"""Number of characters if the alphabet does not cover any phrase."""
MOST_CHARACTERS = 14
"""Maximum characters of lexicon words, to fit on a phone."""


def example(
    alphabet: Alphabet, words: Sequence[str] = (), seed: int | None = None
) -> tuple[str, Ink]:
    """A text in symbols of the alphabet, and ink of it; y grows downwards, times are in seconds.

    words: a lexicon to draw from. Without a seed each call gives another. Raises InputError for an
    alphabet without characters that synthetic hands can write.
    """
    rng = np.random.default_rng(random.getrandbits(64) if seed is None else seed)
    known = {symbol for symbol in alphabet.symbols if symbol in GLYPHS}
    if len(known) < 2:
        raise InputError(
            "synthetic hands cannot write the labels of this model; write something yourself"
        )
    space = {" "} & set(alphabet.symbols)
    phrases = [p for p in words or PHRASES if set(p) <= known | space and p.strip()]
    if words and phrases:
        text = str(rng.choice(phrases))[:MOST_CHARACTERS]
        while space and len(more := f"{text} {rng.choice(phrases)}") <= MOST_CHARACTERS:
            text = more
    elif phrases:
        text = str(rng.choice(phrases))
    else:
        text = random_string(rng, LENGTH, "".join(sorted(known))).replace(" ", "")
    return text, write_text(text, random_hand(rng), rng)
