"""The words that a beam search may write, and their language model."""

from seqlabel.decoding.lexicon.lexicon import Lexicon

__all__ = ["Lexicon"]
