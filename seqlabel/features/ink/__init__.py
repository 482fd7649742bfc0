"""Ink into frames: normalisation steps, the features of the literature, augmentation."""

from seqlabel.features.ink.augmentation import Augmentation, augment
from seqlabel.features.ink.bezier import InkBezier
from seqlabel.features.ink.delta import InkDelta
from seqlabel.features.ink.liwicki_bunke import Ink25
from seqlabel.features.ink.raw import InkRaw

__all__ = ["Augmentation", "Ink25", "InkBezier", "InkDelta", "InkRaw", "augment"]
