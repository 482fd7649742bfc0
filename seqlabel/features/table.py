"""The feature extractors by the names that configurations use.

An extractor is a frozen dataclass of options: called with a signal it returns `Frames`, and its
property `dim` is the F of these.
"""

from seqlabel.features.fbank import Fbank
from seqlabel.features.image import ImageColumns
from seqlabel.features.ink import Ink25, InkBezier, InkDelta, InkRaw
from seqlabel.features.mfcc import Mfcc
from seqlabel.features.series import SeriesRows

FEATURES = {
    "fbank": Fbank,
    "mfcc": Mfcc,
    "ink_raw": InkRaw,
    "ink_delta": InkDelta,
    "ink_25": Ink25,
    "ink_bezier": InkBezier,
    "image": ImageColumns,
    "series": SeriesRows,
}
