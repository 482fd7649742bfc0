"""Best-path decoding against a loop over frames, and the form of results."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from seqlabel.alphabet import Alphabet
from seqlabel.decoding import GreedyDecoder, Result, Span
from seqlabel.errors import InputError

LETTERS = Alphabet("abc", unit="character")


def log_posteriors(rng, *shape, peak=2.0):
    logits = peak * rng.standard_normal(shape)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def by_hand(frames):
    """Greedy decoding as one would tell it: walk along the frames."""
    spans, previous, total = [], 0, 0.0
    for t, frame in enumerate(frames):
        k = int(np.argmax(frame))
        total += frame[k]
        if k and k == previous:
            label, start, _, peak = spans[-1]
            spans[-1] = (label, start, t + 1, max(peak, np.exp(frame[k])))
        elif k:
            spans.append((LETTERS.symbols[k - 1], t, t + 1, np.exp(frame[k])))
        previous = k
    return spans, total


def test_agrees_with_a_walk_along_the_frames():
    rng = np.random.default_rng(0)
    log_probs = log_posteriors(rng, 50, 17, 4)
    lengths = rng.integers(1, 18, 50)
    for b, result in enumerate(GreedyDecoder(LETTERS).decode(log_probs, lengths)):
        spans, total = by_hand(log_probs[b, : lengths[b]])
        assert result.log_prob == pytest.approx(total)
        assert result.labels == tuple(span[0] for span in spans) == tuple(result.text)
        assert len(result.spans) == len(spans)
        for mine, other in zip(result.spans, spans, strict=True):
            assert mine[:3] == other[:3]
            assert mine.probability == pytest.approx(other[3])


def test_padding_is_never_read():
    rng = np.random.default_rng(1)
    log_probs = log_posteriors(rng, 4, 9, 4)
    lengths = [9, 5, 1, 7]
    clean = GreedyDecoder(LETTERS).decode(log_probs, lengths)
    for b, length in enumerate(lengths):
        log_probs[b, length:] = np.nan
    assert GreedyDecoder(LETTERS).decode(log_probs, lengths) == clean
    alone = [
        GreedyDecoder(LETTERS).decode(log_probs[b : b + 1], lengths[b : b + 1]) for b in (2, 1)
    ]
    assert [result for (result,) in alone] == [clean[2], clean[1]]


def test_padding_changes_no_digit_of_the_sum():
    """NumPy adds up to 8 numbers in a row in order, more of them in eight sums."""
    log_probs = log_posteriors(np.random.default_rng(3), 40, 40, 4)
    lengths = range(1, 41)
    together = GreedyDecoder(LETTERS).decode(log_probs, lengths)
    for b, n in enumerate(lengths):
        assert GreedyDecoder(LETTERS).decode(log_probs[b : b + 1, :n], [n]) == [together[b]]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_takes_tensors_that_require_a_gradient(dtype):
    x = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    log_probs = x.log_softmax(-1).to(dtype)
    results = GreedyDecoder(LETTERS).decode(log_probs, torch.tensor([6, 3]))
    paths = [log_probs[0].argmax(-1), log_probs[1, :3].argmax(-1)]
    for result, path in zip(results, paths, strict=True):
        collapsed = [k for k in torch.unique_consecutive(path).tolist() if k]
        assert LETTERS.encode(result.labels) == collapsed


def test_a_frame_without_possibilities_ends_all_paths():
    log_probs = log_posteriors(np.random.default_rng(2), 2, 5, 4)
    log_probs[1, 3] = -np.inf
    first, second = GreedyDecoder(LETTERS).decode(log_probs, [5, 5])
    assert first.log_prob > -np.inf
    assert second == Result((), -np.inf)
    assert json.loads(json.dumps(second.to_json()))["log_prob"] is None


def test_has_only_one_best():
    with pytest.raises(InputError, match="BeamDecoder"):
        GreedyDecoder(LETTERS).decode(np.zeros((1, 1, 4)), [1], n_best=2)


def test_result_in_seconds_and_in_print():
    result = Result(
        ("a", "b"),
        -1.5,
        spans=(Span("a", 0, 2, 0.9), Span("b", 3, 4, 0.8)),
        alternatives=(Result(("a",), -2.5, text="a"),),
        text="ab",
    )
    timed = result.with_times(np.array([0.0, 0.01, 0.5, 0.51]), period=0.01)
    assert timed.spans == (Span("a", 0.0, 0.02, 0.9), Span("b", 0.51, 0.52, 0.8))
    assert timed.alternatives == result.alternatives
    close = result.with_times(np.array([0.0, 0.01, 0.015, 0.02]), period=0.01)
    assert close.spans[0].end == 0.015
    assert "ab" in str(timed)
    assert "0.52" in str(timed)
    assert json.loads(json.dumps(timed.to_json())) == {
        "labels": ["a", "b"],
        "text": "ab",
        "log_prob": -1.5,
        "spans": [["a", 0.0, 0.02, 0.9], ["b", 0.51, 0.52, 0.8]],
        "alternatives": [{"labels": ["a"], "text": "a", "log_prob": -2.5}],
    }


def test_numba_is_imported_by_the_decoders_that_need_it():
    code = (
        "import sys\nfrom seqlabel import decoding\n"
        "assert 'numba' not in sys.modules\n"
        "found = [getattr(decoding, name).__name__ for name in decoding.__all__]\n"
        "assert found == decoding.__all__ and 'numba' in sys.modules\n"
        "try:\n    decoding.Beam\nexcept AttributeError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "module 'seqlabel.decoding' has no attribute 'Beam'\n"
