"""Ink to frames: normalisation steps, the features of the literature, augmentation."""

from seqlabel.features.ink.delta import InkDelta

__all__ = ["InkDelta"]
