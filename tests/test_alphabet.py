"""The alphabet: indices, errors, round trips."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlabel.alphabet import BLANK, Alphabet
from seqlabel.errors import InputError


def test_blank_is_zero_and_symbols_begin_at_one():
    alphabet = Alphabet(["aa", "b", "sil"], "phone")
    assert BLANK == 0
    assert len(alphabet) == 4
    assert alphabet.encode(["sil", "aa"]) == [3, 1]
    assert alphabet.decode([3, 1]) == ("sil", "aa")
    assert alphabet.metric == "PER"
    assert alphabet.text(["aa", "b"]) == "aa b"
    assert alphabet.split(" aa  b ") == ("aa", "b")


def test_characters_join_without_gaps():
    alphabet = Alphabet("ab ", "character")
    assert alphabet.text("a b") == "a b"
    assert alphabet.split("a b") == ("a", " ", "b")


@given(st.lists(st.text(min_size=1).filter(lambda s: s.split() == [s]), min_size=1, unique=True))
def test_encode_and_decode_are_inverse(symbols):
    alphabet = Alphabet(symbols)
    assert alphabet.decode(alphabet.encode(symbols)) == tuple(symbols)


@pytest.mark.parametrize(
    ("symbols", "unit", "message"),
    [
        (["a", "a"], "symbol", "'a' occurs twice"),
        ([], "symbol", "no symbols"),
        (["a", ""], "symbol", "symbol 2 is ''"),
        (["ab"], "character", "not one character"),
        (["a b"], "phone", "white space"),
        (["a"], "letter", "unit 'letter'"),
    ],
)
def test_unfit_symbols_are_refused(symbols, unit, message):
    with pytest.raises(InputError, match=message):
        Alphabet(symbols, unit)


def test_unknown_symbol_and_index_are_named():
    alphabet = Alphabet("ab")
    with pytest.raises(InputError, match=r"utt7: symbol 'c' is not in the alphabet"):
        alphabet.encode("abc", "utt7")
    for index in (0, 3, -1):
        with pytest.raises(InputError, match=f"index {index} "):
            alphabet.decode([index])


def test_files_declare_the_blank(tmp_path):
    path = tmp_path / "alphabet.json"
    alphabet = Alphabet(["\\frac", '"', "é"], "symbol")
    alphabet.save(path)
    assert Alphabet.load(path) == alphabet
    assert Alphabet.load(path).fingerprint == alphabet.fingerprint
    path.write_text('{"unit": "symbol", "blank": 3, "symbols": ["a"]}')
    with pytest.raises(InputError, match="blank is 3"):
        Alphabet.load(path)
    path.write_text("[1]")
    with pytest.raises(InputError, match="not an alphabet"):
        Alphabet.load(path)
