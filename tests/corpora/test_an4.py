"""AN4: the official split, three kinds of labels, faults in its lists."""

import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from seqlabel.alphabet import Alphabet
from seqlabel.corpora import an4
from seqlabel.corpora.an4 import DEV_SPEAKERS, Options, prepare
from seqlabel.corpora.manifest import read_manifest
from seqlabel.errors import InputError
from seqlabel.inputs.sphere import write_sphere

RECIPE = Path(__file__).parents[2] / "recipes" / "an4" / "conf" / "data.toml"


@pytest.fixture
def tiny(tmp_path):
    """A corpus of four utterances in AN4's layout."""
    root = tmp_path / "an4"
    files = {"train": ["an1-fash-b", "an2-fash-b", "an3-mdxn-b"], "test": ["an4-fcaw-b"]}
    texts = {"train": ["YES", "GO A", "M  Y"], "test": ["ENTER"]}
    for name, ids in files.items():
        folder = "an4_clstk" if name == "train" else "an4test_clstk"
        lines, paths = [], []
        for utterance, text in zip(ids, texts[name], strict=True):
            speaker = utterance.split("-")[1]
            paths.append(f"{folder}/{speaker}/{utterance}")
            marks = f"<s> {text} </s>" if name == "train" else text
            lines.append(f"{marks} ({utterance})")
            audio = root / "wav" / f"{paths[-1]}.wav"
            audio.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(audio, np.ones(1600, np.int16), 16000)
        (root / "etc").mkdir(exist_ok=True)
        (root / "etc" / f"an4_{name}.fileids").write_text("\n".join(paths) + "\n")
        (root / "etc" / f"an4_{name}.transcription").write_text("\n".join(lines) + "\n")
    (root / "etc" / "an4.dic").write_text(
        "A  AH\nA(2)  EY\nENTER  EH N T ER\nGO  G OW\nM  EH M\nY  W AY\nYES  Y EH S\n"
    )
    return root


DEV = ("mdxn",)


def test_levels_below_the_words(tiny, tmp_path):
    options = Options(unit="word", levels=("phone", "character"), dev_speakers=DEV)
    prepared = prepare(tiny.parent, options)
    assert prepared.splits["train"][1].labels == ("GO", "A")
    assert prepared.splits["train"][1].levels == {
        "phone": ("G", "OW", "AH"),
        "character": ("G", "O", " ", "A"),
    }
    prepared.save(tmp_path / "data")
    alphabet = Alphabet.load(tmp_path / "data" / "alphabet.json")
    assert [(name, below.unit) for name, below in alphabet.levels] == [
        ("phone", "phone"),
        ("character", "character"),
    ]
    assert alphabet == prepared.alphabet
    assert read_manifest(tmp_path / "data" / "train.jsonl") == list(prepared.splits["train"])
    for bad in ({"levels": ("phone",)}, {"unit": "word", "levels": ("phone", "phone")}):
        with pytest.raises(InputError, match="each at most once, and only with unit = 'word'"):
            Options(**bad)


@pytest.mark.parametrize(
    ("unit", "labels"),
    [
        ("character", ("G", "O", " ", "A")),
        ("phone", ("G", "OW", "AH")),
        ("word", ("GO", "A")),
    ],
)
def test_labels(tiny, unit, labels):
    prepared = prepare(tiny.parent, Options(unit=unit, dev_speakers=DEV))
    utterance = prepared.splits["train"][1]
    assert (utterance.id, utterance.text, utterance.labels) == ("an2-fash-b", "GO A", labels)
    assert (utterance.speaker, utterance.tags, utterance.duration) == ("fash", {"sex": "f"}, 0.1)
    assert [len(prepared.splits[name]) for name in ("train", "dev", "test")] == [2, 1, 1]
    assert prepared.splits["dev"][0].text == "M Y"
    assert prepared.splits["test"][0].text == "ENTER"
    assert prepared.rate == 16000
    assert len(prepared.alphabet.symbols) == {"character": 27, "phone": 12, "word": 6}[unit]


def test_the_older_distribution_has_sphere_files(tiny):
    for path in list(tiny.rglob("*.wav")):
        write_sphere(path.with_suffix(".sph"), np.ones(1600, np.int16), 16000)
        path.unlink()
    assert prepare(tiny, Options(dev_speakers=DEV)).splits["test"][0].source.suffix == ".sph"


def edit(path, old, new):
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda root: shutil.rmtree(root / "etc"), "does not contain AN4"),
        (lambda root: (root / "etc" / "an4.dic").unlink(), "an4.dic: no such file"),
        (lambda root: edit(root / "etc" / "an4.dic", "GO ", "NO "), "word 'GO' is not in"),
        (lambda root: edit(root / "etc" / "an4.dic", "  G OW", ""), ":4: word 'GO' without phones"),
        (
            lambda root: edit(root / "etc" / "an4_train.transcription", "(an2", "(an9"),
            "an4_train.transcription:2: expected the transcript of an4_clstk/fash/an2-fash-b",
        ),
        (
            lambda root: edit(root / "etc" / "an4_test.transcription", "\n", "\nmore (x)\n"),
            "2 transcripts for 1 files",
        ),
        (lambda root: shutil.rmtree(root / "wav" / "an4test_clstk"), "no such audio file"),
    ],
)
def test_faults_are_named(tiny, fault, words):
    fault(tiny)
    with pytest.raises(InputError) as caught:
        prepare(tiny, Options(unit="phone", dev_speakers=DEV))
    assert words in str(caught.value)


def test_bad_audio_stops_or_is_skipped_by_name(tiny):
    bad = next(tiny.rglob("an2-fash-b.wav"))
    bad.write_bytes(bad.read_bytes()[:100])
    with pytest.raises(InputError, match=r"an2-fash-b\.wav: truncated.*skip_bad=true"):
        prepare(tiny, Options(dev_speakers=DEV))
    prepared = prepare(tiny, Options(dev_speakers=DEV, skip_bad=True))
    assert list(prepared.skipped) == ["an2-fash-b"]
    assert prepared.facts()["skipped"][0]["id"] == "an2-fash-b"
    assert len(prepared.splits["train"]) == 1


def test_a_dev_speaker_who_is_not_there(tiny):
    with pytest.raises(InputError, match="dev speaker fcaw is not a training speaker"):
        prepare(tiny, Options(dev_speakers=("fcaw",)))


def test_the_recipe_states_the_dev_speakers():
    assert tuple(tomllib.loads(RECIPE.read_text())["dev_speakers"]) == DEV_SPEAKERS


def test_real_corpus(an4):
    """Sizes as counted independently from its lists."""
    counts = {}
    for unit in ("character", "phone", "word"):
        facts = prepare(an4, Options(unit=unit)).facts()["counts"]
        assert [facts[name]["utterances"] for name in ("train", "dev", "test")] == [845, 103, 130]
        assert [facts[name]["speakers"] for name in ("train", "dev", "test")] == [66, 8, 10]
        counts[unit] = facts["train"]["labels"] + facts["dev"]["labels"], facts["test"]["labels"]
    assert counts == {"character": (17854, 2565), "phone": (14313, 2040), "word": (5442, 773)}
    assert facts["test"]["minutes"] == pytest.approx(5.95, abs=0.005)


def test_module_is_listed():
    from seqlabel.corpora import CORPORA

    assert CORPORA["an4"] is an4
