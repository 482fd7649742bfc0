"""The recognizer: the same numbers alone and in a batch; broken directories are named."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import seqlabel
from seqlabel.corpora.manifest import read_manifest
from seqlabel.errors import InputError
from seqlabel.inputs import Audio, read_ink
from seqlabel.training.distribution import Workers
from seqlabel.training.experiment import Experiment
from seqlabel.training.run import train


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
