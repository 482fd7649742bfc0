"""Kneser-Ney estimates against the formulas written out with dictionaries, and by hand."""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlabel.decoding.lm.kneser_ney import FALLBACK_DISCOUNTS, discounts
from seqlabel.decoding.lm.ngram import NgramLM
from seqlabel.errors import InputError

sentences_strategy = st.lists(st.lists(st.sampled_from("abcd"), max_size=6), min_size=1, max_size=8)


def probability_by_formulas(sentences, order, word, context):
    """p(word | context), Chen & Goodman's equations 27-29 with sums over dictionaries."""
    padded = [("<s>", *sentence, "</s>") for sentence in sentences]
    raw = Counter(
        s[i : i + n] for s in padded for n in range(1, order + 1) for i in range(len(s) - n + 1)
    )
    before = defaultdict(set)
    for gram in raw:
        before[gram[1:]].add(gram[0])

    def count(gram):
        if gram == ("<s>",):
            return 0  # never predicted
        return raw[gram] if len(gram) == order or gram[0] == "<s>" else len(before[gram])

    vocabulary = {w for s in padded for w in s} - {"<s>"} | {"<unk>"}

    def p(word, context):
        n = len(context) + 1
        grams = [gram for gram in raw if len(gram) == n]
        d = discounts(np.array([count(gram) for gram in grams], int))
        lower = p(word, context[1:]) if context else 1 / len(vocabulary)
        followers = [count((*context, w)) for w in vocabulary]
        total = sum(followers)
        if not total:
            return lower
        own = count((*context, word))
        left = sum(d[min(c, 3)] for c in followers)
        return (own - d[min(own, 3)]) / total + left / total * lower

    return p(word, context[max(0, len(context) - order + 1) :])


@settings(max_examples=40, deadline=None)
@given(sentences_strategy, st.integers(1, 4), st.lists(st.sampled_from("abcd"), max_size=4))
def test_probabilities_equal_the_formulas(sentences, order, context):
    lm = NgramLM.train(sentences, order)
    state = lm.start
    for token in lm.tokens(context):
        _, state = lm.step(state, token)
    seen = {symbol for sentence in sentences for symbol in sentence}
    history = ("<s>", *(symbol if symbol in seen else "<unk>" for symbol in context))
    for word in ("a", "d", "</s>"):
        if word in lm:
            ours = math.exp(lm.step(state, lm.vocabulary.index(word))[0])
            assert ours == pytest.approx(
                probability_by_formulas(sentences, order, word, history), rel=1e-5
            )


@settings(max_examples=40, deadline=None)
@given(sentences_strategy, st.integers(1, 5), st.sampled_from([None, "ab", "abcdefg"]))
def test_every_context_sums_to_one(sentences, order, vocabulary):
    lm = NgramLM.train(sentences, order, vocabulary)
    arrays = lm.arrays()
    predicted = [i for i, word in enumerate(lm.vocabulary) if word != "<s>"]
    sums = np.exp(arrays.table_log_probs[:, predicted].astype(float)).sum(axis=1)
    np.testing.assert_allclose(sums, 1.0, atol=1e-6)


def test_hand_computed_bigram():
    """Sentences ab, ab, a: the discounts fall back to 1/2, 1, 3/2; the words are a b </s> <unk>.

    Bigrams <s>a 3, ab 2, a</s> 1, b</s> 2. Seen before, distinct: a 1, b 1, </s> 2; sum 4.
    Unigrams: left over (1/2 + 1/2 + 1)/4 = 1/2, spread over 4: 1/8 each.
    """
    lm = NgramLM.train([["a", "b"], ["a", "b"], ["a"]], order=2)
    unigram = {"a": 0.5 / 4 + 1 / 8, "b": 0.5 / 4 + 1 / 8, "</s>": 1 / 4 + 1 / 8, "<unk>": 1 / 8}
    for word, p in unigram.items():
        assert math.exp(lm.step(0, lm.vocabulary.index(word))[0]) == pytest.approx(p, rel=1e-6)
    # After <s>: (3 - 3/2)/3 + (3/2)/3 p(a) = 5/8. After a: total 3, left over 3/2.
    # p(b|a) = (2 - 1)/3 + 1/2 p(b) = 11/24, p(</s>|a) = (1 - 1/2)/3 + 1/2 p(</s>) = 17/48.
    # After b: (2 - 1)/2 + 1/2 p(</s>) = 11/16.
    expected = math.log(5 / 8 * 11 / 24 * 11 / 16)
    assert lm.score("a b") == pytest.approx(expected, rel=1e-6)
    assert lm.score("a") == pytest.approx(math.log(5 / 8 * 17 / 48), rel=1e-6)
    assert lm.score("b", end=False) == pytest.approx(math.log(0.5 * 1 / 4), rel=1e-6)


def test_discounts_by_chen_and_goodmans_formula():
    counts = np.repeat([1, 2, 3, 4, 9], [100, 40, 20, 10, 5])
    y = 100 / 180
    expected = [0, 1 - 2 * y * 0.4, 2 - 3 * y * 0.5, 3 - 4 * y * 0.5]
    np.testing.assert_allclose(discounts(counts), expected, rtol=1e-12)


@pytest.mark.parametrize("counts", [[], [1], [5, 6, 7], [1, 1, 2, 3], [1, 2, *[3] * 9, 4]])
def test_discounts_fall_back_where_counts_are_few(counts):
    assert discounts(np.array(counts, int)).tolist() == [0.0, *FALLBACK_DISCOUNTS]


def test_a_given_vocabulary_is_closed_and_complete():
    lm = NgramLM.train([["a", "z", "b"]], order=3, vocabulary=["a", "b", "c", " "])
    assert lm.vocabulary == ("<unk>", "<s>", "</s>", "a", "b", "c", "<space>")
    assert lm.score("a z b") > lm.score("a c b")  # <unk> was seen there, c never


def test_orders_beyond_the_longest_sentence_add_nothing(tmp_path):
    sentences = [["a"], ["b"]]
    short, long = NgramLM.train(sentences, 3), NgramLM.train(sentences, 6)
    assert long.score("a b") == pytest.approx(short.score("a b"), rel=1e-6)
    long.to_arpa(tmp_path / "lm.arpa")
    assert NgramLM.from_arpa(tmp_path / "lm.arpa").order == 6


def test_longer_contexts_predict_an4_better(an4):
    """On AN4's spelled words every order up to 5 lowers the perplexity of the test set."""

    def sentences(name, first, last):
        lines = (an4 / "etc" / f"an4_{name}.transcription").read_text().splitlines()
        return [list(" ".join(line.split()[first:last])) for line in lines]

    train, test = sentences("train", 1, -2), sentences("test", 0, -1)
    perplexities = [NgramLM.train(train, n).perplexity(test) for n in range(1, 6)]
    assert perplexities == sorted(perplexities, reverse=True)
    assert perplexities[0] > 15 > 3 > perplexities[-1]


def test_bad_input():
    with pytest.raises(InputError, match="order 0"):
        NgramLM.train([["a"]], order=0)
    with pytest.raises(InputError, match="no sentences"):
        NgramLM.train([], order=2)
    with pytest.raises(InputError, match="sentence 2: has <s>"):
        NgramLM.train([["a"], ["<s>", "a"]], order=2)
    with pytest.raises(InputError, match="white space"):
        NgramLM.train([["a b"]], order=2)
