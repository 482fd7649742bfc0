"""Every network in ONNX equals the same one in torch, at every length, whatever is beside it."""

import numpy as np
import onnx
import pytest
import torch

from seqlabel.alphabet import Alphabet
from seqlabel.data.batches import BatchOptions
from seqlabel.errors import InputError
from seqlabel.export import writer
from seqlabel.export.cells import has_operator
from seqlabel.export.description import Description
from seqlabel.export.runtime import OnnxNetwork, load_onnx
from seqlabel.export.writer import model_shape, to_onnx
from seqlabel.features.front_end import FrontEnd, FrontEndOptions, make_extractor
from seqlabel.lstm import PRESETS
from seqlabel.models.inference import TorchNetwork
from seqlabel.models.model import Model
from seqlabel.models.network import ModelOptions

LETTERS = Alphabet(list("abcde "), "character")
FRONT_END = FrontEnd(make_extractor({"kind": "ink_raw"}), FrontEndOptions(normalise="none"))
F, K = FRONT_END.dim, len(LETTERS)


def both(tmp_path, criterion=None, alphabet=LETTERS, **options) -> tuple[TorchNetwork, OnnxNetwork]:
    """A network with random weights, by the reference equations in torch and from its file."""
    torch.manual_seed(1)
    options = {"hidden": 6, "layers": 2, **options}
    levels = [len(below) for _, below in alphabet.levels]
    model = Model(F, K, ModelOptions(**options), criterion or {"kind": "ctc"}, levels)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2)
    for stack in (model.encoder.lower, model.encoder.upper):
        if stack is not None:
            stack.backend = "reference"
    described = Description(alphabet, FRONT_END, BatchOptions(), model_shape(model))
    path = tmp_path / "net.onnx"
    path.write_bytes(to_onnx(model, described).SerializeToString())
    return TorchNetwork(model), load_onnx(path)[0]


def batch(lengths, seed=2, padding=1e3):
    """(B, T, F) frames, and something else behind them."""
    rng = np.random.default_rng(seed)
    x = np.full((len(lengths), max(lengths) + 2, F), padding, np.float32)
    for row, length in zip(x, lengths, strict=True):
        row[:length] = rng.standard_normal((length, F))
    return x, np.array(lengths)


def times(lengths, frames, seed):
    """(B, T) seconds that pass before each frame, 0 behind the lengths as the recognizer gives."""
    elapsed = np.random.default_rng(seed).exponential(2, (len(lengths), frames))
    return np.where(np.arange(frames) < lengths[:, None], elapsed, 0).astype(np.float32)


def probabilities(outputs, lengths):
    return [np.exp(row[:length]) for row, length in zip(outputs, lengths.tolist(), strict=True)]


def assert_equal(one, other, lengths=([9], [31, 20, 1], [40, 40])):
    spread = []
    for seed, sizes in enumerate(lengths):
        x, sizes = batch(sizes, seed)
        more = [times(sizes, x.shape[1], seed)] if one.timed else []
        expected, found = one(x, sizes, *more), other(x, sizes, *more)
        np.testing.assert_array_equal(found[1], expected[1])
        for a, b in zip(probabilities(*expected), probabilities(*found), strict=True):
            assert np.abs(a - b).max() < 1e-4
            spread.append(np.ptp(a, axis=0).max())
    assert max(spread) > 1e-3  # not the same in every frame


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("cell", PRESETS)
def test_every_cell(cell, bidirectional, tmp_path):
    options = {"projection": 4} if cell == "lstmp" else {}
    assert_equal(*both(tmp_path, cell=cell, bidirectional=bidirectional, **options))


def test_which_cells_are_operators():
    loops = {name for name, cell in PRESETS.items() if not has_operator(cell)}
    states = {"peephole-state", "peephole-state-diagonal"}
    assert loops == {"lstm1997", "lstmp", "FGR", "tlstm"} | states


@pytest.mark.parametrize(
    "flags",
    [
        {"block_size": 2},
        {"block_size": 3, "peephole": "diagonal"},
        {"block_size": 2, "peephole": "diagonal", "gate_recurrence": "all"},
        {"bias": "gates", "input_gate": False},
        {"bias": "none", "g": "logistic", "output": "logistic"},
        {"g": "identity", "output": "logistic", "coupled": True},
        {"g": "logistic", "output": "identity", "cell_clip": 0.7},
        {"cell_clip": 0.5, "peephole": "diagonal", "output_gate": False, "bias": "gates"},
        {"forget": False, "input_gate": False, "output_gate": False},
        {"peephole": "state", "bias": "none", "coupled": True},
    ],
    ids=str,
)
def test_flags_of_a_cell(flags, tmp_path):
    assert_equal(*both(tmp_path, cell=flags))


@pytest.mark.parametrize(
    "options",
    [
        {"between": "residual"},
        {"between": "highway", "cell": "FGR"},
        {"projection": 5, "cell": "lstm"},
        {"layers": 3, "subsample": 3, "subsample_after": 2},
        {"subsample": 2, "bidirectional": False, "cell": "FGR"},
        {"chunk": 10, "lookahead": 4},
        {"chunk": 10},
        {"chunk": 4, "lookahead": 9, "cell": "lstmp", "projection": 4, "between": "highway"},
        {"chunk": 200, "lookahead": 5, "cell": "gru"},
        {"layers": 1, "chunk": 7, "lookahead": 3, "cell": "CIFG"},
    ],
    ids=str,
)
def test_stacks(options, tmp_path):
    assert_equal(*both(tmp_path, **options))


@pytest.mark.parametrize(
    "options",
    [
        {"cell": {"decay": "reciprocal", "time_unit": 0.5, "peephole": "diagonal"}},
        {"cell": "tlstm", "subsample": 3, "subsample_after": 1, "between": "residual"},
        {"cell": {"decay": "log", "gate_recurrence": "all", "block_size": 2}},
    ],
    ids=str,
)
def test_time_between_frames(options, tmp_path):
    torch_net, net = both(tmp_path, **options)
    assert net.timed
    assert_equal(torch_net, net)
    x, lengths = batch([20])
    passed = times(lengths, 22, 0)
    assert np.abs(net(x, lengths, passed)[0] - net(x, lengths, 3 * passed)[0]).max() > 1e-3


@pytest.mark.parametrize(
    ("delay", "bidirectional"), [(0, True), (0, False), (3, False), (30, True)]
)
def test_framewise(delay, bidirectional, tmp_path):
    criterion = {"kind": "framewise", "delay": delay}
    torch_net, net = both(tmp_path, criterion, bidirectional=bidirectional)
    assert_equal(torch_net, net)
    assert bool(net.shape.states) == (not bidirectional and not delay)


@pytest.mark.parametrize("bidirectional", [True, False])
def test_levels(bidirectional, tmp_path):
    levels = [("strokes", Alphabet("xyz")), ("letters", Alphabet("ab"))]
    criterion = {"kind": "levels", "hidden": 5, "layers": 2, "bidirectional": bidirectional}
    alphabet = Alphabet(LETTERS.symbols, "character", levels)
    torch_net, net = both(tmp_path, criterion, alphabet, bidirectional=bidirectional)
    assert_equal(torch_net, net)
    x, lengths = batch([9])
    assert net(x, lengths)[0].shape[2] == K + 4 + 3
    assert not net.shape.states


@pytest.mark.parametrize(
    "options",
    [{}, {"bidirectional": False}, {"bidirectional": False, "cell": "FGR"}, {"chunk": 6}],
    ids=str,
)
def test_a_batch_of_none_gives_outputs_of_none(options, tmp_path):
    _, net = both(tmp_path, **options)
    x, lengths = batch([5])
    outputs, out_lengths = net(x[:0], lengths[:0])
    assert outputs.shape == (0, 0, net(x, lengths)[0].shape[2])
    assert out_lengths.shape == (0,)


@pytest.mark.parametrize("options", [{}, {"cell": "FGR"}, {"subsample": 2}], ids=str)
def test_lengths_are_exact(options, tmp_path):
    """Padding and batch mates change no bit; another length changes the outputs before it."""
    _, net = both(tmp_path, **options)
    x, lengths = batch([30, 17, 24])
    together, out_lengths = net(x, lengths)
    for row in range(3):
        alone, _ = net(x[row : row + 1, : lengths[row]], lengths[row : row + 1])
        length = out_lengths[row]
        np.testing.assert_allclose(together[row, :length], alone[0, :length], atol=2e-6)
    with_nan, _ = net(batch([30, 17, 24], padding=np.nan)[0], lengths)
    for row, length in enumerate(out_lengths):
        np.testing.assert_array_equal(with_nan[row, :length], together[row, :length])
    shorter, out_lengths = net(x, lengths - 2)
    for row, length in enumerate(out_lengths):
        difference = np.abs(together[row, : length - 1] - shorter[row, : length - 1])
        assert difference.max() > 1e-3


@pytest.mark.parametrize("cell", ["peephole", "FGR", "gru", "lstm1997", "rnn_tanh"])
@pytest.mark.parametrize("subsample", [1, 2])
def test_one_direction_carries_its_states(cell, subsample, tmp_path):
    _, net = both(tmp_path, cell=cell, bidirectional=False, subsample=subsample)
    x, lengths = batch([40, 28])
    whole, _ = net(x, lengths)
    states, parts = net.zero_states(2), []
    for start, end in ((0, 6), (6, 20), (20, 40)):
        left = np.clip(lengths - start, 1, end - start)
        part, _, after = net.step(x[:, start:end], left, states)
        parts.append(part)
        states = after
    np.testing.assert_allclose(
        np.concatenate(parts, axis=1)[0], whole[0, : 40 // subsample], atol=1e-6
    )
    first = np.concatenate(parts[:2], axis=1)[1]
    np.testing.assert_allclose(first, whole[1, : len(first)], atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"bidirectional": False},
        {"bidirectional": False, "subsample": 3, "cell": "FGR"},
        {"chunk": 6, "lookahead": 4},
        {"chunk": 5},
    ],
    ids=str,
)
@pytest.mark.parametrize("length", [1, 6, 41])
def test_streams(options, length, tmp_path):
    """In pieces of any size the same to the last bit, and equal to the whole."""
    _, net = both(tmp_path, **options)
    x, lengths = batch([length], padding=0)
    whole = net(x, lengths)[0][0, : -(-length // net.subsample)]
    stream, streamed = net.stream(), []
    for size in (1, 4, 100):
        pieces = [stream.push(x[0, n : min(n + size, length)]) for n in range(0, length, size)]
        assert len(pieces[0]) == 0 or size > net.shape.lookahead
        stream.push(x[0, :0])
        streamed.append(np.concatenate([*pieces, stream.finish()]))
        np.testing.assert_array_equal(streamed[-1], streamed[0])
    np.testing.assert_allclose(streamed[0], whole, atol=2e-6)
    stream.push(x[0, :1])
    stream.reset()
    again = np.concatenate([stream.push(x[0, :length]), stream.finish()])
    np.testing.assert_array_equal(again, streamed[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "takes whole signals only; export a unidirectional one"),
        ({"criterion": {"kind": "framewise", "delay": 3}}, "export a unidirectional one"),
        ({"cell": "tlstm", "bidirectional": False}, "time between frames.* a cell without decay"),
        (
            {"criterion": {"kind": "framewise", "delay": 3}, "bidirectional": False},
            "a graph with criterion.delay takes whole signals only; stream with the model dir",
        ),
    ],
    ids=str,
)
def test_whole_graphs_do_not_stream(options, message, tmp_path):
    _, net = both(tmp_path, **options)
    assert net.waits is None
    with pytest.raises(InputError, match=message):
        net.stream()


@pytest.mark.parametrize("cell", [{"cell": "lstm"}, {"cell": "lstmp", "projection": 12}], ids=str)
def test_a_file_has_every_constant_once(cell, tmp_path, monkeypatch):
    """The forward direction of a latency-controlled layer is in its graph twice."""
    torch_net, _ = both(tmp_path, chunk=6, lookahead=4, hidden=20, **cell)
    graph = onnx.load(tmp_path / "net.onnx").graph
    bodies = [option.g for node in graph.node for option in node.attribute if option.HasField("g")]
    assert not any(body.initializer for body in bodies)
    arrays = [onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer]
    kept = {(array.dtype.str, array.shape, array.tobytes()) for array in arrays}
    assert len(kept) == len(arrays)
    size = sum(array.nbytes for array in arrays)
    assert size < 4.5 * torch_net.model.weight_count
    monkeypatch.setattr(writer, "MOST_BYTES", size)
    both(tmp_path, chunk=6, lookahead=4, hidden=20, **cell)
    monkeypatch.setattr(writer, "MOST_BYTES", size - 1)
    with pytest.raises(InputError, match="an ONNX file has at most 2 GB; use the model directory"):
        both(tmp_path, chunk=6, lookahead=4, hidden=20, **cell)


def test_states_stay_where_a_sequence_ends(tmp_path):
    """Those of a short sequence are those after its own last frame, for operators and loops."""
    for cell in ("peephole", "lstmp"):
        options = {"projection": 4} if cell == "lstmp" else {}
        torch_net, net = both(tmp_path, cell=cell, bidirectional=False, **options)
        x, lengths = batch([12, 5])
        *_, states = net.step(x, lengths, net.zero_states(2))
        with torch.no_grad():
            lower = torch_net.model.encoder.lower
            _, expected = lower(torch.from_numpy(x), torch.from_numpy(lengths))
        for name, state in zip(lower.cell.state, expected, strict=True):
            np.testing.assert_allclose(states[name], state.numpy(), atol=1e-6)


def test_what_has_no_graph_is_refused(tmp_path):
    with pytest.raises(InputError, match="transducer: its search runs a network from label to"):
        both(tmp_path, {"kind": "transducer"})
    with pytest.raises(InputError, match="cells with decay in chunks have no ONNX form"):
        both(tmp_path, cell="tlstm", chunk=4)
    with pytest.raises(InputError, match="delayed outputs in chunks have no ONNX form"):
        both(tmp_path, {"kind": "framewise", "delay": 3}, chunk=4, lookahead=2)


def test_an_unknown_cell_is_refused(tmp_path, monkeypatch):
    class Odd:
        pass

    import seqlabel.export.encoder as encoder
    from seqlabel.export.cells import run_direction

    def with_odd_cell(graph, cell, weights, run):
        return run_direction(graph, Odd(), weights, run)

    monkeypatch.setattr(encoder, "run_direction", with_odd_cell)
    with pytest.raises(InputError, match=r"no ONNX form of the cell .*Odd.*: train another of"):
        both(tmp_path)
