"""TIMIT: three layouts, the standard and other speaker lists, label files and their faults."""

import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from seqlabel.alphabet.phones import TO_39, fold
from seqlabel.config import build
from seqlabel.corpora import timit, timit_speakers
from seqlabel.corpora.timit import Options, Speakers, prepare
from seqlabel.errors import InputError
from seqlabel.inputs.sphere import write_sphere

RECIPES = Path(__file__).parents[2] / "recipes" / "timit" / "conf"
SAMPLES = 4000
PHONES = "0 1000 h#\n1000 2000 sh\n2000 3000 iy\n3000 3900 h#\n"
WORDS = "1000 2100 she\n2000 3000 he\n"


def write_utterance(folder, name, lower=False, riff=False):
    """Audio and the three label files of one utterance; the `.TXT` end is one sample too large."""
    folder.mkdir(parents=True, exist_ok=True)
    case = str.lower if lower else str.upper
    samples = np.arange(SAMPLES, dtype=np.int16)
    audio = folder / case(f"{name}.WAV")
    if riff:
        soundfile.write(audio, samples, 16000, format="WAV")
    else:
        write_sphere(audio, samples, 16000)
    (folder / case(f"{name}.PHN")).write_text(PHONES)
    (folder / case(f"{name}.WRD")).write_text(WORDS)
    (folder / case(f"{name}.TXT")).write_text(f"0 {SAMPLES + 1} She, he.\n")
    return audio


NAMES = ("SA1", "SI1466", "SX26")


def ldc(root, lower=False, extra_riff=False):
    for place in ("TRAIN/DR1/FAAA0", "TRAIN/DR2/MBBB0", "TRAIN/DR3/MCCC0", "TEST/DR8/FDDD0"):
        for name in NAMES:
            folder = root / (place.lower() if lower else place)
            audio = write_utterance(folder, name, lower)
            if extra_riff:
                soundfile.write(f"{audio}.wav", np.zeros(SAMPLES, np.int16), 16000, format="WAV")
    return root


def nltk(root):
    for folder in ("dr1-faaa0", "dr2-mbbb0", "dr3-mccc0", "dr8-fddd0"):
        for name in NAMES:
            write_utterance(root / folder, name, lower=True, riff=True)
    (root / "spkrinfo.txt").write_text("not an utterance")
    return root


LISTS = Options(speakers=Speakers(dev=("mccc0",), test=("FDDD0",)))
LAYOUTS = {
    "ldc": lambda path: ldc(path),
    "lower case": lambda path: ldc(path, lower=True),
    "mixed case": lambda path: mixed(path),
    "two audio files": lambda path: ldc(path / "data", extra_riff=True).parent,
    "parent folder": lambda path: ldc(path / "TIMIT").parent,
    "folder between": lambda path: ldc(path / "timit" / "data").parent.parent,
    "nltk": nltk,
    "below TRAIN": lambda path: everything_in_train(path) / "TRAIN",
}


def mixed(root):
    """Upper-case folders with lower-case files."""
    for place in ("TRAIN/DR1/FAAA0", "TRAIN/DR2/MBBB0", "TRAIN/DR3/MCCC0", "TEST/DR8/FDDD0"):
        for name in NAMES:
            write_utterance(root / place, name, lower=True)
    return root


def everything_in_train(root):
    ldc(root)
    shutil.move(root / "TEST" / "DR8", root / "TRAIN" / "DR8")
    shutil.rmtree(root / "TEST")
    return root


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_corpus(tmp_path, layout):
    prepared = prepare(LAYOUTS[layout](tmp_path), LISTS)
    ids = {name: [u.id for u in utterances] for name, utterances in prepared.splits.items()}
    assert ids == {
        "train": ["FAAA0_SI1466", "FAAA0_SX26", "MBBB0_SI1466", "MBBB0_SX26"],
        "dev": ["MCCC0_SI1466", "MCCC0_SX26"],
        "test": ["FDDD0_SI1466", "FDDD0_SX26"],
    }
    utterance = prepared.splits["test"][0]
    assert utterance.labels == ("h#", "sh", "iy", "h#")
    assert utterance.segments[1] == ("sh", 0.0625, 0.125)
    assert utterance.words == (("she", 0.0625, 0.13125), ("he", 0.125, 0.1875))
    assert utterance.text == "She, he."
    assert utterance.duration == 0.25
    assert utterance.tags == {"sex": "f", "region": "DR8"}
    assert not utterance.source.name.endswith(".WAV.wav")
    assert len(prepared.alphabet.symbols) == 61
    assert prepared.rate == 16000


def test_sa_sentences_can_be_kept(tmp_path):
    prepared = prepare(ldc(tmp_path), Options(speakers=LISTS.speakers, keep_sa=True))
    assert len(prepared.splits["train"]) == 6


def test_empty_lists_follow_the_folders(tmp_path):
    splits = prepare(ldc(tmp_path), Options(speakers=Speakers())).splits
    assert {u.speaker for u in splits["train"]} == {"FAAA0", "MBBB0", "MCCC0"}
    assert {u.speaker for u in splits["test"]} == {"FDDD0"}
    assert "dev" not in splits


@pytest.mark.parametrize(
    ("speakers", "words"),
    [
        (None, "no speaker of the core test set"),
        (Speakers(test=("FXXX0",)), "test speaker FXXX0 is missing"),
        (
            Speakers(dev=("FDDD0",), test=("FDDD0",)),
            "speaker FDDD0 is both in dev and in test",
        ),
    ],
)
def test_wrong_lists(tmp_path, speakers, words):
    with pytest.raises(InputError, match=words):
        prepare(ldc(tmp_path), Options(speakers=speakers))


@pytest.mark.parametrize(
    ("suffix", "text", "words"),
    [
        ("PHN", PHONES.replace("1000 2000", "900 2000"), ":2: 900 to 2000 after 1000: phones out"),
        ("PHN", PHONES.replace("2000 3000", "2000 2000"), ":3: 2000 to 2000"),
        ("PHN", PHONES.replace("3900", "4161"), ":4: ends at sample 4161, past the 4000 samples"),
        ("PHN", PHONES.replace("sh", "she"), ":2: 'she' is not one of TIMIT's 61 phones"),
        (
            "PHN",
            PHONES.replace("1000 2000 sh", "1000 sh"),
            ":2: '1000 sh'; expected: BEGIN END LABEL",
        ),
        ("PHN", PHONES.replace("1000 2000", "1e3 2000"), ":2: '1e3 2000 sh'; expected"),
        ("PHN", "\n", ": no phones"),
        ("WRD", "she 1000 2000\n", ":1: 'she 1000 2000'; expected"),
        ("TXT", "0 9 one\n0 9 two\n", ": 2 lines; expected one line"),
    ],
)
def test_faults_of_label_files(tmp_path, suffix, text, words):
    path = ldc(tmp_path) / "TRAIN" / "DR1" / "FAAA0" / f"SX26.{suffix}"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        prepare(tmp_path, LISTS)
    assert str(caught.value).startswith(f"{path}{words}")


def test_labels_that_are_a_little_too_long_are_cut_with_a_notice(tmp_path, caplog):
    path = ldc(tmp_path) / "TRAIN" / "DR1" / "FAAA0" / "SX26.PHN"
    path.write_text(PHONES.replace("3900", "4100"))
    utterance = prepare(tmp_path, LISTS).splits["train"][1]
    assert utterance.segments[-1] == ("h#", 0.1875, 0.25)
    assert f"{path}:4: ends 100 samples past the audio" in caplog.text


def test_missing_companions(tmp_path):
    folder = ldc(tmp_path) / "TRAIN" / "DR1" / "FAAA0"
    (folder / "SX26.WRD").unlink()
    (folder / "SX26.TXT").unlink()
    utterance = prepare(tmp_path, LISTS).splits["train"][1]
    assert (utterance.id, utterance.text, utterance.words) == ("FAAA0_SX26", None, ())
    (folder / "SX26.PHN").rename(folder / "SX26.PHN.bak")
    with pytest.raises(InputError, match=r"SX26\.WAV: no \.PHN file beside it"):
        prepare(tmp_path, LISTS)
    (folder / "SX26.PHN.bak").rename(folder / "SX26.PHN")
    (folder / "SX26.WAV").unlink()
    with pytest.raises(InputError, match=r"SX26\.PHN: no audio file beside it"):
        prepare(tmp_path, LISTS)


def test_damaged_copies_are_refused_or_skipped_by_name(tmp_path):
    path = ldc(tmp_path) / "TRAIN" / "DR1" / "FAAA0" / "SX26.WAV"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(InputError, match="says 4000 samples"):
        prepare(tmp_path, LISTS)
    prepared = prepare(tmp_path, Options(speakers=LISTS.speakers, skip_bad=True))
    assert list(prepared.skipped) == ["FAAA0_SX26"]
    assert str(path) in prepared.skipped["FAAA0_SX26"]


@pytest.mark.parametrize("empty", ["", "TRAIN", "TRAIN/DR1"])
def test_not_timit(tmp_path, empty):
    if empty:
        (tmp_path / empty).mkdir(parents=True)
    with pytest.raises(InputError) as caught:
        prepare(tmp_path, LISTS)
    assert str(tmp_path) in str(caught.value)
    with pytest.raises(InputError, match="no such folder"):
        prepare(tmp_path / "absent", LISTS)


def test_the_standard_lists():
    """Sizes, sexes and regions as published."""
    core, dev = timit_speakers.CORE_TEST, timit_speakers.DEV
    assert (len(set(core)), len(set(dev)), len(set(core) & set(dev))) == (24, 50, 0)
    assert [sum(name[0] == sex for name in core) for sex in "mf"] == [16, 8]
    assert [sum(name[0] == sex for name in dev) for sex in "mf"] == [32, 18]
    assert 8 * len(core) == timit_speakers.UTTERANCES["test"]
    assert 8 * len(dev) == timit_speakers.UTTERANCES["dev"]


@pytest.fixture
def whole(monkeypatch, tmp_path):
    """A corpus that counts as whole: the sizes of the standard sets made small."""
    monkeypatch.setattr(timit, "CORE_TEST", ("fddd0",))
    monkeypatch.setattr(timit, "DEV", ("feee0",))
    monkeypatch.setattr(timit, "UTTERANCES", {"train": 6, "dev": 2, "test": 2})
    monkeypatch.setattr(timit, "TOKENS_39", {"dev": 8, "test": 8})
    ldc(tmp_path)
    for name in NAMES:
        write_utterance(tmp_path / "TEST" / "DR7" / "FEEE0", name)
        write_utterance(tmp_path / "TEST" / "DR7" / "MNOT0", name)
    return tmp_path


def test_a_whole_corpus_has_the_standard_sizes(whole):
    prepared = prepare(whole, Options())
    assert [len(prepared.splits[name]) for name in ("train", "dev", "test")] == [6, 2, 2]
    assert "MNOT0" not in {u.speaker for us in prepared.splits.values() for u in us}
    assert not prepared.notes


def test_a_corpus_that_is_not_whole_is_refused(whole):
    (whole / "TEST" / "DR8" / "FDDD0" / "SX26.PHN").write_text(PHONES + "3900 3950 q\n")
    prepare(whole, Options())  # q is removed before the tokens are counted
    (whole / "TEST" / "DR8" / "FDDD0" / "SX26.PHN").write_text(PHONES + "3900 3950 pau\n")
    with pytest.raises(InputError, match=r"9 test tokens \(39 phones\), but the standard set has"):
        prepare(whole, Options())
    shutil.rmtree(whole / "TRAIN" / "DR1")
    with pytest.raises(InputError, match="4 train utterances, but the standard set has 6"):
        prepare(whole, Options())


def test_skipped_files_of_a_whole_corpus_make_a_note(whole):
    (whole / "TRAIN" / "DR1" / "FAAA0" / "SX26.WAV").write_bytes(b"")
    prepared = prepare(whole, Options(skip_bad=True))
    assert prepared.notes == ("5 train utterances, but the standard set has 6",)


def test_real_sample(timit):
    """Counts as stated with the sample."""
    table = tomllib.loads((RECIPES / "sample_speakers.toml").read_text())
    prepared = prepare(timit, build(Options, table, "sample_speakers.toml"))
    sizes = {name: len(utterances) for name, utterances in prepared.splits.items()}
    assert sizes == {"train": 64, "dev": 8, "test": 24}
    labels = [u.labels for name in ("train", "dev") for u in prepared.splits[name]]
    tests = [u.labels for u in prepared.splits["test"]]
    assert (sum(map(len, labels)), sum(map(len, tests))) == (2783, 918)
    assert sum(len(fold(sequence, TO_39)) for sequence in labels) == 2730
    assert sum(len(fold(sequence, TO_39)) for sequence in tests) == 904
    sentences = [{u.text for u in utterances} for utterances in prepared.splits.values()]
    assert (
        not sentences[0] & sentences[1] | sentences[0] & sentences[2] | sentences[1] & sentences[2]
    )
    assert sum(len(u.words) for u in prepared.splits["test"]) > 100
