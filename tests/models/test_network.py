"""The encoder and the whole network: published weight counts, exactness for every length."""

import math

import numpy as np
import pytest
import torch

from seqlabel.data.batches import elapsed_times
from seqlabel.data.tensors import Batch
from seqlabel.errors import InputError
from seqlabel.lstm.dropout import Dropout
from seqlabel.models.criteria import find_criterion
from seqlabel.models.model import Model
from seqlabel.models.network import Encoder, ModelOptions, join_frames, join_times


@pytest.mark.parametrize(
    ("options", "weights"),
    [
        # Graves, Mohamed & Hinton 2013, table 1 (0.8, 2.3, 3.8, 6.8, 3.8, 3.8, 3.7 M)
        ({"layers": 1}, 780_562),
        ({"layers": 2}, 2_284_062),
        ({"layers": 3}, 3_787_562),
        ({"layers": 5}, 6_794_562),
        ({"layers": 1, "hidden": 622}, 3_793_018),
        ({"layers": 3, "hidden": 421, "bidirectional": False}, 3_786_957),
        ({"layers": 3, "hidden": 500, "cell": "rnn_tanh"}, 3_688_062),
    ],
)
def test_published_networks_have_their_published_weights(options, weights):
    model = Model(123, 62, ModelOptions(**options), {"kind": "ctc"})
    assert model.weight_count == weights


@pytest.mark.parametrize("subsample", [1, 2, 3])
@pytest.mark.parametrize("between", ["plain", "highway"])
def test_batch_mates_and_padding_change_nothing(subsample, between):
    torch.manual_seed(0)
    options = ModelOptions(hidden=5, layers=3, subsample=subsample, between=between)
    encoder = Encoder(4, options)
    lengths = torch.tensor([7, 12, 1])
    x = torch.randn(3, 12, 4)
    y, out_lengths = encoder(x, lengths)
    assert out_lengths.tolist() == [-(-n // subsample) for n in (7, 12, 1)]
    spoilt = x.clone()
    spoilt[0, 7:], spoilt[2, 1:] = 1e3, -1e3
    assert torch.equal(encoder(spoilt, lengths)[0], y)
    for b, length in enumerate(lengths.tolist()):
        alone, _ = encoder(x[b : b + 1, :length], lengths[b : b + 1])
        torch.testing.assert_close(alone[0], y[b, : out_lengths[b]], rtol=1e-5, atol=1e-6)
        assert not y[b, out_lengths[b] :].any()


def test_join_frames_puts_neighbours_side_by_side():
    y = torch.arange(5.0).reshape(1, 5, 1)
    assert join_frames(y, 2).tolist() == [[[0, 1], [2, 3], [4, 0]]]
    assert join_frames(y, 5).tolist() == [[[0, 1, 2, 3, 4]]]


def test_join_times_counts_from_group_to_group():
    times = torch.tensor([[3.0, 4, 6, 9, 13], [0, 1, 1, 0, 0]])
    elapsed = torch.diff(times, dim=1, prepend=times[:, :1]).clamp(min=0)
    assert join_times(elapsed, 2).tolist() == [[0, 3, 7], [0, 1, 0]]
    assert join_times(elapsed, 1).tolist() == elapsed.tolist()
    assert join_times(elapsed, 9).tolist() == [[0], [0]]


def test_time_reaches_every_layer_and_no_mate_or_padding_counts():
    torch.manual_seed(0)
    options = ModelOptions(cell="tlstm", hidden=5, layers=3, subsample=2)
    assert options.timed
    assert not ModelOptions(cell={"peephole": "diagonal"}).timed
    encoder = Encoder(4, options)
    lengths, x = torch.tensor([7, 12, 1]), torch.randn(3, 12, 4)
    elapsed = torch.from_numpy(
        elapsed_times(
            [np.cumsum(np.random.default_rng(n).exponential(3, n)) for n in lengths.tolist()]
        )
    )
    y, out_lengths = encoder(x, lengths, elapsed)
    for b, length in enumerate(lengths.tolist()):
        alone, _ = encoder(x[b : b + 1, :length], lengths[b : b + 1], elapsed[b : b + 1, :length])
        torch.testing.assert_close(alone[0], y[b, : out_lengths[b]], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(encoder(x, lengths, torch.zeros(3, 12))[0], y)
    with pytest.raises(InputError, match="needs the time before each frame"):
        encoder(x, lengths)


def test_truncation_changes_gradients_and_no_output():
    torch.manual_seed(0)
    x, lengths = torch.randn(2, 9, 4), torch.tensor([9, 6])
    found = {}
    for name, options in (
        ("full", {}),
        ("1997", {"truncate": "1997"}),
        ("tbptt", {"tbptt": 3}),
    ):
        torch.manual_seed(1)
        encoder = Encoder(4, ModelOptions(hidden=5, layers=2, **options))
        y, _ = encoder(x, lengths)
        y.square().sum().backward()
        found[name] = y.detach(), encoder.lower.layers[0][0].input.grad
    for name in ("1997", "tbptt"):
        assert torch.equal(found[name][0], found["full"][0])
        assert not torch.allclose(found[name][1], found["full"][1])


def test_initial_range_bounds_every_weight():
    model = Model(3, 4, ModelOptions(hidden=6, layers=2, initial_range=0.1), {"kind": "ctc"})
    values = torch.cat([weight.detach().flatten() for weight in model.parameters()])
    assert float(values.abs().max()) <= 0.1 + 1e-7
    assert float(values.std()) == pytest.approx(0.1 / math.sqrt(3), rel=0.1)


def test_initial_range_leaves_a_forget_bias_and_highways_alone():
    shape = ModelOptions(
        hidden=6, layers=2, cell="lstm", between="highway", initial_range=0.1, forget_bias=5.0
    )
    model = Model(3, 4, shape, {"kind": "ctc"})
    biases = {name: b.detach() for name, b in model.named_parameters() if name.endswith("bias")}
    of_cells = [b for name, b in biases.items() if ".layers." in name]
    assert [int((b == 5.0).sum()) for b in of_cells] == [6] * 4
    (highway,) = [b for name, b in biases.items() if ".connections." in name]
    assert torch.equal(highway, torch.full((12,), -1.0))


def test_a_row_without_a_loss_is_nan_and_reaches_the_weights():
    torch.manual_seed(0)
    model = Model(3, 4, ModelOptions(hidden=4, layers=1), {"kind": "ctc"})
    batch = Batch(
        torch.randn(2, 3, 3),
        torch.tensor([3, 2]),
        torch.tensor([[1, 2], [1, 1]]),  # two equal labels need three frames, row 1 has two
        torch.tensor([2, 2]),
        ("fits", "too long"),
    )
    losses = model(batch)
    assert torch.isnan(losses).tolist() == [False, True]
    losses.sum().backward()
    gradients = [weight.grad for weight in model.parameters()]
    assert all(gradient is not None for gradient in gradients)
    assert any(torch.isnan(gradient).any() for gradient in gradients)


def test_options_that_contradict_are_refused():
    with pytest.raises(InputError, match="chunk and subsample exclude each other"):
        ModelOptions(chunk=4, subsample=2)
    with pytest.raises(InputError, match="lookahead=3 needs chunk"):
        ModelOptions(lookahead=3)
    with pytest.raises(InputError, match="is for bidirectional layers"):
        ModelOptions(chunk=4, bidirectional=False)
    with pytest.raises(InputError, match="tbptt and chunk exclude each other"):
        ModelOptions(chunk=4, tbptt=2)
    for kind, cell, message in (
        ("transducer", "tlstm", "needs the time between frames"),
        ("transducer", "lstmp", "lacks the number of its outputs"),
        ("transducer", "foo", "unknown cell 'foo'"),
        ("levels", "lstmp", "lacks the number of its outputs"),
    ):
        with pytest.raises(InputError, match=message):
            find_criterion({"kind": kind, "cell": cell})
    with pytest.raises(InputError, match="subsample_after"):
        ModelOptions(layers=2, subsample=2, subsample_after=2)
    with pytest.raises(InputError, match="did you mean 'ctc'"):
        Model(3, 4, ModelOptions(), {"kind": "ctcc"})


def test_cells_without_their_sizes_are_refused():
    with pytest.raises(InputError, match="projection=3 is for LSTM cells, not for 'gru'"):
        ModelOptions(cell="gru", projection=3)
    with pytest.raises(InputError, match="cell='lstmp' needs projection"):
        ModelOptions(cell="lstmp")
    with pytest.raises(InputError, match="cannot be divided into blocks of 3"):
        ModelOptions(cell={"block_size": 3}, hidden=4)
    assert ModelOptions(cell="lstmp", projection=3).projection == 3


@pytest.mark.parametrize("variational", [False, True])
@pytest.mark.parametrize(
    ("options", "criterion", "places"),
    [
        ({}, {"kind": "ctc"}, 1),
        ({"subsample": 2}, {"kind": "ctc"}, 2),
        ({"encoder": "conv"}, {"kind": "ctc"}, 2),
        ({}, {"kind": "levels", "hidden": 16, "dropout": 0.5}, 2),
    ],
)
def test_variational_masks_are_those_of_all_frames_everywhere(
    options, criterion, places, variational
):
    options = ModelOptions(hidden=16, layers=2, dropout=0.5, variational=variational, **options)
    if "dropout" in criterion:
        criterion = {**criterion, "variational": variational}
    torch.manual_seed(0)
    model = Model(8, 4, options, criterion, [3] if "dropout" in criterion else []).train()
    shares = []

    def look(module, arguments, output):
        """Whether each feature of each sequence is kept in all frames or in none."""
        (x,) = arguments
        kept, there = output != 0, (x != 0).any(dim=1)
        whole = ((kept | (x == 0)).all(dim=1) | ~kept.any(dim=1))[there]
        shares.append(float(whole.float().mean()))
        scaled = torch.where(kept, 2 * x, 0)
        torch.testing.assert_close(output, scaled)
        assert 0.2 < float(kept[:, :, there.all(dim=0)].float().mean()) < 0.8

    for module in model.modules():
        if isinstance(module, Dropout):
            module.register_forward_hook(look)
    encoded, lengths = model.encoder(torch.randn(3, 40, 8), torch.tensor([40, 40, 40]))
    model.criterion.outputs(encoded, lengths)
    assert len(shares) == places
    assert all(share == 1 if variational else share < 0.2 for share in shares)
