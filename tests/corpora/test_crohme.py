"""CROHME: symbols in the order of writing, the one-line subset, quirks of the files."""

import csv
import itertools
import re
from pathlib import Path

import pytest

from seqlabel.cli import main
from seqlabel.corpora.crohme import Options, prepare, symbols_in_writing_order
from seqlabel.corpora.crohme_symbols import AS_WRITTEN, SPELLINGS, symbol_name, token_name
from seqlabel.errors import InputError
from seqlabel.inputs.formats.inkml import read_inkml

RECIPE = Path(__file__).parents[2] / "recipes" / "crohme"


def test_sets_symbols_and_alphabet(tiny):
    prepared = prepare(tiny, Options())
    found = {u.id: u.labels for us in prepared.splits.values() for u in us}
    assert found == {
        "train/HAMEX/one": ("x", "+", "y"),
        "train/KAIST/frac": ("1", "-", "\\pi"),
        "dev/d": ("y",),
        "dev/e": ("x", "y"),
        "test/t": ("1", "x"),
    }
    assert prepared.alphabet.symbols == ("+", "-", "1", "\\pi", "x", "y")
    assert prepared.alphabet.metric == "SER"
    assert "bad.inkml" in prepared.skipped["train/MfrDB/bad"]
    assert prepared.splits["train"][1].text == "\\frac{1}{\\pi}"
    assert prepared.splits["test"][0].speaker == "w3"


def test_the_linear_subset_keeps_the_alphabet_of_all(tiny):
    """Fractions and scripts go, and so does an expression whose LaTeX is not known."""
    prepared = prepare(tiny, Options(subset="linear"))
    ids = [u.id for us in prepared.splits.values() for u in us]
    assert ids == ["train/HAMEX/one", "dev/d"]
    assert len(prepared.alphabet.symbols) == 6


def test_an_unreadable_file_may_stop_it(tiny):
    with pytest.raises(InputError, match=r"bad\.inkml:1: not well-formed"):
        prepare(tiny, Options(skip_bad=False))


def test_a_symbol_that_training_lacks(tiny, inkml):
    (tiny / "crohme/TestEM2014GT/t.inkml").write_text(inkml([("z", [0])], "z"))
    prepared = prepare(tiny, Options())
    assert prepared.unseen == {"test": {"z": 1}}
    assert "z" not in prepared.alphabet


def write(path, text):
    path.write_text(text)
    return path


def test_faults_of_the_segmentation(tmp_path, inkml):
    path = write(tmp_path / "a.inkml", inkml([], "x"))
    with pytest.raises(InputError, match=r"a\.inkml: no segmentation into symbols"):
        symbols_in_writing_order(read_inkml(path), path)


def test_references_with_a_hash(tmp_path, inkml):
    path = write(tmp_path / "a.inkml", inkml([("x", ["#1"]), ("y", ["#0"])], "x"))
    assert symbols_in_writing_order(read_inkml(path), path) == ("y", "x")


def test_ink_that_cannot_be_used_is_skipped_by_name(tiny, inkml):
    """A reference to no trace, a symbol without a truth, times that go back where they matter."""
    one = tiny / "crohme/TrainINKML/HAMEX/one.inkml"
    path = tiny / "crohme/TrainINKML/KAIST/back.inkml"
    channels = "".join(f'<channel name="{name}"/>' for name in "XYT")
    times = itertools.count(100, -1)
    text = re.sub(r"\d+ \d+(?=[,<])", lambda point: f"{point[0]} {next(times)}", one.read_text())
    path.write_text(text.replace("<trace id", f"<traceFormat>{channels}</traceFormat><trace id", 1))
    write(path.with_name("absent.inkml"), inkml([("x", [9])], "x"))
    write(path.with_name("unnamed.inkml"), inkml([("x", [0]), ("", [1])], "xy"))
    write(path.with_name("blank.inkml"), inkml([("a b", [0])], "ab"))
    prepared = prepare(tiny, Options())
    skipped = prepared.skipped
    assert "train/KAIST/back" in [u.id for u in prepared.splits["train"]]
    assert "time goes back" in prepare(tiny, Options(times=True)).skipped["train/KAIST/back"]
    assert "unnamed.inkml: the symbol of trace 1 is ''" in skipped["train/KAIST/unnamed"]
    assert "blank.inkml: the symbol of trace 0 is 'a b'" in skipped["train/KAIST/blank"]
    assert "'9', which is not in the file" in skipped["train/KAIST/absent"]


def test_strokes_of_no_symbol_are_counted(tiny, inkml):
    """The files of the fixture have six traces each, some of no symbol."""
    path = tiny / "crohme/TrainINKML/KAIST/whole.inkml"
    for traces, everywhere, on_a_line in ((2, 5, 2), (3, 6, 3)):
        write(path, inkml([("x", [0]), ("y", [1])], "xy", traces))
        for options, count in ((Options(), everywhere), (Options("linear"), on_a_line)):
            assert prepare(tiny, options).notes == (
                f"{count} expressions have strokes that belong to no symbol, first train/HAMEX/one",
            )


def test_not_crohme(tmp_path):
    with pytest.raises(InputError, match="not a CROHME folder"):
        prepare(tmp_path, Options())
    (tmp_path / "TrainINKML").mkdir()
    with pytest.raises(InputError, match="no training expression with labels; its folders have"):
        prepare(tmp_path, Options())


def test_real_corpus(crohme):
    """Every fifth file of 2013 against a list that was made independently (manifest.tsv)."""
    from seqlabel.corpora.crohme import _Reader

    with open(crohme / "manifest.tsv", encoding="utf-8") as stream:
        rows = [
            row
            for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
            if row["split"] == "valid2013"
        ]
    assert len(rows) == 671
    read = _Reader(Options(times=True))
    for row in rows[::5]:
        utterance = read((row["file"], crohme / row["file"]))
        assert " ".join(utterance.labels) == row["symbols_in_writing_order"], row["file"]
        assert utterance.tags["linear"] == ("yes" if row["linear"] == "1" else "no"), row["file"]
        assert utterance.speaker == row["writer"]


@pytest.fixture
def place(inkml):
    def place(root, name, symbols, latex):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(inkml(symbols, latex))

    return place


def test_one_name_for_each_symbol_in_every_year(tiny, place):
    """The test set of 2016 writes < where training writes \\lt."""
    corpus = tiny / "crohme"
    place(corpus, "TrainINKML/HAMEX/lt.inkml", [("1", [0]), ("\\lt", [1]), ("|", [2])], "1\\lt|")
    symbols = [("1", [0]), ("&lt;", [1]), ("\\vert", [2]), ("\u03c0", [3])]
    place(corpus, "TEST2016_INKML_GT/a.inkml", symbols, "1 &lt; | \\pi")
    prepared = prepare(tiny, Options(test=("2016",)))
    (test,) = prepared.splits["test"]
    assert test.labels == ("1", "\\lt", "|", "\\pi")
    assert prepared.unseen == {}


def test_spellings_lead_to_names_and_names_to_themselves():
    every = {**SPELLINGS, **AS_WRITTEN}
    others = [other for names in (SPELLINGS, AS_WRITTEN) for o in names.values() for other in o]
    assert len(set(others)) == len(others)
    for names in (SPELLINGS, AS_WRITTEN):
        for name, spellings in names.items():
            assert symbol_name(name) == token_name(name) == name
            assert {symbol_name(other) for other in spellings} == {name}
    assert not set(every) & set(others)
    greek = {"\u0394": "\\Delta", "\u03b4": "\\delta", "\u0391": "A", "\\Beta": "B", "\u03bf": "o"}
    assert {letter: symbol_name(letter) for letter in greek} == greek
    assert [token_name(token) for token in ("\\frac", "'", "{", "<")] == [
        "\\frac",
        "'",
        "{",
        "\\lt",
    ]


def test_the_symbols_of_the_real_corpus_are_their_own_names(crohme):
    with open(crohme / "manifest.tsv", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    symbols = {s for row in rows for s in row["symbols_in_writing_order"].split()}
    assert {symbol_name(symbol) for symbol in symbols} == symbols


def test_the_recipe_lists_the_names():
    text = (RECIPE / "README.md").read_text()
    for name, others in {**SPELLINGS, **AS_WRITTEN}.items():
        for spelling in (name, *others):
            assert f"`{spelling}`".replace("|", "\\|") in text, spelling


def test_sets_are_chosen_by_year_or_folder(tiny, place):
    corpus = tiny / "crohme"
    place(corpus, "TEST2016_INKML_GT/a.inkml", [("x", [0])], "x")
    place(corpus, "mine/b.inkml", [("y", [0])], "y")

    def sets(**options):
        splits = prepare(tiny, Options(**options)).splits
        return {name: [utterance.id for utterance in us] for name, us in splits.items()}

    assert sets(protocol="2016") == {
        "train": ["train/HAMEX/one", "train/KAIST/frac"],
        "dev": ["dev/t"],
        "test": ["test/a"],
    }
    assert list(sets(protocol="2013")) == ["train", "test"]
    assert sets(test=("2014", "2016", "crohme/mine"))["test_2016"] == ["test_2016/a"]
    assert list(sets(test=("2014", "2016", "crohme/mine"))) == [
        "train", "dev", "test_2014", "test_2016", "test_mine"
    ]  # fmt: skip
    two = sets(train=("2014", str(corpus / "mine")), dev=("2016",), test=("2016",))
    assert two["train"] == [
        "train/TrainINKML/HAMEX/one", "train/TrainINKML/KAIST/frac", "train/mine/b"
    ]  # fmt: skip
    assert (two["dev"], two["test"]) == (["dev/t"], ["test/a"])
    noted = prepare(tiny, Options(protocol="2014", train=("2014",))).notes
    assert not any("no folder" in note for note in noted)


def test_years_need_no_quotes_on_the_command_line(tiny, capsys, place):
    place(tiny / "crohme", "TEST2016_INKML_GT/a.inkml", [("x", [0])], "x")
    command = ["prepare", "crohme", str(tiny), str(tiny / "out"), "--set", "protocol=2013"]
    assert main([*command, "--set", "test=[2014, 2016]", "--set", 'dev=["2016"]']) == 2
    assert "TestEM2014GT is in both dev and test_2014" in capsys.readouterr().err
    assert main([*command, "--set", "test=[2013, 2016]"]) == 0
    assert {path.stem for path in (tiny / "out").glob("*.jsonl")} == {
        "train", "test_2013", "test_2016"
    }  # fmt: skip


def test_sets_that_are_not_there(tiny, place):
    assert prepare(tiny, Options(protocol="2016")).notes[0] == (
        "no folder TEST2016_INKML_GT, which belongs to the set test of 2016"
    )
    for options, words in (
        ({"test": ("2016",)}, "no folder TEST2016_INKML_GT, the set test of 2016"),
        ({"dev": ("2013",)}, "the set dev of 2013"),
        ({"test": ("2015",)}, "2015: no such folder for the set test; name one, or a year of 2013"),
        (
            {"train": ("2014", "crohme/TestEM2014GT")},
            "TestEM2014GT is in both train and test",
        ),
        ({"train": ("crohme",)}, "TestINKMLGT is in both train and dev"),
        ({"test": ("crohme",)}, "TrainINKML is in both train and test"),
        ({"test": ("2014", "2014")}, "is in both test_2014 and test_2014"),
        ({"protocol": "2019"}, "not a CROHME folder"),
    ):
        with pytest.raises(InputError) as caught:
            prepare(tiny, Options(**options))
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)
    place(tiny, "copy/TestEM2014GT/t.inkml", [("x", [0])], "x")
    with pytest.raises(InputError, match="TestEM2014GT occurs more than once"):
        prepare(tiny, Options())


def test_layouts_of_2019_and_2023(tmp_path, place):
    task = tmp_path / "a/Task1_and_Task2/Task1_onlineRec/MainTask_formula"
    place(task, "train/INKMLs/Train_2014/a.inkml", [("x", [0])], "x")
    place(task, "valid/TestEM2014GT_INKMLs/b.inkml", [("x", [0])], "x")
    place(task, "TestSet2019/c.inkml", [("x", [0])], "x")
    for name in ("train/CROHME2019", "train/CROHME2023_train", "val/CROHME2016_test",
                 "val/CROHME2023_val", "test/CROHME2023_test", "test/CROHME2019_test"):  # fmt: skip
        place(tmp_path, f"b/TC11_CROHME23/INKML/{name}/a.inkml", [("x", [0])], "x")

    def ids(folder, year):
        splits = prepare(tmp_path / folder, Options(protocol=year)).splits
        return [utterance.id for us in splits.values() for utterance in us]

    assert ids("a", "2019") == ["train/Train_2014/a", "dev/b", "test/c"]
    assert ids("b", "2023") == [
        "train/CROHME2019/a", "train/CROHME2023_train/a", "dev/CROHME2016_test/a",
        "dev/CROHME2023_val/a", "test/a",
    ]  # fmt: skip


MATHWRITING = """<ink xmlns="http://www.w3.org/2003/InkML">
<annotation type="label">{label}</annotation>
<annotation type="splitTagOriginal">train</annotation>
<annotation type="sampleId">0a1b</annotation>
<annotation type="normalizedLabel">{normalized}</annotation>
<traceFormat><channel name="X" type="decimal"/><channel name="Y" type="decimal"/>
<channel name="T" type="decimal"/></traceFormat>
<trace id="0">1 2 0, 3 4 10</trace><trace id="1">5 6 30, 7 8 40</trace></ink>"""


def test_mathwriting_has_latex_for_its_target(tmp_path):
    for folder, label, normalized in (
        ("train", r"\frac1{\sigma}", r"\frac{1}{\sigma}"),
        ("valid", r"\sigma", ""),
        ("test", r"1 &lt; \mathbb{R}", r"1&lt;\mathbb{R}"),
        ("test", r"\frac{1}{2", r"\frac{1}{2"),
    ):
        path = tmp_path / "mathwriting" / folder / f"{len(normalized)}.inkml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(MATHWRITING.format(label=label, normalized=normalized))
    options = Options(protocol="mathwriting", unit="latex")
    prepared = prepare(tmp_path, options)
    assert {name: [u.labels for u in us] for name, us in prepared.splits.items()} == {
        "train": [("\\frac", "{", "1", "}", "{", "\\sigma", "}")],
        "dev": [("\\sigma",)],
        "test": [("1", "<", "\\mathbb{R}")],
    }
    assert (prepared.alphabet.unit, prepared.alphabet.metric) == ("latex", "TER")
    assert prepared.splits["train"][0].text == r"\frac{1}{\sigma}"
    (reason,) = prepared.skipped.values()
    assert "unbalanced braces: 1 not closed" in reason
    assert prepared.unseen == {"test": {"<": 1, "\\mathbb{R}": 1}}
    with pytest.raises(InputError, match=r"unbalanced braces.*skip_bad=true"):
        prepare(tmp_path, Options(protocol="mathwriting", unit="latex", skip_bad=False))
    with pytest.raises(InputError, match=r"no training expression with labels; .*unit=latex"):
        prepare(tmp_path, Options(protocol="mathwriting"))


def test_formulas_of_crohme_as_latex_are_spelled_in_one_way(tiny, place):
    place(
        tiny / "crohme",
        "TrainINKML/HAMEX/one.inkml",
        [],
        "\\left( x'^2 \\lty &lt; \\mbox{y} \\right)",
    )
    prepared = prepare(tiny, Options(unit="latex"))
    assert prepared.alphabet.text(prepared.splits["train"][0].labels) == r"(x^{\prime2}\lt y\lt y)"
    assert prepared.splits["train"][1].labels == ("\\frac", *"{1}{", "\\pi", "}")
