"""Prefix beam search against the enumeration of all paths, and what must not change a result."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlabel.alphabet import Alphabet
from seqlabel.decoding import BeamDecoder, GreedyDecoder, NgramLM
from seqlabel.errors import InputError

LETTERS = "abcd"


def alphabet_of(K: int) -> Alphabet:
    return Alphabet(LETTERS[: K - 1], "character")


def log(probs: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(probs)


def decode_one(decoder, probs: np.ndarray, n_best: int = 1) -> list[tuple[str, float]]:
    """(text, log-probability) of the best and of the alternatives."""
    (result,) = decoder.decode(log(probs)[None], np.array([len(probs)]), n_best)
    return [(r.text, r.log_prob) for r in (result, *result.alternatives)]


def random_lm(rng: np.random.Generator, K: int, order: int = 2) -> NgramLM:
    sentences = [
        [LETTERS[k] for k in rng.integers(0, K - 1, rng.integers(1, 6))] for _ in range(12)
    ]
    return NgramLM.train(sentences, order, LETTERS[: K - 1])


@pytest.mark.parametrize("with_lm", [False, True])
def test_n_best_list_equals_the_enumeration(with_lm, all_labellings, random_probs, cases):
    for case in cases(1000):
        rng = np.random.default_rng([case, with_lm])
        T, K = int(rng.integers(1, 6)), int(rng.integers(2, 6))
        T = min(T, 4) if K == 5 else T
        alphabet, probs = alphabet_of(K), random_probs(rng, T, K)
        expected = {
            "".join(alphabet.decode(labels)): math.log(p)
            for labels, p in all_labellings(probs).items()
            if p > 0
        }
        options = {}
        if with_lm:
            if case % 20 == 0:
                lm = random_lm(rng, 5, int(rng.integers(1, 4)))
            weight, bonus = float(rng.uniform(0, 2)), float(rng.uniform(-1, 1))
            options = {"lm": lm, "lm_weight": weight, "bonus": bonus}
            expected = {
                text: p + weight * lm.score(list(text)) + bonus * len(text)
                for text, p in expected.items()
            }
        found = decode_one(BeamDecoder(alphabet, 2000, threads=1, **options), probs, 2000)
        assert dict(found) == pytest.approx(expected, rel=1e-6, abs=1e-6)
        scores = [score for _, score in found]
        assert scores == sorted(scores, reverse=True)


def test_a_large_language_model_is_walked_like_a_tabled_one(random_probs, monkeypatch):
    rng = np.random.default_rng(5)
    lm, alphabet = random_lm(rng, 5, 3), alphabet_of(5)
    probs = random_probs(rng, 12, 5)
    tabled = decode_one(BeamDecoder(alphabet, 20, lm=lm, lm_weight=0.7), probs, 20)
    monkeypatch.setattr("seqlabel.decoding.lm.labels.NgramLM.arrays", without_table(NgramLM.arrays))
    walked = decode_one(BeamDecoder(alphabet, 20, lm=lm, lm_weight=0.7), probs, 20)
    assert [text for text, _ in walked] == [text for text, _ in tabled]
    np.testing.assert_allclose([s for _, s in walked], [s for _, s in tabled], rtol=1e-6)


def without_table(arrays):
    return lambda self, columns=None: arrays(self, columns, table_bytes=0)


def test_a_narrow_beam_keeps_what_a_plain_search_keeps(random_probs, cases):
    """The bound that skips prefixes must lose nothing: the same beam, all prefixes formed."""
    for case in cases(200):
        rng = np.random.default_rng([7, case])
        T, K, width = int(rng.integers(2, 20)), int(rng.integers(2, 6)), int(rng.integers(1, 8))
        probs = random_probs(rng, T, K)
        probs = (probs + 1e-6) / (probs + 1e-6).sum(axis=1, keepdims=True)
        found = decode_one(BeamDecoder(alphabet_of(K), width, threads=1), probs, width)
        expected = plain_search(probs, width)
        assert [text for text, _ in found] == [
            "".join(LETTERS[k - 1] for k in p) for p, _ in expected
        ]
        np.testing.assert_allclose([s for _, s in found], [s for _, s in expected], rtol=1e-9)


def plain_search(probs: np.ndarray, width: int) -> list[tuple[tuple[int, ...], float]]:
    """Hannun et al. 2014, algorithm 1, with dictionaries."""
    beam = {(): (1.0, 0.0)}
    for p in probs:
        grown: dict[tuple[int, ...], list[float]] = {}
        for prefix, (blank, label) in beam.items():
            own = grown.setdefault(prefix, [0.0, 0.0])
            own[0] += (blank + label) * p[0]
            if prefix:
                own[1] += label * p[prefix[-1]]
            for k in range(1, len(p)):
                longer = grown.setdefault((*prefix, k), [0.0, 0.0])
                passed = blank if prefix and prefix[-1] == k else blank + label
                longer[1] += passed * p[k]
        best = sorted(grown.items(), key=lambda item: -sum(item[1]))[:width]
        beam = {prefix: (blank, label) for prefix, (blank, label) in best if blank + label > 0}
    return [(prefix, math.log(sum(masses))) for prefix, masses in beam.items()]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(2, 5), st.integers(1, 30))
def test_mates_padding_precision_and_names_change_nothing(seed, T, K, beam):
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.full(K, 0.5), (3, T)) + 1e-6
    log_probs = np.log(probs / probs.sum(axis=2, keepdims=True))
    lengths = np.array([T, max(1, T // 2), 1])
    decoder = BeamDecoder(alphabet_of(K), beam)
    together = decoder.decode(log_probs, lengths, n_best=3)
    for b, length in enumerate(lengths):
        assert decoder.decode(log_probs[b : b + 1, :length], [length], n_best=3) == [together[b]]
    padded = np.concatenate([log_probs, np.full((3, 4, K), np.nan)], axis=1)
    assert decoder.decode(padded, lengths, n_best=3) == together
    single = decoder.decode(log_probs.astype(np.float32), lengths)
    np.testing.assert_allclose(
        [r.log_prob for r in single], [r.log_prob for r in together], rtol=1e-4, atol=1e-5
    )
    order = np.concatenate([[0], 1 + rng.permutation(K - 1)])
    renamed = Alphabet([LETTERS[k - 1] for k in order[1:]], "character")
    others = BeamDecoder(renamed, beam).decode(log_probs[:, :, order], lengths, n_best=3)
    assert [r.log_prob for r in others] == pytest.approx([r.log_prob for r in together])
    assert [r.text for r in others] == [r.text for r in together]


def test_wider_beams_are_no_worse_on_average(random_probs):
    rng = np.random.default_rng(3)
    batch = np.stack([log(random_probs(rng, 30, 5) + 1e-9) for _ in range(40)])
    batch -= np.logaddexp.reduce(batch, axis=2, keepdims=True)
    lengths = np.full(40, 30)
    totals = [
        sum(r.log_prob for r in BeamDecoder(alphabet_of(5), beam).decode(batch, lengths))
        for beam in (1, 4, 16, 64)
    ]
    assert totals == sorted(totals)


def test_spans_lie_where_the_labels_are():
    probs = np.full((6, 3), 0.05)
    for t, k in enumerate([0, 1, 1, 0, 2, 2]):
        probs[t, k] = 0.9
    (result,) = BeamDecoder(alphabet_of(3)).decode(np.log(probs)[None], [6])
    assert [(s.label, s.start, s.end) for s in result.spans] == [("a", 1, 3), ("b", 4, 6)]
    assert [s.probability for s in result.spans] == pytest.approx([0.9, 0.9])


def test_cuts_leave_out_labels_and_thresholds_prefixes():
    probs = np.array([[0.1, 0.5, 0.3, 0.1], [0.1, 0.1, 0.6, 0.2]])
    alphabet = alphabet_of(4)
    everything = decode_one(BeamDecoder(alphabet, 50), probs, 50)
    assert len(everything) == 10
    by_count = decode_one(BeamDecoder(alphabet, 50, label_count=1), probs, 50)
    assert {text for text, _ in by_count} == {"", "a", "b", "ab"}
    assert dict(by_count)["ab"] == pytest.approx(math.log(0.5 * 0.6))
    by_share = decode_one(BeamDecoder(alphabet, 50, label_min_prob=0.25), probs, 50)
    assert {text for text, _ in by_share} == {"", "a", "b", "ab"}
    near = decode_one(BeamDecoder(alphabet, 50, beam_threshold=math.log(2)), probs, 50)
    assert [text for text, _ in near] == ["ab", "b"]


def test_impossible_frames_give_no_labels():
    log_probs = np.full((1, 3, 3), -np.inf)
    (result,) = BeamDecoder(alphabet_of(3)).decode(log_probs, [3])
    assert (result.labels, result.log_prob, result.alternatives) == ((), -math.inf, ())


def test_long_utterances_neither_overflow_nor_run_out_of_memory():
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.full(5, 0.3), 3000) + 1e-9
    probs /= probs.sum(axis=1, keepdims=True)
    ((text, score),) = decode_one(BeamDecoder(alphabet_of(5), 16), probs)
    ((_, best_path),) = decode_one(GreedyDecoder(alphabet_of(5)), probs)
    assert len(text) > 500
    assert best_path < score < 0


GOOD = np.log(np.full((1, 4, 3), 1 / 3))


@pytest.mark.parametrize(
    ("log_probs", "lengths", "message"),
    [
        (np.where(np.arange(4)[:, None] == 2, np.nan, GOOD), [4], "utterance 0, frame 2.*NaN"),
        (np.where(np.arange(4)[:, None] == 2, np.inf, GOOD), [4], r"\+inf"),
        (GOOD + 5, [4], "positive"),
        (GOOD * 3, [4], "sum to .* logits"),
        (np.exp(GOOD), [4], "these are probabilities"),
        (GOOD, [5], "length 5 is not within 1..4"),
        (GOOD, [0], "length 0"),
        (GOOD, [4.0], "integers"),
        (GOOD[:0], np.zeros(0, int), "no utterance"),
        (GOOD[:, :0], [0], "no frame"),
        (GOOD[:, :, :2], [4], "2 labels, the alphabet 3"),
        (GOOD[0], [4], r"log_probs\[None\]"),
    ],
)
def test_bad_input_is_named(log_probs, lengths, message):
    with pytest.raises(InputError, match=message):
        BeamDecoder(alphabet_of(3)).decode(log_probs, lengths)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam": 0}, "beam is 0"),
        ({"label_count": 0}, "label_count is 0"),
        ({"label_min_prob": 1.0}, "label_min_prob"),
        ({"beam_threshold": 0.0}, "beam_threshold"),
        ({"lm_weight": -1.0}, "lm_weight"),
        ({"bonus": math.nan}, "bonus"),
        ({"unknown_penalty": 1.0}, "needs a lexicon"),
        ({"beam": "x"}, "beam is 'x'; it must be a whole number"),
        ({"beam": 4.0}, "beam is 4.0; it must be a whole number"),
        ({"threads": 2.5}, "threads is 2.5; it must be a whole number"),
        ({"label_count": 1.5}, "label_count is 1.5; it must be a whole number"),
        ({"bonus": None}, "bonus is None; it must be a number"),
        ({"lm_weight": "1"}, "lm_weight is '1'; it must be a number"),
        ({"label_min_prob": [0.1]}, r"label_min_prob is \[0.1\]; it must be a number"),
        ({"beam_threshold": "x"}, "beam_threshold is 'x'; it must be a number"),
        ({"unknown_penalty": "x"}, "unknown_penalty is 'x'; it must be a number"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(InputError, match=message):
        BeamDecoder(alphabet_of(3), **options)


def test_numbers_of_numpy_are_options(random_probs):
    log_probs = log(random_probs(np.random.default_rng(0), 6, 3))[None]
    own = {"beam": 4, "label_count": 2, "threads": 1, "bonus": 0.5, "beam_threshold": 9}
    theirs = {
        "beam": np.int64(4), "label_count": np.int32(2), "threads": np.uint8(1),
        "bonus": np.float32(0.5), "beam_threshold": np.int64(9),
    }  # fmt: skip
    expected = BeamDecoder(alphabet_of(3), **own).decode(log_probs, [6], n_best=2)
    assert BeamDecoder(alphabet_of(3), **theirs).decode(log_probs, [6], np.int64(2)) == expected
    decoder = BeamDecoder(alphabet_of(3))
    for n_best, message in ((1.5, "1.5; it must be a whole number"), (0, "0; it must be at least")):
        with pytest.raises(InputError, match=f"n_best is {message}"):
            decoder.decode(log_probs, [6], n_best=n_best)
        stream = decoder.stream()
        stream.push(log_probs[0])
        with pytest.raises(InputError, match=f"n_best is {message}"):
            stream.finish(n_best)


@pytest.mark.parametrize("dtype", ["float16", "longdouble", ">f4"])
def test_arrays_of_any_precision_and_byte_order_are_read(dtype, random_probs):
    log_probs = log(random_probs(np.random.default_rng(0), 6, 3))[None]
    decoder = BeamDecoder(alphabet_of(3), beam=10)
    (expected,) = decoder.decode(log_probs, [6])
    (found,) = decoder.decode(log_probs.astype(dtype), [6])
    assert (found.labels, found.log_prob) == (
        expected.labels,
        pytest.approx(expected.log_prob, abs=0.01),
    )


def test_a_heavy_model_makes_no_labelling_impossible():
    """b costs 15 × ln(1 / 1000), whose factor float32 does not hold, and is all there is."""
    lm = NgramLM.train([["a"]] * 999 + [["b"]], 1)
    probs = np.tile([1e-9, 1e-9, 1 - 2e-9], (4, 1))
    for weight in (1.0, 15.0, 100.0):
        decoder = BeamDecoder(alphabet_of(3), 100, lm=lm, lm_weight=weight)
        found = dict(decode_one(decoder, probs, 100))
        assert "b" in found
        assert min(found.values()) > -math.inf


def test_a_bonus_whose_factor_no_number_holds_is_refused(random_probs):
    probs = random_probs(np.random.default_rng(0), 6, 3)
    best, score = decode_one(BeamDecoder(alphabet_of(3), 100, bonus=80.0), probs)[0]
    plain = dict(decode_one(BeamDecoder(alphabet_of(3), 100), probs, 100))
    assert score == pytest.approx(plain[best] + 80 * len(best))
    with pytest.raises(InputError, match=r"bonus is 800.0, expected -80 to 80 nats"):
        BeamDecoder(alphabet_of(3), bonus=800.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lm": "lm.arpa"}, "lm is 'lm.arpa', expected an NgramLM, as NgramLM.from_arpa gives"),
        ({"lexicon": ["a"]}, "lexicon is a list, expected a Lexicon"),
    ],
)
def test_names_of_files_are_not_models(options, message):
    with pytest.raises(InputError, match=message):
        BeamDecoder(Alphabet("ab"), **options)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_has_threads_of_its_own():
    """Work given to those of the parent would never be done."""
    code = """
import os, signal
import numpy as np
from seqlabel.alphabet import Alphabet
from seqlabel.decoding import BeamDecoder
decoder = BeamDecoder(Alphabet("ab", "character"), 4, threads=2)
decoder.kernels("batch").wait()
batch = np.log(np.full((8, 5, 3), 1 / 3)), [5] * 8
expected = decoder.decode(*batch)
child = os.fork()
if child == 0:
    signal.alarm(20)
    os._exit(0 if decoder.decode(*batch) == expected else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    found = subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=120)
    assert found.returncode == 0
