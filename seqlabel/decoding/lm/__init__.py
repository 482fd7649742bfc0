"""N-gram language models: ARPA files, estimation, and their use in a beam search."""

from seqlabel.decoding.lm.ngram import Fit, NgramLM

__all__ = ["Fit", "NgramLM"]
