"""The feature extractors by the names that configurations use.

An extractor is a frozen dataclass of options: called with a signal it returns `Frames`, and its
property `dim` is the F of these.
"""

from seqlabel.features.fbank import Fbank
from seqlabel.features.ink import InkDelta
from seqlabel.features.mfcc import Mfcc

FEATURES = {
    "fbank": Fbank,
    "mfcc": Mfcc,
    "ink_delta": InkDelta,
}
