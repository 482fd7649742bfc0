"""Stores of features: mapped from disk, made anew when signals change, statistics kept."""

import os
import shutil
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from seqlabel.alphabet import Alphabet
from seqlabel.corpora.manifest import Utterance, write_manifest
from seqlabel.data import store as stores
from seqlabel.data.dataset import Dataset, load_features
from seqlabel.data.index import open_utterances
from seqlabel.data.speakers import SpeakerStatistics
from seqlabel.errors import InputError
from seqlabel.features.fbank import Fbank
from seqlabel.features.front_end import FrontEnd, FrontEndOptions
from seqlabel.features.normalisation import Statistics
from seqlabel.files import writing
from seqlabel.inputs import read_audio

SPEAKERS = ["anna", "", "ben", "anna", ""]
FRONT_END = FrontEnd(Fbank(), FrontEndOptions())


@pytest.fixture
def manifest(tmp_path):
    rng = np.random.default_rng(0)
    utterances = []
    for n, speaker in enumerate(SPEAKERS):
        path = tmp_path / f"{n}.wav"
        soundfile.write(path, rng.integers(-900, 900, 2000 + 700 * n).astype(np.int16), 16000)
        labels = ("a", "b", "a")[: n % 4]
        utterances.append(Utterance(f"u{n}", path, "speech", labels, speaker=speaker))
    write_manifest(tmp_path / "train.jsonl", utterances)
    return tmp_path / "train.jsonl"


def test_features_are_mapped_and_those_of_the_extractor(manifest):
    utterances = open_utterances(manifest)
    store = load_features(utterances, FRONT_END)
    for array in (store.x, store.times, store.spans):
        assert isinstance(array.base, np.memmap)
        assert not array.flags.writeable
    assert len(store) == len(SPEAKERS)
    for n, utterance in enumerate(utterances):
        frames = Fbank()(read_audio(utterance.source))
        np.testing.assert_array_equal(store[n], frames.x)
        np.testing.assert_array_equal(store.frames(n).times, frames.times)
        assert store.frame_count(n) == store.lengths[n] == len(frames.x)


def test_made_once_and_anew_for_other_signals_or_options(manifest):
    utterances = open_utterances(manifest)
    first = load_features(utterances, FRONT_END).folder
    stamp = (first / "x.npy").stat().st_mtime_ns
    assert load_features(utterances, FRONT_END).folder == first
    assert (first / "x.npy").stat().st_mtime_ns == stamp
    other = FrontEnd(Fbank(filters=20), FrontEndOptions())
    assert load_features(utterances, other).folder != first
    assert load_features(utterances, FRONT_END, lambda audio: audio, "-x").folder != first
    os.utime(manifest.parent / "3.wav", ns=(1, 1))
    assert load_features(utterances, FRONT_END).folder != first
    (manifest.parent / "3.wav").unlink()
    with pytest.raises(InputError, match=r"3\.wav: no such file \(utterance u3\)"):
        load_features(utterances, FRONT_END)


def test_a_process_that_starts_at_the_same_time_may_take_the_store_away(manifest, monkeypatch):
    utterances = open_utterances(manifest)
    put = writing._put_in_place

    def put_and_lose(temporary, path):
        put(temporary, path)
        shutil.rmtree(path)

    expected = np.array(load_features(utterances, FRONT_END).x)
    shutil.rmtree(load_features(utterances, FRONT_END).folder)
    monkeypatch.setattr(writing, "_put_in_place", put_and_lose)
    store = load_features(utterances, FRONT_END)
    np.testing.assert_array_equal(store.x, expected)

    def lost(*_):
        raise FileNotFoundError

    monkeypatch.setattr(Statistics, "save", lost)
    np.testing.assert_allclose(store.statistics().mean, expected.mean(axis=0), rtol=1e-4)


def test_of_two_runs_that_start_together_one_extracts(manifest):
    utterances = open_utterances(manifest)
    begun = threading.Event()

    def slow(audio):
        begun.set()
        time.sleep(0.02)
        return audio

    first = threading.Thread(target=load_features, args=(utterances, FRONT_END, slow, "-x"))
    first.start()
    begun.wait()
    store = load_features(utterances, FRONT_END, lambda audio: pytest.fail("extracted too"), "-x")
    first.join()
    np.testing.assert_array_equal(store.x, load_features(utterances, FRONT_END).x)


def test_of_many_signals_some_are_looked_at(manifest, monkeypatch):
    monkeypatch.setattr(stores, "CHECKED", 2)  # the first and the fourth
    utterances = open_utterances(manifest)
    first = load_features(utterances, FRONT_END).folder
    os.utime(manifest.parent / "1.wav", ns=(1, 1))
    assert load_features(utterances, FRONT_END).folder == first
    os.utime(manifest.parent / "3.wav", ns=(1, 1))
    assert load_features(utterances, FRONT_END).folder != first


@pytest.mark.parametrize("name", ["x.npy", "times.npy", "spans.npy", "store.json"])
@pytest.mark.parametrize("damage", ["absent", "cut"])
def test_a_damaged_store_is_made_anew(manifest, name, damage):
    utterances = open_utterances(manifest)
    path = load_features(utterances, FRONT_END).folder / name
    data = path.read_bytes()
    if damage == "absent":
        path.unlink()
    else:
        path.write_bytes(data[:-8])
    load_features(utterances, FRONT_END)
    assert path.read_bytes() == data


def test_a_failure_leaves_nothing(manifest):
    (manifest.parent / "4.wav").write_bytes(b"RIFF")
    with pytest.raises(InputError, match=r"4\.wav"):
        load_features(open_utterances(manifest), FRONT_END)
    assert [path.name for path in (manifest.parent / "features").iterdir()] == ["train.index"]


def test_statistics_are_those_of_all_frames_and_kept(manifest):
    store = load_features(open_utterances(manifest), FRONT_END)
    expected = Statistics.fit([store.x])
    for _ in range(2):
        found = store.statistics()
        np.testing.assert_array_equal(found.mean, expected.mean)
        np.testing.assert_array_equal(found.std, expected.std)
    kept = replace(store, x=np.zeros((3, 40), np.float32)).statistics()
    np.testing.assert_array_equal(kept.mean, expected.mean)


def test_speakers_have_statistics_of_all_they_say(manifest):
    utterances = open_utterances(manifest)
    store = load_features(utterances, FRONT_END)
    own = SpeakerStatistics(store, utterances.speakers)
    for n, speaker in enumerate(SPEAKERS):
        members = [m for m, name in enumerate(SPEAKERS) if name == speaker] if speaker else [n]
        expected = Statistics.fit([store[m] for m in members])
        np.testing.assert_array_equal(own[n].mean, expected.mean)
        np.testing.assert_array_equal(own[n].std, expected.std)


@pytest.mark.parametrize("normalise", ["speaker", "none"])
def test_a_part_of_a_dataset_is_what_its_utterances_are_in_the_whole(manifest, normalise):
    front_end = FrontEnd(Fbank(), FrontEndOptions(normalise=normalise))
    whole = Dataset.read(manifest, Alphabet(["a", "b"]), front_end)
    assert [(s.number, s.id, s.reason) for s in whole.unusable()] == [
        (0, "u0", "no labels"), (4, "u4", "no labels")
    ]  # fmt: skip
    short = whole.unusable(lambda frames: frames // 13)
    assert "1 frames, its labels need 2" in [s.reason for s in short]
    keep = np.array([3, 1, 2])
    for part, numbers in (
        (whole.subset(keep), keep),
        (whole.subset(keep).subset(np.array([2, 0])), keep[[2, 0]]),
    ):
        assert len(part) == len(numbers)
        for n, number in enumerate(numbers.tolist()):
            assert part.utterance(n) == whole.utterance(number)
            assert part.target(n) == whole.target(number)
            assert part.lengths[n] == whole.lengths[number]
            np.testing.assert_array_equal(part.frames(n).x, whole.frames(number).x)
            assert part.batch([n]).ids == whole.batch([number]).ids
        assert part.unusable() == []


def test_damaged_statistics_and_descriptions_are_made_anew(manifest):
    store = load_features(open_utterances(manifest), FRONT_END)
    whole = store.statistics()
    path = store.folder / "statistics.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    np.testing.assert_array_equal(store.statistics().mean, whole.mean)
    np.testing.assert_array_equal(Statistics.load(path).std, whole.std)
    (store.folder / "store.json").write_text("[]")
    assert stores.open_store(store.folder) is None
