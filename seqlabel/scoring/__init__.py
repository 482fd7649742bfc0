"""Hypotheses against references: alignments, protocols, statistics, reports."""
