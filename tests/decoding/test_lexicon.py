"""Search for words against the enumeration of all paths and of all ways to cut them into words."""

import math
from collections.abc import Iterator

import numpy as np
import pytest

from seqlabel.alphabet import Alphabet
from seqlabel.decoding import BeamDecoder, Lexicon, NgramLM
from seqlabel.errors import InputError

ABC = Alphabet("ab|", "character")
SPELLINGS = {"x": ["a"], "y": ["ab", "b"], "z": ["ab"], "w": ["aba"], "v": ["bb"]}
"""y and z share a spelling; y has two; x begins others."""


def cuts(
    labels: str, separator: str | None, optional: bool, unknown: bool = False
) -> Iterator[tuple[str, ...]]:
    """Every sequence of words that a label string may stand for, by recursion."""
    if not labels:
        yield ()
        return
    if optional and labels[0] == separator:
        yield from cuts(labels[1:], separator, optional, unknown)
        return
    for end in range(1, len(labels) + 1):
        piece, rest = labels[:end], labels[end:]
        found = [word for word, all_ in SPELLINGS.items() if piece in all_]
        if not found and unknown and separator not in piece:
            found = [piece]
        if not found:
            continue
        if separator is None or optional or not rest:
            tails = cuts(rest, separator, optional, unknown)
        elif rest[0] == separator and len(rest) > 1:
            tails = cuts(rest[1:], separator, optional, unknown)
        else:
            continue
        for tail in tails:
            for word in found:
                yield (word, *tail)


@pytest.mark.parametrize(
    ("separator", "optional", "penalty"),
    [("|", False, None), (None, False, None), ("|", True, None), ("|", False, 0.7)],
)
@pytest.mark.parametrize("with_lm", [False, True])
def test_n_best_list_equals_the_enumeration(
    separator, optional, penalty, with_lm, all_labellings, random_probs, cases
):
    lexicon = Lexicon(ABC, SPELLINGS, separator, optional)
    for case in cases(100):
        rng = np.random.default_rng([case, with_lm, optional])
        probs = random_probs(rng, int(rng.integers(1, 7)), 4)
        weight, bonus, lm = 1.0, float(rng.uniform(-1, 1)), None
        if with_lm:
            words = [*SPELLINGS, "other"]
            lm = NgramLM.train([rng.choice(words, rng.integers(1, 4)) for _ in range(9)], 2)
            weight = float(rng.uniform(0.1, 2))
        decoder = BeamDecoder(
            ABC, 5000, lexicon=lexicon, lm=lm, lm_weight=weight, bonus=bonus,
            unknown_penalty=penalty, threads=1,
        )  # fmt: skip
        expected = {}
        for labels, p in all_labellings(probs).items():
            if p == 0:
                continue
            spelled = "".join(ABC.decode(labels))
            for words in cuts(spelled, separator, optional, penalty is not None):
                score = math.log(p) + bonus * len(words)
                score += weight * lm.score(words) if lm else 0.0
                score -= (penalty or 0.0) * sum(word not in SPELLINGS for word in words)
                expected[spelled, " ".join(words)] = score
        (best,) = decoder.decode(log(probs)[None], [len(probs)], 2000)
        found = [("".join(r.labels), r.text, r.log_prob) for r in (best, *best.alternatives)]
        if not expected:  # no path spells words alone: the result ends inside one, or is nothing
            unfinished = "".join(best.labels)
            assert not unfinished or not list(cuts(unfinished, separator, optional))
            continue
        got = {(labels, text): score for labels, text, score in found}
        assert len(got) == len(found)
        assert got == pytest.approx(expected, rel=1e-5, abs=1e-5)
        assert [span.label for span in best.words] == best.text.split()


def log(probs: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(probs)


def test_a_word_of_the_lexicon_takes_the_place_of_a_likelier_string():
    alphabet = Alphabet("act ", "character")
    lexicon = Lexicon.from_words(alphabet, ["cat", "act"])
    probs = np.full((7, 5), 0.04)
    for t, label in enumerate("cc-t-at"):  # read without a lexicon: "ctat"
        probs[t, "-act".index(label)] = 0.84
    log_probs = np.log(probs)[None]
    assert BeamDecoder(alphabet).decode(log_probs, [7])[0].text == "ctat"
    (result,) = BeamDecoder(alphabet, lexicon=lexicon).decode(log_probs, [7])
    assert result.text == "cat"
    (word,) = result.words
    assert (word.label, word.start, word.end) == (
        "cat",
        result.spans[0].start,
        result.spans[-1].end,
    )
    assert word.probability == min(span.probability for span in result.spans)
    open_ = BeamDecoder(alphabet, lexicon=lexicon, unknown_penalty=1.0)
    assert open_.decode(log_probs, [7])[0].text == "ctat"


def test_a_bigram_chooses_between_words_of_one_spelling():
    alphabet = Alphabet(["a", "b"], "phone")
    lexicon = Lexicon(alphabet, {"to": ["a"], "two": ["a"], "go": ["b"], "cats": ["bb"]})
    lm = NgramLM.train([["go", "to"], ["two", "cats"], ["two", "cats"]] * 5, 2)
    decoder = BeamDecoder(alphabet, lexicon=lexicon, lm=lm)
    frames = {"ba": [2, 1], "abb": [1, 2, 0, 2]}
    for spelled, text in (("ba", "go to"), ("abb", "two cats")):
        path = frames[spelled]
        probs = np.full((len(path), 3), 0.05)
        probs[np.arange(len(path)), path] = 0.9
        assert decoder.decode(np.log(probs)[None], [len(path)])[0].text == text


def test_unfinished_words_are_given_where_nothing_else_is():
    alphabet = Alphabet("abc ", "character")
    decoder = BeamDecoder(alphabet, 1, lexicon=Lexicon.from_words(alphabet, ["abc"]))
    probs = np.full((2, 5), 1e-12)
    probs[0, 1], probs[1, 2] = 1, 1
    (result,) = decoder.decode(np.log(probs)[None], [2])
    assert (result.text, result.words) == ("ab", ())


def test_files_spell_words_by_labels_or_by_themselves(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("ab\n\nba b a\nba(2) b b\n", encoding="utf-8")
    lexicon = Lexicon.from_file(path, Alphabet("ab ", "character"), " ")
    assert lexicon.words == ("ab", "ba")
    same = Lexicon(Alphabet("ab ", "character"), {"ab": ["ab"], "ba": ["ba", "bb"]}, " ")
    for name in ("child_starts", "child_labels", "child_nodes", "word_starts", "word_ids"):
        np.testing.assert_array_equal(getattr(lexicon, name), getattr(same, name))


@pytest.mark.parametrize(
    ("symbols", "expected"),
    [
        (("a", "b", " "), (" ", False)), (("a", "b", "sil"), ("sil", True)),
        (("a", "b"), (None, False)),
    ],
)  # fmt: skip
def test_words_of_a_file_are_separated_by_what_the_alphabet_has(tmp_path, symbols, expected):
    (tmp_path / "words.txt").write_text("ab a b\n")
    alphabet = Alphabet(symbols, "character" if " " in symbols else "symbol")
    found = Lexicon.from_file(tmp_path / "words.txt", alphabet)
    assert (found.separator, found.optional) == expected
    assert Lexicon.from_file(tmp_path / "words.txt", alphabet, None).separator is None


def test_many_words_share_their_beginnings():
    rng = np.random.default_rng(0)
    words = sorted({"".join(rng.choice(list("abcd"), rng.integers(1, 9))) for _ in range(3000)})
    alphabet = Alphabet("abcd ", "character")
    lexicon = Lexicon.from_words(alphabet, words)
    prefixes = {word[:n] for word in words for n in range(len(word) + 1)}
    assert len(lexicon.child_starts) - 1 == len(prefixes)
    spelled = {}
    stack = [(0, "")]
    while stack:
        node, prefix = stack.pop()
        for i in range(lexicon.word_starts[node], lexicon.word_starts[node + 1]):
            spelled[lexicon.words[lexicon.word_ids[i]]] = prefix
        children = slice(lexicon.child_starts[node], lexicon.child_starts[node + 1])
        assert list(lexicon.child_labels[children]) == sorted(set(lexicon.child_labels[children]))
        for child, label in zip(
            lexicon.child_nodes[children], lexicon.child_labels[children], strict=True
        ):
            stack.append((child, prefix + alphabet.decode([label])[0]))
    assert spelled == {word: word for word in words}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no words"),
        ("ab\nax", "words.txt:2: ax is spelled with 'x', which is not a label"),
        ("a b a |", "spelled with the separator"),
    ],
)
def test_bad_files_are_named(text, message, tmp_path):
    path = tmp_path / "words.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message.replace("|", r"\|")):
        Lexicon.from_file(path, ABC, "|")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({},), "no words"),
        (({"a": [""]},), "empty spelling"),
        (({"a": ["q"]},), "'q'"),
        (({"a": ["a"]}, "-"), "separator '-' is not"),
        (({"a": ["a"]}, None, True), "needs a separator"),
    ],
)
def test_bad_lexica_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        Lexicon(ABC, *arguments)


def test_lexica_of_other_alphabets_are_refused():
    with pytest.raises(InputError, match="another alphabet"):
        BeamDecoder(Alphabet("ab", "character"), lexicon=Lexicon(ABC, SPELLINGS))
    with pytest.raises(InputError, match="always have a separator"):
        BeamDecoder(ABC, lexicon=Lexicon(ABC, SPELLINGS), unknown_penalty=1.0)


def test_a_narrow_beam_keeps_what_a_plain_search_keeps(random_probs, cases):
    """The bounds that skip prefixes must lose nothing: the same beam, all prefixes formed."""
    alphabet = Alphabet("ab ", "character")
    words = ["a", "ab", "b", "ba", "bab"]
    lexicon = Lexicon.from_words(alphabet, words)
    for case in cases(150):
        rng = np.random.default_rng([11, case])
        lm = NgramLM.train([rng.choice(words, rng.integers(1, 5)) for _ in range(12)], 2)
        probs = random_probs(rng, int(rng.integers(3, 15)), 4) + 1e-6
        probs /= probs.sum(axis=1, keepdims=True)
        width, weight, bonus = int(rng.integers(2, 7)), rng.uniform(0.3, 3), rng.uniform(-1, 2)
        decoder = BeamDecoder(
            alphabet, width, lexicon=lexicon, lm=lm, lm_weight=weight, bonus=bonus, threads=1
        )
        (found,) = decoder.decode(np.log(probs)[None], [len(probs)])
        text, score = plain_word_search(probs, words, lm, weight, bonus, width)
        assert found.text == text
        assert found.log_prob == pytest.approx(score, rel=1e-5)


def plain_word_search(probs, words, lm, weight, bonus, width) -> tuple[str, float]:
    """Prefixes (words, letters begun) in dictionaries; the best that is complete, or the best."""

    def factor(history, word):
        log_prob = lm.score([*history, word], end=False) - lm.score(history, end=False)
        return math.exp(weight * log_prob + bonus)

    def look(begun):
        if not begun:
            return 1.0
        below = [lm.score([w], start=False, end=False) for w in words if w.startswith(begun)]
        return math.exp(weight * max(below) + bonus)

    beam = {((), ""): (1.0, 0.0)}
    for p in probs:
        grown = {}
        for (history, begun), (blank, label) in beam.items():
            last = begun[-1] if begun else " " if history else ""
            own = grown.setdefault((history, begun), [0.0, 0.0])
            own[0] += (blank + label) * p[0]
            if last:
                own[1] += label * p["-ab ".index(last)]
            ways = [
                (letter, (history, begun + letter), look(begun + letter) / look(begun))
                for letter in "ab"
                if any(word.startswith(begun + letter) for word in words)
            ]
            if begun in words:
                ways.append((" ", ((*history, begun), ""), factor(history, begun) / look(begun)))
            for letter, after, times in ways:
                passed = blank if letter == last else blank + label
                longer = grown.setdefault(after, [0.0, 0.0])
                longer[1] += passed * p["-ab ".index(letter)] * times
        best = sorted(grown.items(), key=lambda item: -sum(item[1]))[:width]
        beam = {prefix: tuple(masses) for prefix, masses in best if sum(masses) > 0}
    complete = {}
    for (history, begun), masses in beam.items():
        if begun in words or not (history or begun):
            said = (*history, begun) if begun else ()
            last = factor(history, begun) / look(begun) if begun else 1.0
            end = math.exp(weight * (lm.score(said) - lm.score(said, end=False)))
            complete[" ".join(said)] = sum(masses) * last * end
    if not complete:
        (history, begun), masses = max(beam.items(), key=lambda item: sum(item[1]))
        return " ".join([*history, *([begun] if begun else [])]), math.log(sum(masses))
    text = max(complete, key=lambda key: complete[key])
    return text, math.log(complete[text])


def test_words_that_a_heavy_model_rules_out_do_no_harm(random_probs):
    lm = NgramLM.train([["ab"], ["b"]], 1)
    words = Lexicon.from_words(ABC, ["ab", "b", "baa"], "|")
    log_probs = np.log(random_probs(np.random.default_rng(0), 6, 4))[None]
    for weight in (50.0, 100.0):
        (result,) = BeamDecoder(ABC, 50, lexicon=words, lm=lm, lm_weight=weight).decode(
            log_probs, [6]
        )
        assert result.text in ("", "ab", "b")


@pytest.mark.parametrize("unigram", ["-99", "-inf"])
@pytest.mark.parametrize("penalty", [None, 1.0])
def test_a_word_that_only_its_history_makes_probable_is_found(unigram, penalty, tmp_path):
    (tmp_path / "lm.arpa").write_text(
        "\\data\\\nngram 1=5\nngram 2=3\n\n\\1-grams:\n-99 <s> -0.1\n-1 </s>\n-1 a -0.1\n"
        f"{unigram} ab -0.1\n-2 <unk>\n\n"
        "\\2-grams:\n-0.1 <s> ab\n-0.1 ab </s>\n-0.1 a a\n\n\\end\\\n"
    )
    lm = NgramLM.from_arpa(tmp_path / "lm.arpa")
    lexicon = Lexicon.from_words(ABC, ["a", "ab"], "|")
    probs = np.full((3, 4), 1e-9)
    probs[[0, 1, 2], [1, 0, 2]] = 1 - 3e-9
    for weight in (1.0, 3.5, 8.0, 50.0):
        decoder = BeamDecoder(
            ABC, 50, lexicon=lexicon, lm=lm, lm_weight=weight, unknown_penalty=penalty
        )
        found = decoder.decode(np.log(probs)[None], [3])[0]
        assert found.text == "ab"
        assert found.log_prob == pytest.approx(weight * lm.score(["ab"]), rel=1e-5)
        (plain,) = decoder.plain_search().each(probs[None], np.array([3]), 1)[0]
        assert plain.log_prob == pytest.approx(found.log_prob, rel=1e-12)


MANY = 2**15
LETTERS = Alphabet([chr(0x10000 + k) for k in range(2 * MANY - 1)], "character")


def words_of_two(count):
    """Words 0, 1, ... of two labels, in an alphabet of 2^16 labels with the blank."""
    symbols = LETTERS.symbols
    spelled = ((symbols[k % len(symbols)], symbols[-1]) for k in range(count))
    return {f"w{n}": [spelling] for n, spelling in enumerate(spelled)}


@pytest.mark.parametrize("plain", [False, True])
def test_words_times_labels_may_exceed_what_int32_holds(plain):
    """The label behind a word is stored together with it: words times labels up to 2^32."""
    lexicon = Lexicon(LETTERS, words_of_two(2 * MANY - 2), None)
    decoder = BeamDecoder(LETTERS, 4, lexicon=lexicon, threads=1)
    said = ["w65533", "w40000", "w3", "w65533", "w65532"]
    labels = [k for word in said for k in LETTERS.encode(lexicon_spelling(word))]
    probs = np.full((len(labels), 2 * MANY), 1e-12)
    probs[range(len(labels)), labels] = 1.0 - 1e-12 * (2 * MANY - 1)
    search = decoder.plain_search() if plain else decoder.search()
    search.advance(probs)
    (best,) = search.best(1)
    assert best.labels.tolist() == labels
    assert [lexicon.words[word] for word, _, _ in best.words] == said
    assert search.stable().tolist() == labels[: len(search.stable())]


def lexicon_spelling(word):
    return LETTERS.symbols[int(word[1:])], LETTERS.symbols[-1]


def test_a_lexicon_whose_words_times_labels_no_number_holds_is_refused():
    lexicon = Lexicon(LETTERS, words_of_two(2 * MANY - 1), None, name="words.txt")
    with pytest.raises(
        InputError,
        match=r"words.txt: 65535 words are too many for 65536 labels .* "
        "keep at most 65534",
    ):
        BeamDecoder(LETTERS, 4, lexicon=lexicon)


def test_only_pronunciation_numbers_are_taken_off(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("item(s)\nf(2)\n(x)\nf(2) f\n")
    lexicon = Lexicon.from_file(path, Alphabet("itemsfx()2", "character"))
    assert set(lexicon.words) == {"item(s)", "f(2)", "(x)", "f"}
    with pytest.raises(InputError, match=r"words\.txt:1: item\(s\) is spelled with '\('"):
        Lexicon.from_file(path, Alphabet("itemsfx2", "character"))


def test_a_penalty_whose_factor_no_number_holds_is_refused():
    words = Lexicon.from_words(ABC, ["ab"], "|")
    with pytest.raises(InputError, match="unknown_penalty is -800"):
        BeamDecoder(ABC, lexicon=words, unknown_penalty=-800.0)


def test_a_byte_order_mark_is_no_part_of_the_first_word(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("\ufeffx a b\n", encoding="utf-8")
    assert Lexicon.from_file(path, ABC).words == ("x",)


def test_a_lexicon_that_is_not_there_is_named_once(tmp_path):
    with pytest.raises(InputError) as raised:
        Lexicon.from_file(tmp_path / "absent.txt", ABC)
    assert str(raised.value) == f"{tmp_path / 'absent.txt'}: no such file"
