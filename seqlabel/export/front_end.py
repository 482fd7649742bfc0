"""The speech front end in ONNX: samples into the frames for the network.

The short-time spectrum is one product of the windows with a matrix: removal of the mean, first
difference, window and Fourier transform are all linear. It is computed in double precision, as in
the front end.
"""

import math

import numpy as np

from seqlabel.errors import InputError
from seqlabel.export.graph import (
    DOUBLE,
    FLOAT,
    Graph,
    gather_frames,
    inside_of,
    integers,
    numbers_up_to,
    size_of,
)
from seqlabel.features.deltas import delta_filters
from seqlabel.features.fbank import Fbank
from seqlabel.features.front_end import FrontEnd
from seqlabel.features.mfcc import Mfcc, cosines
from seqlabel.features.normalisation import LEAST_STD, PRIOR_FRAMES, Statistics
from seqlabel.features.windows import EPSILON, Windowing, filter_matrix, scaled_povey


def add_front_end(graph: Graph, front_end: FrontEnd, samples: str, lengths: str) -> tuple[str, str]:
    """samples (B, N) in [-1, 1], int64 lengths (B,) -> frames (B, T, F), their lengths.

    Statistics of a "speaker" are those of the signal itself. Raises InputError for ink.
    """
    extractor, options = front_end.extractor, front_end.options
    if not isinstance(extractor, Fbank | Mfcc):
        raise InputError(
            "--front-end is for speech: the normalisation of ink is not a graph of tensors; leave "
            "it out, then seqlabel.load computes the features"
        )
    x, lengths = _static(graph, extractor, samples, lengths)
    x = _add_deltas(graph, x, lengths, extractor)
    if options.normalise in ("utterance", "speaker"):  # a graph has one signal of a speaker
        x = _normalise_own(graph, x, lengths)
    elif options.normalise != "none":
        assert front_end.statistics is not None
        normalise = _normalise_running if options.normalise == "running" else _normalise
        x = normalise(graph, x, front_end.statistics)
    if options.stack > 1:
        wide, lengths = gather_frames(
            graph, x, lengths, np.arange(options.stack), stride=options.stride
        )
        x = graph.add("Reshape", wide, integers(0, 0, options.stack * extractor.dim))
    return x, lengths


def _static(graph: Graph, extractor: Fbank | Mfcc, samples: str, lengths: str) -> tuple[str, str]:
    """The features without derivatives, (B, T, F), and the lengths in frames."""
    length, step = extractor.window_samples, extractor.step_samples

    def count(numbers: str) -> str:
        """Windows in so many samples: (n - length + step) / step, 0 below a window."""
        room = graph.add("Add", numbers, integers(step - length))
        # Div truncates towards zero: what is missing of a window must not count as 0 steps
        return graph.add("Div", graph.add("Max", room, integers(0)), integers(step))

    first = graph.add(
        "Mul", numbers_up_to(graph, count(size_of(graph, samples, 1))), integers(step)
    )
    places = graph.add("Add", graph.add("Unsqueeze", first, integers(1)), np.arange(length)[None])
    frames = graph.add("Cast", graph.add("Gather", samples, places, axis=1), to=DOUBLE)
    centred = graph.add("Sub", frames, graph.add("ReduceMean", frames, axes=[2]))
    spectrum = graph.add("MatMul", centred, spectrum_matrix(extractor))
    power = graph.add("Mul", spectrum, spectrum)
    filters = filter_matrix(extractor, extractor.filters)
    energies = graph.add("MatMul", power, np.concatenate([filters, filters]))
    x = graph.add("Log", graph.add("Max", energies, np.float64(EPSILON)))
    if isinstance(extractor, Mfcc):
        x = graph.add("MatMul", x, cosines(extractor.filters, extractor.ceps, extractor.lifter))
    if extractor.energy:
        square = graph.add("ReduceSumSquare", centred, axes=[2])
        scaled = graph.add("Mul", square, np.float64(32768.0**2))
        energy = graph.add("Log", graph.add("Max", scaled, np.float64(EPSILON)))
        if isinstance(extractor, Mfcc):  # in the place of c0
            x = graph.add("Slice", x, integers(1), integers(extractor.ceps), integers(2))
        x = graph.add("Concat", energy, x, axis=2)
    return graph.add("Cast", x, to=FLOAT), count(lengths)


def spectrum_matrix(windowing: Windowing) -> np.ndarray:
    """(L, 2 bins): a window without its mean -> real and imaginary parts of its spectrum.

    The product of the first difference d[n] = s[n] - a s[n - 1], d[0] = (1 - a) s[0], the window
    and the Fourier transform, for samples in [-1, 1] that count as 16-bit integers.
    """
    length, bins = windowing.window_samples, windowing.fft_samples // 2
    difference = np.eye(length) - windowing.preemphasis * np.eye(length, k=1)
    difference[0, 0] -= windowing.preemphasis
    angles = 2 * math.pi / windowing.fft_samples * np.outer(np.arange(length), np.arange(bins))
    transform = np.concatenate([np.cos(angles), -np.sin(angles)], axis=1)
    return difference @ (scaled_povey(length)[:, None] * transform)


def _add_deltas(graph: Graph, x: str, lengths: str, extractor: Fbank | Mfcc) -> str:
    """x (B, T, F) -> (B, T, (order + 1) F), as `add_deltas`."""
    if not extractor.deltas:
        return x
    taps = delta_filters(extractor.deltas, extractor.delta_window)
    reach = taps.shape[1] // 2
    near, _ = gather_frames(graph, x, lengths, np.arange(-reach, reach + 1))
    wide = graph.add("MatMul", taps.astype(np.float32), near)  # (B, T, order + 1, F)
    return graph.add("Reshape", wide, integers(0, 0, extractor.dim))


def _normalise(graph: Graph, x: str, training: Statistics) -> str:
    return graph.add("Div", graph.add("Sub", x, training.mean), training.std)


def _normalise_running(graph: Graph, x: str, training: Statistics) -> str:
    """x (B, T, F) with the names of `RunningStatistics`."""
    mean, std = training.mean.astype(np.float64), training.std.astype(np.float64)
    d = graph.add("Sub", graph.add("Cast", x, to=DOUBLE), mean)
    sums = graph.add("CumSum", d, np.int64(1))
    squares = graph.add("CumSum", graph.add("Mul", d, d), np.int64(1))
    squares = graph.add("Add", squares, PRIOR_FRAMES * std**2)
    times = graph.add("Cast", numbers_up_to(graph, size_of(graph, x, 1)), to=DOUBLE)
    counts = graph.add("Unsqueeze", times, integers(1))
    counts = graph.add("Add", counts, np.float64(PRIOR_FRAMES + 1))
    shift = graph.add("Div", sums, counts)
    variance = graph.add("Div", squares, counts)
    variance = graph.add("Sub", variance, graph.add("Mul", shift, shift))
    normal = graph.add("Div", graph.add("Sub", d, shift), graph.add("Sqrt", variance))
    return graph.add("Cast", normal, to=FLOAT)


def _normalise_own(graph: Graph, x: str, lengths: str) -> str:
    """Each sequence of x (B, T, F) by its own mean and deviation, as `Statistics.fit` has them."""
    frames = graph.add("Cast", graph.add("Unsqueeze", lengths, integers(1, 2)), to=DOUBLE)
    inside = inside_of(graph, x, lengths, time=1)

    def mean_of(value: str) -> str:
        kept = graph.add("Where", inside, value, np.float64(0))
        return graph.add("Div", graph.add("ReduceSum", kept, integers(1)), frames)

    x = graph.add("Cast", x, to=DOUBLE)
    mean = mean_of(x)
    centred = graph.add("Sub", x, mean)
    std = graph.add("Sqrt", mean_of(graph.add("Mul", centred, centred)))
    scale = graph.add("Max", graph.add("Abs", mean), np.float64(1))
    constant = graph.add("Less", std, graph.add("Mul", scale, np.float64(LEAST_STD)))
    std = graph.add("Where", constant, np.float64(1), std)
    return graph.add("Cast", graph.add("Div", centred, std), to=FLOAT)
