"""LaTeX as tokens: what is one token, what is dropped, what is refused, one spelling of each."""

import csv

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seqlabel.alphabet import Alphabet
from seqlabel.alphabet.latex import join_latex, plain_latex, split_latex
from seqlabel.errors import InputError

FORMULAS = {
    r"$\frac{1}{\pi}$": r"\frac { 1 } { \pi }",
    r"\sin x": r"\sin x",
    r"\sinh": r"\sinh",
    r"a\,b\;c\!d\ e~f\quad g": "a b c d e f g",
    r"\{x\}": r"\{ x \}",
    r"\mathbb{R}^n": r"\mathbb{R} ^ n",
    r"\mathbb{AB}": r"\mathbb { A B }",
    r"\begin{matrix}a&b\\c&d\end{matrix}": r"\begin{matrix} a & b \\ c & d \end{matrix}",
    r"\operatorname*{argmax}": r"\operatorname* { a r g m a x }",
    r"\\alpha": r"\\ a l p h a",
    "12.5 < 3": r"1 2 . 5 < 3",
    "": "",
}


@pytest.mark.parametrize("formula", FORMULAS)
def test_tokens(formula):
    assert list(split_latex(formula)) == FORMULAS[formula].split()


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        (r"x_{1}}", "unbalanced braces: } at character 6 without its {"),
        (r"\frac{1}{2", "unbalanced braces: 1 not closed, { first"),
        (r"{\begin{matrix}a}", "} at character 17 without its {"),
        (r"\begin{matrix}a\end{array}", "without its \\begin{array}"),
        (r"\end{matrix}", "without its \\begin{matrix}"),
        ("x" * 80 + "{", "xxx...' has unbalanced"),
        ("x\\", "ends in the middle of a command"),
        ("{" * 1000 + "}" * 1000, "has groups nested deeper than 100"),
    ],
)
def test_what_is_refused(formula, words):
    with pytest.raises(InputError) as caught:
        split_latex(formula)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


PLAIN = {
    "x^2": "x^{2}",
    "x^{2}_1": "x_{1}^{2}",
    r"\frac12": r"\frac{1}{2}",
    r"\frac\pi{ab}": r"\frac{\pi}{ab}",
    r"\sqrt x": r"\sqrt{x}",
    r"\sqrt[3]{x}": r"\sqrt[3]{x}",
    r"\sqrt\frac12": r"\sqrt{\frac{1}{2}}",
    r"{a}+{{b}}": "a+b",
    "f'(x)": r"f^{\prime}(x)",
    "f''": r"f^{\prime\prime}",
    "f'^2": r"f^{\prime2}",
    "{f'}^2": r"f^{\prime2}",
    r"\left( \mbox{d} \right)": "(d)",
    r"\int\limits_{0}^{1}": r"\int_{0}^{1}",
    r"\sum _{i} ^{ n} i": r"\sum_{i}^{n}i",
    "^2": "^{2}",
    "x^": "x^{}",
    r"\frac": r"\frac{}{}",
    r"{\frac}1": r"\frac{}{}1",
}


@pytest.mark.parametrize("formula", PLAIN)
def test_one_spelling(formula):
    plain = plain_latex(split_latex(formula))
    assert join_latex(plain) == PLAIN[formula]
    assert plain_latex(plain) == plain


def test_an_optional_argument_that_does_not_end():
    with pytest.raises(InputError, match=r"\\sqrt\[ without its \]"):
        plain_latex(split_latex(r"\sqrt[3"))


PIECES = [
    "x", "2", "+", "\\alpha", "\\sin", "\\{", "\\\\", "_", "^", "{", "}", "{", "}", "\\frac",
    "\\sqrt", "[", "]", "'", "\\mbox", "\\mathbb", "\\begin{matrix}", "\\end{matrix}", "\\!",
]  # fmt: skip


@example(["\\frac", "\\begin{matrix}", "\\end{matrix}"])
@example(
    ["\\begin{matrix}", "\\frac", "x", "\\end{matrix}", "^", "\\begin{matrix}", "\\end{matrix}"]
)
@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_tokens_join_to_a_formula_of_the_same_tokens(pieces):
    try:
        tokens = split_latex(" ".join(pieces))
    except InputError:
        return
    assert split_latex(join_latex(tokens)) == tokens
    try:
        plain = plain_latex(tokens)
    except InputError:
        assert "\\sqrt" in tokens
        return
    assert split_latex(join_latex(plain)) == plain
    assert plain_latex(plain) == plain


def test_an_alphabet_of_tokens():
    tokens = split_latex(r"\frac{\pi}{x}")
    alphabet = Alphabet(sorted({*tokens}), unit="latex")
    assert alphabet.metric == "TER"
    assert alphabet.text(tokens) == r"\frac{\pi}{x}"
    assert alphabet.split(r"\frac {\pi} x") == (*tokens[:4], "x")
    assert alphabet.inkless == {"{", "}", "^", "_"}


def test_every_formula_of_crohme(crohme):
    """All but the two with a brace too many."""
    with open(crohme / "manifest.tsv", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    refused = []
    for row in rows:
        try:
            tokens = split_latex(row["latex"].removesuffix("\\"))
        except InputError:
            refused.append(row["file"])
            continue
        plain = plain_latex(tokens)
        assert split_latex(join_latex(tokens)) == tokens
        assert plain_latex(split_latex(join_latex(plain))) == plain
    assert len(refused) == 2
