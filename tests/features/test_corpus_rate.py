"""Features take the corpus' own sampling rate unless the configuration states one."""

import json
import logging

import numpy as np
import pytest
import soundfile

import seqlabel
from seqlabel.config import load_toml
from seqlabel.corpora import folder
from seqlabel.errors import InputError
from seqlabel.features.front_end import at_corpus_rate, make_extractor
from seqlabel.inputs import recording
from seqlabel.training.distribution import Workers
from seqlabel.training.experiment import Experiment
from seqlabel.training.run import train

CONFIG = """
[features]
kind = "fbank"
filters = 20
[model]
hidden = 4
layers = 1
[[phases]]
epochs = 1
"""


def corpus(root, rates):
    rng = np.random.default_rng(1)
    for name in ("train", "dev", "test"):
        for n, rate in enumerate(rates):
            (root / name).mkdir(exist_ok=True, parents=True)
            soundfile.write(root / name / f"{name}{n}.wav", rng.normal(0, 0.1, rate), rate)
            (root / name / f"{name}{n}.txt").write_text("ab")
    folder.prepare(root, folder.Options()).save(root / "data")
    return root / "data"


def test_telephone_speech_stays_at_its_rate(tmp_path, caplog):
    data = corpus(tmp_path, [8000, 8000])
    path = tmp_path / "conf.toml"
    path.write_text(CONFIG)
    train(Experiment.load(path), data, tmp_path / "model", Workers())
    assert load_toml(tmp_path / "model" / "config.toml")["features"]["rate"] == 8000
    assert not [r for r in caplog.records if "resampled" in r.getMessage()]
    model = seqlabel.load(tmp_path / "model")
    assert model.rate == 8000
    recording._resampled.clear()
    soundfile.write(tmp_path / "wide.wav", np.random.default_rng(2).normal(0, 0.1, 16000), 16000)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            model.read(tmp_path / "wide.wav")
    notices = [r.getMessage() for r in caplog.records if "resampled" in r.getMessage()]
    assert len(notices) == 1
    assert "resampled from 16000 to 8000" in notices[0]


def test_a_stated_rate_holds(tmp_path):
    data = corpus(tmp_path, [8000])
    assert at_corpus_rate({"kind": "mfcc", "rate": 16000}, data)["rate"] == 16000
    assert at_corpus_rate({"kind": "mfcc"}, data) == {"kind": "mfcc", "rate": 8000}
    assert at_corpus_rate({"kind": "ink_delta"}, data) == {"kind": "ink_delta"}
    assert at_corpus_rate({"kind": "fbank"}, tmp_path / "absent") == {"kind": "fbank"}


def test_several_rates_are_named_and_read_at_the_default(tmp_path, caplog):
    data = corpus(tmp_path, [8000, 16000])
    with caplog.at_level(logging.WARNING):
        table = at_corpus_rate({"kind": "fbank"}, data)
    assert make_extractor(table).rate == 16000
    assert "several sampling rates are read at 16000" in caplog.text


@pytest.mark.parametrize("rate", ["8000", -1, True, 8000.5])
def test_a_rate_that_is_none_is_refused(tmp_path, rate):
    (tmp_path / "corpus.json").write_text(json.dumps({"rate": rate}))
    with pytest.raises(InputError, match="run seqlabel prepare again"):
        at_corpus_rate({"kind": "fbank"}, tmp_path)
