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
from seqlabel.inputs import Ink
from seqlabel.training import dry_run
from seqlabel.training.distribution import Workers
from seqlabel.training.experiment import Experiment
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


def test_frames_at_another_speed_have_the_labels_of_their_own_speed(tmp_path):
    """Borders at 30 and 75 % of the utterance stay there, however fast it is played."""
    samples = 0.1 * np.random.default_rng(0).standard_normal(16000)
    soundfile.write(tmp_path / "noise.wav", samples, 8000)
    segments = (Segment("a", 0.0, 0.6), Segment("b", 0.6, 1.5), Segment("a", 1.5, 2.0))
    utterance = Utterance(
        "u", tmp_path / "noise.wav", "speech", ("a", "b", "a"), duration=2.0, segments=segments
    )
    for name in ("train", "dev"):
        write_manifest(tmp_path / f"{name}.jsonl", [utterance])
    Alphabet(["a", "b"], unit="phone").save(tmp_path / "alphabet.json")
    (tmp_path / "speeds.toml").write_text(
        'features = {kind = "fbank"}\ncriterion = {kind = "framewise"}\n'
        "augmentation = {speeds = [0.8, 1.25]}\n[[phases]]\nepochs = 1\n"
    )
    experiment = Experiment.load(tmp_path / "speeds.toml")
    _, train, _ = load_datasets(experiment, tmp_path, Workers())
    drawn = {}
    for seed in range(20):
        labels = train.batch([0], seed=[seed]).frame_labels[0].numpy()
        drawn[len(labels)] = np.flatnonzero(np.diff(labels)) / len(labels)
        assert labels.min() >= 0
    assert len(drawn) == 3
    for borders in drawn.values():
        np.testing.assert_allclose(borders, [0.3, 0.75], atol=0.012)


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


def test_a_second_view_has_the_same_positions_and_masks_of_its_own(tmp_path):
    """Speed and warps are drawn once; the first view is that of a batch without a second."""
    rng = np.random.default_rng(0)
    utterances = []
    for name in ("u", "v"):
        soundfile.write(tmp_path / f"{name}.wav", 0.1 * rng.standard_normal(16000), 8000)
        utterances.append(Utterance(name, tmp_path / f"{name}.wav", "speech", ("a",), duration=2.0))
    for name in ("train", "dev"):
        write_manifest(tmp_path / f"{name}.jsonl", utterances)
    Alphabet(["a"], unit="phone").save(tmp_path / "alphabet.json")
    (tmp_path / "views.toml").write_text(
        'features = {kind = "fbank"}\naugmentation = {speeds = [0.8, 1.25], time_masks = 1, '
        "time_width = 20, frequency_warp = 0.1, time_warp = 10}\n[[phases]]\nepochs = 1\n"
    )
    experiment = Experiment.load(tmp_path / "views.toml")
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
