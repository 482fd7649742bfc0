"""The decoder that the command line asks for, and the words in which a report names it."""

import argparse
from types import SimpleNamespace

import numpy as np
import pytest

from seqlabel.alphabet import Alphabet
from seqlabel.cli.decoders import add_decoder_arguments, make_decoder
from seqlabel.decoding import NgramLM
from seqlabel.errors import InputError

LETTERS = Alphabet("ab ", "character")
PHONES = Alphabet(["ab", "ih", "sil"], "phone")


class Transducer:
    """A network whose labels have no frames of their own."""

    per_label = False

    def decoder(self, alphabet, beam):
        return ("beam", alphabet, beam)


def made(arguments, alphabet=LETTERS, network=None, values=None):
    parser = argparse.ArgumentParser()
    add_decoder_arguments(parser)
    recognizer = SimpleNamespace(
        alphabet=alphabet, network=network or SimpleNamespace(per_label=True),
        decoder="greedy one", values=values,
    )  # fmt: skip
    return make_decoder(parser.parse_args([str(a) for a in arguments]), recognizer)


@pytest.fixture
def files(tmp_path):
    """A lexicon and language models over labels and words."""
    (tmp_path / "words.txt").write_text("ab\nba\n")
    (tmp_path / "phones.txt").write_text("abbey ab ih\n")
    NgramLM.train([list("ab ba")], 2, LETTERS.symbols).to_arpa(tmp_path / "labels.arpa")
    NgramLM.train([["ab", "ba"]], 1, ["ab", "ba"]).to_arpa(tmp_path / "words.arpa")
    return tmp_path


def test_transducers_decode_by_themselves():
    assert made([], network=Transducer()) == ("greedy one", "transducer, greedy")
    assert made(["--beam", 7], network=Transducer()) == (
        ("beam", LETTERS, 7),
        "transducer, beam 7",
    )


def test_a_report_names_all_that_the_result_depends_on(files):
    decoder, words = made([
        "--beam", 20, "--lexicon", files / "words.txt", "--word-lm", files / "words.arpa",
        "--lm-weight", 0.5, "--unknown-penalty", 9, "--bonus", 1.5,
    ])  # fmt: skip
    assert words == (
        "beam 20, 2 words of words.txt, other words for 9, 1-gram over words words.arpa x 0.5, "
        "bonus 1.5"
    )
    log_probs = np.log(np.full((1, 5, 4), 0.01) + 0.96 * np.eye(4)[None, [1, 2, 3, 2, 1]])
    (result,) = decoder.decode(log_probs, [5])
    assert result.text == "ab ba"
    assert made(["--beam", 3, "--lm", files / "labels.arpa"])[1] == (
        "beam 3, 2-gram over labels labels.arpa x 1"
    )
    assert made([])[1] == "greedy"


def test_between_words_of_phones_there_may_be_silence(files):
    decoder, _ = made(["--beam", 9, "--lexicon", files / "phones.txt"], PHONES)
    for path in ([1, 2, 1, 2], [3, 1, 2, 3, 1, 2]):
        log_probs = np.log(np.full((1, len(path), 4), 0.01) + 0.96 * np.eye(4)[None, path])
        (result,) = decoder.decode(log_probs, [len(path)])
        assert [label for label in result.labels if label != "sil"] == ["ab", "ih"] * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lm", "a.arpa"], "--lm needs a beam search: add --beam 50"),
        (
            ["--beam", 5, "--lexicon", "w.txt", "--lm", "a.arpa"],
            "--lm is over labels; with --lexicon use --word-lm",
        ),
        (["--beam", 5, "--word-lm", "a.arpa"], "--word-lm is over words: add --lexicon"),
        (["--beam", 5, "--lm-weight", 2], "--lm-weight needs --lm or --word-lm"),
    ],
)
def test_options_that_contradict_each_other(arguments, message):
    with pytest.raises(InputError, match=message):
        made(arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--beam", 5, "--bonus", 1], "--bonus is not for transducers: leave it out"),
        (["--beam", 0], "--beam 0: must be at least 1"),
    ],
)
def test_options_that_a_transducer_does_not_take(arguments, message):
    with pytest.raises(InputError, match=message):
        made(arguments, network=Transducer())


def test_models_of_values_have_no_decoder():
    with pytest.raises(InputError, match="predicts values, not labels"):
        made([], values=object())


def test_models_of_other_symbols(files, caplog):
    with pytest.raises(InputError, match=r"words\.arpa: contains none of the 3 labels or words"):
        made(["--beam", 5, "--lm", files / "words.arpa"])
    NgramLM.train([["a"]], 1, ["a"]).to_arpa(files / "a.arpa")
    made(["--beam", 5, "--lm", files / "a.arpa"])
    assert (
        "a.arpa: contains only 1 of 3 labels or words; the others count as unknown" in caplog.text
    )
