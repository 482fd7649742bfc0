"""recipes/an4/recombine.py: cuts in pauses, joins without clicks, a folder that is whole."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from seqlabel.alphabet import Alphabet
from seqlabel.corpora.manifest import Utterance, read_manifest
from seqlabel.corpora.prepared import Prepared
from seqlabel.decoding import Span
from seqlabel.errors import InputError
from seqlabel.files import read_json

SCRIPT = Path(__file__).parents[2] / "recipes" / "an4" / "recombine.py"
RATE = 8000
SYMBOLS = " ABCDE"
ALPHABET = Alphabet(SYMBOLS, unit="character")
HERTZ = {name: 300.0 + 200 * n for n, name in enumerate("ABCDE")}


@pytest.fixture
def recombine():
    """The script as a module (another recipe has one of the same name)."""
    spec = importlib.util.spec_from_file_location("an4_recombine", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tone(letter, seconds):
    return 0.3 * np.sin(2 * np.pi * HERTZ[letter] * np.arange(int(RATE * seconds)) / RATE)


def sound_of(text, gap=0.1):
    """A tone of 0.2 s for each letter, in pauses of `gap` seconds with little noise."""
    parts = []
    for letter in text.split():
        parts += [np.zeros(int(RATE * gap)), tone(letter, 0.2)]
    sound = np.concatenate([*parts, np.zeros(int(RATE * gap))])
    return sound + 1e-4 * np.random.default_rng(len(text)).standard_normal(len(sound))


def letters_in(sound):
    """The tones of a sound in their order, by the strongest frequency of stretches of 25 ms."""
    size = RATE // 40
    heard = ""
    for start in range(0, len(sound) - size, size):
        part = sound[start : start + size]
        if np.sqrt(np.mean(part**2)) < 0.15:
            heard += "" if heard.endswith(" ") else " "
            continue
        spectrum = np.abs(np.fft.rfft(part * np.hanning(size), 1 << 12))
        hertz = spectrum.argmax() * RATE / (1 << 12)
        letter = min(HERTZ, key=lambda name: abs(HERTZ[name] - hertz))
        heard += "" if heard.endswith(letter) else letter
    return heard.split()


class Model:
    """Knows where the tones of `sound_of` are: a label in the midst of each, spaces after it."""

    alphabet = ALPHABET

    def outputs(self, utterances):
        for utterance in utterances:
            labels = "".join(utterance.labels)
            frames = np.full((int(utterance.duration * 100), len(ALPHABET)), 0.001)
            frames[:, 0] = 1
            for n, letter in enumerate(labels.split()):
                middle = 10 + 30 * n + 10
                frames[middle, ALPHABET.encode([letter], "")[0]] = 1000
                if n:
                    frames[middle - 18, ALPHABET.encode([" "], "")[0]] = 1000
            log_probs = np.log(frames / frames.sum(axis=1, keepdims=True))
            times = np.arange(len(frames)) / 100
            yield utterance, SimpleNamespace(log_probs=log_probs, times=times, period=0.01)


TRAIN = [
    ("mia", "A B C"), ("mia", "D E"), ("mia", "B A"), ("tom", "C C D E A"), ("tom", "E"),
    ("ann", "A"),
]  # fmt: skip


@pytest.fixture
def data(tmp_path):
    """A prepared folder: two speakers with enough words, one with a single word, and a dev set."""
    folder = tmp_path / "data"
    sets = {"train": TRAIN, "dev": [("eve", "A B")]}
    splits = {}
    for name, entries in sets.items():
        splits[name] = []
        for n, (speaker, text) in enumerate(entries):
            path = folder / f"{name}{n}.wav"
            path.parent.mkdir(exist_ok=True)
            sound = sound_of(text)
            soundfile.write(path, sound, RATE)
            utterance = Utterance(f"{name}{n}", path, "speech", tuple(text), text, speaker)
            splits[name].append(utterance.__class__(**{
                **utterance.__dict__, "duration": len(sound) / RATE, "tags": {"who": speaker},
            }))  # fmt: skip
    Prepared("an4", "speech", ALPHABET, splits, rate=RATE).save(folder)
    return folder


def run(recombine, monkeypatch, *arguments):
    monkeypatch.setattr("seqlabel.load", lambda name: Model())
    monkeypatch.setattr("sys.argv", ["recombine.py", *map(str, arguments)])
    recombine.main()


def test_a_pause_is_found_beside_a_short_closure(recombine):
    """Between the marks lie the end of a word, a closure, its release, and the pause."""
    rng = np.random.default_rng(0)
    sound = 0.2 * rng.standard_normal(RATE)
    sound[2400:2800] *= 0.001  # 50 ms
    sound[3600:5600] *= 0.002  # 250 ms, 6 dB louder than the closure
    sound[3600:5600] *= 0.9
    cut = recombine.pause_between(sound.astype(np.float32), RATE, 0.25, 0.8)
    assert cut == pytest.approx(4600, abs=0.02 * RATE)
    assert recombine.pause_between(sound, RATE, 0.5, 0.51) == 4040  # no room for a window


def test_cut_words_are_all_of_the_utterance(recombine):
    samples = sound_of("A B C").astype(np.float32)
    spans = [Span("A", 0.2, 0.21, 1.0), Span("B", 0.5, 0.51, 1.0), Span("C", 0.8, 0.81, 1.0)]
    words = recombine.cut_words(samples, RATE, spans)
    assert [word.text for word in words] == ["A", "B", "C"]
    np.testing.assert_array_equal(np.concatenate([word.samples for word in words]), samples)
    for word in words:
        assert letters_in(word.samples) == [word.text]
        assert len(word.samples) == pytest.approx(0.3 * RATE, abs=0.06 * RATE)


def test_silences_of_an_utterance_are_its_first_and_last(recombine):
    before, after = recombine.silences(sound_of("A B C", gap=0.15), RATE)
    for silence in (before, after):
        assert len(silence) == pytest.approx(0.15 * RATE, abs=0.021 * RATE)
        assert np.abs(silence).max() < 1e-3
    assert [len(part) for part in recombine.silences(np.zeros(2000), RATE)] == [0, 0]
    assert [len(part) for part in recombine.silences(np.zeros(3), RATE)] == [0, 0]
    speaker = recombine.Speaker([], [before], [after], {})
    words = [recombine.Word("A", np.ones(5)), recombine.Word("B", np.ones(6))]
    pieces = recombine.between_silences(words, speaker, np.random.default_rng(0))
    assert pieces[0] is before
    assert [len(piece) for piece in pieces[1:3]] == [5, 6]
    assert pieces[3] is after
    bare = recombine.between_silences(words, speaker._replace(before=[], after=[]), None)
    assert len(bare) == 2


def test_joins_do_not_click_and_keep_the_power(recombine):
    rng = np.random.default_rng(0)
    low, high = (np.full(500, v, np.float32) for v in (-0.4, 0.4))
    sound = recombine.join([low, high, low], RATE)
    fade = int(recombine.FADE * RATE)
    assert len(sound) == 1500 - 2 * fade
    assert np.abs(np.diff(sound)).max() < 0.8 * 2.5 / fade  # a click would be 0.8
    noises = [rng.standard_normal(fade).astype(np.float32) for _ in range(400)]
    pairs = [recombine.join(noises[n : n + 2], RATE) for n in range(399)]
    assert np.mean(np.square(pairs)) == pytest.approx(1, abs=0.05)
    assert len(recombine.join([low, low[:3]], RATE)) == 500


def test_new_utterances_say_what_their_labels_are(recombine, data, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run(recombine, monkeypatch, data, out, "--count", 40)
    old, rows = read_manifest(data / "train.jsonl"), read_manifest(out / "train.jsonl")
    assert rows[: len(old)] == old
    new = rows[len(old) :]
    assert len(new) == 40
    said = {name: [w for s, t in TRAIN if s == name for w in t.split()] for name in ("mia", "tom")}
    for row in new:
        sound, rate = soundfile.read(row.source, dtype="float32")
        assert rate == RATE
        assert row.duration == pytest.approx(len(sound) / RATE, abs=1e-5)
        assert letters_in(sound) == row.text.split()
        assert "".join(row.labels) == row.text
        assert row.tags == {"who": row.speaker}
        assert 2 <= len(row.text.split()) <= 5
        for letter in row.text.split():
            assert row.text.split().count(letter) <= said[row.speaker].count(letter)
    assert {row.speaker for row in new} == {"mia", "tom"}  # not eve of dev, not ann with one word
    assert read_manifest(out / "dev.jsonl") == read_manifest(data / "dev.jsonl")
    assert Alphabet.load(out / "alphabet.json") == ALPHABET
    facts = read_json(out / "corpus.json")
    assert facts["rate"] == RATE
    assert facts["counts"]["train"]["utterances"] == 46
    assert "40 training utterances recombined" in facts["notes"][0]


def test_words_and_their_number_are_drawn_as_in_the_training_set(recombine):
    rows = [Utterance(f"u{n}", Path("u"), "speech", tuple(t)) for n, (_, t) in enumerate(TRAIN)]
    counts = recombine.counts_of([*rows, Utterance("long", Path("u"), "speech", tuple("A B" * 9))])
    assert sorted(counts) == [2, 2, 3, 5]
    words = [recombine.Word(letter, np.zeros(1)) for letter in "ABCDEA"]
    speakers = {
        n: recombine.Speaker(w, [], [], {}) for n, w in {"mia": words, "tom": words[:2]}.items()
    }
    drawn = [recombine.recombined(speakers, counts, np.random.default_rng(n)) for n in range(2000)]
    mia = [cuts for name, cuts in drawn if name == "mia"]
    assert len(mia) / 2000 == pytest.approx(6 / 8, abs=0.04)
    lengths = [len(cuts) for cuts in mia]
    for count, share in ((2, 0.5), (3, 0.25), (5, 0.25)):
        assert lengths.count(count) / len(mia) == pytest.approx(share, abs=0.04)
    assert all(len({id(word) for word in cuts}) == len(cuts) for _, cuts in drawn)
    assert {len(cuts) for name, cuts in drawn if name == "tom"} == {2}  # has no more


def test_the_seed_alone_decides(recombine, data, tmp_path, monkeypatch, capsys):
    for name, seed in (("one", 1), ("two", 1), ("other", 2)):
        run(recombine, monkeypatch, data, tmp_path / name, "--count", 3, "--seed", seed)
    read = {
        name: [path.read_bytes() for path in sorted((tmp_path / name / "wav").iterdir())]
        for name in ("one", "two", "other")
    }
    assert read["one"] == read["two"] != read["other"]
    capsys.readouterr()
    run(recombine, monkeypatch, data, tmp_path / "one", "--count", 3)
    assert "there already" in capsys.readouterr().err
    with pytest.raises(InputError, match="already has another corpus"):
        run(recombine, monkeypatch, data, tmp_path / "one", "--count", 4)


def test_what_cannot_be_recombined_is_one_line_and_leaves_nothing(
    recombine, data, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    with pytest.raises(InputError, match="no such file"):
        run(recombine, monkeypatch, tmp_path / "nothing", out)
    monkeypatch.setattr(Model, "alphabet", Alphabet("AB", unit="character"))
    with pytest.raises(InputError, match="does not read the labels"):
        run(recombine, monkeypatch, data, out)
    monkeypatch.setattr(Model, "alphabet", ALPHABET)
    (data / "train4.wav").unlink()
    with pytest.raises(InputError, match=r"train4\.wav"):
        run(recombine, monkeypatch, data, out)
    Alphabet("ABCDE", unit="character").save(data / "alphabet.json")
    with pytest.raises(InputError, match="not characters with spaces"):
        run(recombine, monkeypatch, data, out)
    ALPHABET.save(data / "alphabet.json")
    text = (data / "train.jsonl").read_text()
    (data / "train.jsonl").write_text(text.replace('"speaker": "ann", ', ""))
    with pytest.raises(InputError, match="train5 names no speaker"):
        run(recombine, monkeypatch, data, out)
    lonely = [line for line in text.splitlines() if '"ann"' in line]
    (data / "train.jsonl").write_text(lonely[0] + "\n")
    with pytest.raises(InputError, match="no speaker with two words"):
        run(recombine, monkeypatch, data, out)
    assert not out.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]
    with pytest.raises(SystemExit):
        run(recombine, monkeypatch, data, out, "--count", 0)
