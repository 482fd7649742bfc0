"""The words of a beam search, and their language model."""

from seqlabel.decoding.lexicon.lexicon import Lexicon

__all__ = ["Lexicon"]
