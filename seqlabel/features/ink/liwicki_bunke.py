"""The 25 features of Liwicki & Bunke, the input of Graves et al. 2009.

Source of every definition: M. Liwicki & H. Bunke, "Feature selection for HMM and BLSTM based
handwriting recognition of whiteboard notes", IJPRAI 23 (2009), and their chapter in
"Computational Intelligence Paradigms in Advanced Pattern Classification" (2012), in its order.
The definitions, with details that they do not specify, are in `liwicki_bunke_kernel`. Lengths are
in corpus heights, y grows downwards (an angle is positive when it turns from rightwards to
downwards), the base line is y = 0 and the corpus line y = -1.
"""

from dataclasses import dataclass

import numpy as np

from seqlabel.features.frames import Frames
from seqlabel.features.ink.image import Image
from seqlabel.features.ink.normalisation import InkFrontEnd, Writing, frames_of, seconds
from seqlabel.features.ink.places import places
from seqlabel.features.ink.resampling import resample_distance
from seqlabel.inputs.ink import Ink


@dataclass(frozen=True)
class Ink25(InkFrontEnd):
    """The 25 features of Liwicki & Bunke, in their order, after all steps of normalisation.

    1 pen-up, 2 hat, 3 speed, 4 x, 5 y, 6-7 writing direction, 8-9 curvature, 10 vicinity aspect,
    11-12 vicinity slope, 13 curliness, 14 linearity, 15 ascenders, 16 descenders, 17-25 context
    map. The image behind the last eleven holds the delayed strokes as well.
    averaging: points to either side over which x is averaged for feature 4. places: append eight
    more (`places`), which tell the size of a stroke and where the one before lies.
    """

    slant: bool = True
    width: bool = True
    delayed: bool = True
    averaging: int = 25
    places: bool = False

    @property
    def dim(self) -> int:
        """F."""
        return 33 if self.places else 25

    def __call__(self, ink: Ink) -> Frames:
        """Ink -> (T, F) frames, one for each point after normalisation."""
        # numba, when it is needed
        from seqlabel.features.ink import liwicki_bunke_kernel as features

        before = self.prepare(ink)
        writing = self.resample(before)
        x = np.empty((len(writing.ink), 25))
        points, offsets = writing.ink.points, writing.ink.offsets
        features.of_trajectory(points, offsets, writing.hats, x)
        speeds = features.speeds(before.ink.points, seconds(before.ink), before.ink.offsets)
        x[:, 2] = np.interp(writing.ink.t, before.ink.t, speeds)
        x[:, 3] = features.high_pass(writing.ink.x, self.averaging)
        image = Image(self._all_points(writing))
        features.of_image(image.sums, image.rows, image.columns, image.base, x)
        if self.places:
            x = np.column_stack(
                [x, places(writing.ink, points[:, None, :2], writing.ink.stroke_numbers)]
            )
        return frames_of(x, writing)

    def _all_points(self, writing: Writing) -> np.ndarray:
        """(N, 2) the points that make frames, then those of the delayed strokes."""
        points = writing.ink.points[:, :2]
        if not writing.delayed:
            return points
        late = resample_distance(Ink([s[:, :2] for s in writing.delayed]), self.spacing)
        return np.concatenate([points, late.points[:, :2]])
