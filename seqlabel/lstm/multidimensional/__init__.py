"""LSTM over maps of several dimensions (Graves, Fernández & Schmidhuber 2007): images and the like.

A map is scanned from each of its 2^D corners; the files mirror those of the one-dimensional family.
"""
