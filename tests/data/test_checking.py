"""`seqlabel check`: what would spoil a training is found before it."""

import dataclasses

import numpy as np
import pytest
import soundfile

from seqlabel.alphabet import Alphabet
from seqlabel.cli import main
from seqlabel.corpora.manifest import Segment, Utterance, read_manifest, write_manifest
from seqlabel.data.checking import find_problems
from seqlabel.features.fbank import Fbank


@pytest.fixture
def data(tmp_path):
    """A prepared folder of three good utterances."""
    noise = np.random.default_rng(0).integers(-900, 900, 4000).astype(np.int16)
    for name in ("train", "dev", "test"):
        soundfile.write(tmp_path / f"{name}.wav", noise, 16000)
        utterance = Utterance(
            name,
            tmp_path / f"{name}.wav",
            "speech",
            ("a", "a", "b"),
            speaker=f"speaker-{name}",
            duration=0.25,
            segments=(Segment("a", 0, 0.1), Segment("a", 0.1, 0.2), Segment("b", 0.2, 0.25)),
        )
        write_manifest(tmp_path / f"{name}.jsonl", [utterance])
    Alphabet(["a", "b"], unit="phone").save(tmp_path / "alphabet.json")
    return tmp_path


def change(data, name="test", /, **fields):
    utterance = dataclasses.replace(read_manifest(data / f"{name}.jsonl")[0], **fields)
    write_manifest(data / f"{name}.jsonl", [utterance])


def write(data, samples, rate=16000):
    soundfile.write(data / "test.wav", samples, rate)


FAULTS = {
    "unreadable": (lambda data: (data / "test.wav").write_bytes(b"RIFF"), "not readable as audio"),
    "missing": (lambda data: (data / "test.wav").unlink(), "no such audio file"),
    "stereo": (lambda data: write(data, np.ones((4000, 2), np.int16)), "2 channels"),
    "silent": (lambda data: write(data, np.zeros(4000, np.int16)), "silent audio"),
    "shorter than a window": (lambda data: write(data, np.ones(300, np.int16)), "shorter than"),
    "too short": (lambda data: write(data, np.ones(640, np.int16)), "2 frames, its labels need 4"),
    "unknown symbol": (
        lambda data: change(data, "train", labels=("a", "c")),
        "train train: symbol 'c' is not in",
    ),
    "no labels": (lambda data: change(data, labels=(), segments=()), "no labels"),
    "other hand labels": (lambda data: change(data, labels=("b",)), "labels and labels differ"),
    "hand labels past the end": (lambda data: change(data, duration=0.2), "end after the signal"),
    "words before the start": (
        lambda data: change(data, words=(Segment("w", -0.01, 0.1), Segment("v", -1, 0))),
        "word 'w' from -0.01 to 0.1 s, but the signal from 0 to 0.25 s",
    ),
    "words past the end": (
        lambda data: change(data, words=(Segment("w", 0, 0.2), Segment("v", 0.2, 0.26))),
        "word 'v' from 0.2 to 0.26 s, but the signal",
    ),
    "id in two sets": (lambda data: change(data, id="train"), "the id also occurs in train"),
    "empty set": (lambda data: (data / "test.jsonl").write_text(""), "the set is empty"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_listed_and_fail(data, capsys, fault):
    make, words = FAULTS[fault]
    make(data)
    assert main(["check", str(data)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(words in line for line in lines), lines
    assert lines[-1].endswith("problems")
    if fault not in ("empty set", "id in two sets", "unknown symbol"):
        assert lines[0].startswith("test test: ")


def test_shared_speakers_unknown_symbols_and_empty_texts_are_remarks(data, capsys):
    """No model can write those symbols, and nothing may be said in a recording."""
    change(data, labels=("c", "a", "d", "c"), segments=())
    change(data, "dev", labels=(), text="", segments=(), speaker="speaker-train")
    assert main(["check", str(data)]) == 0
    assert capsys.readouterr().out.splitlines()[:-1] == [
        "remark: speaker speaker-train is both in train and in dev",
        "remark: dev: 1 of 1 transcripts are empty, first dev",
        "remark: test: 3 labels are of symbols that do not occur in training and are scored as "
        "errors: 'c' (2), 'd' (1)",
    ]


def test_good_data_passes(data, capsys):
    assert main(["check", str(data)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "remark: dev: 1 of 1 label sequences also occur in train",
        "remark: test: 1 of 1 label sequences also occur in train",
        f"{data}: 3 utterances checked, no problems",
    ]


def test_the_bound_on_frames_is_tight(data):
    """23 frames and labels a a b: ok down to 4 frames of the network."""
    utterances = {"train": read_manifest(data / "train.jsonl")}
    alphabet = Alphabet(["a", "b"])
    for reduction, problems in ((1, 0), (7, 0), (8, 1)):
        found = list(find_problems(alphabet, utterances, {"speech": Fbank()}, reduction))
        assert len(found) == problems, reduction
    assert main(["check", str(data), "--reduction", "8"]) == 1


def test_features_of_a_configuration(data, capsys):
    config = data / "train.toml"
    config.write_text('[features]\nkind = "fbank"\nwindow = 300.0\n')
    assert main(["check", str(data), "--config", str(config)]) == 1
    assert "shorter than a window of 300.0 ms" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "not prepared data"),
        (["--reduction", "0"], "at least 1"),
        (["--features", "fbnak"], "did you mean 'fbank'"),
    ],
)
def test_wrong_usage(data, capsys, arguments, words):
    folder = data if arguments else data / "absent"
    assert main(["check", str(folder), *arguments]) == 2
    assert words in capsys.readouterr().err


def check(data, text, *arguments):
    """Exit status of a check with a configuration."""
    (data / "c.toml").write_text(text)
    return main(["check", str(data), "--config", str(data / "c.toml"), *arguments])


PLAIN = '[features]\nkind = "fbank"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("features = 3\n", "c.toml.features = 3: a table is expected"),
        ("[model]\nhidden = 9\n", "features"),
        (PLAIN + "[model]\nhiden = 9\n", "did you mean 'hidden'"),
    ],
)
def test_a_wrong_configuration_is_one_line(data, capsys, text, words):
    assert check(data, text) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "reduced"),
    [
        ("", 23),
        ("[front_end]\nstack = 8\nstride = 7\n", 4),
        ("[front_end]\nstack = 8\nstride = 8\n", 3),
        ("[model]\nsubsample = 8\n", 3),
        ("[front_end]\nstack = 4\nstride = 4\n[model]\nsubsample = 2\n", 3),
        ('[model]\nencoder = "conv"\n[model.conv]\nchannels = [2]\npools = [[8, 1]]\n', 3),
    ],
)
def test_frames_are_those_that_the_configuration_leaves(data, capsys, options, reduced):
    """23 frames in each set, and labels a a b, which need 4."""
    assert check(data, PLAIN + options) == (reduced < 4)
    told = [line for line in capsys.readouterr().out.splitlines() if "labels need" in line]
    expected = ["train", "dev", "test"] if reduced < 4 else []
    assert told == [f"{name} {name}: {reduced} frames, its labels need 4" for name in expected]
    assert check(data, PLAIN + options, "--reduction", "7") == 0
    assert check(data, PLAIN + options, "--reduction", "8") == 1


def test_features_instead_of_those_of_a_configuration(data, capsys):
    wide = '[features]\nkind = "fbank"\nwindow = 300.0\n'
    assert check(data, wide, "--features", "fbank") == 0
    assert check(data, wide) == 1


def test_levels_with_too_many_labels(data, capsys):
    """The sets train and dev need their levels; other criteria do not."""
    phones = Alphabet(["p", "q"], unit="phone")
    Alphabet(["a", "b"], unit="word", levels=(("phone", phones),)).save(data / "alphabet.json")
    change(data, "train", levels={"phone": ("p", "q") * 12})
    change(data, "dev", levels={"phone": ("p", "x")})
    assert main(["check", str(data)]) == 1
    assert capsys.readouterr().out.splitlines()[:2] == [
        "train train: 23 frames, its level 'phone' needs 24",
        "dev dev: symbol 'x' is not in the alphabet of the level 'phone'",
    ]
    assert check(data, PLAIN + '[criterion]\nkind = "levels"\n') == 1
    assert check(data, PLAIN) == 0
    change(data, "train", levels={})
    change(data, "dev", levels={"phone": ("p", "q") * 11})
    capsys.readouterr()
    assert main(["check", str(data)]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "train train: no labels of the level 'phone'"
    assert not told[1].startswith("dev")


def test_hand_labels_that_framewise_training_needs(data, capsys):
    for name in ("train", "dev", "test"):
        change(data, name, segments=())
    assert check(data, PLAIN) == 0
    capsys.readouterr()
    assert check(data, PLAIN + '[criterion]\nkind = "framewise"\n') == 1
    told = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in told if "no hand segmentation" in line] == [
        "train train", "dev dev",
    ]  # fmt: skip
