"""The beam search on a GPU against that on the CPU; without a GPU in Triton's interpreter."""

import importlib.util
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from seqlabel.alphabet import Alphabet
from seqlabel.decoding import BeamDecoder, Lexicon, NgramLM
from seqlabel.errors import InputError

if not torch.cuda.is_available():  # read when triton is imported
    os.environ.setdefault("TRITON_INTERPRET", "1")

WITHOUT = importlib.util.find_spec("triton") is None
TRITON = pytest.mark.skipif(WITHOUT, reason="no triton")
LETTERS = "abcd"
# The interpreter of older versions of Triton does this to numpy arrays.
pytestmark = pytest.mark.filterwarnings("ignore:Conversion of an array with ndim > 0")


def alphabet_of(K):
    return Alphabet(LETTERS[: K - 1], "character")


def random_batch(rng, B, T, K):
    """Frames from flat to peaky, with no ties."""
    probs = rng.dirichlet(np.full(K, rng.choice([0.1, 0.5, 5.0])), (B, T)) + 1e-9
    return np.log(probs / probs.sum(axis=2, keepdims=True))


def compare(log_probs, lengths, beam, n_best=4, **options):
    alphabet = alphabet_of(log_probs.shape[2])
    expected = BeamDecoder(alphabet, beam, **options).decode(log_probs, lengths, n_best)
    decoder = BeamDecoder(alphabet, beam, device="cuda", **options)
    found = decoder.decode(torch.from_numpy(log_probs), lengths, n_best)
    for one, other in zip(found, expected, strict=True):
        ours, theirs = (one, *one.alternatives), (other, *other.alternatives)
        assert [r.labels for r in ours] == [r.labels for r in theirs]
        assert [r.log_prob for r in ours] == pytest.approx([r.log_prob for r in theirs], abs=1e-4)
        assert one.spans == other.spans


@TRITON
@pytest.mark.parametrize("seed", range(6))
def test_it_finds_what_the_search_on_the_cpu_finds(seed):
    rng = np.random.default_rng(seed)
    T, K, beam = int(rng.integers(1, 8)), int(rng.integers(2, 6)), int(rng.choice([1, 2, 3, 8]))
    log_probs = random_batch(rng, 2, T, K).astype([np.float32, np.float64][seed % 2])
    compare(log_probs, [T, int(rng.integers(1, T + 1))], beam)


@TRITON
def test_padding_is_not_read():
    log_probs = random_batch(np.random.default_rng(1), 2, 5, 3)
    log_probs[1, 2:] = np.nan
    compare(log_probs, [5, 2], 3)


@TRITON
@pytest.mark.parametrize("cut", [{"label_count": 2}, {"label_min_prob": 0.2}])
def test_labels_are_cut_as_on_the_cpu(cut):
    compare(random_batch(np.random.default_rng(2), 2, 6, 5), [6, 4], 4, **cut)


@TRITON
def test_masses_are_looked_at_in_blocks(monkeypatch):
    monkeypatch.setattr("seqlabel.decoding.search.triton_beam._BLOCK", 8)
    compare(random_batch(np.random.default_rng(3), 1, 6, 5), [6], 6)


@TRITON
def test_a_wide_beam_finds_every_labelling(all_labellings):
    probs = np.full((4, 3), 1 / 3)
    decoder = BeamDecoder(alphabet_of(3), 32, device="cuda")
    (best,) = decoder.decode(np.log(probs)[None], [4], n_best=32)
    found = {r.labels: r.log_prob for r in (best, *best.alternatives)}
    names = ("", *LETTERS)
    expected = {
        tuple(names[k] for k in labels): math.log(p) for labels, p in all_labellings(probs).items()
    }
    assert found == pytest.approx(expected)


@TRITON
def test_ties_at_the_border_keep_the_prefixes_that_stay():
    """All three labellings of one frame are equal: the empty one was there before."""
    decoder = BeamDecoder(alphabet_of(3), 2, device="cuda")
    (best,) = decoder.decode(np.log(np.full((1, 1, 3), 1 / 3)), [1], n_best=2)
    assert [r.text for r in (best, *best.alternatives)] == ["", "a"]


@TRITON
def test_impossible_frames_give_no_labels():
    (result,) = BeamDecoder(alphabet_of(3), device="cuda", beam=4).decode(
        np.full((1, 2, 3), -np.inf), [2]
    )
    assert (result.labels, result.log_prob) == ((), -math.inf)


@TRITON
def test_bad_frames_are_named():
    log_probs = np.log(np.full((2, 3, 3), 1 / 3))
    log_probs[1, 2] = np.nan
    with pytest.raises(InputError, match="utterance 1, frame 2: log_probs is NaN"):
        BeamDecoder(alphabet_of(3), device="cuda").decode(log_probs, [3, 3])


@TRITON
def test_it_compiles_for_a_gpu(tmp_path):
    """The interpreter lets types and shapes pass that the compiler refuses."""
    code = """
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from seqlabel.decoding.search.triton_beam import beam_search
numbers = {"probs": "*fp64", "lengths": "*i64", "masses": "*fp64", "names": "*i64", "last": "*i32"}
more = {"longer": "*fp64", "before": "*i32", "added": "*i32", "scale": "*fp64"}
sizes = dict.fromkeys(("T", "K", "beam"), "i32") | dict.fromkeys(("W", "BLOCK", "KB"), "constexpr")
source = ASTSource(beam_search, numbers | more | sizes, {"W": 16, "BLOCK": 128, "KB": 16})
assert compile(source, GPUTarget("cuda", 80, 32)).asm["cubin"]
"""
    environment = {**os.environ, "TRITON_CACHE_DIR": str(tmp_path)}
    environment.pop("TRITON_INTERPRET", None)
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert found.returncode == 0, found.stderr.decode()[-500:]


@pytest.mark.skipif(not WITHOUT, reason="triton is there")
def test_without_triton_it_says_so():
    with pytest.raises(InputError, match=r'device "cuda" needs torch with triton .*"cpu"'):
        BeamDecoder(alphabet_of(3), device="cuda").decode(np.log(np.full((1, 2, 3), 1 / 3)), [2])


@pytest.mark.parametrize(
    "options",
    [
        {"lm": NgramLM.train([["a"]], 1, "ab")},
        {"lexicon": Lexicon.from_words(alphabet_of(3), ["a"], None)},
        {"bonus": 1.0},
        {"beam_threshold": 5.0},
    ],
)
def test_what_it_does_not_know_is_refused(options):
    with pytest.raises(InputError, match='device "cuda" knows no lm'):
        BeamDecoder(alphabet_of(3), device="cuda", **options)


def test_other_devices_are_refused():
    with pytest.raises(InputError, match="device is 'tpu'"):
        BeamDecoder(alphabet_of(3), device="tpu")


def test_the_decoders_do_without_torch():
    code = "import sys, seqlabel.decoding.beam; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
