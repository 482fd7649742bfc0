"""Outputs of frames in pieces are those of the whole sequence, bit for bit alike for any pieces."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlabel.errors import InputError
from seqlabel.lstm import LSTM, PRESETS
from seqlabel.lstm.cell import Cell, is_timed
from seqlabel.lstm.streaming import StackStream

KINDS = [{}, {"bidirectional": True, "chunk": 4, "lookahead": 3},
         {"bidirectional": True, "chunk": 2, "lookahead": 0}]  # fmt: skip


def make(cell="peephole", **options):
    torch.manual_seed(4)
    if cell == "lstmp":
        options["projection"] = 5
    layer = LSTM(3, 6, 3, cell=cell, **options)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.normal_(0, 0.4)
    return layer


def in_pieces(stream, x, borders=()):
    parts = [stream.push(x[a:b]) for a, b in pairwise([0, *sorted(borders), len(x)])]
    return np.concatenate([*parts, stream.finish()])


def frames(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 3)).astype(np.float32)


UNTIMED = [name for name, cell in PRESETS.items() if not is_timed(cell)]


@pytest.mark.parametrize("cell", [*UNTIMED, Cell(block_size=2)])
@pytest.mark.parametrize("kind", KINDS)
def test_every_cell_streams(cell, kind):
    layer, x = make(cell, **kind), frames(13)
    whole = layer(torch.from_numpy(x)[None])[0][0].detach().numpy()
    np.testing.assert_allclose(in_pieces(StackStream(layer), x), whole, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("between", ["residual", "highway"])
@pytest.mark.parametrize("kind", KINDS)
def test_connections_stream(between, kind):
    layer, x = make(between=between, **kind), frames(11)
    whole = layer(torch.from_numpy(x)[None])[0][0].detach().numpy()
    np.testing.assert_allclose(in_pieces(StackStream(layer), x), whole, rtol=1e-5, atol=2e-6)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_pieces_change_no_bit(data):
    layer = make(data.draw(st.sampled_from(["lstm", "gru"])), **data.draw(st.sampled_from(KINDS)))
    count = data.draw(st.integers(1, 23))
    x = frames(count)
    stream = StackStream(layer)
    once = in_pieces(stream, x)
    assert len(once) == count
    borders = data.draw(st.lists(st.integers(0, count), max_size=8))
    assert np.array_equal(in_pieces(stream, x, borders), once)  # begun anew after finish


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_come_when_their_look_ahead_has_come(kind):
    stream, x = StackStream(make(**kind)), frames(30)
    chunk, lookahead = kind.get("chunk", 1), kind.get("lookahead", 0)
    known = 0
    for n in range(30):
        known += len(stream.push(x[n : n + 1]))
        assert known == max(0, (n + 1 - lookahead) // chunk * chunk)


def test_a_stream_does_not_follow_training():
    layer, x = make(between="highway"), frames(5)
    stream = StackStream(layer)
    before = in_pieces(stream, x)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.zero_()
    assert np.array_equal(in_pieces(stream, x), before)


def test_a_stack_that_waits_for_the_end_is_refused():
    with pytest.raises(InputError, match=r"model\.chunk and model\.lookahead"):
        StackStream(make(bidirectional=True))
