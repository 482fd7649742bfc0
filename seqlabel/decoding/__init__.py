"""Log-probabilities become labels: greedy, beam, lexicon, n-grams, alignment, spotting."""

from seqlabel.decoding.beam import BeamDecoder
from seqlabel.decoding.greedy import GreedyDecoder
from seqlabel.decoding.levels import LevelsDecoder
from seqlabel.decoding.lexicon import Lexicon
from seqlabel.decoding.lm import NgramLM
from seqlabel.decoding.results import Result, Span

__all__ = ["BeamDecoder", "GreedyDecoder", "LevelsDecoder", "Lexicon", "NgramLM", "Result", "Span"]
