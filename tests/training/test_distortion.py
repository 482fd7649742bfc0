"""Distorted utterances stay long enough for their labels, and their frames keep their labels."""

import re
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from seqlabel.alphabet import Alphabet
from seqlabel.corpora.manifest import Segment, Utterance, write_manifest
from seqlabel.errors import InputError
from seqlabel.features.sound import SoundAugmentation, distort_sound
from seqlabel.inputs import Audio, Ink
from seqlabel.training import dry_run
from seqlabel.training.distribution import Workers
from seqlabel.training.experiment import Experiment
from seqlabel.training.run import train
from seqlabel.training.setup import load_datasets


def fewer_points(ink, rng):
    """Every third point."""
    return Ink([stroke[::3] for stroke in ink.strokes])


def test_an_utterance_that_a_distortion_would_make_too_short_stays_as_it_is(tiny_corpus, config):
    experiment = replace(Experiment.load(config), features={"kind": "ink_raw"})  # a frame a point
    _, train, _ = load_datasets(experiment, tiny_corpus, Workers())
    needed, kept = train.utterances.needed, []
    for subsample in (1, 16):
        train.distortion = replace(train.distortion, signal=fewer_points, subsample=subsample)
        plain = np.array([int(train.batch([n]).lengths) for n in range(len(train))])
        lengths = np.array([int(train.batch([n], seed=[1]).lengths) for n in range(len(train))])
        assert (np.ceil(lengths / subsample) >= needed).all()
        kept.append((lengths == plain).mean())
    assert kept[0] == 0 < kept[1] < 1


def speech_corpus(folder, options, utterances=1, criterion="ctc", normalise="train"):
    """The training set of utterances of noise with segments, and the samples of each."""
    rng, rows, sounds = np.random.default_rng(0), [], []
    segments = (Segment("a", 0.0, 0.6), Segment("b", 0.6, 1.5), Segment("a", 1.5, 2.0))
    for n in range(utterances):
        sounds.append((0.1 * rng.standard_normal(16000)).astype(np.float32))
        soundfile.write(folder / f"{n}.wav", sounds[-1], 8000, "FLOAT")
        row = Utterance(f"u{n}", folder / f"{n}.wav", "speech", ("a", "b", "a"), duration=2.0)
        rows.append(replace(row, segments=segments, speaker="s"))
    for name in ("train", "dev"):
        write_manifest(folder / f"{name}.jsonl", rows)
    Alphabet(["a", "b"], unit="phone").save(folder / "alphabet.json")
    (folder / "speech.toml").write_text(
        f'features = {{kind = "fbank", rate = 8000}}\ncriterion = {{kind = "{criterion}"}}\n'
        f'front_end = {{normalise = "{normalise}"}}\n'
        f"augmentation = {{{options}}}\n[[phases]]\nepochs = 1\n"
    )
    experiment = Experiment.load(folder / "speech.toml")
    _, train, _ = load_datasets(experiment, folder, Workers())
    return train, sounds


@pytest.mark.parametrize(
    ("options", "lengths"),
    [("speeds = [0.8, 1.25]", 3), ("sound = {speed = 0.2, room = 0.5, noise = 0.5, level = 6}", 8)],
)
def test_frames_at_another_speed_have_the_labels_of_their_own_speed(tmp_path, options, lengths):
    """Borders at 30 and 75 % of the utterance stay there, however fast it is played."""
    train, _ = speech_corpus(tmp_path, options, criterion="framewise")
    drawn = {}
    for seed in range(20):
        labels = train.batch([0], seed=[seed]).frame_labels[0].numpy()
        drawn[len(labels)] = np.flatnonzero(np.diff(labels)) / len(labels)
        assert labels.min() >= 0
    assert len(drawn) >= lengths
    for borders in drawn.values():
        np.testing.assert_allclose(borders, [0.3, 0.75], atol=0.012)


SOUND = "sound = {speed = 0.1, room = 0.7, noise = 0.7, snr = [5, 20], level = 10}"
OPTIONS = SoundAugmentation(speed=0.1, room=0.7, noise=0.7, snr=(5.0, 20.0), level=10.0)


@pytest.mark.parametrize("normalise", ["train", "running", "speaker", "utterance"])
def test_distorted_speech_depends_only_on_seed_and_number(tmp_path, normalise):
    train, sounds = speech_corpus(tmp_path, SOUND, 3, normalise=normalise)
    batch = train.batch([0, 1, 2], seed=[5, 1])
    for n in range(3):
        alone = train.batch([n], seed=[5, 1])
        assert torch.equal(alone.x[0], batch.x[n, : batch.lengths[n]])
    other = train.batch([0, 1, 2], seed=[5, 2])
    assert other.x.shape != batch.x.shape or not torch.allclose(other.x, batch.x)
    if normalise != "train":
        return
    for n, samples in enumerate(sounds):
        rng = np.random.default_rng([5, 1, n])
        changed = distort_sound(Audio(samples, 8000), rng, OPTIONS)
        expected = train.front_end.finish(train.front_end.extractor(changed))
        np.testing.assert_array_equal(batch.x[n, : len(expected)].numpy(), expected.x)


def test_a_speaker_is_normalised_as_under_the_conditions_of_the_utterance(tmp_path):
    """Of a speaker whose utterances are all 10 dB louder, nothing changes; noise is taken out."""
    train, _ = speech_corpus(tmp_path, "sound = {level = 10}", 2, normalise="speaker")
    plain, louder = train.batch([0, 1]), train.batch([0, 1], seed=[1])
    np.testing.assert_allclose(louder.x.numpy(), plain.x.numpy(), atol=1e-3)
    train.distortion = replace(
        train.distortion,
        signal=lambda audio, rng: distort_sound(
            audio, rng, SoundAugmentation(noise=1.0, snr=(0.0, 0.0))
        ),
    )
    noisy = train.batch([0, 1], seed=[1]).x
    assert not torch.allclose(noisy, plain.x, atol=0.1)
    np.testing.assert_allclose(noisy.mean(dim=1), plain.x.mean(dim=1), atol=0.02)
    np.testing.assert_allclose(noisy.std(dim=1), plain.x.std(dim=1), atol=1e-3)


def test_speech_that_is_not_distorted_has_the_stored_features(tmp_path):
    train, _ = speech_corpus(tmp_path, "sound = {noise = 0.5}", 1)
    plain = train.batch([0]).x
    same = [torch.equal(train.batch([0], seed=[seed]).x, plain) for seed in range(40)]
    assert 10 < sum(same) < 30


def test_ink_at_another_speed_would_lose_the_labels_of_its_frames(tiny_corpus, config):
    overrides = ["criterion.kind=framewise", "augmentation.ink={speed=0.2}"]
    with pytest.raises(InputError, match="set speed = 0"):
        load_datasets(Experiment.load(config, overrides), tiny_corpus, Workers())


class Clock:
    """Stands in for `time`: only what the test adds makes it go on."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


def test_the_estimate_of_a_dry_run_includes_loading_and_distorting(
    tiny_corpus, config, monkeypatch
):
    clock = Clock()
    monkeypatch.setattr(dry_run, "time", clock)

    def distort(ink, rng, options):
        clock.now += 10.0
        return ink

    monkeypatch.setattr("seqlabel.training.setup.augment", distort)
    plain, distorted = (
        dry_run.dry_run(Experiment.load(config, changes), tiny_corpus, Workers())
        for changes in ([], ["augmentation.ink={rotation=5}"])
    )
    assert "about 0 s per epoch" in plain
    (seconds,) = re.findall(r"about (\d+) s per epoch", distorted)
    # 24 utterances, scaled from the frames of four batches
    assert 120 < int(seconds) < 480


def warped_speech(folder, names):
    """Utterances of two seconds, and a configuration with speeds, warps and masks."""
    rng = np.random.default_rng(0)
    utterances = []
    for name in names:
        soundfile.write(folder / f"{name}.wav", 0.1 * rng.standard_normal(16000), 8000)
        utterances.append(Utterance(name, folder / f"{name}.wav", "speech", ("a",), duration=2.0))
    for name in ("train", "dev"):
        write_manifest(folder / f"{name}.jsonl", utterances)
    Alphabet(["a"], unit="phone").save(folder / "alphabet.json")
    (folder / "views.toml").write_text(
        'features = {kind = "fbank"}\naugmentation = {speeds = [0.8, 1.25], time_masks = 1, '
        "time_width = 20, frequency_warp = 0.1, time_warp = 10}\n[[phases]]\nepochs = 1\n"
    )
    return Experiment.load(folder / "views.toml")


def test_a_second_view_has_the_same_positions_and_masks_of_its_own(tmp_path):
    """Speed and warps are drawn once; the first view is that of a batch without a second."""
    experiment = warped_speech(tmp_path, ["u", "v"])
    _, train, _ = load_datasets(experiment, tmp_path, Workers())
    differing = 0
    for seed in range(10):
        plain, both = train.batch([0, 1], seed=[seed]), train.batch([0, 1], [seed], second=True)
        assert torch.equal(plain.x, both.x)
        assert plain.second is None
        assert both.second.shape == both.x.shape
        one, other = (x[0, : both.lengths[0]] for x in (both.x, both.second))
        masked = (one == 0).all(dim=1) | (other == 0).all(dim=1)
        assert torch.equal(one[~masked], other[~masked])
        assert (~masked).sum() > 0.5 * len(masked)
        differing += not torch.equal(one, other)
        alone = train.batch([1], [seed], second=True).select([0]).to("cpu")
        assert torch.equal(alone.second[0], both.second[1, : both.lengths[1]])
    assert differing > 5
    train.distortion = replace(train.distortion, variants=(), warp=None, mask=None, noise=0.5)
    both = train.batch([0], [1], second=True)
    assert 0.6 < (both.x - both.second).std() < 0.8  # √2 times 0.5: two draws of noise


def test_plain_frames_have_the_same_positions_without_masks_and_noise(tmp_path):
    experiment = warped_speech(tmp_path, ["u"])
    _, train, _ = load_datasets(experiment, tmp_path, Workers())
    unmasked = replace(train.distortion, mask=None)
    for seed in range(10):
        train.distortion = replace(unmasked, mask=experiment.augmentation.masks(1), noise=0.5)
        batch = train.batch([0], [seed], second=True, plain=True)
        assert torch.equal(batch.second, train.batch([0], [seed], second=True).second)
        alone = train.batch([0], [seed], plain=True)
        assert torch.equal(batch.plain, alone.plain)
        assert torch.equal(batch.x, alone.x)
        assert alone.second is None
        assert torch.equal(batch.select([0]).to("cpu").plain, batch.plain)
        train.distortion = unmasked
        assert torch.equal(batch.plain, train.batch([0], [seed]).x)
        assert not torch.equal(batch.plain, batch.x)
    assert train.batch([0], [1]).plain is None


def test_an_utterance_stays_long_enough_for_its_levels(tmp_path):
    """98 frames, 78 at speed 1.25, 48 at speed 2: of these, only the last are too few for 60."""
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "a.wav", 0.1 * rng.standard_normal(8000), 8000)
    row = Utterance("a", tmp_path / "a.wav", "speech", ("w",), duration=1.0)
    for name in ("train", "dev"):
        levels = {"phone": ("p", "q") * 30}
        write_manifest(tmp_path / f"{name}.jsonl", [replace(row, levels=levels)])
    phones = Alphabet(["p", "q"], unit="phone")
    Alphabet(["w"], unit="word", levels=(("phone", phones),)).save(tmp_path / "alphabet.json")
    (tmp_path / "c.toml").write_text(
        'features = {kind = "fbank", rate = 8000}\naugmentation = {speeds = [1.25, 2.0]}\n'
    )
    drawn = {}
    for kind in ("ctc", "levels"):
        experiment = Experiment.load(tmp_path / "c.toml", [f"criterion.kind={kind}"])
        _, train, _ = load_datasets(experiment, tmp_path, Workers())
        drawn[kind] = {int(train.batch([0], seed=[seed]).lengths) for seed in range(20)}
    assert drawn == {"ctc": {98, 78, 48}, "levels": {98, 78}}


def test_a_dry_run_reads_the_initial_weights_and_counts_its_batches(
    tiny_corpus, config, tmp_path, caplog
):
    with pytest.raises(InputError, match=r"absent.*no such file"):
        other = Experiment.load(config, [f"initial={tmp_path / 'absent'}"])
        dry_run.dry_run(other, tiny_corpus, Workers())
    train(Experiment.load(config, ["phases=[{epochs=1}]"]), tiny_corpus, tmp_path / "m", Workers())
    one_batch = [f"initial={tmp_path / 'm'}", "batches.frames=1000000"]
    text = dry_run.dry_run(Experiment.load(config, one_batch), tiny_corpus, Workers())
    assert "(from 1 batch)" in text
    with pytest.raises(InputError, match="none of the weights fits"):
        other = Experiment.load(config, [*one_batch, "model.hidden=3", "criterion.kind=framewise"])
        dry_run.dry_run(other, tiny_corpus, Workers())
