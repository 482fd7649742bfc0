"""Chunk by chunk gives what one call gives, and what is called stable does not change."""

from itertools import pairwise

import numpy as np
import pytest

from seqlabel.alphabet import Alphabet
from seqlabel.decoding import BeamDecoder, GreedyDecoder, Lexicon, NgramLM
from seqlabel.errors import InputError

ALPHABET = Alphabet("abc ", "character")
WORDS = ["a", "ab", "abc", "ca", "cab", "b"]
LM = NgramLM.train([list("ab ca"), list("cab a"), list("abc b")], 2, "abc ")


def make(kind):
    if kind == "greedy":
        return GreedyDecoder(ALPHABET)
    if kind == "lexicon":
        return BeamDecoder(ALPHABET, 12, lexicon=Lexicon.from_words(ALPHABET, WORDS), bonus=0.5)
    return BeamDecoder(ALPHABET, 8, lm=LM if kind == "lm" else None, label_count=3)


@pytest.mark.parametrize("kind", ["greedy", "beam", "lm", "lexicon"])
@pytest.mark.parametrize("seed", range(5))
def test_any_chunking_gives_what_one_call_gives(kind, seed):
    rng = np.random.default_rng(seed)
    log_probs = np.log(rng.dirichlet(np.full(5, 0.2), 60) + 1e-9)
    log_probs -= np.logaddexp.reduce(log_probs, axis=1, keepdims=True)
    decoder = make(kind)
    (whole,) = decoder.decode(log_probs[None], [60])
    stream, stable = decoder.stream(), ()
    borders = [0, *sorted(rng.integers(0, 61, rng.integers(0, 30))), 60]
    for start, end in pairwise(borders):
        stream.push(log_probs[start:end])
        assert stream.stable()[: len(stable)] == stable
        stable = stream.stable()
        assert stream.partial().labels[: len(stable)] == stable
    assert stream.finish() == whole
    assert whole.labels[: len(stable)] == stable
    assert kind == "lexicon" or len(stable) > 2


def test_partial_results_leave_the_end_of_the_sentence_open():
    lm = NgramLM.train([["a", "b"]] * 9, 2, "ab")
    decoder = BeamDecoder(Alphabet("ab", "character"), 10, lm=lm)
    stream = decoder.stream()
    stream.push(np.log([[0.2, 0.6, 0.2]]))
    assert stream.partial().text == "a"
    assert stream.partial().log_prob == pytest.approx(np.log(0.6) + lm.score("a", end=False))
    assert stream.finish().log_prob == pytest.approx(np.log(0.6) + lm.score("a"))


@pytest.mark.parametrize("optional", [False, True])
@pytest.mark.parametrize("plain", [False, True])
def test_partial_texts_have_the_finished_words_and_the_labels_of_the_next(optional, plain):
    """Of words that are not spelled as they are written; the separator is in neither."""
    phones = Alphabet(["sil", "hh", "ah", "l", "ow"], "phone")
    spelled = {"hello": [("hh", "ah", "l", "ow")], "low": [("l", "ow")]}
    decoder = BeamDecoder(phones, 20, lexicon=Lexicon(phones, spelled, "sil", optional))
    said = ["hh", "ah", "l", "ow", "sil", "l", "ow"]
    expected = ["hh", "hh ah", "hh ah l", "hh ah l ow", "hello", "hello l", "hello l ow"]
    if optional:
        said, expected = ["sil", *said], ["", *expected]
    probs = np.full((len(said), 6), 1e-6)
    probs[range(len(said)), phones.encode(said)] = 1 - 5e-6
    stream = decoder.stream()
    if plain:
        stream._search = decoder.plain_search()
    texts = []
    for frame in np.log(probs):
        stream.push(frame[None])
        texts.append(stream.partial().text)
    assert texts == expected
    assert stream.finish().text == "hello low"


@pytest.mark.parametrize("kind", ["greedy", "beam"])
def test_bad_chunks_are_named_and_not_read(kind):
    stream = make(kind).stream()
    with pytest.raises(InputError, match="no frames"):
        stream.finish()
    good = np.log(np.full((3, 5), 0.2))
    stream.push(good[:0])
    with pytest.raises(InputError, match="no frames"):
        stream.finish()
    stream.push(good)
    before = stream.finish()
    for chunk, message in (
        (good[:, :4], "4 labels, the alphabet 5"),
        (good[None], r"expected \(T, K\)"),
        (np.full((2, 5), np.nan), "NaN"),
        (good + 1, "positive|sum to"),
    ):
        with pytest.raises(InputError, match=message):
            stream.push(chunk)
    assert stream.finish() == before
