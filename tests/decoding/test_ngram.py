"""The n-gram model against back-off by its definition, and against KenLM where it is installed."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlabel.decoding.lm.arpa import Ngrams
from seqlabel.decoding.lm.kernel import ngram_step
from seqlabel.decoding.lm.ngram import NgramLM
from seqlabel.errors import InputError

WORDS = ("<unk>", "<s>", "</s>", "a", "b", "c")


@st.composite
def models(draw):
    """Random models of order 1 to 4 whose contexts are present, but not all of their suffixes."""
    order = draw(st.integers(1, 4))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    density = draw(st.sampled_from([0.1, 0.4, 0.9]))
    orders, contexts = [], [()]
    for n in range(1, order + 1):
        grams = [(*context, word) for context in contexts for word in range(6)]
        if n > 1:
            grams = [g for g in grams if g[-2] != 2 and random.random() < density]
        random.shuffle(grams)
        contexts = grams
        backoffs = random.normal(size=len(grams)) * (random.random(len(grams)) < 0.7)
        if n == order:
            backoffs[:] = 0
        orders.append(
            Ngrams(
                np.array(grams, np.int32).reshape(-1, n),
                -random.exponential(size=len(grams)).astype(np.float32),
                backoffs.astype(np.float32),
            )
        )
    return orders


def probability_by_definition(orders, context, token):
    """ln p(token | context): the longest n-gram there is, else the weight and a shorter context."""
    table = {tuple(g): i for ngrams in orders for i, g in enumerate(ngrams.tokens.tolist())}
    context = tuple(context)[max(0, len(context) - len(orders) + 1) :]
    total = 0.0
    while (*context, token) not in table:
        if context in table:
            total += float(orders[len(context) - 1].backoffs[table[context]])
        context = context[1:]
    return total + float(orders[len(context)].log_probs[table[(*context, token)]])


@settings(max_examples=60, deadline=None)
@given(models(), st.lists(st.integers(0, 5), max_size=7))
def test_steps_equal_the_definition_of_back_off(orders, tokens):
    lm = NgramLM(WORDS, orders)
    table, walked = lm.arrays(), lm.arrays(table_bytes=0)
    assert len(table.table_states) == len(walked.backoffs)
    assert len(walked.table_states) == 0
    state, context = lm.start, (1,)
    for token in tokens:
        expected = probability_by_definition(orders, context, token)
        log_prob, following = lm.step(state, token)
        assert log_prob == pytest.approx(expected, rel=1e-6, abs=1e-6)
        assert ngram_step(walked, state, token) == pytest.approx((log_prob, following), rel=1e-12)
        assert ngram_step(table, state, token) == pytest.approx(
            (log_prob, following), rel=1e-5, abs=1e-6
        )
        ending = probability_by_definition(orders, context, 2)
        assert table.final[state] == pytest.approx(ending, rel=1e-5, abs=1e-6)
        for arrays in (table, walked):
            assert arrays.best[state] >= max(ngram_step(arrays, state, w)[0] for w in range(6))
        state, context = following, (*context, token)


@settings(max_examples=30, deadline=None)
@given(models())
def test_the_n_grams_come_back_from_the_states(orders):
    for given_ngrams, ours in zip(orders, NgramLM(WORDS, orders).ngrams(), strict=True):
        by_tokens = np.lexsort(given_ngrams.tokens.T[::-1])
        np.testing.assert_array_equal(ours.tokens, given_ngrams.tokens[by_tokens])
        np.testing.assert_array_equal(ours.log_probs, given_ngrams.log_probs[by_tokens])
        np.testing.assert_array_equal(ours.backoffs, given_ngrams.backoffs[by_tokens])


def trigram_model():
    """The model of the hand-computed cases; log10 numbers."""
    text = {
        1: [("<unk>", -1.0, 0), ("<s>", -99, -0.3), ("</s>", -0.6, 0), ("a", -0.5, -0.2),
            ("b", -0.7, -0.4)],
        2: [("<s> a", -0.3, -0.1), ("a b", -0.25, -0.05), ("b </s>", -0.4, 0), ("a a", -0.8, 0)],
        3: [("<s> a b", -0.11, 0)],
    }  # fmt: skip
    words = [word for word, _, _ in text[1]]
    orders = [
        Ngrams(
            np.array([[words.index(w) for w in gram.split()] for gram, _, _ in rows], np.int32),
            np.array([p for _, p, _ in rows], np.float32) * np.float32(math.log(10)),
            np.array([b for _, _, b in rows], np.float32) * np.float32(math.log(10)),
        )
        for rows in text.values()
    ]
    return NgramLM(words, orders)


@pytest.mark.parametrize(
    ("sentence", "log10"),
    [
        ("", [-0.3 + -0.6]),  # b(<s>) p(</s>)
        ("a b", [-0.3, -0.11, -0.05 + -0.4]),  # p(a|<s>) p(b|<s> a) b(a b) p(</s>|b)
        ("b a", [-0.3 + -0.7, -0.4 + -0.5, -0.2 + -0.6]),
        ("a a b", [-0.3, -0.1 + -0.8, -0.25, -0.05 + -0.4]),
        ("x a", [-0.3 + -1.0, -0.5, -0.2 + -0.6]),  # nothing is known after <unk>
    ],
)
def test_hand_computed_sentences(sentence, log10):
    lm = trigram_model()
    assert lm.score(sentence) / math.log(10) == pytest.approx(sum(log10), rel=1e-6)
    assert lm.score(sentence.split()) == lm.score(sentence)
    assert lm.perplexity([sentence]) == pytest.approx(10 ** (-sum(log10) / len(log10)), rel=1e-6)


def test_fit_counts_unknown_tokens_apart():
    lm = trigram_model()
    fit = lm.fit(["a b", "x a"])
    assert (fit.sentences, fit.tokens, fit.unknown) == (2, 6, 1)
    assert fit.log_prob_unknown / math.log(10) == pytest.approx(-1.3, rel=1e-6)
    known = (fit.log_prob - fit.log_prob_unknown) / 5
    assert fit.perplexity_known == pytest.approx(math.exp(-known))
    assert fit.perplexity == pytest.approx(lm.perplexity(["a b", "x a"]))


def test_the_perplexity_of_known_tokens_where_unknown_ones_are_impossible():
    log_probs = np.array([-np.inf, 0, *np.log([0.2, 0.3, 0.3, 0.2])], np.float32)
    unigrams = Ngrams(np.arange(6, dtype=np.int32)[:, None], log_probs, np.zeros(6, np.float32))
    fit = NgramLM(WORDS, [unigrams]).fit(["a x b"])
    assert fit.unknown == 1
    assert fit.log_prob == fit.log_prob_unknown == -math.inf
    assert fit.perplexity_known == pytest.approx((0.3 * 0.3 * 0.2) ** (-1 / 3))


def test_start_and_end_may_be_left_out():
    lm = trigram_model()
    assert lm.score("a", start=False, end=False) / math.log(10) == pytest.approx(-0.5)
    assert lm.score("a", end=False) / math.log(10) == pytest.approx(-0.3)


def test_columns_map_labels_to_tokens_with_repeats_and_unknown_ones():
    lm = trigram_model()
    columns = lm.tokens(["?", "b", "a", "b", "!"])
    assert columns.tolist() == [0, 4, 3, 4, 0]
    for arrays in (lm.arrays(columns), lm.arrays(columns, table_bytes=0)):
        for state in range(len(arrays.backoffs)):
            for column, token in enumerate(columns):
                expected = lm.step(state, token)
                assert ngram_step(arrays, state, column) == pytest.approx(expected, rel=1e-6)


def test_states_are_shared_by_histories_with_the_same_future():
    lm = trigram_model()
    token = dict(zip(lm.vocabulary, range(5), strict=True))
    after_b = lm.step(0, token["b"])[1]
    assert lm.step(lm.step(0, token["a"])[1], token["a"])[1] == lm.step(0, token["a"])[1]
    assert lm.step(after_b, token["b"])[1] == after_b
    assert lm.step(after_b, token["</s>"])[1] == 0


def test_a_blank_is_written_space():
    lm = NgramLM.train([["a", " ", "b"]], order=2)
    assert "<space>" in lm.vocabulary
    assert " " in lm
    assert "x" not in lm
    assert lm.tokens([" "])[0] == lm.vocabulary.index("<space>")


def test_a_vocabulary_without_sentence_ends_is_refused():
    with pytest.raises(InputError, match="lacks <s>"):
        NgramLM(["<unk>", "a"], [])


@pytest.mark.parametrize("order", [2, 3, 5])
def test_kenlm_gives_the_same_scores(tmp_path, order):
    """Trained models, then random numbers in place of the estimates (KenLM wants all suffixes)."""
    kenlm = pytest.importorskip("kenlm", reason="KenLM is not installed")
    random = np.random.default_rng(order)

    def sentences(symbols, count):
        return ["".join(random.choice(list(symbols), random.integers(9))) for _ in range(count)]

    lm, path = NgramLM.train(sentences("abcd", 30), order), tmp_path / "lm.arpa"
    for _ in range(3):
        lm.to_arpa(path)
        ours, theirs = NgramLM.from_arpa(path), kenlm.Model(str(path))
        for sentence in sentences("abcdx", 50):
            expected = theirs.score(" ".join(sentence)) * math.log(10)
            assert ours.score(list(sentence)) == pytest.approx(expected, rel=1e-5, abs=1e-5)
        orders = [
            ngrams._replace(
                log_probs=-random.exponential(size=len(ngrams.log_probs)).astype(np.float32),
                backoffs=ngrams.backoffs * random.random(len(ngrams.backoffs), np.float32),
            )
            for ngrams in lm.ngrams()
        ]
        lm = NgramLM(lm.vocabulary, orders)
