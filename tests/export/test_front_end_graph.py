"""The speech front end as a graph equals the front end."""

import numpy as np
import onnx
import onnxruntime
import pytest

from seqlabel.errors import InputError
from seqlabel.export.front_end import add_front_end
from seqlabel.export.graph import IR_VERSION, OPSET, Graph, tensor_info
from seqlabel.features.front_end import FrontEnd, FrontEndOptions, make_extractor
from seqlabel.features.normalisation import Statistics
from seqlabel.inputs import Audio


def run(front_end, samples, lengths):
    graph = Graph("front_end")
    x, counts = add_front_end(graph, front_end, "samples", "lengths")
    graph.name_output(x, "frames")
    graph.name_output(counts, "counts")
    inputs = tensor_info("samples", np.float32, ["B", "N"]), tensor_info("lengths", np.int64, ["B"])
    outputs = (
        tensor_info("frames", np.float32, ["B", "T", front_end.dim]),
        tensor_info("counts", np.int64, ["B"]),
    )
    opset = onnx.helper.make_opsetid("", OPSET)
    model = onnx.helper.make_model(
        graph.to_proto(inputs, outputs), opset_imports=[opset], ir_version=IR_VERSION
    )
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"samples": samples, "lengths": lengths})


FEATURES = [
    {"kind": "fbank", "rate": 8000},
    {"kind": "fbank", "rate": 8000, "filters": 23, "energy": True, "deltas": 2},
    {"kind": "fbank", "rate": 8000, "filters": 12, "window": 20.0, "step": 8.0, "low": 100.0,
     "preemphasis": 0.5, "high": -300.0, "deltas": 1, "delta_window": 3},
    {"kind": "mfcc", "rate": 8000},
    {"kind": "mfcc", "rate": 8000, "ceps": 12, "energy": True, "lifter": 0.0, "deltas": 2,
     "window": 10.0, "step": 5.0},
]  # fmt: skip


@pytest.mark.parametrize("features", FEATURES, ids=str)
@pytest.mark.parametrize(
    "options",
    [
        {"normalise": "none"},
        {"normalise": "train"},
        {"normalise": "running", "stack": 3, "stride": 3},
        {"normalise": "utterance", "stack": 4, "stride": 3},
    ],
    ids=str,
)
def test_frames_are_the_same(features, options, spoken):
    extractor = make_extractor(features)
    rng = np.random.default_rng(0)
    mean, std = rng.normal(8, 2, extractor.dim), rng.uniform(1, 3, extractor.dim)
    statistics = Statistics(mean.astype(np.float32), std.astype(np.float32))
    front_end = FrontEnd(extractor, FrontEndOptions(**options), statistics)
    signals = [spoken(0.9, 1), spoken(0.36, 2), spoken(extractor.window_samples / 8000, 3)]
    signals[0][3000:5000] = 0  # digital silence: energies at their floor
    lengths = np.array([len(signal) for signal in signals])
    samples = np.full((3, lengths.max()), 0.7, np.float32)
    for row, signal in zip(samples, signals, strict=True):
        row[: len(signal)] = signal
    frames, counts = run(front_end, samples, lengths)
    for row, count, signal in zip(frames, counts, signals, strict=True):
        expected = front_end.finish(extractor(Audio(signal, 8000))).x
        assert count == len(expected)
        np.testing.assert_allclose(row[:count], expected, atol=2e-4)


@pytest.mark.parametrize("step", [10.0, 40.0])
def test_signals_shorter_than_a_window_have_no_frame(step, spoken):
    """A window has 200 samples; what is missing of one may be less or more than a step."""
    extractor = make_extractor({"kind": "fbank", "rate": 8000, "step": step})
    front_end = FrontEnd(extractor, FrontEndOptions(normalise="none", stack=2, stride=2))
    lengths = np.array([4000, 200, 199, 121, 120, 1])
    samples = np.tile(spoken(0.5), (6, 1))
    _, counts = run(front_end, samples, lengths)
    windows = 1 + 3800 // extractor.step_samples
    assert counts.tolist() == [-(-windows // 2), 1, 0, 0, 0, 0]
    frames, counts = run(front_end, samples[:, :199], np.minimum(lengths, 199))
    assert frames.shape[1] == 0
    assert not counts.any()


def test_constant_features_are_only_centred():
    """A signal of zeros has no deviation to divide by."""
    options = FrontEndOptions(normalise="utterance")
    front_end = FrontEnd(make_extractor({"kind": "fbank", "rate": 8000}), options)
    frames, _ = run(front_end, np.zeros((1, 4000), np.float32), np.array([4000]))
    assert not frames.any()


def test_ink_is_refused():
    front_end = FrontEnd(make_extractor({"kind": "ink_delta"}), FrontEndOptions())
    with pytest.raises(InputError, match="--front-end is for speech"):
        add_front_end(Graph("front_end"), front_end, "samples", "lengths")
