"""Keyword spotting and its evaluation."""

from seqlabel.decoding.spotting.merit import Merit, figure_of_merit
from seqlabel.decoding.spotting.spotter import Keyword, Spotter, read_keywords

__all__ = ["Keyword", "Merit", "Spotter", "figure_of_merit", "read_keywords"]
