"""The synthetic corpus of handwriting: its layout, its sets, and that a seed decides it all."""

import filecmp
from pathlib import Path

import numpy as np
import pytest

from seqlabel.cli import main
from seqlabel.errors import InputError
from seqlabel.glyphs import GLYPHS, controls_of, outline
from seqlabel.inputs import read_ink
from seqlabel.synthetic.allographs import ALLOGRAPHS, unusual_form
from seqlabel.synthetic.hands import Hand, random_hand, write_text
from seqlabel.synthetic.ink import InkCorpus, write_corpus
from seqlabel.synthetic.text import CHARACTERS, make_language, random_string

SMALL = InkCorpus(lines=(20, 4, 4, 9), writers=(3, 1, 1, 2))
SETS = ("trainset", "testset_v", "testset_t", "testset_f")


def forms_of(corpus: Path, name: str) -> list[str]:
    lines = (corpus / f"{name}.txt").read_text().splitlines()
    assert all(line.startswith(" ") for line in lines)
    return [line[1:] for line in lines]


def texts_of(corpus: Path, name: str) -> list[str]:
    """Lines of the CSR blocks of a set; there is a stroke file for each."""
    texts = []
    for form in forms_of(corpus, name):
        place = Path(form[:3]) / form[:7]
        ocr, _, csr = (corpus / "ascii" / place / f"{form}.txt").read_text().partition("CSR:\n\n")
        lines = csr.strip().split("\n")
        assert ocr == f"OCR:\n\n{csr.strip()}\n\n"
        for number in range(1, len(lines) + 1):
            ink = read_ink(corpus / "lineStrokes" / place / f"{form}-{number:02d}.xml")
            assert ink.timed
            assert ink.duration > 0.3
        texts += lines
    return texts


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("synth") / "ink"
    assert write_corpus(out, SMALL)
    return out


def test_layout_of_iam_ondb(corpus):
    assert [len(texts_of(corpus, name)) for name in SETS] == [20, 4, 4, 9]
    assert forms_of(corpus, "trainset")[:2] == ["a00-000u", "a00-001u"]
    files = sorted(p.name for p in (corpus / "lineStrokes" / "a00" / "a00-000").iterdir())
    assert files == [f"a00-000u-{n:02d}.xml" for n in range(1, 7)]


def test_no_writer_and_no_text_in_two_sets(corpus):
    register = dict(
        line.split() for line in (corpus / "forms.txt").read_text().splitlines() if line[0] != "#"
    )
    writers = [{register[form] for form in forms_of(corpus, name)} for name in SETS]
    texts = [set(texts_of(corpus, name)) for name in SETS]
    assert [len(w) for w in writers] == [3, 1, 1, 2]
    for one in range(4):
        for other in range(one):
            assert not writers[one] & writers[other]
            assert not texts[one] & texts[other]


def test_a_seed_decides_every_byte(corpus, tmp_path):
    write_corpus(tmp_path / "again", SMALL)
    names = [str(p.relative_to(corpus)) for p in corpus.rglob("*") if p.is_file()]
    _, different, missing = filecmp.cmpfiles(corpus, tmp_path / "again", names, shallow=False)
    assert different == missing == []
    other = InkCorpus(**{**vars(SMALL), "seed": 2})
    write_corpus(tmp_path / "other", other)
    assert texts_of(tmp_path / "other", "trainset") != texts_of(corpus, "trainset")


def test_writing_again_is_idle_or_refused(corpus, tmp_path):
    assert not write_corpus(corpus, SMALL)
    with pytest.raises(InputError, match="already has another corpus"):
        write_corpus(corpus, InkCorpus(**{**vars(SMALL), "seed": 2}))
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError):
        write_corpus(tmp_path / "file", SMALL)
    (tmp_path / "empty").mkdir()
    assert write_corpus(tmp_path / "empty", InkCorpus(lines=(1, 1, 1, 1), writers=(1, 1, 1, 1)))


def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("seqlabel.synthetic.folder.write_json", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_corpus(tmp_path / "ink", SMALL)
    assert not list(tmp_path.iterdir())


def test_sentences_hold_words_back_for_the_test(tmp_path):
    write_corpus(tmp_path / "ink", InkCorpus(**{**vars(SMALL), "words": True}))
    lexicon = (tmp_path / "ink" / "words.txt").read_text().split()
    assert lexicon == sorted(set(lexicon))
    train = {word for text in texts_of(tmp_path / "ink", "trainset") for word in text.split()}
    test = {word for text in texts_of(tmp_path / "ink", "testset_f") for word in text.split()}
    held_out = make_language(1).held_out
    assert train | test <= set(lexicon)
    assert not train & held_out
    assert test & held_out
    sentences = (tmp_path / "ink" / "text.txt").read_text().splitlines()
    assert not set(sentences) & set(texts_of(tmp_path / "ink", "testset_f"))
    assert {word for sentence in sentences for word in sentence.split()} & held_out


@pytest.mark.parametrize(
    "options",
    [
        {"lines": (0, 1, 1, 1)},
        {"writers": (1, 0, 1, 1)},
        {"length": (5, 4)},
        {"length": (0, 4)},
        {"characters": "a"},
        {"characters": "a b"},
        {"seed": -1},
    ],
)
def test_bad_options_are_refused(options):
    with pytest.raises(InputError):
        InkCorpus(**options)


def test_more_lines_than_texts_are_refused(tmp_path):
    options = InkCorpus(lines=(9, 9, 9, 9), writers=(1, 1, 1, 1), characters="ab", length=(1, 2))
    with pytest.raises(InputError, match="use fewer lines"):
        write_corpus(tmp_path / "ink", options)
    assert not list(tmp_path.iterdir())


def test_every_character_has_an_outline_of_its_size():
    for character in CHARACTERS + CHARACTERS[:26].upper():
        points = np.concatenate(outline(character))
        assert -0.2 <= points[:, 0].min() < 0.5
        if character not in "gjpqyfQ":
            assert points[:, 1].min() > -0.15
        top = 1 if character in "acegmnopqrsuvwxyz" else 1.45
        assert points[:, 1].max() > top - 0.05
    assert outline("é") == []
    assert len(GLYPHS) > 85


def test_hands_write_what_their_options_say():
    plain = write_text("hill", Hand(), np.random.default_rng(0))
    big = write_text("hill", Hand(size=200), np.random.default_rng(0))
    assert np.ptp(big.y) == pytest.approx(2 * np.ptp(plain.y), rel=0.02)
    fast = write_text("hill", Hand(speed=16), np.random.default_rng(0))
    assert fast.duration < plain.duration
    late = write_text("fit", Hand(delays=1), np.random.default_rng(0))
    assert len(late.strokes) == len(write_text("fit", Hand(), np.random.default_rng(0)).strokes)
    assert len(late.strokes[-1]) > 1  # the bar of the t comes last
    linked = write_text("nnn", Hand(links=1), np.random.default_rng(0))
    assert len(linked.strokes) == 1
    assert (plain.points[:, :2] == plain.points[:, :2].round()).all()


def test_hands_write_alike_but_never_the_same():
    rng = np.random.default_rng(0)
    hand = random_hand(rng)
    first, second = write_text("see", hand, rng), write_text("see", hand, rng)
    assert first != second
    for bad in ("é", "", "  "):
        with pytest.raises(InputError):
            write_text(bad, hand, rng)


def test_random_strings_use_every_character_alike():
    rng = np.random.default_rng(0)
    texts = [random_string(rng, (4, 10)) for _ in range(3000)]
    assert {len(text) for text in texts} == set(range(4, 11))
    joined = "".join(texts).replace(" ", "")
    counts = np.array([joined.count(c) for c in CHARACTERS])
    assert counts.min() > 0.8 * counts.mean()
    assert counts.max() < 1.2 * counts.mean()
    assert all(text.strip() == text and "  " not in text for text in texts)


def test_command(tmp_path, capsys):
    arguments = ["--lines", "2", "--dev-lines", "1", "--test-lines", "1", "--writers", "1"]
    assert main(["synth", "ink", str(tmp_path / "ink"), *arguments]) == 0
    assert "5 lines by 5 writers" in capsys.readouterr().err
    assert main(["synth", "ink", str(tmp_path / "ink"), *arguments, "--seed", "9"]) == 2
    assert "another corpus" in capsys.readouterr().err
    for useless in (["--characters", "ab"], ["--length", "1", "2"]):
        assert main(["synth", "ink", str(tmp_path / "words"), "--words", *useless]) == 2
        assert "are for random strings only" in capsys.readouterr().err
    assert main(["synth", "ink", str(tmp_path / "none"), "--characters", ""]) == 2
    assert "at least two different ones" in capsys.readouterr().err


def test_mixed_corpora_hold_capitals_numbers_and_unusual_forms(tmp_path):
    options = InkCorpus(**{**vars(SMALL), "lines": (120, 4, 4, 9), "mixed": True})
    write_corpus(tmp_path / "ink", options)
    texts = texts_of(tmp_path / "ink", "trainset")
    pieces = [piece for text in texts for piece in text.split()]
    for kind in (str.isdigit, str.islower, str.istitle, str.isupper):
        assert sum(map(kind, pieces)) >= 10
    assert all(len(text.split()) <= 3 for text in texts)


@pytest.mark.parametrize("character", ALLOGRAPHS)
def test_an_unusual_form_has_about_the_size_of_the_usual_one(character):
    """Loops below the base line apart."""
    usual = np.concatenate(outline(character))
    for form in ALLOGRAPHS[character]:
        points = np.concatenate([p for stroke in controls_of(form) for p in stroke])
        assert abs(points[:, 1].max() - usual[:, 1].max()) < 0.35
        assert -0.95 < points[:, 1].min() < 0.35
        assert abs(np.ptp(points[:, 0]) - np.ptp(usual[:, 0])) < 0.6
        assert form not in GLYPHS[character]


def test_unusual_forms_keep_the_points_in_another_order():
    """Of a character without further outlines: strokes permuted, or one drawn backwards."""
    drawn = set()
    for seed in range(40):
        form = unusual_form("#", np.random.default_rng(seed))
        strokes = [np.concatenate(stroke) for stroke in form]
        drawn.add(tuple(map(bytes, strokes)))
        ends = {tuple(sorted(map(tuple, (s[0].tolist(), s[-1].tolist())))) for s in strokes}
        usual = {tuple(sorted(map(tuple, (s[0].tolist(), s[-1].tolist())))) for s in outline("#")}
        assert ends == usual
    assert len(drawn) > 6


def test_only_varied_hands_have_unusual_forms():
    for seed in range(20):
        assert random_hand(np.random.default_rng(seed)).variety == 0
        assert random_hand(np.random.default_rng(seed), varied=True).variety > 0


def test_a_corpus_has_one_kind_of_text(capsys):
    assert main(["synth", "ink", "out", "--words", "--mixed"]) == 2
    assert "exclude each other" in capsys.readouterr().err
