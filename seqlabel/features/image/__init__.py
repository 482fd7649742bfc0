"""Images into frames: separation of ink and paper, height normalisation, one frame per column."""

from seqlabel.features.image.augmentation import ImageAugmentation, distort_image
from seqlabel.features.image.columns import ImageColumns

__all__ = ["ImageAugmentation", "ImageColumns", "distort_image"]
