"""The recognizer: the same numbers alone and in a batch; broken directories are named."""

import json
import shutil
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import seqlabel
from seqlabel.alphabet import Alphabet
from seqlabel.cli import main
from seqlabel.corpora.manifest import Utterance, read_manifest, write_manifest
from seqlabel.errors import InputError
from seqlabel.features.front_end import FrontEnd, make_extractor
from seqlabel.inputs import Audio, read_audio, read_ink
from seqlabel.pretrained import find
from seqlabel.training import distribution
from seqlabel.training.distribution import Workers
from seqlabel.training.experiment import Experiment
from seqlabel.training.run import train
from seqlabel.training.run_directory import (
    WEIGHTS,
    make_model,
    save_weights,
    write_description,
)


@pytest.fixture(scope="module")
def model_directory(tmp_path_factory, tiny_corpus, config) -> Path:
    folder = tmp_path_factory.mktemp("model") / "exp"
    train(Experiment.load(config, ["model.subsample_after=1"]), tiny_corpus, folder, Workers())
    return folder


def test_alone_and_in_a_batch_are_the_same(model_directory, tiny_corpus):
    model = seqlabel.load(model_directory)
    utterances = read_manifest(tiny_corpus / "test.jsonl")
    together = {u.id: p for u, p in model.outputs(utterances)}
    assert list(together) == [u.id for u in utterances]
    for utterance in utterances:
        alone = model.output(read_ink(utterance.source))
        np.testing.assert_allclose(
            together[utterance.id].log_probs, alone.log_probs, rtol=1e-4, atol=1e-5
        )
        np.testing.assert_allclose(np.exp(alone.log_probs).sum(axis=1), 1, rtol=1e-4)


def test_reads_files_and_inks_alike(model_directory, tiny_corpus):
    model = seqlabel.load(model_directory)
    utterance = read_manifest(tiny_corpus / "test.jsonl")[0]
    from_file = model.read(utterance.source)
    assert model.read(read_ink(utterance.source)) == from_file
    assert from_file.text == model.alphabet.text(from_file.labels)
    for span in from_file.spans:
        assert 0 <= span.start < span.end <= utterance.duration + 1
        assert 0 < span.probability <= 1


def test_sound_at_any_rate_is_that_of_its_file(tmp_path):
    model = seqlabel.load("an4")
    example = find("an4") / "example.wav"
    sound = read_audio(example)
    soundfile.write(tmp_path / "telephone.wav", sound.at_rate(8000).samples, 8000, subtype="FLOAT")
    samples, rate = soundfile.read(tmp_path / "telephone.wav", dtype="float32")
    of_file = model.read(tmp_path / "telephone.wav")
    assert model.read(samples, rate=rate) == of_file
    assert model.read(Audio(samples, rate)) == of_file
    assert model.read(sound.samples).text == "ERASE C Q Q F SEVEN"
    with pytest.raises(InputError, match="rate 0; a number of samples per second"):
        model.read(samples, rate=0)
    with pytest.raises(InputError, match="a tuple that is no array"):
        model.read((samples, rate))
    with pytest.raises(InputError, match=r"example\.wav: a file; a model is a folder, a"):
        seqlabel.load(example)


def test_what_the_model_does_not_read_is_refused(model_directory, tmp_path):
    model = seqlabel.load(model_directory)
    with pytest.raises(InputError, match="this model reads ink"):
        model.read(np.zeros(16000, np.float32))
    with pytest.raises(InputError, match="this model reads ink, not Audio"):
        model.read(Audio(np.ones(16000, np.float32), 16000))
    with pytest.raises(InputError, match="absent"):
        model.read(tmp_path / "absent.xml")


@pytest.fixture
def broken(model_directory, tmp_path) -> Path:
    return Path(shutil.copytree(model_directory, tmp_path / "broken"))


@pytest.mark.parametrize(
    "name",
    [
        "config.toml",
        "alphabet.json",
        "run.json",
        "weights.safetensors",
        "normalisation.safetensors",
    ],
)
def test_a_missing_or_cut_file_is_named(broken, name):
    path = broken / name
    content = path.read_bytes()
    cut = content.rindex(b"=") if name == "config.toml" else len(content) // 2
    path.write_bytes(content[:cut])
    with pytest.raises(InputError, match=name):
        seqlabel.load(broken)
    path.unlink()
    with pytest.raises(InputError, match=name):
        seqlabel.load(broken)


def test_another_version_and_unfit_weights_are_refused(broken):
    run = json.loads((broken / "run.json").read_text())
    (broken / "run.json").write_text(json.dumps({**run, "format": 99}))
    with pytest.raises(InputError, match="model format 99, but this version reads 1"):
        seqlabel.load(broken)
    (broken / "run.json").write_text(json.dumps(run))
    config = (broken / "config.toml").read_text()
    (broken / "config.toml").write_text(config.replace("hidden = 12", "hidden = 13"))
    with pytest.raises(InputError, match="does not fit"):
        seqlabel.load(broken)
    with pytest.raises(InputError, match="no such model directory"):
        seqlabel.load(broken / "absent")


@dataclass(frozen=True)
class Half(Workers):
    """One of two processes, of which the second has been before."""

    world: int = 2
    others: list = field(default_factory=list)

    def gather(self, items):
        if self.first:
            return items + self.others.pop(0)
        self.others.append(items)
        return items


@pytest.mark.parametrize("criterion", ["ctc", "regression"])
def test_two_processes_decode_what_one_does(tmp_path, monkeypatch, criterion):
    """Each has one of the two utterances of a speaker; statistics are those of both."""
    rng, rows = np.random.default_rng(0), []
    for n, speaker in enumerate(("s", "s", "t", "t", "")):
        path = tmp_path / f"{n}.wav"
        samples = (0.02 + 0.2 * (n % 2)) * rng.standard_normal(8000)
        soundfile.write(path, np.cumsum(samples) / 9 if n % 3 else samples, 16000)
        rows.append(Utterance(str(n), path, "speech", ("a",), speaker=speaker, duration=0.5))
    write_manifest(tmp_path / "test.jsonl", rows)
    (tmp_path / "given.toml").write_text(
        'features.kind = "fbank"\nfront_end.normalise = "speaker"\nmodel.hidden = 4\n'
        f'model.layers = 1\ncriterion = {{kind = "{criterion}"}}\n'
    )
    values = ["criterion.target=file", "criterion.size=2"] if criterion == "regression" else []
    experiment = Experiment.load(tmp_path / "given.toml", values)
    front_end = FrontEnd(make_extractor(experiment.features), experiment.front_end)
    (tmp_path / "exp").mkdir()
    torch.manual_seed(0)
    write_description(tmp_path / "exp", experiment, Alphabet(["a", "b"]), front_end, {})
    model = make_model(experiment, front_end, Alphabet(["a", "b"]))
    save_weights(tmp_path / "exp" / WEIGHTS, {n: 5 * w for n, w in model.state_dict().items()})
    found = []
    others: list = []
    for group in (Workers(), Half(rank=1, others=others), Half(rank=0, others=others)):
        monkeypatch.setattr(distribution, "workers", lambda devices, g=group: nullcontext(g))
        out = tmp_path / "hyp.jsonl"
        arguments = [str(tmp_path / "exp"), str(tmp_path / "test.jsonl"), "--out", str(out)]
        assert main(["decode", *arguments]) == 0
        lines = [json.loads(line) for line in out.read_text().splitlines()]
        found.append(lines[1:])
    one, _, two = found
    assert [row["id"] for row in two] == [row.id for row in rows]
    for row, other in zip(one, two, strict=True):
        assert row.keys() == other.keys()
        if criterion == "regression":
            np.testing.assert_allclose(row["values"], other["values"], rtol=1e-3, atol=1e-4)
        else:
            assert row["labels"] == other["labels"]
            assert row["log_prob"] == pytest.approx(other["log_prob"], rel=1e-4)
