"""Frames of a signal in pieces are, bit for bit, those of the whole signal."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlabel.errors import InputError
from seqlabel.features.fbank import Fbank
from seqlabel.features.frames import Frames
from seqlabel.features.front_end import FrontEnd, FrontEndOptions
from seqlabel.features.ink import Ink25, InkBezier, InkDelta, InkRaw
from seqlabel.features.mfcc import Mfcc
from seqlabel.features.normalisation import PRIOR_FRAMES, RunningStatistics, Statistics
from seqlabel.features.stream import FrontEndStream, latency
from seqlabel.inputs import Audio, Ink

SPEECH = [
    Fbank(rate=4000, filters=12, energy=True, deltas=2),
    Fbank(rate=4000, filters=12),
    Fbank(rate=4000, filters=8, window=10.0, step=15.0),
    Mfcc(rate=4000, filters=12, ceps=5, deltas=1, delta_window=3),
]
STROKES = {"clean": False, "skew": False, "size": "none"}
INK = [
    InkDelta(**STROKES, position=True),
    InkDelta(**STROKES, times=False, smoothing=0.3),
    InkRaw(),
    InkDelta(**STROKES, resampling="time"),
    InkBezier(**STROKES, places=True),
]


def front_end(extractor, normalise="train", stack=3, stride=2):
    rng = np.random.default_rng(5)
    mean, std = rng.normal(size=extractor.dim), rng.uniform(0.5, 3, extractor.dim)
    statistics = Statistics(mean.astype(np.float32), std.astype(np.float32))
    return FrontEnd(extractor, FrontEndOptions(normalise, stack, stride), statistics)


def whole(front: FrontEnd, signal) -> Frames:
    return front.finish(front.extractor(signal))


def same(stream: FrontEndStream, parts, expected: Frames):
    assert np.array_equal(np.concatenate(parts), expected.x)
    assert np.array_equal(stream.times, expected.times)
    assert stream.period == expected.period
    if expected.strokes is not None:
        assert np.array_equal(stream.strokes, expected.strokes)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_speech_in_any_pieces(data):
    extractor = data.draw(st.sampled_from(SPEECH))
    normalise = data.draw(st.sampled_from(["train", "running", "none"]))
    stack = data.draw(st.integers(1, 4))
    front = front_end(extractor, normalise, stack, data.draw(st.integers(1, stack)))
    size = data.draw(st.integers(extractor.window_samples, 1500))
    samples = np.random.default_rng(size).normal(0, 0.1, size).astype(np.float32)
    borders = data.draw(st.lists(st.integers(0, size), max_size=12))
    stream = FrontEndStream(front)
    parts = [stream.push(samples[a:b]) for a, b in pairwise([0, *sorted(borders), size])]
    same(stream, [*parts, stream.finish()], whole(front, Audio(samples, 4000)))


def test_sample_by_sample_a_frame_comes_when_its_latency_is_over():
    for extractor in SPEECH:
        front = front_end(extractor)
        samples = np.random.default_rng(1).normal(0, 0.1, 600).astype(np.float32)
        stream, parts = FrontEndStream(front), []
        for n in range(len(samples)):
            parts.append(stream.push(samples[n : n + 1]))
            if len(parts[-1]):
                first = (stream.frames - 1) * 2 * extractor.step_samples  # of its first window
                assert n + 1 - first == pytest.approx(4000 * latency(front))
        same(stream, [*parts, stream.finish()], whole(front, Audio(samples, 4000)))


def writing(rng, strokes, columns):
    t, ink = 0.0, []
    for _ in range(strokes):
        n = int(rng.integers(1, 30))
        times = t + np.cumsum(rng.uniform(0, 0.03, n))
        t = times[-1] + 0.2
        walk = np.cumsum(rng.normal(0, 0.4, (n, 2)), axis=0) + rng.normal(0, 3, 2)
        ink.append(np.column_stack([walk, times, rng.uniform(size=n)])[:, :columns])
    return ink


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_ink_in_any_pieces(data):
    extractor = data.draw(st.sampled_from(INK))
    stack = data.draw(st.integers(1, 3))
    front = front_end(extractor, data.draw(st.sampled_from(["train", "running"])), stack, stack)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    ink = writing(rng, data.draw(st.integers(1, 5)), data.draw(st.integers(2, 4)))
    stream, parts = FrontEndStream(front), []
    for number, stroke in enumerate(ink):
        cuts = data.draw(st.lists(st.integers(0, len(stroke)), max_size=4))
        for a, b in pairwise([0, *sorted(cuts), len(stroke)]):
            parts.append(stream.push(stroke[a:b]))
        if number + 1 < len(ink) or data.draw(st.booleans()):
            parts.append(stream.push([], pen_up=True))
    same(stream, [*parts, stream.finish()], whole(front, Ink(ink)))


def test_a_stroke_is_read_when_it_ends():
    stream = FrontEndStream(front_end(InkRaw(), "none", 1, 1))
    assert len(stream.push([[0, 0], [1, 0]])) == 0
    assert len(stream.push([[2, 0]], pen_up=True)) == 3


def test_running_statistics_are_those_of_the_frames_so_far_and_the_prior():
    rng = np.random.default_rng(0)
    mean, std = np.array([1.0, -2.0], np.float32), np.array([0.5, 3.0], np.float32)
    x = rng.normal(4, 2, (50, 2)).astype(np.float32)
    found = RunningStatistics(Statistics(mean, std)).apply(x)
    for t in (0, 1, 20, 49):
        total = PRIOR_FRAMES + t + 1
        seen = x[: t + 1].astype(np.float64)
        average = (PRIOR_FRAMES * mean + seen.sum(axis=0)) / total
        square = PRIOR_FRAMES * (std.astype(np.float64) ** 2 + mean**2) + (seen**2).sum(axis=0)
        deviation = np.sqrt(square / total - average**2)
        np.testing.assert_allclose(found[t], (x[t] - average) / deviation, rtol=1e-4)


@pytest.mark.parametrize(
    ("extractor", "normalise", "message"),
    [
        (Fbank(), "speaker", "normalise = 'train' or 'running'"),
        (Fbank(), "utterance", "needs all frames before the first"),
        (InkDelta(), "train", "clean = false, skew = false, size = none"),
        (InkDelta(**STROKES, width=True), "train", "features.width needs the whole ink"),
        (Ink25(**STROKES), "train", "ink_delta or ink_bezier"),
    ],
)
def test_what_cannot_stream_is_refused_with_a_way_out(extractor, normalise, message):
    with pytest.raises(InputError, match=message):
        FrontEndStream(front_end(extractor, normalise))


def test_bad_pieces_are_named_and_not_taken():
    front = front_end(SPEECH[1])
    samples = np.random.default_rng(3).normal(0, 0.1, 900).astype(np.float32)
    stream = FrontEndStream(front)
    parts = [stream.push(samples[:500])]
    for piece, message in (
        (np.array([0.1, np.nan]), "NaN or infinite"),
        (np.zeros((4, 2)), r"shape \(4, 2\)"),
        (np.arange(4), "float or int16"),
    ):
        with pytest.raises(InputError, match=message):
            stream.push(piece)
    with pytest.raises(InputError, match="pen_up is for ink"):
        stream.push(samples[:0], pen_up=True)
    parts += [stream.push(samples[500:]), stream.finish()]
    same(stream, parts, whole(front, Audio(samples, 4000)))
    with pytest.raises(InputError, match="start another"):
        stream.push(samples)
    short = FrontEndStream(front)
    short.push(samples[:50])
    with pytest.raises(InputError, match="shorter than a window"):
        short.finish()


def test_bad_points_are_named_and_not_taken():
    front = front_end(INK[0])
    stream = FrontEndStream(front)
    stream.push([[0, 0, 0.5], [1, 0, 0.6]], pen_up=True)
    for points, message in (
        ([[2, 0, 0.4]], "stroke 1: time goes back from 0.6 to 0.4"),
        ([[2, 0, 0.7], [2, 0, 0.65]], "stroke 1, point 1: time goes back"),
        ([[2, np.nan, 0.7]], "stroke 1, point 0: y is nan"),
        ([[2, 0]], "2 columns after points with 3"),
        ([1, 2, 3], r"shape \(3,\)"),
        ([[1, 2, 3], [1]], "not an array of numbers"),
    ):
        with pytest.raises(InputError, match=message):
            stream.push(points)
    x = [stream.push([[2, 0, 0.7]], pen_up=True), stream.finish()]
    assert np.isfinite(np.concatenate(x)).all()
    with pytest.raises(InputError, match="no frames"):
        FrontEndStream(front).finish()
