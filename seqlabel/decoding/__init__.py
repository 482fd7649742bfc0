"""Log-probabilities into labels: greedy, beam, lexicon, n-grams, alignment, spotting."""

import importlib
from typing import TYPE_CHECKING, Any

from seqlabel.decoding.greedy import GreedyDecoder
from seqlabel.decoding.levels import LevelsDecoder
from seqlabel.decoding.results import Result, Span

if TYPE_CHECKING:
    from seqlabel.decoding.beam import BeamDecoder
    from seqlabel.decoding.lexicon import Lexicon
    from seqlabel.decoding.lm import NgramLM

__all__ = ["BeamDecoder", "GreedyDecoder", "LevelsDecoder", "Lexicon", "NgramLM", "Result", "Span"]

_COMPILED = {"BeamDecoder": "beam", "Lexicon": "lexicon", "NgramLM": "lm"}


def __getattr__(name: str) -> Any:
    # numba is imported only if needed: greedy decoding starts without it.
    if name in _COMPILED:
        return getattr(importlib.import_module(f"seqlabel.decoding.{_COMPILED[name]}"), name)
    raise AttributeError(f"module 'seqlabel.decoding' has no attribute {name!r}")
