"""Generators of synthetic corpora, in the layouts of real ones."""
