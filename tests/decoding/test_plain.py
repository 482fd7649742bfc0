"""The plain searches find what the compiled ones find, to the last digit, and hand over to them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlabel.alphabet import Alphabet
from seqlabel.decoding import BeamDecoder, Lexicon, NgramLM, beam
from seqlabel.decoding.search import spans
from seqlabel.decoding.search.hypothesis import ENDING, best_endings
from seqlabel.decoding.search.plain import PACE, SMALL
from seqlabel.errors import InputError

ALPHABET = Alphabet("abc ", "character")
K = 5
WORDS = ["a", "ab", "abc", "ca", "cab", "b"]
SPELLED = {word: [tuple(word)] for word in WORDS} | {"A": [("a",)]}  # two words of one spelling
LM = NgramLM.train([list("ab ca"), list("cab a"), list("abc b")], 3, "abc ")
WORD_LM = NgramLM.train([["ab", "ca"], ["cab", "A"], ["b"]], 2, [*WORDS, "A"])
SEPARATED = Lexicon(ALPHABET, SPELLED, " ")
KINDS = {
    "labels": {},
    "cuts": {"label_count": 2, "beam_threshold": 4.0},
    "bonus": {"bonus": 1.0},
    "n-gram": {"lm": LM, "lm_weight": 0.7, "bonus": 0.3},
    "lexicon": {"lexicon": SEPARATED},
    "words": {"lexicon": SEPARATED, "lm": WORD_LM, "bonus": 0.5},
    "open words": {"lexicon": SEPARATED, "lm": WORD_LM, "unknown_penalty": 3.0},
    "no separator": {"lexicon": Lexicon(ALPHABET, SPELLED), "lm": WORD_LM},
    "cut words": {"lexicon": Lexicon(ALPHABET, SPELLED), "lm": WORD_LM, "beam_threshold": 1.5},
    "optional separator": {"lexicon": Lexicon(ALPHABET, SPELLED, " ", True), "lm": WORD_LM},
}


def frames(rng, T):
    """From flat to peaky; some with ties in every frame, some with impossible labels."""
    probs = rng.dirichlet(np.full(K, rng.choice([0.03, 0.2, 1.0, 50.0])), T) + 1e-9
    kind = rng.integers(0, 6)
    if kind == 0:
        probs[:] = rng.choice([1.0, 2.0], probs.shape)
    if kind == 1:
        probs[:] = 1.0
    if kind == 2:
        probs[:, rng.integers(1, K)] = 0.0
    with np.errstate(divide="ignore"):
        return np.log(probs / probs.sum(axis=1, keepdims=True))


class Slow:
    """A compilation that is ready when so often asked, or waited for."""

    def __init__(self, questions=10**9):
        self.questions, self.waited = questions, False

    @property
    def ready(self):
        self.questions -= 1
        return self.waited or self.questions < 0

    def wait(self, timeout=None):
        self.waited = True


def make(kind, width=8, purpose="batch", slow=None):
    decoder = BeamDecoder(ALPHABET, width, threads=1, **KINDS[kind])
    if slow is not None:
        decoder.space._kernels[purpose] = slow
    return decoder


@pytest.mark.parametrize(
    ("kind", "table"),
    [(kind, table) for kind in KINDS for table in (True, False) if table or "lm" in KINDS[kind]],
)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), T=st.integers(1, 90), width=st.sampled_from([1, 2, 3, 8, 30]))
def test_it_equals_the_compiled_search(kind, table, seed, T, width):
    rng = np.random.default_rng(seed)
    decoder = make(kind, width)
    if not table:
        narrow(decoder)
    probs = decoder.probabilities(frames(rng, T), "")
    plain, compiled = decoder.plain_search(), decoder.search()
    one, other = (search.each(probs[None], np.array([T]), 5)[0] for search in (plain, compiled))
    assert [(h.labels.tolist(), *h[1:]) for h in one] == [
        (h.labels.tolist(), *h[1:]) for h in other
    ]
    for search in (plain, compiled):
        search.reset()
        search.advance(probs)
    assert plain.stable().tolist() == compiled.stable().tolist()
    one, other = (search.best(3, final=False) for search in (plain, compiled))
    assert [(h.labels.tolist(), *h[1:]) for h in one] == [
        (h.labels.tolist(), *h[1:]) for h in other
    ]


def listed(hypotheses):
    return [(hypothesis.labels.tolist(), *hypothesis[1:]) for hypothesis in hypotheses]


def narrow(decoder):
    """Take away the tables in which back-off is worked out: the n-grams are walked."""
    if decoder.space.words is not None:
        ngrams = NgramLM.arrays(WORD_LM, WORD_LM.tokens([*SPELLED, "<unk>"]), table_bytes=0)
        decoder.space.words = decoder.space.words._replace(ngrams=ngrams)
    elif decoder.space.labels is not None:
        decoder.space.labels = decoder.space.labels._replace(table=decoder.space.labels.table[:0])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60), st.sampled_from([np.float32, np.float64]))
def test_spans_equal_those_of_the_compiled_walk(seed, T, real):
    rng = np.random.default_rng(seed)
    x = frames(rng, T)[None].astype(real)
    decoder = make("labels")
    (found,) = decoder.search().each(decoder.probabilities(x[0], "")[None], np.array([T]), 1)
    labels = found[0].labels
    given = (x, np.array([T]), 0, labels, np.array([len(labels)]), np.zeros(1, bool), len(labels))
    one, other = (
        spans._walk(walk, *given, np.empty((1, T), np.int32))
        for walk in (spans.walk_paths, spans.walk_paths_plainly)
    )
    assert one == other


@pytest.mark.parametrize("large", [0, 45])
def test_spans_of_long_labellings_are_those_of_short_ones(large, monkeypatch):
    """Paths that would take too much memory are found in another way: all of them, or the first."""
    rng = np.random.default_rng(5)
    x = np.log(rng.dirichlet(np.ones(K), (2, 9)))
    labels, ends = np.array([1, 2, 3, 1, 2], np.int32), [3, 5]
    given = (x, np.array([9, 8]), 0, labels, ends)
    expected = spans.label_spans(*given)
    monkeypatch.setattr(spans, "LARGE", large)
    starts, stops, peaks = spans.label_spans(*given)
    assert (starts, stops) == expected[:2]
    np.testing.assert_allclose(peaks, expected[2], rtol=1e-12)


def test_masses_that_would_become_too_small_are_scaled_up_alike():
    probs = np.random.default_rng(2).dirichlet(np.full(K, 50.0), 400)
    decoder = make("labels", 4)
    searches = decoder.plain_search(), decoder.search()
    one, other = (search.each(probs[None], np.array([400]), 3)[0] for search in searches)
    assert listed(one) == listed(other)
    assert one[0].log_prob < np.log(SMALL)


def test_a_path_may_begin_with_a_blank():
    x = np.log([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05]])
    assert spans._plain_viterbi(x, np.array([1])) == [0, 1]


def test_words_of_no_mass_do_not_end_a_labelling():
    ends = np.zeros(1, ENDING)
    (best,) = best_endings(ends, np.array([0.0, 0.5]), 1.0, 2)
    assert best == (1, (pytest.approx(1 + np.log(0.5)), 0, False))


@pytest.mark.parametrize("kind", KINDS)
def test_results_are_those_of_the_compiled_search(kind):
    rng = np.random.default_rng(3)
    batch, lengths = np.stack([frames(rng, 60) for _ in range(6)]), [60, 1, 60, 33, 2, 60]
    expected = make(kind).decode(batch, lengths, n_best=4)
    assert make(kind, slow=Slow()).decode(batch, lengths, n_best=4) == expected


@pytest.mark.parametrize("questions", range(1, 30, 4))
def test_a_batch_is_handed_over_wherever_the_kernels_are_ready(questions):
    rng = np.random.default_rng(questions)
    batch = np.stack([frames(rng, 4 * PACE) for _ in range(5)])
    slow = Slow(questions)
    assert make("labels", slow=slow).decode(batch, [4 * PACE] * 5) == make("labels").decode(
        batch, [4 * PACE] * 5
    )
    assert slow.questions < questions


def test_an_utterance_under_way_is_given_up_for_the_compiled_search():
    search, asked = make("labels").plain_search(), []

    def unwanted():
        asked.append(search.frames)
        return len(asked) > 2

    probs = np.full((1, 10 * PACE, K), 1 / K)
    assert search.each(probs, np.array([10 * PACE]), 1, unwanted) is None
    assert asked == [0, PACE, 2 * PACE]


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_is_handed_over(kind):
    rng = np.random.default_rng(5)
    x = frames(rng, 40)
    (whole,) = make(kind).decode(x[None], [40])
    for questions in (2, 4, 100):
        stream = make(kind, purpose="stream", slow=Slow(questions)).stream()
        for t in range(0, 40, 8):
            before = stream.stable()
            stream.push(x[t : t + 8])
            assert stream.stable()[: len(before)] == before
        assert type(stream._search).__name__.startswith("Plain") == (questions == 100)
        assert stream.finish() == whole


def test_large_batches_wait_for_the_compiler_and_small_ones_do_not(monkeypatch):
    batch = np.log(np.full((1, 20, K), 1 / K))
    small, large = Slow(), Slow()
    make("labels", slow=small).decode(batch, [20])
    monkeypatch.setattr(beam, "PATIENCE", 20 * beam.plain_seconds(8) * 0.9)
    make("labels", slow=large).decode(batch, [20])
    assert (small.waited, large.waited) == (False, True)


def test_bad_frames_are_named_by_either():
    batch = np.log(np.full((3, 4, K), 1 / K))
    batch[1, 3], batch[2, 2] = np.nan, 0.5
    for slow in (None, Slow()):
        make("labels", slow=slow).decode(batch, [4, 3, 2])  # they lie behind the ends
        with pytest.raises(InputError, match="utterance 1, frame 3: log_probs is NaN"):
            make("labels", slow=slow).decode(batch, [4, 4, 4])
        with pytest.raises(InputError, match="utterance 2, frame 2: log_probs is positive"):
            make("labels", slow=slow).decode(batch, [4, 3, 4])
