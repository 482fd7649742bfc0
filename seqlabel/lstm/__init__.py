"""The LSTM family: one cell with flags, the reference, the fast kernels."""

from seqlabel.lstm.cell import PRESETS, AnyCell, Cell, Gru, TanhRnn, weight_count
from seqlabel.lstm.convolution import ConvLSTM
from seqlabel.lstm.multidimensional.cell import MapCell, map_weight_count
from seqlabel.lstm.multidimensional.layer import MDLSTM
from seqlabel.lstm.stack import LSTM
from seqlabel.lstm.weights import INITIALISATIONS

__all__ = [
    "INITIALISATIONS",
    "LSTM",
    "MDLSTM",
    "PRESETS",
    "AnyCell",
    "Cell",
    "ConvLSTM",
    "Gru",
    "MapCell",
    "TanhRnn",
    "map_weight_count",
    "weight_count",
]
