"""ARPA files: what is read, what is written, and what each kind of damage says."""

import gzip
import math
import re

import numpy as np
import pytest

from seqlabel.decoding.lm.arpa import read_arpa
from seqlabel.decoding.lm.ngram import NgramLM
from seqlabel.errors import InputError

ARPA = """\
free text, with traps: \\1-grams: and
ngram 1=nr            # number of 1-grams
\\1-grams:
\\data\\
ngram 1=5
ngram 2=4
ngram 3=1

\\1-grams:
-1.0\t<unk>
-99\t<s>\t-0.3
-0.6\t</s>
-0.5\ta\t-0.2
-0.7\tb\t-0.4

\\2-grams:
-0.3\t<s> a\t-0.1
-0.25\ta b\t-0.05
-0.4\tb </s>
-0.8\ta a

\\3-grams:
-0.11\t<s> a b

\\end\\
"""


def write(tmp_path, text, name="lm.arpa"):
    path = tmp_path / name
    path.write_bytes(text.encode())
    return path


def test_reads_vocabulary_tokens_and_natural_logarithms(tmp_path):
    vocabulary, orders = read_arpa(write(tmp_path, ARPA))
    assert vocabulary == ("<unk>", "<s>", "</s>", "a", "b")
    assert [len(ngrams.tokens) for ngrams in orders] == [5, 4, 1]
    assert orders[2].tokens.tolist() == [[1, 3, 4]]
    np.testing.assert_allclose(orders[2].log_probs, [-0.11 * math.log(10)], rtol=1e-6)
    np.testing.assert_allclose(orders[1].backoffs / math.log(10), [-0.1, -0.05, 0, 0], rtol=1e-6)
    assert orders[1].first_line == 17


def test_gzip_windows_line_ends_and_spaces_read_the_same(tmp_path):
    plain = NgramLM.from_arpa(write(tmp_path, ARPA))
    zipped = tmp_path / "lm.arpa.gz"
    zipped.write_bytes(gzip.compress(ARPA.encode()))
    variants = [
        zipped,
        write(tmp_path, ARPA.replace("\n", "\r\n"), "crlf"),
        write(tmp_path, ARPA.replace("\t", "  "), "spaces"),
        write(tmp_path, ARPA.replace("ngram 1=5", "ngram  1 = 5"), "loose"),
        write(tmp_path, ARPA.replace("<unk>", "<UNK>"), "upper"),
        write(tmp_path, ARPA.rstrip("\n"), "no newline"),
        write(tmp_path, "\ufeff" + ARPA.lstrip("\n"), "byte order mark"),
    ]
    for path in variants:
        assert NgramLM.from_arpa(path).score("a b a x") == plain.score("a b a x")


def test_blank_lines_after_the_head_of_a_section_are_passed_over(tmp_path, caplog):
    plain = NgramLM.from_arpa(write(tmp_path, ARPA))
    text = ARPA.replace("2-grams:\n", "2-grams:\n\n \n").replace("1-grams:\n-", "1-grams:\n\n-")
    lm = NgramLM.from_arpa(write(tmp_path, text, "blank"))
    assert lm.score("a b a x") == plain.score("a b a x")
    assert [record.getMessage().rpartition("/")[2] for record in caplog.records] == [
        "blank:10: blank line in the 1-grams",
        "blank:19: blank line in the 2-grams",
    ]
    with pytest.raises(InputError, match=r":21: '-0\.2x5' is not a number"):
        NgramLM.from_arpa(write(tmp_path, text.replace("-0.25", "-0.2x5"), "blank"))


def test_without_start_sentences_begin_without_a_context(tmp_path, caplog):
    """Models over characters have no <s>: what would follow it backs off to its 1-gram."""
    text = "\\data\\\nngram 1=3\nngram 2=1\n\n\\1-grams:\n-0.6\t</s>\n-0.5\ta\t-0.2\n-0.7\tb\n"
    lm = NgramLM.from_arpa(write(tmp_path, text + "\n\\2-grams:\n-0.25\ta  b\n\\end\\\n"))
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [
        "no <s>; sentences begin without a context"
    ]
    assert lm.score("a b") / math.log(10) == pytest.approx(-0.5 - 0.25 - 0.6, rel=1e-6)
    assert lm.score("b") / math.log(10) == pytest.approx(-0.7 - 0.6, rel=1e-6)


def test_n_grams_of_a_section_may_come_in_any_order(tmp_path):
    lines = ARPA.split("\n")
    shuffled = [*lines[:9], *lines[13:8:-1], *lines[14:16], *lines[19:15:-1], *lines[20:]]
    assert sorted(shuffled) == sorted(lines)
    assert shuffled != lines
    plain = NgramLM.from_arpa(write(tmp_path, ARPA))
    other = NgramLM.from_arpa(write(tmp_path, "\n".join(shuffled), "shuffled"))
    for sentence in ("", "a b", "b a a b", "x a b x"):
        assert other.score(sentence) == pytest.approx(plain.score(sentence), rel=1e-12)


def test_a_file_without_unknown_word_gets_one_at_minus_100(tmp_path):
    text = ARPA.replace("-1.0\t<unk>\n", "").replace("ngram 1=5", "ngram 1=4")
    lm = NgramLM.from_arpa(write(tmp_path, text))
    assert lm.vocabulary[0] == "<unk>"
    assert lm.score("x", start=False, end=False) / math.log(10) == pytest.approx(-100)


def test_words_are_separated_by_ascii_blanks_only(tmp_path):
    text = ARPA.replace("b", "b\u00a0\u3000c")
    lm = NgramLM.from_arpa(write(tmp_path, text))
    assert "b\u00a0\u3000c" in lm
    assert lm.score(["a", "b\u00a0\u3000c"]) / math.log(10) == pytest.approx(-0.86, rel=1e-6)


def test_the_an4_model_whose_preface_explains_the_format(an4):
    lm = NgramLM.from_arpa(an4 / "etc" / "an4.lm")
    assert (lm.order, len(lm.vocabulary), len(lm)) == (2, 107, 108)
    assert lm.score("") == 0.0  # its one bigram: </s> after <s> is certain
    assert lm.score("YES") / math.log(10) == pytest.approx(-2 * 2.0253, rel=1e-6)


@pytest.mark.parametrize("name", ["out.arpa", "out.arpa.gz"])
def test_round_trip_keeps_every_number(tmp_path, name):
    lm = NgramLM.from_arpa(write(tmp_path, ARPA))
    lm.to_arpa(tmp_path / name)
    again = NgramLM.from_arpa(tmp_path / name)
    assert again.vocabulary == lm.vocabulary
    for ours, theirs in zip(lm.ngrams(), again.ngrams(), strict=True):
        np.testing.assert_array_equal(ours.tokens, theirs.tokens)
        np.testing.assert_allclose(ours.log_probs, theirs.log_probs, rtol=1e-6)
        np.testing.assert_allclose(ours.backoffs, theirs.backoffs, rtol=1e-6)
    assert ours.tokens.tolist() == [[1, 3, 4]]


def without(text, line):
    assert line in text
    return text.replace(line, "", 1)


DAMAGE = {
    "empty": ("", "no .data. line"),
    "no model": ("hello\n", "no .data. line"),
    "cut in the head": (ARPA[: ARPA.index("ngram 3")], ":6: the file ends here"),
    "cut in a section": (ARPA[: ARPA.index("-0.25")], ":17: cut off after 1 of 4 2-grams"),
    "cut in a line": (ARPA[: ARPA.index("b\t-0.05")], ":18: .* is not a line of a 2-gram"),
    "cut before the end": (without(ARPA, "\\end\\\n"), ":24: the file ends here without .end."),
    "cut in a number": (ARPA[: ARPA.index("1\t<s> a b")], ":23: '-0.1' is not a line of a 3-gram"),
    "count too small": (ARPA.replace("ngram 2=4", "ngram 2=3"), ":20: more than the 3 2-grams"),
    "count too large": (ARPA.replace("ngram 2=4", "ngram 2=5"), ":21: 4 2-grams, .* says 5"),
    "counts permuted": (
        ARPA.replace("ngram 2=4\nngram 3=1", "ngram 3=1\nngram 2=4"),
        ":6: 'ngram 3=1' out of order",
    ),
    "no counts": (re.sub("ngram .=.\n", "", ARPA), "no 'ngram 1=COUNT'"),
    "section missing": (
        without(ARPA, "\\3-grams:\n-0.11\t<s> a b\n"),
        ":23: .*; expected .*3-grams:",
    ),
    "sections not sorted": (
        ARPA.replace("\\2-grams:", "\\9-grams:")
        .replace("\\3-grams:", "\\2-grams:")
        .replace("\\9-grams:", "\\3-grams:"),
        ":16: .*3-grams:.*; expected .*2-grams:",
    ),
    "word twice": (ARPA.replace("-0.7\tb", "-0.7\ta"), ":14: .*'a' occurs twice|not among"),
    "n-gram twice": (ARPA.replace("a a\n", "a b\n"), ":20: the 2-gram 'a b' occurs twice"),
    "unknown word": (ARPA.replace("a a\n", "a c\n"), ":20: 'c' is not among the 1-grams"),
    "no context": (
        ARPA.replace("<s> a b\n", "b a b\n"),
        ":23: the 3-gram 'b a b' has no context 'b a' among the 2-grams",
    ),
    "no number": (ARPA.replace("-0.25", "-0.2x5"), ":18: '-0.2x5' is not a number"),
    "no back-off number": (ARPA.replace("-0.05", "much"), ":18: 'much' is not a number"),
    "not a number": (ARPA.replace("-0.25", "nan"), ":18: log10 probability nan"),
    "above one": (ARPA.replace("-0.25", "0.25"), ":18: log10 probability 0.25"),
    "infinite back-off": (ARPA.replace("-0.05", "-inf"), ":18: .*back-off -inf"),
    "beyond float32": (ARPA.replace("-0.25", "-1e39"), ":18: -1e.39 .*beyond the range of float32"),
    "back-off beyond": (
        ARPA.replace("-0.05", "1.5e38"),
        ":18: .*1.5e.38: beyond the range of float32",
    ),
    "blank in a section": (ARPA.replace("-0.4\tb", "\n-0.4\tb"), ":19: 2 2-grams, .* says 4"),
    "no end": (ARPA.replace("</s>", "s"), "no </s> among the 1-grams"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_an_error_with_file_and_line(tmp_path, damage):
    text, message = DAMAGE[damage]
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        NgramLM.from_arpa(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_cut_off_anywhere_is_an_error(tmp_path):
    """Losing any number of bytes from the end, but the last line's, never goes unnoticed."""
    for length in range(len(ARPA) - len("\n"), 0, -2):
        if ARPA[:length].rstrip("\n").endswith("\\end\\"):
            continue
        with pytest.raises(InputError):
            NgramLM.from_arpa(write(tmp_path, ARPA[:length]))


def test_damaged_gzip_missing_file_and_binary(tmp_path):
    packed = gzip.compress(ARPA.encode())
    (tmp_path / "cut.gz").write_bytes(packed[:-20])
    with pytest.raises(InputError, match=r"cut\.gz: damaged or cut-off gzip"):
        NgramLM.from_arpa(tmp_path / "cut.gz")
    with pytest.raises(InputError, match="no such file"):
        NgramLM.from_arpa(tmp_path / "absent.arpa")
    with pytest.raises(InputError, match="is a folder"):
        NgramLM.from_arpa(tmp_path)
    (tmp_path / "latin1").write_bytes(ARPA.replace("b", "\xe9").encode("latin-1"))
    with pytest.raises(InputError, match=r"latin1:14: .* is not UTF-8"):
        NgramLM.from_arpa(tmp_path / "latin1")
